"""Names of classes as every form of an explanation prints them."""

from __future__ import annotations

import unicodedata
from itertools import accumulate

__all__ = ["printable", "width"]

LONGEST = 32  # columns


def printable(label: str) -> str:
    """Make a label fit one line: control characters escaped, a very long one cut."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in label)
    if width(text) <= LONGEST:
        return text
    widths = accumulate(map(_columns, text))
    return "".join(c for c, w in zip(text, widths, strict=True) if w <= LONGEST - 3) + "..."


def width(text: str) -> int:
    """Count the columns of a terminal that a text takes."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    """Tell how many columns a character takes: wide ones two, combining marks none."""
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 1 + (unicodedata.east_asian_width(character) in {"W", "F"})
