"""Where logits come from and results go: a file by its path, or an open stream of text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TextIO

from anysoftmax.files.errors import FileError

__all__ = ["READING", "WRITING", "Place", "place", "place_name", "require_file"]

Place = Path | TextIO

# How text is read and written. Bytes that are not UTF-8 come out as they went in; a byte order
# mark at the beginning is dropped.
READING: dict[str, Any] = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}
WRITING: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


def place(given: str | os.PathLike[str] | TextIO) -> Place:
    """Return a path as a `Path`, an open stream as it is."""
    return Path(given) if isinstance(given, (str, os.PathLike)) else given


def place_name(where: Place) -> str:
    """Return the name by which messages call a place."""
    return str(where) if isinstance(where, Path) else str(getattr(where, "name", "the stream"))


def require_file(source: Place) -> None:
    """Raise unless there is something to read from."""
    if not isinstance(source, Path):
        return
    try:
        there = source.exists()
    except OSError as error:
        raise FileError(f"{source}: cannot be read: {error.strerror}") from error
    if not there:
        raise FileError(f"{source}: no such file")
    if source.is_dir():
        raise FileError(f"{source}: is a directory, not a file")
