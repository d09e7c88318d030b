"""bfloat16, which NumPy lacks: the upper halves of float32 numbers, as unsigned integers."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["from_brain", "to_brain"]

NumpyArray = np.ndarray[Any, Any]

QUIET_NAN = 0x7FC0


def from_brain(halves: NumpyArray) -> NumpyArray:
    """Return bfloat16 numbers as float32."""
    return np.left_shift(halves, 16, dtype=np.uint32).view(np.float32)


def to_brain(numbers: NumpyArray) -> NumpyArray:
    """Round numbers to bfloat16, ties to even."""
    with np.errstate(all="ignore"):
        single = np.asarray(numbers, np.float32, order="C")
    bits = np.atleast_1d(single).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(single), QUIET_NAN, rounded.reshape(single.shape)).astype(np.uint16)
