"""What rows and columns of logits have in common: the shift, the calm test, sums that carry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from anysoftmax.kernels.compiled.instructions import address_of, fused, larger, one

__all__ = [
    "INLINE",
    "add_carrying",
    "carry",
    "copy",
    "fill",
    "is_calm",
    "largest",
    "reciprocal",
    "shifted",
    "vector",
]

INLINE: dict[str, Any] = {"forceinline": True, "error_model": "numpy"}


@njit(**INLINE)
def vector(address, length, like):
    """Return the contiguous numbers at an address, of the dtype of `like`."""
    return carray(address_of(address, like), length)


@njit(**INLINE)
def fill(target, value):
    """Write one number everywhere."""
    for i in range(target.shape[0]):
        target[i] = value


@njit(**INLINE)
def copy(source, target):
    """Copy as many numbers as the shorter of two arrays has."""
    for i in range(min(source.shape[0], target.shape[0])):
        target[i] = source[i]


@njit(**INLINE)
def largest(x):
    """Return the largest of some numbers, NaN if it is among them."""
    peak = x[0]
    for i in range(x.shape[0]):
        peak = larger(peak, x[i])
    return peak


@njit(**INLINE)
def shifted(x, peak, t):
    """Return z as the fold defines it: the shift comes before the division."""
    if t is None:
        return x - peak
    return (x - peak) / t


@njit(**INLINE)
def is_calm(peak, t, limit):
    """Tell whether a slice is ordinary: its shift can't overflow nor meet a special value."""
    if t is None:
        return abs(peak) < limit
    return (abs(peak) < limit) & (t > 0) & (t < np.inf)


@njit(**INLINE)
def add_carrying(total, lost, term):
    """Add a term to ``total + lost`` and keep the rounding error (Knuth's two-sum)."""
    new = total + term
    took = new - total
    return new, lost + ((total - (new - took)) + (term - took))


@njit(**INLINE)
def reciprocal(total, lost):
    """Return ``1 / (total + lost)`` as a number and a small one to be added to it."""
    number = one(total) / total
    return number, number * fused(-lost, number, fused(-total, number, one(total)))


@njit(**INLINE)
def carry(total, lost, part):
    """Add the terms of many sums at once."""
    for j in range(total.shape[0]):
        total[j], lost[j] = add_carrying(total[j], lost[j], part[j])
