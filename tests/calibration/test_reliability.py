"""Bins of confidence against samples counted one by one, on several libraries."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anysoftmax as asm
from anysoftmax.calibration import Reliability, calibration_error, reliability
from anysoftmax.testing import Backend, backends

from . import counted
from .samples_drawn import Drawn, given_weights, samples, spoilt

DATA = Path(__file__).parents[1] / "data"
LIBRARIES = ["numpy", "array-api-strict", "torch", "jax", "jax-32", "jax-jit", "dask"]
BACKENDS = pytest.mark.parametrize("backend", LIBRARIES, indirect=True)
ROUNDING = {"float64": 1e-15, "float32": 1e-6}


def digits(dtype: str = "float64") -> tuple[Any, Any]:
    logits = np.load(DATA / "digits_logits.npy").astype(dtype)
    return asm.softmax(logits), np.load(DATA / "digits_labels.npy").astype(np.int32)


def taken(backend: Backend, drawn: Drawn, **options: Any) -> Reliability:
    """Return the bins that a backend makes; lazy ones stay so."""
    return backend.evaluate(
        reliability, drawn.probs, drawn.labels, **options, **given_weights(drawn)
    )


def holds_winners(
    backend: Backend, drawn: Drawn, n_bins: int, strategy: str = "uniform", function: Any = None
) -> None:
    got = backend.evaluate(
        function or reliability,
        *spoilt(drawn)[:2],
        n_bins=n_bins,
        strategy=strategy,
        **given_weights(drawn),
    )
    dtype = drawn.probs.dtype
    statements = counted.winners(*drawn)
    edges = counted.uniform(n_bins, dtype)
    if strategy == "quantile":
        edges = counted.quantiles(statements, n_bins)
    assert backend.to_numpy(got.edges).tolist() == [float(e) for e in edges]
    assert backend.dtype_name(got.edges) == backend.dtype_name(got.accuracy) == str(dtype)
    for array in (got.edges, got.counts, got.weights, got.confidence, got.accuracy):
        assert backend.owns(array) or backend.name == "dask"
    counted.agree(got, counted.bins(statements, edges), ROUNDING[str(dtype)], backend.to_numpy)


def holds_classes(backend: Backend, drawn: Drawn, n_bins: int, strategy: str) -> None:
    got = backend.evaluate(
        reliability,
        *spoilt(drawn)[:2],
        n_bins=n_bins,
        strategy=strategy,
        classwise=True,
        **given_weights(drawn),
    )
    classes = drawn.probs.shape[1]
    assert backend.to_numpy(got.counts).shape == (classes, n_bins)
    numbers = {
        name: backend.to_numpy(getattr(got, name))
        for name in ("edges", "counts", "weights", "confidence", "accuracy")
    }
    for k in range(classes):
        statements = counted.of_class(k, *drawn)
        edges = counted.uniform(n_bins, drawn.probs.dtype)
        own = numbers["edges"]
        if strategy == "quantile":
            edges, own = counted.quantiles(statements, n_bins), own[k]
        assert own.tolist() == [float(e) for e in edges]

        class OfClass:
            counts, weights = numbers["counts"][k], numbers["weights"][k]
            confidence, accuracy = numbers["confidence"][k], numbers["accuracy"][k]

        tolerance = ROUNDING[str(drawn.probs.dtype)]
        counted.agree(OfClass, counted.bins(statements, edges), tolerance, np.asarray)


@BACKENDS
def test_winners_are_counted(backend: Backend) -> None:
    @given(samples(backend), st.sampled_from([1, 2, 5, 15]))
    def holds(drawn: Drawn, n_bins: int) -> None:
        holds_winners(backend, drawn, n_bins)

    with backend.context():
        holds()


@BACKENDS
def test_quantiles_are_counted(backend: Backend) -> None:
    @given(samples(backend), st.sampled_from([1, 2, 5]))
    def holds(drawn: Drawn, n_bins: int) -> None:
        if backend.name == "dask":
            drawn = drawn._replace(weights=None)
        holds_winners(backend, drawn, n_bins, "quantile")

    with backend.context():
        holds()


@BACKENDS
@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_classes_are_counted(backend: Backend, strategy: str) -> None:
    @given(samples(backend), st.sampled_from([2, 5]))
    def holds(drawn: Drawn, n_bins: int) -> None:
        if backend.name == "dask" and strategy == "quantile":
            drawn = drawn._replace(weights=None)
        holds_classes(backend, drawn, n_bins, strategy)

    with backend.context():
        holds()


@BACKENDS
def test_digits(backend: Backend) -> None:
    probs, labels = digits(backend.default_dtype)
    with backend.context():
        for weights in (None, np.arange(899) % 4 / 4):
            drawn = Drawn(probs, labels, weights)
            holds_winners(backend, drawn, 15)
            if weights is None or backend.name != "dask":
                holds_winners(backend, drawn, 10, "quantile")
        holds_classes(backend, Drawn(probs, labels, None), 15, "uniform")


@pytest.mark.parametrize("backend", ["numpy", "torch", "dask"], indirect=True)
def test_sums_of_float32_are_kept_in_float64(backend: Backend) -> None:
    probs, labels = digits("float32")
    bins = backend.evaluate(reliability, probs, labels)
    edges = counted.uniform(15, "float32")
    assert backend.dtype_name(bins.confidence) == backend.dtype_name(bins.accuracy) == "float32"
    half_a_unit = 2.0**-24 * (1 + 1e-6)
    counted.agree(
        bins, counted.bins(counted.winners(probs, labels), edges), half_a_unit, backend.to_numpy
    )
    (_, _, sums), _ = bins.tree_flatten()
    exact = [float(b.confidence) for b in counted.bins(counted.winners(probs, labels), edges)]
    np.testing.assert_allclose(backend.to_numpy(sums)[:, 1], exact, rtol=1e-14)


@pytest.mark.parametrize("layout", ["C", "halves", "uneven"])
def test_dask_in_chunks(layout: str) -> None:
    """Chunks may cut the classes as well; nothing is computed, which the backend sees to."""
    backend = backends.get("dask")
    probs, labels = digits()
    probs[:5] = 0.1  # ties
    x, t = backend.array(probs, layout=layout), backend.array(labels, layout=layout)
    for strategy in ("uniform", "quantile"):
        for classwise in (False, True):
            options: dict[str, Any] = {"strategy": strategy, "classwise": classwise}
            lazy = backend.evaluate(reliability, x, t, **options)
            known = reliability(probs, labels, **options)
            for name in ("edges", "counts", "accuracy", "confidence"):
                got, expected = backend.to_numpy(getattr(lazy, name)), getattr(known, name)
                np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_dask_of_unknown_length() -> None:
    import dask.array as da

    probs, labels = digits()
    kept = np.arange(899) % 3 > 0
    x, t, mask = (da.from_array(a, chunks=(300, *a.shape[1:])) for a in (probs, labels, kept))
    for classwise in (False, True):
        got = reliability(x[mask], t[mask], classwise=classwise)
        known = reliability(probs[kept], labels[kept], classwise=classwise)
        np.testing.assert_array_equal(got.counts.compute(), known.counts)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_confidences_on_the_edges_belong_below_them(dtype: str) -> None:
    for n_bins in (2, 3, 7, 10, 15, 100):
        edges = np.asarray([b / n_bins for b in range(n_bins + 1)]).astype(dtype)
        first = np.stack([edges, 1 - edges], axis=-1).astype(dtype)
        bins = reliability(first, np.zeros(n_bins + 1, np.int64), n_bins=n_bins, classwise=True)
        assert bins.edges.dtype == dtype
        assert bins.edges.tolist() == edges.tolist()
        assert bins.counts[0].tolist() == [2] + [1] * (n_bins - 1)
        above = np.nextafter(edges[1:-1], np.asarray(1, dtype))
        above = np.stack([above, 1 - above], axis=-1).astype(dtype)
        bins = reliability(above, np.zeros(n_bins - 1, np.int64), n_bins=n_bins, classwise=True)
        assert bins.counts[0].tolist() == [0] + [1] * (n_bins - 1)


def test_large_arrays_go_bin_by_bin() -> None:
    probs, labels = digits()
    many = np.tile(probs, (120, 1)), np.tile(labels, 120)  # more than 2**20 probabilities
    several: tuple[dict[str, Any], ...] = ({}, {"strategy": "quantile", "n_bins": 4})
    for options in several:
        known = reliability(probs, labels, classwise=True, **options)
        bins = reliability(*many, classwise=True, **options)
        assert bins.counts.tolist() == (120 * known.counts).tolist()
        np.testing.assert_allclose(bins.accuracy, known.accuracy, rtol=1e-13)


def test_of_equal_probabilities_the_first_wins() -> None:
    tied = np.asarray([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])
    assert reliability(tied, [0, 1]).accuracy.max() == 1
    assert reliability(tied, [1, 2]).accuracy.max() == 0


def test_integers_lists_and_other_axes() -> None:
    known = reliability(np.asarray([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), [0, 0, 0])
    for probs, labels, axis in (
        ([[1, 0], [0, 1], [1, 0]], [0, 0, 0], -1),
        (np.asarray([[1, 0, 1], [0, 1, 0]], np.int8), np.zeros(3, np.uint8), 0),
        (np.asarray([[[1.0, 0.0, 1.0]], [[0.0, 1.0, 0.0]]]), np.zeros((1, 3), np.int64), -3),
    ):
        bins = reliability(probs, labels, axis=axis)
        assert bins.counts.tolist() == known.counts.tolist()
        assert bins.accuracy.tolist() == known.accuracy.tolist()
    probs = np.random.default_rng(1).dirichlet(np.ones(3), size=(4, 5))
    labels = np.zeros((4, 5), np.int64)
    moved = reliability(np.moveaxis(probs, -1, 1), labels, axis=1, classwise=True)
    assert moved.counts.tolist() == reliability(probs, labels, classwise=True).counts.tolist()


@BACKENDS
def test_batches_add_up(backend: Backend) -> None:
    dtype = backend.default_dtype

    @given(samples(backend, classes=3), samples(backend, classes=3), st.booleans())
    def holds(a: Drawn, b: Drawn, classwise: bool) -> None:
        options = {"n_bins": 5, "classwise": classwise}
        weights = [
            np.ones(len(d.labels), dtype) if d.weights is None else d.weights for d in (a, b)
        ]
        probs, labels = np.concatenate([a.probs, b.probs]), np.concatenate([a.labels, b.labels])
        whole = taken(backend, Drawn(probs, labels, np.concatenate(weights)), **options)
        merged = taken(backend, a, **options).merge(taken(backend, b, **options))
        updated = taken(backend, a, **options)
        arrays = [backend.array(x) for x in b if x is not None]
        assert updated.update(*arrays) is updated
        for got in (merged, updated):
            for name in ("edges", "counts"):
                one, other = (backend.to_numpy(getattr(r, name)) for r in (got, whole))
                assert one.tolist() == other.tolist()
            for name in ("weights", "confidence", "accuracy"):
                one, other = (backend.to_numpy(getattr(r, name)) for r in (got, whole))
                np.testing.assert_allclose(one, other, rtol=ROUNDING[dtype])

    with backend.context():
        holds()


def test_quantiles_are_kept_for_what_follows() -> None:
    probs, labels = digits()
    first = reliability(probs[:300], labels[:300], strategy="quantile", n_bins=8)
    second = reliability(probs[300:], labels[300:], edges=first.edges)
    whole = reliability(probs, labels, edges=first.edges)
    updated = copy.deepcopy(first).update(probs[300:], labels[300:])
    merged = first.merge(second)
    for bins in (merged, updated):
        assert bins.counts.tolist() == whole.counts.tolist()
        np.testing.assert_allclose(bins.accuracy, whole.accuracy, rtol=1e-15)
    other = reliability(probs[300:], labels[300:], strategy="quantile", n_bins=8)
    with pytest.raises(ValueError, match="edges"):
        first.merge(other)
    with pytest.raises(ValueError, match="edges"):
        first.merge(reliability(probs.astype("float32"), labels, edges=first.edges))


def test_class_wise_quantiles_are_kept_as_well() -> None:
    probs, labels = digits()
    options: dict[str, Any] = {"classwise": True}
    first = reliability(probs[:300], labels[:300], strategy="quantile", n_bins=8, **options)
    assert first.edges.shape == (10, 9)
    second = reliability(probs[300:], labels[300:], edges=first.edges, **options)
    whole = reliability(probs, labels, edges=first.edges, **options)
    assert first.merge(second).counts.tolist() == whole.counts.tolist()


def test_batches_of_nothing_add_nothing() -> None:
    bins = reliability([[0.75, 0.25]], [0])
    before = bins.counts.tolist()
    bins.update(np.empty((0, 2)), np.empty(0, np.int64))
    bins.update([[np.nan, 5.0]], [9], sample_weights=0)
    assert bins.counts.tolist() == before
    assert bins.weights.tolist() == before
    with pytest.raises(ValueError, match="sum to 1"):
        bins.update([[0.5, 0.75]], [0])
    assert bins.counts.tolist() == before


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"], indirect=True)
def test_pickled(backend: Backend) -> None:
    with backend.context():
        probs, labels = (backend.array(a) for a in digits())
        bins = reliability(probs, labels, classwise=True)
        again = pickle.loads(pickle.dumps(bins))  # noqa: S301
        assert again.merge(bins) is again
        np.testing.assert_array_equal(
            backend.to_numpy(again.counts), 2 * backend.to_numpy(bins.counts)
        )


def test_under_transformations_of_jax() -> None:
    import jax
    import jax.numpy as jnp

    probs, labels = (jnp.asarray(a[:896]) for a in digits("float32"))
    batches = probs.reshape(7, 128, 10), labels.reshape(7, 128)
    known = reliability(probs, labels)
    start = reliability(batches[0][0], batches[1][0])

    def step(bins: Reliability, batch: Any) -> tuple[Reliability, Any]:
        return bins.update(*batch), None

    scanned, _ = jax.lax.scan(step, start, (batches[0][1:], batches[1][1:]))
    assert isinstance(scanned, Reliability)
    assert scanned.counts.tolist() == known.counts.tolist()
    merged = jax.jit(lambda a, b: a.merge(b))(known, known)
    assert merged.counts.tolist() == (2 * known.counts).tolist()
    assert known.counts.sum() == 896, "the argument is left as it was"
    other = reliability(probs, labels, strategy="quantile")
    assert np.isnan(jax.jit(lambda a, b: a.merge(b).error())(known, other))


@pytest.mark.parametrize("classwise", [False, True])
def test_batches_mapped_by_jax(classwise: bool) -> None:
    import jax
    import jax.numpy as jnp

    probs, labels = (jnp.asarray(a[:896]) for a in digits("float32"))
    batches = probs.reshape(7, 128, 10), labels.reshape(7, 128)
    mapped = jax.vmap(lambda p, t: reliability(p, t, classwise=classwise))(*batches)
    for name in ("counts", "weights", "confidence", "accuracy"):
        of_each = [
            getattr(reliability(p, t, classwise=classwise), name)
            for p, t in zip(*batches, strict=True)
        ]
        np.testing.assert_allclose(getattr(mapped, name), of_each, rtol=1e-6)
    errors = [calibration_error(p, t, classwise=classwise) for p, t in zip(*batches, strict=True)]
    np.testing.assert_allclose(mapped.error(), errors, rtol=1e-5, atol=1e-7)


def test_what_is_given_out_and_taken_in_is_copied() -> None:
    probs, labels = digits("float64")
    one = reliability(probs, labels)
    two = reliability(probs, labels, edges=one.edges)
    two.edges[3] = 0.9
    one.weights[0] = 99
    assert one.edges[3] == 0.2
    assert one.weights.sum() == len(labels)


def test_a_program_of_numpy_never_sees_jax() -> None:
    program = (
        "import sys, pickle\n"
        "from anysoftmax.calibration import reliability\n"
        "bins = reliability([[0.75, 0.25]], [0]); pickle.loads(pickle.dumps(bins))\n"
        "assert 'jax' not in sys.modules and 'matplotlib' not in sys.modules\n"
        "import jax\n"
        "bins.update([[0.75, 0.25]], [0])\n"
        "assert jax.jit(lambda r: r.counts.sum())(bins) == 2\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_derivatives_are_not_recorded() -> None:
    import torch

    probs = torch.softmax(torch.randn(5, 3, requires_grad=True), -1)
    bins = reliability(probs, torch.zeros(5, dtype=torch.int64))
    assert not bins.confidence.requires_grad
