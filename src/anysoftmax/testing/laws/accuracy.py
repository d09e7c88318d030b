"""Results within the contract's bounds of exact arithmetic, on every family, axis and layout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import judge
from anysoftmax.testing.formats import FORMATS
from anysoftmax.testing.laws.law import ALL_FUNCTIONS, FROM_LOGITS, affordable, law
from anysoftmax.testing.oracle import extended
from anysoftmax.testing.oracle.exact import exact
from anysoftmax.testing.strategies import SHAPES, Case, cases, examples

__all__ = [
    "default_accuracy",
    "highest_accuracy",
    "million_classes",
    "saturated_winner",
    "shapes",
    "sixteen_bit_sums",
    "vanishing_distances",
    "weighted_accuracy",
]

# Numbers that a dtype must round (0.7) and numbers that it holds (0.5).
TEMPERATURES = (1.0, 0.5, 0.7, 3.0, 0.01, 40.0)
NumpyArray = np.ndarray[Any, Any]

FUNCTIONS = ("softmax", "log_softmax", "logsumexp")


@law(fault="results are less accurate than the contract says")
def default_accuracy(backend: Backend, functions: Any) -> None:
    """Judge all three functions at the default precision."""
    _accurate(backend, functions, "default")


@law(fault='precision="highest" is less accurate than the contract says')
def highest_accuracy(backend: Backend, functions: Any) -> None:
    """Judge all three functions at the highest precision, saturated winners included."""
    _accurate(backend, functions, "highest")


def _accurate(backend: Backend, functions: Any, precision: str) -> None:
    @examples(backend, cases(backend, masks=True, temperatures=TEMPERATURES))
    def holds(case: Case) -> None:
        for function in FUNCTIONS:
            got = case.call(backend, functions, function, precision=precision)
            expected = case.expect(backend, function, precision=precision)
            judge(got, expected, flushes=backend.flushes_subnormals)

    holds()


@law(fault="the winner's log-probability is rounded to 0")
def saturated_winner(backend: Backend, functions: Any) -> None:
    """A winner far ahead has log-probability -exp(-gap): small, and not 0."""
    for dtype in backend.some(backend.dtypes):
        format_ = FORMATS[dtype]
        furthest = -math.log(float(format_.smallest_normal))
        gaps = format_.round([0.5, 2.0, 9.0, 0.9 * furthest, 0.45 * furthest])
        values = np.stack([gaps, np.zeros_like(gaps), -gaps], axis=1)
        case = Case(values, dtype)
        for precision in ("default", "highest"):
            got = case.call(backend, functions, "log_softmax", precision=precision)
            assert (got[:, 0] < 0).all(), f"{dtype}: winners ahead by {gaps} have {got[:, 0]}"
            judge(got, case.expect(backend, "log_softmax", precision=precision))
        loss = case.but(second=np.zeros(len(gaps), dtype=np.int32), reduction="none")
        for function in ("cross_entropy", "cross_entropy_grad", "entropy"):
            judge(loss.call(backend, functions, function), loss.expect(backend, function))


@law(fault="logits closer than the smallest normal number count neither as tied nor as apart")
def vanishing_distances(backend: Backend, functions: Any) -> None:
    """Logits whose differences are subnormal, or flushed to 0, are all but tied: each counts."""
    for dtype in backend.some([d for d in backend.dtypes if not FORMATS[d].is_16_bit]):
        smallest = np.finfo(dtype).tiny
        steps = np.asarray([[0, 1, 2, 3, 5], [9, 9, 8, 0, 4], [-7, -1, -1, -2, -3]], dtype)
        for base in (smallest * 4, smallest * 1e5):
            # Neighbours of a number so small are less than the smallest normal one apart.
            case = Case(base + steps * np.spacing(base), dtype)
            for function in affordable(backend, FROM_LOGITS):
                suited = case.suited(function)
                judge(suited.call(backend, functions, function), suited.expect(backend, function))


@law(fault="weights of logsumexp are not factors of the exponentials")
def weighted_accuracy(backend: Backend, functions: Any) -> None:
    """Judge logsumexp with weights; one that is 0 takes its element out, even if infinite."""

    @examples(backend, cases(backend, masks=True, weights=True))
    def holds(case: Case) -> None:
        assert case.weights is not None
        garbage = np.where(case.weights == 0, np.inf, case.values).astype(case.values.dtype)
        for given in (case, case.but(values=garbage)):
            for precision in ("default", "highest"):
                got = given.call(backend, functions, "logsumexp", precision=precision)
                expected = given.expect(backend, "logsumexp", precision=precision)
                judge(got, expected, flushes=backend.flushes_subnormals)

    holds()


@law(fault="some shape or axis gives the result of another one")
def shapes(backend: Backend, functions: Any) -> None:
    """Judge every shape and axis, 0-d and empty ones included, once."""
    for shape, axis in SHAPES:
        values = np.linspace(-3, 4, int(np.prod(shape))).astype(np.float32).reshape(shape)
        case = Case(np.cos(7 * values), "float32", axis)
        for function in affordable(backend, ALL_FUNCTIONS):
            suited = case.suited(function)
            judge(suited.call(backend, functions, function), suited.expect(backend, function))


@law(
    fault="sums of 16-bit logits are formed in 16 bits",
    applies=lambda backend: any(FORMATS[name].is_16_bit for name in backend.dtypes),
)
def sixteen_bit_sums(backend: Backend, functions: Any) -> None:
    """70 000 equal logits: in 16 bits their sum stops growing, or overflows."""
    for name in backend.dtypes:
        if FORMATS[name].is_16_bit:
            case = Case(np.full(70_000, 3.0, dtype=FORMATS[name].carrier), name)
            n, format_ = 70_000, FORMATS[name]
            p = case.call(backend, functions, "softmax")
            assert (p == format_.round(1 / n)).all(), f"{name}: {p[0]} is not 1 / {n}"
            y = case.call(backend, functions, "log_softmax")
            assert (y == format_.round(-np.log(n))).all(), f"{name}: {y[0]} is not -log {n}"
            total = case.call(backend, functions, "logsumexp")
            assert total == format_.round(3 + np.log(n)), f"{name}: {total} is not 3 + log {n}"


@law(
    fault="the error of a sum grows with its length, or depends on the axis",
    applies=lambda backend: extended.AVAILABLE,
)
def million_classes(backend: Backend, functions: Any) -> None:
    """Judge 10**6 classes along each axis: element by element, and the sum of the probabilities."""
    n = 1_000_000
    rng = np.random.default_rng(20)
    crowd = rng.normal(size=n)  # no winner: every term counts
    shelf = np.where(np.arange(n) < 1, 13.8, 0.0)  # the winner weighs as much as all others
    for name in backend.dtypes if backend.cost <= 4 else ("float32",):
        if not FORMATS[name].is_16_bit:
            logits = np.stack([crowd, shelf]).astype(name)
            known = _Known(logits)
            for axis in (1, 0):
                values = logits if axis == 1 else np.ascontiguousarray(logits.T)
                _judge_in_bulk(backend, functions, Case(values, name, axis), known)


class _Known:
    """References for rows of logits, formed once for both axes."""

    def __init__(self, logits: NumpyArray) -> None:
        self.softmax = extended.softmax(logits)
        self.log_softmax = extended.log_softmax(logits)
        self.logsumexp = extended.logsumexp(logits)
        self.distance = np.max(logits, axis=1, keepdims=True) - logits.astype(np.longdouble)
        runner_up = np.partition(self.distance, 1, axis=1)[:, 1:2]
        self.log_distance = np.where(self.distance == 0, runner_up, 0)


def _judge_in_bulk(backend: Backend, functions: Any, case: Case, known: _Known) -> None:
    format_ = case.format
    u = float(format_.unit_roundoff)

    def rows_of(function: str) -> NumpyArray:
        got = case.call(backend, functions, function)
        return np.ascontiguousarray(got.T if case.axis == 0 and got.ndim == 2 else got)

    def within(got: NumpyArray, reference: NumpyArray, distance: NumpyArray) -> None:
        worst = float(np.max(np.abs(got / reference - 1) / u - distance))
        assert worst <= 8, f"{case.dtype}, axis {case.axis}: off by (distance + {worst}) u"

    p = rows_of("softmax")
    within(p, known.softmax, known.distance)
    within(rows_of("log_softmax"), known.log_softmax, known.log_distance)
    off = np.abs(np.sum(p, axis=1, dtype=np.longdouble) - 1) / u
    assert (off <= 4).all(), f"{case.dtype}, axis {case.axis}: the sums are off by {off} u"
    for got, reference in zip(rows_of("logsumexp"), exact(known.logsumexp), strict=True):
        off = abs(exact(got)[()] - reference) / format_.ulp(reference)
        assert off <= 4, f"{case.dtype}, axis {case.axis}: logsumexp is off by {float(off)} ulp"
