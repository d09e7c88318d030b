"""Fitting a temperature to labelled logits in float32.

The peers are scikit-learn's temperature calibrator, and LBFGS in PyTorch as it came with "On
calibration of modern neural networks" or with a line search.
"""

from __future__ import annotations

from . import harness

SHAPES = [(10_000, 100), (50_000, 1000), (1000, 10)]
CONTESTS = {
    "numpy, scikit-learn": ("numpy", "scikit-learn"),
    "torch, LBFGS of 50 steps": ("torch", "LBFGS of 50 steps"),
    "torch, LBFGS with line search": ("torch", "LBFGS with line search"),
}
LIBRARIES = {"anysoftmax": "numpy", "scikit-learn": "numpy"}  # of others it is torch


def sample(library, shape):
    """Return logits and labels as arrays of a library."""
    asarray = harness.backend(library, automatic=True).asarray
    return [asarray(x) for x in harness.labelled(*shape, "float32")]


class Seconds:
    """Time of one fit, and how far its temperature is from ours in float64."""

    param_names = ["implementation", "shape"]
    params = [
        ["anysoftmax", "scikit-learn", "LBFGS of 50 steps", "LBFGS with line search"],
        SHAPES,
    ]

    def setup(self, implementation, shape):
        self.run = harness.fit(implementation)
        self.given = sample(LIBRARIES.get(implementation, "torch"), shape)

    def time_fit(self, *_):
        self.run(*self.given)

    def track_error(self, _, shape):
        x, labels = harness.labelled(*shape, "float32")
        exact = harness.fit("anysoftmax")(x.astype("float64"), labels)
        return abs(self.run(*self.given) / exact - 1)

    track_error.unit = "of the temperature"


class Ratio:
    """Our time over the peer's, measured in turns in one process."""

    param_names = ["contest", "shape"]
    params = [list(CONTESTS), SHAPES]
    unit = "anysoftmax / peer"

    def setup(self, contest, shape):
        library, peer = CONTESTS[contest]
        self.given = sample(library, shape)
        self.ours, self.peer = harness.fit("anysoftmax"), harness.fit(peer)

    def track_ratio(self, *_):
        return harness.ratio(
            lambda: self.ours(*self.given), lambda: self.peer(*self.given), rounds=7
        )
