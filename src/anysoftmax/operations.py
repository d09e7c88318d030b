"""The functions of slices, each put together from steps of the fold."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from anysoftmax import fold
from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, Namespace
from anysoftmax.fold import NO_ROOM, Room, Slices
from anysoftmax.weighing import heaviest_among, heaviest_of, lift_weighted


class Operation(NamedTuple):
    """How a function of slices is computed, step by step.

    It finds the peak of each slice, lifts the logits by it, adds up over the slice, and concludes
    from the sums. Slices may be cut into parts: their peaks are joined, their sums added.

    `final_step` names the step of the fold that the result is made of, element by element; None if
    it has length 1 along the axes instead of the logits' shape.
    """

    name: str
    peak_of: Callable[[Admitted], Any]
    join_peaks: Callable[[Namespace, list[Any]], Any]
    lift: Callable[[Admitted, Any, Room], Slices]
    add_up: Callable[[Admitted, Slices], tuple[Array, ...]]
    conclude: Callable[..., Array]
    final_step: str | None

    @property
    def reduces(self) -> bool:
        """Tell whether the result has length 1 along the axes."""
        return self.final_step is None

    def __call__(self, a: Admitted, room: Room = NO_ROOM) -> Array:
        """Compute the function of whole slices."""
        a = fold.participants(a)
        slices = self.lift(a, self.peak_of(a), room)
        return self.conclude(a, slices, *self.add_up(a, slices))


def _conclude_log_softmax(a: Admitted, s: Slices, others: Array, winners: Array) -> Array:
    return fold.log_shares(a, s, fold.rest_of(a, others, winners))


def _conclude_logsumexp(a: Admitted, s: Slices, others: Array, winners: Array) -> Array:
    return fold.finish(a, s, fold.rest_of(a, others, winners))


SOFTMAX = Operation(
    "softmax",
    fold.peak_of,
    fold.peak_among,
    partial(fold.lift, invariant=True),
    lambda a, s: (fold.total_of(a, s),),
    fold.shares,
    final_step="exponentials",
)
LOG_SOFTMAX = Operation(
    "log_softmax",
    fold.peak_of,
    fold.peak_among,
    partial(fold.lift, invariant=True),
    fold.terms_of_rest,
    _conclude_log_softmax,
    final_step="shifted",
)
LOGSUMEXP = Operation(
    "logsumexp",
    fold.peak_of,
    fold.peak_among,
    partial(fold.lift, invariant=False),
    fold.terms_of_rest,
    _conclude_logsumexp,
    final_step=None,
)
WEIGHTED_LOGSUMEXP = LOGSUMEXP._replace(
    peak_of=heaviest_of,
    join_peaks=heaviest_among,
    lift=lambda a, heaviest, room: lift_weighted(a, heaviest),
)
