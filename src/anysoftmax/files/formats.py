"""Which module reads and writes which files."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from anysoftmax.files.contents import Blocks, Labels, Logits
from anysoftmax.files.errors import FileRequestError
from anysoftmax.files.operation import Operation
from anysoftmax.files.places import Place, place_name

__all__ = ["Format", "Progress", "for_member", "format_of"]

# Told how many bytes have been read, and of how many; None if nobody knows.
Progress = Callable[[int, int | None], None]


class Format(Protocol):
    """What the module of a format offers.

    Places are paths of existing files; or open streams of text, if the format is that of streams.
    """

    def process(
        self, source: Any, target: Any, operation: Operation, progress: Progress, /
    ) -> None:
        """Read logits, apply the operation and write the results."""

    def in_blocks(
        self, source: Any, axis: int, progress: Progress, /
    ) -> AbstractContextManager[Blocks]:
        """Open a file to read logits a block at a time, with their classes along an axis."""

    def read_logits(self, source: Any, progress: Progress, /) -> Logits:
        """Read logits, or map them into memory."""

    def read_labels(self, source: Any, classes: Sequence[str] | None, /) -> Labels:
        """Read labels, which may be names of classes."""


MODULES = {
    ".csv": "anysoftmax.files.delimited",
    ".npy": "anysoftmax.files.npy",
    ".npz": "anysoftmax.files.npz",
    ".parquet": "anysoftmax.files.parquet",
    ".tsv": "anysoftmax.files.tabbed",
}
STREAM_SUFFIX = ".csv"


def format_of(where: Place) -> Format:
    """Return what handles files with the suffix of `where`, or streams."""
    suffix = where.suffix.lower() if isinstance(where, Path) else STREAM_SUFFIX
    name = MODULES.get(suffix)
    if name is None:
        raise FileRequestError(
            f"{where}: the suffix {suffix!r} names no known format; use one of {', '.join(MODULES)}"
        )
    try:
        module: Any = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise FileRequestError(
            f'{where}: {suffix} needs {error.name}: pip install "anysoftmax[cli]"'
        ) from error
    chosen: Format = module
    return chosen


def for_member(
    function: Callable[..., Any], chosen: Format, origin: Place, member: str | None
) -> Callable[..., Any]:
    """Return a function of a format, or that for a member of a file, if one is named."""
    if member is None:
        return function
    from anysoftmax.files import npz

    if chosen is not npz:
        raise FileRequestError(
            f"{place_name(origin)}: has no members to choose from: drop member (--member)"
        )
    return partial(function, member=member)
