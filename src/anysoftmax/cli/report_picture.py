"""Reliability diagrams side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from anysoftmax.calibration.assessment import Assessment

__all__ = ["picture_of"]

WIDTH, HEIGHT = 5.0, 6.0  # inches, of each diagram


def picture_of(assessments: Sequence[Assessment]) -> Figure:
    """Draw a diagram for each temperature, side by side."""
    from matplotlib.figure import Figure

    from anysoftmax.calibration import plot_reliability

    count = len(assessments)
    figure = Figure(figsize=(WIDTH * count, HEIGHT), layout="constrained")
    for place, one in enumerate(assessments):
        ax = plot_reliability(one.bins, ax=figure.add_subplot(1, count, place + 1))
        ax.title.set_text(f"Temperature {one.temperature:.4g}: {ax.get_title()}")
    return figure
