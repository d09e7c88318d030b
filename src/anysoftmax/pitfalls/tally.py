"""How many slices show what, and which is the first."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping

import numpy as np

from anysoftmax.arrays import Array, array_namespace
from anysoftmax.pitfalls.evidence import Evidence

__all__ = ["Sign", "Tally"]

# Tells which slices show something, by their evidence, their length and how coarse numbers are.
Sign = Callable[[Evidence, int, float], Array]


class Tally:
    """Counts of slices, all of the same length.

    Attributes
    ----------
    slices, length : int
        How many there are, and of how many elements.
    counts : dict of int
        How many show each sign.
    firsts : dict of tuple of int
        Where the first that shows a sign is, without its class axes.
    least, greatest, zeros : float
        The range of all elements, and how many are 0; if all lie from 0 to 1.
    rounding : float
        How coarse the numbers are.
    """

    def __init__(self, signs: Mapping[str, Sign]) -> None:
        self.slices = self.length = 0
        self.counts = dict.fromkeys(signs, 0)
        self.firsts: dict[str, tuple[int, ...]] = {}
        self.least, self.greatest, self.zeros = math.inf, -math.inf, 0.0
        self.rounding = 0.0
        self._signs = signs

    def copy(self) -> Tally:
        """Return the same counts, to be added to by themselves."""
        new = copy.copy(self)
        new.counts, new.firsts = dict(self.counts), dict(self.firsts)
        return new

    def add(
        self,
        known: Evidence,
        axes: tuple[int, ...],
        start: tuple[int, ...],
        length: int,
        rounding: float,
    ) -> None:
        """Count slices of which everything is known; `start` is where their array begins."""
        xp = array_namespace(known.least)
        shape = tuple(known.least.shape)
        self.slices += math.prod(shape)
        self.length, self.rounding = length, rounding
        self.least = min(self.least, float(xp.min(known.least)))
        self.greatest = max(self.greatest, float(xp.max(known.greatest)))
        self.zeros += float(xp.sum(known.zeros))
        for name, sign in self._signs.items():
            shown = xp.astype(xp.reshape(sign(known, length, rounding), (-1,)), xp.int64)
            count = int(xp.sum(shown))
            if not count:
                continue
            self.counts[name] += count
            place = np.unravel_index(int(xp.argmax(shown)), shape)
            index = tuple(
                int(i) + s
                for axis, (i, s) in enumerate(zip(place, start, strict=True))
                if axis not in axes
            )
            self.firsts[name] = min(index, self.firsts.get(name, index))
