"""Families of logits: those that have broken a softmax somewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from anysoftmax.testing.formats import Format

__all__ = ["FAMILIES", "FINITE", "NORMALISABLE", "SPECIAL", "list_of", "numbers", "rows"]


def numbers(format_: Format, low: float, high: float) -> st.SearchStrategy[float]:
    """Draw numbers of a format between two bounds."""
    low, high = (float(bound) for bound in format_.round(np.asarray([low, high])))
    width = 32 if format_.name == "bfloat16" else format_.carrier.itemsize * 8
    drawn = st.floats(low, high, width=width)  # type: ignore[arg-type]
    if format_.name == "bfloat16":
        return drawn.map(lambda x: float(format_.round(x)))
    return drawn


def _ordinary(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    return list_of(numbers(format_, -10, 10), n)


def _ties(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    return list_of(st.sampled_from([-1.0, 0.0, 2.5]), n)


def _saturated(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    """Let one class win by anything up to the gap at which the others underflow, and beyond."""
    reach = 1.1 * -math.log(2) * (format_.min_exponent - format_.precision)

    def lower(drawn: tuple[float, list[float], int]) -> list[float]:
        winner, gaps, place = drawn
        row = [float(format_.round(winner - gap)) for gap in gaps]
        return [*row[:place], winner, *row[place:]] if n else []

    return st.tuples(
        numbers(format_, -5, 5),
        list_of(numbers(format_, 0, reach), max(n - 1, 0)),
        st.integers(0, max(n - 1, 0)),
    ).map(lower)


def _offset(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    """Put all logits within a few neighbours of one large number."""

    def near(drawn: tuple[float, list[int]]) -> list[float]:
        base, steps = drawn
        return [float(format_.round(base + step * float(format_.ulp(base)))) for step in steps]

    return st.tuples(numbers(format_, -2e4, 2e4), list_of(st.integers(-9, 9), n)).map(near)


def _huge(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    largest = float(format_.largest)
    least = min(1e30, largest / 8)
    sides = [(least, largest), (-largest, -least)]
    return list_of(st.one_of([numbers(format_, *side) for side in sides]), n)


def _tiny(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    bound = 4 * float(format_.smallest_normal)
    return list_of(numbers(format_, -bound, bound), n)


def _minus_infinite(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    """Leave at least one finite logit."""
    row = list_of(st.one_of(numbers(format_, -10, 10), st.just(-math.inf)), n)
    return row.map(lambda xs: [0.5, *xs[1:]] if xs and max(xs) == -math.inf else xs)


def _plus_infinite(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    others = st.sampled_from([0.0, 1.5, -math.inf, math.inf])
    return list_of(others, n).map(lambda xs: [*xs[:-1], math.inf] if xs else xs)


def _not_a_number(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    others = st.sampled_from([0.0, 1.5, -math.inf, math.inf, math.nan])
    return list_of(others, n).map(lambda xs: [math.nan, *xs[1:]] if xs else xs)


def _all_minus_infinite(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    return st.just([-math.inf] * n)


def list_of(elements: st.SearchStrategy[Any], n: int) -> st.SearchStrategy[list[Any]]:
    """Draw a list of `n` elements."""
    return st.lists(elements, min_size=n, max_size=n)


FAMILIES: dict[str, Callable[[int, Format], st.SearchStrategy[list[float]]]] = {
    "ordinary": _ordinary,
    "ties": _ties,
    "saturated": _saturated,
    "offset": _offset,
    "huge": _huge,
    "tiny": _tiny,
    "minus infinite": _minus_infinite,
    "plus infinite": _plus_infinite,
    "NaN": _not_a_number,
    "all minus infinite": _all_minus_infinite,
}
SPECIAL = ("plus infinite", "NaN", "all minus infinite")
FINITE = tuple(family for family in FAMILIES if family not in {*SPECIAL, "minus infinite"})
NORMALISABLE = (*FINITE, "minus infinite")


def rows(n: int, format_: Format, families: Sequence[str]) -> st.SearchStrategy[list[float]]:
    """Draw one slice of `n` logits of one of the families."""
    return st.one_of([FAMILIES[family](n, format_) for family in families])
