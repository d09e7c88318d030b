"""The ``.npy`` format: arrays that may be larger than memory."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import math
import os
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from anysoftmax.admission import admit_axis
from anysoftmax.files.contents import Blocks, Labels, Logits
from anysoftmax.files.conversion import convert, cut
from anysoftmax.files.errors import FileError
from anysoftmax.files.formats import Progress
from anysoftmax.files.operation import Operation
from anysoftmax.files.stored import StoredArray

__all__ = [
    "REAL",
    "WHOLE",
    "blocks_of_file",
    "convert_file",
    "in_blocks",
    "mapped_file",
    "process",
    "read_labels",
    "read_logits",
    "row_name",
]

# NumPy parses the header as Python text; each of these has been seen on damaged ones.
DAMAGE = (ValueError, TypeError, KeyError, SyntaxError, RecursionError, tokenize.TokenError)

MOST_AXES = 64


class Numbers(NamedTuple):
    """The kinds of dtype that a file may hold, and how a message says so."""

    kinds: str
    rule: str


REAL = Numbers("iuf", "logits must be real numbers of at most 64 bits")
WHOLE = Numbers("iu", "labels must be class numbers, of an integer dtype")


class Header(NamedTuple):
    """What the first bytes of a ``.npy`` file say about the rest."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    offset: int  # bytes before the numbers

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def map(self, stream: FileIO) -> Any:
        """Map the numbers of a file that has this header into memory, to be read."""
        order: Any = "F" if self.fortran_order else "C"
        return np.asarray(
            np.memmap(
                stream, self.dtype, mode="r", offset=self.offset, shape=self.shape, order=order
            )
        )

    def stored(self, name: str, stream: FileIO) -> StoredArray:
        """Return the numbers of a file that has this header, its outermost axis first."""
        shape = self.shape[::-1] if self.fortran_order else self.shape
        return StoredArray(name, stream, shape or (1,), self.dtype, self.offset)

    def axes_in_file(self, axes: tuple[int, ...]) -> tuple[int, ...]:
        """Return axes of the array as axes of `stored`."""
        if not self.shape:
            return (0,)
        last = len(self.shape) - 1
        return tuple(last - axis if self.fortran_order else axis for axis in axes)


def process(source: Path, target: Path, operation: Operation, progress: Progress) -> None:
    """Write the result of `operation` on the array in `source` to `target`, block by block."""
    with opened(source) as stream, target.open("r+b", buffering=0) as output:
        convert_file(str(source), stream, output, operation, progress)


def convert_file(
    name: str, stream: FileIO, output: FileIO, operation: Operation, progress: Progress
) -> None:
    """Write the result of `operation` on the array in a file; `name` is for messages."""
    given = read_header(name, stream, REAL)
    axes = operation.axes(given.shape)
    dtype = operation.result_dtype(len(given.shape), given.dtype)
    wanted = write_header(output, given._replace(dtype=dtype))
    if not wanted.nbytes:
        return
    reserve(output, wanted.offset + wanted.nbytes)
    convert(
        given.stored(name, stream),
        wanted.stored(name, output),
        replace(operation, axis=given.axes_in_file(axes), dtype=dtype.name),
        progress,
    )


@contextlib.contextmanager
def in_blocks(source: Path, axis: int, progress: Progress) -> Iterator[Blocks]:
    """Open an array of logits to be read a block at a time."""
    with opened(source) as stream:
        yield blocks_of_file(str(source), stream, axis, progress)


def blocks_of_file(name: str, stream: FileIO, axis: int, progress: Progress) -> Blocks:
    """Return the blocks of the array in an open file; `name` is for messages."""
    header = read_header(name, stream, REAL)
    axes = admit_axis(axis, header.shape)
    given = header.stored(name, stream)

    def parts() -> Iterator[tuple[tuple[int, ...], Any]]:
        done = 0
        whole, in_parts = cut(given, header.axes_in_file(axes), given.dtype.itemsize)
        for index in itertools.chain(whole, *in_parts):
            block = np.empty(given.shape_of(index), given.dtype)
            given.read(index, block)
            start = tuple(part.start or 0 for part in index)
            yield (start[::-1], block.T) if header.fortran_order else (start, block)
            done += block.nbytes
            progress(done, given.nbytes)

    # A 0-d array is stored as a slice of one element.
    return Blocks(header.shape or (1,), axes or (0,), parts())


