"""What is known of each slice: a few numbers, of all of it or of parts that are merged."""

from __future__ import annotations

import math
from typing import NamedTuple

from anysoftmax.arrays import Array, array_namespace, dtype_name, is_numpy, place_of_new, widest

__all__ = ["Evidence", "evidence_of", "merge", "nothing"]


SHORT = 64  # elements along the fast axis: NumPy's inner loops are slow then, and run along others


class Evidence(NamedTuple):
    """Numbers of each slice, in arrays whose class axes have length 1, in float64 if there is one.

    A NaN in a slice makes `total`, `least` and `greatest` NaN. The last two are NaN unless all of
    the slice lies from 0 to 1: nobody asks for them elsewhere, and logarithms take their time.
    """

    total: Array
    least: Array
    greatest: Array
    infinities: Array  # how many are +inf
    zeros: Array  # how many are 0
    logs: Array  # the sum of their logarithms


def evidence_of(x: Array, axes: tuple[int, ...]) -> Evidence:
    """Return the evidence of the slices, or of the parts of slices, in an array of a few."""
    if not is_numpy(x):
        return _sums(x, axes)
    fast = min(range(x.ndim), key=lambda i: (x.shape[i] == 1, abs(x.strides[i])))
    if x.shape[fast] >= SHORT:
        return _sums(x, axes)
    others = tuple(i for i in range(x.ndim) if i not in axes)
    order = (*axes, *others) if fast in axes else (*others, *axes)
    back = tuple(map(order.index, range(x.ndim)))
    turned = array_namespace(x).ascontiguousarray(x.transpose(order))
    known = _sums(turned, tuple(back[axis] for axis in axes))
    return Evidence(*(part.transpose(back) for part in known))


def _sums(x: Array, axes: tuple[int, ...]) -> Evidence:
    xp = array_namespace(x)
    work = widest(xp, x, xp.float32)
    if dtype_name(x.dtype) not in {"float32", "float64"}:  # narrow ones are slow on the CPU
        x = xp.astype(x, work)
    total = xp.sum(x, axis=axes, keepdims=True, dtype=work)
    least = xp.astype(xp.min(x, axis=axes, keepdims=True), work)
    greatest = xp.astype(xp.max(x, axis=axes, keepdims=True), work)
    infinities = zeros = logs = xp.zeros_like(total)
    if bool(xp.any(greatest == math.inf)):
        infinities = xp.sum(xp.astype(x == math.inf, work), axis=axes, keepdims=True)
    within = (least >= 0) & (greatest <= 1)
    if bool(xp.any(within)):
        logs = xp.sum(xp.log(xp.astype(x, work)), axis=axes, keepdims=True)
        zeros = xp.sum(xp.astype(x == 0, work), axis=axes, keepdims=True)
    unknown = xp.full_like(total, math.nan)
    zeros, logs = (xp.where(within, known, unknown) for known in (zeros, logs))
    return Evidence(total, least, greatest, infinities, zeros, logs)


def nothing(shape: tuple[int, ...], like: Array) -> Evidence:
    """Return the evidence of slices of which nothing has been seen, to be written to.

    `like` is a part of other evidence.
    """
    xp = array_namespace(like)
    how = {"dtype": like.dtype, **place_of_new(xp, like)}
    start = Evidence(0.0, math.inf, -math.inf, 0.0, 0.0, 0.0)
    return Evidence(*(xp.full(shape, number, **how) for number in start))


def merge(first: Evidence, second: Evidence) -> Evidence:
    """Return the evidence of slices of which two parts are known."""
    xp = array_namespace(first.total)
    return Evidence(
        first.total + second.total,
        xp.minimum(first.least, second.least),
        xp.maximum(first.greatest, second.greatest),
        first.infinities + second.infinities,
        first.zeros + second.zeros,
        first.logs + second.logs,
    )
