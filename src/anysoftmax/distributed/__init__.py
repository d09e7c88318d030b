"""The same functions for slices that `jax.shard_map` has cut among devices, by all-reduces only.

Each device calls them with its own part of every slice, and with the name of the axis of the mesh
that the classes are cut along. What comes back is the device's part of the result, or the whole
result where the classes are reduced. Nothing of the size of the logits moves between devices: for
each slice a few numbers do, its largest logit and sums.

Arrays that are cut, but not by ``jax.shard_map``, need none of this: under ``jax.jit`` the
functions of `anysoftmax` itself take them as they are, and compile to all-reduces too.
"""

from __future__ import annotations

from anysoftmax.distributed.normalisation import log_softmax, logsumexp, softmax
from anysoftmax.distributed.training import cross_entropy

__all__ = ["cross_entropy", "log_softmax", "logsumexp", "softmax"]
