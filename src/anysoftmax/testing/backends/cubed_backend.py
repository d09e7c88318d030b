"""Cubed: lazy arrays in chunks. Computing one inside a public function is an error here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from anysoftmax.testing.backends.backend import Array, Backend, NumpyArray

__all__ = ["CubedBackend"]


class CubedBackend(Backend):
    """Cubed arrays, computed in this thread."""

    name = "cubed"
    library = "cubed"
    layouts = ("C", "halves")
    lazy = True
    cost = 20

    def __init__(self) -> None:
        super().__init__()
        self._spec: Any = None

    def array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return a Cubed array of one chunk, or of two along each axis."""
        return self._cut(values, dtype, layout, self._refusing_spec())

    def open_array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return such an array that may be computed."""
        return self._cut(values, dtype, layout, None)

    def to_numpy(self, array: Array) -> NumpyArray:
        """Compute the array in this thread."""
        from cubed.runtime.create import create_executor

        return np.asarray(array.compute(executor=create_executor("single-threaded")))

    def dtype(self, name: str) -> Any:
        """Return the NumPy dtype."""
        return np.dtype(name)

    def owns(self, array: Array) -> bool:
        """Return whether it is a Cubed array."""
        import cubed

        return isinstance(array, cubed.Array)

    def run(
        self,
        function: Callable[..., Array],
        arrays: tuple[Array, ...],
        placeholders: dict[str, Array],
        options: dict[str, Any],
    ) -> Array:
        """Call the function; its arrays carry an executor that refuses to compute."""
        self.placeholders_seen += sum(self.owns(a) for a in (*arrays, *placeholders.values()))
        return function(*arrays, **placeholders, **options)

    def _cut(self, values: Any, dtype: str | None, layout: str, spec: Any) -> Array:
        import cubed

        numbers = self._arranged(values, dtype, "C")
        chunks = tuple(-(-n // 2) if layout == "halves" and n > 1 else n for n in numbers.shape)
        return cubed.from_array(numbers, chunks=chunks, spec=spec)

    def _refusing_spec(self) -> Any:
        """Return one specification for all arrays: Cubed combines only those with the same."""
        if self._spec is None:
            import cubed
            from cubed.runtime.types import DagExecutor

            class Refusing(DagExecutor):  # type: ignore[misc]
                name = "refusing"

                def execute_dag(self, *_: Any, **__: Any) -> None:
                    raise AssertionError("a lazy array was computed inside a public function")

            self._spec = cubed.Spec(allowed_mem="2GB", executor=Refusing())
        return self._spec
