"""What is done to each block of logits."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np

from anysoftmax.admission import Admitted, admit, admit_axis
from anysoftmax.arrays import describe, quiet
from anysoftmax.dispatch import compute
from anysoftmax.fold import Summary, merge
from anysoftmax.operations import LOG_SOFTMAX, SOFTMAX
from anysoftmax.softmax import log_softmax, softmax
from anysoftmax.summaries import new_summary, summarise, told, widest_dtype

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

    # Slices that are too long for memory are computed part by part.

    def summarise(self, part: Any) -> Summary:
        """Return what is to be known of a part of each slice."""
        a = self._admitted(part)
        wide = widest_dtype(a)
        return new_summary(a, *(known.astype(wide) for known in summarise(a, compute)))

    def merge(self, summaries: list[Summary]) -> Summary:
        """Return the summary of each slice, of whose parts it is known."""
        a = self._admitted(summaries[0].peak)
        with quiet(np):
            return reduce(partial(merge, a), summaries)

    def conclude(self, part: Any, known: Summary) -> Any:
        """Return the results of a part of each slice, whose summary is known; it may use it up."""
        a = self._admitted(part)._replace(peak=known.peak, rest=known.rest + known.lost)
        out = part if part.dtype == a.dtype else None
        return told(LOG_SOFTMAX if self.log else SOFTMAX, a, compute, out)

    def _admitted(self, part: Any) -> Admitted:
        return admit(part, axis=self.axis, temperature=self.temperature, dtype=self.dtype)
