"""How NumPy work is laid out: blocks that fit the cache, in a good order, shared among threads.

NumPy runs one operation at a time over the whole of its operands. A large array is therefore cut
into blocks of slices small enough to stay in a core's cache from the first operation to the last;
slices too long for a block are cut into parts. There is no formula here: what is computed is an
`Operation`, or a `PullBack`, whose slices are never cut.

Two layouts cost NumPy much, as each of its inner loops is short then: few classes along the fast
axis, and few slices along it. Such blocks are copied, so that the longer of the two is fast.

The steps of a block write to memory that is allocated once for each call and thread: to the result
itself where that fits, else to scratch. Memory allocated anew for each block would be handed out
and cleared by the system again and again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import product
from threading import local
from typing import Any, NamedTuple

from anysoftmax import fold
from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, DType, Namespace
from anysoftmax.fold import Room, Slices
from anysoftmax.operations import Computation, Operation, PullBack
from anysoftmax.summation import stable_sum
from anysoftmax.threads import for_each

BLOCK = 3 * 2**18  # bytes: a block and its scratch stay in the caches, and calls stay few
WHOLE = 5 * 2**18  # bytes of a slice that is still not cut: its parts would be read twice
SMALL = 2**14  # bytes of logits that are not worth laying out
FEW_CLASSES = 64  # along the fast axis: so few are copied, for the slices to lie along it
FEW_SLICES = 32  # along the fast axis: so few are copied, for the classes to lie along it
FEW_ROWS = 64  # of a block to copy, which are then copied one by one
GROUP = 32  # parts of slices whose peaks or sums are kept until they are joined
BUFFER = 1024  # elements of NumPy's buffers while rows are long: it copies what fits twice
WIDTH = 1024  # slices side by side along the fast axis, if their blocks are not copied

COMPANIONS = ("where", "temperature", "weights", "labels", "cotangent", "peak", "rest")

Cut = tuple[slice, ...]  # a range along each axis


def run(operation: Computation, a: Admitted, out: Array | None) -> Array:
    """Compute an operation of NumPy logits, in `out` if it can be used on the way."""
    xp, x = a.xp, a.logits
    if x.size * x.itemsize <= SMALL:
        return operation(a)
    companions = tuple(getattr(a, name) for name in COMPANIONS)
    if out is None or not is_apart(xp, out, x, companions):
        out = xp.empty_like(x, dtype=a.dtype, shape=operation.result_shape(a), subok=False)
    blocks = _Blocks(operation, a, out)
    for_each(blocks.compute, blocks.layout.slices)
    return out


class _Layout(NamedTuple):
    """How an array is cut, and in which order of axes a block is computed.

    `slices` are ranges of slices, `parts` ranges of classes that cut each of them. `order` is None
    where blocks are computed as they lie. `long_rows` tells that no two rows of a block fit one of
    NumPy's buffers of the size `BUFFER`.
    """

    slices: list[Cut]
    parts: list[Cut]
    order: tuple[int, ...] | None
    long_rows: bool


def _lay_out(a: Admitted, *, whole: bool = False) -> _Layout:
    x = a.logits
    # From the slowest axis in memory to the fastest.
    axes = sorted(range(x.ndim), key=lambda i: (x.shape[i] == 1, -abs(x.strides[i])))
    classes = [i for i in axes if i in a.axes]
    others = [i for i in axes if i not in a.axes]
    fast = next((i for i in reversed(axes) if x.shape[i] > 1), axes[-1])
    item = a.xp.dtype(a.work).itemsize * _burden(a)
    depth = math.prod(x.shape[i] for i in classes)
    breadth = x.size // depth
    width = max(1, BLOCK // (depth * item))
    order = None
    if fast in classes:
        if depth <= FEW_CLASSES:
            order = (*classes, *others)
    elif x.shape[fast] < FEW_SLICES:
        order = (*others, *classes)
    else:
        width = max(width, FEW_SLICES if whole else WIDTH)
    width = min(width, breadth)
    length = depth
    if width * depth * item > WHOLE and not whole:
        length = max(1, BLOCK // (width * item))
    inner = length if fast in classes else min(width, x.shape[fast])
    if order is not None:
        inner = width if fast in classes else length
    return _Layout(
        _cuts(x, others, width), _cuts(x, classes, length), order, long_rows=inner > BUFFER // 2
    )


def _burden(a: Admitted) -> int:
    """Tell how many times as much memory the steps may take, each with an array of its own."""
    if a.weights is not None:
        return 6
    if a.compensated:
        return 4
    return 1 if a.temperature is None and a.cotangent is None else 2


def _cuts(x: Array, axes: list[int], size: int) -> list[Cut]:
    """Cut `axes` into ranges of about `size` elements together, whole along the fastest axes."""
    ranges = [[slice(None)]] * x.ndim
    for axis in reversed(axes):
        step = min(size, x.shape[axis])
        ranges[axis] = [slice(i, i + step) for i in range(0, x.shape[axis], step)]
        size = max(1, size // step)
    return list(product(*ranges))


class _Scratch(local):
    """Memory of one thread, by name and dtype."""

    def __init__(self) -> None:
        self.arrays: dict[tuple[str, DType], Array] = {}


class _Blocks:
    """The blocks of one call, each thread with scratch of its own."""

    def __init__(self, operation: Computation, a: Admitted, out: Array) -> None:
        self.layout = _lay_out(a, whole=isinstance(operation, PullBack))
        self._operation = operation
        self._a = a
        self._out = out
        self._thread = _Scratch()
        order = self.layout.order
        self._axes = a.axes if order is None else tuple(map(order.index, a.axes))
        # Arrays beside the logits that are cut as they are; a single number is not.
        self._companions = {
            name: array[(None,) * (a.logits.ndim - array.ndim) + (...,)]
            for name in COMPANIONS
            if (array := getattr(a, name)) is not None and array.ndim
        }
        # Results of the steps may be written to the result itself if they are its like.
        self._in_place = not operation.reduces and self.layout.order is None and out.dtype == a.work

    def compute(self, cut: Cut) -> None:
        """Compute one block of slices, part by part if they are long."""
        with self._a.xp.errstate():  # which sets the size of buffers back, too
            if self.layout.long_rows:
                self._a.xp.setbufsize(BUFFER)
            if len(self.layout.parts) > 1 and isinstance(self._operation, Operation):
                self._compute_parts(self._operation, cut)
            else:
                a, room = self._load(cut)
                self._store(cut, room, self._operation(a, room))

    def _compute_parts(self, operation: Operation, whole: Cut) -> None:
        xp = self._a.xp
        cuts = [_both(whole, part) for part in self.layout.parts]
        lifted: dict[int, Slices] = {}

        def find_peak(i: int) -> Any:
            a, _ = self._load(cuts[i])
            return operation.peak_of(fold.participants(a))

        def lift(i: int) -> tuple[Admitted, Slices]:
            a, room = self._load(cuts[i])
            a = fold.participants(a)
            return a, operation.lift(a, peak, room, ordinary=fold.is_ordinary(a, peak))

        def add_up(i: int) -> tuple[Array, ...]:
            a, slices = lift(i)
            if self._in_place and slices.ordinary:
                lifted[i] = _in_result(operation, slices)
            return operation.add_up(a, slices)

        def join_sums(parts: list[tuple[Array, ...]]) -> tuple[Array, ...]:
            terms = (xp.stack(term) for term in zip(*parts, strict=True))
            return tuple(stable_sum(xp, term, (0,))[0] for term in terms)

        def conclude(i: int) -> None:
            # What is lifted already needs no logits any more.
            a, slices = (self._a, lifted[i]) if i in lifted else lift(i)
            place = whole if operation.reduces else cuts[i]
            self._store(place, slices.room, operation.conclude(a, slices, *sums))

        peak = gather(find_peak, partial(operation.join_peaks, xp), len(cuts))
        sums = gather(add_up, join_sums, len(cuts))
        for_each(conclude, range(1 if operation.reduces else len(cuts)))

    def _load(self, cut: Cut) -> tuple[Admitted, Room]:
        """Return the arguments of a block, in the order they are computed in, and its memory."""
        a, order = self._a, self.layout.order
        logits = a.logits[cut]
        others = {name: _take(array, cut, order) for name, array in self._companions.items()}
        if order is not None:
            logits = self._lying("shifted", logits.transpose(order))
            if (g := others.get("cotangent")) is not None and g.shape == logits.shape:
                others["cotangent"] = self._lying("cotangent", g)
        return a._replace(logits=logits, axes=self._axes, **others), self._room(cut, logits.shape)

    def _lying(self, name: str, x: Array) -> Array:
        """Return a copy in the order of axes that they have."""
        memory = self._scratch(name, x.shape, x.dtype)
        _copy(x, memory)
        return memory

    def _room(self, cut: Cut, shape: tuple[int, ...]) -> Room:
        work, final_step = self._a.work, self._operation.final_step
        first = self._out[cut] if self._in_place else self._scratch("shifted", shape, work)
        if final_step == "exponentials":
            return Room(first, first)
        apart = self._operation.rereads_shifted
        second = self._scratch("exponentials", shape, work) if apart else first
        return Room(first, second, self._scratch("winners", shape, work))

    def _scratch(self, name: str, shape: tuple[int, ...], dtype: DType) -> Array:
        """Return this thread's memory of a name and dtype, whatever it holds."""
        arrays = self._thread.arrays
        memory = arrays.get((name, dtype))
        if memory is None or memory.size < math.prod(shape):
            memory = arrays[name, dtype] = self._a.xp.empty(shape, dtype=dtype)
        if memory.shape == shape:
            return memory
        return memory.reshape(-1)[: math.prod(shape)].reshape(shape)

    def _store(self, cut: Cut, room: Room, values: Array) -> None:
        """Put the result of a block where it belongs, unless it was computed there."""
        if not (self._in_place and (values is room.shifted or values is room.exponentials)):
            _copy(values, _take(self._out, cut, self.layout.order))


