"""Wrong streams of log-sum-exp that have been written, each refused by the law that names it."""

from __future__ import annotations

from typing import Any

import numpy as np

import anysoftmax as asm

Prosecution = Any


class _Stream(asm.LogSumExp):
    """A stream that adds its blocks' results in a way of its own: that of `joined`."""

    def __init__(self, *, axis: Any = None) -> None:
        super().__init__(axis=axis)
        self._y: Any = None

    def update(self, block: Any, /, **options: Any) -> _Stream:
        return self._take(asm.logsumexp(block, axis=self._axis, **options))

    def merge(self, other: _Stream, /) -> _Stream:
        return self._take(other._y)

    def result(self) -> Any:
        return self._y

    def _take(self, y: Any) -> _Stream:
        with np.errstate(all="ignore"):
            self._y = y if self._y is None else self.joined(self._y, y)
        return self

    def joined(self, mine: Any, others: Any) -> Any:
        raise NotImplementedError


def test_adding_the_logarithms_of_sums(prosecution: Prosecution) -> None:
    class Rounded(_Stream):
        def joined(self, mine: Any, others: Any) -> Any:
            return np.asarray(asm.logsumexp(np.stack([mine, others]), axis=0))

    prosecution.assert_caught("long-streams", LogSumExp=Rounded)
    prosecution.assert_acquitted("special-blocks", LogSumExp=Rounded)


def test_subtracting_infinite_peaks(prosecution: Prosecution) -> None:
    class Careless(_Stream):
        def joined(self, mine: Any, others: Any) -> Any:
            peak = np.maximum(mine, others)
            return peak + np.log(np.exp(mine - peak) + np.exp(others - peak))

    prosecution.assert_caught("special-blocks", LogSumExp=Careless)


def test_forgetting_the_block_with_the_lower_peak(prosecution: Prosecution) -> None:
    class Forgetful(_Stream):
        def joined(self, mine: Any, others: Any) -> Any:
            return np.asarray(np.maximum(mine, others))

    prosecution.assert_caught("blocks-in-any-order", LogSumExp=Forgetful)
    prosecution.assert_caught("long-streams", LogSumExp=Forgetful)
