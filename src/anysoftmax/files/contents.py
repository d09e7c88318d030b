"""What a format finds in a file: logits, or labels as they are written there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Labels", "Logits"]

RowName = Callable[[int], str]  # what messages call the sample with this number


class Logits(NamedTuple):
    """The logits of a file, with its classes along the last axis."""

    name: str
    array: Any
    classes: list[str] | None  # as the header of a table names them
    row: RowName
    ids: list[str] | None = None  # of the rows of a table that has them


class Labels(NamedTuple):
    """The labels of a file: an array of integers, or the cells of a table."""

    name: str
    values: Any
    row: RowName
    ids: list[str] | None = None
