"""How an array is cut into blocks, so that each of them is read in few and long runs of bytes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

__all__ = ["blocks"]

Index = tuple[Any, ...]


def blocks(
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    most: int,
    *,
    run: int = 1,
    fortran_order: bool = False,
) -> Iterator[Index]:
    """Cut an array into blocks of about `most` elements that are whole along `axes`.

    Cuts are made along the axes whose elements lie farthest apart, so that a block is as close to
    one run of bytes as it can be. Where it needs several, none is shorter than `run` elements, for
    which a block may be larger. It has at least one slice along `axes`, however large.
    """
    ndim = len(shape)
    outermost_first = range(ndim)[:: -1 if fortran_order else 1]
    size = inner = math.prod(shape)
    cuts: list[list[slice]] = [[slice(None)] for _ in range(ndim)]
    for axis in outermost_first:
        if size <= most:
            break
        length = shape[axis]
        inner //= length  # elements that lie between two neighbours on this axis
        if axis in axes:
            continue
        size //= length
        step = min(length, max(1, most // size, -(-run // inner)))
        cuts[axis] = [slice(i, i + step) for i in range(0, length, step)]
        size *= step
    # A 0-d array needs the ellipsis: an empty index would give a number, not a view.
    return ((*index, ...) for index in itertools.product(*cuts))
