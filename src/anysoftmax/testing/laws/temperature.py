"""The temperature: its limits, one for each slice, and the order: first shift, then divide."""

from __future__ import annotations

from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import Expected, judge
from anysoftmax.testing.formats import FORMATS
from anysoftmax.testing.laws.law import ALL_FUNCTIONS, FROM_LOGITS, affordable, law
from anysoftmax.testing.oracle.exact import exact
from anysoftmax.testing.strategies import FINITE, Case, cases, examples

__all__ = [
    "never_nan",
    "opposite_extremes",
    "shift_before_scale",
    "temperature_by_slice",
    "temperature_limits",
    "wrong_temperatures",
]

FUNCTIONS = ("softmax", "log_softmax")
WITH_TEMPERATURE = tuple(name for name in ALL_FUNCTIONS if name != "logsumexp")


@law(fault="T = 0 is not the maximum, or T = inf not the uniform distribution")
def temperature_limits(backend: Backend, functions: Any) -> None:
    """T = 0 shares everything among the largest logits, T = inf among all that take part."""

    @examples(backend, cases(backend, masks=True, temperatures=(0.0, np.inf, 1.0)))
    def holds(case: Case) -> None:
        for function in WITH_TEMPERATURE:
            suited = case.suited(function)
            got = suited.call(backend, functions, function)
            judge(got, suited.expect(backend, function), flushes=backend.flushes_subnormals)

    holds()


@law(fault="NaN comes from finite logits and a temperature in [0, inf]")
def never_nan(backend: Backend, functions: Any) -> None:
    """Finite logits, however huge, and any temperature, however small: never NaN."""
    # Among ties, at subnormal temperatures: a processor that flushes them divides 0 by 0.
    ties = np.asarray([[0.0] * 5, [1.0, 2.0, 2.0, 0.0, -1.0], [3.0] * 5])
    for dtype in backend.dtypes:
        format_ = FORMATS[dtype]
        least, normal = float(format_.smallest_subnormal), float(format_.smallest_normal)
        column = np.asarray([[3 * least], [normal / 2], [normal]]).astype(format_.carrier)
        case = Case(ties.astype(format_.carrier), dtype, temperature=column)
        losses = ("cross_entropy", "entropy") if dtype == backend.default_dtype else ()
        for function in (*FUNCTIONS, *losses):
            got = case.suited(function).call(backend, functions, function)
            assert not np.isnan(got).any(), f"{function} of ties, T = {column}, is NaN: {got}"

    temperatures = (1.0, 0.0, 1e-40, 1e-30, 1e-5, 0.7, 1e5, 1e30, np.inf)

    @examples(backend, cases(backend, families=FINITE, masks=True, temperatures=temperatures))
    def holds(case: Case) -> None:
        for function in FROM_LOGITS:
            got = case.suited(function).call(backend, functions, function)
            assert not np.isnan(got).any(), f"{function} of finite logits is NaN"

    holds()


@law(fault="one temperature a slice is not that temperature for each slice")
def temperature_by_slice(backend: Backend, functions: Any) -> None:
    """A column of temperatures, a 0-d array, an integer and a float agree."""
    values = np.asarray([[0.5, 2.0, -1.0], [3.0, 3.0, 0.0], [7.0, -7.0, 6.5]])
    column = np.asarray([[0.5], [0.0], [4.0]])
    for dtype in backend.some(backend.dtypes):
        case = Case(values.astype(FORMATS[dtype].carrier), dtype, temperature=column)
        every = backend.cost == 1 or dtype == backend.default_dtype
        for function in affordable(backend, WITH_TEMPERATURE) if every else FUNCTIONS:
            suited = case.suited(function)
            together = suited.call(backend, functions, function)
            expected = suited.expect(backend, function)
            for i, t in enumerate(column[:, 0]):
                second = None if suited.second is None else suited.second[i : i + 1]
                row = suited.but(values=suited.values[i : i + 1], second=second)
                for form in (float(t), np.asarray(t), int(t))[: 3 if t == int(t) else 2]:
                    alone = row.but(temperature=form).call(backend, functions, function)
                    once = Expected(exact(alone), expected.allowed[i : i + 1], expected.format)
                    flushes = backend.flushes_subnormals
                    judge(together[i : i + 1], once, flushes=flushes, times=2)


