"""Arrays seen as ``(outer, class, inner)``, without a copy wherever their strides allow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

__all__ = ["View", "pieces", "view"]

NumpyArray = np.ndarray[Any, Any]


class View(NamedTuple):
    """Logits, results and temperatures (or None), each with the axes outer, class and inner."""

    x: NumpyArray
    out: NumpyArray
    t: NumpyArray | None


def view(
    x: NumpyArray, out: NumpyArray, t: NumpyArray | None, axes: tuple[int, ...]
) -> View | None:
    """See arrays of equally many axes as three; None if that takes a copy.

    `out` may have a length of its own along `axes`, 1 if they are several, and `t` must have 1.
    """
    arrays = [a for a in (x, out, t) if a is not None]
    if any(not a.flags.aligned for a in arrays):
        return None
    first, last = min(axes), max(axes)
    if (
        t is None
        and last - first + 1 == len(axes)
        and x.flags.c_contiguous
        and out.flags.c_contiguous
    ):
        outer, inner = math.prod(x.shape[:first]), math.prod(x.shape[last + 1 :])
        return View(x.reshape(outer, -1, inner), out.reshape(outer, -1, inner), None)
    rest = [i for i in range(x.ndim) if i not in axes]
    reduced = any(out.shape[i] != x.shape[i] for i in axes)
    classes = _merge(x.shape, axes, [x] if reduced else [x, out])
    slices = _merge(x.shape, rest, arrays)
    if len(classes) > 1 or len(slices) > 2:
        return None
    ((depth, along),) = classes or [(1, [x.itemsize] * 2)]
    outer, inner = _pad(slices, len(arrays))
    lengths, steps = [depth, depth, 1], [*along, x.itemsize, x.itemsize]
    if reduced:
        lengths[1] = out.shape[first]
        steps[1] = out.strides[first] if lengths[1] > 1 else out.itemsize
    seen = []
    for i, a in enumerate(arrays):
        shape = (outer[0], lengths[i], inner[0])
        strides = (outer[1][i], steps[i], inner[1][i])
        seen.append(as_strided(a, shape, strides, writeable=i == 1))
    return View(seen[0], seen[1], None if t is None else seen[2])


def _merge(
    shape: Sequence[int], axes: Sequence[int], arrays: Sequence[NumpyArray]
) -> list[tuple[int, list[int]]]:
    """Return lengths and strides of axes, outermost first, those joined that lie end to end."""
    merged: list[tuple[int, list[int]]] = []
    for axis in sorted(axes, key=lambda i: -abs(arrays[0].strides[i])):
        length, strides = shape[axis], [a.strides[axis] for a in arrays]
        if length == 1:
            continue
        if merged and merged[-1][1] == [length * stride for stride in strides]:
            length *= merged.pop()[0]
        merged.append((length, strides))
    return merged


def _pad(slices: list[tuple[int, list[int]]], count: int) -> list[tuple[int, list[int]]]:
    """Return two axes; a lone one counts as inner if that makes columns of it, else as outer."""
    single = (1, [0] * count)
    if len(slices) == 2:
        return slices
    if not slices:
        return [single, single]
    return [single, slices[0]]


def pieces(shape: Sequence[int], slices: int) -> Iterator[tuple[int | slice, ...]]:
    """Cut leading axes into index tuples of at most `slices` elements each."""
    if not shape:
        yield ()
        return
    below = math.prod(shape[1:])
    if below <= slices:
        step = max(1, slices // max(1, below))
        for low in range(0, shape[0], step):
            yield (slice(low, low + step),)
    else:
        for i in range(shape[0]):
            for rest in pieces(shape[1:], slices):
                yield (slice(i, i + 1), *rest)
