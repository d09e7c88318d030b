"""Log-sum-exp of more than fits memory, or of parts that several processes have seen."""

from __future__ import annotations

from typing import Any, Self

from anysoftmax.admission import Admitted, admit
from anysoftmax.arrays import (
    Array,
    DType,
    array_namespace,
    as_array,
    describe,
    device,
    library_name,
    quiet,
)
from anysoftmax.dispatch import compute
from anysoftmax.fold import Summary, finish, merge
from anysoftmax.pytrees import register
from anysoftmax.summaries import new_summary, summarise

__all__ = ["LogSumExp"]


class LogSumExp:
    r"""Log-sum-exp of logits that come in blocks, in any order.

    .. math::

        y = \log \sum_j w_j \exp(x_j) = m + \log(1 + r)

    over all elements j of a slice in all blocks so far. Of each slice only its *peak* m, the
    largest :math:`x_j + \log w_j`, and its *rest* r, what the others add to it, are kept.
    `update` and `merge` change the object and return it. It can be pickled, and is a pytree to
    JAX if it was made or unpickled with JAX loaded, for ``jax.jit`` and ``jax.lax.scan``.

    Parameters
    ----------
    axis : int, tuple of int or None, default None
        The axes of a block that are summed over. The other axes tell slices apart, and are as long
        in every block. None for all axes: one slice.

    Attributes
    ----------
    peak : array of the shape of the slices, or None before the first block
        The largest :math:`x_j + \log w_j`, in nats; -inf if nothing has taken part.
    rest : array of the shape of the slices, or None before the first block
        :math:`r`, -1 if nothing has taken part. float16 and bfloat16 are summed in float32.

    See Also
    --------
    logsumexp : Of one array.

    Notes
    -----
    *Special values* are those of `logsumexp` of all blocks together.

    *Accuracy*: that of `logsumexp`, 4 ulp of ``max(abs(y), abs(m))``, however the logits are cut
    into blocks, in whatever order they come and are merged, and however many they are: what
    rounding takes from the rest is kept beside it.

    *Gradient*: that of `logsumexp`, of every order, by logits and weights; except that it is 0 by
    the weights of a block that has none above 0 for a slice, and by the logits of a slice that
    contains +inf.

    *Empty blocks* count as nothing. They tell the library, the dtype and the number of slices,
    which ``lax.scan`` needs to know of its first state.

    *Threads*: an object is for one thread at a time. Give each its own, and merge them.

    References
    ----------
    .. [1] M. Milakov and N. Gimelshein, "Online normalizer calculation for softmax" (2018).
       https://arxiv.org/abs/1805.02867

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> stream = asm.LogSumExp()
    >>> for block in ([1000.0, 999.0], [-np.inf], [1001.0]):
    ...     _ = stream.update(block)
    >>> stream.result().round(6)
    np.float64(1001.407606)

    Many slices at once, a block of classes at a time; two streams are merged:

    >>> x = np.array([[0.0, 1.0, 2.0], [3.0, 3.0, -np.inf]])
    >>> left = asm.LogSumExp(axis=1).update(x[:, :2])
    >>> right = asm.LogSumExp(axis=1).update(x[:, 2:])
    >>> left.merge(right).result().round(6)
    array([2.407606, 3.693147])
    """

    def __init__(self, *, axis: int | tuple[int, ...] | None = None) -> None:
        self._axis = axis
        self._summary: Summary | None = None
        self._dtype: DType = None
        register(type(self))

    def __repr__(self) -> str:
        if self._summary is None:
            return f"<LogSumExp over axis {self._axis}: no block so far>"
        shape, library = tuple(self._summary.peak.shape), library_name(self._summary.peak)
        return f"<LogSumExp over axis {self._axis}: slices of shape {shape}, {library}>"

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        register(type(self))

    @property
    def peak(self) -> Array | None:
        r"""The largest :math:`x_j + \log w_j` of each slice so far, in nats.

        -inf if nothing has taken part, None before the first block.
        """
        return None if self._summary is None else self._summary.peak

    @property
    def rest(self) -> Array | None:
        """What the other logits of each slice add, relative to the peak's exponential.

        -1 if nothing has taken part, None before the first block.
        """
        return None if self._summary is None else self._summary.rest

    def update(self, block: Any, /, *, weights: Any = None, where: Any = None) -> Self:
        """Add the elements of a block, and return the object.

        Parameters
        ----------
        block : array, or nested lists of numbers
            Logits, in nats, of the library of the blocks before. All lengths but those along `axis`
            are as before.
        weights : number or array, optional
            0 or more; broadcasts to `block`. See `logsumexp`.
        where : boolean array, optional
            True for elements that take part; broadcasts to `block`.

        Returns
        -------
        LogSumExp
            The object itself.

        Raises
        ------
        TypeError, AxisError, ValueError
            As for `logsumexp`, and if the block does not go with those before; the object is
            unchanged then.

        Examples
        --------
        >>> import anysoftmax as asm
        >>> asm.LogSumExp().update([1.0, 2.0, 5.0], weights=[1, 2, 0]).result().round(6)
        np.float64(2.861995)
        """
        a = admit(block, axis=self._axis, weights=weights, where=where)
        return self._add(_summary_of(a), a.dtype)

    def merge(self, other: LogSumExp, /) -> Self:
        """Add all that another one has seen, and return the object.

        Parameters
        ----------
        other : LogSumExp
            Of slices of the same shape; stays as it is.

        Returns
        -------
        LogSumExp
            The object itself.

        Raises
        ------
        TypeError
            If the other is none, or of another library.
        ValueError
            If its slices have another shape.

        Examples
        --------
        >>> import anysoftmax as asm
        >>> one, two = asm.LogSumExp().update([1.0]), asm.LogSumExp().update([1.0])
        >>> one.merge(two).result().round(6)
        np.float64(1.693147)
        """
        if not isinstance(other, LogSumExp):
            raise TypeError(f"a LogSumExp merges with another one: got {describe(other)}")
        return self if other._summary is None else self._add(other._summary, other._dtype)

    def result(self) -> Array:
        """Return the log-sum-exp of all elements so far.

        Returns
        -------
        array of the shape of the slices
            In nats, of the library, device and floating dtype of the blocks; -inf of nothing.

        Raises
        ------
        ValueError
            If there was no block to tell how many slices there are.

        Examples
        --------
        >>> import anysoftmax as asm
        >>> asm.LogSumExp().update([]).result()
        array(-inf)
        """
        if self._summary is None:
            raise ValueError(
                "there was no block, which would tell the library and the number of slices:"
                " update it with one first, an empty one if need be"
            )
        peak, rest, lost = self._summary
        a = _like(peak, self._dtype)
        with quiet(a.xp):
            return as_array(finish(a, peak, rest + lost))

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, DType]]:
        """Return the arrays, and what is fixed when JAX traces a function of them."""
        return (self._summary,), (self._axis, self._dtype)

    @classmethod
    def tree_unflatten(cls, fixed: tuple[Any, DType], arrays: tuple[Any, ...]) -> Self:
        """Return what `tree_flatten` has taken apart."""
        new = cls(axis=fixed[0])
        (new._summary,), new._dtype = arrays, fixed[1]
        return new

    def _add(self, added: Summary, dtype: DType) -> Self:
        if self._summary is None:
            self._summary, self._dtype = added, dtype
            return self
        mine = self._summary
        xp = array_namespace(mine.peak)
        if array_namespace(added.peak) is not xp:
            raise TypeError(
                f"this LogSumExp is of {library_name(mine.peak)}: got one of"
                f" {library_name(added.peak)}; convert one of the two"
            )
        places = device(mine.peak), device(added.peak)
        if None not in places and places[0] != places[1]:
            raise TypeError(
                f"this LogSumExp lies on {places[0]}: got one on {places[1]}; move one of the two"
            )
        shapes = tuple(mine.peak.shape), tuple(added.peak.shape)
        if not all(isinstance(n, int) for n in shapes[0] + shapes[1]):
            raise ValueError(
                f"how many slices there are is not known of shapes {shapes[0]} and {shapes[1]}:"
                " call the blocks' compute_chunk_sizes() first"
            )
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"this LogSumExp has slices of shape {shapes[0]}: got slices of shape {shapes[1]};"
                f" blocks may differ in length along axis {self._axis} only"
            )
        if added.rest.dtype != mine.rest.dtype:
            work = xp.result_type(added.rest.dtype, mine.rest.dtype)
            mine, added = (Summary(*(xp.astype(x, work) for x in s)) for s in (mine, added))
        register(type(self))  # JAX may be there by now
        self._dtype = dtype if dtype == self._dtype else xp.result_type(dtype, self._dtype)
        a = _like(mine.peak, self._dtype)
        with quiet(xp):
            self._summary = Summary(*map(as_array, merge(a, mine, added)))
        return self


def _summary_of(a: Admitted) -> Summary:
    """Return the summary of a block, of the shape of its slices."""
    squeezed = (as_array(a.xp.squeeze(part, axis=a.axes)) for part in summarise(a, compute))
    return new_summary(a, *squeezed)


def _like(peak: Array, dtype: DType) -> Admitted:
    """Return what the fold has to know of summaries."""
    xp = array_namespace(peak)
    return Admitted(
        xp=xp,
        logits=None,
        axes=(),
        where=None,
        temperature=None,
        weights=None,
        work=peak.dtype,
        dtype=dtype,
        compensated=False,
        lone=False,
    )
