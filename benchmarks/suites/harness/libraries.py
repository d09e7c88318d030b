"""The array libraries, and the ways of calling ours and theirs."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from . import by_hand

FUNCTIONS = ["softmax", "log_softmax", "logsumexp"]
BACKENDS = ["numpy", "torch", "jax", "jax-jit"]
COMPILED_BACKENDS = ["numpy", "torch", "jax-jit"]  # as each library is used where speed matters
GRID_BACKENDS = [
    *COMPILED_BACKENDS,
    "numpy-numba",
    "torch-numba",
    "torch-compile",
    "torch-grad",
    "jax-jit-grad",
]
CLASSES = [10, 1000, 2, 50, 100, 10_000, 128_256]
IMPLEMENTATIONS = ["anysoftmax", "peer"]

WAYS = {"numba", "compile", "jit", "grad", "cuda"}

Function = Callable[..., Any]


@dataclass(frozen=True)
class Backend:
    """One array library and a way of calling it, seen from a stopwatch."""

    name: str
    asarray: Function  # from a NumPy array
    wait: Function  # returns its argument when the array's values are there
    compile: Callable[[Function, int], Function]  # of a function and the axis it works on
    peers: ModuleType  # where the library's own functions of the same names are
    kernel: str | None  # which of our kernels is asked for; None leaves the choice to us

    def function(self, implementation: str, name: str, axis: int, **options: Any) -> Function:
        """Return one function of one array that comes back when its result is computed.

        `implementation` is "anysoftmax", "peer" (the library's own) or "by hand" (a NumPy recipe).
        """
        if implementation == "anysoftmax":
            chosen = partial(getattr(require("anysoftmax"), name), axis=axis, **options)
            compiled, wait = self.compile(chosen, axis), self.wait
            return under(self.kernel, lambda x: wait(compiled(x)))
        peers = by_hand if implementation == "by hand" else self.peers
        along = {"dim" if peers.__name__ == "torch" else "axis": axis}
        chosen = partial(getattr(peers, name), **along, **options)
        compiled, wait = self.compile(chosen, axis), self.wait
        return lambda x: wait(compiled(x))


def require(module: str) -> ModuleType:
    """Import a module, or have asv skip the benchmark."""
    try:
        return import_module(module)
    except ImportError as error:
        raise NotImplementedError(str(error)) from error


def backend(name: str, *, automatic: bool = False) -> Backend:
    """Return a backend by its name, its library imported and kept to one core.

    The name is the library's, followed by how it is used: a kernel of ours, a compiler, a device,
    or "grad" for values and gradients together. `automatic` leaves the kernel to us, as it comes.
    """
    stay_on_one_core()
    settle_allocator()
    library, *ways = name.split("-")
    if library not in _LIBRARIES or not set(ways) <= WAYS:
        message = f"unknown backend {name!r}: choose one of {', '.join(BACKENDS + GRID_BACKENDS)}"
        raise ValueError(message)
    kernel = "numba" if "numba" in ways else None if automatic else "reference"
    return _LIBRARIES[library](name, ways, kernel)


def _numpy(name: str, _ways: list[str], kernel: str | None) -> Backend:
    return Backend(name, _same, _same, _eager, require("scipy.special"), kernel)


def _torch(name: str, ways: list[str], kernel: str | None) -> Backend:
    torch = require("torch")
    torch.set_num_threads(1)
    asarray, wait, compiler = torch.from_numpy, _same, _eager
    if "cuda" in ways:
        asarray, wait = _torch_on_cuda(torch)
    if "grad" in ways:

        def compiler(function: Function, axis: int) -> Function:
            def pull_back(x: Any) -> Any:
                leaf = x.detach().requires_grad_()
                y = function(leaf)
                return torch.autograd.grad(y, leaf, _cotangent(x, y, axis))

            return pull_back

    elif "compile" in ways:
        kernel = None  # the compiler sees the generic code

        def compiler(function: Function, _axis: int) -> Function:
            def program(x: Any) -> Any:
                return function(x)

            return torch.compile(program, fullgraph=True, dynamic=False)

    return Backend(name, asarray, wait, compiler, torch, kernel)


def _torch_on_cuda(torch: ModuleType) -> tuple[Function, Function]:
    if not torch.cuda.is_available():
        raise NotImplementedError("PyTorch sees no CUDA device")

    def asarray(x: Any) -> Any:
        return torch.from_numpy(x).cuda()

    def wait(y: Any) -> Any:
        torch.cuda.synchronize()
        return y

    return asarray, wait


def _jax(name: str, ways: list[str], kernel: str | None) -> Backend:
    jax = require("jax")
    jax.config.update("jax_enable_x64", True)
    asarray, compiler = jax.numpy.asarray, _eager
    if "cuda" in ways:
        try:
            (device, *_) = jax.devices("cuda")
        except RuntimeError as error:
            raise NotImplementedError(f"JAX sees no CUDA device: {error}") from error
        asarray = partial(jax.device_put, device=device)
    if "grad" in ways:

        def compiler(function: Function, axis: int) -> Function:
            def pull_back(x: Any) -> Any:
                y, back = jax.vjp(function, x)
                return back(_cotangent(x, y, axis))

            return jax.jit(pull_back)

    elif "jit" in ways:

        def compiler(function: Function, _axis: int) -> Function:
            return jax.jit(function)

    return Backend(name, asarray, jax.block_until_ready, compiler, require("jax.nn"), kernel)


def _cupy(name: str, _ways: list[str], kernel: str | None) -> Backend:
    cupy = require("cupy")

    def wait(y: Any) -> Any:
        cupy.cuda.get_current_stream().synchronize()
        return y

    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise NotImplementedError(f"CuPy sees no CUDA device: {error}") from error
    return Backend(name, cupy.asarray, wait, _eager, require("cupyx.scipy.special"), kernel)


_LIBRARIES = {"numpy": _numpy, "torch": _torch, "jax": _jax, "cupy": _cupy}


def stay_on_one_core() -> None:
    """Give all libraries the same one core: threads would measure how busy the machine is."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def settle_allocator() -> None:
    """Have the C library keep freed memory, as it does once a process has freed a large array.

    Before, it gives the memory of each result back and takes it anew, or not, as chance has it: the
    page faults of that cost up to twice the computation. 32 MiB is the most that it learns from.
    """
    np.ones(2**25 - 2**16, np.uint8)


def use_all_cores() -> None:
    """Let this thread, and those that it starts, run anywhere again."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


def using(kernel: str | None) -> AbstractContextManager[Any]:
    """Return the context in which our functions use a kernel; NotImplementedError without it."""
    kernels = getattr(require("anysoftmax"), "kernels", None)
    if kernel is None or (kernels is None and kernel == "reference"):
        return nullcontext()  # an older commit has nothing but the reference
    if kernels is None:
        raise NotImplementedError("this commit has no anysoftmax.kernels")
    if kernel == "numba":
        require("numba")
    return kernels.use(kernel)  # type: ignore[no-any-return]


def workers(n: int) -> AbstractContextManager[Any]:
    """Return the context in which our functions use `n` threads; NotImplementedError without it."""
    anysoftmax = require("anysoftmax")
    if hasattr(anysoftmax, "workers"):
        return anysoftmax.workers(n)  # type: ignore[no-any-return]
    if n == 1:  # an older commit has no more
        return nullcontext()
    raise NotImplementedError("this commit has no anysoftmax.workers")


def under(kernel: str | None, function: Function) -> Function:
    """Return the function as it runs with a kernel, for a microsecond a call."""
    if isinstance(using(kernel), nullcontext):
        return function
    not_able = require("anysoftmax.errors").KernelError

    def run(*arrays: Any) -> Any:
        try:
            with using(kernel):
                return function(*arrays)
        except not_able as error:
            raise NotImplementedError(str(error)) from error

    return run


def _cotangent(x: Any, y: Any, axis: int) -> Any:
    """Return something of the shape of the result to pull back: the logits, or a class of them."""
    if y.shape == x.shape:
        return x
    return x[0] if axis == 0 else x[..., 0]


def _eager(function: Function, _axis: int) -> Function:
    return function


def _same(x: Any) -> Any:
    return x
