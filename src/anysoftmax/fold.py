r"""The mathematics of softmax, once, for every array library.

A *slice* is the set of logits along `axes` that are normalised together. Its **summary** is its
largest logit and what the others add to it:

.. math::

    m = \max_j x_j, \qquad
    z_j = (x_j - m) / T, \qquad
    r = \Bigl(\sum_j e^{z_j}\Bigr) - 1,

`peak` and `rest`: "how much there is besides the winner". Everything public is made of these:

.. math::

    \mathrm{softmax}_i = \frac{e^{z_i}}{1 + r}, \qquad
    \mathrm{log\,softmax}_i = z_i - \log(1 + r), \qquad
    \mathrm{logsumexp} = m + \log(1 + r).

The summaries of two parts of a slice are *merged* into that of the whole, where each part counts
as its peak, :math:`1 + r` times; so slices may be larger than memory.

Why it is accurate: the shift comes before the division, so nothing overflows; `rest` is added up
without the winner's 1, so `log1p(rest)` keeps the full precision of a small rest, where
`log(1 + rest)` would return 0; both terms of log-softmax have one sign, so they cannot cancel.

Special values follow from one idea. Where the limit is *hard*, at temperature 0 or beside a
logit of +inf, only the largest logits take part, all alike. Whatever doesn't take part (masked,
-inf) is replaced *before* it enters the arithmetic, so that it can spoil neither values nor
derivatives. What only special values need is skipped where the peaks show that there are none:
at once for NumPy's arrays, which nothing traces, and when it runs for what XLA compiles.

References
----------
.. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax
   functions", IMA J. Numer. Anal. 41 (2021). https://doi.org/10.1093/imanum/draa038
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from anysoftmax.admission import Admitted, in_working_dtype
from anysoftmax.arrays import Array, DType, Namespace, into, is_numpy, narrow
from anysoftmax.compensation import difference_residual, quotient_residual, two_sum
from anysoftmax.devices import is_cut
from anysoftmax.differentiation import (
    holds_everywhere,
    is_compiled_by_xla,
    stop_gradient,
    with_tangents,
)
from anysoftmax.reductions import largest
from anysoftmax.summation import stable_sum, sum_alike, sum_along

MANY = 256  # classes: XLA adds them up in loops of their own
DEEPEST = -12000.0  # exp underflows above it in every dtype, long double among them


class Room(NamedTuple):
    """Memory that the results of single steps may be written to, each as large as the logits.

    Two steps may share memory if the later one no longer needs the earlier one's result. None is
    for arrays that can't be written to, or must not be because derivatives are taken.
    """

    shifted: Array | None = None
    exponentials: Array | None = None
    winners: Array | None = None


NO_ROOM = Room()


class Summary(NamedTuple):
    """What is known of slices that have been seen in part or whole, of one number for each.

    `lost` is what rounding has taken from `rest`, so that it can be added to for ever. A slice
    without participants has a peak of -inf and a rest of -1.
    """

    peak: Array
    rest: Array
    lost: Array


class Slices(NamedTuple):
    """Slices of logits after the shift: all that the results are made of.

    `peak` is the largest logit of each slice, of length 1 along the axes. `shifted` is z, and
    `exponentials` are those of z; what takes no part has -inf there and 0. A winner's
    `shifted` is 0, its exponential 1. `residual` is the rounding error of z, where it is
    carried along. `ordinary` tells that there are no special values.
    """

    peak: Array
    shifted: Array
    residual: Array | None
    exponentials: Array
    ordinary: bool
    room: Room


def participants(a: Admitted) -> Admitted:
    """Return the logits in the dtype of the work, -inf for what is masked."""
    x = in_working_dtype(a)
    if a.where is not None:
        x = a.xp.where(a.where, x, -math.inf)
    return a if x is a.logits else a._replace(logits=x)


def peak_of(a: Admitted) -> Array:
    """Return the largest logit of each slice, a constant to differentiation."""
    return stop_gradient(largest(a.xp, a.logits, a.axes))


def peak_among(xp: Namespace, parts: list[Array]) -> Array:
    """Return the largest logit of slices whose parts' largest are known."""
    return xp.max(xp.stack(parts), axis=0)


