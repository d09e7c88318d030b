"""Log-sum-exp: the logarithm of a sum of exponentials, without leaving the range of numbers."""

from __future__ import annotations

import math
from typing import Any

from anysoftmax import fold
from anysoftmax.admission import admit
from anysoftmax.arrays import Array, DType, as_array

__all__ = ["logsumexp"]


def logsumexp(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    weights: Any = None,
    where: Any = None,
    keepdims: bool = False,
    dtype: DType | None = None,
    precision: str = "default",
) -> Array:
    r"""Logarithm of a sum of exponentials."""
    a = admit(x, axis=axis, weights=weights, where=where, dtype=dtype, precision=precision)
    xp = a.xp
    if any(a.logits.shape[i] == 0 for i in a.axes):
        # The maximum of nothing is an error in every library; the sum of nothing is 0.
        y = xp.astype(xp.sum(a.logits, axis=a.axes, keepdims=True) - math.inf, a.dtype)
    else:
        slices = fold.lift(a)
        y = fold.finish(a, slices, fold.rest(a, slices))
    return as_array(y if keepdims and not a.lone else xp.squeeze(y, axis=a.axes))
