"""Softmax and log-softmax: the logits of each slice as shares of a whole, and their logarithms."""

from __future__ import annotations

from typing import Any, NamedTuple

from anysoftmax import fold
from anysoftmax.admission import Admitted, admit, admit_out
from anysoftmax.arrays import Array, DType, as_array

__all__ = ["SoftmaxSteps", "log_softmax", "softmax", "softmax_steps"]


class SoftmaxSteps(NamedTuple):
    """What `softmax` computes on its way, one array a step."""

    logits: Array
    shifted: Array
    exponentials: Array
    total: Array
    shares: Array


def softmax(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
    dtype: DType | None = None,
    out: Array | None = None,
    precision: str = "default",
) -> Array:
    r"""Turn logits into probabilities."""
    a = admit(x, axis=axis, temperature=temperature, where=where, dtype=dtype, precision=precision)
    if out is not None:
        admit_out(out, a)
    p = a.xp.astype(a.logits, a.dtype) if _is_empty(a) else _steps(a).shares
    return _deliver(a, p, out)


def log_softmax(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
    dtype: DType | None = None,
    out: Array | None = None,
    precision: str = "default",
) -> Array:
    r"""Turn logits into the logarithms of probabilities."""
    a = admit(x, axis=axis, temperature=temperature, where=where, dtype=dtype, precision=precision)
    if out is not None:
        admit_out(out, a)
    if _is_empty(a):
        y = a.xp.astype(a.logits, a.dtype)
    else:
        slices = fold.lift(a)
        y = fold.log_shares(a, slices, fold.rest(a, slices))
    return _deliver(a, y, out)


def softmax_steps(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
) -> SoftmaxSteps:
    """Return what `softmax` computes on its way, for explanations."""
    return _steps(admit(x, axis=axis, temperature=temperature, where=where))


def _steps(a: Admitted) -> SoftmaxSteps:
    slices = fold.lift(a)
    total = fold.total(a, slices)
    shares = fold.shares(a, slices, total)
    return SoftmaxSteps(a.logits, slices.shifted, slices.exponentials, total, shares)


def _is_empty(a: Admitted) -> bool:
    return 0 in a.logits.shape


def _deliver(a: Admitted, result: Array, out: Array | None) -> Array:
    """Give the result the shape of the caller's logits, in `out` if there is one."""
    if a.lone:
        result = a.xp.squeeze(result, axis=-1)
    if out is None:
        return as_array(result)
    out[...] = result
    return out
