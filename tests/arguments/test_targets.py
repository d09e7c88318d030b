"""Targets and weights as people give them: known, traced, lazy, of unknown length, extreme."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.testing import backends

X = np.asarray([[0.5, 2.0, -1.0], [1.0, 0.0, 0.25], [3.0, -2.0, 1.0], [0.0, 0.5, 1.5]])
LABELS = np.asarray([1, 0, 2, 2])


def library(name: str) -> Any:
    if not backends.get(name).available():
        pytest.skip(f"{name} is not installed")
    return backends.get(name)


def test_smoothings_are_checked_where_numbers_are_traced_or_lazy() -> None:
    for name in ("numpy", "torch", "jax-jit", "dask"):
        backend = library(name)
        with backend.context():
            for wrong in (-0.5, 1.5, float("nan")):

                def smoothed(x: Any, wrong: float = wrong) -> Any:
                    return asm.cross_entropy(x, x, label_smoothing=wrong)

                with pytest.raises(ValueError, match="label_smoothing must be from 0 to 1"):
                    backend.evaluate(smoothed, X)


@pytest.mark.parametrize("labels", [[0, 1, 2, 9], [0, 1, 2, 2**40], [0, 1, 2, -1]])
def test_labels_in_lists_are_known_everywhere(labels: list[int]) -> None:
    for name in ("numpy", "torch", "jax-jit-32", "dask"):
        backend = library(name)
        with backend.context(), pytest.raises(IndexError, match=f"{labels[-1]} is out of range"):
            backend.evaluate(lambda x: asm.cross_entropy(x, labels), X.astype(np.float32))


def test_dask_arrays_of_unknown_length() -> None:
    library("dask")
    import dask.array as da

    kept = np.asarray([True, False, True, True])
    x, labels, shares, mask = (
        da.from_array(a, chunks=(2, *a.shape[1:])) for a in (X, LABELS, asm.softmax(X[::-1]), kept)
    )
    x, labels, shares = x[mask], labels[mask], shares[mask]
    own, known = X[kept], LABELS[kept]
    q = asm.softmax(X[::-1])[kept]
    several: tuple[dict[str, Any], ...] = (
        {},
        {"label_smoothing": 0.1},
        {"class_weights": np.asarray([1.0, 0.5, 2.0])},
        {"where": np.asarray([True, True, False])},
    )
    for reduction in ("mean", "sum", "none"):
        for options in several:
            lazy = {
                k: da.from_array(v) if isinstance(v, np.ndarray) else v for k, v in options.items()
            }
            for function in (asm.cross_entropy, asm.cross_entropy_grad):
                got = function(x, labels, reduction=reduction, **lazy)
                expected = function(own, known, reduction=reduction, **options)
                np.testing.assert_allclose(got.compute(), expected, rtol=1e-14)
    for got, expected in (
        (asm.cross_entropy(x, shares, sample_weights=2.0), asm.cross_entropy(own, q)),
        (asm.kl_divergence(x, shares), asm.kl_divergence(own, q)),
        (asm.softmax_vjp(shares, x), asm.softmax_vjp(q, own)),
        (asm.entropy(x), asm.entropy(own)),
    ):
        np.testing.assert_allclose(got.compute(), expected, rtol=1e-14)


@pytest.mark.parametrize("weight", [1e-40, 1e-44, 1e30])
def test_gradients_do_not_depend_on_the_scale_of_weights(weight: float) -> None:
    x = X.astype(np.float32)
    got = asm.cross_entropy_grad(x, LABELS, sample_weights=np.full(4, weight, np.float32))
    np.testing.assert_allclose(got, asm.cross_entropy_grad(x, LABELS), rtol=1e-6)


def test_weights_of_zero_take_out_what_they_weigh() -> None:
    nan, inf = np.nan, np.inf
    known = asm.cross_entropy(np.asarray([1.0, 2.0]), np.asarray([1.0, 0.0]))
    got = asm.cross_entropy([1.0, 2.0], [1.0, nan], class_weights=[1, 0])
    assert got == known
    one = asm.cross_entropy([[1.0, 2.0]], [0])
    rows, weights = [[1.0, 2.0], [1.0, 2.0]], [1, 0]
    got = asm.cross_entropy(rows, [0, 1], class_weights=[1, inf], sample_weights=weights)
    assert got == one


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_unknown_labels_are_nan_though_their_substitute_is_masked(smoothing: float) -> None:
    backend = library("jax-jit")
    mask = np.asarray([False, True, True])
    labels = np.asarray([5, 2, -1, 1])
    with backend.context():
        for function in (asm.cross_entropy, asm.cross_entropy_grad):
            got = backend.call(
                lambda x, t, function=function, **options: function(
                    x, t, label_smoothing=smoothing, reduction="none", **options
                ),
                X,
                labels,
                where=mask,
            )
            wrong = np.isnan(got).reshape(4, -1)[:, -2:].any(axis=1)
            assert wrong.tolist() == [True, False, True, False], function


def test_entropies_are_silent_where_underflow_is_an_error() -> None:
    with np.errstate(all="raise"):
        assert asm.entropy(np.asarray([800.0, 0.0, -800.0])) == 0


def test_class_weights_are_in_the_order_of_the_array() -> None:
    """Axes that are named the other way round once gave each class another one's weight."""
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    weights, labels = np.arange(1.0, 7.0).reshape(2, 3), np.array([1, 5, 3, 2])
    losses = [
        asm.cross_entropy(x, labels, axis=axis, class_weights=weights, reduction="none")
        for axis in ((0, 1), (1, 0))
    ]
    np.testing.assert_array_equal(*losses)
