"""Measure the error of the functions that SciPy, JAX and PyTorch have of their own, and of ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.special
import torch
from measurement import FUNCTIONS, families

import anysoftmax as asm
from anysoftmax.testing import FORMATS, backends
from anysoftmax.testing.oracle.exact import exact, exponential, logsumexp, normalise

# Winners are told apart from the others: it is theirs that most libraries lose the logarithm of.
PARTS = {
    "softmax": ("softmax",),
    "log_softmax": ("log_softmax, winners", "log_softmax, others"),
    "logsumexp": ("logsumexp",),
}
PLAIN = tuple(logits.family for logits in families() if logits.temperature == 1.0)
FAMILIES = (*PLAIN, "at 0", "T", "many")
DTYPES = ("float32", "float64", "float16", "bfloat16")
# The classes of "many": with more of them the shares would be subnormal in float16.
MANY = {"float32": 1_000_000, "float64": 1_000_000, "float16": 10_000, "bfloat16": 10_000}

Array = Any
Function = Callable[..., Array]
NumpyArray = np.ndarray[Any, Any]


class Sample(NamedTuple):
    """Slices of logits in a dtype, their temperature, and what a function makes of them exactly."""

    logits: NumpyArray
    axis: int
    temperature: float
    exact: NumpyArray


class Implementation(NamedTuple):
    """Where functions are run, what they are, and the dtypes to run them on."""

    backend: str
    functions: dict[str, Function]
    dtypes: tuple[str, ...]


def families_of(function: str) -> tuple[str, ...]:
    """Return the families that a function is measured on: logsumexp has no temperature."""
    return tuple(f for f in FAMILIES if function != "logsumexp" or f != "T")


def measure(name: str, function: str, family: str, dtype: str) -> dict[str, float]:
    """Return the largest error in ulp of the exact results, for each part of a function's."""
    implementation, format_ = IMPLEMENTATIONS[name], FORMATS[dtype]
    backend = backends.get(implementation.backend)
    flushes = backend.flushes_subnormals and dtype != "float16"  # which is widened before
    run = implementation.functions[function]
    worst = dict.fromkeys(PARTS[function], 0.0)
    for sample in samples(function, family, dtype):
        given = (
            [sample.logits] if sample.temperature == 1.0 else [sample.logits, sample.temperature]
        )
        with backend.context():
            arrays = [backend.array(a, dtype=dtype) for a in given]
            got = backend.call(run, *arrays, axis=sample.axis)
        if family == "many":
            got = _extremes(got)
        winners = sample.exact == np.max(sample.exact, axis=sample.axis, keepdims=True)
        for place in np.ndindex(got.shape):
            value = sample.exact[place]
            if value in (0, -np.inf) or (flushes and abs(value) < 2 * format_.smallest_normal):
                continue
            error = float(abs(exact(got[place])[()] - value) / format_.ulp(value))
            assert error < np.inf, f"{name}, {function} of {family}, {dtype}: {got[place]}"
            part = PARTS[function][0 if winners[place] else -1]
            worst[part] = max(worst[part], error)
    return worst


@cache
def samples(function: str, family: str, dtype: str) -> tuple[Sample, ...]:
    """Return the slices of a family."""
    if family == "many":
        return (_many(function, dtype),)
    found = []
    for name, values, temperature in families():
        if name == "digits" and family == "at 0":
            logits = FORMATS[dtype].round(values - np.max(values, axis=-1, keepdims=True))
        elif family == (name if temperature == 1.0 else "T"):
            logits = FORMATS[dtype].round(values)
        else:
            continue
        t = FORMATS[dtype].round(temperature)
        known = (
            logsumexp(logits, axis=-1)
            if function == "logsumexp"
            else getattr(normalise(logits, temperature=t), function)
        )
        found.append(Sample(logits, -1, temperature, known))
    return tuple(found)


def _many(function: str, dtype: str) -> Sample:
    """Return two slices along the first axis, of one class and others alike, a little behind.

    The exact results are those of the first class and, twice, of another one.
    """
    n = MANY[dtype]
    logits = FORMATS[dtype].round(np.where(np.arange(n) == 0, 0.4, 0.3))
    total = logsumexp(logits[:2], weights=np.asarray([1.0, n - 1.0]))[()]
    known = np.asarray([total])
    if function != "logsumexp":
        known = exact(logits[[0, 1, 1], None]) - total
    if function == "softmax":
        known = np.vectorize(exponential, otypes=[object])(known)
    return Sample(np.stack([logits, logits], axis=1), 0, 1.0, np.concat([known, known], axis=-1))


def _extremes(got: NumpyArray) -> NumpyArray:
    """Return the first row, and the lowest and the highest of the others: the worst are there."""
    if got.ndim == 1:
        return got
    return np.stack([got[0], np.min(got[1:], axis=0), np.max(got[1:], axis=0)])


def _ours(function: Function, **options: Any) -> Function:
    def call(x: Array, temperature: Array = 1.0, *, axis: int) -> Array:
        given = options if function is asm.logsumexp else {"temperature": temperature, **options}
        return function(x, axis=axis, **given)

    return call


def _theirs(function: Function, name_of_axis: str = "axis") -> Function:
    """Return a function as its users call it: they divide the logits by the temperature."""

    def call(x: Array, temperature: Array = None, *, axis: int) -> Array:
        divided = x if temperature is None else x / temperature
        return function(divided, **{name_of_axis: axis})

    return call


def _functions(make: Callable[[Function], Function], source: Any) -> dict[str, Function]:
    return {name: make(getattr(source, name)) for name in FUNCTIONS}


OURS = _functions(_ours, asm)
_WITHOUT_BFLOAT16 = DTYPES[:3]

IMPLEMENTATIONS = {
    "anysoftmax, NumPy": Implementation("numpy", OURS, _WITHOUT_BFLOAT16),
    "anysoftmax, highest": Implementation(
        "numpy", _functions(partial(_ours, precision="highest"), asm), DTYPES[:2]
    ),
    "scipy.special": Implementation("numpy", _functions(_theirs, scipy.special), _WITHOUT_BFLOAT16),
    "anysoftmax, JAX": Implementation("jax-jit", OURS, DTYPES),
    "jax.nn": Implementation("jax-jit", _functions(_theirs, jax.nn), DTYPES),
    "anysoftmax, PyTorch": Implementation("torch", OURS, DTYPES),
    "torch": Implementation(
        "torch", _functions(partial(_theirs, name_of_axis="dim"), torch), DTYPES
    ),
}
