"""CuPy, where there is a GPU."""

from __future__ import annotations

from typing import Any

from anysoftmax.testing.backends.backend import Array, Backend, NumpyArray

__all__ = ["CupyBackend"]


class CupyBackend(Backend):
    """CuPy arrays on the current GPU."""

    name = "cupy"
    library = "cupy"
    platform = "cuda"
    dtypes = ("float64", "float32", "float16")
    layouts = ("C", "Fortran")
    writes_out = True
    cost = 2

    def available(self) -> bool:
        """Return whether CuPy can be imported and sees a GPU."""
        if not super().available():
            return False
        import cupy

        try:
            return bool(cupy.cuda.runtime.getDeviceCount())
        except cupy.cuda.runtime.CUDARuntimeError:
            return False

    def array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return a CuPy array."""
        import cupy

        return cupy.array(self._arranged(values, dtype, layout), order="K")

    def to_numpy(self, array: Array) -> NumpyArray:
        """Copy the values to the CPU."""
        import cupy

        result: NumpyArray = cupy.asnumpy(array)
        return result

    def dtype(self, name: str) -> Any:
        """Return the NumPy dtype."""
        import cupy

        return cupy.dtype(name)

    def owns(self, array: Array) -> bool:
        """Return whether it is a CuPy array."""
        import cupy

        return isinstance(array, cupy.ndarray)
