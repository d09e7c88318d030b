"""Losses and entropies under JAX's transformations of functions, alone and composed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.testing import Backend

pytestmark = [
    pytest.mark.parametrize("backend", ["jax"], indirect=True),
    pytest.mark.xdist_group("jax"),
]

X = np.asarray([[0.5, 2.0, -1.25, 1.75], [3.0, 0.25, 0.0, -2.0], [0.1, 0.2, 0.3, 0.4]])
LABELS = np.asarray([1, 3, 0])
MASK = np.asarray([True, True, False, True])
Q = np.exp(X[::-1]) / np.exp(X[::-1]).sum(-1, keepdims=True)
CLOSE = 32 * 2.0**-53

# Functions of logits, temperature, class weights and sample weights.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "labels": lambda x, t, c, s: asm.cross_entropy(x, LABELS),
    "labels and temperature": lambda x, t, c, s: asm.cross_entropy(x, LABELS, temperature=t),
    "labels with everything": lambda x, t, c, s: asm.cross_entropy(
        x,
        LABELS,
        temperature=t,
        where=MASK,
        class_weights=c,
        sample_weights=s,
        label_smoothing=0.1,
    ),
    "labels with weights": lambda x, t, c, s: asm.cross_entropy(
        x, LABELS, where=MASK, class_weights=c, sample_weights=s, reduction="none"
    ).sum(),
    "probabilities": lambda x, t, c, s: asm.cross_entropy(x, Q * t, temperature=t),
    "probabilities with everything": lambda x, t, c, s: asm.cross_entropy(
        x, Q, class_weights=c, sample_weights=s, label_smoothing=0.25, reduction="sum"
    ),
    "gradient": lambda x, t, c, s: asm.cross_entropy_grad(
        x, LABELS, temperature=t, sample_weights=s
    )[:, 1].sum(),
    "entropy": lambda x, t, c, s: asm.entropy(x, temperature=t, where=MASK).sum(),
    "divergence": lambda x, t, c, s: asm.kl_divergence(x, x[::-1] * t, temperature=t).sum(),
}
INPUTS = (0.75, np.asarray([1.0, 0.5, 2.0, 0.25]), np.asarray([1.0, 0.5, 2.0]))


@pytest.fixture(autouse=True)
def sixty_four_bits(backend: Backend) -> Iterator[None]:
    with backend.context():
        yield


def assert_close(got: Any, known: Any) -> None:
    np.testing.assert_allclose(np.asarray(got), np.asarray(known), rtol=0, atol=CLOSE)


def arguments() -> tuple[Any, ...]:
    import jax.numpy as jnp

    return tuple(jnp.asarray(a) for a in (X, *INPUTS))


def as_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make JAX arrays of the constants, as JAX does of those that its own functions capture."""
    import jax.numpy as jnp

    def converted(*given: Any) -> Any:
        names = {"LABELS": LABELS, "MASK": MASK, "Q": Q}
        scope = {**function.__globals__, **{k: jnp.asarray(v) for k, v in names.items()}}
        return type(function)(function.__code__, scope)(*given)

    return converted


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numerical_derivatives_first_and_second(backend: Backend, name: str) -> None:
    import jax
    from jax.test_util import check_grads

    function = jax.jit(as_arrays(FUNCTIONS[name]))
    check_grads(function, arguments(), order=2, modes=("rev",), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_transforms_agree(backend: Backend, name: str) -> None:
    import jax

    function = as_arrays(FUNCTIONS[name])
    everything = tuple(range(4))
    given = arguments()
    known = jax.grad(function, everything)(*given)
    for transform in (jax.jit(jax.grad(function, everything)), jax.jacfwd(function, everything)):
        for a, b in zip(transform(*given), known, strict=True):
            assert_close(a, b)
    hessian = jax.jit(jax.hessian(function))(*given)
    assert_close(jax.jacrev(jax.jacfwd(function))(*given), hessian)
    assert_close(jax.grad(jax.checkpoint(function))(*given), known[0])


def test_gradients_are_those_for_arrays_without_differentiation(backend: Backend) -> None:
    import jax

    x, labels, mask = (jax.numpy.asarray(a) for a in (X, LABELS, MASK))
    for options in ({}, {"temperature": 0.5}, {"label_smoothing": 0.2}, {"where": mask}):
        by_jax = jax.grad(lambda x, options=options: asm.cross_entropy(x, labels, **options))(x)
        assert_close(by_jax, asm.cross_entropy_grad(x, labels, **options))


def test_vmap_is_a_loop(backend: Backend) -> None:
    import jax
    import jax.numpy as jnp

    x, labels = jnp.asarray([X, X[::-1]]), jnp.asarray([LABELS, LABELS])
    q = jax.nn.softmax(x)
    for function, others in (
        (asm.cross_entropy, (labels,)),
        (asm.cross_entropy, (q,)),
        (jax.grad(asm.cross_entropy), (labels,)),
        (asm.cross_entropy_grad, (labels,)),
        (asm.entropy, ()),
        (asm.kl_divergence, (x[:, ::-1],)),
        (asm.softmax_vjp, (x,)),
        (asm.log_softmax_vjp, (x,)),
    ):
        looped = jnp.stack([function(*row) for row in zip(x, *others, strict=True)])
        assert_close(jax.vmap(function)(x, *others), looped)
        assert_close(jax.jit(jax.vmap(function))(x, *others), looped)


def test_scan_over_batches(backend: Backend) -> None:
    import jax
    import jax.numpy as jnp

    x, labels = jnp.asarray(X), jnp.asarray(LABELS)

    def step(total: Any, row: Any) -> tuple[Any, None]:
        return total + asm.cross_entropy(*row, reduction="sum"), None

    def scanned(x: Any) -> Any:
        return jax.lax.scan(step, 0.0, (x[:, None], labels[:, None]))[0]

    assert_close(scanned(x), asm.cross_entropy(x, labels, reduction="sum"))
    assert_close(jax.grad(scanned)(x), asm.cross_entropy_grad(x, labels, reduction="sum"))


def test_one_trace_for_all_labels_weights_and_smoothings(backend: Backend) -> None:
    import jax
    import jax.numpy as jnp

    traces = 0

    @jax.jit
    def loss(x: Any, labels: Any, weights: Any, smoothing: Any) -> Any:
        nonlocal traces
        traces += 1
        return asm.cross_entropy(x, labels, sample_weights=weights, label_smoothing=smoothing)

    x = jnp.asarray(X)
    for labels in (LABELS, LABELS[::-1]):
        for weights in ([0.0, 0.0, 0.0], [1.0, 0.5, 0.0]):
            for smoothing in (0.0, 0.25, 1.0):
                given = jnp.asarray(labels), jnp.asarray(weights)
                got = loss(x, *given, smoothing)
                known = asm.cross_entropy(
                    X, labels, sample_weights=weights, label_smoothing=smoothing
                )
                assert_close(got, known)
    assert traces == 1


def test_labels_that_are_known_are_checked_under_jit(backend: Backend) -> None:
    import jax
    import jax.numpy as jnp

    x, wrong = jnp.asarray(X), jnp.asarray([0, -1, 2])
    with pytest.raises(IndexError, match="-1 is out of range"):
        jax.jit(lambda x: asm.cross_entropy(x, wrong))(x)
    assert np.isnan(jax.jit(asm.cross_entropy)(x, wrong))
    losses = jax.jit(lambda x, t: asm.cross_entropy(x, t, reduction="none"))(x, wrong)
    assert np.isnan(losses).tolist() == [False, True, False]


def test_learning_to_reweight(backend: Backend) -> None:
    """The derivative by a sample's weight is right at 0, where reweighting starts."""
    import jax
    import jax.numpy as jnp

    x, labels = jnp.asarray(X), jnp.asarray(LABELS)
    each = asm.cross_entropy(x, labels, reduction="none")
    by_weight = jax.grad(lambda s: asm.cross_entropy(x, labels, sample_weights=s, reduction="sum"))
    assert_close(by_weight(jnp.zeros(3)), each)
