"""Tables as ``.parquet``: read and written some megabytes of rows at a time."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet, types

from anysoftmax.admission import admit_axis
from anysoftmax.files.columns import id_column, label_column, shown
from anysoftmax.files.contents import Blocks, Labels, Logits
from anysoftmax.files.errors import FileError
from anysoftmax.files.formats import Progress
from anysoftmax.files.operation import Operation
from anysoftmax.files.typed_columns import (
    LogitColumns,
    logit_columns,
    require_no_null,
    row_name,
)

__all__ = ["in_blocks", "process", "read_labels", "read_logits"]

BATCH_BYTES = 16 * 2**20
# Read at once from each column, rather than all that a group of rows has of it; though of columns
# that compression makes much smaller, pyarrow keeps what it has read until the group ends.
PAGE_BYTES = 2**16
DAMAGE = (pa.ArrowException, OSError, ValueError)  # what pyarrow raises for damaged files


class Opened(NamedTuple):
    """A file that has told what it holds."""

    source: Path
    size: int
    table: Any  # pyarrow's ParquetFile


def process(source: Path, target: Path, operation: Operation, progress: Progress) -> None:
    """Write the result of `operation` on the table in `source` to `target`, batch by batch."""
    with opened(source) as file:
        schema = file.table.schema_arrow
        columns = look_at(source, schema)
        axes = operation.axes((0, len(schema)))
        dtype = operation.result_dtype(2, columns.dtype)
        results_schema = with_corrected_notes(columns.schema(schema, dtype), columns, dtype)
        how = settings(file, columns)
        with parquet.ParquetWriter(target, results_schema, **how) as writer:
            # Down the columns a slice ends only with the table.
            for table, logits in batches(file, columns, progress, whole=axes != (1,)):
                writer.write_table(columns.replaced(table, operation(logits), results_schema))


@contextlib.contextmanager
def in_blocks(source: Path, axis: int, progress: Progress) -> Iterator[Blocks]:
    """Open a table to read its columns of numbers some megabytes at a time."""
    with opened(source) as file:
        schema = file.table.schema_arrow
        columns = look_at(source, schema)
        axes = admit_axis(axis, (0, len(schema)))
        matrices = (logits for _, logits in batches(file, columns, progress))
        first = next(matrices, np.empty((0, len(columns.places)), columns.dtype))

        def parts() -> Iterator[tuple[tuple[int, ...], Any]]:
            done = 0
            for logits in itertools.chain([first], matrices):
                yield (done, 0), logits
                done += len(logits)

        # Only a row tells the width of lists.
        yield Blocks((file.table.metadata.num_rows, first.shape[1]), axes, parts())


def read_logits(source: Path, progress: Progress) -> Logits:
    """Read the columns of numbers."""
    with opened(source) as file:
        schema = file.table.schema_arrow
        columns = look_at(source, schema)
        marked = id_column(schema.names)
        parts, ids = list[Any](), list[str]()
        for table, logits in batches(file, columns, progress):
            parts.append(logits)
            if marked is not None:
                ids.extend(cells(source, table.column(marked)))
    names = None if columns.lists else [schema.names[i].strip() for i in columns.places]
    none = np.empty((0, len(columns.places)), columns.dtype)
    return Logits(str(source), np.concatenate(parts or [none]), names, row_name, ids or None)


def read_labels(source: Path, classes: Sequence[str] | None) -> Labels:  # noqa: ARG001
    """Read the column of labels: whole numbers or text."""
    name = str(source)
    with opened(source) as file:
        schema = file.table.schema_arrow
        index, marked = index_names(schema), id_column(schema.names)
        names = [field for field in schema.names if field not in index]
        wanted = names[label_column(name, names, len(names))]
        asked = [wanted] if marked is None else [wanted, schema.names[marked]]
        with reading(source):
            table = file.table.read(columns=asked)
    column = table.column(wanted)
    require_no_null(name, wanted, column, 0)
    ids = None if marked is None else cells(source, table.column(schema.names[marked]))
    if types.is_integer(column.type):
        return Labels(name, column.to_numpy(), row_name, ids)
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if not (types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind)):
        raise FileError(
            f"{name}: column {shown(wanted)} holds {kind}: labels must be class numbers, of an"
            " integer type, or names of classes"
        )
    return Labels(name, cells(source, column), row_name, ids)


@contextlib.contextmanager
def opened(source: Path) -> Iterator[Opened]:
    """Open a file and read what it says about itself."""
    if not source.is_file():
        raise FileError(f"{source}: is not a regular file, which one read from its end must be")
    try:
        stream = source.open("rb")
    except OSError as error:
        raise FileError(f"{source}: cannot be read: {error.strerror}") from error
    with stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            table = parquet.ParquetFile(stream, buffer_size=PAGE_BYTES, pre_buffer=False)
        except DAMAGE as error:
            reason = f"it is something else, or cut: {brief(error)}" if size else "it is empty"
            raise FileError(f"{source}: is not a .parquet file: {reason}") from error
        yield Opened(source, size, table)


@contextlib.contextmanager
def reading(source: Path) -> Iterator[None]:
    """Tell errors that reading rows brings from those of what is done with the rows."""
    try:
        yield
    except DAMAGE as error:
        raise FileError(f"{source}: is damaged: {brief(error)}") from error


def look_at(source: Path, schema: Any) -> LogitColumns:
    """Find the columns of logits."""
    names = schema.names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise FileError(f"{source}: has several columns named {shown(twice)}: rename all but one")
    return logit_columns(str(source), schema, index_names(schema))


def batches(
    file: Opened, columns: LogitColumns, progress: Progress, *, whole: bool = False
) -> Iterator[tuple[Any, Any]]:
    """Yield tables of rows, or one of all, each with its logits."""
    rows, done, width = file.table.metadata.num_rows, 0, None
    pending = tables(file.table, columns, whole=whole)
    while True:
        with reading(file.source):
            table = next(pending, None)
        if table is None:
            return
        if table.num_rows:
            logits = columns.matrix(table, done, width)
            width = logits.shape[1]
            yield table, logits
            done += table.num_rows
            progress(file.size * done // rows, file.size)  # compressed: about so many bytes


def tables(file: Any, columns: LogitColumns, *, whole: bool) -> Iterator[Any]:
    """Read all rows, or some megabytes at a time, however many the file groups together."""
    if whole:
        yield file.read()
        return
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    widths = [group.total_byte_size / group.num_rows for group in groups if group.num_rows]
    widest = max([8.0 * len(columns.places), *widths])
    for batch in file.iter_batches(max(1, int(BATCH_BYTES / widest))):
        yield pa.Table.from_batches([batch])


def settings(file: Opened, columns: LogitColumns) -> dict[str, Any]:
    """Return how to write: compressed as the source is, and no dictionaries of probabilities."""
    names, metadata = file.table.schema_arrow.names, file.table.metadata
    replaced = {names[i] for i in columns.places}
    # Where these are damaged, reading a row tells; to ask for them first may end the process.
    with reading(file.source):
        empty = next(file.table.iter_batches(1), None) is None
    codec = "SNAPPY" if empty else metadata.row_group(0).column(0).compression
    return {
        "compression": "NONE" if codec == "UNCOMPRESSED" else codec,
        "use_dictionary": [name for name in names if name not in replaced],
    }


def pandas_notes(schema: Any) -> dict[str, Any]:
    """Return what pandas has noted about its columns, nothing where it did not write that."""
    try:
        notes = json.loads((schema.metadata or {})[b"pandas"])
    except (KeyError, ValueError, RecursionError):
        return {}
    return notes if isinstance(notes, dict) else {}


def noted(notes: dict[str, Any], name: str, kind: type) -> list[Any]:
    """Return what of one kind stands in a list of the notes, whatever else stands there."""
    found = notes.get(name)
    return [one for one in found if isinstance(one, kind)] if isinstance(found, list) else []


def index_names(schema: Any) -> list[str]:
    """Return the columns that are the index of a pandas table."""
    return noted(pandas_notes(schema), "index_columns", str)  # one of numbers is no column


def with_corrected_notes(schema: Any, columns: LogitColumns, dtype: np.dtype[Any]) -> Any:
    """Note for pandas that the columns of logits have another dtype now."""
    notes = pandas_notes(schema)
    if not notes or columns.lists:  # which pandas has as objects
        return schema
    names = {schema.names[i] for i in columns.places}
    for column in noted(notes, "columns", dict):
        if isinstance(column.get("field_name"), str) and column["field_name"] in names:
            column |= {"pandas_type": dtype.name, "numpy_type": dtype.name}
    return schema.with_metadata({**schema.metadata, b"pandas": json.dumps(notes).encode()})


def cells(source: Path, column: Any) -> list[str]:
    """Return the texts of a column, one object for all that are the same."""
    texts: list[str] = []
    for chunk in column.chunks:
        coded = chunk if types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        with reading(source):  # bytes may be no UTF-8
            names = [str(name).strip() for name in coded.dictionary.to_pylist()]
        texts.extend("" if i is None else names[i] for i in coded.indices.to_pylist())
    return texts


def brief(error: Exception) -> str:
    """Return the words of pyarrow, which may be many, as one line."""
    return " ".join(str(error).split())[:120]
