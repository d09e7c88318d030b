"""Slices reduced to one element: by their largest, and by whether anything in them is true."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

from anysoftmax.arrays import Array, DType, Namespace, array_namespace, is_dask, is_numpy
from anysoftmax.devices import any_across, in_parts, is_cut, is_in_parts, largest_across

BRANCHES = 8  # chunks, or what has come of them, that one task of Dask's reduces


def largest(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Return the maximum over `axes`, which stay as length 1."""
    if is_numpy(x):
        return xp.maximum.reduce(x, axis=axes, keepdims=True)  # what max comes to
    if is_dask(x):
        return reduce_chunks(_largest_of_chunk, x, axes, x.dtype)
    for axis in axes if is_in_parts(x, axes) and not is_cut(axes) else ():
        x = _largest_of_parts(xp, x, axis)
    return largest_across(xp, xp.max(x, axis=axes, keepdims=True), axes)


def any_of(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Tell whether something along `axes` is true, which stay as length 1."""
    return any_across(xp, xp.any(x, axis=axes, keepdims=True), axes)


def reduce_chunks(
    function: Callable[..., Array], x: Array, axes: tuple[int, ...], dtype: DType
) -> Any:
    """Reduce an array of Dask's: each chunk on its own, and what comes of them as a tree.

    `function` takes `axis` and `keepdims`, and may be given an empty chunk, with which Dask's own
    maximum fails.
    """
    return sys.modules["dask.array"].reduction(
        x, function, function, axis=axes, keepdims=True, dtype=dtype, split_every=BRANCHES
    )


def _largest_of_chunk(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:  # noqa: FBT001
    xp = array_namespace(x)
    if 0 in x.shape:
        return xp.sum(x, axis=axis, keepdims=keepdims) - math.inf
    return xp.max(x, axis=axis, keepdims=keepdims)


def _largest_of_parts(xp: Namespace, x: Array, axis: int) -> Array:
    """Return the maximum along an axis that XLA may cut among devices."""
    parts = xp.max(in_parts(xp, x, axis), axis=axis + 1)
    undefined = xp.isnan(parts)  # which is lost where devices compare what they have
    largest = xp.max(xp.where(undefined, -math.inf, parts), axis=axis, keepdims=True)
    return xp.where(xp.any(undefined, axis=axis, keepdims=True), math.nan, largest)