@law(fault="the logits are divided by T before the largest is taken away")
def shift_before_scale(backend: Backend, functions: Any) -> None:
    """Logits up to 1e20 at temperatures whose quotients must be rounded, or overflow.

    Dividing first loses the distances of close logits, overflows for small T, and under a
    compiler that contracts x / T - m / T into one operation gives NaN.
    """
    rng = np.random.default_rng(7)
    shape = (3, 5)
    for dtype in ("float64", "float32"):
        if dtype not in backend.dtypes:
            continue
        for size in backend.some((1e2, 1e10, 1e20)):
            spread = rng.uniform(-size, size, size=shape).astype(dtype)
            close = np.full(shape, size, dtype=dtype)
            close -= 4 * np.spacing(close) * np.arange(5, dtype=dtype)
            for values in (spread, close):
                for temperature in backend.some((0.7, 1e-3, 3e30)):
                    case = Case(values, dtype, temperature=temperature)
                    for function in (*FUNCTIONS, "cross_entropy", "entropy"):
                        suited = case.suited(function)
                        got = suited.call(backend, functions, function)
                        expected = suited.expect(backend, function)
                        judge(got, expected, flushes=backend.flushes_subnormals)


@law(fault="logits of opposite sign overflow when the largest is taken away")
def opposite_extremes(backend: Backend, functions: Any) -> None:
    """The largest number and its negative are a few T apart if T is as large."""
    for dtype in backend.dtypes:
        largest = float(FORMATS[dtype].largest)
        values = FORMATS[dtype].round([[largest, -largest, 0.0], [largest, largest, -largest]])
        for temperature in (largest / 4, largest):
            case = Case(values, dtype, temperature=float(FORMATS[dtype].round(temperature)))
            for function in affordable(backend, WITH_TEMPERATURE):
                suited = case.suited(function)
                judge(suited.call(backend, functions, function), suited.expect(backend, function))


@law(fault="a negative temperature is taken as if it meant something")
def wrong_temperatures(backend: Backend, functions: Any) -> None:
    """T < 0 and NaN: `ValueError` if their value is known, NaN (0 behind the mask) if it is not."""
    values = np.asarray([[0.5, 2.0, -1.0]] * 3, dtype=backend.default_dtype)
    where = np.asarray([[True, True, False]] * 3)
    column = np.asarray([[-1.0], [np.nan], [1.0]], dtype=backend.default_dtype)
    left_out = {"softmax": 0, "log_softmax": -np.inf, "cross_entropy_grad": 0}
    case = Case(values, backend.default_dtype, where=where)
    # The pull-backs divide by T for themselves, so that no other function stands for them.
    functions_tried = (*affordable(backend, WITH_TEMPERATURE), "softmax_vjp", "log_softmax_vjp")
    for function in dict.fromkeys(functions_tried):
        suited = case.suited(function)
        if function == "cross_entropy":  # the target of every row takes part
            suited = suited.but(second=np.asarray([1, 0, 1], dtype=np.int32))
        for wrong in (-1.0, np.nan, -np.inf, np.asarray(-0.5), column):
            other = suited.but(temperature=wrong)
            is_array = isinstance(wrong, np.ndarray)
            if (is_array and (backend.lazy or backend.traced)) or backend.traces_numbers:
                got = other.call(backend, functions, function).reshape(3, -1)
                bad = np.broadcast_to(~(np.asarray(wrong) >= 0), (3, 1))[:, 0]
                assert np.isnan(got[bad, :2]).all(), f"{function}, T = {wrong}: {got}"
                assert not np.isnan(got[~bad]).any(), f"{function}, T = {wrong}: {got}"
                if function in left_out:
                    assert (got[:, 2] == left_out[function]).all(), function
            elif backend.reports_errors:
                try:
                    other.call(backend, functions, function)
                except ValueError:
                    continue
                raise AssertionError(f"{function} accepts temperature {wrong}")
