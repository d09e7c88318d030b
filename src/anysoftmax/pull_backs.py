r"""Derivatives of softmax and log-softmax from the shares, for arrays without differentiation.

With p the shares, g the cotangent of the result and w a sure winner, whose share is more than a
half,

.. math::

    \text{softmax:}\quad \dot x_i = \frac{p_i}{T} \Bigl((g_i - g_w)
        - \sum_{j \ne w} p_j (g_j - g_w)\Bigr),

    \text{log-softmax:}\quad \dot x_i = \frac{1}{T} \Bigl(g_i - p_i \sum_j g_j\Bigr), \qquad
    \dot x_w = \frac{1}{T} \Bigl(g_w \sum_{j \ne w} p_j - p_w \sum_{j \ne w} g_j\Bigr).

    \text{surprisal of label t:}\quad \dot x_i = \frac{1}{T} p_i\, g, \qquad
    \dot x_t = -\frac{1}{T} \sum_{i \ne t} p_i\, g.

These are the textbook's, rearranged so that no term contains :math:`1 - p_w`, which keeps no digit
if :math:`p_w` is 1 to rounding. Without a sure winner :math:`g_w` is 0 in the first.
"""

from __future__ import annotations

import math

from anysoftmax.arrays import Array, Namespace, into, is_writable, replaced
from anysoftmax.summation import stable_sum


def pull_back_softmax(xp: Namespace, p: Array, g: Array, axes: tuple[int, ...]) -> Array:
    """Return the derivative by z from softmax's result p and its cotangent."""
    sure = p > 0.5
    winner = xp.sum(xp.where(sure, g, 0.0), axis=axes, keepdims=True)
    relative = xp.where(sure | (p == 0), 0.0, g - winner)
    return p * (relative - _sum(xp, p * relative, axes))


def pull_back_log_softmax(xp: Namespace, p: Array, g: Array, axes: tuple[int, ...]) -> Array:
    """Return the derivative by z from the shares and the cotangent of log-softmax."""
    sure = p > 0.5
    winner = xp.sum(xp.where(sure, g, 0.0), axis=axes, keepdims=True)
    others = _sum(xp, xp.where(sure, 0.0, g), axes)
    rest = _sum(xp, xp.where(sure, 0.0, p), axes)
    return xp.where(sure, rest * g - p * others, g - p * (others + winner))


def pull_back_label(
    xp: Namespace, p: Array, labels: Array, g: Array, axes: tuple[int, ...]
) -> Array:
    """Return the derivative by z of the surprisals of labels from the shares, in their memory.

    A slice whose cotangent g is 0 has derivatives of 0, though it may hold NaN.
    """
    owned = is_writable(p)
    p = replaced(xp, p, labels, 0.0, axes)
    others = _sum(xp, p, axes)
    p = replaced(xp, p, labels, -others, axes)
    x = xp.multiply(p, g, **into(p if owned else None))
    idle = g == 0
    if owned and not xp.any(idle & xp.isnan(others)):
        return x
    return xp.where(idle, 0.0, x)


def divided(xp: Namespace, x: Array, temperature: Array | None) -> Array:
    """Divide derivatives by z by the temperature; at 0 nothing depends on the logits."""
    if temperature is None:
        return x
    return x / xp.where(temperature == 0, math.inf, temperature)


def _sum(xp: Namespace, terms: Array, axes: tuple[int, ...]) -> Array:
    return xp.astype(stable_sum(xp, terms, axes), terms.dtype)
