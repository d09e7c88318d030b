"""What makes numbers probabilities, and what leaves them as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import Expected, judge
from anysoftmax.testing.laws.law import law
from anysoftmax.testing.oracle.exact import PRECISE, ZERO, exact
from anysoftmax.testing.strategies import Case, cases, examples

__all__ = [
    "homomorphism",
    "independent_slices",
    "log_of_softmax",
    "order",
    "permutation",
    "shift_invariance",
    "simplex",
    "unit_interval",
]

TEMPERATURES = (1.0, 0.5, 0.7, 3.0)


@law(fault="the probabilities of a slice do not sum to 1")
def simplex(backend: Backend, functions: Any) -> None:
    """The exact sum of what is returned is 1 up to 4 u, for 16 bits up to the outputs' rounding."""

    @examples(backend, cases(backend, masks=True, temperatures=TEMPERATURES))
    def holds(case: Case) -> None:
        p = exact(case.call(backend, functions, "softmax"))
        format_, axis = case.format, _axes(case)
        sums = np.asarray(np.sum(p, axis=axis, keepdims=True, initial=ZERO), dtype=object)
        any_part = np.any(case.taking_part & (case.values > -np.inf), axis=axis, keepdims=True)
        # A library that flushes subnormal numbers may drop every class below the normal ones.
        lost = p.size * format_.smallest_normal if backend.flushes_subnormals else 0
        for i in np.ndindex(sums.shape):
            if not case.taking_part.size or not any_part[i]:
                continue
            place = zip(sums.shape, i, strict=True)
            members = p[tuple(slice(None) if n == 1 else j for n, j in place)]
            rounding = PRECISE.fsum(0.51 * format_.ulp(q) for q in np.ravel(members))
            allowed = rounding if format_.is_16_bit else 4 * format_.unit_roundoff
            off = abs(sums[i] - 1)
            assert off <= allowed + lost, f"slice {i} sums to 1 +- {PRECISE.nstr(off, 3)}"

    holds()


@law(fault="a probability lies outside [0, 1], or the logarithm of one above 0")
def unit_interval(backend: Backend, functions: Any) -> None:
    """Probabilities lie in [0, 1], their logarithms in [-inf, 0]."""

    @examples(backend, cases(backend, masks=True, temperatures=TEMPERATURES))
    def holds(case: Case) -> None:
        usable = case.values > -np.inf
        if not usable.all():
            case = case.but(values=np.where(usable, case.values, 0).astype(case.values.dtype))
        p = case.call(backend, functions, "softmax")
        assert ((p >= 0) & (p <= 1)).all()
        assert (case.call(backend, functions, "log_softmax") <= 0).all()

    holds()


@law(fault="adding one number to all logits changes the result")
def shift_invariance(backend: Backend, functions: Any) -> None:
    """A shift that is exact changes no bit of the results, and moves logsumexp by as much."""
    eighths = st.lists(st.integers(-24, 24), min_size=15, max_size=15)

    @examples(backend, eighths, st.integers(-12, 12), st.sampled_from(backend.dtypes))
    def holds(steps: list[int], shift: int, dtype: str) -> None:
        values = np.asarray(steps, dtype=np.float32).reshape(3, 5) / 8
        case = Case(values, dtype)
        # Within 15 eighths can be added to these without rounding even in bfloat16's 8 bits.
        moved = case.but(values=values + np.float32(shift))
        for function in ("softmax", "log_softmax"):
            before = case.call(backend, functions, function)
            after = moved.call(backend, functions, function)
            assert np.array_equal(before, after), f"{function} of logits shifted by {shift}"
        judge(moved.call(backend, functions, "logsumexp"), moved.expect(backend, "logsumexp"))

    holds()


@law(fault="an element gets the result of another one")
def permutation(backend: Backend, functions: Any) -> None:
    """Permuting the logits permutes the results, up to what the order of summation may do."""
    shuffles = st.permutations(range(5))

    @examples(backend, cases(backend, shapes=[((3, 5), -1)]), shuffles)
    def holds(case: Case, shuffle: list[int]) -> None:
        mixed = case.but(values=case.values[:, shuffle])
        for function in ("softmax", "log_softmax"):
            after = mixed.call(backend, functions, function)
            expected = case.expect(backend, function).reshape(lambda a: a[:, shuffle])
            judge(after, expected, flushes=backend.flushes_subnormals)
        before = case.call(backend, functions, "logsumexp")
        after = mixed.call(backend, functions, "logsumexp")
        twice = Expected(exact(before), case.expect(backend, "logsumexp").allowed, case.format)
        judge(after, twice, times=2)

    holds()


