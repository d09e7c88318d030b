"""Memory: the peak of a process on 40 MB of logits, and what a call adds to 400 MB of them."""

from __future__ import annotations

from . import harness

LEAST = 2.0  # MiB: what allocators take and keep as it comes; less is no news


class Peak:
    """Peak resident memory; "input alone" is what the logits and the library take by themselves."""

    param_names = ["function", "backend", "implementation"]
    params = [
        harness.FUNCTIONS,
        ["numpy", "torch", "numpy-numba"],
        [*harness.IMPLEMENTATIONS, "input alone"],
    ]

    def setup(self, function, backend, implementation):
        library = harness.backend(backend)
        harness.require("anysoftmax")
        self.x = library.asarray(harness.slices(1000, -1, "float32", elements=10_000_000))
        self.run = (
            len
            if implementation == "input alone"
            else library.function(implementation, function, -1)
        )
        self.run(self.x[:10])

    def peakmem_pass(self, *_):
        self.run(self.x)


class Extra:
    """What a call holds at its peak beyond its input, 400 MB, and its output."""

    param_names = ["function", "backend", "output", "workers"]
    params = [harness.FUNCTIONS, ["numpy", "numpy-numba"], ["allocated", "in place"], [1, 2]]
    unit = "MiB"

    def setup(self, function, backend, output, workers):
        if function == "logsumexp" and output == "in place":
            raise NotImplementedError
        library = harness.backend(backend)
        self.workers = workers
        # What is compiled or imported at the first call is no part of it. Few slices: memory that
        # they leave behind would be taken up again and go unseen.
        with harness.workers(workers):
            library.function("anysoftmax", function, -1)(harness.logits((10, 1000), "float32"))
        self.x = harness.slices(1000, -1, "float32", elements=100_000_000)
        place = {"out": self.x} if output == "in place" else {}
        self.run = library.function("anysoftmax", function, -1, **place)
        result = len(self.x) if function == "logsumexp" else self.x.size
        self.output_bytes = 0 if place else result * self.x.itemsize

    def track_extra(self, *_):
        return max(self.extra(), LEAST)

    def extra(self):
        with harness.workers(self.workers):
            return harness.extra_bytes(lambda: self.run(self.x), self.output_bytes) / 2**20