def is_ordinary(a: Admitted, peak: Array) -> bool | Array:
    """Tell whether the shift can neither overflow nor meet a special value.

    NumPy's arrays tell at once, programs of XLA when they run. Of all others it isn't asked.
    """
    xp, t = a.xp, a.temperature
    if is_cut(a.axes):  # devices that choose could part ways, and wait for one another for ever
        return False
    known = is_numpy(peak)
    if a.compensated or a.weights is not None or not (known or is_compiled_by_xla(peak, t)):
        return False
    bound = calm_bound(xp, a.work)
    if not known:
        calm = xp.abs(peak) < bound
        return holds_everywhere(calm if t is None else calm & (t > 0) & (t < math.inf))
    if t is None and peak.size == 1:
        return bool(-bound < peak.item() < bound)
    calm = -bound < peak.min() and peak.max() < bound
    return bool(calm and (t is None or 0 < t.min() <= t.max() < math.inf))


def lift(a: Admitted, peak: Array, room: Room, *, ordinary: bool, invariant: bool) -> Slices:
    """Shift each slice by its peak, divide it by its temperature and take exponentials.

    `invariant` tells that the result stays the same when all logits of a slice move together, as
    that of softmax does and that of log-sum-exp does not.
    """
    xp, x, t = a.xp, a.logits, a.temperature
    if ordinary:
        z = xp.subtract(x, peak, **into(room.shifted))
        if t is not None:
            z = _quotient(xp, z, t, room.shifted)
        e = xp.exp(z, **into(room.exponentials))
        return Slices(peak, z, None, e, ordinary=True, room=room)

    z, residual = _shift_carefully(a, peak)
    if invariant:
        z = with_tangents(z, lambda value: _relative_to_winner(a, value))
    # Far below the smallest exponential the derivative of z may overflow; that of exp(z) is 0.
    e = xp.exp(z if t is None else xp.where(z < DEEPEST, -math.inf, z))
    if residual is not None:
        residual = stop_gradient(residual)
        e = e * (1.0 + residual)  # e * residual alone may underflow
    return Slices(peak, z, residual, e, ordinary=False, room=NO_ROOM)


def total_of(a: Admitted, s: Slices) -> Array:
    """Add up the exponentials of each slice: 1 + rest."""
    return sum_alike(a.xp, s.exponentials, a.axes)


def terms_of_rest(a: Admitted, s: Slices) -> tuple[Array, Array]:
    """Add up the exponentials of each slice without the winners' 1, and count the winners.

    Winners are where the exponential is 1, all of them if they tie. Taking 1 from each there
    leaves no term that a small rest could vanish beside. To differentiation a winner's `e - 1` is
    still `e`, so that ties have the right derivatives of every order.
    """
    xp, e = a.xp, s.exponentials
    # Not where z is 0: under jit XLA may judge the two uses below differently, if z is subnormal.
    winners = xp.floor(e, **into(s.room.winners))
    others = xp.subtract(e, winners, **into(s.room.exponentials))
    many = is_compiled_by_xla(e) and a.weights is None and e.size >= MANY * s.peak.size
    if is_cut(a.axes):  # the winners' numbers are whole ones: each sum of them is exact
        return stable_sum(xp, others, a.axes), sum_along(xp, winners, a.axes)
    if not many:
        return stable_sum(xp, others, a.axes), stable_sum(xp, winners, a.axes)
    sum_of_others = stable_sum(xp, others, a.axes)
    # On the CPU XLA makes one loop of two sums, several times as slow as two. It can't, where the
    # second has to wait for the first: no sum of exponentials is below 0, which XLA can't know.
    peak = xp.where(sum_of_others < 0, xp.astype(sum_of_others, a.work), s.peak)
    again = lift(a, peak, NO_ROOM, ordinary=s.ordinary, invariant=False)
    return sum_of_others, sum_along(xp, xp.floor(again.exponentials), a.axes)


