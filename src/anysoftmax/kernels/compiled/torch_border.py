"""The kernels of PyTorch's tensors on the CPU: values and derivatives, in the tensors' memory."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch.autograd import forward_ad

from anysoftmax.admission import Admitted
from anysoftmax.blocks import is_apart
from anysoftmax.errors import KernelError
from anysoftmax.kernels import lent, recorded
from anysoftmax.kernels.compiled import brain, numpy_border
from anysoftmax.kernels.compiled.evaluation import Task, evaluate
from anysoftmax.kernels.compiled.gradients import pull_back
from anysoftmax.kernels.compiled.numpy_border import refuse
from anysoftmax.kernels.lent import is_watched
from anysoftmax.operations import SOFTMAX, Computation

__all__ = ["compute"]

NumpyArray = np.ndarray[Any, Any]
Tensor = Any

PLAIN = (torch.Tensor, torch.nn.Parameter)


def compute(operation: Computation, a: Admitted, out: Tensor | None) -> Tensor:
    """Compute an operation of tensors."""
    refuse(a)
    tensors = [c for c in (out, *(getattr(a, name) for name in recorded.PARTS)) if c is not None]
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():  # noqa: SLF001
        raise KernelError("the numba kernel can't be traced or transformed: use the reference")
    if forward_ad._current_level >= 0:  # noqa: SLF001
        raise KernelError("the numba kernel has no forward-mode derivatives: use the reference")
    if any(
        type(c) not in PLAIN or c.device.type != "cpu" or c.is_neg() or is_watched(c)
        for c in tensors
    ):
        raise KernelError("the numba kernel takes plain tensors on the CPU: use the reference")
    found = 0

    def values(a: Admitted, out: Tensor | None) -> Tensor:
        nonlocal found
        result, found = _values(operation, a, out)
        return result

    def pulled(a: Admitted, y: Tensor, g: Tensor) -> Tensor | None:
        x = None if found else _pull_back(operation, a, y, g)
        return lent.pull_back(operation, a, y, g) if x is None else x

    return recorded.compute(operation, a, out, values, pulled)


def _values(operation: Computation, a: Admitted, out: Tensor | None) -> tuple[Tensor, int]:
    """Return the values, in `out` if it is given, and the number of special slices."""
    x = a.logits.detach()
    if operation.reduces:
        result = _empty(x, operation.result_shape(a), a.dtype)
    elif out is None or not _is_apart(a, out):
        result = torch.empty_like(x, dtype=a.dtype)
    else:
        result = out
    where, temperature, labels, cotangent = (
        None if c is None else c.detach().resolve_neg().numpy()
        for c in (a.where, a.temperature, a.labels, a.cotangent)
    )
    found = evaluate(
        Task(
            operation,
            _memory(x),
            _memory(result),
            a.axes,
            _dtype(a.work),
            where,
            temperature,
            partial(_load, x.dtype, a.dtype),
            _store_brain if a.dtype == torch.bfloat16 else numpy_border.store,
            labels,
            cotangent,
        )
    )
    if out is not None and result is not out:
        out.copy_(result)
        return out, found
    return result, found


def _pull_back(operation: Computation, a: Admitted, result: Tensor, g: Tensor) -> Tensor | None:
    """Return the derivative of ordinary slices, or None if their layout does not suit it."""
    if operation.reduces:
        pulled = _values(SOFTMAX, a, None)[0]
        pulled *= g
        return pulled
    if a.where is not None:
        g = torch.where(a.where, g, 0.0)
    pulled = torch.empty_like(result)
    if not pull_back(operation, a.axes, result.numpy(), g.resolve_neg().numpy(), pulled.numpy()):
        return None
    if a.temperature is not None:
        pulled /= a.temperature
    return pulled


def _empty(like: Tensor, shape: tuple[int, ...], dtype: Any) -> Tensor:
    """Return memory whose axes lie in the order of another tensor's."""
    order = sorted(range(like.ndim), key=like.stride, reverse=True)
    memory = torch.empty([shape[i] for i in order], dtype=dtype, device=like.device)
    return memory.permute([order.index(i) for i in range(like.ndim)])


def _memory(tensor: Tensor) -> NumpyArray:
    """Return a NumPy array on the memory of a tensor, of the bits of bfloat16."""
    if tensor.dtype == torch.bfloat16:
        bits: NumpyArray = tensor.view(torch.int16).numpy().view(np.uint16)
        return bits
    array: NumpyArray = tensor.numpy()
    return array


def _dtype(dtype: Any) -> np.dtype[Any]:
    return np.dtype(str(dtype).removeprefix("torch."))


def _load(own: Any, dtype: Any, source: NumpyArray, target: NumpyArray) -> None:
    """Copy logits, rounded to the result's dtype first if they have another."""
    if own == torch.bfloat16:
        source = brain.from_brain(source)
    if dtype != torch.bfloat16:
        numpy_border.load(_dtype(dtype), source, target)
    else:
        target[...] = source if own == dtype else brain.from_brain(brain.to_brain(source))


def _store_brain(source: NumpyArray, target: NumpyArray) -> None:
    target[...] = brain.to_brain(source)


def _is_apart(a: Admitted, out: Tensor) -> bool:
    """Tell whether the result may be computed in `out`."""
    x, *companions = (
        None if c is None else _memory(c.detach()) for c in (a.logits, a.where, a.temperature)
    )
    return is_apart(np, _memory(out), x, tuple(companions))
