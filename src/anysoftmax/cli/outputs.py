"""Files that a command writes besides what it prints."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from anysoftmax.cli.streams import STANDARD_STREAM
from anysoftmax.files import FileRequestError
from anysoftmax.files.replacement import refuse_existing, replacing

__all__ = ["new_file"]


@contextlib.contextmanager
def new_file(name: str | None, *inputs: str, overwrite: bool) -> Iterator[Path | None]:
    """Give a file to write to, if one is named; it gets its name when all has gone well.

    It is made before the work is done, which would be in vain if that cannot be.
    """
    if name is None:
        yield None
        return
    if name == STANDARD_STREAM:
        raise FileRequestError("-: standard output has the results already: name a file")
    if any(_are_one(Path(name), Path(given)) for given in inputs):
        raise FileRequestError(f"{name}: is what is read: name another file")
    refuse_existing(Path(name), overwrite=overwrite)
    with replacing(Path(name), overwrite=overwrite) as new:
        yield new


def _are_one(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:  # one of them is not there
        return False
