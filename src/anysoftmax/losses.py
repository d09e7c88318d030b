r"""Cross-entropy of each slice of logits, and its derivative, before they are reduced.

With :math:`L_i = -\log p_i` the *surprisal* of a class, :math:`q_i` the target's probability (1 for
the class that a label names), :math:`c_i` the weight of the class, :math:`s` that of the slice,
:math:`\varepsilon` the smoothing and :math:`P` the :math:`n` classes that take part,

.. math::

    \ell = s \Bigl( (1 - \varepsilon) \sum_i c_i q_i L_i
         + \frac{\varepsilon}{n} \sum_{i \in P} c_i L_i \Bigr)
         = \sum_i k_i L_i, \qquad
    \frac{\partial \ell}{\partial x_i} = \frac{p_i \sum_j k_j - k_i}{T}.

A coefficient of 0 takes its surprisal out, be it infinite or NaN.
"""

from __future__ import annotations

import math

from anysoftmax import fold
from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, Namespace, is_dask
from anysoftmax.chunks import ahead
from anysoftmax.differentiation import is_differentiated
from anysoftmax.dispatch import compute
from anysoftmax.indexing import numbered
from anysoftmax.operations import SOFTMAX
from anysoftmax.pull_backs import divided, pull_back_log_softmax
from anysoftmax.reductions import any_of
from anysoftmax.summation import sum_alike
from anysoftmax.surprisals import derivatives_of_labels, surprisals, surprisals_of_labels
from anysoftmax.targets import Targets, weighed


def losses(a: Admitted, targets: Targets) -> Array:
    """Return the loss of each slice; the axes stay as length 1."""
    a = a._replace(dtype=a.work, lone=False)
    xp = a.xp
    if is_differentiated(a.logits, a.temperature):
        a = _without_idle(a, targets)
    if targets.labels is not None and targets.smoothing is None:
        loss = weighed(xp, targets.label_weights, surprisals_of_labels(a, targets.labels))
    else:
        k, number = _coefficients(a, targets)
        loss = add_up(xp, weighed(xp, k, surprisals(a)), a.axes)
        if number is not None:  # shared among none
            loss = xp.where(number == 0, math.inf + xp.where(loss < 0, math.nan, loss), loss)
        loss = _or_nan(xp, loss, targets)
    return weighed(xp, targets.sample_weights, loss)


def derivatives(a: Admitted, targets: Targets, weight: Array) -> Array:
    """Return the derivative of each slice's loss by its logits, divided by a weight, 0 by 0."""
    a = a._replace(dtype=a.work, lone=False)
    xp = a.xp
    if 0 in a.logits.shape:
        return xp.astype(a.logits, a.work)
    if targets.labels is not None and targets.smoothing is None:
        totals = xp.ones_like(weight) if targets.totals is None else targets.totals
        return derivatives_of_labels(a, targets.labels, over(xp, totals, weight))
    k, _ = _coefficients(a, targets)
    taking_part = _taking_part(a)
    k = over(xp, weighed(xp, targets.sample_weights, xp.where(taking_part, k, 0.0)), weight)
    idle = ~any_of(xp, k != 0, a.axes)
    p = xp.where(idle, 0.0, compute(SOFTMAX, a))
    x = xp.where(taking_part, pull_back_log_softmax(xp, p, -k, a.axes), 0.0)
    return divided(xp, _or_nan(xp, x, targets), a.temperature)


def add_up(xp: Namespace, terms: Array, axes: tuple[int, ...]) -> Array:
    """Add up terms; infinite ones of both signs are NaN before, as NumPy would warn of theirs."""
    # Not of Dask's, whose sums are quiet: a slice would stay in memory until all of it is known.
    if not is_dask(terms) and 0 not in terms.shape:
        up, down = terms == math.inf, terms == -math.inf
        mixed = any_of(xp, up, axes) & any_of(xp, down, axes)
        terms = xp.where((up | down) & mixed, math.nan, terms)
    return sum_alike(xp, terms, axes)


def over(xp: Namespace, x: Array, weight: Array) -> Array:
    """Divide by what slices weigh together: the mean of nothing is 0."""
    return xp.where(weight == 0, 0.0, x / xp.where(weight == 0, 1.0, weight))


def _or_nan(xp: Namespace, values: Array, targets: Targets) -> Array:
    """Return values of slices, NaN where a label that counts names no class."""
    if targets.label_weights is None:
        return values
    return xp.where(xp.isnan(targets.label_weights), math.nan, values)


def _coefficients(a: Admitted, targets: Targets) -> tuple[Array, Array | None]:
    """Return the coefficients of the surprisals but for the slices' weights.

    With smoothing, also return how many classes of each slice take part.
    """
    xp, e = a.xp, targets.smoothing
    if targets.labels is None:
        k = targets.weighed_probabilities
    else:
        k = xp.astype(numbered(xp, a.logits, a.axes) == targets.labels, a.work)
        k = k if targets.label_weights is None else weighed(xp, k, targets.label_weights)
    if e is None:
        return k, None
    taking_part, before = xp.astype(_taking_part(a), a.work), ahead(a)
    counted = taking_part if before is a else xp.astype(_taking_part(before), a.work)
    number = sum_alike(xp, counted, a.axes)
    each = e / xp.where(number == 0, 1.0, number)
    return weighed(xp, 1.0 - e, k) + weighed(xp, targets.class_weights, each * taking_part), number


def _without_idle(a: Admitted, targets: Targets) -> Admitted:
    """Put zeros in the place of slices that weigh nothing and hold NaN or +inf.

    Their derivatives would be 0 times NaN.
    """
    xp = a.xp
    idle = targets.idle(xp, a.axes)
    if idle is None or 0 in a.logits.shape:
        return a
    peak = fold.peak_of(fold.participants(a))
    unreadable = idle & ~(peak < math.inf)
    return a._replace(logits=xp.where(unreadable, xp.zeros_like(a.logits), a.logits))


def _taking_part(a: Admitted) -> Array:
    """Tell which classes take part."""
    return fold.participants(a).logits != -math.inf