def rest_of(a: Admitted, others: Array, winners: Array) -> Array:
    """Add up what there is besides one winner: the others, and the winners that tie with it."""
    rest = others + (winners - 1.0)
    return rest if rest.dtype == a.work else a.xp.astype(rest, a.work)


def shares(a: Admitted, s: Slices, total: Array) -> Array:
    """Softmax: each exponential's share of the total."""
    xp = a.xp
    if s.ordinary:
        p = xp.divide(s.exponentials, total, **into(s.room.exponentials))
    else:
        p = s.exponentials / xp.where(total == 0, math.nan, total)
        p = xp.where(_undecided(a, s, total > 1), math.nan, p)
        if a.where is not None:
            p = xp.where(a.where, p, 0.0)
    return p if a.dtype == a.work else xp.astype(p, a.dtype)


def log_shares(a: Admitted, s: Slices, rest: Array) -> Array:
    """Log-softmax: the logarithm of each share, exact for the winner too."""
    xp, z = a.xp, s.shifted
    if s.ordinary:
        y = xp.subtract(z, xp.log1p(rest), **into(s.room.shifted))
    else:
        normaliser = _log1p(xp, rest, nothing=math.nan)
        y = z - normaliser if s.residual is None else z + (s.residual - normaliser)
        y = xp.where(_undecided(a, s, rest > 0), math.nan, y)
        if a.where is not None:
            y = xp.where(a.where, y, -math.inf)
    return narrow(xp, y, a.dtype)


def entropy(a: Admitted, s: Slices, rest: Array, surprise: Array) -> Array:
    """Entropy: what a share's logarithm is on average, without its sign."""
    xp = a.xp
    if s.ordinary:
        return narrow(xp, xp.log1p(rest) - surprise / (1.0 + rest), a.dtype)
    h = _log1p(xp, rest, nothing=math.nan) - surprise / (1.0 + xp.where(rest == -1, 0.0, rest))
    return narrow(xp, xp.where((s.peak == math.inf) & (rest > 0), math.nan, h), a.dtype)


def merge(a: Admitted, first: Summary, second: Summary) -> Summary:
    """Join the summaries of two parts of each slice; of `a` the temperature and dtypes count.

    The part with the lower peak shrinks. Where it hardly does, what it loses is taken from it, and
    all sums are carried without rounding: the error stays that of a few operations however many
    parts there have been.
    """
    xp = a.xp
    peaks, rests, losses = (xp.stack(pair) for pair in zip(first, second, strict=True))
    parts = a._replace(logits=peaks, axes=(0,), where=None, weights=None)
    peak = peak_of(parts)
    s = lift(parts, peak, NO_ROOM, ordinary=False, invariant=False)
    e, winners = s.exponentials, xp.floor(s.exponentials)
    near = e > 0.5
    shrinkage = xp.expm1(xp.where(near, s.shifted, 0.0))
    if s.residual is not None:
        shrinkage = shrinkage + e * s.residual
    kept = xp.where(near, rests, 0.0)
    added = rests * xp.where(near, shrinkage, e) + losses * e + (e - winners)
    total, first_lost = two_sum(kept[0, ...], kept[1, ...])
    added = added[0, ...] + added[1, ...] + ((winners[0, ...] + winners[1, ...]) - 1.0)
    rest, second_lost = two_sum(total, added)
    return Summary(peak[0, ...], rest, first_lost + second_lost)


def finish(a: Admitted, peak: Array, rest: Array, *, ordinary: bool | Array = False) -> Array:
    """Log-sum-exp: the peak and the logarithm of what the others add."""
    logarithm = a.xp.log1p(rest) if ordinary else _log1p(a.xp, rest, nothing=-math.inf)
    return narrow(a.xp, peak + logarithm, a.dtype)


def terms_of_surprise(a: Admitted, s: Slices) -> Array:
    """Add up the exponentials of each slice times their z, which is 0 or less."""
    terms = a.xp.multiply(s.exponentials, _finite(a, s), **into(s.room.shifted))
    return stable_sum(a.xp, terms, a.axes)


