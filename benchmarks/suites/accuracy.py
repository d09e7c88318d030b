"""The largest error in units in the last place, against 200-bit arithmetic.

The peers' errors stand beside ours, for scale. The published table in the docs covers more
families of logits and larger slices; this is the quick look that asv keeps a history of.
"""

from __future__ import annotations

from . import harness


class Error:
    """Over ten slices of `classes` normal logits."""

    param_names = ["function", "backend", "dtype", "classes", "implementation"]
    params = [
        harness.FUNCTIONS,
        [*harness.COMPILED_BACKENDS, "numpy-numba"],
        ["float16", "float32", "float64"],
        [10, 1000],
        ["default", "highest", "peer"],
    ]
    unit = "ulp"

    def setup(self, function, backend, dtype, classes, implementation):
        library = harness.backend(backend)
        oracle = harness.require("anysoftmax.testing.oracle.exact")
        self.ulp = harness.require("anysoftmax.testing.formats").FORMATS[dtype].ulp
        x = harness.logits((10, classes), dtype)
        if implementation == "peer":
            run = library.function("peer", function, -1)
        else:
            run = library.function("anysoftmax", function, -1, precision=implementation)
        self.result = oracle.exact(harness.require("numpy").asarray(run(library.asarray(x))))
        self.exact = getattr(oracle, function)(x, axis=-1)
        # The digits of a logsumexp close to 0 are those of the logits that it is made of.
        self.scale = abs(self.exact)
        if function == "logsumexp":
            self.scale = harness.require("numpy").maximum(self.scale, abs(oracle.peak(x, axis=-1)))

    def track_max_ulp(self, *_):
        errors = abs(self.result - self.exact).ravel()
        return max(
            float(error / self.ulp(scale))
            for error, scale in zip(errors, self.scale.ravel(), strict=True)
        )
