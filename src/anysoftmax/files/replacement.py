"""Write a file so that nobody ever sees half of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from anysoftmax.files.errors import FileError, FileRequestError

__all__ = ["refuse_existing", "replacing"]

DESCRIPTORS = Path("/proc/self/fd")  # where Linux shows open files, also those without a name


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
    """Give a new file on the disk of `target` to write to; put it in place when all went well.

    On any failure, an interrupt included, nothing is left of the new file, and `target` stays as it
    was. A symbolic link is followed: the file that it points to is replaced. A new file has the
    usual mode, a replaced one keeps its own.
    """
    final = Path(os.path.realpath(target))
    try:
        with _new_file(final.parent) as new:
            if final.exists():
                new.chmod(stat.S_IMODE(final.stat().st_mode))
            yield new
            refuse_existing(target, overwrite=overwrite)  # it may have come into being meanwhile
            try:
                _put_in_place(new, final, overwrite=overwrite)
            except FileExistsError:
                refuse_existing(target, overwrite=overwrite)
                raise
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {error.strerror or error}") from error


@contextlib.contextmanager
def _new_file(folder: Path) -> Iterator[Path]:
    """Give a new file: one without a name, which ends with the process, or a hidden one.

    Where the system has files without a name, nothing is left even by a process that was killed.
    """
    descriptor = None
    if hasattr(os, "O_TMPFILE") and DESCRIPTORS.is_dir():
        with contextlib.suppress(OSError):  # not on this file system, or an error as below
            descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666)
    if descriptor is not None:
        try:
            yield DESCRIPTORS / str(descriptor)
        finally:
            os.close(descriptor)
        return
    new = _hidden_name(folder)
    try:
        # os.open, as the modules for temporary files would close the file to group and others.
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield new
    finally:
        with contextlib.suppress(OSError):  # mostly: it has been put in place, or never was
            new.unlink()


def _hidden_name(folder: Path) -> Path:
    return folder / f".anysoftmax-{secrets.token_hex(8)}.tmp"


def _put_in_place(new: Path, final: Path, *, overwrite: bool) -> None:
    if new.parent == final.parent:
        new.replace(final)
        return
    try:
        _give_name(new, final)
    except FileExistsError:
        if not overwrite:
            raise
    except OSError:  # of a system that cannot name such a file
        pass
    else:
        return
    # A name is given to what has none, but taken only from what has one.
    hidden = _hidden_name(final.parent)
    try:
        try:
            _give_name(new, hidden)
        except OSError:
            shutil.copyfile(new, hidden)
            shutil.copymode(new, hidden)
        hidden.replace(final)
    finally:
        with contextlib.suppress(OSError):
            hidden.unlink()


def _give_name(new: Path, name: Path) -> None:
    """Give a file without a name one that nothing has yet."""
    # With a folder of its own, which an absolute path does not need, the link in /proc is followed.
    os.link(new, name, src_dir_fd=0, follow_symlinks=True)
