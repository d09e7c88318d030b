"""The record of one softmax: its three steps in plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["Explanation"]


@dataclass(frozen=True)
class Explanation:
    r"""The three steps of a softmax over one slice of ``n`` scores, in plain Python numbers.

    `anysoftmax.explain` makes it. ``print`` shows the steps as text, a notebook as a table, `plot`
    as a picture, and `to_dict` gives them to another program. Of more than 20 classes all of these
    but `to_dict` show the 15 largest only, and what the others have together.

    It never changes; two are equal if their labels and numbers are. It can be a key, and pickled.

    Attributes
    ----------
    labels : tuple of str
        The names of the classes, shape (n,).
    logits : tuple of float
        Step 1, the scores :math:`x_i` as they came, in nats, shape (n,).
    shifted : tuple of float
        :math:`z_i = (x_i - m) / T`, where :math:`m` is the largest logit, shape (n,).
    exponentials : tuple of float
        Step 2, :math:`e_i = \exp(z_i)`: 1 for the largest logit, less for the others, shape (n,).
    total : float
        :math:`\sum_i e_i`.
    shares : tuple of float
        Step 3, :math:`p_i = e_i / \sum_j e_j`: the softmax, shape (n,).
    temperature : float
        :math:`T`, without dimension.

    See Also
    --------
    anysoftmax.explain : Makes it; says how exact the numbers are, and what becomes of special ones.

    Examples
    --------
    >>> import anysoftmax as asm
    >>> explanation = asm.explain([3.2, 1.3, 0.2], ["Cat", "Dog", "Bird"])
    >>> [round(e, 3) for e in explanation.exponentials]
    [1.0, 0.15, 0.05]
    >>> round(explanation.total, 3)
    1.199
    >>> {label: round(p, 3) for label, p in zip(explanation.labels, explanation.shares)}
    {'Cat': 0.834, 'Dog': 0.125, 'Bird': 0.042}
    """

    labels: tuple[str, ...]
    logits: tuple[float, ...]
    shifted: tuple[float, ...]
    exponentials: tuple[float, ...]
    total: float
    shares: tuple[float, ...]
    temperature: float

    def __str__(self) -> str:
        from anysoftmax.explanation.text import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from anysoftmax.explanation.html import as_html

        return as_html(self)

    def plot(self, *, figure: Figure | SubFigure | None = None) -> Figure | SubFigure:
        """Draw the three steps side by side: logits, exponentials and shares.

        Each panel has a bar for each class, in the same order and, of up to six classes, in the
        same colours, which all eyes tell apart. Beside each bar is its number; a number that is NaN
        or infinite stands without a bar.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or matplotlib.figure.SubFigure, optional
            Where to draw; a new figure of a fitting size by default. One that is empty and has no
            layout gets the constrained one.

        Returns
        -------
        matplotlib.figure.Figure or matplotlib.figure.SubFigure
            What was drawn on. A notebook shows a new one where it is the last value of a cell;
            ``figure.savefig("steps.png")`` keeps it, and ``figure.axes`` are the three panels.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `figure` is something else.

        Notes
        -----
        The new figure is none of pyplot's: pyplot need not close it and does not show it. For a
        window, draw on one that pyplot has made::

            explanation.plot(figure=plt.figure(figsize=(10, 3)))
            plt.show()

        Letters and their colour are those of matplotlib's settings. Labels are written as they are,
        dollar signs included. Characters that the font lacks are drawn as boxes, with a warning of
        matplotlib's: choose a font that has them, as in ``plt.rcParams["font.family"] = ...``.

        Examples
        --------
        >>> import anysoftmax as asm
        >>> figure = asm.explain([3.2, 1.3, 0.2], ["Cat", "Dog", "Bird"]).plot()
        >>> [panel.get_title(loc="left") for panel in figure.axes]
        ['1. Logits', '2. Exponentials', '3. Shares']
        """
        from anysoftmax.explanation.picture import as_picture

        return as_picture(self, figure)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as lists and numbers that strict JSON can hold.

        Returns
        -------
        dict
            `temperature` and `total` as numbers; `labels`, `logits`, `shifted`, `exponentials` and
            `shares` as lists with an entry for each class, also where there are very many. JSON
            keeps every number to the last bit, but knows neither infinity nor NaN: both are None
            (``null``). Which of them a logit was is what the attribute `logits` tells.

        Examples
        --------
        >>> import json
        >>> import anysoftmax as asm
        >>> steps = asm.explain([0.0, float("-inf")], ["heads", "tails"]).to_dict()
        >>> steps["logits"]
        [0.0, None]
        >>> json.loads(json.dumps(steps, allow_nan=False)) == steps
        True
        """
        return {
            "temperature": _json_number(self.temperature),
            "labels": list(self.labels),
            "logits": [_json_number(v) for v in self.logits],
            "shifted": [_json_number(v) for v in self.shifted],
            "exponentials": [_json_number(v) for v in self.exponentials],
            "total": _json_number(self.total),
            "shares": [_json_number(v) for v in self.shares],
        }


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None
