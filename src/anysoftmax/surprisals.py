r"""The surprisal of classes, :math:`L_i = -\log p_i`: of all of a slice, or of its label alone.

That of a label takes no more than its logit and what the fold knows of the slice, so that nothing
of the size of the logits need be made. Its derivative,

.. math::

    \mathrm{d}L_t = \sum_{i \ne t} p_i\, (\mathrm{d}z_i - \mathrm{d}z_t),

contains no :math:`1 - p_t`, which would keep no digit where :math:`p_t` is 1 to rounding.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from anysoftmax import fold
from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, Namespace
from anysoftmax.differentiation import (
    derived,
    either,
    is_differentiated,
    is_traced,
    stop_gradient,
    with_pull_back,
)
from anysoftmax.dispatch import compute
from anysoftmax.fold import NO_ROOM
from anysoftmax.indexing import numbered, pick
from anysoftmax.operations import LABEL_PULL_BACK, LOG_SOFTMAX, SUMMARY


def surprisals(a: Admitted) -> Array:
    """Return the surprisal of every class, infinite for those that take no part."""
    y = compute(LOG_SOFTMAX, a)
    if 0 in a.logits.shape:
        return y
    peak = fold.peak_of(fold.participants(a))
    return _infinite_without(a.xp, y, peak)


def surprisals_of_labels(a: Admitted, labels: Array) -> Array:
    """Return the surprisal of each slice's label; the axes stay as length 1."""
    countable = all(isinstance(n, int) and n for n in a.logits.shape)  # lazy arrays may not know
    if len(a.axes) > 1 or not countable:
        return pick(a.xp, surprisals(a), labels, a.axes)
    if is_traced(a.logits, a.temperature):
        return _by_rule(a, labels)
    if not is_differentiated(a.logits, a.temperature):
        return _by_summary(a, labels)
    if is_differentiated(a.temperature):
        return pick(a.xp, surprisals(a), labels, a.axes)
    return _with_pull_back(a, labels)


def derivatives_of_labels(a: Admitted, labels: Array, g: Array) -> Array:
    """Return the derivatives by the logits of the labels' surprisals, times g of each slice."""
    # What is infinite is a constant. NaN is for labels that name no class.
    g = a.xp.where(_is_present(a, labels) | a.xp.isnan(g), g, 0.0)
    g = g if g.dtype == a.work else a.xp.astype(g, a.work)
    return compute(LABEL_PULL_BACK, a._replace(labels=labels, cotangent=g))


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
        lambda *given: _by_summary(*arguments(*given)),
        lambda y, g, *given: derivatives_of_labels(*arguments(*given), g),
        steps,
    )


def _by_summary(a: Admitted, labels: Array) -> Array:
    summary = compute(SUMMARY, a)
    before = (slice(None),) * a.axes[0]
    peak, rest = (summary[(*before, slice(i, i + 1), ...)] for i in (0, 1))
    ordinary = fold.is_ordinary(a, peak)
    return _from_summary(a, labels, peak, rest, ordinary=ordinary)


def _by_rule(a: Admitted, labels: Array) -> Array:
    """Return the labels' surprisals together with the shares, of which JAX makes derivatives."""
    xp = a.xp
    a = fold.participants(a)
    peak = fold.peak_of(a)
    temperature = None if a.temperature is None else stop_gradient(a.temperature)
    fixed = a._replace(logits=stop_gradient(a.logits), temperature=temperature)

    def values(*, ordinary: bool) -> tuple[Array, Array]:
        s = fold.lift(fixed, peak, NO_ROOM, ordinary=ordinary, invariant=True)
        rest = fold.rest_of(fixed, *fold.terms_of_rest(fixed, s))
        p = fold.shares(fixed, s, 1.0 + rest)
        if not ordinary:  # no share of nothing: the derivatives are 0
            p = xp.where(rest == -1, 0.0, p)
        return _from_summary(fixed, labels, peak, rest, ordinary=ordinary), p

    def tangents(
        values: tuple[Array, ...], t: Array, constants: tuple[Array | None, Array]
    ) -> tuple[Array, ...]:
        (where, labels), (loss, p) = constants, values
        b = a._replace(where=where)
        hit = numbered(xp, p, a.axes) == labels
        own = xp.sum(xp.where(hit, t, 0.0), axis=a.axes, keepdims=True)
        others = xp.where(hit | (loss == math.inf), 0.0, p)
        changes = fold.weighed(b, p, fold.centred(b, p, t))
        return xp.sum(fold.weighed(b, others, t - own), axis=a.axes, keepdims=True), changes

    computed = either(
        fold.is_ordinary(fixed, peak),
        partial(values, ordinary=True),
        partial(values, ordinary=False),
    )
    return derived(computed, fold.variable_of(a, peak), (a.where, labels), tangents)[0]


def _from_summary(
    a: Admitted, labels: Array, peak: Array, rest: Array, *, ordinary: bool | Array
) -> Array:
    """Return the labels' surprisals, given the summary of each slice."""
    chosen = fold.participants(_chosen(a, labels))
    slices = fold.lift(chosen, peak, NO_ROOM, ordinary=ordinary, invariant=True)
    return _infinite_without(a.xp, fold.log_shares(chosen, slices, rest), peak)


def _is_present(a: Admitted, labels: Array) -> Array:
    """Tell which labels take part in their slices."""
    return fold.participants(_chosen(a, labels)).logits != -math.inf


def _chosen(a: Admitted, labels: Array) -> Admitted:
    """Return the logits and the mask of the labels alone."""
    xp, where = a.xp, a.where
    if where is not None:
        where = xp.broadcast_to(where, a.logits.shape)
        where = pick(xp, where, labels, a.axes, constant=True)
    return a._replace(logits=pick(xp, a.logits, labels, a.axes, constant=True), where=where)


def _infinite_without(xp: Namespace, y: Array, peak: Array) -> Array:
    """Return -y, infinite where nothing takes part in a slice; a constant where it is infinite."""
    return xp.where((y == -math.inf) | (peak == -math.inf), math.inf, 0.0 - y)
