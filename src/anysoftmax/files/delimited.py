"""Tables as text, ``.csv``: read and written a few rows at a time."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from anysoftmax.files.errors import FileError
from anysoftmax.files.formats import Progress
from anysoftmax.files.operation import Operation
from anysoftmax.files.places import READING, WRITING, Place, place_name

__all__ = ["process"]

RESERVED_NAMES = {"id", "label", "target"}
BATCH_CELLS = 2**16

WriteRow = Callable[[Sequence[Any]], None]


class Row(NamedTuple):
    """The cells of a row and the line of the file at which it ends."""

    line: int
    cells: list[str]


class Columns(NamedTuple):
    """Which columns of a table hold logits and which are copied."""

    names: list[str]  # as messages call them
    classes: list[int]
    text: list[int]  # no numbers in them; the columns with a reserved name are in neither list


def process(source: Place, target: Place, operation: Operation, progress: Progress) -> None:
    """Write the result of `operation` on the table in `source` to `target`, row by row."""
    with contextlib.ExitStack() as files:
        if isinstance(source, Path):
            try:
                table = files.enter_context(source.open(**READING))
            except OSError as error:
                raise FileError(f"{source}: cannot be read: {error.strerror}") from error
        else:
            table = source
        output = (
            files.enter_context(target.open("w", **WRITING)) if isinstance(target, Path) else target
        )
        convert(table, output, place_name(source), operation, progress)


def convert(
    source: TextIO, target: TextIO, name: str, operation: Operation, progress: Progress
) -> None:
    """Write the result of `operation` on a table from stream to stream; `name` is for messages."""
    rows = read_rows(source, name)
    first = next(rows, None)
    if first is None:
        raise FileError(f"{name}: is empty")
    axes = operation.axes((0, len(first.cells)))
    operation.result_dtype(2, np.dtype(np.float64))
    second = next(rows, None)
    header = is_header(first.cells, second.cells if second else None)
    body = second if header else first
    if body is None:
        raise FileError(f"{name}: has a header but no row of numbers")
    columns = sort_columns(name, first.cells if header else None, body)

    write_row = row_writer(target)
    if header:
        write_row(first.cells)
    else:
        rows = prepend(second, rows)
    # Down the columns a slice ends only with the table.
    most = max(1, BATCH_CELLS // len(columns.classes)) if axes == (1,) else None
    for batch in batches(prepend(body, rows), most):
        logits = np.array([numbers_of(name, columns, row) for row in batch])
        write_batch(write_row, batch, columns.classes, operation(logits))
        progress(fraction_read(source))


def read_rows(source: TextIO, name: str) -> Iterator[Row]:
    """Yield the rows; raise for a blank one in the middle or one of another length."""
    reader = csv.reader(source, strict=True)
    length = blank = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileError(f"{name}: line {reader.line_num}: {error}") from error
        except OSError as error:
            raise FileError(f"{name}: cannot be read: {error.strerror}") from error
        line = reader.line_num
        if not cells:
            blank = blank or line
            continue
        if blank:
            raise FileError(f"{name}: line {blank} is blank")
        if length and len(cells) != length:
            raise FileError(
                f"{name}: line {line} has {len(cells)} cells, the rows before it have {length}"
            )
        length = len(cells)
        yield Row(line, cells)


def is_header(first: Sequence[str], second: Sequence[str] | None) -> bool:
    """Tell whether the first row of a table names its columns.

    Each of its cells must be a name: no number, or a whole one as classes are often numbered. And
    one of these must hold: a name is reserved, or the first one empty; no name is a number; a name
    that is not a number stands above a number; the names are 0, 1, 2, ..., as pandas numbers
    columns, above numbers that are not whole.
    """
    if any(is_number(cell) and not is_whole(cell) for cell in first):
        return False
    if kept_columns(first) or not any(map(is_number, first)):
        return True
    if second is None:
        return False
    if any(is_number(b) and not is_number(a) for a, b in zip(first, second, strict=True)):
        return True
    below = [b for a, b in zip(first, second, strict=True) if is_number(a)]
    counted = [a for a in first if is_number(a)] == [str(i) for i in range(len(below))]
    return counted and len(below) > 1 and not any(map(is_whole, below))


def sort_columns(name: str, header: Sequence[str] | None, body: Row) -> Columns:
    """Tell the columns that hold logits from those that are copied."""
    names = [
        f"column {i + 1}" + (f" ({shown(header[i])})" if header else "")
        for i in range(len(body.cells))
    ]
    kept = kept_columns(header or ())
    rest = [i for i in range(len(body.cells)) if i not in kept]
    classes = [i for i in rest if is_number(body.cells[i])]
    if not classes:
        raise FileError(f"{name}: line {body.line}: no column holds numbers")
    return Columns(names, classes, [i for i in rest if i not in classes])


def numbers_of(name: str, columns: Columns, row: Row) -> list[float]:
    """Return the logits of a row; raise for a cell of the other kind than its column."""
    for i in columns.text:
        if is_number(row.cells[i]):
            raise FileError(
                f"{name}: line {row.line}, {columns.names[i]}: {shown(row.cells[i])} is a number in"
                " a column of text; name the column id, label or target to keep it as it is"
            )
    numbers = []
    for i in columns.classes:
        number = number_in(row.cells[i])
        if number is None:
            raise FileError(
                f"{name}: line {row.line}, {columns.names[i]}:"
                f" {shown(row.cells[i])} is not a number"
            )
        numbers.append(number)
    return numbers


def row_writer(target: TextIO) -> WriteRow:
    """Return a function that writes the cells of a row."""
    write = csv.writer(target, lineterminator="\n").writerow
    write_quoted = csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow

    def write_row(cells: Sequence[Any]) -> None:
        # The csv module leaves a carriage return bare, where readers take it for the end of a line.
        risky = any("\r" in cell for cell in cells if isinstance(cell, str))
        (write_quoted if risky else write)(cells)

    return write_row


def write_batch(write_row: WriteRow, batch: list[Row], classes: list[int], results: Any) -> None:
    """Write rows with the results in place of the logits, in digits that read back exactly."""
    # The csv module writes a float by its repr; NumPy's narrower ones know theirs by str.
    narrow = results.dtype != np.float64
    for row, values in zip(batch, results, strict=True):
        for i, value in zip(classes, map(str, values) if narrow else values.tolist(), strict=True):
            row.cells[i] = value
        write_row(row.cells)


def batches(rows: Iterator[Row], most: int | None) -> Iterator[list[Row]]:
    """Group rows into lists of at most `most`, or into one list."""
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == most:
            yield batch
            batch = []
    if batch:
        yield batch


def prepend(row: Row | None, rows: Iterator[Row]) -> Iterator[Row]:
    """Put a row that was read ahead back in front."""
    if row is not None:
        yield row
    yield from rows


def number_in(cell: str) -> float | None:
    """Return the number that a cell holds, NaN and infinities included, or None."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return None if "_" in cell else number  # 1_000 is Python's way to write, not a table's


def is_number(cell: str) -> bool:
    """Tell whether a cell holds a number."""
    return number_in(cell) is not None


def is_whole(cell: str) -> bool:
    """Tell whether a cell is a number without point, sign or exponent."""
    return cell.strip().isdecimal()


def kept_columns(header: Sequence[str]) -> set[int]:
    """Return the columns that are copied whatever they hold: by name, or pandas' unnamed index."""
    names = [cell.strip().lower() for cell in header]
    return {i for i, name in enumerate(names) if name in RESERVED_NAMES or (i == 0 and not name)}


def shown(cell: str) -> str:
    """Quote a cell for a message."""
    return repr(cell if len(cell) <= 40 else cell[:37] + "...")


def fraction_read(source: TextIO) -> float:
    """Return how much of a file has been read; 0 for a stream of unknown length."""
    with contextlib.suppress(AttributeError, OSError, io.UnsupportedOperation, ZeroDivisionError):
        return source.buffer.tell() / os.fstat(source.fileno()).st_size
    return 0.0
