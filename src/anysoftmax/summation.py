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

from typing import Any

from anysoftmax.arrays import Array, Namespace, dtype_name, has_float64, is_numpy
from anysoftmax.differentiation import derived, is_compiled_by_xla, is_traced, stop_gradient

LEAF = 12  # so few terms are added plainly, to 3.4 u at the worst, which are equal terms
LONG, MANY = 4096, 32  # more terms XLA adds fastest in so many parts at once
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
    if dtype_name(x.dtype) == "float32" and has_float64(xp, x):
        return xp.sum(x, axis=axes, dtype=xp.float64, keepdims=True)
    if is_traced(x):  # XLA would make arrays of each slice's derivative on the way back
        total = _tree_sums(xp, stop_gradient(x), axes)

        def tangents(_values: Any, t: Array, _constants: Any) -> tuple[Array]:
            return (xp.sum(t, axis=axes, keepdims=True),)

        return derived((total,), x, None, tangents)[0]
    return _tree_sums(xp, x, axes)


def sum_alike(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Sum as `stable_sum` does, in the dtype of the terms."""
    total = stable_sum(xp, x, axes)
    return total if total.dtype == x.dtype else xp.astype(total, x.dtype)


def _tree_sums(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    for axis in axes:
        x = _tree_sum(xp, x, axis)
    return x


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


def _tree_sum(xp: Namespace, x: Array, axis: int) -> Array:
    """Add the second half of the terms to the first, until few are left."""
    odd = None
    compiled = is_compiled_by_xla(x)
    # A length that is not known yet (lazy arrays) leaves only the library's own sum.
    while isinstance(x.shape[axis], int) and x.shape[axis] > LEAF:
        length = x.shape[axis]
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
