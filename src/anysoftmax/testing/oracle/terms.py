"""Sums that remember how well they can be known.

A sum can be known no better than its terms, and a term that is made of exponentials no better than
these, whose relative error grows with the distance of the logit from the winner. The contract
allows a sum an error of (16 + distance) u times the magnitude of each of its terms, u being the
unit roundoff. That is its `Scaled.scale`. Besides, each term may lose what is too small for the
dtype: `Scaled.floor` counts how many smallest numbers that may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anysoftmax.testing.oracle.exact import PRECISE, ZERO, Exact, ExactArray

__all__ = ["CONSTANT", "Scaled", "Terms", "nothing", "stacked"]

CONSTANT = 16  # of the contract: (16 + distance) u times the sum of the absolute terms


@dataclass(frozen=True)
class Scaled:
    """Exact numbers that a result may differ from by `scale` units of roundoff.

    Attributes
    ----------
    value : array of exact numbers
        What is right.
    scale : array of exact numbers
        The allowed error, in units of the roundoff of the dtype.
    floor : array of exact numbers
        What underflow may take besides, in units of the smallest number that the library keeps.
    """

    value: ExactArray
    scale: ExactArray
    floor: ExactArray

    def __add__(self, other: Scaled) -> Scaled:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        # The sum of two 0-d arrays of objects is no array.
        return Scaled(*(np.asarray(a + b, dtype=object) for a, b in pairs))

    def reshape(self, shape: tuple[int, ...]) -> Scaled:
        """Return the same numbers in another shape."""
        return Scaled(*(array.reshape(shape) for array in vars(self).values()))

    def put(self, place: Any, terms: Terms) -> None:
        """Set one element to a sum of terms."""
        self.value[place], self.scale[place], self.floor[place] = terms.total()


class Terms:
    """A sum of terms, each known relative to its own magnitude.

    Examples
    --------
    >>> terms = Terms()
    >>> terms.add(2, distance=1)
    >>> terms.add(-2, distance=0)
    >>> terms.lose(3)
    >>> [float(number) for number in terms.total()]  # value, scale and floor
    [0.0, 66.0, 3.0]
    """

    def __init__(self) -> None:
        self._terms: list[Exact] = []
        self._scales: list[Exact] = []
        self._floors: list[Exact] = []

    def add(self, term: Exact, distance: Exact) -> None:
        """Add a term that is known to (16 + distance) u."""
        self._terms.append(term)
        self.blur(term, distance)

    def blur(self, magnitude: Exact, distance: Exact) -> None:
        """Count the error of a term that is no part of the value: it stands there and cancels."""
        self._scales.append((CONSTANT + distance) * abs(magnitude) if magnitude else ZERO)

    def lose(self, floor: Exact) -> None:
        """Count what is too small for the dtype, in units of the smallest number."""
        self._floors.append(floor)

    def join(self, other: Terms, factor: Exact) -> None:
        """Add another sum, all of it multiplied by one number."""
        if factor:
            value, scale, floor = other.total()
            self._terms.append(factor * value)
            self._scales.append(abs(factor) * scale)
            self._floors.append(abs(factor) * floor)

    def total(self) -> tuple[Exact, Exact, Exact]:
        """Return the sum, its scale and its floor."""
        return (
            PRECISE.fsum(self._terms),
            PRECISE.fsum(self._scales),
            PRECISE.fsum(self._floors),
        )


def nothing(shape: tuple[int, ...]) -> Scaled:
    """Return zeros that are known exactly.

    Examples
    --------
    >>> nothing((2,)).value
    array([mpf('0.0'), mpf('0.0')], dtype=object)
    """
    return Scaled(*(np.full(shape, ZERO, dtype=object) for _ in range(3)))


def stacked(sums: Sequence[Terms]) -> Scaled:
    """Return several sums as one array.

    Examples
    --------
    >>> stacked([Terms(), Terms()]).value.shape
    (2,)
    """
    column = nothing((len(sums),))
    for i, terms in enumerate(sums):
        column.put(i, terms)
    return column
