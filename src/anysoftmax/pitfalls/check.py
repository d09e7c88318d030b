"""Looking for pitfalls in arrays, or in logits that come in blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from anysoftmax.admission import admit, admit_values
from anysoftmax.arrays import Array, array_namespace, dtype_name, quiet
from anysoftmax.pitfalls.evidence import Evidence, evidence_of, merge, nothing
from anysoftmax.pitfalls.finding import Finding
from anysoftmax.pitfalls.table import ALONGSIDE, LIKENESSES, SIGNS, Pitfall, is_normalised
from anysoftmax.pitfalls.tally import Sign, Tally

__all__ = ["Check", "check_logits"]

BLOCK = 2**20  # elements that are looked at together
ACROSS = 100  # slices along the other axis of a matrix: those that stand for all
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}  # of dtypes in which sums are far from 1


def check_logits(x: Any, /, *, axis: int | tuple[int, ...] | None = -1) -> list[Finding]:
    r"""Look for what is wrong with logits before softmax hides it, and change nothing.

    Softmax takes any numbers and makes shares of them, of probabilities as well. No option of this
    library guesses what it was given; this function tells what it looks like.

    Parameters
    ----------
    x : array or nested lists of numbers
        Logits, in nats, of any array library. Their values are looked at: a lazy array (Dask) is
        not computed behind your back but refused, and so is a traced one (inside ``jax.jit``).
    axis : int, tuple of int or None, default -1
        The class axis, as for `softmax`.

    Returns
    -------
    list of Finding
        The pitfalls, none if all is well. ``print`` shows one as a line; see
        `anysoftmax.pitfalls.Finding` for its fields.

    Raises
    ------
    TypeError, AxisError, ValueError
        As for `softmax`; `x` is lazy or traced.

    See Also
    --------
    softmax : What the logits are for.
    explain : What softmax makes of one slice.

    Notes
    -----
    Let a slice :math:`x` have n elements. These are found wherever one slice shows them:

    ``nan``
        A NaN: all shares are NaN.
    ``several-infinities``
        Several +inf: their shares are NaN.
    ``infinite-winner``
        One +inf: it takes all.
    ``no-participant``
        -inf only: all shares are NaN.

    And the first of these that the slices as a whole look like:

    ``empty``
        There are no slices, or they have no elements.
    ``one-class``
        n = 1: the share is 1 whatever the score. Take the axis of the classes, or a sigmoid.
    ``constant``
        All slices, of 30 elements together at least, have equal logits: the network is untrained
        or dead.
    ``one-hot``
        A 1 and n - 1 zeros, in nine of ten slices: labels, or shares that are rounded to them.
    ``softmax-twice``
        As ``probabilities``; and 99 of 100 of these slices, with 30 elements together at least,
        satisfy :math:`\sum_i \log(x_i / \min_j x_j) \le 1`, but for rounding. Softmax of shares
        :math:`p` does, as its logarithms are :math:`p_i` but for a constant, and :math:`\sum_i (p_i
        - \min_j p_j) \le 1`. Scores that hardly differ do after a single softmax, too.
    ``probabilities``
        0 or more with the sum 1, in a quarter of the slices: softmax has been applied already. Once
        more it makes shares of at most :math:`e / (e + n - 1)`. The sum may be off by what numbers
        of three decimals add up to, 0.0005 n but at most 0.01, and by the rounding of 16-bit
        dtypes.
    ``percentages``
        0 or more with the sum 100, which may be off by 0.05 n but at most 0.3, in half of the
        slices.
    ``wrong-axis``
        The values of a matrix are 0 or more and sum to 1 along its other axis: in nine of ten
        slices there, of which the first 100 are looked at.
    ``sigmoid``
        100 values or more, all from 0 to 1, some below 0.1 and some above 0.9: independent
        probabilities, labels or scaled data. Where a tenth is exactly 0, as after a ReLU, the
        largest must be exactly 1, and the dtype have more than 16 bits.

    A part of the slices counts if it has three slices or all. Still, few numbers may look like
    something by chance: ``[0.6, 0.4]`` may be logits after all.

    Logarithms of probabilities are logits and no pitfall: their softmax is the probabilities. Nor
    is -inf beside finite logits: such classes take no part.

    *Accuracy*: sums are taken in float64, in float32 where there is no such dtype; no finding hangs
    on their last digits.

    *Memory*: some megabytes besides the array, and 48 bytes for each of many slices that are cut.

    *Gradient*: there is none; the findings are no arrays.

    References
    ----------
    .. [1] J. S. Bridle, "Probabilistic interpretation of feedforward classification network
       outputs, with relationships to statistical pattern recognition", Neurocomputing, Springer
       (1990). https://doi.org/10.1007/978-3-642-76153-9_28

    Examples
    --------
    >>> import anysoftmax as asm
    >>> scores = [3.2, 1.3, 0.2]
    >>> asm.check_logits(scores)
    []
    >>> (found,) = asm.check_logits(asm.softmax(scores))
    >>> found.pitfall, found.slices
    ('probabilities', 1)
    >>> print(found.message)
    numbers of 0 or more with the sum 1: softmax has been applied already, and another one makes
    shares of at most 0.576 of them
    >>> print(found.advice)
    pass the scores from before, or log(x), whose softmax is x
    """
    a = admit(x, axis=axis)
    values = admit_values(a.logits, "check_logits", "x")
    check = Check(tuple(values.shape), a.axes)
    check.update(values, (0,) * values.ndim)
    return check.findings()


class Check:
    """The pitfalls of logits that come in blocks, in any order, cut along any axes.

    Parameters
    ----------
    shape : tuple of int or None
        That of all logits; None for a length that is not known before all have come.
    axes : tuple of int
        The class axes, counted from the first.

    Examples
    --------
    >>> import numpy as np
    >>> from anysoftmax.pitfalls import Check
    >>> check = Check((None, 2), (1,))
    >>> check.update(np.asarray([[1.0, 2.0], [0.5, -1.0]]), (0, 0))
    >>> check.update(np.asarray([[np.nan, 2.0]]), (2, 0))
    >>> [(found.pitfall, found.first) for found in check.findings()]
    [('nan', (2,))]
    """

    def __init__(self, shape: tuple[int | None, ...], axes: tuple[int, ...]) -> None:
        self._shape = shape
        self._axes = axes
        self._along = _Slices(shape, axes, SIGNS)
        self._across: _Slices | None = None
        if len(shape) == 2 and len(axes) == 1:
            (axis,), few = axes, list(shape)
            few[axis] = min(ACROSS, shape[axis] or ACROSS)
            self._across = _Slices(tuple(few), (1 - axis,), {"probabilities": is_normalised})

    def update(self, block: Array, start: tuple[int, ...]) -> None:
        """Look at a block, a concrete array of any size that begins at the index `start`."""
        if 0 in block.shape:
            return
        with quiet(array_namespace(block)):
            for cut in _cuts(tuple(block.shape)):
                place = tuple(s + part.start for s, part in zip(start, cut, strict=True))
                self._add(block[cut], place)

    def findings(self) -> list[Finding]:
        """Return the pitfalls of all blocks so far; slices that are not complete count as such."""
        along = self._along.tally()
        across = None if self._across is None else self._across.tally()
        facts = {
            "n": along.length,
            "largest": math.e / (math.e + along.length - 1),
            "shape": self._shape,
            "axis": self._axes[0],
            "other": 1 - self._axes[0],
        }
        found = [pitfall for pitfall in ALONGSIDE if pitfall.holds(along, across)]
        found += [pitfall for pitfall in LIKENESSES if pitfall.holds(along, across)][:1]
        return [_finding(pitfall, along, facts) for pitfall in found]

    @property
    def slices(self) -> int:
        """How many slices there are so far."""
        return self._along.tally().slices

    def _add(self, block: Array, start: tuple[int, ...]) -> None:
        self._along.add(block, start)
        if self._across is not None:
            (axis,) = self._axes
            room = min(ACROSS - start[axis], block.shape[axis])
            if room > 0:
                self._across.add(block[:room, :] if axis == 0 else block[:, :room], start)


class _Slices:
    """The slices along some axes: whole ones are counted at once, others when all have come."""

    def __init__(
        self, shape: tuple[int | None, ...], axes: tuple[int, ...], signs: Mapping[str, Sign]
    ) -> None:
        self._shape = shape
        self._axes = axes
        self._whole = Tally(signs)
        self._parts: Evidence | None = None
        self._elements = 0  # in the parts
        self._rounding = 0.0

    def add(self, block: Array, start: tuple[int, ...]) -> None:
        known = evidence_of(block, self._axes)
        lengths = [block.shape[axis] for axis in self._axes]
        self._rounding = ROUNDING.get(dtype_name(block.dtype), 0.0)
        if lengths == [self._shape[axis] for axis in self._axes]:
            self._whole.add(known, self._axes, start, math.prod(lengths), self._rounding)
        else:
            self._keep(known, start)
            self._elements += math.prod(block.shape)

    def tally(self) -> Tally:
        """Return the counts of all slices."""
        tally = self._whole.copy()
        if self._parts is not None:
            shape = self._parts.total.shape
            length = self._elements // math.prod(shape)
            with quiet(array_namespace(self._parts.total)):
                tally.add(self._parts, self._axes, (0,) * len(shape), length, self._rounding)
        return tally

    def _keep(self, known: Evidence, start: tuple[int, ...]) -> None:
        if self._parts is None:
            shape = (1 if i in self._axes else n or 0 for i, n in enumerate(self._shape))
            self._parts = nothing(tuple(shape), known.total)
        place = tuple(
            slice(0, 1) if i in self._axes else slice(s, s + n)
            for i, (s, n) in enumerate(zip(start, known.total.shape, strict=True))
        )
        merged = merge(Evidence(*(x[place] for x in self._parts)), known)
        for x, new in zip(self._parts, merged, strict=True):
            x[place] = new


def _cuts(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Cut an array into blocks, again and again in the middle of what is longest."""
    pending = [tuple(slice(0, n) for n in shape)]
    while pending:
        cut = pending.pop()
        lengths = [part.stop - part.start for part in cut]
        if math.prod(lengths) <= BLOCK:
            yield cut
            continue
        axis = lengths.index(max(lengths))
        start, middle, stop = cut[axis].start, cut[axis].start + lengths[axis] // 2, cut[axis].stop
        halves = slice(middle, stop), slice(start, middle)
        pending += [(*cut[:axis], half, *cut[axis + 1 :]) for half in halves]


def _finding(pitfall: Pitfall, tally: Tally, facts: Mapping[str, Any]) -> Finding:
    return Finding(
        pitfall=pitfall.name,
        message=pitfall.message.format(**facts),
        advice=pitfall.advice.format(**facts),
        slices=tally.counts[pitfall.name],
        of=tally.slices,
        first=tally.firsts.get(pitfall.name, ()),
    )
