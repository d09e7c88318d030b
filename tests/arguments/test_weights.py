"""Weights of log-sum-exp at the edges: infinite logits, infinite weights, 16 bits, masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.testing import Backend

INF, NAN = float("inf"), float("nan")
BACKENDS = pytest.mark.parametrize(
    "backend", ["numpy", "array-api-strict", "torch", "jax", "jax-jit", "dask"], indirect=True
)


def logsumexp(backend: Backend, logits: Any, weights: Any, dtype: str = "float64") -> float:
    """Call with arrays of the backend's library."""
    with backend.context():
        x = backend.array(np.asarray(logits, dtype=dtype))
        w = np.asarray(weights, dtype="float64")
        return float(backend.call(asm.logsumexp, x, weights=w))


@BACKENDS
@pytest.mark.parametrize(
    ("logits", "weights", "expected"),
    [
        ([INF, 1.0], [1.0, 1.0], INF),
        ([INF, INF], [1.0, 3.0], INF),
        ([INF, 1.0], [0.0, 1.0], 1.0),
        ([NAN, 1.0], [0.0, 1.0], 1.0),
        ([INF, NAN], [1.0, 1.0], NAN),
        ([1000.0, NAN], [1.0, 1.0], NAN),
        ([-INF, -INF], [1.0, 2.0], -INF),
        ([-INF, 2.0], [INF, 1.0], 2.0),
        ([1.0, 2.0], [INF, 1.0], INF),
        ([1.0, 2.0], [0.0, 0.0], -INF),
    ],
)
def test_special_values(
    backend: Backend, logits: list[float], weights: list[float], expected: float
) -> None:
    assert logsumexp(backend, logits, weights) == pytest.approx(expected, nan_ok=True, rel=1e-15)


@pytest.mark.parametrize(
    "backend", ["numpy", "torch", "jax", "jax-32", "jax-jit-32"], indirect=True
)
def test_logarithm_of_a_single_weight(backend: Backend) -> None:
    """The one participant of each slice has the quotient 1, however a division is rounded."""
    weights = 1 + np.arange(8, 64)[:, None] * np.full(5, 2**-8, dtype="float32")
    logits = np.full(weights.shape, -INF, dtype="float32")
    logits[:, 0] = 0.0
    with backend.context():
        x, w = backend.array(logits), backend.array(weights)
        y = backend.call(asm.logsumexp, x, axis=-1, weights=w)
    known = np.log(weights[:, 0].astype("float64"))
    assert np.max(np.abs(y - known) / np.spacing(y)) <= 4


@pytest.mark.parametrize("weight", [1e-9, 1e5])
def test_weights_beyond_the_range_of_16_bits(weight: float) -> None:
    logits = np.asarray([1.0, 2.0], dtype=np.float16)
    exact = np.log(weight * (np.exp(1.0) + np.exp(2.0)))
    assert asm.logsumexp(logits, weights=weight) == np.float16(exact)
    assert asm.logsumexp(logits, weights=[weight, weight]) == np.float16(exact)


@pytest.mark.parametrize("garbage", [NAN, INF])
def test_masked_weights_change_nothing(garbage: float) -> None:
    y = asm.logsumexp([1.0, 2.0, 3.0], weights=[garbage, 1.0, 1.0], where=[False, True, True])
    assert y == asm.logsumexp([2.0, 3.0])
