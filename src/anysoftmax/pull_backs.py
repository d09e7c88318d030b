r"""Derivatives of softmax and log-softmax from the shares, for arrays without differentiation.

With p the shares, S their sum, g the cotangent of the result and w a sure winner, whose share is
more than all others' together,

.. math::

    \text{softmax:}\quad \dot x_i = \frac{p_i}{T} \Bigl(S\, (g_i - g_w)
        - \sum_{j \ne w} p_j (g_j - g_w)\Bigr),

    \text{log-softmax:}\quad \dot x_i = \frac{1}{T} \Bigl(S\, g_i - p_i \sum_j g_j\Bigr), \qquad
    \dot x_w = \frac{1}{T} \Bigl(g_w \sum_{j \ne w} p_j - p_w \sum_{j \ne w} g_j\Bigr).

    \text{surprisal of label t:}\quad \dot x_i = \frac{1}{T} p_i\, g, \qquad
    \dot x_t = -\frac{1}{T} \sum_{i \ne t} p_i\, g.

These are the textbook's, rearranged so that no term contains :math:`1 - p_w`, which keeps no digit
if :math:`p_w` is 1 to rounding. Without a sure winner :math:`g_w` is 0 in the first. S is 1 but for
what the shares have been rounded.
"""

from __future__ import annotations

import math

from anysoftmax.arrays import Array, Namespace, into, is_numpy
from anysoftmax.differentiation import is_writable
from anysoftmax.fold import NO_ROOM, Room
from anysoftmax.indexing import pick, replaced
from anysoftmax.summation import sum_alike


def pull_back_softmax(
    xp: Namespace, p: Array, g: Array, axes: tuple[int, ...], room: Room = NO_ROOM
) -> Array:
    """Return the derivative by z from softmax's result p and its cotangent."""
    if is_numpy(p):
        with xp.errstate(over="ignore", invalid="ignore"):
            x = _pull_back_finite_softmax(xp, p, g, axes, room)
        if x is not None:
            return x
    total = _total(xp, p, axes)
    winner = xp.sum(xp.where(p > total / 2, g, 0.0), axis=axes, keepdims=True)
    absent = p == 0
    relative = xp.where(absent, 0.0, g - winner)  # of the winner, 0
    return xp.where(absent, 0.0, p * (relative * total - sum_alike(xp, p * relative, axes)))


def pull_back_log_softmax(
    xp: Namespace, p: Array, g: Array, axes: tuple[int, ...], room: Room = NO_ROOM
) -> Array:
    """Return the derivative by z from the shares and the cotangent of log-softmax.

    If the shares lie in the room for exponentials, they are used up.
    """
    if is_numpy(p):
        with xp.errstate(over="ignore", invalid="ignore"):
            return _pull_back_log_softmax_in(xp, p, g, axes, room)
    total = _total(xp, p, axes)
    sure = p > total / 2
    winner = xp.sum(xp.where(sure, g, 0.0), axis=axes, keepdims=True)
    others = sum_alike(xp, xp.where(sure, 0.0, g), axes)
    rest = sum_alike(xp, xp.where(sure, 0.0, p), axes)
    return xp.where(sure, rest * g - p * others, total * g - p * (others + winner))


def pull_back_label(
    xp: Namespace, p: Array, labels: Array, g: Array, axes: tuple[int, ...]
) -> Array:
    """Return the derivative by z of the surprisals of labels from the shares, in their memory.

    A slice whose cotangent g is 0 has derivatives of 0, though it may hold NaN.
    """
    owned = is_writable(p) and is_writable(g)
    own = pick(xp, p, labels, axes)
    p = replaced(xp, p, labels, 0.0, axes)
    others = sum_alike(xp, p, axes) + 0.0 * own  # NaN, if the label's is the only share
    p = replaced(xp, p, labels, -others, axes)
    x = xp.multiply(p, g, **into(p if owned else None))
    idle = g == 0
    if owned and not xp.any(idle & xp.isnan(others)):
        return x
    return xp.where(idle, 0.0, x)


