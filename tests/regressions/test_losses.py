"""Wrong losses and entropies that other libraries have returned, each named by the thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

Trial = Any

INF, NAN = np.inf, np.nan
LOG_2 = 0.6931471805599453


def test_mean_of_ignored_targets(trial: Trial) -> None:
    """pytorch/pytorch#70348, #75181 and #116349: NaN since 1.11 if every target is ignored."""
    labels = np.asarray([-100, -100])
    x = [[0.2, 1.0, 0.5], [0.1, 0.3, 0.6]]
    for reduction in ("mean", "sum"):
        weights = (labels >= 0).astype(np.float32)
        loss = trial.call(
            "cross_entropy", x, second=labels, sample_weights=weights, reduction=reduction
        )
        assert loss == 0


def test_minus_infinite_logit_of_no_share(trial: Trial) -> None:
    """google-deepmind/optax#896: 0 times -inf made the loss NaN."""
    assert trial.call("cross_entropy", [-INF, 0.0], second=[0.0, 1.0]) == 0
    assert trial.call("cross_entropy", [-INF, 0.0], second=1) == 0


def test_most_classes_masked(trial: Trial) -> None:
    """Dao-AILab/flash-attention#1930: NaN, depending on where the only finite logit stands."""
    for place in (0, 500, 999):
        x = np.full((1, 1000), -INF)
        x[0, place] = 10.0
        assert trial.call("cross_entropy", x, second=[place]) == 0


def test_smoothing_passes_over_masked_classes(trial: Trial) -> None:
    """facebookresearch/pytext#1698: the smoothed loss is infinite if any logit is -inf."""
    x = [[-INF, 0.0, 0.0], [0.0, 0.0, -INF]]
    loss = trial.call("cross_entropy", x, second=[1, 0], label_smoothing=0.1)
    assert loss == pytest.approx(LOG_2, rel=1e-6)


def test_label_that_is_no_class(trial: Trial) -> None:
    """tensorflow/tensorflow#10268, google-deepmind/optax#1185, pytorch/pytorch#12670.

    A silent NaN, a loss of something else, or 0: where labels are known they are an error.
    """
    for wrong in (4, 100, -1, -4):
        arguments = {"x": [[0.2, 0.1, 0.4, 0.6]] * 2, "second": [0, wrong], "reduction": "none"}
        if trial.backend.traced:
            loss = trial.call("cross_entropy", **arguments)
            assert np.isnan(loss[1])
            assert np.isfinite(loss[0])
        else:
            with pytest.raises(IndexError, match=str(wrong)):
                trial.call("cross_entropy", **arguments)


def test_ignored_label_that_is_no_class(trial: Trial) -> None:
    """pytorch/pytorch#15508: a label to ignore had to be a class when nothing was reduced."""
    labels = np.asarray([0, 1, 255, 0])
    x = np.zeros((4, 2))
    weights = (labels != 255).astype(np.float32)
    loss = trial.call("cross_entropy", x, second=labels, sample_weights=weights, reduction="none")
    assert loss.tolist() == pytest.approx([LOG_2, LOG_2, 0, LOG_2], rel=1e-6)


def test_common_offset_of_the_logits(trial: Trial) -> None:
    """ml-explore/mlx#4188 and pytorch/pytorch#11752: the loss of equal logits was 0 at 1e8."""
    for height in (1.0, 1e4, 1e6, 1e8):
        loss = trial.call("cross_entropy", [[height, height]], second=[0])
        assert loss == pytest.approx(LOG_2, rel=1e-6)


def test_sure_winner_has_a_loss(trial: Trial) -> None:
    """pytorch/pytorch#113708 and #195529: the tail of a loss is lost, though it is normal."""
    loss = trial.call("cross_entropy", [40.0, 0.0], second=0)
    assert loss == pytest.approx(4.248354255291589e-18, rel=1e-5)


def test_entropy_with_impossible_classes(trial: Trial) -> None:
    """pytorch/pytorch#40553, tensorflow/probability#241 and huggingface/trl#7221: NaN."""
    assert trial.call("entropy", [0.0, 0.0, -INF]) == pytest.approx(LOG_2, rel=1e-6)
    assert trial.call("entropy", [0.0, -INF]) == 0
    if "float16" in trial.backend.dtypes:
        assert trial.call("entropy", [65504.0, -65504.0], "float16") == 0


def test_divergence_from_itself(trial: Trial) -> None:
    """pytorch/pytorch#80488: negative where both distributions are the same."""
    for x in ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0], [0.1, -0.7, 2.3]):
        assert trial.call("kl_divergence", x, second=x) == 0
    for x, y in (([1.0, 2.0, 3.0], [1.0, 2.0, 3.0000002]), ([0.1, 0.2], [0.1, 0.20000002])):
        assert trial.call("kl_divergence", x, second=y) >= 0
