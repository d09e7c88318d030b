"""What the columns of a table hold: logits of a class, labels, or something to leave alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from anysoftmax.files.errors import FileError

__all__ = [
    "Columns",
    "Row",
    "id_column",
    "is_header",
    "is_number",
    "is_whole",
    "label_column",
    "numbers_of",
    "shown",
    "sort_columns",
]

LABEL_NAMES = {"label", "target"}
RESERVED_NAMES = {"id"} | LABEL_NAMES


class Row(NamedTuple):
    """The cells of a row and the line of the file at which it ends."""

    line: int
    cells: list[str]


class Columns(NamedTuple):
    """Which columns of a table hold logits and which are copied."""

    names: list[str]  # as messages call them
    classes: list[int]
    text: list[int]  # no numbers in them; the columns with a reserved name are in neither list


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
                " a column of text, as its first cell holds none: fill that one, or name the column"
                " id, label or target to keep it as it is"
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


def label_column(name: str, header: Sequence[str] | None, width: int) -> int:
    """Return the column that holds labels: the only one beside an id, or the one so named."""
    if width == 1:
        return 0
    names = [cell.strip().lower() for cell in header or ()]
    named = [i for i, column in enumerate(names) if column in LABEL_NAMES]
    rest = [i for i in range(width) if i not in kept_columns(header)] if header else []
    found = named or rest
    if len(found) != 1:
        what = "several are" if named else "none is"
        raise FileError(
            f"{name}: has {width} columns, of which {what} named label or target:"
            " give the one with the labels such a name"
        )
    return found[0]


def id_column(header: Sequence[str] | None) -> int | None:
    """Return the column that is named id, None if none is, or several are."""
    found = [i for i, cell in enumerate(header or ()) if cell.strip().lower() == "id"]
    return found[0] if len(found) == 1 else None


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
