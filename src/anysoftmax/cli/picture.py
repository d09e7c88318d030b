"""Reliability diagrams side by side in a file."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from anysoftmax.files import FileRequestError

if TYPE_CHECKING:
    from anysoftmax.calibration.assessment import Assessment

__all__ = ["draw", "format_of", "require_format"]

WIDTH, HEIGHT = 5.0, 6.0  # inches, of each diagram
DOTS = 150  # an inch, where the format is made of dots


def format_of(target: Path) -> str:
    """Return the format that the suffix of a file names."""
    return target.suffix.lower().removeprefix(".")


def require_format(target: Path) -> None:
    """Raise, before any work is done, if there is nothing that draws pictures of this format."""
    if importlib.util.find_spec("matplotlib") is None:
        raise typer.BadParameter(
            'a picture needs matplotlib: pip install "anysoftmax[plot]"', param_hint="'--plot'"
        )
    from matplotlib.figure import Figure

    known = Figure().canvas.get_supported_filetypes()
    if format_of(target) not in known:
        raise FileRequestError(
            f"{target}: the suffix {target.suffix!r} names no format of pictures; use .png, or one"
            f" of {', '.join(sorted(known))}"
        )


def draw(assessments: Sequence[Assessment], new: Path, format_: str) -> None:
    """Write a diagram for each temperature, side by side, to a file."""
    from matplotlib.figure import Figure

    from anysoftmax.calibration import plot_reliability

    count = len(assessments)
    figure = Figure(figsize=(WIDTH * count, HEIGHT), layout="constrained")
    for place, one in enumerate(assessments):
        ax = plot_reliability(one.bins, ax=figure.add_subplot(1, count, place + 1))
        ax.title.set_text(f"Temperature {one.temperature:.4g}: {ax.get_title()}")
    figure.savefig(new, format=format_, dpi=DOTS)
