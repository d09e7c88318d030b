"""Values and derivatives of cut slices, by every way that JAX has, are those of whole slices."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import anysoftmax as asm

pytestmark = pytest.mark.usefixtures("sixty_four_bits")

RNG = np.random.default_rng(7)
SHAPE = ROWS, CLASSES = 4, 32
X = RNG.normal(scale=3.0, size=SHAPE)
X[0, 3] = 60.0  # a sure winner
X[1, [2, 30]] = 9.0  # ties between devices
X[2, 5] = -np.inf
LABELS = np.asarray([3, 30, 0, 17])
Q = RNG.random(SHAPE)
MASK = RNG.random(SHAPE) < 0.8
MASK[np.arange(ROWS), LABELS] = True
WEIGHTS = RNG.random(CLASSES) + 0.5
SAMPLE_WEIGHTS = (1.0, 0.5, 0.0, 2.0)
G = RNG.normal(size=SHAPE)
CLOSE = 64 * 2.0**-53

# Functions of their namespace, the logits, a temperature, a mask, class weights, labels and
# probabilities.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "softmax": lambda f, x, t, m, c, labels, q: f.softmax(x, temperature=t),
    "log_softmax": lambda f, x, t, m, c, labels, q: jnp.maximum(f.log_softmax(x, where=m), -99.0),
    "logsumexp": lambda f, x, t, m, c, labels, q: f.logsumexp(x, axis=1),
    "weights": lambda f, x, t, m, c, labels, q: f.logsumexp(x, axis=1, weights=c, where=m),
    "labels": lambda f, x, t, m, c, labels, q: f.cross_entropy(x, labels),
    "labels with everything": lambda f, x, t, m, c, labels, q: f.cross_entropy(
        x,
        labels,
        temperature=t,
        where=m,
        class_weights=c,
        sample_weights=SAMPLE_WEIGHTS,
        reduction="sum",
    ),
    "smoothing": lambda f, x, t, m, c, labels, q: f.cross_entropy(
        jnp.maximum(x, -9.0), labels, temperature=t, class_weights=c, label_smoothing=0.1
    ),
    "probabilities": lambda f, x, t, m, c, labels, q: f.cross_entropy(
        jnp.maximum(x, -9.0), f.softmax(q), temperature=t
    ),
}

UNCHECKED = ("log_softmax", "labels", "smoothing")  # run with check_vma=False, along one axis


def cut_functions(names: Any) -> Any:
    members = ("softmax", "log_softmax", "logsumexp", "cross_entropy")
    cut = {n: partial(getattr(asm.distributed, n), axis_name=names) for n in members}
    return SimpleNamespace(**cut)


def mesh_of(kind: AxisType) -> Any:
    return jax.make_mesh((2, 4), ("a", "b"), (kind, kind))


def local_arguments(names: Any) -> tuple[PartitionSpec, ...]:
    cut, whole = PartitionSpec(None, names), PartitionSpec()
    return (cut, whole, cut, PartitionSpec(names), whole, cut)


def assert_close(got: Any, known: Any) -> None:
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(known), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=CLOSE, atol=CLOSE)


def everything_of(function: Callable[..., Any], arrays: tuple[Any, ...], g: Any) -> Any:
    """Return value, gradients by all real arguments, and Hessian times g."""

    def number(x: Any, t: Any, c: Any) -> Any:
        return jnp.sin(function(x, t, arrays[2], c, *arrays[4:])).sum()

    given = arrays[0], arrays[1], arrays[3]
    along = (g, jnp.zeros_like(given[1]), jnp.zeros_like(given[2]))
    gradients = jax.grad(number, (0, 1, 2))
    return function(*arrays), *jax.jvp(gradients, given, along)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_outside(name: str) -> None:
    check = name not in UNCHECKED
    kind, names = (AxisType.Explicit, ("a", "b")) if check else (AxisType.Auto, "b")
    mesh, specs = mesh_of(kind), local_arguments(names)
    of_slices = name in {"softmax", "log_softmax"}
    mapped = jax.shard_map(
        partial(FUNCTIONS[name], cut_functions(names)),
        mesh=mesh,
        in_specs=specs,
        out_specs=specs[0] if of_slices else PartitionSpec(),
        check_vma=check,
    )
    values = tuple(jnp.asarray(a) for a in (X, 0.7, MASK, WEIGHTS, LABELS, Q))
    known = jax.jit(partial(everything_of, partial(FUNCTIONS[name], asm)))(values, jnp.asarray(G))
    placed = tuple(
        jax.device_put(a, NamedSharding(mesh, s)) for a, s in zip(values, specs, strict=True)
    )
    g = jax.device_put(G, NamedSharding(mesh, specs[0]))
    assert_close(jax.jit(partial(everything_of, mapped))(placed, g), known)


def test_derivatives_inside_of_what_shard_map_runs() -> None:
    """Slices are cut along one axis of the mesh, and shared out along the other."""
    mesh = mesh_of(AxisType.Auto)
    rows, cut = PartitionSpec("a"), PartitionSpec("a", "b")

    def loss(x: Any, labels: Any) -> Any:
        mean = asm.distributed.cross_entropy(x, labels, axis_name="b")
        return jax.lax.pmean(mean, "a")

    def local(x: Any, labels: Any, g: Any) -> Any:
        gradient = partial(jax.grad(loss), labels=labels)
        value, by_logits = jax.value_and_grad(loss)(x, labels)
        return value, by_logits, jax.jvp(gradient, (x,), (g,))[1]

    mapped = jax.shard_map(
        local, mesh=mesh, in_specs=(cut, rows, cut), out_specs=(PartitionSpec(), cut, cut)
    )

    def plain(x: Any) -> Any:
        return asm.cross_entropy(x, jnp.asarray(LABELS))

    x, g = jnp.asarray(X), jnp.asarray(G)
    known = plain(x), jax.grad(plain)(x), jax.jvp(jax.grad(plain), (x,), (g,))[1]
    assert_close(jax.jit(mapped)(x, jnp.asarray(LABELS), g), known)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_narrow_dtypes_stay(dtype: str) -> None:
    mesh, specs = mesh_of(AxisType.Auto), local_arguments("b")
    x = jnp.asarray(X, dtype=dtype)
    mapped = jax.shard_map(
        partial(asm.distributed.softmax, axis_name="b"),
        mesh=mesh,
        in_specs=specs[0],
        out_specs=specs[0],
    )
    p = jax.jit(mapped)(x)
    assert p.dtype == x.dtype
    np.testing.assert_array_equal(np.asarray(p, float), np.asarray(asm.softmax(x), float))


def test_labels_are_numbers_among_all_classes() -> None:
    """Of two axes the first is cut; labels on no device give NaN, or an error if they are known."""
    mesh = mesh_of(AxisType.Auto)
    x = jnp.asarray(X.reshape(ROWS, 8, 4))
    labels = jnp.asarray([3, 31, 32, -1])
    loss = partial(asm.distributed.cross_entropy, axis=(1, 2), axis_name="b", reduction="none")
    cut = PartitionSpec(None, "b")
    mapped = jax.shard_map(
        loss, mesh=mesh, in_specs=(cut, PartitionSpec()), out_specs=PartitionSpec()
    )
    got = np.asarray(jax.jit(mapped)(x, labels))
    known = asm.cross_entropy(x[:2], labels[:2], axis=(1, 2), reduction="none")
    assert_close(got[:2], known)
    assert np.isnan(got[2:]).all()
    mapped = jax.shard_map(
        lambda x: loss(x, labels),
        mesh=mesh,
        in_specs=cut,
        out_specs=PartitionSpec(),
    )
    with pytest.raises(IndexError, match="class number 32 is out of range for 32 classes"):
        jax.jit(mapped)(x)


@pytest.mark.parametrize("name", ["softmax", "cross_entropy"])
def test_undefined_logits_of_one_device_reach_all(name: str) -> None:
    """What compares numbers across devices may lose NaN beside a larger number."""
    mesh, cut = mesh_of(AxisType.Auto), PartitionSpec(None, "b")
    x = np.zeros((2, 8))
    x[0, [1, 6]] = np.nan, np.inf
    labels = (jnp.asarray([0, 0]),) if name == "cross_entropy" else ()
    more = {"reduction": "none"} if labels else {}
    mapped = jax.shard_map(
        partial(getattr(asm.distributed, name), axis=1, axis_name="b", **more),
        mesh=mesh,
        in_specs=(cut, *[PartitionSpec() for _ in labels]),
        out_specs=cut if name == "softmax" else PartitionSpec(),
    )
    plain = jax.jit(partial(getattr(asm, name), axis=1, **more))
    placed = jax.device_put(x, NamedSharding(mesh, cut))
    for got in (jax.jit(mapped)(jnp.asarray(x), *labels), plain(placed, *labels)):
        assert np.isnan(np.asarray(got)[0]).all()
        assert np.isfinite(np.asarray(got)[1]).all()
