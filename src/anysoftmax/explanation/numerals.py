"""Numbers as every form of an explanation prints them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["as_decimal", "as_decimals", "as_share"]

MOST_PLACES = 4


def as_decimal(value: float) -> str:
    """Write a number short: 3.2, -1.9, 1e+30, inf."""
    return f"{value + 0.0:.6g}"  # a zero has no sign


def as_decimals(values: Sequence[float]) -> list[str]:
    """Write a column of numbers with as many places each, so that point stands below point."""
    plain = [v for v in values if _is_plain(v)]
    places = max((len(as_decimal(v).partition(".")[2]) for v in plain), default=0)
    places = min(places, MOST_PLACES)
    return [f"{v + 0.0:.{places}f}" if _is_plain(v) else as_decimal(v) for v in values]


def as_share(value: float) -> str:
    """Write an exponential or a share with three places, a very small one with an exponent."""
    if value == 0:
        return "0"
    return f"{value:.1e}" if value < 0.0005 else f"{value:.3f}"


def _is_plain(value: float) -> bool:
    """Tell whether a number is readable without an exponent."""
    return value == 0 or 1e-4 <= abs(value) < 1e6
