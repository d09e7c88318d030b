"""Dask's arrays: lazy, read at most twice, in graphs that grow as chunks do, in little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import anysoftmax as asm

from .counted import Source

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

ROWS, COLUMNS = (10,) * 4, (20,) * 32
LABELS = np.arange(40) % 7


def lazy_labels() -> Any:
    return da.from_array(LABELS, chunks=10)


def of_classes(x: Any) -> Any:
    return da.ones(x.shape[1], chunks=x.chunks[1])


def shares_of(x: Any) -> Any:
    return da.full(x.shape, 1 / x.shape[1], chunks=x.chunks)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "softmax": asm.softmax,
    "log_softmax": lambda x: asm.log_softmax(x, temperature=0.5),
    "masked": lambda x: asm.softmax(x, where=x > -2),
    "logsumexp": lambda x: asm.logsumexp(x, axis=1),
    "all axes": asm.logsumexp,
    "labels": lambda x: asm.cross_entropy(x, lazy_labels()),
    "probabilities": lambda x: asm.cross_entropy(x, shares_of(x)),
    "smoothing": lambda x: asm.cross_entropy(x, lazy_labels(), label_smoothing=0.1),
    "weights of classes": lambda x: asm.cross_entropy(
        x, lazy_labels(), class_weights=of_classes(x), where=of_classes(x) > 0
    ),
    "entropy": asm.entropy,
}
every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


@pytest.fixture(autouse=True)
def in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


class Sink:
    """Takes what is computed, chunk by chunk, and keeps nothing of it."""

    taken = 0

    def __setitem__(self, _: Any, values: np.ndarray) -> None:
        self.taken += values.size


def stored(y: Any) -> np.ndarray:
    """Compute chunk by chunk, as a result larger than memory is."""
    result = np.empty(y.shape)
    if y.ndim:
        da.store(y, result, lock=False)
    else:
        result[...] = y.compute()
    return result


@every_function
def test_slices_in_parts_are_read_twice_and_not_kept(function):
    source = Source()
    y = function(source.array(ROWS, COLUMNS))
    assert source.made == 0
    stored(y)
    assert source.made <= 2 * len(ROWS) * len(COLUMNS)
    assert source.most_alive <= 2


@every_function
def test_whole_slices_are_read_once(function):
    source = Source()
    stored(function(source.array(ROWS, (50,))))
    assert source.made == len(ROWS)
    assert source.most_alive == 1


@every_function
def test_memory_holds_a_few_chunks(function):
    """What is made of the chunks on the way counts too: masks, coefficients, surprisals."""
    rows, columns = 20, 10_000
    stored(function(Source().array((rows,) * 2, (columns,) * 2)))  # loads modules
    y = function(Source().array((rows,) * 2, (columns,) * 24))
    tracemalloc.start()
    try:
        sink = Sink()
        da.store(y if y.ndim else y[None], sink, lock=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sink.taken == max(1, y.size)
    assert peak <= 9 * rows * columns * 8  # of 48 chunks


@every_function
def test_tasks_grow_as_chunks_do(function):
    def tasks(columns: int) -> int:
        graph = function(Source().array(ROWS, (20,) * columns)).__dask_graph__()
        return len(dict(graph))

    # A chunk more costs no more in a long row of them than in a short one.
    assert tasks(256) - tasks(192) <= 1.05 * (tasks(128) - tasks(64))
    assert tasks(256) <= 40 * 4 * 256
    (optimized,) = dask.optimize(function(Source().array(ROWS, COLUMNS)))
    assert len(dict(optimized.__dask_graph__())) <= 10 * len(ROWS) * len(COLUMNS)


def test_labels_in_smaller_chunks_cut_no_logits():
    """Dask cuts what meets in one task alike, the large arrays as the small ones are."""

    def tasks(chunks: int) -> int:
        labels = da.from_array(LABELS, chunks=chunks)
        y = asm.cross_entropy(Source().array(ROWS, COLUMNS), labels, label_smoothing=0.1)
        (optimized,) = dask.optimize(y)
        return len(dict(optimized.__dask_graph__()))

    assert tasks(1) <= tasks(10) + 5 * len(LABELS)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_plain_calls_take_few_tasks(name):
    """What the scheduler gets to see, after Dask has fused what it can."""
    y = getattr(asm, name)(Source().array(ROWS, COLUMNS), axis=1)
    (optimized,) = dask.optimize(y)
    assert len(dict(optimized.__dask_graph__())) <= 3.6 * len(ROWS) * len(COLUMNS)


CHUNKS = ((7, 12, 30), (3, 5, 7), (2, 12, 30), (7, 1, 4))
AXES = (-1, 0, (0, 2), None)


@pytest.mark.parametrize(("chunks", "axis"), list(product(CHUNKS, AXES)))
def test_any_cut_gives_what_numpy_gives(chunks, axis):
    rng = np.random.default_rng(1)
    x = rng.normal(scale=5, size=(7, 12, 30))
    lazy = da.from_array(x, chunks=chunks)
    mask = x > 0
    temperature = rng.uniform(0.5, 2, size=(1, 12, 1) if axis in {-1, (0, 2)} else (1, 1, 1))
    temperature = temperature[:, :1] if axis is None else temperature
    for function in (asm.softmax, asm.log_softmax):
        y = function(
            lazy,
            axis=axis,
            where=da.from_array(mask, chunks=(4, 4, 4)),
            temperature=da.from_array(temperature, chunks=(1, 5, 1)),
        )
        expected = function(x, axis=axis, where=mask, temperature=temperature)
        np.testing.assert_allclose(y.compute(), expected, rtol=2e-14)
    weights = rng.random(30)
    y = asm.logsumexp(lazy, axis=axis, weights=da.from_array(weights, chunks=9), keepdims=True)
    expected = asm.logsumexp(x, axis=axis, weights=weights, keepdims=True)
    np.testing.assert_allclose(y.compute(), expected, rtol=2e-14)


def test_special_values_in_other_chunks():
    inf, nan = np.inf, np.nan
    x = np.array(
        [
            [inf, 0, 1, 2],
            [0, inf, inf, 2],
            [-inf, -inf, -inf, -inf],
            [nan, 1, 2, 3],
            [-inf, 1, -inf, 3],
            [1e308, -1e308, 0, 1e308],
        ]
    )
    lazy = da.from_array(x, chunks=(2, 1))
    for name, t in product(("softmax", "log_softmax"), (1.0, 0.0, 0.5, inf)):
        y = getattr(asm, name)(lazy, temperature=t).compute()
        expected = getattr(asm, name)(x, temperature=t)
        np.testing.assert_allclose(y, expected, rtol=1e-15, err_msg=f"{name} at T = {t}")
    y = asm.logsumexp(lazy, axis=1).compute()
    np.testing.assert_array_equal(y, asm.logsumexp(x, axis=1))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_a_saturated_winner_in_a_chunk_of_its_own(name):
    """The rest of the others is tiny beside the winner's 1, and must not be lost in a merge."""
    x = np.concatenate([[50.0], np.zeros(300)])
    y = getattr(asm, name)(da.from_array(x, chunks=7), axis=0).compute()
    np.testing.assert_allclose(y, getattr(asm, name)(x, axis=0), rtol=1e-15)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize(("dtype", "precision"), [("float16", "default"), ("float32", "highest")])
