"""One slice whose logits lie side by side: softmax, log_softmax, logsumexp, summary, moments.

Each function takes the logits, a place for the result (which may be the logits'), the temperature
or None, and the size from which a peak is not calm. It returns whether the slice was ordinary; if
not, it has written nothing.

Every loop is a function over a whole array, with the licence to reorder that it needs and no more:
that is what LLVM vectorises, in place (`out` None) too, where two arrays that overlap would make
it give up. A sum is reordered freely within a BLOCK, and the blocks are added with their
rounding errors, so that its error does not grow with the length.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from anysoftmax.kernels.compiled.arithmetic import (
    INLINE,
    add_carrying,
    is_calm,
    largest,
    reciprocal,
    shifted,
)
from anysoftmax.kernels.compiled.elementary import exp, log1p
from anysoftmax.kernels.compiled.instructions import fused, larger, one, select, zero

__all__ = [
    "log_softmax_row",
    "logsumexp_row",
    "moments_row",
    "softmax_row",
    "sum_exponentials",
    "summary_row",
]

BLOCK = 1024  # bytes: four terms for each place of LLVM's four vectors of up to 64 bytes
LONG_BLOCK = 2048  # where a logarithm follows, which the error of eight terms hardly moves
REORDER: dict[str, Any] = {**INLINE, "fastmath": {"reassoc", "nsz"}}


@njit(**INLINE)
def softmax_row(x, out, t, limit):
    """Write the softmax of a slice."""
    peak = largest(x)
    if not is_calm(peak, t, limit):
        return False
    _scale(out, *reciprocal(*sum_exponentials(x, out, peak, t)))
    return True


@njit(**INLINE)
def log_softmax_row(x, out, t, limit):
    """Write the log-softmax of a slice."""
    peak = largest(x)
    if not is_calm(peak, t, limit):
        return False
    normaliser = log1p(_rest(x, peak, t))
    if x.ctypes.data == out.ctypes.data:
        _subtract(out, None, peak, t, normaliser)
    else:
        _subtract(x, out, peak, t, normaliser)
    return True


@njit(**INLINE)
def logsumexp_row(x, out, t, limit):
    """Write the log-sum-exp of a slice into the first place of `out`."""
    peak = largest(x)
    if not is_calm(peak, t, limit):
        return False
    out[0] = peak + log1p(_rest(x, peak, t))
    return True


@njit(**INLINE)
def summary_row(x, out, t, limit):
    """Write the peak and the rest of a slice into the first two places of `out`."""
    peak = largest(x)
    if not is_calm(peak, t, limit):
        return False
    rest = _rest(x, peak, t)  # first: `out` may be where the logits are
    out[0] = peak
    out[1] = rest
    return True


@njit(**INLINE)
def moments_row(x, out, t, limit):
    """Write the mean and the variance of a slice's z under its shares into two places of `out`."""
    peak = largest(x)
    if not is_calm(peak, t, limit):
        return False
    total = once = twice = lost = lost_once = lost_twice = zero(peak)
    block = BLOCK // x.itemsize
    for low in range(0, x.shape[0], block):
        part, part_once, part_twice = _sum_moments(x[low : low + block], peak, t)
        total, lost = add_carrying(total, lost, part)
        once, lost_once = add_carrying(once, lost_once, part_once)
        twice, lost_twice = add_carrying(twice, lost_twice, part_twice)
    total += lost
    mean = (once + lost_once) / total
    out[0] = mean
    out[1] = larger((twice + lost_twice) / total - mean * mean, zero(mean))
    return True


@njit(**INLINE)
def sum_exponentials(x, out, peak, t):
    """Write the exponentials of a slice; return their sum and what it lost."""
    in_place = x.ctypes.data == out.ctypes.data
    total = lost = zero(peak)
    block = BLOCK // x.itemsize
    for low in range(0, x.shape[0], block):
        if in_place:
            part = _store_exponentials(out[low : low + block], None, peak, t)
        else:
            part = _store_exponentials(x[low : low + block], out[low : low + block], peak, t)
        total, lost = add_carrying(total, lost, part)
    return total, lost


@njit(**INLINE)
def _rest(x, peak, t):
    """Add up the exponentials without the winner's 1."""
    total = lost = winners = zero(peak)
    block = LONG_BLOCK // x.itemsize
    for low in range(0, x.shape[0], block):
        others, ones = _sum_exponentials(x[low : low + block], peak, t)
        total, lost = add_carrying(total, lost, others)
        winners += ones
    return (winners - one(peak)) + (total + lost)


@njit(**REORDER)
def _store_exponentials(x, out, peak, t):
    target = x if out is None else out
    total = zero(peak)
    for i in range(x.shape[0]):
        e = exp(shifted(x[i], peak, t))
        target[i] = e
        total += e
    return total


@njit(**REORDER)
def _sum_exponentials(x, peak, t):
    total = ones = zero(peak)
    for i in range(x.shape[0]):
        e = exp(shifted(x[i], peak, t))
        wins = e == one(e)
        total += select(wins, zero(e), e)
        ones += select(wins, one(e), zero(e))
    return total, ones


@njit(**REORDER)
def _sum_moments(x, peak, t):
    total = once = twice = zero(peak)
    for i in range(x.shape[0]):
        z = shifted(x[i], peak, t)
        e = exp(z)
        term = select(e == zero(e), zero(e), e * z)  # z may be -inf there
        total += e
        once += term
        twice += select(e == zero(e), zero(e), term * z)
    return total, once, twice


@njit(**INLINE)
def _scale(out, factor, small):
    for i in range(out.shape[0]):
        out[i] = fused(out[i], factor, out[i] * small)


@njit(**INLINE)
def _subtract(x, out, peak, t, normaliser):
    target = x if out is None else out
    for i in range(x.shape[0]):
        target[i] = shifted(x[i], peak, t) - normaliser
