"""ndonnx: functions build an ONNX model from placeholders, and onnxruntime runs it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from anysoftmax.testing.backends.backend import Array, Backend, NumpyArray

__all__ = ["NdonnxBackend"]


class NdonnxBackend(Backend):
    """ndonnx arrays without values: reading one raises, so that nothing can be looked at."""

    name = "ndonnx"
    library = "ndonnx"
    dtypes = ("float64", "float32", "float16")
    lazy = True
    traced = True
    has_complex = False
    cost = 20

    def __init__(self) -> None:
        super().__init__()
        # No law has as many placeholders in use at once; older ones are done with.
        self._fed: deque[tuple[Array, NumpyArray]] = deque(maxlen=64)

    def array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return a placeholder and remember the values that it will be fed."""
        import ndonnx

        numbers = self._arranged(values, dtype, layout)
        placeholder = ndonnx.argument(shape=numbers.shape, dtype=self.dtype(numbers.dtype.name))
        self._fed.append((placeholder, numbers))
        return placeholder

    def open_array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return an array of numbers that are a part of the model."""
        import ndonnx

        return ndonnx.asarray(self._arranged(values, dtype, layout))

    def to_numpy(self, array: Array) -> NumpyArray:
        """Build the model that computes an array and run it."""
        import ndonnx
        import onnxruntime

        inputs = {f"input{i}": a for i, (a, _) in enumerate(self._fed)}
        values = {f"input{i}": v for i, (_, v) in enumerate(self._fed)}
        model = ndonnx.build(inputs, {"result": array}, drop_unused=True)
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        feeds = {node.name: values[node.name] for node in session.get_inputs()}
        (result,) = session.run(None, feeds)
        return np.asarray(result)

    def dtype(self, name: str) -> Any:
        """Return the ndonnx dtype."""
        import ndonnx

        return getattr(ndonnx, name)

    def owns(self, array: Array) -> bool:
        """Return whether it is an ndonnx array."""
        import ndonnx

        return isinstance(array, ndonnx.Array)

    def device(self, array: Array) -> Any:  # noqa: ARG002
        """Return None: a model is run where its user wants."""
        return None

    def run(
        self,
        function: Callable[..., Array],
        arrays: tuple[Array, ...],
        placeholders: dict[str, Array],
        options: dict[str, Any],
    ) -> Array:
        """Call the function on placeholders."""
        self.placeholders_seen += sum(self.owns(a) for a in (*arrays, *placeholders.values()))
        return function(*arrays, **placeholders, **options)
