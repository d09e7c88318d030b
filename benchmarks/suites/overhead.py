"""What a call costs before any arithmetic: ten logits, nothing to amortise it over."""

from __future__ import annotations

from . import harness


class Seconds:
    """Time of one call on ten float64 logits."""

    param_names = ["function", "backend", "implementation"]
    params = [harness.FUNCTIONS, harness.BACKENDS, harness.IMPLEMENTATIONS]

    def setup(self, function, backend, implementation):
        library = harness.backend(backend, automatic=True)
        self.x = library.asarray(harness.logits((10,), "float64"))
        self.run = library.function(implementation, function, -1)
        self.run(self.x)

    def time_ten_logits(self, *_):
        self.run(self.x)


class Ratio:
    """Our call over the peer's, measured in turns in one process."""

    param_names = ["function", "backend"]
    params = [harness.FUNCTIONS, harness.BACKENDS]
    unit = "anysoftmax / peer"

    def setup(self, function, backend):
        library = harness.backend(backend, automatic=True)
        self.x = library.asarray(harness.logits((10,), "float64"))
        self.ours = library.function("anysoftmax", function, -1)
        self.peer = library.function("peer", function, -1)

    def track_ratio(self, *_):
        return harness.ratio(lambda: self.ours(self.x), lambda: self.peer(self.x))


class ByHand:
    """Our call over the recipe written by hand with NumPy."""

    param_names = ["function"]
    params = [harness.FUNCTIONS]
    unit = "anysoftmax / by hand"

    def setup(self, function):
        library = harness.backend("numpy", automatic=True)
        self.x = harness.logits((10,), "float64")
        self.ours = library.function("anysoftmax", function, -1)
        self.recipe = library.function("by hand", function, -1)

    def track_ratio(self, *_):
        return harness.ratio(lambda: self.ours(self.x), lambda: self.recipe(self.x))
