"""Files of logits, of any size: softmax from file to file, and samples with their labels."""

from __future__ import annotations

from anysoftmax.files.application import apply
from anysoftmax.files.errors import FileError, FileRequestError
from anysoftmax.files.samples import Samples, read_samples
from anysoftmax.files.saved import read_temperature

__all__ = ["FileError", "FileRequestError", "Samples", "apply", "read_samples", "read_temperature"]
