r"""The negative log-likelihood of labels as a function of the temperature.

With :math:`d_i = x_i - m` for the logits of a slice and :math:`\beta = 1 / T`, the loss of a label
:math:`t` is :math:`\ell = \log \sum_i e^{\beta d_i} - \beta d_t`. It is convex in :math:`\beta`:

.. math::

    \beta\, \ell' = \operatorname{mean}_p(\beta d) - \beta d_t, \qquad
    \beta^2 \ell'' = \operatorname{variance}_p(\beta d), \qquad p = \mathrm{softmax}(\beta d).

The label's *gap* :math:`-d_t` depends on no temperature, so that of all slices only the sum of the
gaps is needed. A label whose loss is infinite at every temperature has no say.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from anysoftmax import fold
from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, kept, widest
from anysoftmax.dispatch import compute
from anysoftmax.labels import chosen_of
from anysoftmax.operations import MOMENTS, parts_of
from anysoftmax.summation import stable_sum
from anysoftmax.surprisals import surprisals_and_peaks
from anysoftmax.targets import Targets, weighed


class Evidence(NamedTuple):
    """Logits along one axis, what each slice weighs, and the gap of its label times that."""

    a: Admitted
    weights: Array
    gaps: Array


class Sums(NamedTuple):
    """What all samples say without any temperature.

    The losses are those at the temperature 1. They and the weights include samples whose loss is
    infinite, which have no gap.
    """

    gap: Array
    largest_gap: Array
    loss: Array
    weight: Array
    say: Array  # the weight of those whose label is possible


def look_at(a: Admitted, targets: Targets) -> tuple[Evidence, Array]:
    """Return the samples, and what they say without any temperature, in the order of `Sums`."""
    xp = a.xp
    wide = widest(xp, a.logits, a.work)
    losses, peak = surprisals_and_peaks(a._replace(dtype=a.work), targets.labels)
    peak = xp.astype(peak, wide)
    own = xp.astype(chosen_of(a._replace(labels=targets.labels)).logits, wide)
    impossible = (own == -math.inf) | ((peak == math.inf) & (own != peak))
    gaps = xp.where(peak == own, 0.0, peak - own)
    # That of an impossible label is infinite; of others it can only be too large.
    gaps = xp.where(xp.isnan(losses) | ((gaps == math.inf) & ~impossible), math.nan, gaps)
    given = xp.ones_like(gaps) if targets.totals is None else xp.astype(targets.totals, wide)
    given = xp.where(given >= 0, given, math.nan)  # nobody could be told of negative ones before
    weights = xp.where(impossible, 0.0, given)
    weights, gaps, losses, given = kept(weights, gaps, xp.astype(losses, wide), given)
    evidence = Evidence(a, weights, weighed(xp, weights, gaps))
    sums = [
        add_up(a, evidence.gaps),
        xp.max(xp.where(weights == 0, 0.0, gaps)),
        add_up(a, weighed(xp, given, losses)),
        add_up(a, given),
        add_up(a, weights),
    ]
    return evidence, xp.stack(sums)


def loss_at(a: Admitted, targets: Targets, temperature: Array) -> Array:
    """Return the sum of the losses at a temperature."""
    a = a._replace(temperature=temperature, dtype=a.work)
    losses, _ = surprisals_and_peaks(a, targets.labels)
    return add_up(a, weighed(a.xp, targets.totals, losses))


def moments(samples: Evidence, temperature: Array) -> Array:
    """Return the mean and the variance of d / T, each summed over the samples.

    They are computed in the dtype of the temperature.
    """
    a = samples.a
    work = temperature.dtype
    a = a._replace(temperature=temperature, work=work, dtype=work)
    each = parts_of(compute(MOMENTS, a), a.axes[0])
    return a.xp.stack([add_up(a, weighed(a.xp, samples.weights, x)) for x in each])


def uneven(samples: Evidence) -> Array:
    """Return how many slices that have a say hold logits which differ."""
    a = fold.participants(samples.a)
    xp = a.xp
    least = xp.min(xp.where(a.logits == -math.inf, math.inf, a.logits), axis=a.axes, keepdims=True)
    differ = (least < fold.peak_of(a)) & (samples.weights > 0)
    return add_up(a, xp.astype(differ, a.work))


def every(samples: Evidence, step: int) -> Evidence:
    """Return one of so many samples, along the axis where there are most."""
    a = samples.a
    lengths = [0 if i in a.axes else n for i, n in enumerate(a.logits.shape)]
    axis = lengths.index(max(lengths)) - a.logits.ndim

    def take(x: Array) -> Array:
        if x.ndim < -axis or x.shape[axis] == 1:
            return x
        return x[(..., slice(None, None, step), *(slice(None),) * (-axis - 1))]

    where = None if a.where is None else take(a.where)
    b = a._replace(logits=take(a.logits), where=where)
    return Evidence(b, take(samples.weights), take(samples.gaps))


def add_up(a: Admitted, terms: Array) -> Array:
    """Add up over all samples."""
    total = stable_sum(a.xp, terms, tuple(range(terms.ndim)))
    return a.xp.astype(a.xp.reshape(total, ()), widest(a.xp, a.logits, a.work))
