"""Dask: lazy arrays in chunks. Computing one inside a public function is an error here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from anysoftmax.testing.backends.backend import Array, Backend, NumpyArray

__all__ = ["DaskBackend"]


def _refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("a lazy array was computed inside a public function")


def _cut(n: int, layout: str) -> tuple[int, ...]:
    """Return the lengths of the chunks along an axis of length `n`."""
    if layout == "C" or n < 2:
        return (n,)
    first = 1 if layout == "uneven" else -(-n // 2)
    return (first, n - first)


class DaskBackend(Backend):
    """Dask arrays; the layouts are ways to cut them into chunks."""

    name = "dask"
    library = "dask.array"
    dtypes = ("float64", "float32", "float16")
    layouts = ("C", "halves", "uneven")
    lazy = True
    cost = 4

    def array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return a Dask array: one chunk, two along each axis, or a first chunk of length 1."""
        import dask.array

        numbers = self._arranged(values, dtype, "C")
        chunks = tuple(_cut(n, layout) for n in numbers.shape)
        return dask.array.from_array(numbers, chunks=chunks)

    def to_numpy(self, array: Array) -> NumpyArray:
        """Compute the array in this thread."""
        return np.asarray(array.compute(scheduler="synchronous"))

    def dtype(self, name: str) -> Any:
        """Return the NumPy dtype."""
        return np.dtype(name)

    def owns(self, array: Array) -> bool:
        """Return whether it is a Dask array."""
        import dask.array

        return isinstance(array, dask.array.Array)

    def run(
        self,
        function: Callable[..., Array],
        arrays: tuple[Array, ...],
        placeholders: dict[str, Array],
        options: dict[str, Any],
    ) -> Array:
        """Call the function while every attempt to compute raises."""
        import dask

        self.placeholders_seen += sum(self.owns(a) for a in (*arrays, *placeholders.values()))
        with dask.config.set(scheduler=_refuse):
            return function(*arrays, **placeholders, **options)
