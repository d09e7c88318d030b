"""Calibration errors and the Brier score against fractions, and against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anysoftmax as asm
from anysoftmax.calibration import brier_score, calibration_error, reliability
from anysoftmax.testing import Backend

from . import counted
from .samples_drawn import Drawn, given_weights, samples, spoilt
from .test_reliability import BACKENDS, ROUNDING, digits

NORMS = ("l1", "l2", "max")


def holds_errors(backend: Backend, drawn: Drawn, norm: str, function: Any = None) -> None:
    options = {"norm": norm, "n_bins": 5, **given_weights(drawn)}
    tolerance = ROUNDING[str(drawn.probs.dtype)]
    edges = counted.uniform(5, drawn.probs.dtype)
    arrays = spoilt(drawn)[:2]
    got = backend.call(function or calibration_error, *arrays, **options)
    assert got.dtype == drawn.probs.dtype
    assert got.shape == ()
    expected = counted.error(counted.bins(counted.winners(*drawn), edges), norm)
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance)
    got = backend.call(function or calibration_error, *arrays, classwise=True, **options)
    for k in range(drawn.probs.shape[1]):
        expected = counted.error(counted.bins(counted.of_class(k, *drawn), edges), norm)
        np.testing.assert_allclose(got[k], expected, rtol=0, atol=tolerance)


def holds_brier(backend: Backend, drawn: Drawn, function: Any = None) -> None:
    got = backend.call(function or brier_score, *spoilt(drawn)[:2], **given_weights(drawn))
    assert got.shape == ()
    assert got.dtype == drawn.probs.dtype
    tolerance = ROUNDING[str(drawn.probs.dtype)]
    np.testing.assert_allclose(got, counted.brier(*drawn), rtol=2 * tolerance)


@BACKENDS
def test_errors_are_counted(backend: Backend) -> None:
    @given(samples(backend), st.sampled_from(NORMS))
    def holds(drawn: Drawn, norm: str) -> None:
        holds_errors(backend, drawn, norm)

    with backend.context():
        holds()


@BACKENDS
def test_brier_scores_are_counted(backend: Backend) -> None:
    @given(samples(backend))
    def holds(drawn: Drawn) -> None:
        holds_brier(backend, drawn)

    with backend.context():
        holds()


@BACKENDS
def test_digits(backend: Backend) -> None:
    probs, labels = digits(backend.default_dtype)
    tolerance = ROUNDING[backend.default_dtype]
    with backend.context():
        edges = counted.uniform(15, probs.dtype)
        bins = counted.bins(counted.winners(probs, labels.tolist()), edges)
        for norm in NORMS:
            got = backend.call(calibration_error, probs, labels, norm=norm)
            np.testing.assert_allclose(got, counted.error(bins, norm), rtol=0, atol=tolerance)
        got = backend.call(brier_score, probs, labels)
        np.testing.assert_allclose(got, counted.brier(probs, labels.tolist()), rtol=2 * tolerance)


def test_streamed_errors_are_those_of_all() -> None:
    probs, labels = digits()
    bins = reliability(probs[:100], labels[:100])
    for start in range(100, 899, 100):
        bins.update(probs[start : start + 100], labels[start : start + 100])
    for norm in NORMS:
        np.testing.assert_allclose(
            bins.error(norm=norm), calibration_error(probs, labels, norm=norm), rtol=1e-14
        )


@pytest.mark.parametrize("axis", [0, 1])
def test_sixteen_bits_and_long_sums(axis: int) -> None:
    """70 000 samples: more than float16 can count to, or add up."""
    probs = np.zeros((2, 70_000), np.float16)
    probs[0], probs[1] = 0.75, 0.25
    labels = np.arange(70_000) % 2
    probs = probs if axis == 0 else probs.T
    assert calibration_error(probs, labels, axis=axis) == np.float16(0.25)
    assert brier_score(probs, labels, axis=axis) == np.float16(0.625)
    bins = reliability(probs, labels, axis=axis)
    assert bins.counts.max() == bins.weights.max() == 70_000


def test_bfloat16_may_sum_to_less_near_one() -> None:
    import torch

    probs = torch.softmax(torch.linspace(0, 3, 2000, dtype=torch.float64).reshape(200, 10), -1)
    labels = torch.zeros(200, dtype=torch.int64)
    got = calibration_error(probs.to(torch.bfloat16), labels)
    assert got.dtype == torch.bfloat16
    assert abs(float(got) - float(calibration_error(probs, labels))) < 0.01


def test_brier_score_of_a_sure_winner_keeps_its_digits() -> None:
    probs = np.asarray([[1 - 1e-12, 1e-12]])
    exact = counted.brier(probs, [0])
    assert brier_score(probs, [0]) == pytest.approx(exact, rel=1e-15)


def test_gradient_of_the_brier_score() -> None:
    import jax
    import torch

    numbers = np.asarray([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [np.nan, 2, -1]], np.float32)
    weights, labels = np.asarray([1, 3, 0], np.float32), np.asarray([2, 1, 77])
    expected = np.asarray([[0.25, 0.125, -0.375], [0.1875, -0.375, 0.1875], [0, 0, 0]])
    p, t, w = (jax.numpy.asarray(a) for a in (numbers, labels, weights))
    by_jax = jax.jit(jax.grad(lambda p, t, w: brier_score(p, t, sample_weights=w)))(p, t, w)
    np.testing.assert_allclose(by_jax, expected, rtol=1e-6)
    leaf = torch.tensor(numbers, requires_grad=True)
    brier_score(leaf, torch.tensor(labels), sample_weights=torch.tensor(weights)).backward()
    np.testing.assert_allclose(leaf.grad, expected, rtol=1e-6)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_calibration_curve_of_scikit_learn(strategy: str) -> None:
    """It has bins [lo, hi), interpolates quantiles and leaves out empty bins: no ties here."""
    calibration = pytest.importorskip("sklearn.calibration")
    draw = np.random.default_rng(7)
    p = draw.uniform(0.001, 0.999, 1001)
    hit = draw.uniform(size=1001) < p**2
    probs = np.stack([1 - p, p], axis=-1)
    bins = reliability(probs, hit.astype(int), n_bins=10, strategy=strategy, classwise=True)
    shares, means = calibration.calibration_curve(hit, p, n_bins=10, strategy=strategy)
    # An interpolated quantile of 1001 values is one of them: it is above the edge there, not here.
    tolerance = 1e-13 if strategy == "uniform" else 0.02
    np.testing.assert_allclose(bins.accuracy[1], shares, atol=tolerance)
    np.testing.assert_allclose(bins.confidence[1], means, atol=tolerance)


def test_brier_score_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    p, hit = np.asarray([0.1, 0.9, 0.7, 0.35]), np.asarray([0, 1, 0, 1])
    weights = np.asarray([1.0, 2.0, 0.5, 0.0])
    known = metrics.brier_score_loss(hit, p, sample_weight=weights)
    got = brier_score(np.stack([1 - p, p], axis=-1), hit, sample_weights=weights)
    assert got == pytest.approx(2 * known, rel=1e-14)


def test_probabilities_that_are_subnormal_may_sum_to_more() -> None:
    """70 000 classes share so little each in float16 that rounding shows in the sum."""
    probs = asm.softmax(np.zeros((1, 70_000), np.float16))
    assert probs.astype(np.float64).sum() > 1.001
    assert brier_score(probs, [0]) == 1
