"""The functions of slices, each put together from the fold in one row.

A slice may be cut into parts: every part is lifted by the peak of the whole slice, what the parts
add up is added together, and the sums conclude each part.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from anysoftmax import fold
from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array
from anysoftmax.fold import NO_ROOM, Room, Slices
from anysoftmax.weighing import lift_weighted


class Operation(NamedTuple):
    """What a function adds up over each slice, and what it makes of the sums.

    `final_step` names the step of the fold that the result is made of, element by element; None if
    it has length 1 along the axes instead of the logits' shape.
    `separable` tells that a part of a slice can be lifted by the peak alone.
    """

    name: str
    lift: Callable[[Admitted, Array, Room], Slices]
    add_up: Callable[[Admitted, Slices], tuple[Array, ...]]
    conclude: Callable[..., Array]
    final_step: str | None
    separable: bool = True

    @property
    def reduces(self) -> bool:
        """Tell whether the result has length 1 along the axes."""
        return self.final_step is None

    def __call__(self, a: Admitted, room: Room = NO_ROOM) -> Array:
        """Compute the function of whole slices."""
        a = fold.participants(a)
        slices = self.lift(a, fold.peak_of(a), room)
        return self.conclude(a, slices, *self.add_up(a, slices))


def _conclude_log_softmax(a: Admitted, s: Slices, others: Array, winners: Array) -> Array:
    return fold.log_shares(a, s, fold.rest_of(a, others, winners))


def _conclude_logsumexp(a: Admitted, s: Slices, others: Array, winners: Array) -> Array:
    return fold.finish(a, s, fold.rest_of(a, others, winners))


SOFTMAX = Operation(
    "softmax",
    partial(fold.lift, invariant=True),
    lambda a, s: (fold.total_of(a, s),),
    fold.shares,
    final_step="exponentials",
)
LOG_SOFTMAX = Operation(
    "log_softmax",
    partial(fold.lift, invariant=True),
    fold.terms_of_rest,
    _conclude_log_softmax,
    final_step="shifted",
)
LOGSUMEXP = Operation(
    "logsumexp",
    partial(fold.lift, invariant=False),
    fold.terms_of_rest,
    _conclude_logsumexp,
    final_step=None,
)
WEIGHTED_LOGSUMEXP = LOGSUMEXP._replace(
    lift=lambda a, peak, room: lift_weighted(a), separable=False
)
