"""Reliability counted sample by sample, in fractions: what the library must come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

NumpyArray = np.ndarray[Any, Any]


class Bin(NamedTuple):
    """What is in one bin."""

    count: int
    weight: Fraction
    confidence: Fraction  # the sum of the weighted confidences
    hits: Fraction  # the weight of what is right


class Statement(NamedTuple):
    """How sure somebody was, whether they were right, and what that weighs."""

    confidence: Fraction
    right: bool
    weight: Fraction


def winners(
    probs: NumpyArray, labels: Sequence[int], weights: Sequence[float] | None = None
) -> list[Statement]:
    """Return what each row's winner states; rows of weight 0 are left out."""
    statements = []
    for i, label in enumerate(labels):
        weight = Fraction(1 if weights is None else float(weights[i]))
        if weight:
            row = [Fraction(float(p)) for p in probs[i]]
            statements.append(Statement(max(row), row.index(max(row)) == label, weight))
    return statements


def of_class(
    k: int, probs: NumpyArray, labels: Sequence[int], weights: Sequence[float] | None = None
) -> list[Statement]:
    """Return what is stated about one class."""
    statements = []
    for i, label in enumerate(labels):
        weight = Fraction(1 if weights is None else float(weights[i]))
        if weight:
            statements.append(Statement(Fraction(float(probs[i][k])), label == k, weight))
    return statements


def uniform(n_bins: int, dtype: Any) -> list[Fraction]:
    """Return the edges as the dtype rounds them."""
    return [Fraction(float(np.asarray(b / n_bins).astype(dtype))) for b in range(n_bins + 1)]


def quantiles(statements: list[Statement], n_bins: int) -> list[Fraction]:
    """Return the smallest confidences up to which there is so much of the weight."""
    ordered = sorted(statements)
    whole = sum(s.weight for s in ordered)
    edges = [Fraction(0)]
    for b in range(1, n_bins):
        reached = Fraction(0)
        for s in ordered:
            reached += s.weight
            if reached >= whole * b / n_bins:
                edges.append(s.confidence)
                break
    return [*edges, Fraction(1)]


def bins(statements: list[Statement], edges: Sequence[Fraction]) -> list[Bin]:
    """Put each statement into the bin (lo, hi] that it belongs to; the first one holds 0."""
    found = []
    for b, (low, high) in enumerate(pairwise(edges)):
        inside = [
            s
            for s in statements
            if (low < s.confidence or (b == 0 and s.confidence == 0)) and s.confidence <= high
        ]
        found.append(
            Bin(
                len(inside),
                sum((s.weight for s in inside), Fraction(0)),
                sum((s.weight * s.confidence for s in inside), Fraction(0)),
                sum((s.weight for s in inside if s.right), Fraction(0)),
            )
        )
    return found


def error(bins: list[Bin], norm: str) -> float:
    """Return the calibration error."""
    filled = [(b.weight, abs(b.hits / b.weight - b.confidence / b.weight)) for b in bins if b.count]
    whole = sum(w for w, _ in filled)
    if norm == "l1":
        return float(sum(w * gap for w, gap in filled) / whole)
    if norm == "l2":
        return math.sqrt(sum(w * gap**2 for w, gap in filled) / whole)
    return float(max(gap for _, gap in filled))


def brier(
    probs: NumpyArray, labels: Sequence[int], weights: Sequence[float] | None = None
) -> float:
    """Return the mean squared distance."""
    total = whole = Fraction(0)
    for i, label in enumerate(labels):
        weight = Fraction(1 if weights is None else float(weights[i]))
        if weight:
            whole += weight
            for k, p in enumerate(probs[i]):
                total += weight * (Fraction(float(p)) - (k == label)) ** 2
    return float(total / whole)


def agree(
    got: Any, bins: list[Bin], tolerance: float, numbers: Callable[[Any], NumpyArray]
) -> None:
    """Fail unless a Reliability holds these bins: counts exactly, means within a tolerance."""
    assert numbers(got.counts).tolist() == [b.count for b in bins]
    for name, expected in (
        ("weights", [b.weight for b in bins]),
        ("confidence", [b.confidence / b.weight if b.weight else 0 for b in bins]),
        ("accuracy", [b.hits / b.weight if b.weight else 0 for b in bins]),
    ):
        np.testing.assert_allclose(
            numbers(getattr(got, name)).astype(float),
            [float(x) for x in expected],
            rtol=tolerance,
            atol=0,
            err_msg=name,
        )
