"""The fitted temperature told in many digits, as plainly as possible.

With logits x of a row and its label t, the derivative of the negative log-likelihood by 1 / T is
the mean of x under softmax(x / T), minus x_t. It grows with 1 / T: one optimum at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anysoftmax.testing.oracle import exact

MP = exact.PRECISE
NumpyArray = np.ndarray[Any, Any]
Row = tuple[list[Any], int, Any]


def rows_with_a_say(logits: NumpyArray, labels: Sequence[int], weights: Any = None) -> list[Row]:
    """Return the logits that take part, the place of the label among them and the weight.

    Rows that weigh nothing, or whose label takes no part, are left out; -inf takes no part.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    rows = []
    for row, label, weight in zip(np.asarray(logits), labels, weights, strict=True):
        if weight > 0 and row[label] > -np.inf:
            taking_part = [MP.mpf(float(x)) for x in row if x > -np.inf]
            place = int(np.count_nonzero(row[:label] > -np.inf))
            rows.append((taking_part, place, MP.mpf(float(weight))))
    return rows


def slope(rows: list[Row], temperature: Any) -> Any:
    """Return the derivative of the weighted sum of the losses by 1 / T."""
    total = MP.mpf(0)
    for x, label, weight in rows:
        e = [MP.exp((v - max(x)) / temperature) for v in x]
        mean = MP.fsum(v * w for v, w in zip(x, e, strict=True)) / MP.fsum(e)
        total += weight * (mean - x[label])
    return total


def status(rows: list[Row]) -> str:
    """Return what a fit should find."""
    if sum(w * (sum(x) / len(x) - x[label]) for x, label, w in rows) >= 0:
        return "uninformative"
    if all(x[label] == max(x) for x, label, _ in rows):
        return "separable"
    return "converged"


def known_to(rows: list[Row], temperature: float, epsilon: float) -> float:
    """Return how well float arithmetic can know the optimum, relative to it.

    The slope is a difference of two sums; rounding each of them moves the point where they are
    equal by their size over the second derivative.
    """
    size, curvature = MP.mpf(0), MP.mpf(0)
    for x, label, weight in rows:
        e = [MP.exp((v - max(x)) / temperature) for v in x]
        shares = [w / MP.fsum(e) for w in e]
        below = [v - max(x) for v in x]
        mean = MP.fsum(v * p for v, p in zip(below, shares, strict=True))
        square = MP.fsum(v * v * p for v, p in zip(below, shares, strict=True))
        size += weight * (-mean - below[label])
        curvature += weight * (square - mean * mean) / temperature
    return epsilon * float(size / curvature)


def assert_optimal(temperature: float, tolerance: float, rows: list[Row]) -> None:
    """Fail unless the one optimum lies so near to the temperature, relative to it."""
    t = MP.mpf(float(temperature))
    below, above = (slope(rows, t * (1 + sign * MP.mpf(tolerance))) for sign in (-1, 1))
    assert below > 0, f"the optimum is below {temperature} by more than {tolerance} of it"
    assert above < 0, f"the optimum is above {temperature} by more than {tolerance} of it"
