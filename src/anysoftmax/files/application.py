"""From a file of logits to a file of probabilities."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

from anysoftmax.files.errors import FileRequestError
from anysoftmax.files.formats import Progress, format_of
from anysoftmax.files.operation import Operation
from anysoftmax.files.places import place, place_name, require_file
from anysoftmax.files.replacement import refuse_existing, replacing

__all__ = ["apply"]


def apply(
    source: str | os.PathLike[str] | TextIO,
    target: str | os.PathLike[str] | TextIO,
    *,
    log: bool = False,
    axis: int = -1,
    temperature: float = 1.0,
    dtype: Any = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    r"""Write the softmax of the logits in one file to another file.

    .. math:: p_i = \frac{\exp((x_i - m) / T)}{\sum_j \exp((x_j - m) / T)}, \qquad m = \max_j x_j

    The results are those of `anysoftmax.softmax` (or `anysoftmax.log_softmax`) with the same
    options; special values and accuracy are described there.

    Parameters
    ----------
    source : path or text stream
        Logits, in nats. The suffix names the format; a stream, such as ``sys.stdin``, is
        ``.csv``.

        ``.npy``
            An array of real numbers of any shape, byte order and memory order. It is mapped into
            memory and processed in blocks of about 8 MiB of slices; a single slice that is larger
            is processed whole.
        ``.csv``
            A table with one row for each sample and one column for each class, with or without a
            header. Columns named ``id``, ``label`` or ``target`` (in any case), a first column
            without a name under a header (the index that pandas writes), and columns that hold no
            numbers are copied unchanged. It is read a few rows at a time, or whole for ``axis=0``.
        ``.tsv``
            The same with tabs in place of commas.
        ``.parquet``
            A table whose columns have types, which needs pyarrow. Columns of integers and of
            floating numbers are classes, of which none may hold a null; columns with the names
            above, the index that pandas writes and columns of other types are copied unchanged.
            Or one column of lists of floating numbers, equally long, each the logits of a row,
            beside no other floating numbers. It is read some megabytes at a time (a group of rows
            at most, if it is well compressed), or whole for ``axis=0``. Compression and metadata
            are kept.
    target : path or text stream
        The file to write, with the suffix of `source`. It appears only when it is complete; on
        any failure everything is left as it was (a stream keeps what it was given). It may be
        `source` itself with `overwrite`.
    log : bool
        Write the logarithms of the probabilities, in nats.
    axis : int
        The class axis; rows of a table are axis 0, its class columns axis 1.
    temperature : float
        :math:`T`, without dimension, 0 or more; ``inf`` is allowed.
    dtype : str or numpy dtype, optional
        The floating dtype that logits are cast to first, and of the results. By default that of
        the logits, the widest in a ``.parquet`` file; float64 for integers and tables of text.
    overwrite : bool
        Replace an existing target.
    progress : callable, optional
        Called now and then with the fraction that is done.

    Raises
    ------
    FileError
        The source is missing, damaged, or holds anything but real numbers; the target cannot be
        written. The message is one line that names the file.
    FileRequestError
        A `FileError`: the target exists, a suffix is unknown, or the two suffixes differ.
    AxisError, TypeError, ValueError
        An option is wrong, as for `anysoftmax.softmax`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from anysoftmax.files import apply
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     logits, probs = Path(folder, "logits.csv"), Path(folder, "probs.csv")
    ...     _ = logits.write_text("id,Cat,Dog\na,0,0\nb,5,inf\n")
    ...     apply(logits, probs)
    ...     print(probs.read_text())
    id,Cat,Dog
    a,0.5,0.5
    b,0.0,1.0
    """
    origin, goal = place(source), place(target)
    operation = Operation(log=log, axis=axis, temperature=temperature, dtype=dtype)
    chosen = format_of(origin)
    if format_of(goal) is not chosen:
        raise FileRequestError(
            f"{place_name(goal)}: must have the format of {place_name(origin)}: formats are not"
            " converted"
        )
    if isinstance(goal, Path):
        refuse_existing(goal, overwrite=overwrite)
    require_file(origin)
    with (
        replacing(goal, overwrite=overwrite) if isinstance(goal, Path) else nullcontext(goal) as new
    ):
        chosen.process(origin, new, operation, progress or (lambda fraction: None))
