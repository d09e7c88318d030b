"""JAX: eager and under jax.jit, with and without 64-bit numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from anysoftmax.testing.backends.backend import INTEGERS, Array, Backend, NumpyArray

__all__ = ["CudaJaxBackend", "Jax32Backend", "JaxBackend", "JitJax32Backend", "JitJaxBackend"]


class JaxBackend(Backend):
    """JAX with 64-bit numbers, eager."""

    name = "jax"
    library = "jax"
    dtypes: ClassVar[tuple[str, ...]] = ("float64", "float32", "float16", "bfloat16")
    differentiable = True
    compiles = True
    flushes_subnormals = True  # XLA on the CPU sets the processor so
    cost = 2
    x64: ClassVar[bool] = True

    @contextmanager
    def context(self) -> Iterator[None]:
        """Turn 64-bit numbers on or off for this thread."""
        import jax

        with jax.enable_x64(self.x64):
            yield

    def array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return a JAX array."""
        import jax.numpy as jnp

        return jnp.asarray(self._arranged(values, None, layout), dtype=dtype)

    def to_numpy(self, array: Array) -> NumpyArray:
        """Return the values, bfloat16 as float32."""
        name = self.dtype_name(array)
        return np.asarray(array, dtype=np.float32 if name == "bfloat16" else None)

    def dtype(self, name: str) -> Any:
        """Return the dtype."""
        import jax.numpy as jnp

        return jnp.dtype(name)

    def owns(self, array: Array) -> bool:
        """Return whether it is a JAX array."""
        import jax

        return isinstance(array, jax.Array)

    def device(self, array: Array) -> Any:
        """Return the device of an array that lies on one."""
        (device,) = array.devices()
        return device

    def gradients(
        self,
        function: Callable[..., Array],
        cotangent: NumpyArray,
        inputs: dict[str, Any],
        *arrays: Any,
        **options: Any,
    ) -> dict[str, NumpyArray]:
        """Differentiate backwards with jax.vjp."""
        import jax

        leaves = {name: self._own(value) for name, value in inputs.items()}
        placeholders, fixed = self._split(options)

        def pull_back(
            leaves: dict[str, Array],
            arrays: tuple[Array, ...],
            placeholders: dict[str, Array],
            cotangent: Array,
        ) -> dict[str, Array]:
            def of_leaves(leaves: dict[str, Array]) -> Array:
                return self._apply(function, leaves, *arrays, **placeholders, **fixed)

            result, back = jax.vjp(of_leaves, leaves)
            (gradients,) = back(cotangent.astype(result.dtype))
            return gradients  # type: ignore[no-any-return]

        program = self._compile(("gradients", function, repr(fixed)), pull_back)
        others = tuple(self._own(a) for a in arrays)
        gradients = program(leaves, others, placeholders, self._own(cotangent))
        return {name: self.to_numpy(g) for name, g in gradients.items()}

    def hessian(self, function: Callable[..., Array], x: NumpyArray, **options: Any) -> NumpyArray:
        """Differentiate twice with jax.hessian."""
        import jax

        second = jax.hessian(lambda x: function(x, **options))
        return self.to_numpy(
            self._compile(("hessian", function, repr(options)), second)(self._own(x))
        )

    def _compile(self, key: Any, function: Callable[..., Any]) -> Callable[..., Any]:  # noqa: ARG002
        """Return the function as this backend runs it; `key` tells functions apart."""
        return function


class JitJaxBackend(JaxBackend):
    """JAX with 64-bit numbers, every call under ``jax.jit``."""

    name = "jax-jit"
    traced = True
    traces_numbers = True  # one trace must serve every temperature
    cost = 4

    def __init__(self) -> None:
        super().__init__()
        self._compiled: dict[Any, Callable[..., Any]] = {}

    def run(
        self,
        function: Callable[..., Array],
        arrays: tuple[Array, ...],
        placeholders: dict[str, Array],
        options: dict[str, Any],
    ) -> Array:
        """Compile the function once for each set of fixed options and call it."""
        import jax

        def program(arrays: tuple[Array, ...], placeholders: dict[str, Array]) -> Array:
            leaves = (*arrays, *placeholders.values())
            self.placeholders_seen += sum(isinstance(a, jax.core.Tracer) for a in leaves)
            return function(*arrays, **placeholders, **options)

        return self._compile(("run", function, repr(options)), program)(arrays, placeholders)

    def forget(self) -> None:
        """Forget what was compiled, so that functions are given placeholders again."""
        self._compiled.clear()

    def eager(self) -> Backend:
        """Return JAX without jit."""
        return JaxBackend()

    def _compile(self, key: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function under ``jax.jit``, the one of an earlier call if there was one."""
        import jax

        if key not in self._compiled:
            self._compiled[key] = jax.jit(function)
        return self._compiled[key]


class CudaJaxBackend(JitJaxBackend):
    """JAX on the first GPU, every call under ``jax.jit``."""

    name = "jax-cuda"
    platform = "cuda"
    flushes_subnormals = False

    def available(self) -> bool:
        """Return whether JAX can be imported and sees a GPU."""
        if not super().available():
            return False
        import jax

        try:
            return bool(jax.devices("cuda"))
        except RuntimeError:  # a JAX without CUDA, or CUDA without a device
            return False

    @contextmanager
    def context(self) -> Iterator[None]:
        """Make the GPU the place of new arrays."""
        import jax

        with super().context(), jax.default_device(jax.devices("cuda")[0]):
            yield

    def owns(self, array: Array) -> bool:
        """Return whether it is a JAX array, on a GPU if it has a place already."""
        import jax

        return super().owns(array) and (
            isinstance(array, jax.core.Tracer) or self.device(array).platform == "gpu"
        )


class Jax32Backend(JaxBackend):
    """JAX as it comes: no 64-bit numbers at all."""

    name = "jax-32"
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float16", "bfloat16")
    integers = tuple(name for name in INTEGERS if not name.endswith("64"))
    default_dtype = "float32"
    x64 = False


class JitJax32Backend(JitJaxBackend):
    """JAX as it comes, every call under ``jax.jit``."""

    name = "jax-jit-32"
    dtypes = Jax32Backend.dtypes
    integers = Jax32Backend.integers
    default_dtype = "float32"
    x64 = False

    def eager(self) -> Backend:
        """Return JAX without jit."""
        return Jax32Backend()
