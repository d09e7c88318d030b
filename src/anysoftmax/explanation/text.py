"""An explanation as text: three steps, one line for each class, bars for the shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from anysoftmax.explanation.contents import STEPS, contents_of
from anysoftmax.explanation.labels import width
from anysoftmax.explanation.numerals import as_share

if TYPE_CHECKING:
    from anysoftmax.explanation.record import Explanation

__all__ = ["as_text"]

BAR_COLUMNS = 40  # a share of 1; with label and number it fits 80 columns
EIGHTHS = " ▏▎▍▌▋▊▉"
PAD = " " * 3


def as_text(explanation: Explanation, *, ascii_only: bool = False) -> str:
    """Return the three steps as lines of text.

    Of more than 20 classes only the 15 largest are listed. With `ascii_only` the bars are drawn
    with ``#``, for a terminal or file that cannot take block characters.
    """
    c = contents_of(explanation)
    *names, total_name = _aligned([*c.labels, "total"])

    lines = [c.title, "", f"1. {STEPS[0]}: {c.given}"]
    logits = _aligned(c.logits, right=True)
    lines += [f"{PAD}{name}  {logit}" for name, logit in zip(names, logits, strict=True)]

    lines += ["", f"2. {STEPS[1]}: {'; '.join([*c.shifting, c.raising])}"]
    shifted = _aligned(c.shifted, right=True)
    *exponentials, total = _aligned([*c.exponentials, c.total], right=True)
    lines += [
        f"{PAD}{name}  exp({z}) = {e}"
        for name, z, e in zip(names, shifted, exponentials, strict=True)
    ]
    among = f"  ({c.summed})" if c.summed else ""
    lines.append(f"{PAD}{total_name}  {' ' * (len(shifted[0]) + 5)} = {total}{among}")

    lines += ["", f"3. {STEPS[2]}: {c.dividing}"]
    shares = _aligned(c.shares, right=True)
    for i, name, share in zip(c.classes, names, shares, strict=True):
        bar = _bar(explanation.shares[i], ascii_only=ascii_only)
        lines.append(f"{PAD}{name}  {share}  {bar}".rstrip())
    if c.others:
        lines.append(f"{PAD}{c.others}: {as_share(c.others_share)}")
    return "\n".join([*lines, "", c.note] if c.note else lines)


def _bar(share: float, *, ascii_only: bool) -> str:
    """Draw a share as a bar, in eighths of a column where the characters allow it."""
    if math.isnan(share):
        return ""
    if ascii_only:
        return "#" * round(share * BAR_COLUMNS)
    whole, eighth = divmod(round(share * BAR_COLUMNS * 8), 8)
    return "█" * whole + EIGHTHS[eighth].strip()


def _aligned(texts: Sequence[str], *, right: bool = False) -> list[str]:
    """Pad texts with spaces to the width of the widest."""
    widest = max(map(width, texts))
    pads = [" " * (widest - width(text)) for text in texts]
    return [p + t if right else t + p for t, p in zip(texts, pads, strict=True)]
