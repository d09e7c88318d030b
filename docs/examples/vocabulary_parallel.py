"""The loss of a large vocabulary on eight devices, none of which ever holds all logits."""

from __future__ import annotations

import os

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")  # as if there were 8

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

import anysoftmax as asm

VOCABULARY, WIDTH, TOKENS = 128_256, 64, 256
BY_CLASS, WHOLE = PartitionSpec(None, "vocabulary"), PartitionSpec()

mesh = jax.make_mesh((8,), ("vocabulary",))


def loss(head, hidden, labels):
    """Return the mean loss of the tokens; `head` is a device's part of the matrix."""
    logits = hidden @ head  # of the device's own classes
    return asm.distributed.cross_entropy(logits, labels, axis_name="vocabulary")


@jax.jit
def step(head, hidden, labels):
    """Return the loss and its derivatives by the head and by the hidden states."""
    cut = jax.shard_map(loss, mesh=mesh, in_specs=(BY_CLASS, WHOLE, WHOLE), out_specs=WHOLE)
    return jax.value_and_grad(cut, argnums=(0, 1))(head, hidden, labels)


def arguments():
    """Return a head that is cut by classes, and hidden states and labels that are not."""
    rng = np.random.default_rng(0)
    head = rng.normal(size=(WIDTH, VOCABULARY), scale=WIDTH**-0.5)
    hidden = rng.normal(size=(TOKENS, WIDTH))
    labels = rng.integers(VOCABULARY, size=TOKENS)
    return (
        jax.device_put(jnp.asarray(head, "float32"), NamedSharding(mesh, BY_CLASS)),
        jax.device_put(jnp.asarray(hidden, "float32"), NamedSharding(mesh, WHOLE)),
        jax.device_put(jnp.asarray(labels), NamedSharding(mesh, WHOLE)),
    )


def main():
    """Make one step."""
    head, hidden, labels = arguments()
    value, (by_head, _) = step(head, hidden, labels)
    print(f"loss {value:.4f}, and ln {VOCABULARY} is {np.log(VOCABULARY):.4f}")
    print(f"each device holds {by_head.addressable_shards[0].data.shape} of the head's derivative")


if __name__ == "__main__":
    main()
