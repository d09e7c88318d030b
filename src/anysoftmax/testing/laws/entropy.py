"""Entropy and divergence: accurate, never negative, and 0 where two distributions are one."""

from __future__ import annotations

from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import judge
from anysoftmax.testing.formats import FORMATS
from anysoftmax.testing.laws.law import law
from anysoftmax.testing.strategies import (
    NORMALISABLE,
    Case,
    cases,
    examples,
    with_second_logits,
)

__all__ = ["divergence_accuracy", "divergence_sign", "entropy_accuracy", "entropy_range"]

TEMPERATURES = (1.0, 0.5, 0.7, 3.0, 0.01, 40.0)


@law(fault="an entropy is less accurate than the contract says")
def entropy_accuracy(backend: Backend, functions: Any) -> None:
    """Judge entropies of all families, those of all but certain slices among them."""

    @examples(backend, cases(backend, masks=True, temperatures=TEMPERATURES))
    def holds(case: Case) -> None:
        got = case.call(backend, functions, "entropy")
        judge(got, case.expect(backend, "entropy"), flushes=backend.flushes_subnormals)

    holds()


@law(fault="an entropy is negative, or larger than that of equal shares")
def entropy_range(backend: Backend, functions: Any) -> None:
    """An entropy lies between 0 and the logarithm of the number of classes that take part."""

    @examples(backend, cases(backend, masks=True, temperatures=(1.0, 0.7, 0.0, np.inf)))
    def holds(case: Case) -> None:
        got = case.call(backend, functions, "entropy")
        number = _participants(case)
        got, most = got[number > 0].astype(np.float64), np.log(number[number > 0])
        assert (got >= 0).all(), f"entropy {got}"
        u = float(case.format.unit_roundoff)
        assert (got <= most * (1 + 16 * u)).all(), f"entropy {got} above {most}"

    holds()


@law(fault="a divergence is less accurate than the contract says, between neighbours above all")
def divergence_accuracy(backend: Backend, functions: Any) -> None:
    """Judge divergences of close and of distant distributions."""
    drawn = cases(backend, masks=True, temperatures=TEMPERATURES)

    @examples(backend, with_second_logits(drawn))
    def holds(case: Case) -> None:
        got = case.call(backend, functions, "kl_divergence")
        judge(got, case.expect(backend, "kl_divergence"), flushes=backend.flushes_subnormals)

    holds()
    # Each broadcasts against the other.
    row = np.asarray([[0.5, 2.0, -1.0]], dtype=np.float32)
    column = np.asarray([[1.0], [-2.0]], dtype=np.float32)
    case = Case(row, "float32", second=row * column)
    for pair in (case, case.but(values=row * column, second=row)):
        got = pair.call(backend, functions, "kl_divergence")
        judge(got, pair.expect(backend, "kl_divergence"), flushes=backend.flushes_subnormals)


@law(fault="a divergence is negative, or not 0 where the distributions are the same")
def divergence_sign(backend: Backend, functions: Any) -> None:
    """A divergence is never below 0; that of a distribution from itself is 0, shifted or not."""
    drawn = cases(backend, masks=True, families=NORMALISABLE, temperatures=(1.0, 0.7, 0.0))

    @examples(backend, with_second_logits(drawn))
    def holds(case: Case) -> None:
        got = case.call(backend, functions, "kl_divergence")
        defined = _participants(case) > 0
        assert (got[defined] >= 0).all(), f"divergence {got}"
        itself = case.but(second=case.values).call(backend, functions, "kl_divergence")
        assert (itself[defined] == 0).all(), f"divergence from itself {itself}"

    holds()
    values = np.asarray([[0.5, 2.0, -1.0, -np.inf]], dtype=np.float32)
    shifted = Case(values, "float32", second=values + 4)
    assert (shifted.call(backend, functions, "kl_divergence") == 0).all(), "shifted"
    # Of neighbours a sum of terms of both signs is below 0 as often as not.
    rng = np.random.default_rng(14)
    for dtype in backend.some(name for name in backend.dtypes if not FORMATS[name].is_16_bit):
        rows = rng.normal(size=(64, 5)).astype(dtype)
        beside = Case(rows, dtype, second=rows + rng.integers(-2, 3, rows.shape) * np.spacing(rows))
        got = beside.call(backend, functions, "kl_divergence")
        judge(got, beside.expect(backend, "kl_divergence"), flushes=backend.flushes_subnormals)
        assert (got >= 0).all(), f"divergence {got}"


def _participants(case: Case) -> Any:
    """Count the classes of each slice that take part, in the second logits too."""
    inside = case.taking_part & (case.values != -np.inf)
    if case.second is not None:
        inside = inside & (case.second != -np.inf)
    return case.by_slice(inside).sum(axis=1).reshape(case.slices)
