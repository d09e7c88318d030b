"""The summaries of slices, two numbers each: made of logits, and put together from those of parts.

What a summary is and how two are merged is said in the fold.
"""

from __future__ import annotations

from collections.abc import Callable

from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, Namespace
from anysoftmax.fold import Summary
from anysoftmax.operations import LOGSUMEXP, SUMMARY, WEIGHTED_SUMMARY, Computation, parts_of

Compute = Callable[[Computation, Admitted], Array]


def summarise(a: Admitted, compute: Compute) -> tuple[Array, Array]:
    """Return the peak and the rest of each slice; the axes stay as length 1.

    `compute` computes an operation.
    """
    a = a._replace(dtype=a.work, axes=tuple(sorted(a.axes)))
    if 0 in a.logits.shape:
        peak = compute(LOGSUMEXP, a)
        return peak, a.xp.full_like(peak, -1.0)
    both = compute(SUMMARY if a.weights is None else WEIGHTED_SUMMARY, a)
    return parts_of(both, a.axes[0])


def new_summary(xp: Namespace, peak: Array, rest: Array) -> Summary:
    """Return the summary of slices that have been seen once, where rounding has taken nothing."""
    return Summary(peak, rest, xp.zeros_like(rest))