def test_parts_are_rounded_to_the_dtype_that_is_asked_for(name, dtype, precision):
    """The summary was once made of the logits as they came, and the result of rounded ones."""
    x = np.random.default_rng(8).normal(size=(4, 40)) + 1000.3
    options = {"axis": 1, "dtype": dtype, "precision": precision}
    y = getattr(asm, name)(da.from_array(x, chunks=(2, 7)), **options).compute()
    expected = getattr(asm, name)(x, **options)
    assert y.dtype == expected.dtype
    np.testing.assert_array_max_ulp(y, expected, 1)


def test_an_axis_of_length_one_with_an_empty_chunk():
    """It was once taken for one that repeats."""
    x = np.random.default_rng(9).normal(size=(1, 6))
    lazy = da.concatenate([da.from_array(x, chunks=(1, 3)), da.zeros((0, 6), chunks=(1, 3))])
    for axis in (0, 1):
        for function in (asm.softmax, asm.log_softmax, asm.entropy):
            y = function(lazy, axis=axis).compute()
            np.testing.assert_allclose(y, function(x, axis=axis), rtol=1e-15)
    warm = da.concatenate([da.full((1, 1), 2.0), da.zeros((0, 1))])
    y = asm.softmax(da.from_array(x, chunks=(1, 3)), temperature=warm).compute()
    np.testing.assert_allclose(y, asm.softmax(x, temperature=2.0), rtol=1e-15)


