"""The table of kernels: one row for what one kernel computes for one array library.

Dispatch, tests, benchmarks and the docs read the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from anysoftmax.arrays import Array, Namespace, namespace_name
from anysoftmax.errors import KernelError

NAMES = ("auto", "reference", "numba", "native")


class Kernel(NamedTuple):
    """A function that computes an operation for the arrays of one library.

    `function` is where it is: it takes the operation, the admitted arguments and `out`, and raises
    `KernelError` at once if it is not able to serve them; it may serve several rows. `needs` is the
    package and the extra of that name that it stands on. "auto" chooses it from `automatic_from`
    logits on, or never if that is None; a kernel of that name is chosen by nothing else.
    """

    name: str
    operation: str
    library: str
    function: str
    needs: str
    automatic_from: int | None = None

    @property
    def installed(self) -> bool:
        """Tell whether the package that the kernel needs can be imported."""
        return _is_installed(self.needs)

    def load(self) -> Callable[..., Array]:
        """Return the function; raise `KernelError` if its package is not installed."""
        if not self.installed:
            raise KernelError(
                f"the kernel {self.name!r} needs the package {self.needs}:"
                f" pip install 'anysoftmax[{self.needs}]'"
            )
        loaded = _load(self.function)
        if isinstance(loaded, str):
            raise KernelError(
                f"the kernel {self.name!r} can't be imported: {loaded};"
                f" install releases of {self.needs} and NumPy that go together"
            )
        return loaded


# From so many logits on, compiled kernels may be worth the seconds of their very first call.
_MANY = 2**16

_NUMPY = "anysoftmax.kernels.compiled.numpy_border:compute"
_TORCH = "anysoftmax.kernels.compiled.torch_border:compute"
_LENT = "anysoftmax.kernels.lent:compute"
_NATIVE_TORCH = "anysoftmax.kernels.native:compute_by_torch"
_NATIVE_JAX = "anysoftmax.kernels.native:compute_by_jax"

_DESCRIPTIONS = {  # no functions of these names
    "moments": "mean and variance of slices (for fit_temperature)",
    "summary": "summary of slices (for cross_entropy)",
}

TABLE = (
    Kernel("numba", "softmax", "numpy", _NUMPY, "numba", _MANY),
    Kernel("numba", "log_softmax", "numpy", _NUMPY, "numba", _MANY),
    Kernel("numba", "logsumexp", "numpy", _NUMPY, "numba", _MANY),
    Kernel("numba", "summary", "numpy", _NUMPY, "numba", _MANY),
    Kernel("numba", "moments", "numpy", _NUMPY, "numba", _MANY),
    Kernel("numba", "cross_entropy_grad", "numpy", _NUMPY, "numba", _MANY),
    Kernel("numba", "softmax", "torch", _TORCH, "numba", _MANY),
    Kernel("numba", "log_softmax", "torch", _TORCH, "numba", _MANY),
    Kernel("numba", "logsumexp", "torch", _TORCH, "numba", _MANY),
    Kernel("numba", "summary", "torch", _TORCH, "numba", _MANY),
    Kernel("numba", "moments", "torch", _TORCH, "numba", _MANY),
    Kernel("numba", "cross_entropy_grad", "torch", _TORCH, "numba", _MANY),
    Kernel("auto", "softmax", "torch", _LENT, "torch", 0),
    Kernel("auto", "log_softmax", "torch", _LENT, "torch", 0),
    Kernel("auto", "logsumexp", "torch", _LENT, "torch", 0),
    Kernel("auto", "summary", "torch", _LENT, "torch", 0),
    Kernel("auto", "entropy", "torch", _LENT, "torch", 0),
    Kernel("auto", "moments", "torch", _LENT, "torch", 0),
    Kernel("auto", "softmax_vjp", "torch", _LENT, "torch", 0),
    Kernel("auto", "log_softmax_vjp", "torch", _LENT, "torch", 0),
    Kernel("auto", "cross_entropy_grad", "torch", _LENT, "torch", 0),
    Kernel("native", "softmax", "torch", _NATIVE_TORCH, "torch"),
    Kernel("native", "log_softmax", "torch", _NATIVE_TORCH, "torch"),
    Kernel("native", "logsumexp", "torch", _NATIVE_TORCH, "torch"),
    Kernel("native", "softmax", "jax", _NATIVE_JAX, "jax"),
    Kernel("native", "log_softmax", "jax", _NATIVE_JAX, "jax"),
    Kernel("native", "logsumexp", "jax", _NATIVE_JAX, "jax"),
)


def named(name: str, operation: str, library: str) -> Kernel:
    """Return the kernel of a name; raise `KernelError` if it has none for these arrays."""
    for kernel in TABLE:
        if (kernel.name, kernel.operation, kernel.library) == (name, operation, library):
            return kernel
    what = _DESCRIPTIONS.get(operation, operation)
    libraries = sorted({k.library for k in TABLE if (k.name, k.operation) == (name, operation)})
    others = f" of {library} arrays, but of {' and '.join(libraries)}" if libraries else ""
    raise KernelError(f"the kernel {name!r} computes no {what}{others}: use 'reference' or 'auto'")


@cache
def automatic(operation: str, xp: Namespace) -> tuple[Kernel, ...]:
    """Return the installed kernels that "auto" may choose for arrays of a namespace."""
    return tuple(
        kernel
        for kernel in TABLE
        if (kernel.operation, kernel.library) == (operation, namespace_name(xp))
        and kernel.automatic_from is not None
        and kernel.installed
    )


@cache
def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


@cache
def _load(function: str) -> Callable[..., Array] | str:
    """Return the function, or why it can't be imported: that is not tried at each call."""
    module, _, name = function.partition(":")
    try:
        loaded: Callable[..., Array] = getattr(import_module(module), name)
    except ImportError as error:  # as of a release that does not suit NumPy's
        return str(error)
    return loaded
