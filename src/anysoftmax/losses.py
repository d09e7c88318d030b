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
from anysoftmax.arrays import Array, Namespace
from anysoftmax.differentiation import is_differentiated
from anysoftmax.dispatch import compute
from anysoftmax.indexing import numbered, pick
from anysoftmax.operations import SOFTMAX
from anysoftmax.pull_backs import divided, pull_back_log_softmax
from anysoftmax.summation import stable_sum
from anysoftmax.surprisals import derivatives_of_labels, surprisals, surprisals_of_labels
from anysoftmax.targets import Targets


def losses(a: Admitted, targets: Targets) -> Array:
    """Return the loss of each slice; the axes stay as length 1."""
    a = a._replace(dtype=a.work, lone=False)
    xp, e, labels = a.xp, targets.smoothing, targets.labels
    if is_differentiated(a.logits, a.temperature):
        a = _without_idle(a, targets)
    if labels is not None and e is None:
        loss = _product(xp, targets.label_weights, surprisals_of_labels(a, labels))
    else:
        of_classes = surprisals(a)
        if labels is not None:
            loss = _product(xp, targets.label_weights, pick(xp, of_classes, labels, a.axes))
        else:
            loss = _sum(a, _product(xp, targets.weighed_probabilities, of_classes))
    if e is not None:
        loss = _product(xp, 1.0 - e, loss) + _product(xp, e, _spread(a, targets, of_classes))
    return _product(xp, targets.sample_weights, loss)


def derivatives(a: Admitted, targets: Targets, scale: Array) -> Array:
    """Return the derivative of each slice's loss by its logits, times the scale of the slice."""
    a = a._replace(dtype=a.work, lone=False)
    xp = a.xp
    if targets.labels is not None and targets.smoothing is None:
        totals = targets.totals
        factor = scale if totals is None else _product(xp, totals, scale)
        return derivatives_of_labels(a, targets.labels, factor)
    taking_part = _taking_part(a)
    k = _product(xp, scale, xp.where(taking_part, _coefficients(a, targets, taking_part), 0.0))
    idle = ~xp.any(k != 0, axis=a.axes, keepdims=True)
    p = xp.where(idle, 0.0, compute(SOFTMAX, a))
    x = xp.where(taking_part, pull_back_log_softmax(xp, p, -k, a.axes), 0.0)
    return divided(xp, x, a.temperature)


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


def _spread(a: Admitted, targets: Targets, of_classes: Array) -> Array:
    """Return the mean of the weighed surprisals of all classes that take part."""
    xp = a.xp
    taking_part = _taking_part(a)
    # Before they are weighed: a weight has no derivative by what takes no part.
    present = xp.where(taking_part, of_classes, 0.0)
    total = _sum(a, _product(xp, targets.class_weights, present))
    number = _count(a, taking_part)
    return xp.where(number == 0, math.inf, total / xp.where(number == 0, 1.0, number))


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
