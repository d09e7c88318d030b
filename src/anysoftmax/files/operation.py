"""What is done to each block of logits."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from anysoftmax import fold
from anysoftmax.admission import Admitted, admit, admit_axis
from anysoftmax.arrays import describe
from anysoftmax.fold import NO_ROOM, Room, Slices
from anysoftmax.operations import LOG_SOFTMAX, SOFTMAX
from anysoftmax.operations import Operation as Steps
from anysoftmax.softmax import log_softmax, softmax

__all__ = ["Operation"]


@dataclass(frozen=True)
class Operation:
    """A softmax or log_softmax with its options: the same for every block of a file."""

    log: bool
    axis: Any
    temperature: Any
    dtype: Any

    def axes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the class axes of a file's array as non-negative numbers."""
        return admit_axis(self.axis, shape)

    def result_dtype(self, ndim: int, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype of the results; raise for options that no block could be done with."""
        if not isinstance(self.temperature, numbers.Real):
            raise TypeError(
                f"temperature must be one number for the whole file: got"
                f" {describe(self.temperature)}"
            )
        result: np.dtype[Any] = self(np.zeros((1,) * ndim, dtype)).dtype
        return result

    def __call__(self, logits: Any, out: Any = None) -> Any:
        """Return the probabilities (or their logarithms) of one block."""
        function = log_softmax if self.log else softmax
        return function(
            logits, axis=self.axis, temperature=self.temperature, dtype=self.dtype, out=out
        )

    # Of slices that are too long for memory there are parts, which take three steps. Those parts
    # are overwritten.

    def find_peak(self, part: Any) -> Any:
        """Return the largest logit in a part of each slice."""
        return self._steps.peak_of(self._admitted(part))

    def join_peaks(self, peaks: list[Any]) -> Any:
        """Return the largest logit of each slice, of whose parts it is known."""
        return self._steps.join_peaks(np, peaks)

    def add_up(self, part: Any, peak: Any) -> tuple[Any, ...]:
        """Return the sums over a part of each slice, whose largest logit is `peak`."""
        sums: tuple[Any, ...] = self._steps.add_up(*self._lifted(part, peak))
        return sums

    def conclude(self, part: Any, peak: Any, sums: tuple[Any, ...]) -> Any:
        """Return the results of a part of each slice, of whose parts the sums were added."""
        return self._steps.conclude(*self._lifted(part, peak), *sums)

    @property
    def _steps(self) -> Steps:
        return LOG_SOFTMAX if self.log else SOFTMAX

    def _admitted(self, part: Any) -> Admitted:
        return fold.participants(
            admit(part, axis=self.axis, temperature=self.temperature, dtype=self.dtype)
        )

    def _lifted(self, part: Any, peak: Any) -> tuple[Admitted, Slices]:
        a = self._admitted(part)
        room = NO_ROOM
        if a.logits.flags.writeable and a.logits.flags.c_contiguous:
            apart = self._steps.rereads_shifted
            room = Room(a.logits, None if apart else a.logits)
        slices = self._steps.lift(a, peak, room, ordinary=fold.is_ordinary(a, peak))
        return a, slices
