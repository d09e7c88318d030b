"""From arrays to compiled walks: which walk a layout takes, blocks, tiles, and special slices.

Everything here is NumPy; PyTorch's tensors come as NumPy arrays on the same memory. No formula is
here either: the ordinary one is compiled, and what it leaves is computed by the operation itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from threading import local
from typing import Any, NamedTuple

import numpy as np

from anysoftmax import fold
from anysoftmax.admission import Admitted
from anysoftmax.errors import KernelError
from anysoftmax.kernels.compiled import labels, walks
from anysoftmax.kernels.compiled.columns import BENCH
from anysoftmax.kernels.compiled.views import View, memory_of, pieces, view
from anysoftmax.operations import SOFTMAX, Computation
from anysoftmax.threads import for_each

__all__ = ["Task", "evaluate"]

NumpyArray = np.ndarray[Any, Any]

SCRATCH = 6 * 2**20  # bytes that one worker copies slices to at most
TILE = 2**16  # numbers in a copied tile, unless one slice is longer
BLOCK = 2**18  # numbers that are one worker's share at a time
FEW_CLASSES = {4: 128, 8: 64}  # below it slices are worked on turned round, by the size of a number
NARROW = 32  # so few slices side by side do not fill vectors
WIDE = 2**15  # bytes of a tile of columns and its bench, for a core's first-level cache
TURNED = 12800  # numbers of a tile that is turned round, of 128 to 1024 slices
SPECIAL = 2**16  # numbers of special slices that are gathered at a time


class Task(NamedTuple):
    """Arguments as NumPy arrays: `x` in any real dtype, `out` in the result's.

    `load` copies logits to memory in the dtype of the work, `store` copies results back. Where
    `labels` are given, with a cotangent each, softmax is computed as a step to the derivatives of
    their surprisals.
    """

    operation: Computation
    x: NumpyArray
    out: NumpyArray
    axes: tuple[int, ...]
    work: np.dtype[Any]
    where: NumpyArray | None
    temperature: NumpyArray | None
    load: Callable[[NumpyArray, NumpyArray], None]
    store: Callable[[NumpyArray, NumpyArray], None]
    labels: NumpyArray | None = None
    cotangent: NumpyArray | None = None

    @property
    def walked(self) -> Computation:
        """Return what the walks compute."""
        return self.operation if self.labels is None else SOFTMAX


def evaluate(task: Task) -> int:
    """Compute a task into its `out`; return the number of special slices."""
    lengths = [1 if i in task.axes else n for i, n in enumerate(task.x.shape)]
    temperature, of_slices, cotangent = (
        None if a is None else np.broadcast_to(a.astype(dtype, copy=False), lengths)
        for a, dtype in (
            (task.temperature, task.work),
            (task.labels, np.int64),
            (task.cotangent, task.work),
        )
    )
    task = task._replace(temperature=temperature, labels=of_slices, cotangent=cotangent)
    seen = None
    if task.where is None and task.x.dtype == task.out.dtype == task.work:
        given = View(task.x, task.out, task.temperature, task.labels, task.cotangent)
        seen = view(given, task.axes)
        if seen is not None and not _fits(_choose(task.walked, seen), seen):
            seen = None
    return _evaluate_tiles(task) if seen is None else _evaluate_blocks(task, seen)


def _evaluate_blocks(task: Task, seen: View) -> int:
    """Work in place of the arrays, block by block."""
    outer, classes, inner = seen.x.shape
    if seen.x.size <= BLOCK:
        return _walk(task, seen, None)
    if outer > 1:
        step = max(1, BLOCK // (classes * inner))
        cuts: list[Any] = [np.s_[i : i + step] for i in range(0, outer, step)]
    elif seen.x.strides[2] == seen.x.itemsize and inner <= NARROW:
        cuts = [np.s_[:]]
    else:
        step = max(1024, BLOCK // classes)
        cuts = [np.s_[:, :, i : i + step] for i in range(0, inner, step)]
    found = []

    def work(cut: Any) -> None:
        found.append(_walk(task, seen.of_each(lambda a: a[cut]), None))

    for_each(work, cuts)
    return sum(found)


def _evaluate_tiles(task: Task) -> int:
    """Work on copies of a few slices at a time."""
    ndim, axes = task.x.ndim, task.axes
    rest = [i for i in range(ndim) if i not in axes]
    order = [*rest, *axes]
    x, out = task.x.transpose(order), task.out.transpose(order)
    beside = [
        None if a is None else a.transpose(order)
        for a in (task.temperature, task.labels, task.cotangent)
    ]
    mask = None
    if task.where is not None:
        mask = np.broadcast_to(task.where, task.x.shape).transpose(order)
    classes = math.prod(x.shape[len(rest) :])
    if classes * task.work.itemsize > SCRATCH:
        raise KernelError(
            f"the numba kernel can't copy slices of {classes} logits, and it would have to:"
            " pass contiguous logits of one dtype without where=, or use another kernel"
        )
    # As they lie in memory, for the copy to be fast.
    fast = max(range(ndim), key=lambda i: (task.x.shape[i] > 1, -abs(task.x.strides[i])))
    by_class = fast not in axes
    found = []
    thread = local()

    def work(index: tuple[int | slice, ...]) -> None:
        source, target = x[index], out[index]
        count = source.size // classes
        memory = thread.__dict__.get("memory")
        if memory is None or memory.size < source.size:
            memory = thread.memory = np.empty(source.size, task.work)
        lengths, depths = source.shape[: len(rest)], source.shape[len(rest) :]
        tile, shaped = _tile(memory[: source.size], lengths, depths, by_class=by_class)
        task.load(source, shaped)
        hidden = None
        if mask is not None:
            hidden = ~mask[index]
            np.copyto(shaped, -np.inf, where=hidden)
            hidden = hidden.reshape(count, classes)
        row = (1, 1, count) if by_class else (count, 1, 1)
        t, given, g = (None if a is None else a[index].reshape(row) for a in beside)
        result = tile
        if task.operation.reduces:
            depths = target.shape[len(rest) :]
            room = np.empty(target.size, task.work)
            result, shaped = _tile(room, lengths, depths, by_class=by_class)
        found.append(_walk(task, View(tile, result, t, given, g), hidden))
        task.store(shaped, target)

    for_each(work, list(pieces(x.shape[: len(rest)], max(1, TILE // classes))))
    return sum(found)


def _tile(
    memory: NumpyArray, lengths: tuple[int, ...], depths: tuple[int, ...], *, by_class: bool
) -> tuple[NumpyArray, NumpyArray]:
    """Return memory of slices as the walks see it, and with the axes of `lengths` and `depths`."""
    n = len(lengths)
    if not by_class:
        return memory.reshape(-1, math.prod(depths), 1), memory.reshape(*lengths, *depths)
    shaped = np.moveaxis(
        memory.reshape(*depths, *lengths), range(len(depths)), range(n, n + len(depths))
    )
    return memory.reshape(1, math.prod(depths), -1), shaped


def _choose(operation: Computation, seen: View) -> Any:
    """Return the table of walks that suits a layout."""
    if operation.name not in walks.COLUMNS:
        return walks.ROWS
    x, out = seen.x, seen.out
    _, classes, inner = x.shape
    size = x.itemsize
    if inner > 1 and x.strides[2] == out.strides[2] == size:
        dense = x.strides[1] == inner * size and out.strides[1] in {inner * size, size}
        if inner >= NARROW or (dense and classes * inner >= 2**12):
            return walks.COLUMNS
    return walks.TURNED if classes < FEW_CLASSES[size] else walks.ROWS


def _fits(table: Any, seen: View) -> bool:
    """Tell whether a walk needs no more memory than it may have."""
    return table is not walks.ROWS or _row_memory(seen) * seen.x.itemsize <= SCRATCH


def _row_memory(seen: View) -> int:
    """Tell how many numbers the walk by rows copies: those that do not lie side by side."""
    scattered = [a.shape[1] for a in seen[:2] if a.strides[1] != a.itemsize]
    return max(scattered, default=0)


def _walk(task: Task, seen: View, hidden: NumpyArray | None) -> int:
    """Compute slices that a walk can reach, the special ones by the operation itself."""
    outer, classes, inner = seen.x.shape
    table = _choose(task.walked, seen)
    special = np.empty(outer * inner, np.uint8)
    at_once = seen.labels is not None and table is walks.ROWS and not _row_memory(seen)
    if at_once:
        found = labels.derive(seen, LIMITS[task.work], special)
    else:
        found = _walk_table(task, seen, table, special)
    operation = task.operation if at_once else task.walked
    if found:
        places = np.flatnonzero(special)
        step = max(1, SPECIAL // classes)
        for low in range(0, found, step):
            _compute_special(operation, task, seen, hidden, places[low : low + step])
    if seen.labels is not None and not at_once:
        labels.derive_from_shares(seen)
    return found


def _walk_table(task: Task, seen: View, table: Any, special: NumpyArray) -> int:
    """Compute ordinary slices by a walk of a table; return the number of the others."""
    x, out, t = seen[:3]
    outer, classes, inner = x.shape
    if table is walks.TURNED:
        height = max(classes, out.shape[1])
        room = (BENCH + height) * (min(1024, max(128, TURNED // height // 8 * 8)) + walks.PADDING)
    elif table is walks.COLUMNS:
        room = BENCH * min(1024, max(512, WIDE // ((classes + BENCH) * x.itemsize)))
    else:
        room = _row_memory(seen)
    found: int = table[task.walked.name](
        memory_of(x),
        memory_of(out),
        None if t is None else memory_of(t),
        (outer, classes, inner, out.shape[1]),
        LIMITS[task.work],
        special,
        np.empty(room, task.work),
    )
    return found


def _compute_special(
    operation: Computation, task: Task, seen: View, hidden: NumpyArray | None, places: NumpyArray
) -> None:
    outer, inner = np.divmod(places, seen.x.shape[2])
    chosen = seen.of_each(lambda a: a[outer, :, inner])
    a = Admitted(
        xp=np,
        logits=chosen.x,
        axes=(1,),
        where=None if hidden is None else ~hidden[places],
        temperature=chosen.t,
        weights=None,
        work=task.work,
        dtype=task.work,
        compensated=False,
        lone=False,
        labels=chosen.labels,
        cotangent=chosen.g,
    )
    with np.errstate(all="ignore"):
        seen.out[outer, :, inner] = operation(a)


LIMITS = {
    np.dtype(kind): kind(fold.calm_bound(np, np.dtype(kind))) for kind in (np.float32, np.float64)
}