@law(fault="the result of a slice depends on another slice")
def independent_slices(backend: Backend, functions: Any) -> None:
    """Replacing all other slices, by huge logits or infinite ones, changes no bit of a slice."""
    company = st.sampled_from([0.0, 1e4, -1e4, -np.inf, np.inf, np.nan])

    @examples(backend, cases(backend, shapes=[((3, 5), -1)]), company)
    def holds(case: Case, other: float) -> None:
        values = case.values.copy()
        values[1:] = other
        for function in ("softmax", "log_softmax", "logsumexp"):
            before = case.call(backend, functions, function)[0]
            after = case.but(values=values).call(backend, functions, function)[0]
            assert np.array_equal(before, after), f"{function} in the company of {other}"

    holds()


@law(fault="a larger logit gets a smaller probability")
def order(backend: Backend, functions: Any) -> None:
    """Of two logits of a slice the larger never has the smaller result, bounds considered."""

    @examples(backend, cases(backend, shapes=[((3, 5), -1)], temperatures=TEMPERATURES))
    def holds(case: Case) -> None:
        for function in ("softmax", "log_softmax"):
            got = exact(case.call(backend, functions, function))
            allowed = case.expect(backend, function).allowed
            for row in range(3):
                for i, j in np.ndindex(5, 5):
                    if case.values[row, i] > case.values[row, j]:
                        slack = allowed[row, i] + allowed[row, j]
                        assert got[row, i] >= got[row, j] - slack, f"{function}: {i} below {j}"

    holds()


@law(fault="log_softmax is not the logarithm of softmax")
def log_of_softmax(backend: Backend, functions: Any) -> None:
    """Where the logarithm of a probability is well conditioned it is log_softmax's result."""

    @examples(backend, cases(backend, masks=True, temperatures=TEMPERATURES))
    def holds(case: Case) -> None:
        p = exact(case.call(backend, functions, "softmax"))
        y = exact(case.call(backend, functions, "log_softmax"))
        of_p, of_y = case.expect(backend, "softmax"), case.expect(backend, "log_softmax")
        for i in np.ndindex(p.shape):
            if not of_p.values[i] > 2 * case.format.smallest_normal:
                continue  # too small, or NaN
            # log(p) moves by the relative error of p, a little more while that is not small.
            relative = of_p.allowed[i] / of_p.values[i]
            allowed = of_y.allowed[i] + 2 * relative
            off = abs(PRECISE.log(p[i]) - y[i]) if p[i] > 0 else PRECISE.inf
            assert off <= allowed, f"element {i}: log(p) and log_softmax are {float(off)} apart"

    holds()


@law(fault="logsumexp of parts, put together, is not that of the whole")
def homomorphism(backend: Backend, functions: Any) -> None:
    """lse(a and b) = lse([lse(a), lse(b)]): the fold may be split anywhere."""

    @examples(backend, cases(backend, shapes=[((3, 5), -1)]), st.integers(1, 4))
    def holds(case: Case, cut: int) -> None:
        parts = [case.values[:, :cut], case.values[:, cut:]]
        summaries = [case.but(values=v).call(backend, functions, "logsumexp") for v in parts]
        pair = case.but(values=np.stack(summaries, axis=-1))
        again = pair.call(backend, functions, "logsumexp")
        whole = case.expect(backend, "logsumexp")
        # The parts and the pair are rounded once each; no derivative of logsumexp is above 1.
        errors = [case.but(values=v).expect(backend, "logsumexp").allowed for v in parts]
        allowed = np.maximum(*errors) + pair.expect(backend, "logsumexp").allowed
        judge(again, Expected(whole.values, allowed, case.format))

    holds()


def _axes(case: Case) -> tuple[int, ...]:
    ndim = case.values.ndim
    if case.axis is None or ndim == 0:
        return tuple(range(ndim))
    return case.axis if isinstance(case.axis, tuple) else (case.axis % ndim,)
