"""Peak memory of a process that transforms ten million float32 logits (40 MB)."""

from __future__ import annotations

from . import harness


class Peak:
    """Peak resident memory; "input alone" is what the logits and the library take by themselves."""

    param_names = ["function", "backend", "implementation"]
    params = [harness.FUNCTIONS, ["numpy", "torch"], [*harness.IMPLEMENTATIONS, "input alone"]]

    def setup(self, function, backend, implementation):
        library = harness.backend(backend)
        harness.require("anysoftmax")
        self.x = library.asarray(harness.slices(1000, -1, "float32", elements=10_000_000))
        self.run = (
            len
            if implementation == "input alone"
            else library.function(implementation, function, -1)
        )

    def peakmem_pass(self, *_):
        self.run(self.x)