def _in_result(operation: Operation, slices: Slices) -> Slices:
    """Return what lies in the result's memory, of all that the last step needs."""
    if operation.final_step == "exponentials":
        return slices
    return slices._replace(exponentials=None, room=Room(slices.room.shifted))


def gather(compute: Callable[[int], Any], join: Callable[[list[Any]], Any], count: int) -> Any:
    """Join what is computed of each part; in groups, so that only a few are kept at a time."""
    joined = []
    for start in range(0, count, GROUP):
        found: dict[int, Any] = {}

        def keep(i: int, found: dict[int, Any] = found) -> None:
            found[i] = compute(i)

        for_each(keep, range(start, min(start + GROUP, count)))
        joined.append(join([found[i] for i in sorted(found)]))
    return joined[0] if len(joined) == 1 else join(joined)


def _take(x: Array, cut: Cut, order: tuple[int, ...] | None) -> Array:
    """Return a cut of an array, which may have length 1 where the logits are longer."""
    x = x[tuple(slice(None) if n == 1 else part for n, part in zip(x.shape, cut, strict=True))]
    return x if order is None else x.transpose(order)


def _copy(source: Array, target: Array) -> None:
    """Copy an array, row by row if there are few: NumPy might choose the shorter inner loop."""
    if source.ndim > 1 and len(source) <= FEW_ROWS:
        for row, place in zip(source, target, strict=True):
            place[...] = row
    else:
        target[...] = source


def _both(slices: Cut, classes: Cut) -> Cut:
    everything = slice(None)
    return tuple(b if a == everything else a for a, b in zip(slices, classes, strict=True))


def is_apart(
    xp: Namespace, out: Array, logits: Array, companions: tuple[Array | None, ...]
) -> bool:
    """Tell whether writing to `out` slice by slice spoils nothing that is still to be read.

    Its memory may be that of the logits, element by element, but no other's.
    """
    if any(c is not None and xp.may_share_memory(out, c) for c in companions):
        return False
    mine, theirs = ((x.__array_interface__, x.strides) for x in (out, logits))
    return mine == theirs or not xp.may_share_memory(out, logits)
