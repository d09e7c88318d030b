"""From a stored array of logits to one of results: blocks of slices, shared among the workers."""

from __future__ import annotations

import math
from dataclasses import replace
from threading import Lock, get_ident, local
from typing import Any

import numpy as np

from anysoftmax.blocks import gather
from anysoftmax.files.formats import Progress
from anysoftmax.files.layout import blocks
from anysoftmax.files.operation import Operation
from anysoftmax.files.stored import StoredArray
from anysoftmax.threads import for_each

__all__ = ["convert", "cut"]

BLOCK_BYTES = 4 * 2**20  # of logits that a worker has in memory, as wide as they are in work
WHOLE = 8  # blocks: longer slices are cut into parts, and read twice
PART = 4  # parts of a block: each step of the work on them fits the caches
RUN_BYTES = 2**15  # that lie together in a file; disks take their time for each place
FEW_SLICES = 32  # side by side: so few are turned, for NumPy's inner loops to be long

Index = tuple[slice, ...]


def convert(
    given: StoredArray, wanted: StoredArray, operation: Operation, progress: Progress
) -> None:
    """Write the result of `operation`, whose axes are those of the file, on one array to another.

    What is computed does not depend on the number of workers, and each of them holds a few blocks
    in memory at a time.
    """
    item = max(given.dtype.itemsize, wanted.dtype.itemsize, 4)  # 16-bit work is in float32
    whole, in_parts = cut(given, operation.axes(given.shape), item)
    count = _Count(progress, (2 if in_parts else 1) * given.nbytes)
    work = _Work(given, wanted, operation, count)
    for_each(work.convert_slices, whole)
    for parts in in_parts:
        work.convert_parts(parts)
    count.finish()


def cut(
    given: StoredArray, axes: tuple[int, ...], item: int
) -> tuple[list[Index], list[list[Index]]]:
    """Cut an array into blocks of whole slices; or, where these are too long, each into parts.

    `item` is how many bytes an element takes in the work on it. One of the lists is empty.
    """
    most, run = max(1, BLOCK_BYTES // item), max(1, RUN_BYTES // item)
    groups = [index[:-1] for index in blocks(given.shape, axes, most, run=run)]
    if math.prod(given.shape_of(groups[0])) <= WHOLE * most:
        return groups, []
    others = tuple(axis for axis in range(len(given.shape)) if axis not in axes)
    return [], [
        [
            _within(group, part)
            for part in blocks(given.shape_of(group), others, max(1, most // PART), run=run)
        ]
        for group in groups
    ]


class _Count:
    """Counts the bytes that have been read; only the caller's thread tells the caller."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total = progress, total
        self._done = self._told = 0
        self._turn, self._caller = Lock(), get_ident()

    def add(self, count: int) -> None:
        with self._turn:
            self._done += count
        if get_ident() == self._caller:
            self._tell()

    def finish(self) -> None:
        """Tell what other threads have done last."""
        if self._told < self._done:
            self._tell()

    def _tell(self) -> None:
        self._told = self._done
        self._progress(self._told, self._total)


class _Memory(local):
    """Memory of one thread that is used again for each block, by purpose."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def take(self, purpose: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        """Return an array, whatever it holds."""
        size = math.prod(shape)
        if purpose not in self._kept or self._kept[purpose].size < size:
            self._kept[purpose] = np.empty(size, dtype)
        return self._kept[purpose][:size].reshape(shape)


class _Work:
    """What is done to one block after the other."""

    def __init__(
        self, given: StoredArray, wanted: StoredArray, operation: Operation, count: _Count
    ) -> None:
        self._given, self._wanted, self._count = given, wanted, count
        self._operation = operation
        self._axes = operation.axes(given.shape)
        self._memory = _Memory()
        self._order = self._order_of_axes()

    def convert_slices(self, index: Index) -> None:
        """Convert a block of whole slices, in its own memory where that can hold the results."""
        logits = self._read(index)
        results = logits
        if logits.dtype != self._wanted.dtype:
            results = self._memory.take("results", logits.shape, self._wanted.dtype)
        self._operation(logits, out=results)
        self._wanted.write(index, results)
        self._count_read(index)

    def convert_parts(self, parts: list[Index]) -> None:
        """Convert slices that are too long for memory: first all is summarised, then concluded."""
        order = self._order
        operation = replace(self._operation, axis=tuple(map(order.index, self._axes)))

        def load(i: int) -> Any:
            logits = np.ascontiguousarray(self._read(parts[i]).transpose(order))
            self._count_read(parts[i])
            return logits

        def conclude(i: int) -> None:
            shape = self._given.shape_of(parts[i])
            results = self._memory.take("results", shape, self._wanted.dtype)
            results.transpose(order)[...] = operation.conclude(load(i), known)
            self._wanted.write(parts[i], results)

        known = gather(lambda i: operation.summarise(load(i)), operation.merge, len(parts))
        for_each(conclude, range(len(parts)))

    def _read(self, index: Index) -> Any:
        shape = self._given.shape_of(index)
        logits = self._memory.take("logits", shape, self._given.dtype)
        self._given.read(index, logits)
        return logits

    def _count_read(self, index: Index) -> None:
        self._count.add(math.prod(self._given.shape_of(index)) * self._given.dtype.itemsize)

    def _order_of_axes(self) -> tuple[int, ...]:
        """Return the order of axes that parts of slices are computed in."""
        shape = self._given.shape
        everything = tuple(range(len(shape)))
        if everything[-1] in self._axes or shape[-1] >= FEW_SLICES:
            return everything
        return (*(axis for axis in everything if axis not in self._axes), *self._axes)


def _within(group: Index, part: Any) -> Index:
    """Return a part of a group of slices as a part of the array."""
    index = []
    for outer, inner in zip(group, part[:-1], strict=True):
        start = outer.start or 0
        stop = outer.stop if inner.stop is None else start + inner.stop
        index.append(slice(start + (inner.start or 0), stop))
    return tuple(index)
