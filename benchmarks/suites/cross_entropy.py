"""Mean cross-entropy of about a million logits, alone or with its gradient.

The peers are SciPy's log_softmax and a gather, PyTorch's own loss, jax.nn's log_softmax and a
gather, and logsumexp less the label's logit, as Optax has it; JAX is compiled on both sides.
"""

from __future__ import annotations

from . import harness

CLASSES = [10, 1000, 128_256]


def sample(library, classes, dtype):
    """Return logits and labels as arrays of a library."""
    x = harness.slices(classes, -1, dtype)
    asarray = harness.backend(library, automatic=True).asarray
    return asarray(x), asarray(harness.labels(len(x), classes))


class Seconds:
    """Time of one loss, by the kernel that we choose."""

    param_names = ["contest", "part", "classes", "implementation"]
    params = [
        ["numpy, scipy.special", "torch, torch", "jax-jit, jax.nn", "jax-jit, logsumexp - logit"],
        harness.PARTS,
        CLASSES,
        harness.IMPLEMENTATIONS,
    ]

    def setup(self, contest, part, classes, implementation):
        library, _, peer = harness.CONTESTS[contest]
        self.given = sample(library, classes, "float32")
        self.run = harness.loss(peer if implementation == "peer" else implementation, library, part)
        self.run(*self.given)

    def time_loss(self, *_):
        self.run(*self.given)


class Ratio:
    """Our time over the peer's, measured in turns in one process."""

    param_names = ["contest", "part", "dtype", "classes"]
    params = [list(harness.CONTESTS), harness.PARTS, ["float32", "float64"], CLASSES]
    unit = "anysoftmax / peer"

    def setup(self, contest, part, dtype, classes):
        library, kernel, peer = harness.CONTESTS[contest]
        self.given = sample(library, classes, dtype)
        self.ours = harness.loss("anysoftmax", library, part, kernel=kernel)
        self.peer = harness.loss(peer, library, part)
        self.ours(*self.given)

    def track_ratio(self, *_):
        return harness.ratio(lambda: self.ours(*self.given), lambda: self.peer(*self.given))
