"""An array in a file, read and written block by block without a memory map.

A map would end the process by a signal (SIGBUS) when somebody cuts the file short or the disk turns
out to be full; reading and writing fail with an error. They are faster, too: a map takes a fault of
the processor for each page, and its pages count as the process's own memory as long as it stands.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from io import FileIO
from threading import Lock
from typing import IO, Any

import numpy as np

from anysoftmax.files.errors import FileError

__all__ = ["StoredArray", "write_all"]


class StoredArray:
    """The numbers of an array in an open, unbuffered file: outermost axis first, without gaps.

    Threads may share it; they take turns, so that a disk is read and written in one place.
    """

    def __init__(
        self, name: str, stream: FileIO, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self._name = name
        self._stream = stream
        self._offset = offset
        self._turn = Lock()

    @property
    def nbytes(self) -> int:
        """The size of all numbers."""
        return math.prod(self.shape) * self.dtype.itemsize

    def shape_of(self, index: tuple[slice, ...]) -> tuple[int, ...]:
        """Return the shape of a block."""
        return tuple(len(range(n)[part]) for n, part in zip(self.shape, index, strict=True))

    def read(self, index: tuple[slice, ...], memory: Any) -> None:
        """Read a block into contiguous memory of its shape."""
        with self._turn:
            for offset, run in self._runs(index, memory):
                self._read_run(offset, run)

    def write(self, index: tuple[slice, ...], values: Any) -> None:
        """Write a block that lies in contiguous memory."""
        with self._turn:
            for offset, run in self._runs(index, values):
                self._stream.seek(offset)
                write_all(self._stream, run)

    def _read_run(self, offset: int, run: memoryview) -> None:
        try:
            self._stream.seek(offset)
            done = 0
            while done < len(run):  # the system may return less than it is asked for
                count = self._stream.readinto(run[done:])
                if not count:
                    raise FileError(f"{self._name}: was cut short while it was read")
                done += count
        except OSError as error:
            raise FileError(f"{self._name}: cannot be read: {error.strerror}") from error

    def _runs(self, index: tuple[slice, ...], block: Any) -> Iterator[tuple[int, memoryview]]:
        """Yield each run of bytes that a block is made of: its place in the file, and its part."""
        if not block.size:
            return
        memory = memoryview(block.reshape(-1).view(np.uint8))
        starts = [part.indices(n)[0] for part, n in zip(index, self.shape, strict=True)]
        # Elements between neighbours on each axis of the file.
        strides = [math.prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))]
        cut = [axis for axis, n in enumerate(self.shape) if block.shape[axis] < n]
        outer = cut[-1] if cut else 0  # one run holds all of this axis' part, and what lies inside
        length = math.prod(block.shape[outer:]) * self.dtype.itemsize
        first = sum(start * stride for start, stride in zip(starts, strides, strict=True))
        places = itertools.product(
            *(range(0, n * s, s) for n, s in zip(block.shape[:outer], strides[:outer], strict=True))
        )
        for number, place in enumerate(places):
            offset = self._offset + (first + sum(place)) * self.dtype.itemsize
            yield offset, memory[number * length : (number + 1) * length]


def write_all(stream: IO[bytes] | FileIO, data: bytes | memoryview) -> None:
    """Write bytes, of which a disk that is almost full takes a part, and then fails."""
    left = memoryview(data)
    while left:
        left = left[stream.write(left) :]
