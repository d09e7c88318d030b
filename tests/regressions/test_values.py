"""Wrong values that other libraries have returned, each named by the thread that reports it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anysoftmax as asm

Trial = Any

INF, NAN = np.inf, np.nan


def test_winner_far_ahead_keeps_its_log_probability(trial: Trial) -> None:
    """scipy/scipy#19521 and pytorch/pytorch#113708: 0 or -0 from a gap of 16 (float32) on."""
    for dtype in trial.dtypes:
        eps = np.finfo(dtype).eps
        for power in (1, 2, 3):
            x = [1 - power * np.log(eps), 0.0]
            winner = trial.judge("log_softmax", x, dtype)[0]
            assert -winner == pytest.approx(np.exp(-x[0]), rel=0.01)


def test_logsumexp_of_a_winner_at_zero(trial: Trial) -> None:
    """scipy/scipy#18295: logsumexp([0, -40]) was 0 instead of 4.248e-18."""
    assert trial.judge("logsumexp", [0.0, -40.0]) == pytest.approx(4.248354255291589e-18, rel=1e-6)


def test_six_equal_runners_up(trial: Trial) -> None:
    """scipy/scipy#18295, its comments: logaddexp one by one loses all but one of equal terms."""
    trial.judge("logsumexp", [-60.0] * 7 + [0.0])


def test_one_infinite_logit_takes_all(trial: Trial) -> None:
    """scipy/scipy#23225, jax-ml/jax#21495, pytorch/pytorch#6864: all NaN."""
    for x, p in (
        ([1.0, 1.0, INF], [0, 0, 1]),
        ([INF, 0.0], [1, 0]),
        ([-INF, 0.0, INF], [0, 0, 1]),
        ([INF], [1]),
    ):
        assert trial.call("softmax", x).tolist() == p
        logs = [0.0 if q else -INF for q in p]
        assert trial.call("log_softmax", x).tolist() == logs


def test_masked_classes_have_no_probability(trial: Trial) -> None:
    """jax-ml/jax#16208: the exponentials of masked log-probabilities were not 0."""
    x = [[0.5, -1.0, 2.0, 0.25], [1.0, 1.0, 3.0, -2.0]]
    where = np.asarray([[True, False, True, False], [False, True, True, True]])
    y = trial.judge("log_softmax", x, where=where)
    assert (np.exp(y)[~where] == 0).all()
    assert np.exp(y).sum(axis=-1) == pytest.approx([1, 1], rel=1e-6)


def test_logsumexp_of_integers(trial: Trial) -> None:
    """jax-ml/jax#5931 and pytorch/pytorch#56132: an error about infinity as an integer."""
    got = trial.call("logsumexp", np.asarray([-1, 1], dtype=np.int32))
    assert got == pytest.approx(1.1269280110429725, rel=1e-6)


def test_logsumexp_of_integers_is_shifted_too(trial: Trial) -> None:
    """pytorch/pytorch#91843: integers took a path without the shift, and 100 overflowed."""
    assert trial.call("logsumexp", np.asarray([20, 30, 100], dtype=np.int32)) == 100


def test_fully_masked_rows_are_zero(trial: Trial) -> None:
    """pytorch/pytorch#41508 and #24816: a padded row of attention weights is NaN."""
    x = np.asarray([[0.5, 1.0, 2.0], [0.5, 1.0, 2.0]])
    where = np.asarray([[True, True, False], [False, False, False]])
    p = trial.judge("softmax", x, where=where)
    assert (p[1] == 0).all()
    assert trial.call("logsumexp", x, axis=-1, where=where)[1] == -INF


def test_equal_logits_share_equally_at_any_height(trial: Trial) -> None:
    """ml-explore/mlx#4169 (mended in #4188) and pytorch/pytorch#11752: log 2 became 0 at 1e8."""
    for height in (1.0, 1e4, 1e6, 1e8, 1e30, -1e30):
        got = trial.judge("log_softmax", [[height, height], [height, height]])
        assert got == pytest.approx(-np.log(2), rel=1e-6)


def test_logsumexp_of_one_minus_infinity(trial: Trial) -> None:
    """tensorflow/tensorflow#11692 and HenrikBengtsson/matrixStats#84: NaN."""
    for x in ([-INF], [-INF, -INF], -INF):
        assert trial.call("logsumexp", x) == -INF


def test_weight_of_zero_takes_the_maximum_out(trial: Trial) -> None:
    """scipy/scipy#4702: the shift by an element that weighs nothing made everything underflow."""
    assert trial.call("logsumexp", [-1000.0, 0.0], weights=np.asarray([1.0, 0.0])) == -1000


