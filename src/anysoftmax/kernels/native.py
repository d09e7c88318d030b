"""PyTorch's and JAX's own functions, for who asks for them by name.

They are called as their users would call them: logits divided by the temperature first, -inf for
what is masked. What they do otherwise than the reference is listed in the docs, from the laws that
they fail.
"""

from __future__ import annotations

import math
import sys

from anysoftmax.admission import Admitted, in_working_dtype
from anysoftmax.arrays import Array
from anysoftmax.errors import KernelError
from anysoftmax.operations import Computation


def compute_by_torch(operation: Computation, a: Admitted, _: Array | None) -> Array:
    """Call PyTorch's function of the operation's name."""
    x = _logits(a)
    if operation.reduces:
        return a.xp.logsumexp(x, dim=a.axes, keepdim=True)
    return getattr(a.xp, operation.name)(x, dim=_only_axis(a))


def compute_by_jax(operation: Computation, a: Admitted, _: Array | None) -> Array:
    """Call the function of the operation's name in ``jax.nn``."""
    function = getattr(sys.modules["jax"].nn, operation.name)
    kept = {"keepdims": True} if operation.reduces else {}
    return function(_logits(a), axis=a.axes, where=a.where, **kept)


def _logits(a: Admitted) -> Array:
    """Return the logits as users give them to these functions, in the dtype of the result."""
    if a.weights is not None:
        raise KernelError("the kernel 'native' takes no weights: use 'reference' or 'auto'")
    if a.compensated or a.work not in {a.dtype, a.xp.float32}:
        raise KernelError(
            "the kernel 'native' has no precision='highest': use 'reference' or 'auto'"
        )
    x = a.xp.astype(in_working_dtype(a), a.dtype)
    if a.where is not None:
        x = a.xp.where(a.where, x, -math.inf)
    return x if a.temperature is None else x / a.xp.astype(a.temperature, a.dtype)


def _only_axis(a: Admitted) -> int:
    if len(a.axes) > 1:
        raise KernelError(
            f"the kernel 'native' takes one axis of PyTorch tensors: got {a.axes};"
            " use 'reference' or 'auto', or flatten them to one"
        )
    return a.axes[0]
