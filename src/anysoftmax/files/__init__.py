"""Softmax from file to file: tables and arrays of any size, in bounded memory."""

from __future__ import annotations

from anysoftmax.files.application import apply
from anysoftmax.files.errors import FileError, FileRequestError

__all__ = ["FileError", "FileRequestError", "apply"]
