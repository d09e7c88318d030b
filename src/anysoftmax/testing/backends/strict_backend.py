"""array-api-strict: the standard and nothing else, with its strictest flags."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from anysoftmax.testing.backends.backend import Array, Backend, NumpyArray

__all__ = ["StrictBackend"]


class StrictBackend(Backend):
    """Only what the array API standard promises, without extensions or data-dependent shapes."""

    name = "array-api-strict"
    library = "array_api_strict"
    cost = 2

    @contextmanager
    def context(self) -> Iterator[None]:
        """Hold the strictest flags; they are global to the library."""
        import array_api_strict

        flags = array_api_strict.ArrayAPIStrictFlags(
            boolean_indexing=False, data_dependent_shapes=False, enabled_extensions=()
        )
        with flags:
            yield

    def array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return an array-api-strict array on its default device."""
        import array_api_strict

        return array_api_strict.asarray(self._arranged(values, dtype, layout))

    def to_numpy(self, array: Array) -> NumpyArray:
        """Return the values."""
        import array_api_strict

        return np.asarray(array.to_device(array_api_strict.Device("CPU_DEVICE")))

    def dtype(self, name: str) -> Any:
        """Return the library's dtype object."""
        import array_api_strict

        return getattr(array_api_strict, name)

    def dtype_name(self, array: Array) -> str:
        """Name the dtype of an array."""
        return str(array.dtype).rpartition(".")[2].rstrip(">")

    def owns(self, array: Array) -> bool:
        """Return whether it is an array-api-strict array."""
        return type(array).__module__.startswith("array_api_strict")

    def devices(self) -> tuple[Any, ...]:
        """Return the two devices that behave like the CPU but are not it."""
        import array_api_strict

        return (array_api_strict.Device("CPU_DEVICE"), array_api_strict.Device("device1"))
