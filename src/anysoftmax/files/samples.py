"""Logits and the labels that belong to them, from two files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple, TextIO

import numpy as np

from anysoftmax.files.columns import shown
from anysoftmax.files.contents import Labels, Logits
from anysoftmax.files.errors import FileError, FileRequestError
from anysoftmax.files.formats import Progress, format_of
from anysoftmax.files.labels import class_numbers
from anysoftmax.files.layout import blocks
from anysoftmax.files.places import place, require_file

__all__ = ["Samples", "read_samples"]

BLOCK_ELEMENTS = 2**20


class Samples(NamedTuple):
    r"""The logits of samples and the numbers of their classes: of the same shape but the last axis.

    The arrays may be maps of files, of which only the parts that are looked at are read.

    Attributes
    ----------
    given : Logits
        What was found in the file of logits, names of classes and rows among it.
    labels : array of integers of shape (...,)
        The right class of each sample, from 0.
    logits : array of shape (..., n)
        In nats, with the n classes along the last axis.

    See Also
    --------
    read_samples : What makes one.

    Examples
    --------
    >>> import io
    >>> from anysoftmax.files import read_samples
    >>> logits, labels = io.StringIO("Cat,Dog\n1,0\n0,2\n"), io.StringIO("label\nCat\nDog\n")
    >>> samples = read_samples(logits, labels)
    >>> [(block.shape, marks.tolist()) for block, marks in samples.blocks()]
    [((2, 2), [0, 1])]
    """

    given: Logits
    labels: Any

    @property
    def logits(self) -> Any:
        """The array of the logits, with the classes along the last axis."""
        return self.given.array

    def blocks(self) -> Iterator[tuple[Any, Any]]:
        """Yield logits, in float64, and labels a part at a time.

        Yields
        ------
        logits : array of shape (..., n)
            Those of some samples, copied to memory.
        labels : array of integers
            Their classes.
        """
        for index in self._cuts():
            yield self.logits[index].astype(np.float64), self.labels[(*index[:-2], ...)]

    def refuse_undefined(self) -> None:
        """Raise for the first sample whose logits leave no probabilities.

        Raises
        ------
        FileError
            A logit is NaN, all of a sample are -inf, or several are +inf.
        """
        for index in self._cuts():
            logits = self.logits[index]
            # Sums are infinite as well, but need no thought about overflow.
            peak = logits.max(axis=-1)
            wrong = ~np.isfinite(peak)
            wrong &= np.isnan(peak) | (np.count_nonzero(logits == np.inf, axis=-1) != 1)
            if wrong.any():
                place_in_block = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
                starts = [cut.start or 0 for cut in index[:-2]]
                where = tuple(int(i) + s for i, s in zip(place_in_block, starts, strict=True))
                sample = int(np.ravel_multi_index(where, self.labels.shape))
                raise FileError(
                    f"{self.given.name}: {self.given.row(sample)}: {_what(logits[place_in_block])}"
                )

    def _cuts(self) -> Iterator[Any]:
        array = self.logits
        fortran_order = array.flags.f_contiguous and not array.flags.c_contiguous
        classes = (array.ndim - 1,)
        return blocks(array.shape, classes, BLOCK_ELEMENTS, fortran_order=fortran_order)


def read_samples(
    logits: str | os.PathLike[str] | TextIO,
    labels: str | os.PathLike[str] | TextIO,
    *,
    progress: Progress | None = None,
) -> Samples:
    r"""Read logits and labels; the formats are those of `anysoftmax.files.apply`.

    Parameters
    ----------
    logits : path or text stream
        Logits, in nats, with the classes along the last axis. A ``.npy`` file is mapped into
        memory, a table is read whole.
    labels : path or text stream
        The right class of each sample. A ``.npy`` file holds integers from 0. A table has one
        column (beside an id), with a header or not, or one named ``label`` or ``target``; its cells
        are numbers from 0 or, if the columns of logits have names, names of classes. Where these
        names are numbers, labels are these names. It may be the same table.
    progress : callable, optional
        Called now and then with the fraction of a table that has been read.

    Returns
    -------
    Samples
        At least one, of at least two classes, with one valid label each.

    Raises
    ------
    FileError
        A file is missing or damaged, or does not hold what it should. The message is one line that
        names the file and the row.
    FileRequestError
        A `FileError`: a suffix is unknown, or one stream was given twice.

    See Also
    --------
    anysoftmax.calibration.fit_temperature : What held-out samples are good for.

    Examples
    --------
    >>> import io
    >>> from anysoftmax.files import read_samples
    >>> table = "id,Cat,Dog,label\na,3.2,1.3,Cat\nb,0.1,2.0,Dog\n"
    >>> samples = read_samples(io.StringIO(table), io.StringIO(table))
    >>> samples.logits
    array([[3.2, 1.3],
           [0.1, 2. ]])
    >>> samples.labels
    array([0, 1])
    """
    first, second = place(logits), place(labels)
    if first is second:
        raise FileRequestError("standard input can be read once: name a file for logits or labels")
    formats = format_of(first), format_of(second)
    require_file(first)
    require_file(second)
    given = formats[0].read_logits(first, progress or (lambda done, total: None))
    _refuse_shape(given)
    marks = formats[1].read_labels(second, given.classes)
    _refuse_length(given, marks)
    _refuse_ids(given, marks)
    return Samples(given, class_numbers(marks, given))


def _refuse_shape(given: Logits) -> None:
    shape = given.array.shape
    if len(shape) < 2:
        raise FileError(
            f"{given.name}: has the shape {shape}: logits need a row for each sample and a column"
            " for each class"
        )
    if shape[-1] == 1:
        raise FileError(
            f"{given.name}: has one class, whose probability is 1 whatever its logit; for scores of"
            " one of two classes write a column of 0 for the other"
        )
    if 0 in shape:
        raise FileError(f"{given.name}: holds nothing: its shape is {shape}")


def _refuse_length(given: Logits, labels: Labels) -> None:
    wanted = given.array.shape[:-1]
    shape = (len(labels.values),) if isinstance(labels.values, list) else labels.values.shape
    if shape == wanted:
        return
    if len(shape) == len(wanted) == 1:
        raise FileError(
            f"{labels.name}: has {shape[0]} labels for the {wanted[0]} samples of {given.name}"
        )
    hint = "; take the argmax of one-hot rows" if shape == given.array.shape else ""
    raise FileError(
        f"{labels.name}: has the shape {shape}: {wanted} is needed for the samples of"
        f" {given.name}{hint}"
    )


def _refuse_ids(given: Logits, labels: Labels) -> None:
    """Raise where both tables have ids, and a row is another one's label."""
    if given.ids is None or labels.ids is None or given.ids == labels.ids:
        return
    pairs = enumerate(zip(given.ids, labels.ids, strict=True))
    sample, (theirs, own) = next((i, pair) for i, pair in pairs if pair[0] != pair[1])
    raise FileError(
        f"{labels.name}: {labels.row(sample)}: has the id {shown(own)}, where {given.name} has"
        f" {shown(theirs)} in {given.row(sample)}: put both in the same order"
    )


def _what(logits: Any) -> str:
    """Tell what is wrong with the logits of a sample."""
    nan = np.isnan(logits)
    if nan.any():
        return f"the logit of class {int(np.argmax(nan))} is NaN"
    if logits.max() == np.inf:
        return "several logits are +inf, and one alone can be surer than all others"
    return "all logits are -inf, so that no class is possible"
