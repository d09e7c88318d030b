"""Measure the error of gradients: of ours, and of those that JAX and PyTorch take of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from measurement import DIGITS

import anysoftmax as asm
from anysoftmax.testing import FORMATS
from anysoftmax.testing.oracle.exact import exact, softmax
from anysoftmax.testing.oracle.gradients import normalise_gradients

FUNCTIONS = ("softmax", "log_softmax", "cross_entropy")
FAMILIES = {
    "float32": ("crowd", "digits", "ties", "gap 20", "gap 50"),
    "float64": ("crowd", "digits", "ties", "gap 20", "gap 40", "gap 100"),
}

Function = Callable[..., Any]
NumpyArray = np.ndarray[Any, Any]


class Sample(NamedTuple):
    """Logits of slices along the last axis, and what is pulled back: cotangents, or labels."""

    logits: NumpyArray
    cotangents: NumpyArray
    labels: NumpyArray

    def given(self, function: str) -> NumpyArray:
        """Return what goes with the logits."""
        return self.labels if function == "cross_entropy" else self.cotangents

    def pulled_back(self, function: str) -> NumpyArray:
        """Return the cotangents of softmax or log-softmax, of which the loss makes use."""
        if function != "cross_entropy":
            return self.cotangents
        return -(np.arange(self.logits.shape[-1]) == self.labels[:, None]).astype(np.float64)


class Worst(NamedTuple):
    """The largest error: in u times the sum of the terms, and as a share of its bound."""

    terms: float
    share: float


class Functions(NamedTuple):
    """Three functions of an array library; the loss takes labels and returns a sum."""

    softmax: Function
    log_softmax: Function
    cross_entropy: Function


@cache
def sample(family: str, dtype: str) -> Sample:
    """Return slices of a kind, rounded to the dtype; every other label is the winner."""
    rng = np.random.default_rng(2026)
    logits = rng.normal(size=(6, 40 if family == "crowd" else 10))
    if family == "digits":
        logits = np.load(DIGITS)[::150].astype(np.float64)
    elif family == "ties":
        logits = np.where(rng.random(logits.shape) < 0.5, 1.5, -1.5)
    elif family.startswith("gap"):
        logits[:, 3] = np.sort(np.delete(logits, 3, axis=1))[:, -1] + float(family[4:])
    labels = np.argmax(logits, axis=-1)
    labels[1::2] = rng.integers(logits.shape[-1], size=len(labels[1::2]))
    cotangents = rng.normal(size=logits.shape)
    return Sample(*(FORMATS[dtype].round(a).astype(dtype) for a in (logits, cotangents)), labels)


@cache
def expected(function: str, family: str, dtype: str) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
    """Return the exact gradient, its bound, and u times the sum of the terms that it is made of."""
    given, u = sample(family, dtype), FORMATS[dtype].unit_roundoff
    own = "softmax" if function == "softmax" else "log_softmax"
    g = given.pulled_back(function)
    known = normalise_gradients(own, given.logits, g)["x"]
    p, size = softmax(given.logits), abs(exact(g))
    others = [_others(a) for a in (p, p * size, size)]
    if own == "softmax":
        terms = p * (size * others[0] + others[1])
    else:
        terms = size * others[0] + p * others[2]
    return known.value, known.scale * u, terms * u


def _others(terms: NumpyArray) -> NumpyArray:
    """Return for each element the sum of the others of its slice."""
    n = terms.shape[-1]
    return np.stack([np.delete(terms, i, axis=-1).sum(axis=-1) for i in range(n)], axis=-1)


def measure(implementation: str, function: str, family: str, dtype: str) -> Worst:
    """Return the largest error over the entries of a family."""
    given = sample(family, dtype)
    with asm.kernels.use("reference"):
        run = IMPLEMENTATIONS[implementation]
        got = exact(run(function, given.logits, given.given(function)))
    value, bound, terms = expected(function, family, dtype)
    error = abs(got - value)
    return Worst(float((error / terms).max()), float((error / bound).max()))


def on_numpy(function: str, x: NumpyArray, given: NumpyArray) -> NumpyArray:
    """Pull back from the result, or differentiate the loss, as NumPy needs it."""
    if function == "cross_entropy":
        return np.asarray(asm.cross_entropy_grad(x, given, reduction="sum"))
    result = getattr(asm, function)(x)
    return np.asarray(getattr(asm, f"{function}_vjp")(result, given))


def on_jax(functions: Functions, function: str, x: NumpyArray, given: NumpyArray) -> NumpyArray:
    """Differentiate a compiled program."""
    with jax.enable_x64(True):
        program = jax.jit(jax.grad(partial(_number, jnp, functions, function)))
        return np.asarray(program(jnp.asarray(x), jnp.asarray(given)))


def on_torch(functions: Functions, function: str, x: NumpyArray, given: NumpyArray) -> NumpyArray:
    """Differentiate backwards."""
    leaf = torch.tensor(x, requires_grad=True)
    _number(torch, functions, function, leaf, torch.tensor(given)).backward()
    assert leaf.grad is not None
    return leaf.grad.numpy()


def _number(xp: Any, functions: Functions, function: str, x: Any, given: Any) -> Any:
    """Return the loss, or the number whose derivative by the result is the cotangent."""
    result = getattr(functions, function)
    return result(x, given) if function == "cross_entropy" else xp.sum(result(x) * given)


def _jax_cross_entropy(x: Any, labels: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(x), labels[:, None], axis=-1).sum()


OURS = Functions(asm.softmax, asm.log_softmax, partial(asm.cross_entropy, reduction="sum"))
JAX_NN = Functions(jax.nn.softmax, jax.nn.log_softmax, _jax_cross_entropy)
TORCH = Functions(
    partial(torch.softmax, dim=-1),
    partial(torch.log_softmax, dim=-1),
    partial(torch.nn.functional.cross_entropy, reduction="sum"),
)

IMPLEMENTATIONS: dict[str, Function] = {
    "anysoftmax, NumPy": on_numpy,
    "anysoftmax, JAX": partial(on_jax, OURS),
    "jax.nn": partial(on_jax, JAX_NN),
    "anysoftmax, PyTorch": partial(on_torch, OURS),
    "torch": partial(on_torch, TORCH),
}
