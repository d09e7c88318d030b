"""What can be wrong with a file, in one line that names it."""

from __future__ import annotations

__all__ = ["FileError", "FileRequestError"]


class FileError(ValueError):
    r"""A file cannot be read, cannot be written, or does not hold what it should.

    The message is one line: the name of the file, then what is wrong with it.

    Examples
    --------
    >>> import io
    >>> from anysoftmax.files import apply
    >>> apply(io.StringIO("Cat,Dog\n1,2\n3,x\n"), io.StringIO())
    Traceback (most recent call last):
        ...
    anysoftmax.files.errors.FileError: the stream: line 3, column 2 ('Dog'): 'x' is not a number
    """


class FileRequestError(FileError):
    """What was asked for cannot be done, whatever the files hold.

    The target exists, its format is unknown, or it is not the format of the source.

    Examples
    --------
    >>> from anysoftmax.files import apply
    >>> apply("logits.npy", "probs.csv")
    Traceback (most recent call last):
        ...
    anysoftmax.files.errors.FileRequestError: probs.csv: must have the format of logits.npy...
    """
