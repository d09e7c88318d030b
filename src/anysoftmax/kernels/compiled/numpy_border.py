"""The kernels of NumPy arrays."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from anysoftmax.admission import Admitted
from anysoftmax.blocks import is_apart
from anysoftmax.errors import KernelError
from anysoftmax.kernels.compiled.evaluation import LIMITS, Task, evaluate
from anysoftmax.operations import Computation

__all__ = ["compute", "load", "refuse", "store"]

NumpyArray = np.ndarray[Any, Any]


def compute(operation: Computation, a: Admitted, out: NumpyArray | None) -> NumpyArray:
    """Compute an operation of NumPy arrays."""
    refuse(a)
    x, work = a.logits, np.dtype(a.work)
    if work not in LIMITS:
        raise KernelError(f"the numba kernel computes in float32 or float64, not in {work}")
    if out is not None and not operation.reduces and is_apart(np, out, x, (a.where, a.temperature)):
        result = out
    else:
        result = np.empty_like(x, a.dtype, shape=operation.result_shape(a), subok=False)
    evaluate(
        Task(
            operation,
            x,
            result,
            a.axes,
            work,
            a.where,
            a.temperature,
            partial(load, np.dtype(a.dtype)),
            store,
            a.labels,
            a.cotangent,
        )
    )
    if out is not None and result is not out:
        out[...] = result
        return out
    return result


def refuse(a: Admitted) -> None:
    """Raise `KernelError` for requests that no compiled kernel serves."""
    if a.weights is not None:
        raise KernelError("the numba kernel takes no weights: use the reference")
    if a.compensated:
        raise KernelError(
            "the numba kernel has no compensated sums, which the highest precision of float64"
            " takes: use the reference"
        )


def load(dtype: np.dtype[Any], source: NumpyArray, target: NumpyArray) -> None:
    """Copy logits, rounded to the result's dtype first if they have another."""
    with np.errstate(all="ignore"):
        target[...] = source if source.dtype == dtype else source.astype(dtype)


def store(source: NumpyArray, target: NumpyArray) -> None:
    """Copy results; what is beyond the range of their dtype becomes infinite in silence."""
    with np.errstate(all="ignore"):
        target[...] = source
