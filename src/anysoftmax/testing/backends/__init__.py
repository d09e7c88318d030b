"""The array libraries that the laws are run on; none is imported before its backend is used.

>>> from anysoftmax.testing import backends
>>> numpy = backends.get("numpy")
>>> numpy.call(lambda x: x + 1, numpy.array([1.0, 2.0]))
array([2., 3.])
"""

from __future__ import annotations

import os

from anysoftmax.testing.backends.backend import Backend
from anysoftmax.testing.backends.cubed_backend import CubedBackend
from anysoftmax.testing.backends.cupy_backend import CupyBackend
from anysoftmax.testing.backends.dask_backend import DaskBackend
from anysoftmax.testing.backends.jax_backends import (
    CudaJaxBackend,
    Jax32Backend,
    JaxBackend,
    JitJax32Backend,
    JitJaxBackend,
)
from anysoftmax.testing.backends.kernel_backends import (
    LentTorchBackend,
    NumbaNumpyBackend,
    NumbaTorchBackend,
)
from anysoftmax.testing.backends.ndonnx_backend import NdonnxBackend
from anysoftmax.testing.backends.numpy_backends import NumpyBackend, ReadOnlyNumpyBackend
from anysoftmax.testing.backends.strict_backend import StrictBackend
from anysoftmax.testing.backends.torch_backends import (
    CompiledTorchBackend,
    CudaTorchBackend,
    TorchBackend,
)

__all__ = ["BACKENDS", "Backend", "get", "is_required"]

BACKENDS: dict[str, Backend] = {
    backend.name: backend
    for backend in (
        NumpyBackend(),
        ReadOnlyNumpyBackend(),
        StrictBackend(),
        TorchBackend(),
        CompiledTorchBackend(),
        NumbaNumpyBackend(),
        NumbaTorchBackend(),
        LentTorchBackend(),
        JaxBackend(),
        Jax32Backend(),
        JitJaxBackend(),
        JitJax32Backend(),
        DaskBackend(),
        NdonnxBackend(),
        CubedBackend(),
        CupyBackend(),
        CudaTorchBackend(),
        CudaJaxBackend(),
    )
}


def get(name: str) -> Backend:
    """Return the backend of a name; raise `ValueError` that lists the names if there is none.

    Examples
    --------
    >>> get("numpy")
    <backend numpy>
    """
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}: use one of {', '.join(BACKENDS)}")
    return BACKENDS[name]


def is_required(backend: Backend) -> bool:
    """Return whether a backend's absence is a failure and not a reason to skip.

    The environment variable ANYSOFTMAX_REQUIRED_BACKENDS lists names, separated by commas; each
    stands for all that stand on the same, so that ``jax`` asks for ``jax-jit`` and ``jax-32`` as
    well, but not for ``jax-cuda``.
    """
    named = os.environ.get("ANYSOFTMAX_REQUIRED_BACKENDS", "")
    required = [get(name.strip()) for name in named.split(",") if name.strip()]
    return backend.stands_on in {other.stands_on for other in required}
