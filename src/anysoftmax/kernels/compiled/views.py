"""Arrays seen as ``(outer, class, inner)``, without a copy wherever their strides allow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

__all__ = ["View", "memory_of", "pieces", "view"]

NumpyArray = np.ndarray[Any, Any]


class View(NamedTuple):
    """Logits, results, and what there is one of a slice, each with the axes outer, class, inner.

    There may be temperatures, labels, and cotangents.
    """

    x: NumpyArray
    out: NumpyArray
    t: NumpyArray | None = None
    labels: NumpyArray | None = None
    g: NumpyArray | None = None

    def of_each(self, function: Callable[[NumpyArray], NumpyArray]) -> View:
        """Return what a function makes of each array."""
        made: list[Any] = [None if a is None else function(a) for a in self]
        return View(*made)


def view(given: View, axes: tuple[int, ...]) -> View | None:
    """See arrays of equally many axes as three; None if that takes a copy.

    The result may have a length of its own along the first of `axes`, and 1 along the others; what
    there is one of a slice must have 1.
    """
    x, out = given.x, given.out
    arrays = [a for a in given if a is not None]
    if any(not a.flags.aligned for a in arrays):
        return None
    first, last = min(axes), max(axes)
    if last - first + 1 == len(axes) and all(a.flags.c_contiguous for a in arrays):
        outer, inner = math.prod(x.shape[:first]), math.prod(x.shape[last + 1 :])
        return given.of_each(lambda a: a.reshape(outer, -1, inner))
    rest = [i for i in range(x.ndim) if i not in axes]
    reduced = any(out.shape[i] != x.shape[i] for i in axes)
    classes = _merge(x.shape, axes, [x] if reduced else [x, out])
    slices = _merge(x.shape, rest, arrays)
    if len(classes) > 1 or len(slices) > 2:
        return None
    ((depth, along),) = classes or [(1, [x.itemsize] * 2)]
    outer, inner = _pad(slices, len(arrays))
    lengths = [depth, depth, *(1 for _ in arrays[2:])]
    steps = [along[0], along[-1], *(a.itemsize for a in arrays[2:])]
    if reduced:
        lengths[1] = out.shape[first]
        steps[1] = out.strides[first] if lengths[1] > 1 else out.itemsize
    seen = iter(
        [
            as_strided(
                a,
                (outer[0], lengths[i], inner[0]),
                (outer[1][i], steps[i], inner[1][i]),
                writeable=i == 1,
            )
            for i, a in enumerate(arrays)
        ]
    )
    return given.of_each(lambda _: next(seen))


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


def memory_of(a: NumpyArray) -> tuple[int, ...]:
    """Return the address of an array and its strides, as compiled walks take memory."""
    return (a.__array_interface__["data"][0], *a.strides)


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
