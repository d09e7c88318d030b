"""The functions as whole ones, which cut their arguments among eight devices inside.

What they compute must be what anysoftmax's own functions do, so that all laws hold for them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import anysoftmax as asm
from anysoftmax.testing.backends.jax_backends import JitJax32Backend, JitJaxBackend

Array = Any
DEVICES = 8
REDUCING = ("logsumexp", "cross_entropy")
FUNCTIONS = ("softmax", "log_softmax", *REDUCING)
WHOLE = PartitionSpec()


class Cut(NamedTuple):
    """Along which axis the logits are cut, among how many devices."""

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    axis: int
    mesh: Mesh

    def spec(self, array: Array) -> PartitionSpec:
        """Return how an array is cut that broadcasts to the logits."""
        place = self.axis - len(self.shape) + array.ndim
        if place < 0 or array.shape[place] != self.shape[self.axis]:
            return WHOLE
        return PartitionSpec(*[None] * place, "c")

    def spec_of(self, name: str, array: Array) -> PartitionSpec:
        """Return how an array is cut, by the name of the option."""
        if name == "class_weights":
            return PartitionSpec(*("c" if axis == self.axis else None for axis in self.axes))
        return WHOLE if name == "sample_weights" else self.spec(array)


@cache
def mesh_of(count: int) -> Mesh:
    kinds = (jax.sharding.AxisType.Auto,)
    return jax.make_mesh((count,), ("c",), kinds, devices=jax.devices()[:count])


def cut_of(x: Any, axis: Any) -> Cut | None:
    """Return how to cut logits among as many devices as divide their length, None if not at all."""
    if not isinstance(x, jax.Array) or not x.ndim:
        return None
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if not axes or not all(type(i) is int and -x.ndim <= i < x.ndim for i in axes):
        return None
    axes = tuple(i % x.ndim for i in axes)
    count = next(d for d in range(DEVICES, 0, -1) if x.shape[min(axes)] % d == 0)
    return Cut(tuple(x.shape), axes, min(axes), mesh_of(count))


def mapped(name: str) -> Callable[..., Array]:
    """Return a function of `anysoftmax.distributed`, run by ``jax.shard_map``."""
    plain, distributed = getattr(asm, name), getattr(asm.distributed, name)

    def function(
        x: Any, *others: Any, axis: Any = plain.__kwdefaults__["axis"], **more: Any
    ) -> Any:
        cut = cut_of(x, axis)
        if cut is None:
            return plain(x, *others, axis=axis, **more)
        arrays = {k: v for k, v in more.items() if isinstance(v, jax.Array)}
        fixed = {k: v for k, v in more.items() if k not in arrays}
        given = [a for a in others if isinstance(a, jax.Array)]
        alike = [cut.spec(a) if a.shape == x.shape else WHOLE for a in given]

        def local(x: Array, others: list[Array], arrays: dict[str, Array]) -> Array:
            seconds = others or list(constants)
            return distributed(x, *seconds, axis=axis, axis_name="c", **arrays, **fixed)

        constants = [a for a in others if not isinstance(a, jax.Array)]
        return jax.shard_map(
            local,
            mesh=cut.mesh,
            in_specs=(
                cut.spec(x),
                alike,
                {name: cut.spec_of(name, array) for name, array in arrays.items()},
            ),
            out_specs=WHOLE if name in REDUCING else cut.spec(x),
        )(x, given, arrays)

    return function


def placed(name: str) -> Callable[..., Array]:
    """Return a function of anysoftmax itself, whose logits XLA cuts."""
    plain = getattr(asm, name)

    def function(
        x: Any, *others: Any, axis: Any = plain.__kwdefaults__["axis"], **more: Any
    ) -> Any:
        cut = cut_of(x, axis)
        if cut is not None:
            sharding = NamedSharding(cut.mesh, cut.spec(x))
            x = jax.lax.with_sharding_constraint(x, sharding)
        return plain(x, *others, axis=axis, **more)

    return function


def functions(how: Callable[[str], Callable[..., Array]]) -> Any:
    """Return all public functions, these cut in one way."""
    own = {name: getattr(asm, name) for name in asm.__all__}
    return SimpleNamespace(**{**own, **{name: how(name) for name in FUNCTIONS}})


class ShardedBackend(JitJaxBackend):
    """JAX with 64-bit numbers under ``jax.jit``, whose results lie on many devices."""

    name = "jax-sharded"

    def device(self, array: Array) -> Any:  # noqa: ARG002
        """Return nothing: there is no one device."""
        return None


class Sharded32Backend(JitJax32Backend):
    """JAX as it comes under ``jax.jit``, whose results lie on many devices."""

    name = "jax-sharded-32"

    def device(self, array: Array) -> Any:  # noqa: ARG002
        """Return nothing: there is no one device."""
        return None
