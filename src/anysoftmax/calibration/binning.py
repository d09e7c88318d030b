"""Bins of confidence: where they end, and what the samples in each of them sum to.

A bin is (lo, hi], the first one closed at 0. A value is put into its bin by comparing it with the
edges themselves, never by arithmetic, so that one that equals an edge is on the right side of it.
"""

from __future__ import annotations

import math
import operator
from typing import Any, NamedTuple

from anysoftmax.admission import admit_real
from anysoftmax.arrays import (
    Array,
    concrete,
    constant,
    default_integer,
    describe,
    library_name,
    narrow,
    place_of_new,
    smallest,
    widest,
)
from anysoftmax.calibration.samples import Samples
from anysoftmax.cuts import spread
from anysoftmax.differentiation import is_traced
from anysoftmax.indexing import numbered
from anysoftmax.summation import stable_sum

STRATEGIES = ("uniform", "quantile")
MOST_BINS = 2**20
TOGETHER = 2**20  # values and bins at most are compared at once, so that memory is not an issue


class Judged(NamedTuple):
    """Statements of samples: how sure each is, and whether it is right.

    `values` and `hits` have one shape, in which the axis of classes has length 1 where only the
    winner's statement counts. The weights of the samples broadcast to it.
    """

    samples: Samples
    values: Array
    hits: Array


def judge(samples: Samples, *, classwise: bool) -> Judged:
    """Return what the winners of samples state, or what each class does."""
    xp, axis = samples.xp, samples.axis
    if classwise:
        values = samples.cleaned(samples.probs)
        hits = numbered(xp, samples.probs, (axis,)) == samples.labels
    else:
        values = samples.cleaned(samples.peaks)
        hits = xp.argmax(samples.probs, axis=axis, keepdims=True) == samples.labels
    return Judged(samples, values, hits)


def admit_number(n_bins: Any) -> int:
    """Return the number of bins."""
    try:
        if isinstance(n_bins, bool):
            raise TypeError
        number = operator.index(n_bins)
    except TypeError:
        raise TypeError(f"n_bins must be an int: got {describe(n_bins)}") from None
    if not 1 <= number <= MOST_BINS:
        raise ValueError(f"n_bins must be from 1 to {MOST_BINS}: got {number}; 15 is usual")
    return number


def admit_strategy(strategy: Any) -> str:
    """Return the name of a way to lay edges."""
    if type(strategy) is not str or strategy not in STRATEGIES:
        raise ValueError(f"strategy={strategy!r} is unknown: use one of {STRATEGIES}")
    return strategy


def edges_of(judged: Judged, number: int, strategy: str, *, classwise: bool) -> Array:
    """Return the edges of so many bins in the dtype of the probabilities."""
    s = judged.samples
    if strategy == "uniform":
        return constant(s.xp, [k / number for k in range(number + 1)], s.dtype, s.probs)
    edges = _quantiles(judged, number)
    return narrow(s.xp, edges if classwise else edges[0, :], s.dtype)


def admit_edges(edges: Any, samples: Samples, *, classwise: bool) -> Array:
    """Check edges that the caller gives."""
    xp = samples.xp
    array, _ = admit_real(xp, "edges", edges, samples.probs, samples.dtype)
    shape, classes = tuple(array.shape), samples.probs.shape[samples.axis]
    fits = len(shape) == 1 or (classwise and len(shape) == 2 and shape[0] == classes)
    if not fits or shape[-1] < 2:
        raise ValueError(
            "edges must be one row, from 0 to 1, or class-wise one row a class: got"
            f" {describe(edges)} for {classes} classes; pass the edges of another Reliability"
        )
    rising = xp.all(array[..., 1:] >= array[..., :-1])
    good = rising & xp.all(array[..., 0] == 0) & xp.all(array[..., -1] == 1)
    if concrete(good) is not None and smallest(xp.astype(good, xp.int8)) == 0:
        raise ValueError("edges must rise from 0 to 1: pass the edges of another Reliability")
    return xp.asarray(array, copy=True)  # whoever gave it may write to it


