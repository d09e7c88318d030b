"""The ``.npy`` format: arrays larger than memory, mapped and processed block by block."""

from __future__ import annotations

import errno
import io
import itertools
import math
import os
import tokenize
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from anysoftmax.files.contents import Labels, Logits
from anysoftmax.files.errors import FileError
from anysoftmax.files.formats import Progress
from anysoftmax.files.operation import Operation

__all__ = ["blocks", "process", "read_labels", "read_logits"]

BLOCK_BYTES = 8 * 2**20
# Pages of a map count as the process's own memory as long as it stands, so both maps are renewed.
BLOCKS_PER_MAP = 8
# NumPy parses the header as Python text; each of these has been seen on damaged ones.
DAMAGE = (ValueError, TypeError, KeyError, SyntaxError, RecursionError, tokenize.TokenError)

Index = tuple[Any, ...]


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

    def map(self, stream: BinaryIO, mode: Any) -> Any:
        """Map the numbers of a file that has this header into memory."""
        order: Any = "F" if self.fortran_order else "C"
        return np.asarray(
            np.memmap(
                stream, self.dtype, mode=mode, offset=self.offset, shape=self.shape, order=order
            )
        )


def process(source: Path, target: Path, operation: Operation, progress: Progress) -> None:
    """Write the result of `operation` on the array in `source` to `target`, block by block."""
    with opened(source) as stream, target.open("w+b") as output:
        given = read_header(source, stream, REAL)
        axes = operation.axes(given.shape)
        dtype = operation.result_dtype(len(given.shape), given.dtype)
        wanted = write_header(output, given._replace(dtype=dtype))
        if not wanted.nbytes:
            return
        reserve(output, wanted.offset + wanted.nbytes)
        work_bytes = max(given.dtype.itemsize, dtype.itemsize, 4)  # 16-bit work is in float32
        pending = blocks(given, axes, BLOCK_BYTES // work_bytes)
        done = 0
        while group := list(itertools.islice(pending, BLOCKS_PER_MAP)):
            logits, results = given.map(stream, "r"), wanted.map(output, "r+")
            for block in group:
                operation(logits[block], out=results[block])
                done += results[block].nbytes
                progress(done / wanted.nbytes)
            del logits, results


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
        header = read_header(source, stream, numbers)
        if not header.nbytes:  # which no map can have
            return np.empty(header.shape, header.dtype)
        return header.map(stream, "r")


def row_name(shape: tuple[int, ...], sample: int) -> str:
    """Return what messages call the row of a sample, counted as NumPy counts."""
    index = tuple(map(int, np.unravel_index(sample, shape)))
    return f"row {index[0] if len(index) == 1 else index} (from 0)"


def opened(source: Path) -> BinaryIO:
    """Open a file that can be mapped into memory."""
    if not source.is_file():
        raise FileError(f"{source}: is not a regular file, which a memory map needs")
    try:
        return source.open("rb")
    except OSError as error:
        raise FileError(f"{source}: cannot be read: {error.strerror}") from error


def read_header(path: Path, stream: BinaryIO, numbers: Numbers) -> Header:
    """Read the header and check that the file holds the numbers that it announces."""
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran_order, dtype = read(stream)
    except DAMAGE as error:
        size = path.stat().st_size
        reason = "it is empty" if size == 0 else "its header is missing or damaged"
        raise FileError(f"{path}: is not a .npy file: {reason}") from error
    if dtype.hasobject:
        raise FileError(f"{path}: holds pickled Python objects, which are never loaded")
    if dtype.kind not in numbers.kinds or dtype.itemsize > 8:
        raise FileError(f"{path}: holds {dtype}: {numbers.rule}")
    if any(n < 0 for n in shape):
        raise FileError(f"{path}: is not a .npy file: its header gives the shape {shape}")
    header = Header(shape, fortran_order, dtype, stream.tell())
    size = os.fstat(stream.fileno()).st_size
    if size < header.offset + header.nbytes:
        raise FileError(
            f"{path}: is truncated: {dtype} of shape {shape} takes"
            f" {header.offset + header.nbytes} bytes, the file has {size}"
        )
    return header


def write_header(stream: BinaryIO, header: Header) -> Header:
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
    stream.flush()
    return header._replace(offset=len(text.getvalue()))


def reserve(stream: BinaryIO, size: int) -> None:
    """Give the file its full size, with room on the disk for all of it.

    A map over room that does not exist ends the process by a signal (SIGBUS) when the disk turns
    out to be full; here it is an `OSError`.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(stream.fileno(), 0, size)
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
                raise
        else:
            return
    os.truncate(stream.fileno(), size)  # the file system cannot reserve


def blocks(header: Header, axes: tuple[int, ...], most: int) -> Iterator[Index]:
    """Cut an array into blocks of at most `most` elements that hold whole slices along `axes`.

    Cuts are made along the axes whose elements lie farthest apart, so that a block is as close to
    one run of bytes as it can be. A block has at least one slice, however large.
    """
    ndim = len(header.shape)
    outermost_first = range(ndim)[:: -1 if header.fortran_order else 1]
    size = math.prod(header.shape)
    cuts: list[list[slice]] = [[slice(None)] for _ in range(ndim)]
    for axis in outermost_first:
        if size <= most:
            break
        if axis in axes:
            continue
        length = header.shape[axis]
        size //= length
        step = max(1, most // size)
        cuts[axis] = [slice(i, i + step) for i in range(0, length, step)]
        size *= step
    # A 0-d array needs the ellipsis: an empty index would give a number, not a view.
    return ((*index, ...) for index in itertools.product(*cuts))
