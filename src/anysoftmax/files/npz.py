"""The ``.npz`` format: arrays by name in a zip file, of which one is processed."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from anysoftmax.files import npy
from anysoftmax.files.columns import shown
from anysoftmax.files.contents import Blocks, Labels, Logits
from anysoftmax.files.errors import FileError, FileRequestError
from anysoftmax.files.formats import Progress
from anysoftmax.files.operation import Operation
from anysoftmax.files.stored import write_all

__all__ = ["in_blocks", "process", "read_labels", "read_logits"]

SUFFIX = ".npy"  # of the members that hold arrays
LOGITS = ("logits",)  # names that are understood among several
LABELS = ("label", "labels", "target", "targets")
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # that NumPy packs by
ENCRYPTED = 1  # a flag of members
CHUNK_BYTES = 2**20
MOST_NAMES = 10  # that a message lists
# What reading damaged zip files raises.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)


def process(
    source: Path,
    target: Path,
    operation: Operation,
    progress: Progress,
    member: str | None = None,
) -> None:
    """Write the file anew, with the result of `operation` in place of one of its members."""
    # Both take the room of the array as it is, so that they lie where the result will.
    folder = Path(os.path.realpath(target)).parent
    with opened(source) as archive, room(folder) as results:
        chosen = chosen_member(source, archive, member, LOGITS)
        third = stages(progress, chosen.file_size, 3)
        with unpacked(source, archive, chosen, folder, third[0]) as logits:
            npy.convert_file(name_of(source, chosen), logits, results, operation, third[1])
        results.seek(0)
        size = os.fstat(results.fileno()).st_size
        with zipfile.ZipFile(target, "w") as output:
            output.comment = archive.comment
            for entry in archive.infolist():
                with output.open(copied(entry), "w", force_zip64=True) as place:
                    if entry is chosen:
                        chunks = iter(partial(results.read, CHUNK_BYTES), b"")
                        copy(chunks, place, third[2], size)
                    else:
                        for chunk in contents(source, archive, entry):
                            place.write(chunk)


@contextlib.contextmanager
def in_blocks(
    source: Path, axis: int, progress: Progress, member: str | None = None
) -> Iterator[Blocks]:
    """Unpack an array of logits to be read a block at a time."""
    with opened(source) as archive:
        chosen = chosen_member(source, archive, member, LOGITS)
        half = stages(progress, chosen.file_size, 2)
        with unpacked(source, archive, chosen, None, half[0]) as stream:
            yield npy.blocks_of_file(name_of(source, chosen), stream, axis, half[1])


def read_logits(source: Path, progress: Progress) -> Logits:
    """Unpack an array of logits, the only one or the one of that name, and map it into memory."""
    name, array = mapped(source, LOGITS, npy.REAL, progress)
    return Logits(name, array, None, partial(npy.row_name, array.shape[:-1]))


def read_labels(source: Path, classes: Sequence[str] | None) -> Labels:  # noqa: ARG001 - as for all
    """Unpack an array of class numbers and map it into memory."""
    name, array = mapped(source, LABELS, npy.WHOLE, lambda done, total: None)
    return Labels(name, array, partial(npy.row_name, array.shape))


def mapped(
    source: Path, names: Sequence[str], numbers: npy.Numbers, progress: Progress
) -> tuple[str, Any]:
    """Return the name of a member, for messages, and its array."""
    with opened(source) as archive:
        chosen = chosen_member(source, archive, None, names)
        name = name_of(source, chosen)
        # The map keeps the file, which has no name, until nobody needs the array any more.
        with unpacked(source, archive, chosen, None, progress) as stream:
            return name, npy.mapped_file(name, stream, numbers)


@contextlib.contextmanager
def opened(source: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file to be read."""
    with npy.opened(source) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except (*DAMAGE, OSError, ValueError) as error:
            empty = os.fstat(stream.fileno()).st_size == 0
            reason = "it is empty" if empty else "it is damaged, truncated or something else"
            raise FileError(f"{source}: is not a .npz file: {reason}") from error
        with archive:
            refuse_unusual(source, archive.infolist())
            yield archive