def sums_of(judged: Judged, edges: Array) -> tuple[Array, Array]:
    """Return how many samples are in the bins, and three sums over those of each bin.

    The classes are along the first axis, one of them where only winners count, and the bins along
    the second. The sums are those of the weights, the confidences and the hits, along the last:
    what maps functions over batches adds an axis in front.
    """
    s, values = judged.samples, judged.values
    xp = s.xp
    others = tuple(i + 1 for i in range(values.ndim) if i != s.axis)
    wide, integer = widest(xp, values, values.dtype), default_integer(xp, values)
    weights = None if s.weights is None else spread(xp, s.weights, values)
    stated = xp.astype(values, wide)
    if weights is not None:
        weights = xp.astype(weights, wide)
        stated = stated * weights

    def total(terms: Array) -> Array:
        sums = stable_sum(xp, terms, others) if others else terms
        return xp.squeeze(xp.astype(sums, wide), axis=others)

    def number(mask: Array) -> Array:
        return xp.sum(xp.astype(mask, integer), axis=others, dtype=integer)

    zero = xp.zeros_like(stated)
    counts, sums = [], []
    highs = edges[..., 1:]
    below = xp.zeros_like(highs[..., :1]) - 1.0  # the first bin holds 0 as well
    lows = xp.concat([below, highs[..., :-1]], axis=-1)
    n_bins = highs.shape[-1]
    step = _bins_at_once(values, n_bins)
    for k in range(0, n_bins, step):
        inside = _inside(judged, lows[..., k : k + step], highs[..., k : k + step])
        right = inside & judged.hits
        counts.append(number(inside))
        if weights is None:
            weight, hits = xp.astype(counts[-1], wide), xp.astype(number(right), wide)
        else:
            weight, hits = (total(xp.where(mask, weights, zero)) for mask in (inside, right))
        confidence = total(xp.where(inside, stated, zero))
        sums.append(xp.stack([weight, confidence, hits], axis=-1))
    all_counts, all_sums = xp.concat(counts, axis=0), xp.concat(sums, axis=0)
    return xp.permute_dims(all_counts, (1, 0)), s.or_nan(xp.permute_dims(all_sums, (1, 0, 2)))


def _inside(judged: Judged, lows: Array, highs: Array) -> Array:
    """Tell which values are in which of several bins, the bins along a new first axis."""
    s, values = judged.samples, judged.values
    xp = s.xp

    def placed(row: Array) -> Array:
        row = xp.astype(row, values.dtype)
        lengths = [1] * values.ndim
        if row.ndim == 2:  # each class has edges of its own
            lengths[s.axis] = row.shape[0]
            row = xp.permute_dims(row, (1, 0))
        return xp.reshape(row, (row.shape[0], *lengths))

    inside = (values[None, ...] > placed(lows)) & (values[None, ...] <= placed(highs))
    return inside if s.weights is None else inside & (s.weights != 0)[None, ...]


def _bins_at_once(values: Array, n_bins: int) -> int:
    """Return how many bins to look at together: one where arrays are large and take memory."""
    if is_traced(values):
        return n_bins
    if concrete(values) is None:
        return 1
    size: int = math.prod(values.shape)
    return min(n_bins, 1 + TOGETHER // max(1, size))


def _quantiles(judged: Judged, n_bins: int) -> Array:
    """Return the edges of bins of equal weight, one row a class.

    The inner edges are the smallest values at or below which there is at least the k-th part of
    the weight: values of the data, so that neither weights of 0 nor their values matter.
    """
    s, axis = judged.samples, judged.samples.axis
    xp, values = s.xp, judged.values
    order = (axis, *(i for i in range(values.ndim) if i != axis))

    def rows(x: Array) -> Array:
        return xp.reshape(xp.permute_dims(x, order), (values.shape[axis], -1))

    needed = "sort" if s.weights is None else "take_along_axis"
    if not hasattr(xp, needed):
        raise TypeError(
            f"quantiles need {needed}{' for weighted samples' * (s.weights is not None)},"
            f" which {library_name(values)} has not got: pass edges= of another Reliability, or"
            " strategy='uniform'"
        )
    flat = rows(values)
    wide = widest(xp, values, values.dtype)
    if s.weights is None:
        ordered = xp.sort(flat, axis=-1)
        ranks = xp.arange(1, flat.shape[-1] + 1, dtype=wide, **place_of_new(xp, values))
        reached = spread(xp, ranks[None, :], flat)
    else:
        places = xp.argsort(flat, axis=-1)
        ordered = xp.take_along_axis(flat, places, axis=-1)
        weights = xp.astype(rows(spread(xp, s.weights, values)), wide)
        reached = xp.cumulative_sum(xp.take_along_axis(weights, places, axis=-1), axis=-1)
    whole = reached[:, -1:]
    one = xp.ones_like(ordered)
    inner = [
        xp.min(xp.where(reached * n_bins >= k * whole, ordered, one), axis=-1)
        for k in range(1, n_bins)
    ]
    return xp.stack([xp.zeros_like(ordered[:, 0]), *inner, one[:, 0]], axis=-1)
