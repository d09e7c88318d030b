r"""Derivatives of the surprisals of labels, at once where classes lie side by side, or from shares.

With t the label of a slice and g its cotangent, :math:`p_i g / T` for the other classes, and for
the label what makes their sum 0. Where g is 0 or T is 0 or infinite, all of them are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from anysoftmax.kernels.compiled.arithmetic import (
    INLINE,
    add_carrying,
    carry,
    fill,
    is_calm,
    largest,
    reciprocal,
    vector,
)
from anysoftmax.kernels.compiled.columns import GROUP
from anysoftmax.kernels.compiled.instructions import fused, one, select, zero
from anysoftmax.kernels.compiled.rows import BLOCK, REORDER, sum_exponentials
from anysoftmax.kernels.compiled.views import View, memory_of
from anysoftmax.kernels.compiled.walks import bind

__all__ = ["derive", "derive_from_shares"]

NumpyArray = np.ndarray[Any, Any]

WIDTH = 256

kernel: Any = None  # each copy of a walk has its own under this name, see `bind`


def derive(seen: View, limit: Any, special: NumpyArray) -> int:
    """Compute derivatives of slices whose classes lie side by side in memory.

    Return the number of special slices, which are flagged and left alone.
    """
    x, out, t, labels, g = map(_memory, seen)
    found: int = AT_ONCE(x, out, t, seen.x.shape, limit, special, labels, g)
    return found


def derive_from_shares(seen: View) -> None:
    """Put the derivatives in the place of the shares, which are contiguous along a tile's axis."""
    out = seen.out
    by_rows = out.shape[2] == 1 or out.strides[1] == out.itemsize
    walk = ROWS if by_rows else COLUMNS
    _, memory, t, labels, g = map(_memory, seen)
    width = 1 if by_rows else min(out.shape[2], WIDTH)
    walk(memory, out.shape, labels, g, t, np.zeros((5, width), out.dtype))


def _memory(a: NumpyArray | None) -> tuple[int, ...] | None:
    return None if a is None else memory_of(a)


def at_once(x, out, t, shape, limit, special, labels, g):
    """Take slice by slice."""
    outer, classes, inner = shape
    found = 0
    for o in range(outer):
        for i in range(inner):
            logits = vector(x[0] + o * x[1] + i * x[3], classes, limit)
            result = vector(out[0] + o * out[1] + i * out[3], classes, limit)
            label = vector(labels[0] + o * labels[1] + i * labels[3], 1, o)[0]
            factor = vector(g[0] + o * g[1] + i * g[3], 1, limit)[0]
            if t is None:
                ordinary = kernel(logits, result, None, limit, label, factor)
            else:
                place = t[0] + o * t[1] + i * t[3]
                temperature = vector(place, 1, limit)[0]
                ordinary = kernel(logits, result, temperature, limit, label, factor)
            special[o * inner + i] = not ordinary
            found += not ordinary
    return found


@njit(**INLINE)
def derivatives_row(x, out, t, limit, label, g):
    """Write the derivatives of a slice, if it is ordinary."""
    peak = largest(x)
    if not is_calm(peak, t, limit):
        return False
    total, lost = sum_exponentials(x, out, peak, t)
    own = out[label]
    others, others_lost = add_carrying(total, lost, -own)
    if own + own > total:  # little would be left of the difference
        out[label] = zero(own)
        others = others_lost = zero(own)
        block = BLOCK // out.itemsize
        for low in range(0, out.shape[0], block):
            part = _sum(out[low : low + block])
            others, others_lost = add_carrying(others, others_lost, part)
    factor, small = reciprocal(total, lost)
    factor = fused(factor, g, small * g)  # no product is larger: if this underflows, all do
    _scale(out, factor, t)
    own = (others + others_lost) * factor
    out[label] = -own if t is None else -own / t
    return True


