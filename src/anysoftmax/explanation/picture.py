"""An explanation as a picture: three panels of bars, one for each step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from anysoftmax.arrays import describe
from anysoftmax.explanation.contents import STEPS, Contents, contents_of
from anysoftmax.explanation.labels import width
from anysoftmax.explanation.numerals import as_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from anysoftmax.explanation.record import Explanation

__all__ = ["as_picture"]

# Told apart by all eyes (P. Tol's bright scheme). Where there are more classes, all are blue.
COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"]
THICKNESS = 0.7  # of a bar, where the next begins at 1
TITLE, HEADING, NAMES, WORDS = 13, 11, 10, 9  # points, the sizes of letters
LINE = 13  # points from one line of words to the next
GAP = 4  # points from a bar to its number
PANELS_WIDTH, COLUMN_WIDTH = 9.3, 0.08  # inches, as all that follow; a name takes columns
CLASS_HEIGHT = 0.32
OTHER_HEIGHT = 1.15  # of the title, the headings, and what is below the panels
LARGE = 1e100  # larger logits are drawn relative to the largest: their differences may overflow


class _Panel(NamedTuple):
    """One step: a value for each class, as a number and in words, and what is said about them."""

    values: list[float]
    texts: list[str]
    words: list[str]
    below: str
    limits: tuple[float, float] | None


def as_picture(
    explanation: Explanation, figure: Figure | SubFigure | None = None
) -> Figure | SubFigure:
    """Draw the three steps side by side in a figure, a new one by default, and return it."""
    _refuse_others(figure)
    contents = contents_of(explanation)
    panels = _panels(explanation, contents)
    count, lines = len(contents.classes), max(len(panel.words) for panel in panels)
    if figure is None:
        figure = _new_figure(contents.labels, lines + bool(contents.note))
    whole = figure.figure  # that a part belongs to
    if not whole.axes and whole.get_layout_engine() is None:
        whole.set_layout_engine("constrained")  # there is nothing else that it could move
    colours = COLOURS[:count] if count <= len(COLOURS) else COLOURS[:1] * count
    axes = figure.subplots(1, len(STEPS), sharey=True)
    for number, (ax, step, panel) in enumerate(zip(axes, STEPS, panels, strict=True), 1):
        _draw_bars(ax, panel, colours)
        _write(ax, f"{number}. {step}", panel, lines)
        ax.spines[:].set_visible(False)
        ax.grid(visible=False)
        ax.set_xticks([])
        ax.tick_params(left=False, right=False, labelsize=NAMES)
    # Behind each share, the whole that it is part of.
    whole_bar = {"color": "0.5", "alpha": 0.15, "linewidth": 0, "zorder": 0}
    axes[-1].barh(range(count), [1.0] * count, THICKNESS, **whole_bar)
    axes[0].set_yticks(range(count), contents.labels, parse_math=False)
    axes[0].set_ylim(count - 0.4, -0.6)  # the first class on top
    figure.suptitle(contents.title, fontsize=TITLE, x=0.01, ha="left")
    if contents.note:
        figure.supxlabel(contents.note, fontsize=WORDS, x=0.01, ha="left")
    return figure


def _refuse_others(figure: object) -> None:
    """Raise if matplotlib is not there, or what is given is no figure of it."""
    try:
        from matplotlib.figure import FigureBase
    except ImportError as missing:
        raise ImportError("plot needs matplotlib: pip install 'anysoftmax[plot]'") from missing
    if figure is not None and not isinstance(figure, FigureBase):
        raise TypeError(
            f"figure must be matplotlib's Figure or SubFigure: got {describe(figure)}; leave it"
            " away for a new one"
        )


def _new_figure(labels: Sequence[str], lines: int) -> Figure:
    """Return a figure with room for the classes of these names and for lines of words."""
    from anysoftmax.explanation.shown_figure import ShownFigure

    size = (
        PANELS_WIDTH + COLUMN_WIDTH * max(map(width, labels)),
        OTHER_HEIGHT + CLASS_HEIGHT * len(labels) + LINE / 72 * lines,
    )
    figure = ShownFigure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
    return figure


def _panels(explanation: Explanation, contents: Contents) -> list[_Panel]:
    def shown(values: Sequence[float]) -> list[float]:
        return [values[i] for i in contents.classes]

    total = f"total: {contents.total}"
    return [
        _Panel(shown(explanation.logits), contents.logits, [contents.given], "", None),
        _Panel(
            shown(explanation.exponentials),
            contents.exponentials,
            [*contents.shifting, contents.raising],
            f"{total} ({contents.summed})" if contents.summed else total,
            (0.0, 1.0),
        ),
        _Panel(
            shown(explanation.shares),
            contents.shares,
            [contents.dividing],
            f"{contents.others}: {as_share(contents.others_share)}" if contents.others else "",
            (0.0, 1.0),
        ),
    ]


def _draw_bars(ax: Axes, panel: _Panel, colours: Sequence[str]) -> None:
    """Draw a bar for each finite value, and behind it, or instead of it, the value in words."""
    finite = {row: value for row, value in enumerate(panel.values) if math.isfinite(value)}
    largest = max(map(abs, finite.values()), default=0.0)
    unit = largest if largest > LARGE else 1.0
    ends = {row: value / unit for row, value in finite.items()}
    own = [colours[row] for row in ends]
    ax.barh(list(ends), list(ends.values()), THICKNESS, color=own, linewidth=0)
    ax.axvline(0, color="0.5", linewidth=0.8)
    low, high = min([0.0, *ends.values()]), max([0.0, *ends.values()])
    ax.set_xlim(panel.limits or ((low, high) if low < high else (0.0, 1.0)))
    for row, text in enumerate(panel.texts):
        # Right of the zero also where a bar goes left, for there it would meet the names.
        place = (max(0.0, ends.get(row, 0.0)), row)
        ax.annotate(
            text,
            place,
            xytext=(GAP, 0),
            textcoords="offset points",
            va="center",
            fontsize=WORDS,
            annotation_clip=False,
        )


def _write(ax: Axes, heading: str, panel: _Panel, lines: int) -> None:
    """Write above a panel what step it is, and what is done in it; both in line with the others."""
    ax.set_title(heading, loc="left", fontsize=HEADING, fontweight="bold", pad=LINE * lines + 10)
    ax.annotate(
        "\n".join(panel.words),
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, LINE * lines + 6),
        textcoords="offset points",
        va="top",
        fontsize=WORDS,
        linespacing=1.3,
    )
    ax.set_xlabel(panel.below, loc="left", fontsize=WORDS)
