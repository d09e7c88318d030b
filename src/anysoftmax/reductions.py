"""Slices reduced to one element: by their largest, and by whether anything in them is true."""

from __future__ import annotations

import math

from anysoftmax.arrays import Array, Namespace, is_numpy
from anysoftmax.devices import any_across, in_parts, is_cut, is_in_parts, largest_across


def largest(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Return the maximum over `axes`, which stay as length 1."""
    if is_numpy(x):
        return xp.maximum.reduce(x, axis=axes, keepdims=True)  # what max comes to
    for axis in axes if is_in_parts(x, axes) and not is_cut(axes) else ():
        x = _largest_of_parts(xp, x, axis)
    return largest_across(xp, xp.max(x, axis=axes, keepdims=True), axes)


def any_of(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Tell whether something along `axes` is true, which stay as length 1."""
    return any_across(xp, xp.any(x, axis=axes, keepdims=True), axes)


def _largest_of_parts(xp: Namespace, x: Array, axis: int) -> Array:
    """Return the maximum along an axis that XLA may cut among devices."""
    parts = xp.max(in_parts(xp, x, axis), axis=axis + 1)
    undefined = xp.isnan(parts)  # which is lost where devices compare what they have
    largest = xp.max(xp.where(undefined, -math.inf, parts), axis=axis, keepdims=True)
    return xp.where(xp.any(undefined, axis=axis, keepdims=True), math.nan, largest)
