"""Which module reads and writes which files."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anysoftmax.files.errors import FileRequestError
from anysoftmax.files.operation import Operation
from anysoftmax.files.places import Place

__all__ = ["Process", "Progress", "process_of"]

Progress = Callable[[float], None]  # told the fraction that is done, 0 to 1

# What the module of a format offers, under the name ``process``: it reads the logits in the first
# place, applies the operation and writes the results to the second. Both are paths of existing
# files; or open streams of text, if the format is that of streams.
Process = Callable[[Any, Any, Operation, Progress], None]

MODULES = {
    ".csv": "anysoftmax.files.delimited",
    ".npy": "anysoftmax.files.npy",
}
STREAM_SUFFIX = ".csv"


def process_of(where: Place) -> Process:
    """Return what handles files with the suffix of `where`, or streams."""
    suffix = where.suffix.lower() if isinstance(where, Path) else STREAM_SUFFIX
    name = MODULES.get(suffix)
    if name is None:
        raise FileRequestError(
            f"{where}: the suffix {suffix!r} names no known format; use one of {', '.join(MODULES)}"
        )
    process: Process = importlib.import_module(name).process
    return process
