"""The lines of a table of text: where they come from, and how much of that has been read."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from anysoftmax.files.errors import FileError
from anysoftmax.files.places import READING, Place, place_name

__all__ = ["Lines", "opened"]


class Lines:
    """The lines of a table, and how much of it has been read."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self.name = name
        self._stream = stream
        self._lines = iter(stream)
        self._size = _size_of(stream)
        self._characters = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._lines)
        except StopIteration:
            done, total = self.bytes_read()
            if total is not None and done < total:
                raise FileError(f"{self.name}: was cut short while it was read") from None
            raise
        except OSError as error:
            raise FileError(f"{self.name}: cannot be read: {error.strerror}") from error
        self._characters += len(line)
        return line

    def bytes_read(self) -> tuple[int, int | None]:
        """Return how many bytes have been read, and of how many.

        Of a pipe both are not known: its characters are counted, and the other is None.
        """
        if self._size is None:
            return self._characters, None
        return self._stream.buffer.tell(), self._size


@contextlib.contextmanager
def opened(source: Place) -> Iterator[Lines]:
    """Open a file to be read as text; a stream is open already, and stays so."""
    if not isinstance(source, Path):
        yield Lines(place_name(source), source)
        return
    try:
        stream: TextIO = source.open(**READING)
    except OSError as error:
        raise FileError(f"{source}: cannot be read: {error.strerror}") from error
    with stream:
        yield Lines(str(source), stream)


def _size_of(stream: TextIO) -> int | None:
    """Return how many bytes a stream has, None if it is not that of a regular file as it is."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if not isinstance(raw, io.FileIO):  # text in memory, or that somebody unpacks
        return None
    found = os.fstat(raw.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else None
