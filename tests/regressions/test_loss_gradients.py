"""Wrong derivatives of losses that other libraries have returned, each named by the thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

Trial = Any

INF, NAN = np.inf, np.nan


def gradients(trial: Trial, x: Any, second: Any, dtype: str | None = None, **options: Any) -> Any:
    """Return the gradient twice: by automatic differentiation, and without."""
    yield trial.gradient("cross_entropy", x, 1.0, dtype, second, **options)
    yield trial.call("cross_entropy_grad", x, dtype, second=second, **options)


def test_logits_of_ignored_targets(trial: Trial) -> None:
    """pytorch/pytorch#11551: -inf in rows that are ignored, and all gradients were NaN."""
    x = [[0.5, 0.5], [-INF, -INF], [NAN, 1.0]]
    weights = np.asarray([1.0, 0.0, 0.0])
    for g in gradients(trial, x, [0, 1, 0], sample_weights=weights):
        assert g.tolist() == [[-0.5, 0.5], [0, 0], [0, 0]]


def test_everything_ignored(trial: Trial) -> None:
    """pytorch/pytorch#70348: NaN, where a task of several heads needs 0."""
    for g in gradients(trial, [[0.2, 1.0, 0.5]], [-100], sample_weights=np.zeros(1)):
        assert g.tolist() == [[0, 0, 0]]


def test_minus_infinite_logit_of_no_share(trial: Trial) -> None:
    """google-deepmind/optax#896 and #1762: NaN in the derivative at the masked class."""
    for target in ([0.0, 1.0, 0.0], 1):
        for g in gradients(trial, [-INF, 0.0, 0.0], target):
            assert g.tolist() == [0, -0.5, 0.5]


def test_sure_winner_has_a_gradient(trial: Trial) -> None:
    """pytorch/pytorch#195678: the label's component was 0, and the sum of all no longer."""
    if "float64" in trial.dtypes:
        known = 5.551115123125776e-17
        for g in gradients(trial, [[37.42994775023705, 0.0]], [0], "float64"):
            assert g[0] == pytest.approx([-known, known], rel=60 * 2.0**-53)
    known = 1 / (1 + np.exp(20.0))
    for g in gradients(trial, [[20.0, 0.0]], [0], "float32"):
        assert g[0] == pytest.approx([-known, known], rel=40 * 2.0**-24)


def test_sure_winner_in_sixteen_bits(trial: Trial) -> None:
    """linkedin/Liger-Kernel#1419: 1 less a share that had been rounded to 8 bits."""
    for dtype in set(trial.backend.dtypes) & {"float16", "bfloat16"}:
        g = trial.call("cross_entropy_grad", [7.5, 0.0], dtype, second=0)
        known = 1 / (1 + np.exp(7.5))
        assert g == pytest.approx([-known, known], rel=2.0**-8)


def test_no_target_at_all(trial: Trial) -> None:
    """tensorflow/tensorflow#60314: a row of zeros as target had a gradient."""
    for g in gradients(trial, [[0.1, 0.9]], [[0.0, 0.0]]):
        assert g.tolist() == [[0, 0]]


def test_equal_huge_logits_have_gradients(trial: Trial) -> None:
    """ml-explore/mlx#4188: a loss of 0 at equal huge logits came with a gradient of 0."""
    for g in gradients(trial, [[1e8, 1e8]], [0]):
        assert g.tolist() == [[-0.5, 0.5]]


def test_entropy_of_masked_logits(trial: Trial) -> None:
    """huggingface/trl#7252, its review: the entropy was mended, its derivative still NaN."""
    g = trial.gradient("entropy", [0.0, 0.0, -INF], 1.0)
    assert g.tolist() == [0, 0, 0]


def test_lone_participant_at_a_subnormal_temperature(trial: Trial) -> None:
    """Ours: XLA flushed the temperature in one loop of the program only, and divided 0 by 0."""
    where = np.arange(5) == 4
    g = trial.call(
        "cross_entropy_grad", [0.0] * 5, "float32", second=4, temperature=1e-40, where=where
    )
    assert g.tolist() == [0] * 5