def terms_of_moments(a: Admitted, s: Slices) -> tuple[Array, Array, Array]:
    """Add up the exponentials of each slice, and these times z, and times its square."""
    xp = a.xp
    total, z = total_of(a, s), _finite(a, s)
    once = xp.multiply(s.exponentials, z, **into(s.room.exponentials))
    twice = xp.multiply(once, z, **into(s.room.shifted))
    return total, stable_sum(xp, once, a.axes), stable_sum(xp, twice, a.axes)


def moments(a: Admitted, total: Array, once: Array, twice: Array) -> tuple[Array, Array]:
    """Return the mean and the variance of z under the shares of each slice, 0 of nothing."""
    xp = a.xp
    total = xp.where(total == 0, 1.0, total)
    mean = once / total
    return mean, xp.maximum(twice / total - mean * mean, xp.zeros_like(mean))


def _finite(a: Admitted, s: Slices) -> Array:
    """Return z, finite where its exponential is 0: there it counts 0, though it may be -inf."""
    if s.ordinary:
        return a.xp.maximum(s.shifted, DEEPEST, **into(s.room.shifted))
    return a.xp.where(s.exponentials == 0, 0.0, s.shifted)


def variable_of(a: Admitted, peak: Array) -> Array:
    """Return an array that varies as z does with the logits and the temperature.

    With the peak a constant, the logits themselves vary as their difference from it does.
    """
    if a.temperature is not None:
        return _shift_carefully(a, peak)[0]
    return a.xp.where(a.logits == -math.inf, 0.0, a.logits)


def masked(a: Admitted, tangents: Array) -> Array:
    """Return tangents, 0 where the result is what it is whatever the logits are."""
    return tangents if a.where is None else a.xp.where(a.where, tangents, 0.0)


def weighed(a: Admitted, p: Array, tangents: Array) -> Array:
    """Weigh tangents by the shares p."""
    if a.temperature is None:
        return p * tangents
    return a.xp.where(p == 0, 0.0, p * tangents)  # those of z / T may be infinite


def mean(a: Admitted, p: Array, tangents: Array) -> Array:
    """Average tangents over each slice, weighed by the shares p."""
    return sum_along(a.xp, weighed(a, p, tangents), a.axes)


def centred(a: Admitted, p: Array, tangents: Array) -> Array:
    """Take their mean from the tangents of each slice, after those of a sure winner.

    A winner is sure if it is likelier than all others together. Moving all logits of a slice alike
    changes no share. But with the winner's own tangent gone, a derivative contains the others'
    shares where it would contain `1 - p`, which keeps no digit if p is 1 to rounding.
    """
    xp = a.xp
    if a.temperature is None:
        sure = xp.round(p)  # 1 or 0; XLA fuses arithmetic better than a choice
        winner = sum_along(xp, sure * tangents, a.axes)
        relative = (1.0 - sure) * (tangents - winner)
    else:
        sure = p > 0.5
        winner = sum_along(xp, xp.where(sure, tangents, 0.0), a.axes)
        relative = xp.where(sure, 0.0, tangents - winner)
    return relative - mean(a, p, relative)


@cache
def calm_bound(xp: Namespace, dtype: DType) -> float:
    """Return the largest peak below which the difference of two logits stays finite."""
    limits = xp.finfo(dtype)
    return float(limits.max * limits.eps / 8)


def _quotient(xp: Namespace, difference: Array, t: Array, out: Array | None) -> Array:
    """Divide ordinary differences by the temperature: to -inf if that overflows, as it should."""
    if is_numpy(difference):
        with xp.errstate(over="ignore"):
            return xp.divide(difference, t, out=out)
    # One divisor for each element: XLA would multiply by the rounded reciprocal of a shared one.
    return difference / xp.maximum(difference, t)


def _shift_carefully(a: Admitted, peak: Array) -> tuple[Array, Array | None]:
    """Compute z, -inf for what takes no part, and its rounding error if asked for."""
    xp, x, t = a.xp, a.logits, a.temperature
    hard = peak == math.inf
    if t is not None:
        hard = hard | (t == 0)
        t = xp.where(t >= 0, t, math.nan)  # negative but traced: no error to raise
        t = xp.where(t == 0, 1.0, t)
    origin = xp.where(xp.abs(peak) == math.inf, 0.0, peak)
    takes_part = (x != -math.inf) & (~hard | (x == peak)) & ~(x < overflow_bound(xp, origin, t))
    x = xp.where(takes_part & ~hard, x, origin)

    z, residual = _shift(a, x, origin, t)
    return xp.where(takes_part, z, -math.inf), residual