def divided(
    xp: Namespace, x: Array, temperature: Array | None, memory: Array | None = None
) -> Array:
    """Divide derivatives by z by the temperature; at 0 and inf nothing depends on the logits."""
    if temperature is None:
        return x
    frozen = (temperature == 0) | (temperature == math.inf)
    # Negative, but traced or lazy: there was no error to raise.
    divisor = xp.where(frozen, 1.0, xp.where(temperature >= 0, temperature, math.nan))
    if is_numpy(x):
        with xp.errstate(over="ignore"):
            x = xp.divide(x, divisor, out=memory)
        return xp.where(frozen, 0.0, x) if frozen.any() else x
    return xp.where(frozen, 0.0, x / divisor)


def _pull_back_finite_softmax(
    xp: Namespace, p: Array, g: Array, axes: tuple[int, ...], room: Room
) -> Array | None:
    """Compute in few walks through memory, or return None if the cotangents are not all finite."""
    total = _total(xp, p, axes)
    relative, sure = g, _find_sure(xp, p, total)
    if sure is not None:
        # A winner's own becomes 0.
        winner = _spread(xp, p, sure, g[sure], axes)
        relative = xp.subtract(g, winner, **into(room.winners))
    mean = sum_alike(xp, xp.multiply(p, relative, **into(room.exponentials)), axes)
    if not xp.isfinite(mean).all():
        return None
    relative = xp.multiply(relative, total, **into(room.winners))
    x = xp.subtract(relative, mean, **into(room.exponentials))
    return xp.multiply(p, x, **into(room.shifted))


def _pull_back_log_softmax_in(
    xp: Namespace, p: Array, g: Array, axes: tuple[int, ...], room: Room
) -> Array:
    """Compute in few walks through memory."""
    total = _total(xp, p, axes)
    sure = _find_sure(xp, p, total)
    if sure is None:
        everything = sum_alike(xp, g, axes)
    else:
        won, share = g[sure], p[sure]
        p = p if p is room.exponentials else p.copy()
        p[sure] = 0
        if room.winners is None:
            g = g.copy()
        else:
            room.winners[...] = g
            g = room.winners
        g[sure] = 0
        rest, others = sum_alike(xp, p, axes), sum_alike(xp, g, axes)
        everything = others + _spread(xp, p, sure, won, axes)
        of_winners = _of_slices(sure, axes)
        won = rest[of_winners] * won - share * others[of_winners]
    g = xp.multiply(g, total, **into(room.winners))
    x = xp.subtract(g, xp.multiply(p, everything, **into(room.exponentials)), **into(room.shifted))
    if sure is not None:
        x[sure] = won
    return x


def _find_sure(xp: Namespace, p: Array, total: Array) -> tuple[Array, ...] | None:
    """Return the indices of sure winners, None if there are none.

    They are likelier than all others of their slice together, so that it has one at most.
    """
    sure = p > total / 2
    # Along memory, and flat: NumPy takes many times as long over several axes.
    order = sorted(range(p.ndim), key=lambda i: sure.strides[i], reverse=True)
    lying = sure.transpose(order)
    found = xp.flatnonzero(lying)
    if not found.size:
        return None
    indices = xp.unravel_index(found, lying.shape)
    return tuple(indices[order.index(i)] for i in range(p.ndim))


def _spread(
    xp: Namespace, p: Array, sure: tuple[Array, ...], values: Array, axes: tuple[int, ...]
) -> Array:
    """Return values of the slices with a sure winner, 0 for the others."""
    lengths = tuple(1 if i in axes else n for i, n in enumerate(p.shape))
    of_slices = xp.zeros(lengths, dtype=p.dtype)
    of_slices[_of_slices(sure, axes)] = values
    return of_slices


def _of_slices(places: tuple[Array, ...], axes: tuple[int, ...]) -> tuple[Array, ...]:
    """Return the indices of the slices that elements lie in."""
    return tuple(index * 0 if i in axes else index for i, index in enumerate(places))


def _total(xp: Namespace, p: Array, axes: tuple[int, ...]) -> Array:
    """Add up shares; to 1 exactly, if nothing but the rounding of the sum is between."""
    total = sum_alike(xp, p, axes)
    rounding = 2 * float(xp.finfo(p.dtype).eps)
    return xp.where(xp.abs(total - 1.0) <= rounding, xp.ones_like(total), total)
