"""Logits from a file of any size, a block at a time."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import TextIO

from anysoftmax.files.contents import Blocks
from anysoftmax.files.formats import Progress, for_member, format_of
from anysoftmax.files.places import place, require_file

__all__ = ["read_in_blocks"]


def read_in_blocks(
    source: str | os.PathLike[str] | TextIO,
    *,
    axis: int = -1,
    member: str | None = None,
    progress: Progress | None = None,
) -> AbstractContextManager[Blocks]:
    r"""Open a file to read logits a block at a time; the formats are those of `apply`.

    Parameters
    ----------
    source : path or text stream
        Logits. In a table, the columns of labels, of ids and of text are left out.
    axis : int, default -1
        The class axis; rows of a table are axis 0, its class columns axis 1. Blocks hold whole
        slices along it, unless these are too long, or the axis is 0 and the file a table.
    member : str, optional
        The name of the array in a ``.npz`` file; not needed for the only one, or ``logits``.
    progress : callable, optional
        Called with the bytes that have been read, and their total, as by `apply`.

    Returns
    -------
    context manager of Blocks
        The file is open in it. Blocks come in an order that suits the file.

    Raises
    ------
    FileError
        The source is missing or damaged, or holds anything but real numbers; some of it is found
        while blocks are read. The message is one line that names the file.
    FileRequestError
        A `FileError`: a suffix is unknown, or a member is not there or not named.
    AxisError
        The array has no such axis.

    Examples
    --------
    >>> import io
    >>> from anysoftmax.files.reading import read_in_blocks
    >>> with read_in_blocks(io.StringIO("id,Cat,Dog\na,0,0\nb,5,1\n")) as blocks:
    ...     for start, block in blocks.parts:
    ...         print(start, block.tolist())
    (0, 0) [[0.0, 0.0], [5.0, 1.0]]
    """
    origin = place(source)
    chosen = format_of(origin)
    require_file(origin)
    opened = for_member(chosen.in_blocks, chosen, origin, member)
    blocks: AbstractContextManager[Blocks] = opened(
        origin, axis, progress or (lambda done, total: None)
    )
    return blocks