def test_infinity_of_weight_zero(trial: Trial) -> None:
    """jax-ml/jax#5370 and scipy/scipy#6160: 0 times infinity is NaN."""
    for hidden in (INF, NAN, -INF):
        got = trial.call("logsumexp", [2.5, hidden], weights=np.asarray([1.0, 0.0]))
        assert got == 2.5


def test_weights_that_are_negative_are_refused() -> None:
    """scipy/scipy#22903: one version in two returned NaN for the same negative weights."""
    with pytest.raises(ValueError, match="weights"):
        asm.logsumexp([3.064, 0.372, 3.874], weights=[1.88, 2.84, -0.85])


def test_nothing_at_all(trial: Trial) -> None:
    """scipy/scipy#20399 and jax-ml/jax#7643: an error about the maximum of an empty array."""
    assert trial.call("logsumexp", np.zeros(0)) == -INF
    assert trial.call("softmax", np.zeros((3, 0))).shape == (3, 0)
    assert trial.call("log_softmax", np.zeros((0, 3)), axis=0).shape == (0, 3)
    assert trial.call("logsumexp", np.zeros((2, 0)), axis=1).tolist() == [-INF, -INF]
    assert trial.call("logsumexp", np.zeros((0, 2)), axis=1).shape == (0,)


def test_single_class(trial: Trial) -> None:
    """pytorch/pytorch#3240: log_softmax of one number was -inf."""
    assert trial.call("log_softmax", [0.7]).tolist() == [0]


def test_sum_along_the_other_axis(trial: Trial) -> None:
    """numpy/numpy#9393 and #13734: sums along an axis that isn't contiguous add one by one."""
    n = 200_000
    x = np.zeros((n, 3), dtype=np.float32)
    x += np.asarray([0.1, 0.2, 0.3], dtype=np.float32)
    p = trial.call("softmax", x, "float32", axis=0)
    assert np.max(np.abs(p * np.float64(n) - 1)) <= 8 * 2.0**-24


def test_sixteen_bit_sum_that_saturates(trial: Trial) -> None:
    """pytorch/executorch#20090: a bfloat16 sum of 512 ones stops at 256."""
    for dtype in set(trial.backend.dtypes) & {"float16", "bfloat16"}:
        for n in (512, 4096, 70_000):
            got = trial.call("softmax", np.zeros(n), dtype)
            assert got[0] == pytest.approx(1 / n, rel=2.0**-8)


def test_temperature_of_zero(trial: Trial) -> None:
    """google-deepmind/gemma#562 and ggml-org/ggml#37: logits / 0 sampled nonsense."""
    for zero in (0, 0.0, -0.0, np.asarray(0.0)):
        assert trial.call("softmax", [1.0, 2.0, 0.5], temperature=zero).tolist() == [0, 1, 0]


def test_axis_of_length_one_elsewhere(trial: Trial) -> None:
    """jax-ml/jax#20856: compiled, the softmax along axis 0 of shape (3, 1, 1) was all ones."""
    got = trial.judge("softmax", np.asarray([1.5, -0.8, 0.02]).reshape(3, 1, 1), axis=0)
    assert got.sum() == pytest.approx(1, rel=1e-6)


def test_huge_scores_under_a_compiler(trial: Trial) -> None:
    """jax-ml/jax#37234: scale and shift contracted into one operation, NaN beyond 2**31."""
    rng = np.random.default_rng(37234)
    x = rng.normal(scale=1e20, size=(4, 9))
    for temperature in (0.7, 8**0.5, 3.0):
        trial.judge("softmax", x, temperature=temperature)
        trial.judge("log_softmax", x, temperature=temperature)


def test_small_integers_do_not_wrap_around(trial: Trial) -> None:
    """Seen in SciPy and JAX: the difference of int8 127 and -128 is -1, and the loser wins."""
    for dtype in set(trial.backend.integers) & {"int8", "uint8", "int16"}:
        limits = np.iinfo(dtype)
        got = trial.call("softmax", np.asarray([limits.min, limits.max], dtype=dtype))
        assert got == pytest.approx([0, 1], abs=1e-37)


def test_masked_array_is_refused() -> None:
    """scipy/scipy#6160: logsumexp ignored the mask of a masked array and summed everything."""
    x = np.ma.array([np.log(2), 2, np.log(3)], mask=[False, True, False])
    with pytest.raises(TypeError, match="where"):
        asm.logsumexp(x)
    assert asm.logsumexp(x.data, where=~x.mask) == pytest.approx(np.log(5), rel=1e-15)
