r"""The surprisal of classes, :math:`L_i = -\log p_i`: of all of a slice, or of its label alone.

That of a label takes no more than its logit and what the fold knows of the slice, so that nothing
of the size of the logits need be made. Its derivative,

.. math::

    \mathrm{d}L_t = \sum_{i \ne t} p_i\, (\mathrm{d}z_i - \mathrm{d}z_t),

contains no :math:`1 - p_t`, which would keep no digit where :math:`p_t` is 1 to rounding.
"""

from __future__ import annotations

from typing import Any

from anysoftmax import fold
from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, is_dask
from anysoftmax.chunks import ahead, by_chunk, has_whole_slices
from anysoftmax.differentiation import (
    is_differentiated,
    is_traced,
    with_pull_back,
)
from anysoftmax.dispatch import compute
from anysoftmax.indexing import pick
from anysoftmax.labels import infinite_without, is_present, surprisal
from anysoftmax.operations import LABEL_PULL_BACK, LOG_SOFTMAX, SURPRISAL
from anysoftmax.summaries import summarise


def surprisals(a: Admitted) -> Array:
    """Return the surprisal of every class, infinite for those that take no part."""
    y = compute(LOG_SOFTMAX, a)
    if 0 in a.logits.shape:
        return y
    peak = fold.peak_of(fold.participants(ahead(a)))
    return infinite_without(a.xp, y, peak)


def surprisals_of_labels(a: Admitted, labels: Array) -> Array:
    """Return the surprisal of each slice's label; the axes stay as length 1."""
    if is_dask(a.logits) and has_whole_slices(a):
        labelled, lengths = a._replace(labels=labels), dict.fromkeys(a.axes, 1)
        return by_chunk("surprisal", _of_own_labels, labelled, a.work, lengths)
    countable = all(isinstance(n, int) and n for n in a.logits.shape)  # lazy arrays may not know
    if len(a.axes) > 1 or not countable:
        return pick(a.xp, surprisals(a), labels, a.axes)
    if is_traced(a.logits, a.temperature):
        return SURPRISAL(a._replace(labels=labels))
    if not is_differentiated(a.logits, a.temperature):
        return surprisals_and_peaks(a, labels)[0]
    if is_differentiated(a.temperature):
        return pick(a.xp, surprisals(a), labels, a.axes)
    return _with_pull_back(a, labels)


def _of_own_labels(a: Admitted) -> Array:
    return surprisals_of_labels(a._replace(labels=None), a.labels)


def derivatives_of_labels(a: Admitted, labels: Array, g: Array) -> Array:
    """Return the derivatives by the logits of the labels' surprisals, times g of each slice."""
    # What is infinite is a constant. NaN is for labels that name no class.
    a = a._replace(labels=labels)
    g = a.xp.where(is_present(a) | a.xp.isnan(g), g, 0.0)
    g = g if g.dtype == a.work else a.xp.astype(g, a.work)
    return compute(LABEL_PULL_BACK, a._replace(cotangent=g))


def _with_pull_back(a: Admitted, labels: Array) -> Array:
    """Return the labels' surprisals of logits that PyTorch records."""
    bare = a._replace(logits=None, where=None, temperature=None)

    def arguments(x: Array, labels: Array, *others: Array | None) -> tuple[Admitted, Array]:
        where, temperature = others
        return bare._replace(logits=x, where=where, temperature=temperature), labels

    def steps(*given: Any) -> Array:
        b, labels = arguments(*given)
        return pick(b.xp, surprisals(b), labels, b.axes)

    return with_pull_back(
        a.logits,
        (labels, a.where, a.temperature),
        lambda *given: surprisals_and_peaks(*arguments(*given))[0],
        lambda y, g, *given: derivatives_of_labels(*arguments(*given), g),
        steps,
    )


def surprisals_and_peaks(a: Admitted, labels: Array) -> tuple[Array, Array]:
    """Return the surprisal of each slice's label, by the summary of the slice, and its peak."""
    peak, rest = summarise(a, compute)
    a = a._replace(labels=labels)
    return surprisal(a, peak, rest, ordinary=fold.is_ordinary(a, peak)), peak
