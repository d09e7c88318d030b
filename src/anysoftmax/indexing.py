"""Elements of slices by their places, whether a library can take indices or not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from anysoftmax.arrays import (
    Array,
    Namespace,
    array_namespace,
    default_integer,
    dtype_name,
    is_dask,
    is_jax,
    is_numpy,
    place_of_new,
)
from anysoftmax.cuts import cut_alike
from anysoftmax.devices import is_in_parts, places_across, sum_across
from anysoftmax.differentiation import is_writable
from anysoftmax.reductions import any_of


def pick(
    xp: Namespace, x: Array, places: Array, axes: tuple[int, ...], *, constant: bool = False
) -> Array:
    """Return the element at a place of each slice; the axes stay as length 1.

    A place is a number in row-major order of the axes, and within their range. `constant` tells
    that no derivatives are taken by `x`.
    """
    # Dask and Cubed, whose arrays are cut, can't access elements by their indices. XLA can, but
    # the derivative of a choice is part of the arithmetic, that of an access a walk of its own.
    indexed = hasattr(xp, "take_along_axis") and (constant or not is_jax(x))
    if indexed and len(axes) == 1 and x.shape[axes[0]] != 0 and not is_in_parts(x, axes):
        return xp.take_along_axis(x, places, axis=axes[0])
    found = xp.where(numbered(xp, x, axes) == places, x, xp.zeros_like(x))
    if dtype_name(x.dtype) == "bool":
        return any_of(xp, found, axes)
    return sum_across(xp.sum(found, axis=axes, keepdims=True, dtype=x.dtype), axes)


def replaced(
    xp: Namespace, x: Array, places: Array, values: Array | float, axes: tuple[int, ...]
) -> Array:
    """Return `x` with the element at a place of each slice replaced, in its own memory if possible.

    Places are as for `pick`.
    """
    if is_writable(x) and len(axes) == 1:
        if is_numpy(x):
            xp.put_along_axis(x, places, values, axis=axes[0])
            return x
        return x.scatter_(axes[0], places, values)
    return xp.where(numbered(xp, x, axes) == places, values, x)


def numbered(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Return the places of each slice in row-major order; the other axes have length 1.

    Of slices that are cut among devices they are the places in the whole slice.
    """
    if is_dask(x):
        return _numbered_by_chunk(x, axes)
    places = _places(xp, x, axes, tuple((0, n) for n in x.shape), x.shape)
    return cut_alike(places_across(places, math.prod([x.shape[i] for i in axes]), axes), x)


def _numbered_by_chunk(x: Array, axes: tuple[int, ...]) -> Array:
    """Return places as an array that is cut as `x` is, and made when a chunk of `x` needs it."""
    dtype = default_integer(array_namespace(x), x)
    meta = x._meta.astype(dtype)  # noqa: SLF001 - it has no public name
    return x.map_blocks(_places_in_chunk, axes=axes, shape=x.shape, dtype=dtype, meta=meta)


def _places_in_chunk(
    x: Array, axes: tuple[int, ...], shape: tuple[int, ...], block_info: dict[int, Any]
) -> Array:
    xp = array_namespace(x)
    places = _places(xp, x, axes, block_info[0]["array-location"], shape)
    return xp.broadcast_to(places, x.shape)


def _places(
    xp: Namespace,
    x: Array,
    axes: tuple[int, ...],
    ranges: Sequence[tuple[int, int]],
    shape: tuple[int, ...],
) -> Array:
    """Return the places of these ranges in slices of an array of a shape."""
    places, step = None, 1
    for axis in sorted(axes, reverse=True):
        lengths = tuple(-1 if i == axis else 1 for i in range(x.ndim))
        own = xp.arange(*ranges[axis], dtype=default_integer(xp, x), **place_of_new(xp, x))
        own = xp.reshape(own if step == 1 else own * step, lengths)
        places = own if places is None else own + places
        step *= shape[axis]
    return places
