"""Arrays that go with the logits, cut as these are: into Dask's chunks, or among JAX's devices."""

from __future__ import annotations

import sys

from anysoftmax.arrays import Array, Namespace, is_dask, is_jax
from anysoftmax.differentiation import is_traced


def spread(xp: Namespace, x: Array, like: Array) -> Array:
    """Return `x` broadcast to the shape of an array, and cut as that one is.

    Some of the lengths may not be known yet.
    """
    if is_dask(like) or not all(isinstance(n, int) for n in like.shape):
        x = cut_alike(x, like)
        return xp.where(xp.ones_like(like, dtype=xp.bool), x, x)
    return cut_alike(xp.broadcast_to(x, like.shape), like)


def cut_alike(x: Array, like: Array) -> Array:
    """Return an array cut as one that it broadcasts to.

    Dask would else cut that one further, and JAX refuse the two, if the mesh is explicit.
    """
    if is_dask(like):
        return _in_chunks(x, like)
    return _among_devices(x, like) if is_jax(like) else x


def _in_chunks(x: Array, like: Array) -> Array:
    chunks = like.chunks[like.ndim - x.ndim :]
    pairs = enumerate(zip(x.shape, x.chunks, chunks, strict=True))
    return x.rechunk({i: c for i, (n, own, c) in pairs if n != 1 and own != c and sum(c) == n})


def _among_devices(x: Array, like: Array) -> Array:
    jax = sys.modules["jax"]
    sharding = jax.typeof(like).sharding
    if jax.sharding.AxisType.Explicit not in (getattr(sharding.mesh, "axis_types", None) or ()):
        return x
    first = like.ndim - x.ndim
    lengths = zip(x.shape, like.shape[first:], sharding.spec[first:], strict=True)
    spec = jax.sharding.PartitionSpec(*(name if n == own else None for own, n, name in lengths))
    if is_traced(x, like):  # then the mesh tells only how many devices there are
        return jax.sharding.reshard(x, jax.sharding.NamedSharding(sharding.mesh, spec))
    return jax.device_put(x, jax.sharding.NamedSharding(like.sharding.mesh, spec))
