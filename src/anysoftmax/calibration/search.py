"""The temperature at which a slope is zero: Newton's method, kept in a bracket.

The slope is that of a convex function of the inverse temperature: negative above the one
temperature that is sought, positive below. Newton's steps are taken while they stay between a
temperature known to be too low and one known to be too high, and shrink; else the bracket is cut in
half, on the logarithmic scale. So there is nothing to tune, and nothing to diverge.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from anysoftmax.arrays import Array, Namespace
from anysoftmax.differentiation import repeat

LIMIT = 100  # steps; halving the widest bracket of float64 takes fewer
FASTER = 8.0  # each step beyond the bracket may go so many times as far as the one before


class Search(NamedTuple):
    """Where to look next, between a temperature that is too low and one that is too high."""

    temperature: Array
    low: Array
    high: Array
    change: Array  # that the last step made, relative to the temperature
    steps: Array


def begin(xp: Namespace, temperature: Array) -> Search:
    """Return the search at a temperature of which nothing is known."""
    bound = 0.0 * temperature
    steps = xp.asarray(0.0 * temperature, dtype=xp.int32)
    return Search(temperature, bound, bound + math.inf, bound + math.inf, steps)


def go_on(
    xp: Namespace,
    search: Search,
    derivatives: Callable[[Array], tuple[Array, Array]],
    *,
    ceiling: Array,
    tolerance: float,
) -> Search:
    """Search until a step changes the temperature by no more than the tolerance.

    `derivatives` gives the first and the second by the logarithm of the inverse temperature, the
    second without the first's part: Newton's step divides the one by the other. A zero above
    the ceiling is not looked for.
    """
    least = float(xp.finfo(search.temperature.dtype).smallest_normal)

    def advance(s: Search) -> Search:
        t = s.temperature
        slope, curvature = derivatives(t)
        low = xp.where(slope > 0, t, s.low)
        high = xp.where(slope < 0, t, s.high)
        bracketed = (low > 0) & (high < math.inf)
        far = FASTER ** (1.0 + xp.astype(s.steps, t.dtype))
        lowest = xp.where(low > 0, low, xp.maximum(t / far, least))
        highest = xp.where(high < math.inf, high, xp.minimum(t * far, ceiling))
        newton = t / (1.0 - slope / curvature)
        shrinks = xp.abs(newton / t - 1.0) <= s.change / 2
        good = (newton > lowest) & (newton < highest) & (shrinks | ~bracketed)
        between = xp.sqrt(lowest) * xp.sqrt(highest)
        other = xp.where(bracketed, between, xp.where(slope > 0, highest, lowest))
        following = xp.where(good, newton, other)
        following = xp.where(slope == 0, t, following)
        return Search(following, low, high, xp.abs(following / t - 1.0), s.steps + 1)

    def unfinished(s: Search) -> Array:
        return (s.change > tolerance) & (s.steps < LIMIT)

    found: Search = repeat(unfinished, advance, search)
    return found
