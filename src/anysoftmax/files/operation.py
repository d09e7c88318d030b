"""What is done to each block of logits."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from anysoftmax.admission import admit_axis
from anysoftmax.arrays import describe
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
