"""Elements per second: about a million logits, with the library's own function beside ours.

The peers are SciPy for NumPy, PyTorch's own functions, and jax.nn; JAX and torch.compile are
compiled on both sides, and "grad" counts values and gradients together.
"""

from __future__ import annotations

from . import harness

LAYOUTS = ["function", "backend", "dtype", "classes", "axis"]
DTYPES = ["float32", "float64"]
AXES = [-1, 0]

# torch.compile takes seconds for each program: a few classes must do.
COMPILED_CLASSES = {10, 1000, 128_256}


class Seconds:
    """Time for one pass over the million logits."""

    param_names = [*LAYOUTS, "implementation"]
    params = [
        harness.FUNCTIONS,
        harness.COMPILED_BACKENDS,
        DTYPES,
        [10, 1000],
        AXES,
        harness.IMPLEMENTATIONS,
    ]

    def setup(self, function, backend, dtype, classes, axis, implementation):
        library = harness.backend(backend)
        self.x = library.asarray(harness.slices(classes, axis, dtype))
        self.run = library.function(implementation, function, axis)
        self.run(self.x)

    def time_pass(self, *_):
        self.run(self.x)


class Ratio:
    """Our time over the peer's, measured in turns in one process."""

    param_names = LAYOUTS
    params = [harness.FUNCTIONS, harness.GRID_BACKENDS, DTYPES, harness.CLASSES, AXES]
    unit = "anysoftmax / peer"

    def setup(self, function, backend, dtype, classes, axis):
        if backend == "torch-compile" and classes not in COMPILED_CLASSES:
            raise NotImplementedError
        library = harness.backend(backend)
        self.x = library.asarray(harness.slices(classes, axis, dtype))
        self.ours = library.function("anysoftmax", function, axis)
        self.peer = library.function("peer", function, axis)
        self.ours(self.x)

    def track_ratio(self, *_):
        return harness.ratio(lambda: self.ours(self.x), lambda: self.peer(self.x))


class ByHand:
    """Our time over that of the recipe written by hand with NumPy."""

    param_names = LAYOUTS
    params = [harness.FUNCTIONS, ["numpy", "numpy-numba"], DTYPES, harness.CLASSES, AXES]
    unit = "anysoftmax / by hand"

    def setup(self, function, backend, dtype, classes, axis):
        library = harness.backend(backend)
        self.x = harness.slices(classes, axis, dtype)
        self.ours = library.function("anysoftmax", function, axis)
        self.recipe = library.function("by hand", function, axis)
        self.ours(self.x)

    def track_ratio(self, *_):
        return harness.ratio(lambda: self.ours(self.x), lambda: self.recipe(self.x))


class Floor:
    """Our time over that of the exponentials alone, outputs at hand: no softmax takes less."""

    param_names = LAYOUTS
    params = [harness.FUNCTIONS, ["numpy", "numpy-numba"], DTYPES, harness.CLASSES, AXES]
    unit = "anysoftmax / np.exp"

    def setup(self, function, backend, dtype, classes, axis):
        library = harness.backend(backend)
        self.x = harness.slices(classes, axis, dtype)
        self.exp = harness.require("numpy").exp
        self.out = self.x.copy()
        output = {} if function == "logsumexp" else {"out": self.out}
        self.ours = library.function("anysoftmax", function, axis, **output)
        self.ours(self.x)

    def track_ratio(self, *_):
        return harness.ratio(lambda: self.ours(self.x), lambda: self.exp(self.x, out=self.out))


class Large:
    """Our time over the peer's on 131 MB, far beyond every cache: 32768 slices of 1000."""

    param_names = ["function", "backend"]
    params = [harness.FUNCTIONS, ["numpy", "numpy-numba", "torch", "torch-numba", "jax-jit"]]
    unit = "anysoftmax / peer"

    def setup(self, function, backend):
        library = harness.backend(backend)
        self.x = library.asarray(harness.logits((32768, 1000), "float32"))
        self.ours = library.function("anysoftmax", function, -1)
        self.peer = library.function("peer", function, -1)
        self.ours(self.x)

    def track_ratio(self, *_):
        return harness.ratio(lambda: self.ours(self.x), lambda: self.peer(self.x), rounds=7)


class Workers:
    """Time of two threads over that of one, by the wall clock, on work that the caches hold."""

    param_names = ["function", "backend", "dtype", "classes"]
    params = [harness.FUNCTIONS, ["numpy", "numpy-numba"], DTYPES, [10, 1000]]
    unit = "2 workers / 1 worker"

    def setup(self, function, backend, dtype, classes):
        self.library = harness.backend(backend)
        harness.use_all_cores()
        self.x = harness.slices(classes, -1, dtype)
        self.run = self.library.function("anysoftmax", function, -1)
        self.pass_by(2)()

    def track_ratio(self, *_):
        return harness.ratio(self.pass_by(2), self.pass_by(1), clock=harness.wall_clock)

    def pass_by(self, n):
        def run():
            with harness.workers(n):
                self.run(self.x)

        return run
