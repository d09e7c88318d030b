r"""Derivatives of softmax and log-softmax from the shares, for arrays without differentiation.

With p the shares, g the cotangent of the result and w a sure winner, whose share is more than a
half,

.. math::

    \text{softmax:}\quad \dot x_i = \frac{p_i}{T} \Bigl((g_i - g_w)
        - \sum_{j \ne w} p_j (g_j - g_w)\Bigr),

    \text{log-softmax:}\quad \dot x_i = \frac{1}{T} \Bigl(g_i - p_i \sum_j g_j\Bigr), \qquad
    \dot x_w = \frac{1}{T} \Bigl(g_w \sum_{j \ne w} p_j - p_w \sum_{j \ne w} g_j\Bigr).

These are the textbook's, rearranged so that no term contains :math:`1 - p_w`, which keeps no digit
if :math:`p_w` is 1 to rounding. Without a sure winner :math:`g_w` is 0 in the first.
"""

from __future__ import annotations

import math

from anysoftmax.arrays import Array, Namespace
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


def divided(xp: Namespace, x: Array, temperature: Array | None) -> Array:
    """Divide derivatives by z by the temperature; at 0 nothing depends on the logits."""
    if temperature is None:
        return x
    return x / xp.where(temperature == 0, math.inf, temperature)


def _sum(xp: Namespace, terms: Array, axes: tuple[int, ...]) -> Array:
    return xp.astype(stable_sum(xp, terms, axes), terms.dtype)
