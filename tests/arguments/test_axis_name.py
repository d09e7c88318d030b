"""Arguments of `anysoftmax.distributed`. On one device vmap names an axis, as a mesh does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import anysoftmax as asm

X = np.asarray([[0.5, 2.0, -1.0, 3.0], [1.0, 1.0, 0.0, -2.0]], dtype=np.float32)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "softmax": asm.distributed.softmax,
    "log_softmax": asm.distributed.log_softmax,
    "logsumexp": asm.distributed.logsumexp,
    "cross_entropy": lambda x, **options: asm.distributed.cross_entropy(
        x, jnp.asarray([3, 0]), **options
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_axis_must_be_bound(name: str) -> None:
    with pytest.raises(ValueError, match=r"in a function that jax.shard_map runs"):
        FUNCTIONS[name](jnp.asarray(X), axis_name="c")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arrays_must_be_those_of_jax(name: str) -> None:
    with pytest.raises(TypeError, match=r"numpy array .* anysoftmax's own function"):
        FUNCTIONS[name](X, axis_name="c")


@pytest.mark.parametrize("axis_name", [None, 0, (), ("c", 1)])
def test_axes_have_names(axis_name: Any) -> None:
    with pytest.raises(TypeError, match=r"axis_name must be the name"):
        asm.distributed.softmax(jnp.asarray(X), axis_name=axis_name)


def test_an_axis_is_named_once() -> None:
    with pytest.raises(ValueError, match=r"names an axis twice"):
        asm.distributed.softmax(jnp.asarray(X), axis_name=("c", "c"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_copies_of_the_logits_are_refused(name: str) -> None:
    """Each copy once counted as classes of its own: probabilities added up to 1 / devices."""
    mesh, whole = jax.make_mesh((1,), ("c",)), jax.sharding.PartitionSpec()
    x = jax.device_put(X, jax.NamedSharding(mesh, whole))

    def copied(x: Any) -> Any:
        return FUNCTIONS[name](x, axis=1, axis_name="c")

    with pytest.raises(ValueError, match=r"the same on all devices along axis_name='c'"):
        jax.shard_map(copied, mesh=mesh, in_specs=whole, out_specs=whole)(x)

    def meant(x: Any) -> Any:
        return copied(jax.lax.pcast(x, "c", to="varying"))

    if name == "softmax":  # one stands for all: a program to compile for each
        cut = jax.sharding.PartitionSpec("c")
        jax.shard_map(meant, mesh=mesh, in_specs=whole, out_specs=cut)(x)


def test_something_must_be_cut() -> None:
    def softmax(x: Any) -> Any:
        return asm.distributed.softmax(x, axis=(), axis_name="c")

    with pytest.raises(ValueError, match=r"name the axis of the classes"):
        jax.vmap(softmax, axis_name="c")(jnp.asarray(X))


def test_no_kernel_takes_what_is_cut() -> None:
    softmax = jax.vmap(partial(asm.distributed.softmax, axis_name="c"), axis_name="c")
    with asm.kernels.use("native"), pytest.raises(asm.KernelError, match=r"cut among devices"):
        softmax(jnp.asarray(X))
    with asm.kernels.use("reference"):
        softmax(jnp.asarray(X))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parts_of_one_device_are_a_whole(name: str) -> None:
    """The classes in two parts, one behind the other, as two devices would have them."""
    plain = getattr(asm, name)
    known = plain(X, np.asarray([3, 0])) if name == "cross_entropy" else plain(X, axis=1)
    cut = partial(FUNCTIONS[name], axis=1, axis_name="c")
    shape = 1 if known.ndim == 2 else None
    got = jax.vmap(cut, in_axes=1, out_axes=shape, axis_name="c")(X.reshape(2, 2, 2))
    np.testing.assert_allclose(np.reshape(got, known.shape), known, rtol=8 * 2.0**-24)


def test_nothing_cut_is_nothing() -> None:
    empty = jnp.zeros((2, 3, 0))
    cut = partial(asm.distributed.logsumexp, axis=1, axis_name="c")
    assert np.isneginf(jax.vmap(cut, out_axes=None, axis_name="c")(empty)).all()
