"""Measure the error of every function on every backend and dtype, on logits that never change."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import anysoftmax as asm
from anysoftmax.testing import FORMATS, Backend
from anysoftmax.testing.bounds import Expected, expect
from anysoftmax.testing.oracle.exact import exact

DIGITS = Path(__file__).parents[1] / "data" / "digits_logits.npy"
FUNCTIONS = ("softmax", "log_softmax", "logsumexp")
PRECISIONS = ("default", "highest")
BACKENDS = ("numpy", "array-api-strict", "torch", "jax", "jax-32", "jax-jit", "jax-jit-32", "dask")

NumpyArray = np.ndarray[Any, Any]


class Logits(NamedTuple):
    """Slices along the last axis, and their temperature."""

    family: str
    values: NumpyArray
    temperature: float


class Worst(NamedTuple):
    """The largest error that was met: in ulp of the exact result, and as a share of its bound."""

    ulp: float
    share: float


@cache
def families() -> tuple[Logits, ...]:
    """Return real logits, and drawn ones of the kinds that are hardest to get right."""
    rng = np.random.default_rng(2026)
    digits = np.load(DIGITS)[::30].astype(np.float64)
    crowd = rng.normal(size=(6, 40))
    winner = crowd - 8.0
    winner[:, 3] += np.asarray([0.5, 2.0, 5.0, 10.0, 20.0, 40.0])
    equal = np.log(np.full((3, 97), [[0.9999], [0.3], [0.7]]))
    equal[:, 0] = 0.0
    far = rng.uniform(-80, 0, size=(4, 25))
    wide = rng.normal(size=(4, 9)) * 10.0 ** np.arange(4)[:, None]
    masked = np.where(rng.random(size=(4, 12)) < 0.4, -np.inf, rng.normal(size=(4, 12)))
    plain = (
        Logits("digits", digits, 1.0),
        Logits("crowd", crowd, 1.0),
        Logits("winner", winner, 1.0),
        Logits("equal", equal, 1.0),
        Logits("far", far, 1.0),
        Logits("wide", wide, 1.0),
        Logits("masked", masked, 1.0),
    )
    warm = tuple(
        Logits(f"{name}, T = {t}", values, t)
        for name, values, _ in plain
        for t in (0.7, 3.0)
        if name in {"digits", "crowd", "winner"}
    )
    return plain + warm


@cache
def expected(index: int, function: str, dtype: str, precision: str, has_float64: bool) -> Expected:
    """Return the exact results for a family, once for all backends."""
    _, values, temperature = families()[index]
    own = {} if function == "logsumexp" else {"temperature": temperature}
    return expect(
        function,
        FORMATS[dtype],
        FORMATS[dtype].round(values),
        axis=-1,
        precision=precision,
        has_float64=has_float64,
        **own,
    )


def measure(backend: Backend, function: str, dtype: str, precision: str) -> Worst:
    """Return the largest error over all families."""
    worst = Worst(0.0, 0.0)
    for index, (_, values, temperature) in enumerate(families()):
        if function == "logsumexp" and temperature != 1.0:
            continue
        own = {} if function == "logsumexp" else {"temperature": temperature}
        logits = backend.array(FORMATS[dtype].round(values), dtype=dtype)
        got = backend.call(getattr(asm, function), logits, axis=-1, precision=precision, **own)
        known = expected(index, function, dtype, precision, backend.has_float64)
        for error in errors(got, known, flushes=backend.flushes_subnormals):
            worst = Worst(max(worst.ulp, error.ulp), max(worst.share, error.share))
    return worst


def errors(got: NumpyArray, known: Expected, *, flushes: bool) -> Iterator[Worst]:
    """Yield the error of each element whose exact value is finite and representable."""
    format_ = known.format
    for i in np.ndindex(got.shape):
        value, allowed = known.values[i], known.allowed[i]
        if not np.isfinite(float(value)) or value == 0:
            continue
        if flushes and abs(value) < 2 * format_.smallest_normal:
            continue
        error = abs(exact(got[i])[()] - value)
        yield Worst(float(error / format_.ulp(value)), float(error / allowed))
