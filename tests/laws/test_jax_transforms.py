"""JAX's transformations of functions, alone and composed, on all three functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.testing import Backend

pytestmark = [
    pytest.mark.parametrize("backend", ["jax"], indirect=True),
    pytest.mark.xdist_group("jax"),
]

X = np.asarray([0.5, 2.0, -1.25, 2.0])
P = np.exp(X) / np.exp(X).sum()
COVARIANCE = np.diag(P) - np.outer(P, P)
JACOBIANS = {"softmax": COVARIANCE, "log_softmax": np.eye(4) - P}
CLOSE = 16 * 2.0**-53


@pytest.fixture(autouse=True)
def sixty_four_bits(backend: Backend) -> Iterator[None]:
    with backend.context():
        yield


def assert_close(got: Any, known: Any) -> None:
    assert np.max(np.abs(np.asarray(got) - known), initial=0) <= CLOSE


@pytest.mark.parametrize("name", JACOBIANS)
def test_forward_and_reverse_jacobians(name: str, backend: Backend) -> None:
    import jax

    function = getattr(asm, name)
    for transform in (jax.jacfwd, jax.jacrev):
        assert_close(transform(function)(X), JACOBIANS[name])
        assert_close(jax.jit(transform(function))(X), JACOBIANS[name])


def test_gradient_of_logsumexp_is_softmax(backend: Backend) -> None:
    import jax

    assert_close(jax.grad(asm.logsumexp)(X), P)
    assert_close(jax.jit(jax.grad(asm.logsumexp))(X), P)


@pytest.mark.parametrize("tied", [True, False])
def test_hessians_by_every_order_of_modes(backend: Backend, tied: bool) -> None:
    import jax

    x = np.zeros(2) if tied else X
    known = np.asarray([[0.25, -0.25], [-0.25, 0.25]]) if tied else COVARIANCE
    modes = (jax.jacfwd, jax.jacrev)
    for outer in modes:
        for inner in modes:
            assert_close(outer(inner(asm.logsumexp))(x), known)
    assert_close(jax.hessian(asm.logsumexp)(x), known)
    assert_close(jax.jit(jax.hessian(asm.logsumexp))(x), known)


def test_third_derivatives_at_ties(backend: Backend) -> None:
    import jax

    third = jax.jacfwd(jax.jacfwd(jax.jacrev(asm.logsumexp)))(np.zeros(2))
    assert_close(third, np.zeros((2, 2, 2)))  # of log cosh, which is even
    third = jax.jacfwd(jax.jacfwd(jax.jacrev(asm.logsumexp)))(np.zeros(3))
    assert_close(third[0, 0, 0], 2 / 27)  # p (1 - p) (1 - 2 p) at p = 1/3


def test_forward_and_reverse_are_transposes(backend: Backend) -> None:
    import jax

    rng = np.random.default_rng(5)
    for name in ("softmax", "log_softmax", "logsumexp"):
        function = getattr(asm, name)
        tangent = rng.normal(size=4)
        y, pushed = jax.jvp(function, (X,), (tangent,))
        cotangent = rng.normal(size=np.shape(y))
        _, back = jax.vjp(function, X)
        (pulled,) = back(cotangent)
        assert_close(np.sum(cotangent * np.asarray(pushed)), np.dot(np.asarray(pulled), tangent))


def test_vmap_is_a_loop(backend: Backend) -> None:
    import jax

    x = np.asarray([[0.5, 2.0, -1.0], [3.0, 3.0, 0.0]])
    mask = np.asarray([[True, False, True], [False, False, False]])
    t = np.asarray([0.5, 0.0])

    def one(x: Any, mask: Any, t: Any) -> Any:
        return asm.softmax(x, where=mask, temperature=t)

    looped = np.stack([one(*row) for row in zip(x, mask, t, strict=True)])
    assert_close(jax.vmap(one)(x, mask, t), looped)
    assert_close(jax.jit(jax.vmap(one))(x, mask, t), looped)
    assert_close(jax.vmap(asm.softmax, in_axes=1, out_axes=1)(x), asm.softmax(x, axis=0))
    assert_close(jax.vmap(jax.vmap(asm.logsumexp))(x[:, :, None]), x)


def test_vmap_of_gradients_is_a_loop(backend: Backend) -> None:
    import jax

    x = np.asarray([[0.5, 2.0, -1.0], [3.0, 3.0, 0.0], [-np.inf, 0.0, 1.0]])
    w = np.asarray([[1.0, 0.0, 2.0], [0.5, 0.5, 1.0], [1.0, 1.0, 1.0]])

    def one(x: Any, w: Any) -> Any:
        return asm.logsumexp(x, weights=w)

    both = jax.grad(one, argnums=(0, 1))
    by_x, by_w = jax.vmap(both)(x, w)
    for i in range(3):
        known_x, known_w = both(x[i], w[i])
        assert_close(by_x[i], known_x)
        assert_close(by_w[i], known_w)


def test_one_trace_for_all_temperatures(backend: Backend) -> None:
    import jax

    traces = 0

    @jax.jit
    def scaled(x: Any, t: Any) -> Any:
        nonlocal traces
        traces += 1
        return asm.softmax(x, temperature=t), asm.log_softmax(x, temperature=t)

    for t in (1.0, 0.0, 0.7, 1e-300, 1e300, np.inf, 3.0, -1.0, np.nan):
        p, y = scaled(X, t)
        if t >= 0:
            assert_close(p, asm.softmax(X, temperature=t))
            eager = np.asarray(asm.log_softmax(X, temperature=t))
            assert np.array_equal(np.isneginf(y), np.isneginf(eager))
        else:
            assert np.isnan(p).all()
            assert np.isnan(y).all()
    assert traces == 1


def test_gradient_by_a_scalar_temperature(backend: Backend) -> None:
    import jax
    import jax.numpy as jnp

    x = jnp.asarray(X)

    def loss(t: Any) -> Any:
        return asm.log_softmax(x, temperature=t)[1]

    for t in (0.7, 1.0, 3.0):
        p = np.exp(X / t) / np.exp(X / t).sum()
        known = -(X[1] - np.dot(p, X)) / t**2
        for transform in (jax.grad, jax.jacfwd, lambda f: jax.jit(jax.grad(f))):
            assert_close(transform(loss)(t), known)


def test_concrete_arrays_captured_by_a_traced_function(backend: Backend) -> None:
    import jax
    import jax.numpy as jnp

    mask = jnp.asarray([True, True, False, False])
    got = jax.jit(lambda x: asm.softmax(x, where=mask))(X)
    assert_close(got, asm.softmax(X, where=np.asarray(mask)))
    with pytest.raises(ValueError, match="temperature"):
        jax.jit(lambda x: asm.softmax(x, temperature=-1.0))(X)
    with pytest.raises(ValueError, match="precision"):
        jax.jit(lambda x: asm.softmax(x, precision="best"))(X)


def test_checkpoint_changes_nothing(backend: Backend) -> None:
    import jax

    def loss(x: Any) -> Any:
        return (asm.softmax(x, temperature=0.7) * X).sum() + asm.logsumexp(x)

    known = jax.grad(loss)(X)
    assert_close(jax.grad(jax.checkpoint(loss))(X), known)
    assert_close(jax.jit(jax.grad(jax.checkpoint(loss)))(X), known)


def test_scan_over_rows(backend: Backend) -> None:
    import jax
    import jax.numpy as jnp

    rows = np.asarray([[0.5, 2.0], [-1.0, 700.0], [3.0, 699.0]])

    def total(rows: Any) -> Any:
        def step(y: Any, row: Any) -> Any:
            y = asm.logsumexp(jnp.concatenate([y[None], row]))
            return y, y

        return jax.lax.scan(step, -jnp.inf, rows)

    y, running = total(rows)
    known = np.asarray(asm.logsumexp(rows))
    assert abs(y - known) <= 4 * np.spacing(known)
    assert np.all(np.diff(running) >= 0)
    gradient = jax.grad(lambda rows: total(rows)[0])(rows)
    assert_close(gradient, np.asarray(asm.softmax(rows, axis=None)))


def test_shapes_without_values(backend: Backend) -> None:
    import jax
    import jax.numpy as jnp

    x = jax.ShapeDtypeStruct((3, 5), jnp.bfloat16)
    got = jax.eval_shape(lambda x: asm.logsumexp(x, axis=0, keepdims=True), x)
    assert (got.shape, got.dtype) == ((1, 5), jnp.bfloat16)
    compiled = jax.jit(asm.softmax).lower(jax.ShapeDtypeStruct((4,), jnp.float64)).compile()
    assert_close(compiled(X), P)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_choice_of_a_compiled_program_holds_for_all_of_a_vmap(name: str, backend: Backend) -> None:
    """One slice of special values among ordinary ones, and none: the same program serves both."""
    import jax
    import jax.numpy as jnp

    def function(x: Any) -> Any:
        return getattr(asm, name)(x, axis=-1)

    ordinary = np.linspace(-3.0, 3.0, 24).reshape(2, 3, 4)
    special = ordinary.copy()
    special[0, 1] = [-np.inf, 0.0, np.inf, 1.0]
    special[1, 2] = -np.inf
    nested = jax.jit(jax.vmap(jax.vmap(function)))
    for x in (ordinary, special):
        known = np.asarray(function(jnp.asarray(x)))
        assert np.asarray(nested(x)) == pytest.approx(known, rel=CLOSE, abs=0, nan_ok=True)
        assert np.asarray(jax.jit(function)(x)) == pytest.approx(
            known, rel=CLOSE, abs=0, nan_ok=True
        )


MASKED = {
    "softmax": lambda x, w, t: asm.softmax(x, where=w, temperature=t),
    "log_softmax": lambda x, w, t: asm.log_softmax(x, where=w, temperature=t),
    "logsumexp": lambda x, w, t: asm.logsumexp(x / t, where=w, axis=-1),
}


def scanned(function):
    import jax

    return lambda x, w, t: jax.lax.scan(lambda c, v: (c, function(*v, t)), 0, (x, w))[1]


TRANSFORMS = {
    "jit": lambda jax, f: jax.jit(f),
    "checkpoint": lambda jax, f: jax.checkpoint(f),
    "jit of vmap": lambda jax, f: jax.jit(jax.vmap(f, in_axes=(0, 0, None))),
    "scan": lambda jax, f: scanned(f),
    "cond": lambda jax, f: lambda x, w, t: jax.lax.cond(t > 0, f, f, x, w, t),
}


@pytest.mark.parametrize("function", MASKED.values(), ids=MASKED)
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_masks_and_temperatures_may_be_traced_under_gradients(function, transform) -> None:
    import jax
    import jax.numpy as jnp

    x = jnp.asarray([[0.5, 1.0, -2.0, 3.0], [1.0, 1.5, 0.0, -1.0]])
    w = jnp.asarray([[True, True, False, True], [True, False, True, True]])

    def derivatives(f, x, w, t):
        def loss(x, t):
            y = f(x, w, t)
            return jnp.sum(jnp.where(jnp.isfinite(y), y, 0.0) ** 2)

        return jax.grad(loss, argnums=(0, 1))(x, t)

    expected = derivatives(function, x, w, 1.5)
    found = jax.jit(lambda x, w, t: derivatives(transform(jax, function), x, w, t))(x, w, 1.5)
    for ours, plain in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-6)


def test_inside_of_shard_map() -> None:
    import jax
    import jax.numpy as jnp

    mesh = jax.sharding.Mesh(np.asarray(jax.devices()[:1]), ("rows",))
    rows = jax.sharding.PartitionSpec("rows")
    x = jnp.asarray([[0.5, 1.0], [2.0, 0.0]])
    mapped = jax.shard_map(asm.softmax, mesh=mesh, in_specs=rows, out_specs=rows)
    np.testing.assert_allclose(mapped(x), asm.softmax(x), rtol=1e-6)
    np.testing.assert_allclose(jax.jit(mapped)(x), asm.softmax(x), rtol=1e-6)


@pytest.mark.parametrize("name", ["softmax_vjp", "log_softmax_vjp"])
def test_a_negative_traced_temperature_pulls_back_nan(name: str, backend: Backend) -> None:
    import jax
    import jax.numpy as jnp

    result, cotangent = jnp.asarray([0.25, 0.5, 0.25]), jnp.asarray([1.0, 2.0, 3.0])
    traced = jax.jit(lambda t: getattr(asm, name)(result, cotangent, temperature=t))
    assert jnp.isnan(traced(-0.5)).all()
    assert jnp.isfinite(traced(0.5)).all()
