"""The record of one softmax: its three steps in plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Explanation"]


@dataclass(frozen=True)
class Explanation:
    r"""The three steps of a softmax over one slice of ``n`` scores, in plain Python numbers.

    ``print`` shows them as text.

    Attributes
    ----------
    labels : tuple of str
        The names of the classes, shape (n,).
    logits : tuple of float
        Step 1, the scores :math:`x_i` as they came, in nats.
    shifted : tuple of float
        :math:`z_i = (x_i - m) / T`, where :math:`m` is the largest logit.
    exponentials : tuple of float
        Step 2, :math:`e_i = \exp(z_i)`: 1 for the largest logit, less for the others.
    total : float
        :math:`\sum_i e_i`.
    shares : tuple of float
        Step 3, :math:`p_i = e_i / \sum_j e_j`: the softmax.
    temperature : float
        :math:`T`, without dimension.
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

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as lists and numbers that strict JSON can hold.

        JSON knows neither infinity nor NaN: both become None (``null``).

        Examples
        --------
        >>> import anysoftmax as asm
        >>> asm.explain([0.0, float("-inf")], ["heads", "tails"]).to_dict()["logits"]
        [0.0, None]
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
