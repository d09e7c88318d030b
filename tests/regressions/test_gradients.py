"""Wrong derivatives that other libraries have returned, each named by the thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

Trial = Any

INF = np.inf


def test_large_logits_behind_the_mask(trial: Trial) -> None:
    """jax-ml/jax#17117 and #23842: exp of a masked logit overflowed, NaN in the derivative."""
    where = np.asarray([True, True, False])
    for hidden in (100.0, 1e30, INF, np.nan):
        x = [1.0, 1.0, hidden]
        g = trial.gradient("softmax", x, [1.0, 0.0, 1.0], where=where)
        assert g.tolist() == [0.25, -0.25, 0]
        g = trial.gradient("log_softmax", x, [1.0, 1.0, 1.0], where=where)
        assert g.tolist() == [0, 0, 0]
        g = trial.gradient("logsumexp", x, 1.0, where=where)
        assert g.tolist() == [0.5, 0.5, 0]


def test_minus_infinity_as_a_mask(trial: Trial) -> None:
    """tensorflow/tensorflow#11756 and pytorch/pytorch#31829: NaN at the -inf logits."""
    x = [4.0, -INF, 4.0, 4.0, 4.0]
    g = trial.gradient("softmax", x, [0.0, 0.0, 1.0, 0.0, 0.0])
    assert g == pytest.approx([-0.0625, 0, 0.1875, -0.0625, -0.0625], rel=1e-6)
    assert g[1] == 0


def test_logsumexp_of_nothing_but_minus_infinity(trial: Trial) -> None:
    """jax-ml/jax#6811 and pytorch/pytorch#49724: NaN, where CTC-like sums need 0."""
    assert trial.gradient("logsumexp", [-INF, -INF], 1.0).tolist() == [0, 0]
    assert trial.gradient("logsumexp", [-INF, 2.0], 1.0).tolist() == [0, 1]


def test_large_arguments_share_their_derivative(trial: Trial) -> None:
    """stan-dev/math#1679: the derivatives of log_sum_exp(x, x) summed to 2 at x = 1e50."""
    for dtype in trial.dtypes:
        for height in (1e10, 1e30):
            assert trial.gradient("logsumexp", [height] * 2, 1.0, dtype).tolist() == [0.5, 0.5]


def test_weight_of_zero_has_a_derivative(trial: Trial) -> None:
    """jax-ml/jax#22398 and #37633: the Jacobian by a weight of 0 was 0."""
    g = trial.gradient("logsumexp", np.zeros(3), 1.0, weights=np.asarray([2.0, 0.0, 5.0]))
    assert g == pytest.approx([1 / 7] * 3, rel=1e-6)


def test_saturated_winner_has_a_derivative(trial: Trial) -> None:
    """jax-ml/jax#40384: 1 - p of the winner was 0, and its derivative with it."""
    if "float64" in trial.dtypes:
        z = [37.42994775023705, 0.0]
        g = trial.gradient("log_softmax", z, [1.0, 0.0], "float64")
        known = 5.551115123125776e-17
        assert g == pytest.approx([known, -known], rel=40 * 2.0**-53)
    g = trial.gradient("log_softmax", [20.0, 0.0], [1.0, 0.0], "float32")
    known = 1 / (1 + np.exp(20.0))
    assert g == pytest.approx([known, -known], rel=30 * 2.0**-24)


def test_equal_huge_logits_have_derivatives(trial: Trial) -> None:
    """ml-explore/mlx#4188: a loss of 0 at equal huge logits came with a derivative of 0."""
    g = trial.gradient("log_softmax", [1e8, 1e8], [1.0, 0.0])
    assert g.tolist() == [0.5, -0.5]
