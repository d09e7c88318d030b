"""Where logits come from and results go: a file by its path, or an open stream of text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TextIO

__all__ = ["READING", "WRITING", "Place", "place", "place_name"]

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
