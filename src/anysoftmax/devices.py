"""Slices that are cut among devices of JAX, of which the array API standard knows nothing.

Two ways lead here. In a function that ``jax.shard_map`` runs, each device holds a part of every
slice: its axes are `CutAxes`, and what is reduced along them is reduced across the devices too.
Outside of such a function an array is whole, and XLA cuts it: nothing need be done, but sums must
be written so that the terms of a device meet one another first.
"""

from __future__ import annotations

import math
import sys
from typing import Any, Self

from anysoftmax.arrays import Array, Namespace, is_jax
from anysoftmax.differentiation import stop_gradient


class CutAxes(tuple[int, ...]):  # noqa: SLOT001 - a tuple can't have slots that hold something
    """Axes of slices, the first of which is cut among the devices along axes of a mesh.

    `names` are those of the mesh's axes, the one that the places along a slice depend on most
    first.
    """

    names: tuple[str, ...]

    def __new__(cls, axes: tuple[int, ...], names: tuple[str, ...]) -> Self:
        """Make the axes."""
        new = super().__new__(cls, axes)
        new.names = names
        return new


def is_bound(name: str) -> bool:
    """Tell whether a name is that of an axis along which JAX runs the same program many times."""
    try:
        _lax().axis_size(name)
    except NameError:
        return False
    return True


def is_shared(x: Array, name: str) -> bool:
    """Tell whether JAX knows that all devices along an axis of a mesh have the same array.

    With ``check_vma=False`` it knows of none.
    """
    return name not in _varying(x) and name in _varying(_lax().axis_index(name))


def is_cut(axes: tuple[int, ...]) -> bool:
    """Tell whether slices along the axes are cut among devices."""
    return isinstance(axes, CutAxes)


def sum_across(x: Array, axes: tuple[int, ...]) -> Array:
    """Add up what the devices have of each slice."""
    return _lax().psum(x, axes.names) if isinstance(axes, CutAxes) else x


def largest_across(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Return the largest of what the devices have of each slice, then a constant."""
    if not isinstance(axes, CutAxes):
        return x
    undefined = xp.isnan(x)  # which the processor's devices, for one, lose
    both = xp.stack([xp.where(undefined, -math.inf, x), xp.astype(undefined, x.dtype)])
    both = _lax().pmax(stop_gradient(both), axes.names)  # it has no derivatives
    return xp.where(both[1] > 0, math.nan, both[0])


def any_across(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Tell whether one of the devices has something of each slice."""
    return _lax().pmax(xp.astype(x, xp.int8), axes.names) > 0 if isinstance(axes, CutAxes) else x


def length_across(length: int, axes: tuple[int, ...]) -> int:
    """Return how long the slices are on all devices that have so much of them each."""
    return length * _lax().axis_size(axes.names) if isinstance(axes, CutAxes) else length


def places_across(places: Array, length: int, axes: tuple[int, ...]) -> Array:
    """Return the places of a device's part of the slices, of a length, in the whole slices."""
    if not isinstance(axes, CutAxes):
        return places
    return places + _lax().axis_index(axes.names).astype(places.dtype) * length


def is_in_parts(x: Array, axes: tuple[int, ...]) -> bool:
    """Tell whether XLA can't take elements of whole slices by their indices, for they are cut."""
    return is_cut(axes) or any(parts_by_xla(x, axis) > 1 for axis in axes)


def in_parts(xp: Namespace, x: Array, axis: int) -> Array:
    """Return a whole array with a new axis before `axis`, along which are the parts of devices."""
    parts = parts_by_xla(x, axis)
    return xp.reshape(x, (*x.shape[:axis], parts, x.shape[axis] // parts, *x.shape[axis + 1 :]))


def parts_by_xla(x: Array, axis: int) -> int:
    """Return in how many parts, at most, XLA cuts an axis of a whole array among its devices."""
    if not is_jax(x):
        return 1
    jax = sys.modules["jax"]
    sharding = jax.typeof(x).sharding
    kinds = getattr(sharding.mesh, "axis_types", None) or ()
    sizes = zip(sharding.mesh.axis_sizes, kinds, strict=True) if kinds else ()
    # What shard_map has cut (manual axes) is cut no more.
    most = math.prod(n for n, kind in sizes if kind != jax.sharding.AxisType.Manual)
    return math.gcd(x.shape[axis], most)


def _varying(x: Array) -> frozenset[str]:
    """Return the axes of a mesh along which JAX takes an array to differ."""
    kind = sys.modules["jax"].typeof(x)
    found = kind.manual_axis_type.varying if hasattr(kind, "manual_axis_type") else kind.vma
    varying: frozenset[str] = found
    return varying


def _lax() -> Any:
    return sys.modules["jax"].lax
