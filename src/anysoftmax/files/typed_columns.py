"""Columns of a table that knows its types: which hold logits, and what takes their place."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from anysoftmax.files.columns import kept_columns, shown
from anysoftmax.files.errors import FileError

__all__ = ["LogitColumns", "logit_columns", "require_no_null"]


class LogitColumns(NamedTuple):
    """Where the logits of a table are: in a column for each class, or in one column of lists."""

    name: str  # of the file
    places: list[int]
    lists: bool
    dtype: np.dtype[Any]

    def matrix(self, table: Any, before: int, width: int | None) -> Any:
        """Return the logits, a row for each of the table's.

        `before` it in the file came so many rows, with lists of `width`, and None where none came.
        """
        names = table.column_names  # a new list each time
        for i in self.places:
            require_no_null(self.name, names[i], table.column(i), before)
        if self.lists:
            return self._matrix_of_lists(table, before, width)
        # A class after the other, as they come: transposed, they are rows.
        matrix = np.empty((len(self.places), table.num_rows), self.dtype)
        for row, i in zip(matrix, self.places, strict=True):
            row[...] = table.column(i).to_numpy()
        return matrix.T

    def _matrix_of_lists(self, table: Any, before: int, width: int | None) -> Any:
        column = table.column(self.places[0]).combine_chunks()
        place = f"column {shown(table.column_names[self.places[0]])}"
        lengths = pc.list_value_length(column).to_numpy()
        width = int(lengths[0]) if width is None else width
        wrong = lengths != width
        if wrong.any():
            row = int(np.argmax(wrong))
            raise FileError(
                f"{self.name}: {row_name(before + row)}, {place}: has {lengths[row]} numbers, the"
                f" rows before it have {width}"
            )
        if width == 0:
            raise FileError(f"{self.name}: {row_name(before)}, {place}: has no numbers")
        numbers = column.flatten()
        if numbers.null_count:
            row = first_null(numbers) // width
            raise FileError(f"{self.name}: {row_name(before + row)}, {place}: holds a null")
        return numbers.to_numpy().astype(self.dtype, copy=False).reshape(table.num_rows, width)

    def schema(self, schema: Any, dtype: np.dtype[Any]) -> Any:
        """Return the schema of a table with results of this dtype in place of the logits."""
        number = pa.from_numpy_dtype(dtype)
        fields = list(schema)
        for i in self.places:
            kind = list_type(fields[i].type, number) if self.lists else number
            fields[i] = fields[i].with_type(kind)
        return pa.schema(fields, schema.metadata)

    def replaced(self, table: Any, results: Any, schema: Any) -> Any:
        """Return the table with results in place of the logits, in the types of `schema`."""
        columns = list(table.columns)
        if self.lists:
            numbers = pa.array(np.ascontiguousarray(results).reshape(-1))
            lists = pa.FixedSizeListArray.from_arrays(numbers, results.shape[1])
            columns[self.places[0]] = lists.cast(schema.field(self.places[0]).type)
        else:
            for i, result in zip(self.places, results.T, strict=True):
                columns[i] = pa.array(np.ascontiguousarray(result))
        return pa.table(columns, schema=schema)


def logit_columns(name: str, schema: Any, index: Collection[str]) -> LogitColumns:
    """Find the columns of numbers; those named in `index`, id, label and target are others.

    Where no column has floating numbers, but one has lists of them, the lists are the logits, and
    whole numbers beside them are not.
    """
    names, kinds = schema.names, schema.types
    kept = kept_columns(names)
    rest = [i for i in range(len(names)) if i not in kept and names[i] not in index]
    single = [i for i in rest if types.is_integer(kinds[i]) or types.is_floating(kinds[i])]
    floating = [i for i in single if types.is_floating(kinds[i])]
    lists = [i for i in rest if is_list_of_floats(kinds[i])]
    for i in rest:
        if types.is_decimal(kinds[i]):
            raise FileError(
                f"{name}: column {shown(names[i])} holds {kinds[i]}: cast it to double, or name it"
                " id, label or target to keep it as it is"
            )
    if (lists and floating) or len(lists) > 1:
        both = " and ".join(shown(names[i]) for i in (lists + floating)[:2])
        raise FileError(
            f"{name}: which columns hold the logits is not clear: {both} could; keep one column of"
            " lists, or a column for each class"
        )
    places = lists if lists and not floating else single
    if not places:
        raise FileError(f"{name}: no column holds numbers")
    numbers = [kinds[i].value_type if places is lists else kinds[i] for i in places]
    widths = [kind.bit_width if types.is_floating(kind) else 64 for kind in numbers]
    return LogitColumns(name, places, places is lists, np.dtype(f"float{max(widths)}"))


def require_no_null(name: str, column_name: str, column: Any, before: int) -> None:
    """Raise for the first null of a column."""
    if column.null_count:
        row = first_null(column)
        raise FileError(
            f"{name}: {row_name(before + row)}, column {shown(column_name)}: is null (pandas writes"
            " NaN so): fill it, or leave the row out"
        )


def first_null(column: Any) -> int:
    """Return the place of the first null."""
    return int(pc.index(column.is_null(), value=True).as_py())


def row_name(row: int) -> str:
    """Return what messages call a row, counted as pandas counts."""
    return f"row {row} (from 0)"


def is_list_of_floats(kind: Any) -> bool:
    """Tell whether a type is one of lists of floating numbers."""
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(lists and types.is_floating(kind.value_type))


def list_type(kind: Any, number: Any) -> Any:
    """Return the type of the same lists with other numbers."""
    element = kind.value_field.with_type(number)
    if types.is_fixed_size_list(kind):
        return pa.list_(element, kind.list_size)
    return pa.large_list(element) if types.is_large_list(kind) else pa.list_(element)
