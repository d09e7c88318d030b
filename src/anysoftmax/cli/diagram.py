"""A reliability diagram for a terminal: a line for each bin of confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from anysoftmax.calibration import Reliability

__all__ = ["diagram", "legend"]

COLUMNS = 40  # an accuracy of 1; with the numbers before it a line fits 80 columns
BLOCKS, ASCII = ("█", "│"), ("#", "|")  # of the bar, and the mark of the confidence
BAR_STYLE, MARK_STYLE = "blue", "bold red"  # where the terminal has colours


def diagram(bins: Reliability, *, ascii_only: bool) -> Table:
    """Return a table with a line for each bin; a bin without samples has no bar."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    table.add_column("confidence")
    table.add_column("samples", justify="right")
    table.add_column("accuracy", justify="right")
    table.add_column("", no_wrap=True)
    edges = [f"{float(edge):.3f}" for edge in bins.edges]
    for b, count in enumerate(bins.counts):
        line = [f"{edges[b]} to {edges[b + 1]}", str(int(count))]
        if count:
            accuracy, confidence = float(bins.accuracy[b]), float(bins.confidence[b])
            bar = _bar(accuracy, confidence, ascii_only=ascii_only)
            table.add_row(*line, f"{accuracy:.3f}", bar)
        else:
            table.add_row(*line)
    return table


def legend(*, ascii_only: bool) -> Text:
    """Tell what the characters of a bar mean."""
    full, mark = ASCII if ascii_only else BLOCKS
    return Text.assemble(
        (full, BAR_STYLE),
        " accuracy   ",
        (mark, MARK_STYLE),
        " mean confidence: where the bar of a calibrated one ends",
    )


def _bar(accuracy: float, confidence: float, *, ascii_only: bool) -> Text:
    """Draw the accuracy as a bar, and the confidence as a mark in it or behind it."""
    full, mark = ASCII if ascii_only else BLOCKS
    length = round(accuracy * COLUMNS)
    place = min(COLUMNS, max(1, round(confidence * COLUMNS))) - 1
    bar = Text((full * length).ljust(place + 1), style=BAR_STYLE)
    return Text.assemble(bar[:place], (mark, MARK_STYLE), bar[place + 1 :])
