"""PyTorch's CPU tensors, lent to NumPy: the reference in blocks, over the same memory.

PyTorch runs one operation at a time over the whole of a tensor; NumPy's blocks stay in the cache
from the first to the last. Large ones run on as many threads as PyTorch has set for itself. Where
derivatives are taken, PyTorch has to see the steps.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

import numpy as np

from anysoftmax import blocks
from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, describe, dtype_name
from anysoftmax.errors import KernelError
from anysoftmax.operations import (
    ENTROPY,
    LOG_SOFTMAX,
    LOGSUMEXP,
    SOFTMAX,
    SUMMARY,
    WEIGHTED_LOGSUMEXP,
    Operation,
)
from anysoftmax.threads import workers

WORTH_THREADS = 2**22  # logits; fewer take no longer than starting threads does
PARTS = ("logits", "where", "temperature", "weights")


def softmax(a: Admitted, out: Array | None) -> Array:
    """Compute softmax by NumPy."""
    return _compute(SOFTMAX, a, out)


def log_softmax(a: Admitted, out: Array | None) -> Array:
    """Compute log-softmax by NumPy."""
    return _compute(LOG_SOFTMAX, a, out)


def logsumexp(a: Admitted, out: Array | None) -> Array:
    """Compute log-sum-exp by NumPy."""
    return _compute(LOGSUMEXP if a.weights is None else WEIGHTED_LOGSUMEXP, a, out)


def summary(a: Admitted, out: Array | None) -> Array:
    """Compute the peak and the rest by NumPy."""
    return _compute(SUMMARY, a, out)


def entropy(a: Admitted, out: Array | None) -> Array:
    """Compute the entropy by NumPy."""
    return _compute(ENTROPY, a, out)


def is_watched(x: Array) -> bool:
    """Tell whether PyTorch has to see what becomes of a tensor, as under tracers."""
    torch = sys.modules["torch"]
    return bool(
        torch.jit.is_tracing()
        or sys.modules["torch.utils._python_dispatch"].is_in_torch_dispatch_mode()
        or torch._is_functional_tensor(x)  # noqa: SLF001 - it has no public name
        or torch.autograd.forward_ad.unpack_dual(x).tangent is not None
    )


def _compute(operation: Operation, a: Admitted, out: Array | None) -> Array:
    torch = sys.modules["torch"]
    work, dtype = dtype_name(a.work), dtype_name(a.dtype)
    if dtype == "bfloat16":
        raise KernelError("NumPy has no bfloat16")
    lent = {name: _lend(x) for name in PARTS if (x := getattr(a, name)) is not None}
    arguments = a._replace(xp=np, work=np.dtype(work), dtype=np.dtype(dtype), **lent)
    result = out
    if result is None or result.is_neg():  # what is_neg would be lent as a copy
        shape = operation.result_shape(a)
        result = torch.empty(shape, dtype=a.dtype, device=a.logits.device)
    place = _lend(result)
    many = arguments.logits.size >= WORTH_THREADS
    with workers(torch.get_num_threads()) if many else nullcontext():
        computed = blocks.run(operation, arguments, None if operation.reduces else place)
    if computed is not place:
        place[...] = computed
    return result


def _lend(x: Array) -> Array:
    """Return the memory of a tensor whose values are all there is to it."""
    torch = sys.modules["torch"]
    recorded = x.requires_grad and torch.is_grad_enabled()
    if type(x) in {torch.Tensor, torch.nn.Parameter} and not (recorded or is_watched(x)):
        try:
            return x.detach().resolve_neg().numpy()
        except (RuntimeError, TypeError):  # on another device; under torch.func; bfloat16
            pass
    raise KernelError(
        f"{describe(x)} can't be lent to NumPy: it is on another device, of a dtype that NumPy"
        " has not, or PyTorch transforms or differentiates it"
    )
