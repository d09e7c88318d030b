"""The functions of slices, each put together from steps of the fold, and their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from anysoftmax import fold
from anysoftmax.admission import Admitted, in_working_dtype
from anysoftmax.arrays import Array, Namespace, into, is_numpy, narrow
from anysoftmax.differentiation import derived, either, is_traced, stop_gradient
from anysoftmax.fold import NO_ROOM, Room, Slices
from anysoftmax.indexing import numbered
from anysoftmax.labels import surprisal
from anysoftmax.pull_backs import (
    divided,
    pull_back_label,
    pull_back_log_softmax,
    pull_back_softmax,
)
from anysoftmax.summation import sum_along
from anysoftmax.weighing import heaviest_among, heaviest_of, lift_weighted

Tangent = Callable[[Admitted, Array, Array, Array], Array]


class Operation(NamedTuple):
    """How a function of slices is computed, step by step.

    It finds the peak of each slice, lifts the logits by it, adds up over the slice, and concludes
    from the sums. Slices may be cut into parts: their peaks are joined, their sums added.

    `final_step` names the step of the fold that the result is made of, element by element; None if
    the axes are reduced: the first to as many numbers as are told of a slice, the others to one.
    `rereads_shifted` tells that z is needed once more after its exponentials are formed.
    `total` makes the sum of all exponentials of what was added up.
    `of_nothing` are the numbers that are told of a slice without any element.
    `tangent` makes a tangent of the result from the result, the shares and a tangent of z; None
    where there is no such rule, and derivatives follow the steps.
    """

    name: str
    peak_of: Callable[[Admitted], Any]
    join_peaks: Callable[[Namespace, list[Any]], Any]
    lift: Callable[..., Slices]
    add_up: Callable[[Admitted, Slices], tuple[Array, ...]]
    conclude: Callable[..., Array]
    total: Callable[..., Array]
    final_step: str | None
    rereads_shifted: bool = False
    of_nothing: tuple[float, ...] = (-math.inf,)
    tangent: Tangent | None = None

    @property
    def reduces(self) -> bool:
        """Tell whether the result has a length of its own along the axes."""
        return self.final_step is None

    def result_shape(self, a: Admitted) -> tuple[int, ...]:
        """Return the shape of the result: reduced axes stay as length 1, the first as its own."""
        shape = list(a.logits.shape)
        if self.reduces:
            for axis in a.axes:
                shape[axis] = 1
            shape[a.axes[0]] = len(self.of_nothing)
        return tuple(shape)

    def __call__(self, a: Admitted, room: Room = NO_ROOM) -> Array:
        """Compute the function of whole slices."""
        a = fold.participants(a)
        peak = self.peak_of(a)
        if self.tangent is not None and is_traced(a.logits, a.temperature, peak):
            return self._by_rule(a, peak, self.tangent)
        ordinary = fold.is_ordinary(a, peak)
        if isinstance(ordinary, bool):
            return self._step_by_step(a, peak, room, ordinary=ordinary)
        return either(
            ordinary,
            partial(self._step_by_step, a, peak, room, ordinary=True),
            partial(self._step_by_step, a, peak, room, ordinary=False),
        )

    def _step_by_step(self, a: Admitted, peak: Array, room: Room, *, ordinary: bool) -> Array:
        slices = self.lift(a, peak, room, ordinary=ordinary)
        return self.conclude(a, slices, *self.add_up(a, slices))

    def _by_rule(self, a: Admitted, peak: Array, tangent: Tangent) -> Array:
        """Compute the function together with the shares, of which JAX makes all derivatives."""
        constants = {
            name: stop_gradient(array)
            for name in ("logits", "temperature")
            if (array := getattr(a, name)) is not None
        }
        fixed = a._replace(dtype=a.work, **constants)

        def values(*, ordinary: bool) -> tuple[Array, Array]:
            s = self.lift(fixed, peak, NO_ROOM, ordinary=ordinary)
            sums = self.add_up(fixed, s)
            total = self.total(fixed, *sums)
            p = fold.shares(fixed, s, total)
            if not ordinary:  # no share of nothing: the derivatives are 0
                p = a.xp.where(total == 0, 0.0, p)
            return self.conclude(fixed, s, *sums), p

        def tangents(
            values: tuple[Array, ...], t: Array, constants: tuple[Array | None, Array | None]
        ) -> tuple[Array, ...]:
            (where, labels), (y, p) = constants, values
            b = a._replace(where=where, labels=labels)
            return tangent(b, y, p, t), fold.weighed(b, p, fold.centred(b, p, t))

        computed = either(
            fold.is_ordinary(fixed, peak),
            partial(values, ordinary=True),
            partial(values, ordinary=False),
        )
        y, _ = derived(computed, fold.variable_of(a, peak), (a.where, a.labels), tangents)
        return narrow(a.xp, y, a.dtype)


class PullBack(NamedTuple):
    """How a derivative is pulled back through a function of slices, all at once.

    `formula` takes the function's results, or its logits, where logits are admitted, and what
    their slices may be computed in.
    """

    name: str
    formula: Callable[[Admitted, Room], Array]
    reduces: bool = False
    final_step: str = "shifted"
    rereads_shifted: bool = True

    def result_shape(self, a: Admitted) -> tuple[int, ...]:
        """Return the shape of the derivatives."""
        return tuple(a.logits.shape)

    def __call__(self, a: Admitted, room: Room = NO_ROOM) -> Array:
        """Compute the derivatives of whole slices."""
        x = divided(a.xp, self.formula(a, room), a.temperature, room.shifted)
        return narrow(a.xp, x, a.dtype)


def _pull_back_softmax(a: Admitted, room: Room) -> Array:
    return pull_back_softmax(a.xp, in_working_dtype(a), a.cotangent, a.axes, room)


def _pull_back_log_softmax(a: Admitted, room: Room) -> Array:
    xp, y, g = a.xp, in_working_dtype(a), a.cotangent
    absent = None if is_numpy(y) and y.min() > -math.inf else y == -math.inf
    if absent is not None:
        g = xp.where(absent, 0.0, g)
    p = xp.exp(y, **into(room.exponentials))
    x = pull_back_log_softmax(xp, p, g, a.axes, room)
    return x if absent is None else xp.where(absent, 0.0, x)


def _pull_back_logsumexp(a: Admitted, room: Room) -> Array:
    p = SOFTMAX(a._replace(dtype=a.work), room._replace(exponentials=room.shifted))
    return a.xp.multiply(p, a.cotangent, **into(room.shifted))


def _pull_back_label(a: Admitted, room: Room) -> Array:
    # The shares are all that there is, and become the derivatives.
    p = SOFTMAX(a._replace(dtype=a.work), room._replace(exponentials=room.shifted))
    return pull_back_label(a.xp, p, a.labels, a.cotangent, a.axes)


Computation = Operation | PullBack


# Functions with names, so that an operation can be sent to another process.


def _terms_of_total(a: Admitted, s: Slices) -> tuple[Array, ...]:
    return (fold.total_of(a, s),)


def _own_total(_: Admitted, total: Array, *_others: Array) -> Array:
    return total


def _total_of_rest(a: Admitted, others: Array, winners: Array, *_: Array) -> Array:
    return 1.0 + fold.rest_of(a, others, winners)


def _conclude_log_softmax(a: Admitted, s: Slices, others: Array, winners: Array) -> Array:
    return fold.log_shares(a, s, fold.rest_of(a, others, winners))


def _conclude_logsumexp(a: Admitted, s: Slices, others: Array, winners: Array) -> Array:
    rest = fold.rest_of(a, others, winners)
    return fold.finish(a, s.peak, rest, ordinary=s.ordinary)


def _conclude_summary(a: Admitted, s: Slices, others: Array, winners: Array) -> Array:
    return a.xp.concat([s.peak, fold.rest_of(a, others, winners)], axis=a.axes[0])


def _terms_of_entropy(a: Admitted, s: Slices) -> tuple[Array, ...]:
    surprise = fold.terms_of_surprise(a, s)  # first: what follows may use up the exponentials
    return *fold.terms_of_rest(a, s), surprise


def _conclude_entropy(
    a: Admitted, s: Slices, others: Array, winners: Array, surprise: Array
) -> Array:
    surprise = a.xp.astype(surprise, a.work)
    return fold.entropy(a, s, fold.rest_of(a, others, winners), surprise)


def told_peak(a: Admitted) -> Any:
    """Return the peaks where they are known before."""
    return a.peak


def _told_rest(a: Admitted, _: Slices) -> tuple[Array, ...]:
    rest: Any = a.rest
    return rest, a.xp.ones_like(rest)  # the others, and one winner


def _told_total(a: Admitted, _: Slices) -> tuple[Array, ...]:
    rest: Any = a.rest
    return (1.0 + rest,)


def _conclude_moments(a: Admitted, _: Slices, *sums: Array) -> Array:
    moments = a.xp.concat(fold.moments(a, *sums), axis=a.axes[0])
    return moments if moments.dtype == a.dtype else a.xp.astype(moments, a.dtype)


def _conclude_surprisal(a: Admitted, s: Slices, others: Array, winners: Array) -> Array:
    return surprisal(a, s.peak, fold.rest_of(a, others, winners), ordinary=s.ordinary)


def _lift_weighted(a: Admitted, heaviest: Any, room: Room, *, ordinary: bool) -> Slices:  # noqa: ARG001
    return lift_weighted(a, heaviest)


def _tangent_of_softmax(a: Admitted, _y: Array, p: Array, t: Array) -> Array:
    return fold.masked(a, fold.weighed(a, p, fold.centred(a, p, t)))


def _tangent_of_log_softmax(a: Admitted, _y: Array, p: Array, t: Array) -> Array:
    return fold.masked(a, fold.centred(a, p, t))


def _tangent_of_logsumexp(a: Admitted, _y: Array, p: Array, t: Array) -> Array:
    return fold.mean(a, p, t)


def _tangent_of_surprisal(a: Admitted, y: Array, p: Array, t: Array) -> Array:
    xp = a.xp
    hit = numbered(xp, p, a.axes) == a.labels
    own = sum_along(xp, xp.where(hit, t, 0.0), a.axes)
    others = xp.where(hit | (y == math.inf), 0.0, p)
    return sum_along(xp, fold.weighed(a, others, t - own), a.axes)


def _tangent_of_entropy(a: Admitted, _y: Array, p: Array, t: Array) -> Array:
    xp = a.xp
    # The shares' changes add up to 0, so that any constant may be added to the logarithms.
    logs = xp.log(xp.where(p > 0, p, 1.0))
    changes = fold.masked(a, fold.weighed(a, p, fold.centred(a, p, t)))
    return -sum_along(xp, changes * logs, a.axes)


SOFTMAX = Operation(
    "softmax",
    fold.peak_of,
    fold.peak_among,
    partial(fold.lift, invariant=True),
    _terms_of_total,
    fold.shares,
    _own_total,
    final_step="exponentials",
    tangent=_tangent_of_softmax,
)
LOG_SOFTMAX = Operation(
    "log_softmax",
    fold.peak_of,
    fold.peak_among,
    partial(fold.lift, invariant=True),
    fold.terms_of_rest,
    _conclude_log_softmax,
    _total_of_rest,
    final_step="shifted",
    rereads_shifted=True,
    tangent=_tangent_of_log_softmax,
)
# What is left to do where the summaries of the slices are known: each element is on its own.
TOLD = {
    "softmax": SOFTMAX._replace(name="told softmax", peak_of=told_peak, add_up=_told_total),
    "log_softmax": LOG_SOFTMAX._replace(
        name="told log_softmax", peak_of=told_peak, add_up=_told_rest
    ),
}
LOGSUMEXP = Operation(
    "logsumexp",
    fold.peak_of,
    fold.peak_among,
    partial(fold.lift, invariant=False),
    fold.terms_of_rest,
    _conclude_logsumexp,
    _total_of_rest,
    final_step=None,
    tangent=_tangent_of_logsumexp,
)
WEIGHTED_LOGSUMEXP = LOGSUMEXP._replace(
    peak_of=heaviest_of,
    join_peaks=heaviest_among,
    lift=_lift_weighted,
    tangent=None,
)
SUMMARY = LOGSUMEXP._replace(
    name="summary", conclude=_conclude_summary, of_nothing=(-math.inf, -1.0), tangent=None
)
WEIGHTED_SUMMARY = SUMMARY._replace(
    peak_of=WEIGHTED_LOGSUMEXP.peak_of,
    join_peaks=WEIGHTED_LOGSUMEXP.join_peaks,
    lift=WEIGHTED_LOGSUMEXP.lift,
)
SURPRISAL = LOGSUMEXP._replace(
    name="surprisal",
    lift=partial(fold.lift, invariant=True),
    conclude=_conclude_surprisal,
    tangent=_tangent_of_surprisal,
)
ENTROPY = Operation(
    "entropy",
    fold.peak_of,
    fold.peak_among,
    partial(fold.lift, invariant=True),
    _terms_of_entropy,
    _conclude_entropy,
    _total_of_rest,
    final_step=None,
    rereads_shifted=True,
    of_nothing=(0.0,),
    tangent=_tangent_of_entropy,
)
MOMENTS = Operation(
    "moments",
    fold.peak_of,
    fold.peak_among,
    partial(fold.lift, invariant=True),
    fold.terms_of_moments,
    _conclude_moments,
    _own_total,
    final_step=None,
    rereads_shifted=True,
    of_nothing=(0.0, 0.0),
)
SOFTMAX_PULL_BACK = PullBack("softmax_vjp", _pull_back_softmax)
LOG_SOFTMAX_PULL_BACK = PullBack("log_softmax_vjp", _pull_back_log_softmax)
LOGSUMEXP_PULL_BACK = PullBack("logsumexp_vjp", _pull_back_logsumexp)
LABEL_PULL_BACK = PullBack("cross_entropy_grad", _pull_back_label)


def parts_of(x: Array, axis: int) -> tuple[Array, Array]:
    """Return the two things that an operation says of each slice, side by side along an axis."""
    before = (slice(None),) * axis
    return x[(*before, slice(0, 1), ...)], x[(*before, slice(1, 2), ...)]
