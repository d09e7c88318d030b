r"""Derivatives of the surprisals of labels, made of the shares in their place.

With t the label of a slice and g its cotangent, :math:`p_i g / T` for the other classes, and for
the label what makes their sum 0. Where g is 0 or T is 0 or infinite, all of them are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from anysoftmax.kernels.compiled.arithmetic import INLINE, add_carrying, carry, fill, vector
from anysoftmax.kernels.compiled.columns import GROUP
from anysoftmax.kernels.compiled.instructions import one, select, zero
from anysoftmax.kernels.compiled.rows import BLOCK, REORDER
from anysoftmax.kernels.compiled.views import View, memory_of
from anysoftmax.kernels.compiled.walks import bind

__all__ = ["pull_back_labels"]

WIDTH = 256

kernel: Any = None  # each copy of a walk has its own under this name, see `bind`


def pull_back_labels(seen: View) -> None:
    """Put the derivatives in the place of the shares, which are contiguous along a tile's axis."""
    out, labels, g = seen.out, seen.labels, seen.g
    assert labels is not None  # noqa: S101 - for the type checker
    assert g is not None  # noqa: S101
    by_rows = out.shape[2] == 1 or out.strides[1] == out.itemsize
    walk = ROWS if by_rows else COLUMNS
    walk(
        memory_of(out),
        out.shape,
        memory_of(labels.astype(np.int64, copy=False)),
        memory_of(g),
        None if seen.t is None else memory_of(seen.t),
        np.zeros((5, 1 if by_rows else min(out.shape[2], WIDTH)), out.dtype),
    )


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
    p[label] = zero(g)
    total = lost = zero(g)
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
    fill(total, zero(like))
    fill(lost, zero(like))
    for j in range(n):
        place = p + vector(label + j * label_step, 1, n)[0] * step + j * size
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


ROWS = bind(labelled_by_rows, label_row)
COLUMNS = bind(labelled_by_columns, label_tile)
