"""Standard input and output as the commands use them."""

from __future__ import annotations

import sys
from typing import TextIO

from anysoftmax.files import FileError
from anysoftmax.files.places import READING, WRITING

__all__ = ["STANDARD_STREAM", "source", "standard_input", "standard_output", "takes_blocks"]

STANDARD_STREAM = "-"


def source(name: str) -> str | TextIO:
    """Return what an argument names: a file, or standard input."""
    return standard_input() if name == STANDARD_STREAM else name


def standard_input() -> TextIO:
    """Return standard input, to be read as a table is."""
    if sys.stdin is None:
        raise FileError("standard input: is closed")
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(**READING)
    return sys.stdin


def standard_output(*, table: bool = False) -> TextIO:
    """Return standard output: as it is, or to be written as a table is."""
    if sys.stdout is None:
        raise FileError("standard output: is closed")
    if table and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(**WRITING)
    return sys.stdout


def takes_blocks(stream: TextIO) -> bool:
    """Tell whether a stream takes block characters; if not, it will print such ones escaped."""
    try:
        "█▏".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        return False
    return True
