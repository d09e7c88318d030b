"""Sums whose error does not grow with the number of terms, on any axis and memory layout.

Libraries add naively along some axes, PyTorch and NumPy among them: a million equal float32
terms are then wrong in the third digit. Here the terms are added in the next wider dtype where
there is one, else as a tree of pairs, whose error hardly grows with the number of terms. NumPy
would convert float32 terms one by one; the tree is faster there, or short sums where the terms lie
next to one another.

References
----------
.. [1] N. J. Higham, "The accuracy of floating point summation", SIAM J. Sci. Comput. 14 (1993).
   https://doi.org/10.1137/0914050
"""

from __future__ import annotations

from functools import partial
from typing import Any

from anysoftmax.arrays import (
    Array,
    DType,
    Namespace,
    array_namespace,
    dtype_name,
    has_float64,
    is_dask,
    is_numpy,
    quiet,
)
from anysoftmax.devices import in_parts, is_cut, is_in_parts, length_across, sum_across
from anysoftmax.differentiation import (
    derived,
    is_compiled_by_xla,
    is_traced,
    settled,
    stop_gradient,
)
from anysoftmax.indexing import numbered
from anysoftmax.reductions import reduce_chunks

LEAF = 12  # so few terms are added plainly, to 3.4 u at the worst, which are equal terms
LONG, MANY = 4096, 32  # more terms XLA adds fastest in so many parts at once
PLACES = 8  # for the sums of devices; more devices have to share them
VECTOR = 256  # bytes of terms that NumPy's einsum adds up in pairs, by the processor's vectors


def stable_sum(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Sum over `axes`, which stay as length 1. float32 terms may give a float64 sum."""
    if is_numpy(x):
        for axis in axes:
            if x.shape[axis] <= LEAF:
                x = xp.add.reduce(x, axis=axis, keepdims=True)
            elif x.strides[axis] == x.itemsize:
                x = _vector_sum(xp, x, axis)
            else:
                x = _tree_sum(xp, x, axis)
        return x
    if is_dask(x):
        wide = xp.result_type(x.dtype, xp.float64)
        return reduce_chunks(partial(_sum_of_chunk, dtype=wide), x, axes, wide)
    if dtype_name(x.dtype) == "float32" and has_float64(xp, x):
        return sum_across(xp.sum(x, axis=axes, dtype=xp.float64, keepdims=True), axes)
    if is_traced(x):  # XLA would make arrays of each slice's derivative on the way back
        total = _tree_sums(xp, stop_gradient(x), axes)

        def tangents(_values: Any, t: Array, _constants: Any) -> tuple[Array]:
            return (sum_along(xp, t, axes),)

        return derived((total,), x, None, tangents)[0]
    return _tree_sums(xp, x, axes)


def sum_alike(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Sum as `stable_sum` does, in the dtype of the terms."""
    total = stable_sum(xp, x, axes)
    return total if total.dtype == x.dtype else xp.astype(total, x.dtype)


def sum_along(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Sum as the library does, over `axes`, which stay as length 1."""
    return sum_across(xp.sum(x, axis=axes, keepdims=True), axes)


def _tree_sums(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    if not is_in_parts(x, axes):
        for axis in axes:
            x = _tree_sum(xp, x, axis)
        return x
    # The terms of each device first: to halve what is cut would move terms between devices.
    if is_cut(axes):
        for axis in axes:
            x = _tree_sum(xp, x, axis, leaf=1)
        return _sum_of_devices(xp, x, length_across(1, axes), axes)
    for axis in axes:
        x = xp.squeeze(_tree_sum(xp, in_parts(xp, x, axis), axis + 1, leaf=1), axis=axis + 1)
        x = _sum_of_devices(xp, x, x.shape[axis], (axis,))
    return x


def _sum_of_chunk(x: Array, axis: tuple[int, ...], keepdims: bool, dtype: DType) -> Array:  # noqa: ARG001, FBT001
    xp = array_namespace(x)
    with quiet(xp):  # of infinite terms, in a thread of Dask's
        return xp.astype(stable_sum(xp, x, axis), dtype)


def _sum_of_devices(xp: Namespace, x: Array, count: int, axes: tuple[int, ...]) -> Array:
    """Add up as many numbers as devices have, as a tree too, though these add one by one.

    Each device, or each of a few groups, has a place for its own number and zeros in all others, so
    that what they add up is exact; the places then are on every device.
    """
    places = next(n for n in range(PLACES, 0, -1) if count % n == 0)
    own = xp.expand_dims(numbered(xp, x, axes) % places, axis=-1)
    x = xp.where(own == xp.arange(places), xp.expand_dims(x, axis=-1), 0.0)
    return xp.squeeze(_tree_sum(xp, sum_along(xp, x, axes), x.ndim - 1, leaf=1), axis=-1)


def _vector_sum(xp: Namespace, x: Array, axis: int) -> Array:
    x = x.swapaxes(axis, -1)
    length = VECTOR // x.itemsize
    whole = x.shape[-1] - x.shape[-1] % length
    total = xp.einsum("...i->...", x[..., whole:])
    if whole:
        sums = xp.einsum("...ji->...j", x[..., :whole].reshape(*x.shape[:-1], -1, length))
        if x.itemsize == 4 or sums.shape[-1] <= LEAF:
            total = xp.add.reduce(sums, axis=-1, dtype=xp.float64) + total
        else:
            total = _vector_sum(xp, sums, -1)[..., 0] + total
    return total[..., None].swapaxes(axis, -1)


def _tree_sum(xp: Namespace, x: Array, axis: int, leaf: int = LEAF) -> Array:
    """Add the second half of the terms to the first, until few are left: a leaf."""
    odd = None
    compiled = is_compiled_by_xla(x)
    # A length that is not known yet (lazy arrays) leaves only the library's own sum.
    while isinstance(x.shape[axis], int) and x.shape[axis] > leaf:
        length = x.shape[axis]
        if length <= LEAF:  # XLA would make one loop over all terms of these last ones too
            x = settled(x)
        count = MANY if compiled and length > LONG else 2
        step = length // count
        if length % count:
            rest = _take(x, axis, step * count, length)
            rest = rest if length % count == 1 else xp.sum(rest, axis=axis, keepdims=True)
            odd = rest if odd is None else odd + rest
        parts = [_take(x, axis, i * step, (i + 1) * step) for i in range(count)]
        while len(parts) > 1:
            parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)]
        (x,) = parts
    total = xp.sum(x, axis=axis, keepdims=True)
    return total if odd is None else total + odd


def _take(x: Array, axis: int, start: int, stop: int) -> Array:
    index = [slice(None)] * x.ndim
    index[axis] = slice(start, stop)
    return x[tuple(index)]
