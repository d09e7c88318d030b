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

from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, stop_gradient
from anysoftmax.fold import NO_ROOM, Slices, overflow_bound


def lift_weighted(a: Admitted) -> Slices:
    """Shift each slice by its heaviest term and take weighted exponentials."""
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
    top = stop_gradient(xp.max(weighed, axis=a.axes, keepdims=True))
    plain = xp.abs(top) < math.inf  # neither nothing, nor infinity, nor NaN

    def of_heaviest(values: Array, among: Array, otherwise: float) -> Array:
        found = xp.max(xp.where(among, values, -math.inf), axis=a.axes, keepdims=True)
        return stop_gradient(xp.where(plain, found, otherwise))

    heaviest = weighed == top
    origin = of_heaviest(x, heaviest, 0.0)
    heaviest = heaviest & (x == origin)
    unit = of_heaviest(w, heaviest, 1.0)
    log_unit = of_heaviest(logs, heaviest, 0.0)
    peak = xp.where(plain, origin + log_unit, top)

    # In the other slices the peak says it all: NaN, +inf, or -inf if nothing takes part.
    too_low = x < overflow_bound(xp, origin, None)
    too_high = x > -overflow_bound(xp, -origin, None)
    takes_part = plain & (x != -math.inf) & ~too_low & ~too_high
    difference = xp.where(takes_part, x, origin) - origin
    z = xp.where(takes_part & ~weightless, difference + (logs - log_unit), -math.inf)
    z = xp.where(weighed == math.inf, 0.0, z)

    largest = math.log(xp.finfo(origin.dtype).max) - 1
    near = takes_part & ((xp.abs(difference) < largest / 2) | weightless)
    exponent = xp.where(near, difference, 0.0)
    quotient = xp.where(near, w, 0.0) / unit
    by_factors = quotient * xp.exp(xp.where(exponent < largest, exponent, largest))
    factor = xp.where(takes_part & positive, w, 1.0)
    # The quotient is 1; it brings back the derivative that stopped at the logarithm.
    by_logarithms = xp.exp(z) * (factor / stop_gradient(factor))
    e = xp.where(near, by_factors, by_logarithms)
    return Slices(peak, z, None, e, ordinary=False, room=NO_ROOM)
