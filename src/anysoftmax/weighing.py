r"""Slices of logits with weights, as `logsumexp` sums them: :math:`\log \sum_j w_j \exp(x_j)`.

The peak of such a slice is its largest :math:`x_j + \log w_j`. With :math:`c` and :math:`v` the
logit and the weight found there, every term is taken relative to the largest one,

.. math::

    e_j = \frac{w_j}{v} \exp(x_j - c) \le 1, \qquad y = c + \log v + \log \sum_j e_j,

so that a weight of 0 leaves its term with the right derivative :math:`\exp(x_j - y)`. Where the
exponential or the quotient of a term could leave the range of numbers, one making up for the
other, their logarithms are added instead.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, Namespace
from anysoftmax.differentiation import stop_gradient
from anysoftmax.fold import NO_ROOM, Slices, overflow_bound
from anysoftmax.reductions import largest


class Heaviest(NamedTuple):
    r"""The heaviest term of each slice, of length 1 along the axes.

    `peak` is its :math:`x_j + \log w_j`. The other fields are what it is made of where that is
    finite; in the other slices they are those of a term that changes nothing.
    """

    peak: Array
    logit: Array
    weight: Array
    log_weight: Array


class _Terms(NamedTuple):
    """All terms of the slices, before any is known to be the heaviest."""

    logits: Array
    weights: Array
    logs: Array
    weighed: Array


def heaviest_of(a: Admitted) -> Heaviest:
    """Find the heaviest term of each slice."""
    return _heaviest(a.xp, a.axes, _terms_of(a))


def heaviest_among(xp: Namespace, parts: list[Heaviest]) -> Heaviest:
    """Find the heaviest term of slices whose parts' heaviest are known."""
    peaks, logits, weights, logs = (xp.stack(field) for field in zip(*parts, strict=True))
    found = _heaviest(xp, (0,), _Terms(logits, weights, logs, peaks))
    return Heaviest(*(field[0, ...] for field in found))


def _terms_of(a: Admitted) -> _Terms:
    xp, x = a.xp, a.logits
    w: Array = a.weights
    if a.where is not None:
        w = xp.where(a.where, w, 0.0)
    weightless = w == 0
    x = xp.where(weightless & ~(xp.abs(x) < math.inf), -math.inf, x)
    positive = w > 0
    logs = xp.where(positive, xp.log(xp.where(positive, w, 1.0)), math.nan)
    logs = stop_gradient(xp.where(weightless, 0.0, logs))
    absent = weightless | (x == -math.inf)
    weighed = xp.where(absent, -math.inf, xp.where(absent, 0.0, x) + logs)
    return _Terms(x, w, logs, weighed)


def _heaviest(xp: Namespace, axes: tuple[int, ...], terms: _Terms) -> Heaviest:
    x, w, logs, weighed = terms
    top = stop_gradient(largest(xp, weighed, axes))
    plain = xp.abs(top) < math.inf  # neither nothing, nor infinity, nor NaN

    def of_heaviest(values: Array, among: Array, otherwise: float) -> Array:
        found = largest(xp, xp.where(among, values, -math.inf), axes)
        return stop_gradient(xp.where(plain, found, otherwise))

    among = weighed == top
    logit = of_heaviest(x, among, 0.0)
    among = among & (x == logit)
    weight, log_weight = of_heaviest(w, among, 1.0), of_heaviest(logs, among, 0.0)
    return Heaviest(xp.where(plain, logit + log_weight, top), logit, weight, log_weight)


def lift_weighted(a: Admitted, heaviest: Heaviest) -> Slices:
    """Take weighted exponentials relative to the heaviest term of each slice."""
    xp = a.xp
    x, w, logs, weighed = _terms_of(a)
    peak, origin, unit, log_unit = heaviest
    plain = xp.abs(peak) < math.inf
    weightless, positive = w == 0, w > 0

    # In the other slices the peak says it all: NaN, +inf, or -inf if nothing takes part.
    too_low = x < overflow_bound(xp, origin, None)
    too_high = x > -overflow_bound(xp, -origin, None)
    takes_part = plain & (x != -math.inf) & ~too_low & ~too_high
    difference = xp.where(takes_part, x, origin) - origin
    z = xp.where(takes_part & ~weightless, difference + (logs - log_unit), -math.inf)
    z = xp.where(weighed == math.inf, 0.0, z)

    limit = math.log(xp.finfo(origin.dtype).max) - 1
    near = takes_part & ((xp.abs(difference) < limit / 2) | weightless)
    exponent = xp.where(near, difference, 0.0)
    # One divisor for each element: XLA would multiply by the rounded reciprocal of a shared one.
    quotient = xp.where(near, w, 0.0) / xp.where(near, unit, 1.0)
    by_factors = quotient * xp.exp(xp.where(exponent < limit, exponent, limit))
    factor = xp.where(takes_part & positive, w, 1.0)
    # The quotient is 1; it brings back the derivative that stopped at the logarithm.
    by_logarithms = xp.exp(z) * (factor / stop_gradient(factor))
    e = xp.where(near, by_factors, by_logarithms)
    return Slices(peak, z, None, e, ordinary=False, room=NO_ROOM)
