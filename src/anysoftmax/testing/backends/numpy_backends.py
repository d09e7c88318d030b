"""NumPy as it comes, and NumPy whose inputs can't be written to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from anysoftmax.testing.backends.backend import Array, Backend, NumpyArray
from anysoftmax.testing.layouts import NUMPY_LAYOUTS

__all__ = ["NumpyBackend", "ReadOnlyNumpyBackend"]


class NumpyBackend(Backend):
    """NumPy arrays in every layout."""

    name = "numpy"
    library = "numpy"
    dtypes = ("float64", "float32", "float16")
    layouts = tuple(NUMPY_LAYOUTS)
    writes_out = True

    def array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return a NumPy array."""
        return self._arranged(values, dtype, layout)

    def to_numpy(self, array: Array) -> NumpyArray:
        """Return the array itself."""
        return np.asarray(array)

    def dtype(self, name: str) -> Any:
        """Return the NumPy dtype."""
        return np.dtype(name)

    def owns(self, array: Array) -> bool:
        """Return whether it is a NumPy array or one of NumPy's scalars."""
        return isinstance(array, (np.ndarray, np.generic))


class ReadOnlyNumpyBackend(NumpyBackend):
    """NumPy arrays that raise when they are written to, checked to be unchanged after each call."""

    name = "numpy-readonly"
    layouts = ("C", "Fortran", "strided")
    writes_out = False

    def array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return a read-only NumPy array."""
        array = super().array(values, dtype=dtype, layout=layout)
        array.flags.writeable = False
        return array

    def _own(self, value: Any) -> Any:
        """Return a read-only copy of an array that can be written to."""
        writeable = isinstance(value, np.ndarray) and value.flags.writeable
        return self.array(value) if writeable else value

    def run(
        self,
        function: Callable[..., Array],
        arrays: tuple[Array, ...],
        placeholders: dict[str, Array],
        options: dict[str, Any],
    ) -> Array:
        """Call the function and compare the bytes of its inputs before and after."""
        inputs = [a for a in (*arrays, *placeholders.values()) if isinstance(a, np.ndarray)]
        before = [a.tobytes() for a in inputs]
        result = function(*arrays, **placeholders, **options)
        if before != [a.tobytes() for a in inputs]:
            raise AssertionError("an input was written to")
        return result
