"""What can be wrong with a file, in one line that names it."""

from __future__ import annotations

__all__ = ["FileError", "FileRequestError"]


class FileError(ValueError):
    """A file cannot be read, cannot be written, or does not hold what it should.

    The message is one line: the name of the file, then what is wrong with it.
    """


class FileRequestError(FileError):
    """What was asked for cannot be done, whatever the files hold.

    The target exists, its format is unknown, or it is not the format of the source.
    """
