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
from anysoftmax.arrays import (
    Array,
    Namespace,
    into,
    is_differentiated,
    is_numpy,
    numbered,
    pick,
    replaced,
    stop_gradient,
)
from anysoftmax.dispatch import compute
from anysoftmax.fold import NO_ROOM
from anysoftmax.operations import LOG_SOFTMAX, SOFTMAX, SUMMARY
from anysoftmax.pull_backs import divided, pull_back_log_softmax
from anysoftmax.summation import stable_sum
from anysoftmax.targets import Targets


def losses(a: Admitted, targets: Targets) -> Array:
    """Return the loss of each slice; the axes stay as length 1."""
    a = a._replace(dtype=a.work, lone=False)
    xp, e, labels = a.xp, targets.smoothing, targets.labels
    if is_differentiated(a.logits, a.temperature):
        a = _without_idle(a, targets)
    if labels is not None and e is None:
        loss = _product(xp, targets.label_weights, _surprisals_of_labels(a, labels))
    else:
        surprisals = _surprisals(a)
        if labels is not None:
            loss = _product(xp, targets.label_weights, pick(xp, surprisals, labels, a.axes))
        else:
            loss = _sum(a, _product(xp, targets.weighed_probabilities, surprisals))
    if e is not None:
        loss = _product(xp, 1.0 - e, loss) + _product(xp, e, _spread(a, targets, surprisals))
    return _product(xp, targets.sample_weights, loss)


def derivatives(a: Admitted, targets: Targets, scale: Array | None) -> Array:
    """Return the derivative of each slice's loss by its logits, times the scale of the slice."""
    a = a._replace(dtype=a.work, lone=False)
    xp = a.xp
    if targets.labels is not None and targets.smoothing is None:
        x = _derivatives_of_labels(a, targets, scale)
    else:
        taking_part = _taking_part(a)
        k = xp.where(taking_part, _coefficients(a, targets, taking_part), 0.0)
        if scale is not None:
            k = _product(xp, scale, k)
        idle = ~xp.any(k != 0, axis=a.axes, keepdims=True)
        p = xp.where(idle, 0.0, compute(SOFTMAX, a))
        x = pull_back_log_softmax(xp, p, -k, a.axes)
    return divided(xp, x, a.temperature)


def _derivatives_of_labels(a: Admitted, targets: Targets, scale: Array | None) -> Array:
    xp, labels = a.xp, targets.labels
    factor = xp.astype(_taking_part(_chosen(a, labels)), a.work)
    for weight in (targets.label_weights, targets.sample_weights, scale):
        factor = factor if weight is None else _product(xp, factor, weight)
    # 1 - p of the label is what the others have, which does not cancel.
    x = replaced(xp, compute(SOFTMAX, a), labels, 0.0, a.axes)
    others = _sum(a, x)
    x = replaced(xp, x, labels, -others, a.axes)
    x = xp.multiply(x, factor, **into(x if is_numpy(x) else None))
    idle = factor == 0
    # What weighs nothing has derivatives of 0, though its slice may be NaN.
    if is_numpy(x) and not xp.any(idle & xp.isnan(others)):
        return x
    return xp.where(idle, 0.0, x)


def _coefficients(a: Admitted, targets: Targets, taking_part: Array) -> Array:
    """Return the coefficients of the surprisals, of the logits' shape."""
    xp, e = a.xp, targets.smoothing
    if targets.labels is None:
        k = targets.weighed_probabilities
    else:
        k = xp.astype(numbered(xp, a.logits, a.axes) == targets.labels, a.work)
        k = k if targets.label_weights is None else _product(xp, k, targets.label_weights)
    if e is not None:
        c = 1.0 if targets.class_weights is None else targets.class_weights
        each = e / xp.maximum(_count(a, taking_part), 1.0)
        k = _product(xp, 1.0 - e, k) + each * c
    return k if targets.sample_weights is None else _product(xp, targets.sample_weights, k)


def _spread(a: Admitted, targets: Targets, surprisals: Array) -> Array:
    """Return the mean of the weighed surprisals of all classes that take part."""
    xp = a.xp
    taking_part = _taking_part(a)
    if targets.class_weights is not None:
        surprisals = _product(xp, targets.class_weights, surprisals)
    total = _sum(a, xp.where(taking_part, surprisals, 0.0))
    number = _count(a, taking_part)
    return xp.where(number == 0, math.inf, total / xp.where(number == 0, 1.0, number))


def _surprisals_of_labels(a: Admitted, labels: Array) -> Array:
    """Return -log p of each slice's label."""
    xp = a.xp
    differentiated = is_differentiated(a.logits, a.temperature)
    if differentiated or len(a.axes) > 1 or 0 in a.logits.shape:
        return pick(xp, _surprisals(a), labels, a.axes)
    # Nothing of the size of the logits is made: a summary and the label's logit are enough.
    summary = compute(SUMMARY, a)
    peak, rest = (pick(xp, summary, xp.full_like(labels, i), a.axes) for i in (0, 1))
    chosen = fold.participants(_chosen(a, labels))
    ordinary = fold.is_ordinary(chosen, peak)
    slices = fold.lift(chosen, peak, NO_ROOM, ordinary=ordinary, invariant=True)
    return _surprisal(xp, fold.log_shares(chosen, slices, rest), peak)


def _surprisals(a: Admitted) -> Array:
    """Return -log p of every class."""
    y = compute(LOG_SOFTMAX, a)
    if 0 in a.logits.shape:
        return y
    return _surprisal(a.xp, y, stop_gradient(fold.peak_of(fold.participants(a))))


def _surprisal(xp: Namespace, y: Array, peak: Array) -> Array:
    """Return -y, infinite where nothing takes part in a slice; a constant where it is infinite."""
    return xp.where((y == -math.inf) | (peak == -math.inf), math.inf, 0.0 - y)


def _chosen(a: Admitted, labels: Array) -> Admitted:
    """Return the logits and the mask of the labels alone."""
    xp = a.xp
    where = a.where
    if where is not None:
        where = pick(xp, xp.broadcast_to(where, a.logits.shape), labels, a.axes)
    return a._replace(logits=pick(xp, a.logits, labels, a.axes), where=where)


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


def _count(a: Admitted, condition: Array) -> Array:
    return _sum(a, a.xp.astype(condition, a.work))


def _sum(a: Admitted, terms: Array) -> Array:
    total = stable_sum(a.xp, terms, a.axes)
    return total if total.dtype == a.work else a.xp.astype(total, a.work)


def _product(xp: Namespace, coefficient: Array | None, values: Array) -> Array:
    """Multiply; 0 times infinity or NaN is 0. No coefficient stands for 1."""
    if coefficient is None:
        return values
    taken_out = (coefficient == 0) & ~(xp.abs(values) < math.inf)
    return coefficient * xp.where(taken_out, 0.0, values)
