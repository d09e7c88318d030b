"""Wrong measures that have been written, each found out by the tests of the right ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from anysoftmax.calibration import Reliability, brier_score, calibration_error, reliability
from anysoftmax.testing import backends

from .samples_drawn import Drawn, samples
from .test_reliability import holds_winners
from .test_scores import holds_brier, holds_errors

NUMPY = backends.get("numpy")


def assert_found_out(holds: Callable[[Drawn], None]) -> None:
    """Fail unless samples are drawn for which a test does not hold."""

    @settings(
        max_examples=500,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(samples(NUMPY))
    def searched(drawn: Drawn) -> None:
        holds(drawn)

    with pytest.raises(AssertionError):
        searched()


def lower_edge_inside(p: Any, t: Any, **options: Any) -> Reliability:
    right = reliability(p, t, **options)
    below = right.edges.copy()
    below[1:-1] = np.nextafter(below[1:-1], 0)
    wrong = reliability(p, t, **{**options, "edges": below})
    wrong.edges = right.edges
    return wrong


def last_of_equals_wins(p: Any, t: Any, **options: Any) -> Reliability:
    return reliability(p[:, ::-1], p.shape[1] - 1 - t, **options)


def weights_ignored(p: Any, t: Any, sample_weights: Any = None, **options: Any) -> Reliability:
    counting = None if sample_weights is None else sample_weights != 0
    return reliability(p, t, sample_weights=counting, **options)


def weightless_samples_counted(
    p: Any, t: Any, sample_weights: Any = None, **options: Any
) -> Reliability:
    bins = reliability(p, t, sample_weights=sample_weights, **options)
    if sample_weights is not None:
        bins.counts[-1] += np.sum(sample_weights == 0)
    return bins


def empty_bins_are_nan(p: Any, t: Any, **options: Any) -> Reliability:
    class Dividing(Reliability):
        @property
        def accuracy(self) -> Any:
            return np.where(self.counts == 0, np.nan, super().accuracy)

    bins = reliability(p, t, **options)
    (edges, counts, sums), _ = bins.tree_flatten()
    return Dividing(edges, counts, sums, axis=-1, classwise=False)


def certainty_in_no_bin(p: Any, t: Any, **options: Any) -> Reliability:
    bins = reliability(p, t, **options)
    bins.counts[-1] -= np.sum(p.max(-1) == 1)
    return bins


@pytest.mark.parametrize(
    "wrong",
    [
        lower_edge_inside,
        last_of_equals_wins,
        weights_ignored,
        weightless_samples_counted,
        empty_bins_are_nan,
        certainty_in_no_bin,
    ],
    ids=lambda wrong: wrong.__name__,
)
def test_wrong_bins(wrong: Callable[..., Any]) -> None:
    assert_found_out(lambda drawn: holds_winners(NUMPY, drawn, 5, function=wrong))


def test_interpolated_quantiles() -> None:
    def interpolating(p: Any, t: Any, n_bins: int, strategy: str, **options: Any) -> Reliability:
        weights = options.get("sample_weights", np.ones(len(p)))
        edges = np.quantile(p[weights > 0].max(-1), np.linspace(0, 1, n_bins + 1))
        edges[0], edges[-1] = 0, 1
        return reliability(p, t, edges=edges, **options)

    assert_found_out(
        lambda drawn: holds_winners(NUMPY, drawn, 4, "quantile", function=interpolating)
    )


def test_unweighted_quantiles() -> None:
    def unweighted(p: Any, t: Any, **options: Any) -> Reliability:
        weights = options.pop("sample_weights", None)
        counting = None if weights is None else weights != 0
        edges = reliability(p, t, sample_weights=counting, **options).edges
        return reliability(p, t, sample_weights=weights, edges=edges)

    assert_found_out(lambda drawn: holds_winners(NUMPY, drawn, 4, "quantile", function=unweighted))


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_mean_over_bins_whatever_they_weigh(norm: str) -> None:
    def unweighted(p: Any, t: Any, norm: str, **options: Any) -> Any:
        bins = reliability(p, t, **options)
        gaps = np.where(bins.counts == 0, np.nan, abs(bins.accuracy - bins.confidence))
        if norm == "max":
            return np.asarray(np.nanmean(gaps, -1))
        power = int(norm[1])
        return np.asarray(np.nanmean(gaps**power, -1) ** (1 / power))

    assert_found_out(lambda drawn: holds_errors(NUMPY, drawn, norm, unweighted))


def test_root_forgotten() -> None:
    def squared(p: Any, t: Any, **options: Any) -> Any:
        return calibration_error(p, t, **options) ** 2

    assert_found_out(lambda drawn: holds_errors(NUMPY, drawn, "l2", squared))


def test_brier_score_of_a_mean_over_classes() -> None:
    def mean(p: Any, t: Any, **options: Any) -> Any:
        return np.asarray(brier_score(p, t, **options) / p.shape[1])

    assert_found_out(lambda drawn: holds_brier(NUMPY, drawn, mean))


def test_brier_score_without_weights() -> None:
    def unweighted(p: Any, t: Any, sample_weights: Any = None, **options: Any) -> Any:
        counting = None if sample_weights is None else sample_weights != 0
        return brier_score(p, t, sample_weights=counting)

    assert_found_out(lambda drawn: holds_brier(NUMPY, drawn, unweighted))
