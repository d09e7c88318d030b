"""Tables as text, ``.csv`` unless another delimiter is given: a few rows at a time."""

from __future__ import annotations

import contextlib
import csv
import itertools
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from anysoftmax.admission import admit_axis
from anysoftmax.files.columns import (
    Columns,
    Row,
    id_column,
    is_header,
    is_number,
    label_column,
    numbers_of,
    sort_columns,
)
from anysoftmax.files.contents import Blocks, Labels, Logits
from anysoftmax.files.errors import FileError
from anysoftmax.files.formats import Progress
from anysoftmax.files.lines import Lines, opened
from anysoftmax.files.operation import Operation
from anysoftmax.files.places import WRITING, Place

__all__ = ["in_blocks", "process", "read_labels", "read_logits"]

BATCH_CELLS = 2**16
COMMA = ","

WriteRow = Callable[[Sequence[Any]], None]


class Table(NamedTuple):
    """A table that is about to be read: its header, which columns are what, and its rows."""

    header: list[str] | None
    columns: Columns
    rows: Iterator[Row]


def process(
    source: Place,
    target: Place,
    operation: Operation,
    progress: Progress,
    *,
    delimiter: str = COMMA,
) -> None:
    """Write the result of `operation` on the table in `source` to `target`, row by row."""
    with contextlib.ExitStack() as files:
        lines = files.enter_context(opened(source))
        output = (
            files.enter_context(target.open("w", **WRITING)) if isinstance(target, Path) else target
        )
        table = look_at(lines, delimiter)
        name, axes = lines.name, operation.axes((0, len(table.columns.names)))
        operation.result_dtype(2, np.dtype(np.float64))

        write_row = row_writer(output, delimiter)
        if table.header:
            write_row(table.header)
        classes = table.columns.classes
        # Down the columns a slice ends only with the table.
        most = max(1, BATCH_CELLS // len(classes)) if axes == (1,) else None
        for batch in batches(table.rows, most):
            logits = np.array([numbers_of(name, table.columns, row) for row in batch])
            write_batch(write_row, batch, classes, operation(logits))
            progress(*lines.bytes_read())


@contextlib.contextmanager
def in_blocks(
    source: Place, axis: int, progress: Progress, *, delimiter: str = COMMA
) -> Iterator[Blocks]:
    """Open a table to read its columns of numbers some rows at a time."""
    with opened(source) as lines:
        table = look_at(lines, delimiter)
        axes = admit_axis(axis, (0, len(table.columns.names)))
        classes = table.columns.classes

        def parts() -> Iterator[tuple[tuple[int, ...], Any]]:
            done = 0
            for batch in batches(table.rows, max(1, BATCH_CELLS // len(classes))):
                yield (done, 0), np.array([numbers_of(lines.name, table.columns, r) for r in batch])
                done += len(batch)
                progress(*lines.bytes_read())

        yield Blocks((None, len(classes)), axes, parts())


def read_logits(source: Place, progress: Progress, *, delimiter: str = COMMA) -> Logits:
    """Read the columns of numbers."""
    parts, places = [], array("q")
    ids: list[str] = []
    with opened(source) as lines:
        name, table = lines.name, look_at(lines, delimiter)
        classes, marked = table.columns.classes, id_column(table.header)
        for batch in batches(table.rows, max(1, BATCH_CELLS // len(classes))):
            parts.append(np.array([numbers_of(name, table.columns, row) for row in batch]))
            places.extend(row.line for row in batch)
            if marked is not None:
                ids.extend(row.cells[marked].strip() for row in batch)
            progress(*lines.bytes_read())
    names = [table.header[i].strip() for i in classes] if table.header else None
    return Logits(name, np.concatenate(parts), names, partial(line_name, places), ids or None)


def read_labels(source: Place, classes: Sequence[str] | None, *, delimiter: str = COMMA) -> Labels:
    """Read the column of labels; in one that has no header, the first cell may name a class."""
    cells, places, ids, same = [], array("q"), [], dict[str, str]()
    with opened(source) as lines:
        name, rows = lines.name, read_rows(lines, delimiter)
        ahead = [row for row in (next(rows, None), next(rows, None)) if row is not None]
        if not ahead:
            raise FileError(f"{name}: is empty")
        first = ahead[0].cells
        if len(first) == 1:
            header = not is_number(first[0]) and first[0].strip() not in (classes or ())
        else:
            header = is_header(first, ahead[1].cells if len(ahead) > 1 else None)
        column = label_column(name, first if header else None, len(first))
        marked = id_column(first) if header else None
        for row in itertools.chain(ahead[1:] if header else ahead, rows):
            cell = row.cells[column].strip()
            cells.append(same.setdefault(cell, cell))  # one text for all samples of a class
            places.append(row.line)
            if marked is not None:
                ids.append(row.cells[marked].strip())
    return Labels(name, cells, partial(line_name, places), ids or None)


def line_name(places: Sequence[int], sample: int) -> str:
    """Return what messages call the row of a sample."""
    return f"line {places[sample]}"


def look_at(lines: Lines, delimiter: str) -> Table:
    """Read the header, if there is one, and tell the columns by the first row of numbers."""
    name, rows = lines.name, read_rows(lines, delimiter)
    first = next(rows, None)
    if first is None:
        raise FileError(f"{name}: is empty")
    second = next(rows, None)
    header = is_header(first.cells, second.cells if second else None)
    body = second if header else first
    if body is None:
        raise FileError(f"{name}: has a header but no row of numbers")
    columns = sort_columns(name, first.cells if header else None, body)
    ahead = [row for row in ((second,) if header else (first, second)) if row is not None]
    return Table(first.cells if header else None, columns, itertools.chain(ahead, rows))


def read_rows(lines: Lines, delimiter: str) -> Iterator[Row]:
    """Yield the rows; raise for a blank one in the middle or one of another length."""
    name, reader = lines.name, csv.reader(lines, delimiter=delimiter, strict=True)
    length = blank = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileError(f"{name}: line {reader.line_num}: {error}") from error
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


def row_writer(target: TextIO, delimiter: str) -> WriteRow:
    """Return a function that writes the cells of a row."""
    writer = partial(csv.writer, target, delimiter=delimiter, lineterminator="\n")
    write, write_quoted = writer().writerow, writer(quoting=csv.QUOTE_ALL).writerow

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
