"""The summaries of slices, two numbers each: made of logits, merged, and what is made with them.

What a summary is and how two are merged is said in the fold. So slices can be computed part by
part: a summary is made of each part, the summaries are merged, and an operation that is told the
summary of the whole makes its result of each part.
"""

from __future__ import annotations

from collections.abc import Callable

from anysoftmax.admission import Admitted, in_working_dtype
from anysoftmax.arrays import Array, DType
from anysoftmax.fold import Summary
from anysoftmax.operations import (
    SUMMARY,
    TOLD,
    WEIGHTED_SUMMARY,
    Computation,
    parts_of,
)

Compute = Callable[..., Array]  # of an operation, its arguments and an array for the result


def summarise(a: Admitted, compute: Compute) -> tuple[Array, Array]:
    """Return the peak and the rest of each slice; the axes stay as length 1.

    `compute` computes an operation.
    """
    if a.logits.dtype != a.dtype != a.work:  # the logits are rounded to the result's dtype first
        a = a._replace(logits=in_working_dtype(a))
    a = a._replace(dtype=a.work)
    if len(a.axes) > 1:  # kernels take them in order
        a = a._replace(axes=tuple(sorted(a.axes)))
    both = compute(SUMMARY if a.weights is None else WEIGHTED_SUMMARY, a)
    return parts_of(both, a.axes[0])


def new_summary(a: Admitted, peak: Array, rest: Array) -> Summary:
    """Return the summary of slices that have been seen once, where rounding has taken nothing."""
    return Summary(peak, rest, a.xp.zeros_like(rest))


def widest_dtype(a: Admitted) -> DType:
    """Return what the summaries of parts are kept and merged in: there are few of them."""
    return a.xp.result_type(a.work, a.xp.float64)


def told(operation: Computation, a: Admitted, compute: Compute, out: Array | None = None) -> Array:
    """Return what an operation makes of parts of slices, whose peak and rest `a` tells."""
    peak, rest = (a.xp.astype(known, a.work) for known in (a.peak, a.rest))
    a = a._replace(peak=peak, rest=rest, axes=())  # each element is on its own now
    return compute(TOLD[operation.name], a, out)
