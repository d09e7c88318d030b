"""Elements per second: about a million logits, with the library's own function beside ours.

The peers are SciPy for NumPy, PyTorch's own functions, and jax.nn; JAX is compiled on both sides.
"""

from __future__ import annotations

from . import harness

LAYOUTS = {
    "param_names": ["function", "backend", "dtype", "classes", "axis"],
    "params": [
        harness.FUNCTIONS,
        harness.COMPILED_BACKENDS,
        ["float32", "float64"],
        [10, 1000],
        [-1, 0],
    ],
}


class Seconds:
    """Time for one pass over the million logits."""

    param_names = [*LAYOUTS["param_names"], "implementation"]
    params = [*LAYOUTS["params"], harness.IMPLEMENTATIONS]

    def setup(self, function, backend, dtype, classes, axis, implementation):
        library = harness.backend(backend)
        self.x = library.asarray(harness.slices(classes, axis, dtype))
        self.run = library.function(implementation, function, axis)
        self.run(self.x)

    def time_pass(self, *_):
        self.run(self.x)


class Ratio:
    """Our time over the peer's, measured in turns in one process."""

    param_names = LAYOUTS["param_names"]
    params = LAYOUTS["params"]
    unit = "anysoftmax / peer"

    def setup(self, function, backend, dtype, classes, axis):
        library = harness.backend(backend)
        self.x = library.asarray(harness.slices(classes, axis, dtype))
        self.ours = library.function("anysoftmax", function, axis)
        self.peer = library.function("peer", function, axis)

    def track_ratio(self, *_):
        return harness.ratio(lambda: self.ours(self.x), lambda: self.peer(self.x))