def labelled_by_rows(out, shape, labels, g, t, memory):
    """Take slice by slice."""
    outer, classes, inner = shape
    like = memory[0, 0]
    for o in range(outer):
        for i in range(inner):
            row = vector(out[0] + o * out[1] + i * out[3], classes, like)
            label = vector(labels[0] + o * labels[1] + i * labels[3], 1, o)[0]
            factor = vector(g[0] + o * g[1] + i * g[3], 1, like)[0]
            if t is None:
                kernel(row, label, factor, None)
            else:
                place = t[0] + o * t[1] + i * t[3]
                kernel(row, label, factor, vector(place, 1, like)[0])


@njit(**INLINE)
def label_row(p, label, g, t):
    """Make the derivatives of one slice."""
    if g == zero(g) or (t is not None and (t == zero(g) or t == np.inf)):
        fill(p, zero(g))
        return
    total = lost = zero(g) * p[label]  # NaN, if that is the only share
    p[label] = zero(g)
    block = BLOCK // p.itemsize
    for low in range(0, p.shape[0], block):
        total, lost = add_carrying(total, lost, _sum(p[low : low + block]))
    _scale(p, g, t)
    others = (total + lost) * g
    p[label] = -others if t is None else -others / t


@njit(**REORDER)
def _sum(p):
    total = zero(p[0])
    for i in range(p.shape[0]):
        total += p[i]
    return total


@njit(**INLINE)
def _scale(p, g, t):
    for i in range(p.shape[0]):
        p[i] = p[i] * g if t is None else p[i] * g / t


def labelled_by_columns(out, shape, labels, g, t, memory):
    """Take tiles of slices whose numbers of one class lie side by side."""
    outer, classes, inner = shape
    width = memory.shape[1]
    like = memory[0, 0]
    for o in range(outer):
        for low in range(0, inner, width):
            n = min(width, inner - low)
            bench = memory[:, :n]
            for j in range(n):
                i = low + j
                bench[0, j] = vector(g[0] + o * g[1] + i * g[3], 1, like)[0]
                if t is not None:
                    bench[1, j] = vector(t[0] + o * t[1] + i * t[3], 1, like)[0]
            kernel(
                out[0] + o * out[1] + low * memory.itemsize,
                out[2],
                classes,
                labels[0] + o * labels[1] + low * labels[3],
                labels[3],
                bench[0],
                None if t is None else bench[1],
                bench[2:],
            )


@njit(error_model="numpy")
def label_tile(p, step, classes, label, label_step, g, t, bench):
    """Make the derivatives of slices side by side."""
    total, lost, part = bench[0], bench[1], bench[2]
    n, size, like = g.shape[0], g.itemsize, g[0]
    fill(lost, zero(like))
    for j in range(n):
        place = p + vector(label + j * label_step, 1, n)[0] * step + j * size
        total[j] = zero(like) * vector(place, 1, like)[0]
        vector(place, 1, like)[0] = zero(like)
        if t is not None and (t[j] == zero(like) or t[j] == np.inf):
            g[j], t[j] = zero(like), one(like)
    for first in range(0, classes, GROUP):
        fill(part, zero(like))
        for k in range(first, min(first + GROUP, classes)):
            _add(vector(p + k * step, n, like), part)
        carry(total, lost, part)
    for k in range(classes):
        _scale_each(vector(p + k * step, n, like), g, t)
    _add(lost, total)
    _scale_each(total, g, t)
    for j in range(n):
        place = p + vector(label + j * label_step, 1, n)[0] * step + j * size
        vector(place, 1, like)[0] = -total[j]


@njit(**INLINE)
def _add(terms, total):
    for j in range(total.shape[0]):
        total[j] += terms[j]


@njit(**INLINE)
def _scale_each(p, g, t):
    for j in range(g.shape[0]):
        x = p[j] * g[j] if t is None else p[j] * g[j] / t[j]
        p[j] = select(g[j] == zero(x), zero(x), x)


AT_ONCE = bind(at_once, derivatives_row)
ROWS = bind(labelled_by_rows, label_row)
COLUMNS = bind(labelled_by_columns, label_tile)
