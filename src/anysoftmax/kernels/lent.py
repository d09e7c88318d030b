"""PyTorch's CPU tensors, lent to NumPy: the reference in blocks, over the same memory.

PyTorch runs one operation at a time over the whole of a tensor; NumPy's blocks stay in the cache
from the first to the last. Large ones run on as many threads as PyTorch has set for itself. First
derivatives are pulled back in blocks, too; for further ones PyTorch has to see the steps.
"""

from __future__ import annotations

import math
import sys
from contextlib import nullcontext
from functools import partial

import numpy as np

from anysoftmax import blocks
from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, describe, dtype_name
from anysoftmax.errors import KernelError
from anysoftmax.kernels import recorded
from anysoftmax.kernels.recorded import PARTS
from anysoftmax.operations import (
    LOG_SOFTMAX_PULL_BACK,
    LOGSUMEXP,
    LOGSUMEXP_PULL_BACK,
    SOFTMAX,
    SOFTMAX_PULL_BACK,
    Computation,
)
from anysoftmax.threads import workers

WORTH_THREADS = 2**22  # logits; fewer take no longer than starting threads does


def compute(operation: Computation, a: Admitted, out: Array | None) -> Array:
    """Compute an operation by NumPy."""
    torch = sys.modules["torch"]
    if torch.bfloat16 in {a.dtype, a.logits.dtype}:
        raise KernelError("NumPy has no bfloat16")
    parts = [x for x in (out, *(getattr(a, name) for name in PARTS)) if x is not None]
    if any(x.device.type != "cpu" for x in parts):
        raise KernelError("only what lies in the CPU's memory can be lent to NumPy")
    if torch._C._are_functorch_transforms_active() or any(map(is_watched, parts)):  # noqa: SLF001
        raise KernelError("PyTorch has to see what becomes of a tensor: use the reference")
    return recorded.compute(
        operation, a, out, partial(_values, operation), partial(pull_back, operation)
    )


def is_watched(x: Array) -> bool:
    """Tell whether PyTorch has to see what becomes of a tensor, as under tracers."""
    torch = sys.modules["torch"]
    return bool(
        torch.jit.is_tracing()
        or sys.modules["torch.utils._python_dispatch"].is_in_torch_dispatch_mode()
        or torch._is_functional_tensor(x)  # noqa: SLF001 - it has no public name
        or torch.autograd.forward_ad.unpack_dual(x).tangent is not None
    )


def _values(operation: Computation, a: Admitted, out: Array | None) -> Array:
    torch = sys.modules["torch"]
    work, dtype = dtype_name(a.work), dtype_name(a.dtype)
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


def pull_back(operation: Computation, a: Admitted, y: Array, g: Array) -> Array | None:
    """Return the derivative of a value y by the logits, or None where it would be special."""
    a = a._replace(cotangent=g)
    if operation is LOGSUMEXP:
        pulled = _values(LOGSUMEXP_PULL_BACK, a, None)
    else:
        # What is masked has results that say so.
        a = a._replace(logits=y, where=None)
        formula = SOFTMAX_PULL_BACK if operation is SOFTMAX else LOG_SOFTMAX_PULL_BACK
        pulled = _values(formula, a, None)
    # Slices of undecided or no participants, whose values are NaN, have derivatives all the same.
    return pulled if math.isfinite(pulled.sum()) else None


def _lend(x: Array) -> Array:
    """Return the memory of a tensor whose values are all there is to it."""
    torch = sys.modules["torch"]
    if type(x) not in {torch.Tensor, torch.nn.Parameter}:
        raise KernelError(f"{describe(x)} can't be lent to NumPy: it is of a class of its own")
    return x.detach().resolve_neg().numpy()
