"""What log-sum-exp is when the logits come in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import judge
from anysoftmax.testing.laws.law import law
from anysoftmax.testing.oracle.exact import axis_numbers
from anysoftmax.testing.strategies import Case, cases, examples

__all__ = ["blocks_in_any_order", "long_streams", "special_blocks"]

MOST_CUTS = 5  # compilers make a program of each way to cut
UPDATES = 1000

SPECIAL = (
    (np.nan, 0.0),
    (np.inf, 1.0),
    (np.inf, np.inf),
    (np.inf, np.nan),
    (-np.inf, 2.0),
    (-np.inf, -np.inf),
    (-np.inf, np.inf),
    (3e38, -3e38),
    (0.0, 0.0),
)

Cut = tuple[int, int]


def streamed(functions: Any, axis: Any, cuts: Sequence[Cut], merges: Sequence[int] = ()) -> Any:
    """Return a log-sum-exp that updates with a block for each cut, or merges streams of one each.

    `merges` tells for each merge which stream, of those that are left, takes in the last one; the
    streams without a merge of their own are merged into the first.
    """

    def logsumexp(x: Any, *, where: Any = None, weights: Any = None) -> Any:
        place = axis_numbers(axis, x.ndim)[0]

        def block(array: Any, cut: Cut) -> Any:
            return None if array is None else array[(slice(None),) * place + (slice(*cut), ...)]

        def update(stream: Any, cut: Cut) -> Any:
            return stream.update(
                block(x, cut), where=block(where, cut), weights=block(weights, cut)
            )

        if not merges:
            stream = functions.LogSumExp(axis=axis)
            for cut in cuts:
                update(stream, cut)
            return stream.result()
        streams = [update(functions.LogSumExp(axis=axis), cut) for cut in cuts]
        for choice in merges:
            last = streams.pop()
            streams[choice % len(streams)].merge(last)
        return streams[0].result()

    return logsumexp


@law(fault="log-sum-exp changes with how the logits are cut, in which order they come or merge")
def blocks_in_any_order(backend: Backend, functions: Any) -> None:
    """Cut anywhere, shuffled and merged in any grouping, logits give what they give at once."""

    @examples(backend, cases(backend, masks=True, weights=True), st.integers(0, 2**32))
    def holds(case: Case, seed: int) -> None:
        if not case.values.ndim:
            return
        random = Random(seed)  # noqa: S311 - it is not to be a secret
        length = case.values.shape[axis_numbers(case.axis, case.values.ndim)[0]]
        borders = sorted(random.randint(0, length) for _ in range(random.randint(0, MOST_CUTS)))
        cuts = list(zip([0, *borders], [*borders, length], strict=True))
        random.shuffle(cuts)
        merges = [random.randrange(MOST_CUTS) for _ in cuts[1:]] if random.random() < 0.5 else []
        function = streamed(functions, case.axis, cuts, merges)
        (x,) = case.arrays(backend, "logsumexp")
        y = backend.call(function, x, **case.arguments(backend, "logsumexp"))
        judge(y, case.expect(backend, "logsumexp"))

    holds()


@law(fault="a special value in a block counts as another one than in the whole")
def special_blocks(backend: Backend, functions: Any) -> None:
    """Infinite, NaN and extreme logits, each in a block of its own, give the limits."""
    x = backend.array(np.asarray(SPECIAL), dtype="float32")
    function = streamed(functions, -1, [(1, 2), (2, 2), (0, 1)])
    at_once = backend.call(functions.logsumexp, x, axis=-1)
    assert np.array_equal(backend.call(function, x), at_once, equal_nan=True)


@law(
    fault="the error of a stream grows with the number of its blocks",
    applies=lambda backend: backend.cost == 1 and not backend.compiles and not backend.lazy,
)
def long_streams(backend: Backend, functions: Any) -> None:
    """A thousand blocks stay within the bounds, be the peak a new one each time or never."""
    steps = np.arange(UPDATES)
    for values in (steps * 0.01, steps * -1e-6):
        case = Case(values.astype(np.float32), "float32")
        function = streamed(functions, -1, [(i, i + 1) for i in range(UPDATES)])
        (x,) = case.arrays(backend, "logsumexp")
        judge(backend.call(function, x), case.expect(backend, "logsumexp"))