def _shift(a: Admitted, x: Array, origin: Array, t: Array | None) -> tuple[Array, Array | None]:
    """Compute z and, if asked for, its rounding error."""
    xp = a.xp
    if t is None:
        z = x - origin
        return z, difference_residual(x, origin, z) if a.compensated else None
    # Halving both sides is exact, and keeps the difference of the largest numbers finite.
    half = xp.where(t > 1, 0.5, xp.ones_like(t))
    x, origin, t = x * half, origin * half, t * half
    difference = x - origin
    # One divisor for each element: XLA would multiply by the rounded reciprocal of a shared one.
    z = difference / stop_gradient(xp.where(difference <= 0, t, 1.0)) * _unit_over(xp, t)
    if not a.compensated:
        return z, None
    residual = difference_residual(x, origin, difference)
    return z, quotient_residual(xp, difference, residual, t, z)


def _unit_over(xp: Namespace, t: Array) -> Array:
    """Return 1 with the derivatives of 1 / t relative to its value.

    The derivative of a quotient contains 1 / t**2, which leaves the range of numbers long before
    1 / t does; this one does not.
    """
    finite = xp.where(t < math.inf, t, 1.0)
    constant = stop_gradient(finite)
    ratio = 1.0 / (1.0 + (finite - constant) / constant)
    return xp.where(t >= 0, ratio, math.nan)


def _relative_to_winner(a: Admitted, z: Array) -> Callable[[Array], Array]:
    """Return the map of tangents of z that takes those of a sure winner from all of its slice.

    A winner is sure if it is likelier than all others together. Moving all z of a slice alike
    changes no result of softmax, so that the map is the identity to them: of z itself, where the
    winner has 0, it makes z. But with the winner's own tangent gone, a derivative contains the
    others' shares where it would contain `1 - p`, which keeps no digit if p is 1 to rounding.
    """
    xp = a.xp
    sure = (z == 0) & (stable_sum(xp, xp.exp(z), a.axes) < 2)

    def relative(tangents: Array) -> Array:
        winner = xp.sum(xp.where(sure, tangents, 0.0), axis=a.axes, keepdims=True)
        return xp.where(sure, 0.0, tangents - winner)

    return relative


def overflow_bound(xp: Namespace, origin: Array, t: Array | None) -> Array:
    """Return the logit of each slice below which z would overflow; it takes no part."""
    limits = xp.finfo(origin.dtype)
    # In quarters, so that the sum below is finite. Two logits are at most twice the largest
    # number apart, so that beyond a temperature of 2 nothing overflows.
    quarter = float(limits.max) / 4 * (1 - 4 * float(limits.eps))
    bound = origin / 4 - (quarter if t is None else quarter * xp.where(t < 3, t, 3.0))
    reached = bound > -quarter
    return xp.where(reached, xp.where(reached, bound, 0.0) * 4, -math.inf)


def _undecided(a: Admitted, s: Slices, several: Array) -> Array:
    """Tell where a logit of +inf stands beside another one: neither is the larger."""
    return (a.logits == math.inf) & ((s.peak == math.inf) & several)


def _log1p(xp: Namespace, rest: Array, nothing: float) -> Array:
    """Return log(1 + rest), or `nothing` where the slice has no participants and rest is -1."""
    empty = rest == -1
    rest = xp.where(empty, 0.0, rest)
    logarithm = xp.log1p(rest)
    # log1p of a tiny number is that number, which PyTorch misses if it is subnormal. Only the value
    # is mended: the derivatives of log1p are not those of its argument.
    tiny = xp.abs(rest) < float(xp.finfo(rest.dtype).smallest_normal)
    missed = stop_gradient(xp.where(tiny, rest - logarithm, 0.0))
    return xp.where(empty, nothing, logarithm + missed)