def test_empty_chunks_and_foreign_byte_order():
    x = np.random.default_rng(2).normal(size=(6, 4)).astype(">f4")
    lazy = da.from_array(x, chunks=(3, 2))
    gaps = da.concatenate([lazy, da.zeros((6, 0), dtype=">f4"), lazy], axis=1)
    twice = np.hstack([x, x])
    np.testing.assert_allclose(asm.softmax(gaps).compute(), asm.softmax(twice), rtol=1e-6)
    for y in (asm.softmax(lazy), asm.log_softmax(lazy), asm.kl_divergence(lazy, lazy)):
        assert y.dtype == y.compute().dtype == np.dtype("float32")
        assert y.dtype.isnative
    np.testing.assert_allclose(asm.entropy(gaps).compute(), asm.entropy(twice), rtol=1e-6)
    y = asm.logsumexp(gaps, axis=1).compute()
    np.testing.assert_allclose(y, asm.logsumexp(twice, axis=1), rtol=1e-6)
    assert asm.softmax(da.zeros((5, 0), chunks=(2, 0))).compute().shape == (5, 0)


X = np.random.default_rng(3).normal(size=(20, 12))
CHOSEN = np.arange(20) % 3 > 0


def chosen_rows(x: np.ndarray, columns: int | None = None) -> Any:
    """Choose rows by a mask, after which Dask does not know how many there are."""
    chunks = 5 if columns is None else (5, columns)
    return da.from_array(x, chunks=chunks)[da.from_array(CHOSEN, chunks=5)]


@pytest.mark.parametrize("columns", [12, 5])
def test_batches_of_unknown_length(columns):
    x, values = chosen_rows(X, columns), X[CHOSEN]
    assert np.isnan(x.shape[0])
    for axis in (1, 0, None):
        for function in (asm.softmax, asm.log_softmax, asm.logsumexp):
            y = function(x, axis=axis).compute()
            np.testing.assert_allclose(y, function(values, axis=axis), rtol=1e-14)
    y = asm.softmax(x, where=x > 0).compute()
    np.testing.assert_allclose(y, asm.softmax(values, where=values > 0), rtol=1e-14)
    stream = asm.LogSumExp(axis=1).update(x)
    np.testing.assert_allclose(stream.result().compute(), asm.logsumexp(values, axis=1), rtol=1e-14)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        stream.update(x)
    labels = np.arange(20) % 12
    for options in ({}, {"label_smoothing": 0.1}, {"reduction": "none"}):
        y = asm.cross_entropy(x, chosen_rows(labels), **options).compute()
        expected = asm.cross_entropy(values, labels[CHOSEN], **options)
        np.testing.assert_allclose(y, expected, rtol=1e-14)


@pytest.mark.parametrize("columns", [12, 5])
def test_chunks_that_turn_out_to_be_empty(columns):
    """Dask's own maximum fails where a mask has chosen no row of a chunk."""
    none_first = np.arange(20) >= 12

    def chosen(x: np.ndarray) -> Any:
        chunks = 5 if x.ndim == 1 else (5, columns)
        return da.from_array(x, chunks=chunks)[da.from_array(none_first, chunks=5)]

    labels, q = np.arange(20) % 12, asm.softmax(X)
    x, values = chosen(X), X[none_first]
    for function in (asm.softmax, asm.log_softmax, asm.entropy):
        np.testing.assert_allclose(function(x).compute(), function(values), rtol=1e-14)
    for targets, options in ((labels, {}), (labels, {"label_smoothing": 0.1}), (q, {})):
        y = asm.cross_entropy(x, chosen(targets), **options).compute()
        expected = asm.cross_entropy(values, targets[none_first], **options)
        np.testing.assert_allclose(y, expected, rtol=1e-14)
    gradient = asm.cross_entropy_grad(x, chosen(labels)).compute()
    expected = asm.cross_entropy_grad(values, labels[none_first])
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-15)
    y = asm.kl_divergence(x, chosen(q)).compute()
    np.testing.assert_allclose(y, asm.kl_divergence(values, q[none_first]), rtol=1e-13)
    for axis in (0, 1):
        y = asm.logsumexp(x, axis=axis).compute()
        np.testing.assert_allclose(y, asm.logsumexp(values, axis=axis), rtol=1e-14)
    y = asm.LogSumExp(axis=1).update(x).result().compute()
    np.testing.assert_allclose(y, asm.logsumexp(values, axis=1), rtol=1e-14)


def test_streams_of_no_slices():
    stream = asm.LogSumExp(axis=1)
    for _ in range(2):
        stream.update(da.zeros((0, 5, 3), chunks=(1, 2, 3)))
    assert stream.result().compute().shape == (0, 3)


OTHER = np.random.default_rng(4).normal(size=(20, 12))


