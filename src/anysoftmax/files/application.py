"""From a file of logits to a file of probabilities."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

from anysoftmax import threads
from anysoftmax.files.errors import FileRequestError
from anysoftmax.files.formats import Progress, for_member, format_of
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
    member: str | None = None,
    workers: int | None = None,
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
            An array of real numbers of any shape, byte order and memory order. It is read in blocks
            of about 4 MiB. Slices whose blocks would be larger than 32 MiB, such as the columns of
            a long array, are read in parts, twice.
        ``.npz``
            Such an array by its name among others, compressed or not; the others are copied
            unchanged. Beside the target there must be room for the array and its result as well.
        ``.csv``
            A table with one row for each sample and one column for each class, with or without a
            header. Columns named ``id``, ``label`` or ``target`` (in any case), a first column
            without a name under a header (the index that pandas writes), and columns whose first
            cell holds no number are copied unchanged. A first row without fractions is a header if
            one of its cells is such a name, if none is a number or one that is none stands above a
            number, or if it is 0, 1, 2, ... above fractions. The table is read a few rows at a
            time, or whole for ``axis=0``.
        ``.tsv``
            The same with tabs in place of commas.
        ``.parquet``
            A table whose columns have types, which needs pyarrow. Columns of integers and of
            floating numbers are classes, of which none may hold a null; columns with the names
            above, the index that pandas writes and columns of other types are copied unchanged.
            Or one column of lists of floating numbers, equally long, each the logits of a row,
            beside no other floating numbers. It is read some megabytes at a time, or whole for
            ``axis=0``. Where columns of a group of rows are well compressed, have dictionaries
            (as pyarrow writes them) or are many, pyarrow holds all of the group, several times its
            size. Compression and metadata are kept.
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
    member : str, optional
        The name of the array in a ``.npz`` file; not needed for the only one, or ``logits``.
    workers : int, optional
        How many threads read, compute and write blocks at the same time, each with a few blocks in
        memory. The result does not depend on it. By default as many as an `anysoftmax.workers`
        round the call says, else one.
    overwrite : bool
        Replace an existing target.
    progress : callable, optional
        Called now and then, from this thread, with two ints: the bytes of the source that have been
        read, and their total, which counts every time that they are read. Of a stream its
        characters count, and the total is None.

    Raises
    ------
    FileError
        The source is missing, damaged, cut short while it is read, or holds anything but real
        numbers; the target cannot be written. The message is one line that names the file.
    FileRequestError
        A `FileError`: the target exists, a suffix is unknown, the two suffixes differ, or a member
        is not there or not named.
    AxisError, TypeError, ValueError
        An option is wrong, as for `anysoftmax.softmax` or `anysoftmax.workers`.

    See Also
    --------
    anysoftmax.softmax : Of an array, with the special values and the accuracy.

    Notes
    -----
    There is no target, or the old one, until the new one is complete, whatever happens on the way:
    an exception, a signal, or the end of the process. Of two runs that write the same target
    without `overwrite` the second to finish fails. On the usual file systems of Linux not even a
    process that was killed leaves anything behind; elsewhere it may leave a file named
    ``.anysoftmax-*.tmp`` beside the target.

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
    process = for_member(chosen.process, chosen, origin, member)
    with (
        nullcontext() if workers is None else threads.workers(workers),
        replacing(goal, overwrite=overwrite)
        if isinstance(goal, Path)
        else nullcontext(goal) as new,
    ):
        process(origin, new, operation, progress or (lambda done, total: None))
