"""Labels as a file holds them, made into class numbers: by the names of the classes, or as is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anysoftmax.files.columns import is_whole, shown
from anysoftmax.files.contents import Labels, Logits
from anysoftmax.files.errors import FileError

__all__ = ["class_numbers"]

MOST_NAMES = 6  # that a message lists


def class_numbers(labels: Labels, logits: Logits) -> Any:
    """Return the labels as numbers from 0; raise for the first that is no class of the logits."""
    classes, count = logits.classes, logits.array.shape[-1]
    known = labels.values
    if not isinstance(known, list) and not is_numbered(classes):
        wrong = (known < 0) | (known >= count)
        if not wrong.any():
            return known
        place = int(np.argmax(wrong))
        raise FileError(
            f"{labels.name}: {labels.row(place)}: {refusal(str(known.flat[place]), logits)}"
        )
    shape = (len(known),) if isinstance(known, list) else known.shape
    cells = known if isinstance(known, list) else [str(n) for n in known.reshape(-1).tolist()]
    numbers = numbers_by_cell(cells, classes, count)
    for i, cell in enumerate(cells):
        if numbers[cell] is None:
            raise FileError(f"{labels.name}: {labels.row(i)}: {refusal(cell, logits)}")
    return np.asarray([numbers[cell] for cell in cells], dtype=np.int64).reshape(shape)


def numbers_by_cell(
    cells: Sequence[str], classes: Sequence[str] | None, count: int
) -> dict[str, int | None]:
    """Return the class number that each different cell stands for, None if it is none.

    A name is looked up among the classes. A number counts them from 0, unless they have numbers
    for names: 1 to 10, say, where each number is the name that it is.
    """
    names = list(classes or ())
    numbered = is_numbered(classes)

    def number(cell: str) -> int | None:
        if names.count(cell) == 1:
            return names.index(cell)
        if numbered or cell in names or not is_whole(cell):
            return None
        return int(cell) if float(cell) < count else None  # an int has a limit of digits

    return {cell: number(cell) for cell in set(cells)}


def is_numbered(classes: Sequence[str] | None) -> bool:
    """Tell whether classes have numbers for names."""
    return any(map(is_whole, classes or ()))


def refusal(cell: str, logits: Logits) -> str:
    """Tell why a label is no class, and what to write."""
    classes, count = logits.classes or [], logits.array.shape[-1]
    if classes.count(cell) > 1:
        return f"{shown(cell)} is the name of several columns of {logits.name}: rename all but one"
    names = ", ".join(classes[:MOST_NAMES]) + (", ..." if len(classes) > MOST_NAMES else "")
    if is_numbered(classes):
        return f"{shown(cell)} is no class: the columns of {logits.name} are {names}"
    if is_whole(cell.removeprefix("-")):
        return f"the label {cell} is out of range for {count} classes: use 0 to {count - 1}"
    names = f", or a name: {names}" if classes else ""
    return f"{shown(cell)} is no class: write a whole number from 0 to {count - 1}{names}"
