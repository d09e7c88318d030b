"""The contract's table of bounds as numbers, and a judge that does refuse what is beyond them."""

from __future__ import annotations

import numpy as np
import pytest

from anysoftmax.testing import FORMATS
from anysoftmax.testing.bounds import Expected, bounds, expect, judge
from anysoftmax.testing.oracle.exact import exact

U = {"float32": 2.0**-24, "float64": 2.0**-53}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("function", "options", "units"),
    [
        ("softmax", {}, 8),
        ("softmax", {"distance": 20}, 28),
        ("softmax", {"distance": 20, "temperature": 0.5}, 48),
        ("log_softmax", {}, 8),
        ("log_softmax", {"distance": 20}, 28),
        ("log_softmax", {"distance": 20, "temperature": 2}, 48),
        ("softmax", {"distance": 20, "precision": "highest", "has_float64": False}, 8),
        ("log_softmax", {"distance": 20, "precision": "highest", "has_float64": False}, 8),
    ],
)
def test_bounds_in_units_of_roundoff(dtype: str, function: str, options: dict, units: int) -> None:
    if dtype == "float64":
        options = {**options, "has_float64": True}
    allowed = bounds(function, FORMATS[dtype], exact(0.75)[()], **options)
    assert float(allowed) == pytest.approx(units * U[dtype] * 0.75, rel=1e-9)


@pytest.mark.parametrize(
    ("dtype", "options", "ulps"),
    [
        ("float32", {}, 4),
        ("float64", {}, 4),
        ("float32", {"precision": "highest"}, 0.51),
        ("float32", {"precision": "highest", "has_float64": False}, 4),
        ("float64", {"precision": "highest"}, 3),
        ("float16", {}, 0.51),
        ("bfloat16", {"precision": "highest"}, 0.51),
    ],
)
def test_bounds_of_logsumexp_in_ulps_of_the_larger_of_result_and_peak(
    dtype: str, options: dict, ulps: float
) -> None:
    allowed = bounds("logsumexp", FORMATS[dtype], exact(0.25)[()], peak=exact(-5.0)[()], **options)
    assert float(allowed / FORMATS[dtype].ulp(5.0)) == pytest.approx(ulps, rel=1e-9)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("function", ["softmax", "log_softmax", "logsumexp"])
def test_sixteen_bit_results_are_all_but_correctly_rounded(dtype: str, function: str) -> None:
    allowed = bounds(function, FORMATS[dtype], exact(0.75)[()])
    assert float(allowed) == pytest.approx(0.51 * 2.0 ** -FORMATS[dtype].precision, rel=1e-9)


def test_winners_log_probability_is_bound_by_the_gap_to_the_runner_up() -> None:
    expected = expect("log_softmax", FORMATS["float64"], [30.0, 10.0, 0.0], axis=-1)
    units = expected.allowed / (abs(expected.values) * exact(U["float64"]))
    assert [round(float(n), 6) for n in units] == [28, 8, 8]


def test_temperature_counts_as_rounded_to_the_dtype() -> None:
    expected = expect("softmax", FORMATS["float32"], [1.0, 0.0], axis=-1, temperature=0.7)
    rounded = expect(
        "softmax", FORMATS["float64"], [1.0, 0.0], axis=-1, temperature=np.float32(0.7)
    )
    assert (expected.values == rounded.values).all()


def one(value: float, allowed: float, dtype: str = "float32") -> Expected:
    return Expected(exact([value]), exact([allowed]), FORMATS[dtype])


@pytest.mark.parametrize(
    ("got", "value", "allowed"),
    [
        (1.011, 1.0, 0.01),
        (np.nan, 1.0, 0.01),
        (1.0, np.nan, 0.01),
        (np.inf, 1.0, 0.01),
        (1.0, np.inf, 0.01),
        (-np.inf, np.inf, 0.01),
        (1e-30, 0.0, 0.0),
        (-np.inf, 3.5e38, 1e31),
    ],
)
def test_judge_refuses(got: float, value: float, allowed: float) -> None:
    with pytest.raises(AssertionError, match="element"):
        judge(np.asarray([got]), one(value, allowed))


def test_judge_refuses_another_shape() -> None:
    with pytest.raises(AssertionError, match="shape"):
        judge(np.asarray(1.0), one(1.0, 1.0))


@pytest.mark.parametrize(
    ("got", "value", "allowed"),
    [
        (1.0099, 1.0, 0.01),
        (np.nan, np.nan, 0.01),
        (-np.inf, -np.inf, 0.01),
        (-np.inf, -6.8e38, 1e31),  # rounds to -inf in float32
        (0.0, 0.0, 0.0),
    ],
)
def test_judge_accepts(got: float, value: float, allowed: float) -> None:
    judge(np.asarray([got]), one(value, allowed))


def test_judge_lets_flushed_results_pass_only_where_they_are_flushed() -> None:
    subnormal = 1e-40
    judge(np.asarray([0.0]), one(subnormal, 1e-46), flushes=True)
    with pytest.raises(AssertionError):
        judge(np.asarray([0.0]), one(subnormal, 1e-46))
    with pytest.raises(AssertionError):
        judge(np.asarray([1e-37]), one(subnormal, 1e-46), flushes=True)
    with pytest.raises(AssertionError):
        judge(np.asarray([0.0]), one(1e-37, 1e-44), flushes=True)
