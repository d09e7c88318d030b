"""NumPy and PyTorch computed by one kernel that "auto" chooses, wherever that is able to."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from unittest import mock

from anysoftmax.arrays import namespace_name
from anysoftmax.errors import KernelError
from anysoftmax.kernels.table import Kernel
from anysoftmax.testing.backends.backend import Array, Backend
from anysoftmax.testing.backends.numpy_backends import NumpyBackend
from anysoftmax.testing.backends.torch_backends import TorchBackend

__all__ = ["LentTorchBackend", "NumbaNumpyBackend", "NumbaTorchBackend"]


class _KernelBackend(Backend):
    """A library with "auto" choosing one kernel, whatever the number of logits.

    Attributes
    ----------
    served : int
        How many results the kernels have computed.
    """

    kernel: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.served = 0

    def excuses(self, operation: str, a: Any) -> bool:
        """Return whether a kernel may leave a request to the reference."""
        return (operation in {"logsumexp", "summary"} and a.weights is not None) or a.compensated

    @contextmanager
    def context(self) -> Iterator[None]:
        """Let the kernel serve everything; to refuse without an excuse is an error."""
        from anysoftmax import kernels
        from anysoftmax.kernels import table

        rows = [row for row in table.TABLE if row.name == self.kernel]

        def automatic(operation: str, xp: Any) -> list[_Watched]:
            return [
                _Watched(row, self)
                for row in rows
                if (row.operation, row.library) == (operation, namespace_name(xp))
            ]

        with (
            super().context(),
            kernels.use("auto"),
            mock.patch.object(table, "automatic", automatic),
        ):
            yield


class _Watched:
    """A row of the table that sees what its kernel does."""

    automatic_from: ClassVar[int] = 0

    def __init__(self, row: Kernel, backend: _KernelBackend) -> None:
        self._function = row.load()
        self._backend = backend

    def load(self) -> Callable[..., Array]:
        """Return the kernel's function."""
        return self._call

    def _call(self, operation: Any, a: Any, out: Array | None) -> Array:
        try:
            result = self._function(operation, a, out)
        except KernelError as refusal:
            if not self._backend.excuses(operation.name, a):
                raise AssertionError("a kernel refuses what it should serve") from refusal
            raise
        self._backend.served += 1
        return result


class _NumbaBackend(_KernelBackend):
    kernel = "numba"
    package = "numba"

    def available(self) -> bool:
        """Return whether Numba and the library can be imported."""
        try:
            importlib.import_module(self.package)
        except ImportError:
            return False
        return super().available()


class NumbaNumpyBackend(_NumbaBackend, NumpyBackend):
    """NumPy by the Numba kernels."""

    name = "numpy-numba"


class NumbaTorchBackend(_NumbaBackend, TorchBackend):
    """PyTorch on the CPU by the Numba kernels."""

    name = "torch-numba"

    def excuses(self, operation: str, a: Any) -> bool:
        """Return whether a kernel may leave a request to the reference."""
        return super().excuses(operation, a) or _needs_steps(operation, a)


class LentTorchBackend(_KernelBackend, TorchBackend):
    """PyTorch on the CPU, its tensors lent to NumPy."""

    name = "torch-lent"
    kernel = "auto"

    def excuses(self, operation: str, a: Any) -> bool:
        """Return whether a kernel may leave a request to the reference."""
        import torch

        return torch.bfloat16 in {a.dtype, a.logits.dtype} or _needs_steps(operation, a)


def _needs_steps(operation: str, a: Any) -> bool:
    """Tell whether PyTorch transforms a function, or asks for a derivative that is no formula."""
    import torch

    if torch._C._are_functorch_transforms_active():  # noqa: SLF001
        return True
    parts = {"x": a.logits, "T": a.temperature, "w": a.weights, "g": a.cotangent}
    by = [name for name, t in parts.items() if t is not None and t.requires_grad]
    if not by or not torch.is_grad_enabled():
        return False
    return (
        by != ["x"]
        or operation not in {"softmax", "log_softmax", "logsumexp"}
        or not (a.logits.dtype == a.work == a.dtype)
    )
