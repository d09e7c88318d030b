"""What a format finds in a file: logits, or labels as they are written there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

__all__ = ["Blocks", "Labels", "Logits"]

RowName = Callable[[int], str]  # what messages call the sample with this number


class Blocks(NamedTuple):
    """The logits of a file of any size, a block at a time."""

    shape: tuple[int | None, ...]  # None where the number of rows is known in the end only
    axes: tuple[int, ...]  # of the classes, counted from the first
    parts: Iterator[tuple[tuple[int, ...], Any]]  # the index at which a block begins, and the block


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
