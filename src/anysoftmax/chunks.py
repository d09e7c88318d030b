"""How Dask's work is laid out: chunk by chunk, whether slices are whole or in parts.

Where no chunk border cuts a slice, each chunk is a task of its own. Slices in parts are read twice:
first a summary is made of each part, and the summaries are merged in a tree; then the parts of the
result are made, with the summary of the whole at hand. The second time the chunks are made anew,
as Dask would else keep all of a slice in memory until its last part has been seen. There is no
formula here, and nothing is computed: results are as lazy as what they are made of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from itertools import product
from typing import Any

from anysoftmax import kernels
from anysoftmax.admission import Admitted, admit_array, require_known_classes
from anysoftmax.arrays import Array, DType, array_namespace, is_dask, quiet
from anysoftmax.blocks import COMPANIONS
from anysoftmax.cuts import cut_alike
from anysoftmax.fold import Summary, finish, merge, participants
from anysoftmax.operations import TOLD, Computation, Operation, parts_of, told_peak
from anysoftmax.reductions import BRANCHES
from anysoftmax.second_reading import made_anew
from anysoftmax.summaries import Compute, new_summary, summarise, told, widest_dtype

LARGE = ("logits", "where", "weights")  # what is cut as the slices are

Task = Callable[[Admitted], Array]


def run(operation: Computation, a: Admitted, compute: Compute) -> Array:
    """Return the lazy result of an operation on Dask's arrays; `compute` does a chunk's work."""
    a = a._replace(axes=tuple(sorted(a.axes)))
    if has_whole_slices(a):
        shape = operation.result_shape(a)
        lengths = {i: shape[i] for i in a.axes} if operation.reduces else {}
        whole = partial(_whole, operation=operation, compute=compute)
        return by_chunk(operation.name, whole, a, a.dtype, lengths)
    if operation.name == "summary":
        return a.xp.astype(_summary(a, compute), a.dtype)
    if operation.name == "logsumexp":
        known = a._replace(logits=_summary(a, compute), where=None, weights=None)
        return by_chunk(operation.name, _finished, known, a.dtype, dict.fromkeys(a.axes, 1))
    if operation.name in TOLD:
        peak, rest = parts_of(_summary(ahead(a), compute), a.axes[0])
        known = a._replace(peak=peak, rest=rest)
        part = partial(_told, operation=operation, compute=compute)
        return by_chunk(operation.name, part, known, a.dtype, {})
    require_known_classes(a)
    if isinstance(operation, Operation):  # made of sums that are taken with the peaks at hand
        a = a._replace(peak=operation.peak_of(participants(ahead(a))))
        operation = operation._replace(peak_of=told_peak)
    return operation(a)  # by Dask's own functions


def has_whole_slices(a: Admitted) -> bool:
    """Tell whether no chunk border of Dask's arrays cuts a slice."""
    return all(a.logits.numblocks[axis] == 1 for axis in a.axes)


def _summary(a: Admitted, compute: Compute) -> Array:
    """Return the peaks and the rests of slices in parts, side by side along the first axis.

    They are few, and have the widest dtype.
    """
    wide = widest_dtype(a)
    lengths = dict(zip(a.axes, (2, *(1 for _ in a.axes[1:])), strict=True))
    summarised = partial(_summarised, compute=compute, dtype=wide)
    parts = by_chunk("summary", summarised, a, wide, lengths)
    a = a._replace(where=None, weights=None, labels=None, cotangent=None, work=wide)
    for axis, length in lengths.items():
        while (count := parts.numblocks[axis]) > 1:
            starts = range(0, count, BRANCHES)
            groups = tuple(length * min(BRANCHES, count - start) for start in starts)
            grouped = a._replace(logits=parts.rechunk({axis: groups}))
            parts = by_chunk("merged", _merged, grouped, wide, {axis: length})
    return parts


def ahead(a: Admitted) -> Admitted:
    """Return arguments for what must be known of whole slices before their parts are looked at.

    Of slices in parts, they are made by tasks of their own, which nothing else waits for.
    """
    if not is_dask(a.logits) or has_whole_slices(a):
        return a
    large = {name: getattr(a, name) for name in LARGE}
    return a._replace(
        **{name: made_anew(array) for name, array in large.items() if array is not None}
    )


def by_chunk(name: str, task: Task, a: Admitted, dtype: DType, lengths: dict[int, int]) -> Array:
    """Return what a task makes of each chunk, of the given lengths along some axes."""
    ndim = a.logits.ndim
    names = [n for n in COMPANIONS if getattr(a, n) is not None]
    operands = [a.logits, tuple(range(ndim))]
    for array in (cut_alike(getattr(a, n), a.logits) for n in names):
        operands += [array, tuple(range(ndim - array.ndim, ndim))]
    return sys.modules["dask.array"].blockwise(
        _run_task,
        tuple(range(ndim)),
        *operands,
        token=name,
        task=task,
        names=names,
        fixed={name: getattr(a, name) for name in ("axes", "work", "dtype", "compensated")},
        kernel=kernels.chosen(),
        adjust_chunks=lengths,
        concatenate=True,
        dtype=dtype,
        meta=a.logits._meta.astype(dtype),  # noqa: SLF001 - it has no public name
    )


def _run_task(
    x: Array, *others: Array, task: Task, names: Sequence[str], fixed: dict[str, Any], kernel: str
) -> Array:
    x = admit_array(x)
    xp = array_namespace(x)
    arrays = dict(zip(names, map(xp.asarray, others), strict=True))
    nothing = dict.fromkeys(COMPANIONS)
    a = Admitted(xp=xp, logits=x, lone=False, **{**nothing, **arrays}, **fixed)
    with kernels.use(kernel), quiet(xp):
        return task(a)


def _whole(a: Admitted, *, operation: Computation, compute: Compute) -> Array:
    return compute(operation, a)


def _summarised(a: Admitted, *, compute: Compute, dtype: DType) -> Array:
    return a.xp.astype(a.xp.concat(summarise(a, compute), axis=a.axes[0]), dtype)


def _merged(a: Admitted) -> Array:
    peak, rest, lost = reduce(partial(merge, a), _parts(a))
    return a.xp.concat([peak, rest + lost], axis=a.axes[0])


def _finished(a: Admitted) -> Array:
    return finish(a, *parts_of(a.logits, a.axes[0]))


def _told(a: Admitted, *, operation: Computation, compute: Compute) -> Array:
    return told(operation, a, compute)


def _parts(a: Admitted) -> Iterator[Summary]:
    """Yield the summaries of parts that lie side by side."""
    first = a.axes[0]
    ranges = [range(0, a.logits.shape[axis], 2 if axis == first else 1) for axis in a.axes]
    for starts in product(*ranges):
        index = [slice(None)] * a.logits.ndim
        for axis, start in zip(a.axes, starts, strict=True):
            index[axis] = slice(start, start + (2 if axis == first else 1))
        yield new_summary(a, *parts_of(a.logits[tuple(index)], first))