def refuse_unusual(source: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    """Raise for members that cannot be read, or not be written again as they are."""
    if len({entry.filename for entry in entries}) < len(entries):
        raise FileError(f"{source}: has several members of one name, of which one would be lost")
    for entry in entries:
        name = name_of(source, entry)
        if entry.flag_bits & ENCRYPTED:
            raise FileError(f"{name} is encrypted")
        if entry.compress_type not in METHODS:
            raise FileError(
                f"{name} is packed in an unusual way: write it by numpy.savez_compressed"
            )


def chosen_member(
    source: Path, archive: zipfile.ZipFile, wanted: str | None, names: Sequence[str]
) -> zipfile.ZipInfo:
    """Return the member of a name; without one, the only array or the one with a usual name."""
    arrays = {
        entry.filename.removesuffix(SUFFIX): entry
        for entry in archive.infolist()
        if entry.filename.endswith(SUFFIX)
    }
    if not arrays:
        raise FileError(f"{source}: holds no arrays")
    known = ", ".join(map(shown, list(arrays)[:MOST_NAMES]))
    known += ", ..." if len(arrays) > MOST_NAMES else ""
    if wanted is not None:
        if wanted not in arrays:
            raise FileRequestError(f"{source}: has no array {shown(wanted)}: name one of {known}")
        return arrays[wanted]
    found = [arrays[name] for name in names if name in arrays]
    if len(arrays) == 1:
        found = list(arrays.values())
    if len(found) != 1:
        option = "name one with member (--member)" if names is LOGITS else "rename one"
        raise FileRequestError(
            f"{source}: holds the arrays {known}, of which {'several are' if found else 'none is'}"
            f" named {' or '.join(names)}: {option}"
        )
    return found[0]


def name_of(source: Path, entry: zipfile.ZipInfo) -> str:
    """Return what messages call a member."""
    return f"{source}: {shown(entry.filename.removesuffix(SUFFIX))}"


@contextlib.contextmanager
def unpacked(
    source: Path,
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    folder: Path | None,
    progress: Progress,
) -> Iterator[io.FileIO]:
    """Give a file without a name that holds a member, whose checksum is right."""
    with room(folder) as stream:
        copy(contents(source, archive, entry), stream, progress, entry.file_size)
        stream.seek(0)
        yield stream


@contextlib.contextmanager
def room(folder: Path | None) -> Iterator[io.FileIO]:
    """Give a file without a name to write to and read from."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as stream:
        file: Any = stream
        yield file


def contents(source: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield what a member holds; raise if its checksum is wrong in the end."""
    name = name_of(source, entry)
    try:
        with archive.open(entry) as packed:
            while chunk := packed.read(CHUNK_BYTES):
                yield chunk
    except DAMAGE as error:
        reason = str(error) or "it is truncated"
        raise FileError(f"{name} cannot be unpacked: {reason}") from error
    except OSError as error:
        raise FileError(f"{name} cannot be read: {error.strerror or error}") from error


def copy(chunks: Iterator[bytes], target: IO[bytes], progress: Progress, total: int) -> None:
    """Write what is read and tell how much it is."""
    done = 0
    for chunk in chunks:
        write_all(target, chunk)
        done += len(chunk)
        progress(done, total)


def copied(entry: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """Return what a copy of a member is described by: packed as it was, of another length."""
    copy = zipfile.ZipInfo(entry.filename, entry.date_time)
    copy.compress_type, copy.comment = entry.compress_type, entry.comment
    copy.external_attr = entry.external_attr
    return copy


def stages(progress: Progress, size: int, count: int) -> list[Progress]:
    """Return what tells of each stage, as if each of them read a member of this size."""

    def tell(stage: int, done: int, total: int | None) -> None:
        if total:
            progress(stage * size + done * size // total, count * size)

    return [partial(tell, stage) for stage in range(count)]
