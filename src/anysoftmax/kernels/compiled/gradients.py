r"""Derivatives of softmax and log-softmax from their output and its cotangent.

With c the cotangent of a sure winner (its share is more than a half), else 0,

.. math::

    \text{softmax:}\quad \dot x_i = p_i \Bigl((g_i - c) - \sum_j p_j (g_j - c)\Bigr),

which has no term that the winner's share, 1 to rounding, could drown: its own is
:math:`p_w \cdot 0`. And with q what the others' shares add up to,

.. math::

    \text{log-softmax:}\quad \dot x_w = q\, g_w - p_w \sum_{j \ne w} g_j, \qquad
    \dot x_i = g_i - p_i \sum_j g_j.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from anysoftmax.kernels.compiled.arithmetic import (
    INLINE,
    add_carrying,
    carry,
    fill,
    largest,
)
from anysoftmax.kernels.compiled.columns import GROUP
from anysoftmax.kernels.compiled.elementary import exp
from anysoftmax.kernels.compiled.instructions import select, zero
from anysoftmax.kernels.compiled.rows import BLOCK, REORDER
from anysoftmax.kernels.compiled.walks import bind
from anysoftmax.operations import Computation

__all__ = ["pull_back"]

NumpyArray = np.ndarray[Any, Any]

HALF, LOG_HALF = 0.5, -0.6875  # exact in float32; log(0.5) is a little less
NARROW = 32  # so few slices side by side do not fill vectors, nor do so few classes
WIDTH = 256

kernel: Any = None  # each copy of a walk has its own under this name, see `bind`


def pull_back(
    operation: Computation, axes: tuple[int, ...], y: NumpyArray, g: NumpyArray, out: NumpyArray
) -> bool:
    """Write the derivative to `out`; return False if the layout of `y` does not suit it."""
    first, last = min(axes), max(axes)
    if last - first + 1 != len(axes) or not y.flags.c_contiguous:
        return False
    shape = math.prod(y.shape[:first]), -1, math.prod(y.shape[last + 1 :])
    y, g, out = y.reshape(shape), np.ascontiguousarray(g).reshape(shape), out.reshape(shape)
    if max(y.shape[1:]) < NARROW:
        return False
    walks = COLUMNS if y.shape[2] >= NARROW else ROWS
    walks[operation.name](y, g, out)
    return True


def pulled_by_rows(y, g, out):
    """Take slice by slice; one whose numbers do not lie side by side is copied."""
    outer, classes, inner = y.shape
    memory = np.empty((3, classes if inner > 1 else 0), y.dtype)
    for o in range(outer):
        if inner == 1:
            size = classes
            kernel(y[o].reshape(size), g[o].reshape(size), out[o].reshape(size))
        else:
            for i in range(inner):
                for k in range(classes):
                    memory[0, k] = y[o, k, i]
                    memory[1, k] = g[o, k, i]
                kernel(memory[0], memory[1], memory[2])
                for k in range(classes):
                    out[o, k, i] = memory[2, k]


@njit(**INLINE)
def pull_softmax(p, g, out):
    """Write the derivative of one slice of softmax."""
    c = zero(p[0])
    if largest(p) > HALF:
        c = g[_place(p, HALF)]
    total = lost = zero(c)
    block = BLOCK // p.itemsize
    for low in range(0, p.shape[0], block):
        part = _sum_products(p[low : low + block], g[low : low + block], c)
        total, lost = add_carrying(total, lost, part)
    _combine(p, g, out, c, total + lost)


@njit(**INLINE)
def pull_log_softmax(y, g, out):
    """Write the derivative of one slice of log-softmax."""
    if largest(y) > LOG_HALF:
        w = _place(y, LOG_HALF)
        low_q, low_g = _sums(y[:w], g[:w])
        high_q, high_g = _sums(y[w + 1 :], g[w + 1 :])
        others = low_g + high_g
        _subtract_share(y, g, out, others + g[w])
        out[w] = (low_q + high_q) * g[w] - exp(y[w]) * others
    else:
        _, total = _sums(y, g)
        _subtract_share(y, g, out, total)


@njit(**INLINE)
def _sums(y, g):
    """Add up the shares and the cotangents."""
    shares = shares_lost = total = lost = zero(y.dtype.type(0))
    block = BLOCK // y.itemsize
    for low in range(0, y.shape[0], block):
        share, cotangent = _sum_both(y[low : low + block], g[low : low + block])
        shares, shares_lost = add_carrying(shares, shares_lost, share)
        total, lost = add_carrying(total, lost, cotangent)
    return shares + shares_lost, total + lost


@njit(**INLINE)
def _place(x, least):
    for i in range(x.shape[0]):
        if x[i] > least:
            return i
    return 0


@njit(**REORDER)
def _sum_products(p, g, c):
    total = zero(c)
    for i in range(p.shape[0]):
        total += p[i] * (g[i] - c)
    return total


@njit(**INLINE)
def _combine(p, g, out, c, mean):
    for i in range(p.shape[0]):
        out[i] = p[i] * ((g[i] - c) - mean)


@njit(**REORDER)
def _sum_both(y, g):
    shares = total = zero(y[0])
    for i in range(y.shape[0]):
        shares += exp(y[i])
        total += g[i]
    return shares, total


@njit(**INLINE)
def _subtract_share(y, g, out, total):
    for i in range(y.shape[0]):
        share = exp(y[i]) * total
        out[i] = select(y[i] > -np.inf, g[i] - share, zero(share))


def pulled_by_columns(y, g, out):
    """Take tiles of slices whose numbers of one class lie side by side."""
    outer, _, inner = y.shape
    for o in range(outer):
        for low in range(0, inner, WIDTH):
            kernel(y[o], g[o], out[o], low, min(inner, low + WIDTH))


@njit(error_model="numpy")
def pull_softmax_tile(p, g, out, low, high):
    """Write the derivatives of the slices from `low` to `high` of softmax."""
    c, total, lost, part = np.zeros((4, high - low), p.dtype)
    for k in range(p.shape[0]):
        _of_winner(p[k][low:high], g[k][low:high], HALF, c)
    for first in range(0, p.shape[0], GROUP):
        fill(part, zero(p[0, 0]))
        for k in range(first, min(first + GROUP, p.shape[0])):
            _add_products(p[k][low:high], g[k][low:high], c, part)
        carry(total, lost, part)
    _add(lost, total)
    for k in range(p.shape[0]):
        _combine_each(p[k][low:high], g[k][low:high], out[k][low:high], c, total)


@njit(error_model="numpy")
def pull_log_softmax_tile(y, g, out, low, high):
    """Write the derivatives of the slices from `low` to `high` of log-softmax."""
    c, q, q_lost, q_part, others, lost, part = np.zeros((7, high - low), y.dtype)
    for k in range(y.shape[0]):
        _of_winner(y[k][low:high], g[k][low:high], LOG_HALF, c)
        _exponentials(y[k][low:high], out[k][low:high])
    for first in range(0, y.shape[0], GROUP):
        fill(part, zero(y[0, 0]))
        fill(q_part, zero(y[0, 0]))
        for k in range(first, min(first + GROUP, y.shape[0])):
            _add_others(y[k][low:high], out[k][low:high], q_part)
            _add_others(y[k][low:high], g[k][low:high], part)
        carry(others, lost, part)
        carry(q, q_lost, q_part)
    _add(lost, others)
    _add(q_lost, q)
    for k in range(y.shape[0]):
        _combine_logs(y[k][low:high], g[k][low:high], out[k][low:high], c, q, others)


@njit(**INLINE)
def _add(terms, total):
    for j in range(total.shape[0]):
        total[j] += terms[j]


@njit(**INLINE)
def _of_winner(y, g, least, c):
    for j in range(c.shape[0]):
        c[j] = select(y[j] > least, g[j], c[j])


@njit(**INLINE)
def _add_products(p, g, c, part):
    for j in range(part.shape[0]):
        part[j] += p[j] * (g[j] - c[j])


@njit(**INLINE)
def _combine_each(p, g, out, c, mean):
    for j in range(c.shape[0]):
        out[j] = p[j] * ((g[j] - c[j]) - mean[j])


@njit(**INLINE)
def _exponentials(y, out):
    for j in range(y.shape[0]):
        out[j] = exp(y[j])


@njit(**INLINE)
def _add_others(y, terms, part):
    for j in range(part.shape[0]):
        part[j] += select(y[j] > LOG_HALF, zero(terms[j]), terms[j])


@njit(**INLINE)
def _combine_logs(y, g, out, c, q, others):
    for j in range(c.shape[0]):
        share = out[j]
        winner = q[j] * g[j] - share * others[j]
        other = select(y[j] > -np.inf, g[j] - share * (others[j] + c[j]), zero(share))
        out[j] = select(y[j] > LOG_HALF, winner, other)


ROWS = {
    "softmax": bind(pulled_by_rows, pull_softmax),
    "log_softmax": bind(pulled_by_rows, pull_log_softmax),
}
COLUMNS = {
    "softmax": bind(pulled_by_columns, pull_softmax_tile),
    "log_softmax": bind(pulled_by_columns, pull_log_softmax_tile),
}
