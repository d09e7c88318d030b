"""PyTorch: eager, and through torch.compile."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import numpy as np

from anysoftmax.testing.backends.backend import INTEGERS, Array, Backend, NumpyArray

__all__ = ["CompiledTorchBackend", "CudaTorchBackend", "TorchBackend"]


@contextmanager
def _without_own_deprecations() -> Iterator[None]:
    """Overlook that PyTorch's forward mode and compiler use what PyTorch deprecates."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        yield


class TorchBackend(Backend):
    """PyTorch on the CPU."""

    name = "torch"
    library = "torch"
    dtypes = ("float64", "float32", "float16", "bfloat16")
    # PyTorch's wider unsigned integers can be stored and little else.
    integers = tuple(name for name in INTEGERS if name not in {"uint16", "uint32", "uint64"})
    default_dtype = "float32"
    layouts: ClassVar[tuple[str, ...]] = ("C", "Fortran", "strided", "expanded")
    differentiable = True
    writes_out = True

    def array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return a tensor."""
        import torch

        name = dtype or np.asarray(values).dtype.name
        tensor = torch.from_numpy(np.array(values)).to(self.platform, getattr(torch, name))
        if layout == "Fortran" and tensor.ndim:
            backwards = tuple(reversed(range(tensor.ndim)))
            return tensor.permute(backwards).contiguous().permute(backwards)
        if layout == "strided" and tensor.ndim:
            return torch.stack([tensor, tensor], dim=-1)[..., 0]
        if layout == "expanded":
            return tensor.unsqueeze(0).expand(2, *tensor.shape)[1]
        return tensor

    def to_numpy(self, array: Array) -> NumpyArray:
        """Return the values, bfloat16 as float32."""
        import torch

        tensor = array.detach()
        return np.asarray(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)

    def dtype(self, name: str) -> Any:
        """Return the torch dtype."""
        import torch

        return getattr(torch, name)

    def owns(self, array: Array) -> bool:
        """Return whether it is a tensor."""
        import torch

        return isinstance(array, torch.Tensor)

    def to_device(self, array: Array, device: Any) -> Array:
        """Copy a tensor to a device."""
        return array.to(device)

    def gradients(
        self,
        function: Callable[..., Array],
        cotangent: NumpyArray,
        inputs: dict[str, Any],
        *arrays: Any,
        **options: Any,
    ) -> dict[str, NumpyArray]:
        """Differentiate backwards with autograd."""
        import torch

        leaves = {
            name: self._own(value).detach().clone().requires_grad_()
            for name, value in inputs.items()
        }
        result = self._apply(partial(self.evaluate, function), leaves, *arrays, **options)
        pulled = torch.autograd.grad(
            result, list(leaves.values()), self._own(cotangent).to(result.dtype)
        )
        return {name: self.to_numpy(g) for name, g in zip(leaves, pulled, strict=True)}

    def hessian(self, function: Callable[..., Array], x: NumpyArray, **options: Any) -> NumpyArray:
        """Differentiate twice with torch.func."""
        import torch

        with _without_own_deprecations():
            second = torch.func.hessian(lambda x: function(x, **options))(self._own(x))
        return self.to_numpy(second)


class CudaTorchBackend(TorchBackend):
    """PyTorch on the current GPU."""

    name = "torch-cuda"
    platform = "cuda"
    cost = 2

    def available(self) -> bool:
        """Return whether PyTorch can be imported and sees a GPU."""
        if not super().available():
            return False
        import torch

        return bool(torch.cuda.is_available())

    def to_numpy(self, array: Array) -> NumpyArray:
        """Copy the values to the CPU, bfloat16 as float32."""
        return super().to_numpy(array.cpu())

    def owns(self, array: Array) -> bool:
        """Return whether it is a tensor on a GPU."""
        return super().owns(array) and array.is_cuda


class CompiledTorchBackend(TorchBackend):
    """PyTorch through ``torch.compile(fullgraph=True)``, which takes seconds for each program."""

    name = "torch-compile"
    layouts: ClassVar[tuple[str, ...]] = ("C",)
    traced = True
    writes_out = False
    traces_numbers = True
    compiles = True
    reports_errors = False  # the compiler wraps them
    cost = 50

    def __init__(self) -> None:
        super().__init__()
        self._compiled: dict[Any, Callable[..., Array]] = {}

    def run(
        self,
        function: Callable[..., Array],
        arrays: tuple[Array, ...],
        placeholders: dict[str, Array],
        options: dict[str, Any],
    ) -> Array:
        """Compile the function once for each set of fixed options and call it."""
        import torch

        key = (function, repr(options))
        if key not in self._compiled:

            def program(*arrays: Array, **placeholders: Array) -> Array:
                return function(*arrays, **placeholders, **options)

            self._compiled[key] = torch.compile(program, fullgraph=True, dynamic=False)
            self.placeholders_seen += len(arrays) + len(placeholders)
        # Every set of options is a program of its own, though of the same source line.
        patience = torch._dynamo.config.patch(recompile_limit=10_000)  # noqa: SLF001
        with _without_own_deprecations(), patience:
            return self._compiled[key](*arrays, **placeholders)

    def _own(self, value: Any) -> Any:
        """Make an array of a number: the compiler would compile anew for each one."""
        return self.array(value) if isinstance(value, float) else super()._own(value)

    def forget(self) -> None:
        """Forget what was compiled, so that functions are given placeholders again."""
        self._compiled.clear()

    def eager(self) -> Backend:
        """Return PyTorch without the compiler."""
        return TorchBackend()
