"""A figure that a notebook shows without pyplot, which would keep it in memory."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]

SHARPNESS = 2  # dots of the picture on one of the notebook


class ShownFigure(Figure):  # type: ignore[misc]
    """A figure of matplotlib that a notebook shows where it is the value of a cell."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        png = BytesIO()
        self.savefig(png, format="png", dpi=SHARPNESS * self.dpi)
        return png.getvalue(), {"width": round(self.bbox.width), "height": round(self.bbox.height)}
