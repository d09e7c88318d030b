"""Ways through slices in memory: row by row, by tiles of columns, by small tiles turned round.

Memory is described by four integers, its address and its strides from one outer place, class and
inner place to the next, in bytes: slices lie along outer and inner. So one compiled function a
dtype serves every layout and library, where Numba's arrays would need one for each. A walk takes

- `x`, `out`, `t`: memory of the logits, the results and the temperatures (or None);
- `shape`: the lengths of outer, class and inner, and the number of results a slice;
- `limit`: the size from which a peak is no longer calm;
- `special`: room for a flag a slice, raised where it is not ordinary and nothing was computed;
- `memory`: scratch in the dtype of the work;

and returns the number of special slices.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from numba import njit

from anysoftmax.kernels.compiled import columns, rows
from anysoftmax.kernels.compiled.arithmetic import INLINE, vector
from anysoftmax.kernels.compiled.columns import BENCH
from anysoftmax.kernels.compiled.instructions import SQUARE, size_of, transpose_square

__all__ = ["COLUMNS", "PADDING", "ROWS", "TURNED", "bind"]

PADDING = 16  # keeps the pitch of turned tiles from a power of two: cache lines would conflict

kernel: Any = None  # each copy of a walk has its own under this name, see `bind`


def by_rows(x, out, t, shape, limit, special, memory):
    """Take slice by slice; one whose numbers do not lie side by side goes through `memory`."""
    outer, classes, inner, results = shape
    gathers, scatters = x[2] != memory.itemsize, out[2] != memory.itemsize
    row = memory[:classes]
    found = 0
    for o in range(outer):
        for i in range(inner):
            source = x[0] + o * x[1] + i * x[3]
            target = out[0] + o * out[1] + i * out[3]
            if gathers:
                gather(source, x[2], row)
                logits = row
            else:
                logits = vector(source, classes, limit)
            result = memory[:results] if scatters else vector(target, results, limit)
            if t is None:
                ordinary = kernel(logits, result, None, limit)
            else:
                place = t[0] + o * t[1] + i * t[3]
                ordinary = kernel(logits, result, vector(place, 1, limit)[0], limit)
            special[o * inner + i] = not ordinary
            if not ordinary:
                found += 1
            elif scatters:
                scatter(result, target, out[2])
    return found


def by_columns(x, out, t, shape, limit, special, memory):
    """Take tiles of slices whose numbers of one class lie side by side."""
    outer, classes, inner, results = shape
    width = memory.shape[0] // BENCH
    size = memory.itemsize
    dense = x[2] == inner * size and (out[2] == inner * size or results == 1)
    # Classes end to end can be taken several at once, until the lanes fill the width.
    together = min(max(1, width // inner), classes) if dense else 1
    rows = (classes + together - 1) // together
    found = 0
    for o in range(outer):
        for low in range(0, inner, width):
            slices = min(width, inner - low)
            first = o * inner + low
            bench = memory[: BENCH * slices * together].reshape((BENCH, slices * together))
            if t is None:
                temperatures = None
            else:
                temperatures = bench[BENCH - 1]
                for j in range(slices * together):
                    place = t[0] + o * t[1] + (low + j % slices) * t[3]
                    temperatures[j] = vector(place, 1, limit)[0]
            found += kernel(
                x[0] + o * x[1] + low * size,
                x[2] * together,
                out[0] + o * out[1] + low * size,
                out[2] * together,
                rows,
                (classes - (rows - 1) * together) * slices,
                temperatures,
                limit,
                special[first : first + slices],
                bench,
            )
    return found


def turned(x, out, t, shape, limit, special, memory):
    """Take few classes: small tiles are copied turned round, to be worked on as columns."""
    outer, classes, inner, results = shape
    height = max(classes, results)
    pitch = memory.shape[0] // (BENCH + height)
    tile = memory[: height * pitch].reshape((height, pitch))
    rest = memory[height * pitch :]
    step = pitch * memory.itemsize
    found = 0
    for first in range(0, outer * inner, pitch - PADDING):
        n = min(pitch - PADDING, outer * inner - first)
        bench = rest[: BENCH * n].reshape((BENCH, n))
        turn_in(x, first, inner, tile[:classes], n)
        if t is None:
            temperatures = None
        else:
            temperatures = bench[BENCH - 1]
            for j in range(n):
                o, i = divmod(first + j, inner)
                temperatures[j] = vector(t[0] + o * t[1] + i * t[3], 1, limit)[0]
        found += kernel(
            tile.ctypes.data,
            step,
            tile.ctypes.data,
            step,
            classes,
            n,
            temperatures,
            limit,
            special[first : first + n],
            bench,
        )
        turn_back(tile[:results], out, first, inner, n)
    return found


@njit(**INLINE)
def turn_in(x, first, inner, tile, n):
    """Copy n slices from `first` on into the columns of a tile."""
    o, i = divmod(first, inner)
    j = 0
    while j < n:
        source = x[0] + o * x[1] + i * x[3]
        run = n - j if inner == 1 else min(n - j, inner - i)
        turn(
            source,
            x[1] if inner == 1 else x[3],
            x[2],
            tile.ctypes.data + j * tile.itemsize,
            tile.strides[0],
            tile.itemsize,
            run,
            tile.shape[0],
            tile[0, 0],
        )
        j, o, i = j + run, o + 1, 0


@njit(**INLINE)
def turn_back(tile, out, first, inner, n):
    """Copy the columns of a tile to the n slices from `first` on."""
    o, i = divmod(first, inner)
    j = 0
    while j < n:
        target = out[0] + o * out[1] + i * out[3]
        run = n - j if inner == 1 else min(n - j, inner - i)
        turn(
            tile.ctypes.data + j * tile.itemsize,
            tile.strides[0],
            tile.itemsize,
            target,
            out[1] if inner == 1 else out[3],
            out[2],
            tile.shape[0],
            run,
            tile[0, 0],
        )
        j, o, i = j + run, o + 1, 0


@njit(error_model="numpy")
def turn(
    source,
    source_step,
    source_unit,
    target,
    target_step,
    target_unit,
    rows,
    columns,
    like,
):
    """Copy rows of the source to columns of the target; squares where both lie side by side."""
    size = size_of(like)
    whole_rows = whole_columns = 0
    if source_unit == size and target_unit == size:
        whole_rows, whole_columns = rows // SQUARE * SQUARE, columns // SQUARE * SQUARE
    for r in range(0, whole_rows, SQUARE):
        for c in range(0, whole_columns, SQUARE):
            transpose_square(
                source + r * source_step + c * size,
                source_step,
                target + c * target_step + r * size,
                target_step,
                like,
            )
    # The longer of the two loops inside.
    if rows >= columns:
        for c in range(columns):
            column, row = source + c * source_unit, target + c * target_step
            for r in range(whole_rows if c < whole_columns else 0, rows):
                vector(row + r * target_unit, 1, like)[0] = vector(
                    column + r * source_step, 1, like
                )[0]
    else:
        for r in range(rows):
            row, column = source + r * source_step, target + r * target_unit
            for c in range(whole_columns if r < whole_rows else 0, columns):
                vector(column + c * target_step, 1, like)[0] = vector(
                    row + c * source_unit, 1, like
                )[0]


@njit(**INLINE)
def gather(source, step, target):
    """Copy numbers that are `step` bytes apart."""
    for k in range(target.shape[0]):
        target[k] = vector(source + k * step, 1, target[0])[0]


@njit(**INLINE)
def scatter(source, target, step):
    """Copy numbers to places that are `step` bytes apart."""
    for k in range(source.shape[0]):
        vector(target + k * step, 1, source[0])[0] = source[k]


def bind(walk: Callable[..., Any], function: Any) -> Any:
    """Compile a walk that calls `function` at each stop.

    Numba's cache on disk never hits for a function that closes over a compiled one; a copy of the
    walk with a name and globals of its own does. The cache asks only whether this very file has
    changed: the digest in the name says the same of the others.
    """
    name = f"{walk.__name__}_{function.__name__}_{DIGEST:08x}"
    copy = FunctionType(walk.__code__, {**walk.__globals__, "kernel": function}, name)
    copy.__qualname__ = name
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(copy)
    except RuntimeError:  # there is no place on disk that can be written to
        return njit(**options)(copy)


def digest() -> int:
    """Return a checksum of the source files of this package."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return zlib.crc32(b"".join(file.read_bytes() for file in files))


DIGEST = digest()
ROWS = {
    "softmax": bind(by_rows, rows.softmax_row),
    "log_softmax": bind(by_rows, rows.log_softmax_row),
    "logsumexp": bind(by_rows, rows.logsumexp_row),
    "summary": bind(by_rows, rows.summary_row),
    "moments": bind(by_rows, rows.moments_row),
}
COLUMNS = {
    "softmax": bind(by_columns, columns.softmax_tile),
    "log_softmax": bind(by_columns, columns.log_softmax_tile),
    "logsumexp": bind(by_columns, columns.logsumexp_tile),
    "summary": bind(by_columns, columns.summary_tile),
}
TURNED = {
    "softmax": bind(turned, columns.softmax_tile),
    "log_softmax": bind(turned, columns.log_softmax_tile),
    "logsumexp": bind(turned, columns.logsumexp_tile),
    "summary": bind(turned, columns.summary_tile),
}
