"""Write a file so that nobody ever sees half of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from anysoftmax.files.errors import FileError, FileRequestError

__all__ = ["refuse_existing", "replacing"]


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Raise if writing to `target` would destroy something that may not be replaced."""
    if not os.path.lexists(target):
        return
    if target.exists() and not target.is_file():
        kind = "a directory" if target.is_dir() else "not a regular file"
        raise FileRequestError(f"{target}: is {kind} and cannot be written to")
    if not overwrite:
        raise FileRequestError(
            f"{target}: exists already: pass overwrite (--overwrite) or name another"
        )


@contextlib.contextmanager
def replacing(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a new file beside `target` to write to; put it in place when all went well.

    On any failure, an interrupt included, the new file is removed and `target` stays as it was.
    A symbolic link is followed: the file that it points to is replaced. A new file has the usual
    mode, a replaced one keeps its own.
    """
    final = Path(os.path.realpath(target))
    new = final.with_name(f".anysoftmax-{secrets.token_hex(8)}.tmp")
    try:
        # os.open, as the modules for temporary files would close the file to group and others.
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        if final.exists():
            new.chmod(stat.S_IMODE(final.stat().st_mode))
        yield new
        refuse_existing(final, overwrite=overwrite)  # it may have come into being meanwhile
        new.replace(final)
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):  # mostly: it has been put in place, or never was
            new.unlink()
