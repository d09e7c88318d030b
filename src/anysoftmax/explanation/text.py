"""An explanation as text: three steps, one line for each class, bars for the shares."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anysoftmax.explanation.record import Explanation

__all__ = ["as_text"]

MOST_ROWS = 20  # more classes than this would scroll the steps out of sight
ROWS_OF_MANY = 15
LONGEST_LABEL = 32  # columns
BAR_COLUMNS = 40  # a share of 1; with label and number it fits 80 columns
EIGHTHS = " ▏▎▍▌▋▊▉"


def as_text(explanation: Explanation, *, ascii_only: bool = False) -> str:
    """Return the three steps as lines of text.

    Of more than 20 classes only the 15 largest are listed. With `ascii_only` the bars are drawn
    with ``#``, for a terminal or file that cannot take block characters.
    """
    count = len(explanation.logits)
    rows = _rows_to_show(explanation.logits)
    names = _aligned([_printable(explanation.labels[i]) for i in rows] + ["total"])
    pad, total_name = " " * 3, names.pop()
    *logits, peak = _decimals([explanation.logits[i] for i in rows] + [_peak(explanation.logits)])
    listed = "" if len(rows) == count else f" (the {len(rows)} largest of {count})"
    temperature = explanation.temperature

    lines = [
        f"Softmax of {_scores(count)} in three steps, temperature {_decimal(temperature)}",
        "",
        f"1. Logits: the scores as they come{listed}",
    ]
    lines += [f"{pad}{name}  {logit}" for name, logit in zip(names, logits, strict=True)]

    divide = "" if temperature == 1 else f"; divide by the temperature, {_decimal(temperature)}"
    lines += ["", f"2. Exponentials: subtract the largest logit, {peak.strip()}{divide}; take exp"]
    shifted = _decimals([explanation.shifted[i] for i in rows])
    *exponentials, total = _aligned(
        [_share(explanation.exponentials[i]) for i in rows] + [_share(explanation.total)],
        right=True,
    )
    lines += [
        f"{pad}{name}  exp({z}) = {e}"
        for name, z, e in zip(names, shifted, exponentials, strict=True)
    ]
    among = "" if len(rows) == count else f"  (all {count})"
    lines.append(f"{pad}{total_name}  {' ' * (len(shifted[0]) + 5)} = {total}{among}")

    lines += ["", f"3. Shares: divide by the total, {total.strip()}"]
    shares = _aligned([_share(explanation.shares[i]) for i in rows], right=True)
    for i, name, share in zip(rows, names, shares, strict=True):
        bar = _bar(explanation.shares[i], ascii_only=ascii_only)
        lines.append(f"{pad}{name}  {share}  {bar}".rstrip())
    if len(rows) < count:
        shown = set(rows)
        others = math.fsum(p for i, p in enumerate(explanation.shares) if i not in shown)
        lines.append(f"{pad}the other {count - len(rows)} together: {_share(others)}")

    note = _note(explanation)
    return "\n".join([*lines, "", note] if note else lines)


def _rows_to_show(logits: Sequence[float]) -> list[int]:
    """Choose every class, in order, or the largest of very many, largest (and NaN) first."""
    if len(logits) <= MOST_ROWS:
        return list(range(len(logits)))
    order = sorted(range(len(logits)), key=lambda i: (not math.isnan(logits[i]), -logits[i]))
    return order[:ROWS_OF_MANY]


def _scores(count: int) -> str:
    return "1 score" if count == 1 else f"{count} scores"


def _peak(logits: Sequence[float]) -> float:
    return math.nan if any(math.isnan(x) for x in logits) else max(logits)


def _note(explanation: Explanation) -> str:
    """Say why shares are unknown, or what a limit means, where a reader would wonder."""
    logits = explanation.logits
    if any(math.isnan(x) for x in logits):
        return "A score is NaN (not a number), so no share is known."
    if logits.count(math.inf) > 1:
        return "Several scores are infinite: how they share is undefined."
    if max(logits) == -math.inf:
        return "Every score is -inf: there is nothing to share."
    if explanation.temperature == 0:
        return "Temperature 0 is the limit in which the largest score takes all."
    if explanation.temperature == math.inf:
        return "Temperature inf is the limit in which all finite scores share alike."
    return ""


def _decimal(value: float) -> str:
    """Write a number short: 3.2, -1.9, 1e+30, inf."""
    return f"{value:.6g}"


def _decimals(values: Sequence[float]) -> list[str]:
    """Write a column of numbers with the point below the point."""
    plain = [v for v in values if _is_plain(v)]
    places = max((len(_decimal(v).partition(".")[2]) for v in plain), default=0)
    places = min(places, 4)
    return _aligned(
        [f"{v:.{places}f}" if _is_plain(v) else _decimal(v) for v in values], right=True
    )


def _is_plain(value: float) -> bool:
    """Tell whether a number is readable without an exponent."""
    return value == 0 or 1e-4 <= abs(value) < 1e6


def _share(value: float) -> str:
    """Write an exponential or a share with three places, a very small one with an exponent."""
    if value == 0:
        return "0"
    return f"{value:.1e}" if value < 0.0005 else f"{value:.3f}"


def _bar(share: float, *, ascii_only: bool) -> str:
    """Draw a share as a bar, in eighths of a column where the characters allow it."""
    if math.isnan(share):
        return ""
    if ascii_only:
        return "#" * round(share * BAR_COLUMNS)
    whole, eighth = divmod(round(share * BAR_COLUMNS * 8), 8)
    return "█" * whole + EIGHTHS[eighth].strip()


def _printable(label: str) -> str:
    """Make a label fit one line: control characters escaped, a very long one cut."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in label)
    if _width(text) <= LONGEST_LABEL:
        return text
    while _width(text) > LONGEST_LABEL - 3:
        text = text[:-1]
    return text + "..."


def _aligned(texts: Sequence[str], *, right: bool = False) -> list[str]:
    """Pad texts with spaces to the width of the widest."""
    widest = max(_width(text) for text in texts)
    pads = [" " * (widest - _width(text)) for text in texts]
    return [p + t if right else t + p for t, p in zip(texts, pads, strict=True)]


def _width(text: str) -> int:
    """Count the columns of a terminal: wide characters take two, combining marks none."""
    return sum(
        0
        if unicodedata.category(c) in {"Mn", "Me", "Cf"}
        else 1 + (unicodedata.east_asian_width(c) in {"W", "F"})
        for c in text
    )
