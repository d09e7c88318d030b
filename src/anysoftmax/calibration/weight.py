"""What the weights of all samples may add up to."""

from __future__ import annotations

import math

__all__ = ["refuse_infinite", "refuse_zero"]


def refuse_infinite(total: float) -> None:
    """Raise where weights, or their sum, are infinite or NaN."""
    if not abs(total) < math.inf:
        raise ValueError("sample_weights must be finite numbers, 0 or more, and so must their sum")


def refuse_zero(total: float) -> None:
    """Raise where no sample counts."""
    if total == 0:
        raise ValueError("all sample_weights are zero: at least one sample must count")