@pytest.mark.parametrize(
    "other",
    [OTHER[0], OTHER[:, :1], OTHER[:1], np.float64(0.5)],
    ids=["row", "column", "matrix of a row", "number"],
)
@pytest.mark.parametrize("axis", [0, 1, None])
def test_divergences_from_what_repeats_along_unknown_rows(other, axis):
    """The axes were once those of each array alone, and so was what was added up."""
    rows = OTHER[CHOSEN]
    unknown = chosen_rows(OTHER, 12)
    known = other[CHOSEN] if other.shape == (20, 1) else other
    other = chosen_rows(other, 1) if other.shape == (20, 1) else da.asarray(other)
    for arrays, values in (((unknown, other), (rows, known)), ((other, unknown), (known, rows))):
        y = asm.kl_divergence(*arrays, axis=axis).compute()
        np.testing.assert_allclose(y, asm.kl_divergence(*values, axis=axis), rtol=1e-12)


def test_classes_of_unknown_number():
    x = chosen_rows(X[:, :8], 3).T
    y = asm.softmax(x).compute()
    np.testing.assert_allclose(y, asm.softmax(X[CHOSEN, :8].T), rtol=1e-14)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        asm.cross_entropy(x, da.zeros(8, chunks=3, dtype=int))
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        asm.cross_entropy(x, asm.softmax(x))
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        asm.entropy(x)


def test_masks_of_unknown_rows_that_are_cut_otherwise():
    mask = da.ones((int(CHOSEN.sum()), 12), dtype=bool, chunks=(3, 12))
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        asm.softmax(chosen_rows(X, 12), where=mask)


def test_masked_and_sparse_chunks_are_refused():
    x = da.ma.masked_array(da.zeros((4, 4), chunks=2), mask=da.ones((4, 4), chunks=2))
    with pytest.raises(TypeError, match="without a mask of its own"):
        asm.softmax(x)


def test_the_kernel_that_was_asked_for_goes_with_the_tasks(monkeypatch):
    """A context is left long before its tasks run."""
    from anysoftmax import kernels
    from anysoftmax.kernels import table

    def refuse(*_: Any) -> Any:
        raise LookupError("asks which kernel gains")

    monkeypatch.setattr(table, "automatic", refuse)
    x = Source().array(ROWS, (20,))
    with kernels.use("reference"):
        y = asm.softmax(x)
    y.compute()
    with pytest.raises(LookupError, match="which kernel"):
        asm.softmax(x).compute()


def test_chunks_large_enough_for_compiled_kernels():
    x, labels = np.random.default_rng(5).normal(size=(4000, 300)), np.arange(4000) % 300
    for chunks in ((1000, 300), (1000, 100)):
        lazy = da.from_array(x, chunks=chunks)
        y = asm.cross_entropy(lazy, da.from_array(labels, chunks=1000), reduction="none")
        expected = asm.cross_entropy(x, labels, reduction="none")
        np.testing.assert_allclose(y.compute(), expected, rtol=1e-14)


def test_persisted_arrays_are_not_made_again():
    source = Source()
    x = source.array((10,), (20,) * 4).persist()
    made = source.made
    np.testing.assert_allclose(asm.softmax(x).compute(), asm.softmax(x.compute()), rtol=1e-14)
    assert source.made == made == 4


def test_what_is_made_anew_keeps_its_annotations():
    """A source may need a worker, or tries, that the scheduler knows of."""
    with dask.annotate(retries=3):
        x = Source().array((10,), (20,) * 4)
    (source,) = x.__dask_graph__().layers
    layers = asm.softmax(x).__dask_graph__().layers
    (anew,) = (layer for name, layer in layers.items() if name.startswith("chunk-"))
    assert layers[source].annotations == anew.annotations == {"retries": 3}


def test_keys_that_are_numbers():
    """Dask allows them, though it makes none."""
    chunks = {("x", 0, 0): (np.full, (2, 3), 7), ("x", 0, 1): (np.full, (2, 3), 8), 7: 1.0, 8: 2.0}
    x = da.Array(chunks, "x", ((2,), (3, 3)), dtype=float)
    np.testing.assert_allclose(asm.softmax(x).compute(), asm.softmax(x.compute()), rtol=1e-15)


def test_equal_calls_have_equal_keys():
    x = da.from_array(np.zeros((4, 6)), chunks=2)
    assert asm.softmax(x).name == asm.softmax(x).name
    assert asm.softmax(x).name != asm.log_softmax(x).name
    assert asm.softmax(x).name != asm.softmax(x, temperature=2.0).name
