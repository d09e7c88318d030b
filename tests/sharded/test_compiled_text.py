"""What XLA makes of cut slices moves nothing between devices but by all-reduces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import anysoftmax as asm

COLLECTIVE = re.compile(
    r"= \S.*? (all-\w+|collective-\w+|reduce-scatter|ragged-all-to-all)(?:-start)?\("
)
ROWS, CLASSES = 16, 1024
LABELS = tuple(range(0, CLASSES, CLASSES // ROWS))

# With at most how many all-reduces of the value and the gradient together: more would be news.
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "softmax": (lambda x, labels, q, **o: asm.softmax(x, temperature=0.5, **o), 8),
    "log_softmax": (lambda x, labels, q, **o: asm.log_softmax(x, **o), 12),
    "logsumexp": (lambda x, labels, q, **o: asm.logsumexp(x, **o), 10),
    "labels": (lambda x, labels, q, **o: asm.cross_entropy(x, labels, **o), 11),
    "probabilities": (lambda x, labels, q, **o: asm.cross_entropy(x, q, **o), 19),
    "entropy": (lambda x, labels, q, **o: asm.entropy(x, **o), 12),
}


def collectives(function: Callable[..., Any], *arguments: Any) -> Counter[str]:
    text = jax.jit(function).lower(*arguments).compile().as_text()
    assert text is not None
    return Counter(COLLECTIVE.findall(text))


def test_what_is_looked_for_is_found() -> None:
    mesh = jax.make_mesh((8,), ("c",), (AxisType.Auto,))
    x = jax.device_put(jnp.zeros(64), NamedSharding(mesh, PartitionSpec("c")))
    whole = NamedSharding(mesh, PartitionSpec())
    assert collectives(lambda x: jax.lax.with_sharding_constraint(x, whole), x) == {"all-gather": 1}
    assert set(collectives(lambda x: x[32:] + x[:32], x)) == {"collective-permute"}
    assert collectives(jnp.sum, x) == {"all-reduce": 1}


def value_and_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    def number(x: Any) -> Any:
        return jnp.sin(function(x).astype("float32")).sum()

    return lambda x: (function(x), jax.grad(number)(x))


@pytest.mark.parametrize(
    ("name", "dtype", "axis", "kind"),
    [
        *((name, "float32", -1, AxisType.Auto) for name in FUNCTIONS),
        ("labels", "bfloat16", 0, AxisType.Explicit),
        ("softmax", "float64", -1, AxisType.Explicit),
        ("logsumexp", "float64", 0, AxisType.Auto),
    ],
)
def test_plain_calls_reduce_only(name: str, dtype: str, axis: int, kind: AxisType) -> None:
    with jax.enable_x64(dtype == "float64"):
        mesh = jax.make_mesh((8,), ("c",), (kind,))
        spec = PartitionSpec(None, "c") if axis else PartitionSpec("c")
        shape = (ROWS, CLASSES) if axis else (CLASSES, ROWS)
        x = jax.device_put(jnp.zeros(shape, dtype), NamedSharding(mesh, spec))
        function, most = FUNCTIONS[name]
        plain = partial(function, labels=jnp.asarray(LABELS), q=x, axis=axis)
        found = collectives(value_and_gradient(plain), x)
        assert set(found) == {"all-reduce"}
        assert found["all-reduce"] <= most


# XLA joins all-reduces that need not wait for one another. These too are of value and gradient.
NUMBERS = jnp.asarray(LABELS)
CUT: dict[str, tuple[Callable[..., Any], int]] = {
    "softmax": (lambda f, x, w: f.softmax(x, axis_name="c"), 4),
    "log_softmax": (lambda f, x, w: f.log_softmax(x, axis_name="c"), 4),
    "logsumexp": (lambda f, x, w: f.logsumexp(x, axis=1, axis_name="c"), 2),
    "weights": (lambda f, x, w: f.logsumexp(x, axis=1, weights=w, axis_name="c"), 4),
    "labels": (lambda f, x, w: f.cross_entropy(x, NUMBERS, axis_name="c"), 3),
    "options": (
        lambda f, x, w: f.cross_entropy(
            x,
            NUMBERS,
            class_weights=w,
            where=w > 0,
            sample_weights=jnp.ones(ROWS),
            axis_name="c",
        ),
        6,
    ),
    "smoothing": (
        lambda f, x, w: f.cross_entropy(x, NUMBERS, label_smoothing=0.1, axis_name="c"),
        6,
    ),
    "probabilities": (lambda f, x, w: f.cross_entropy(x, jnp.abs(x), axis_name="c"), 8),
}


@pytest.mark.parametrize("name", CUT)
def test_mapped_functions_reduce_only(name: str) -> None:
    mesh, cut = jax.make_mesh((8,), ("c",), (AxisType.Auto,)), PartitionSpec(None, "c")
    function, most = CUT[name]
    weights = PartitionSpec("c")
    mapped = jax.shard_map(
        partial(function, asm.distributed),
        mesh=mesh,
        in_specs=(cut, weights),
        out_specs=cut if name in {"softmax", "log_softmax"} else PartitionSpec(),
    )
    x = jax.device_put(jnp.zeros((ROWS, CLASSES)), NamedSharding(mesh, cut))
    w = jax.device_put(jnp.ones(CLASSES), NamedSharding(mesh, weights))
    found = collectives(value_and_gradient(lambda x: mapped(x, w)), x)
    assert set(found) == {"all-reduce"}
    assert found["all-reduce"] <= most


OPTIONS = {  # of which each has a weight, or a mask, for each class
    "plainly": lambda w: {},
    "with options": lambda w: {"class_weights": w, "where": w > 0.1},
}


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        (AxisType.Auto, "plainly"),
        (AxisType.Explicit, "plainly"),
        (AxisType.Explicit, "with options"),
    ],
)
def test_labels_that_lie_on_the_mesh(kind: AxisType, how: str) -> None:
    """JAX compares what has a place on an explicit mesh with what has the same place only."""
    mesh = jax.make_mesh((2, 4), ("b", "c"), (kind, kind))
    values = jnp.arange(8.0 * 64).reshape(8, 64) % 7
    numbers = jnp.arange(8) * 9
    weights = 0.5 + jnp.arange(64.0) % 3

    def put(x: Any, *spec: str) -> Any:
        return jax.device_put(x, NamedSharding(mesh, PartitionSpec(*spec)))

    def loss(x: Any, labels: Any, w: Any) -> Any:
        return asm.cross_entropy(x, labels, **OPTIONS[how](w))

    both = jax.value_and_grad(loss)
    placed = put(values, "b", "c"), put(numbers, "b"), put(weights, "c")
    assert set(collectives(both, *placed)) == {"all-reduce"}
    expected = both(values, numbers, weights)
    assert jnp.allclose(loss(*placed), expected[0], rtol=1e-6)
    assert jnp.allclose(loss(placed[0], numbers, placed[2]), expected[0], rtol=1e-6)
    for a, b in zip(jax.jit(both)(*placed), expected, strict=True):
        assert jnp.allclose(a, b, rtol=1e-6, atol=1e-8)
    if how == "with options":
        with jax.set_mesh(mesh):  # which derivatives without jit ask for
            eager = jax.grad(loss)(*placed)
        assert jnp.allclose(eager, expected[1], rtol=1e-6, atol=1e-8)
    gradient = asm.cross_entropy_grad(*placed[:2], **OPTIONS[how](placed[2]))
    assert jnp.allclose(gradient, expected[1], rtol=1e-6, atol=1e-8)