def read_logits(source: Path, progress: Progress) -> Logits:  # noqa: ARG001 - as for all formats
    """Map an array of logits into memory."""
    array = mapped(source, REAL)
    return Logits(str(source), array, None, partial(row_name, array.shape[:-1]))


def read_labels(source: Path, classes: Sequence[str] | None) -> Labels:  # noqa: ARG001
    """Map an array of class numbers into memory."""
    array = mapped(source, WHOLE)
    return Labels(str(source), array, partial(row_name, array.shape))


def mapped(source: Path, numbers: Numbers) -> Any:
    """Map an array into memory, of which only the parts that are looked at are read."""
    with opened(source) as stream:
        return mapped_file(str(source), stream, numbers)


def mapped_file(name: str, stream: FileIO, numbers: Numbers) -> Any:
    """Map the array in an open file into memory; `name` is for messages."""
    header = read_header(name, stream, numbers)
    if not header.nbytes:  # which no map can have
        return np.empty(header.shape, header.dtype)
    return header.map(stream)


def row_name(shape: tuple[int, ...], sample: int) -> str:
    """Return what messages call the row of a sample, counted as NumPy counts."""
    index = tuple(map(int, np.unravel_index(sample, shape)))
    return f"row {index[0] if len(index) == 1 else index} (from 0)"


def opened(source: Path) -> FileIO:
    """Open a file that can be read at any place."""
    if not source.is_file():
        raise FileError(f"{source}: is not a regular file, which alone can be read at any place")
    try:
        return source.open("rb", buffering=0)
    except OSError as error:
        raise FileError(f"{source}: cannot be read: {error.strerror}") from error


def read_header(name: str, stream: FileIO, numbers: Numbers) -> Header:
    """Read the header and check that the file holds the numbers that it announces."""
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
            (3, 0): np.lib.format.read_array_header_2_0,  # but for the names of fields
        }[version]
        shape, fortran_order, dtype = read(stream)
    except OSError as error:
        raise FileError(f"{name}: cannot be read: {error.strerror}") from error
    except DAMAGE as error:
        reason = "it is empty" if stream.tell() == 0 else "its header is missing or damaged"
        raise FileError(f"{name}: is not a .npy file: {reason}") from error
    if dtype.hasobject:
        raise FileError(f"{name}: holds pickled Python objects, which are never loaded")
    if dtype.kind not in numbers.kinds or dtype.itemsize > 8:
        raise FileError(f"{name}: holds {dtype}: {numbers.rule}")
    if len(shape) > MOST_AXES:
        raise FileError(f"{name}: has {len(shape)} axes, NumPy's arrays at most {MOST_AXES}")
    if any(n < 0 for n in shape):
        raise FileError(f"{name}: is not a .npy file: its header gives the shape {shape}")
    header = Header(shape, fortran_order, dtype, stream.tell())
    size = os.fstat(stream.fileno()).st_size
    if size < header.offset + header.nbytes:
        raise FileError(
            f"{name}: is truncated: {dtype} of shape {shape} takes"
            f" {header.offset + header.nbytes} bytes, the file has {size}"
        )
    return header


def write_header(stream: FileIO, header: Header) -> Header:
    """Write a header and return it with its own length."""
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        text,
        {
            "descr": np.lib.format.dtype_to_descr(header.dtype),
            "fortran_order": header.fortran_order,
            "shape": header.shape,
        },
    )
    stream.write(text.getvalue())
    return header._replace(offset=len(text.getvalue()))


def reserve(stream: FileIO, size: int) -> None:
    """Ask for room on the disk for all of the file, which is then written faster.

    A full disk is found out before the work, not after.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(stream.fileno(), 0, size)
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:  # not on this file system
                raise
