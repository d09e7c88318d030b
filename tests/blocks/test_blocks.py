"""Blocks: the same numbers in every layout, little memory, in place, on any number of threads."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax import blocks, operations
from anysoftmax.admission import admit

MIB = 2**20
FUNCTIONS = [asm.softmax, asm.log_softmax, asm.logsumexp]
OPERATIONS = {
    asm.softmax: operations.SOFTMAX,
    asm.log_softmax: operations.LOG_SOFTMAX,
    asm.logsumexp: operations.LOGSUMEXP,
}

# Shape and axis: few and many classes, few and many slices, on the fast and on the slow axis.
LAYOUTS = [
    ((60_000, 3), 1),
    ((3, 60_000), 0),
    ((5, 60_000), 1),
    ((60_000, 5), 0),
    ((300, 700), 1),
    ((300, 700), 0),
    ((40, 70, 80), 1),
    ((40, 70, 80), (0, 2)),
    ((40, 70, 80), None),
    ((600_000,), 0),
]


def logits(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(5).normal(0, 4, shape).astype(dtype)


def whole(function, x: np.ndarray, **options) -> np.ndarray:
    """Compute without blocks."""
    a = admit(x, **options)
    result = OPERATIONS[function](a)
    return np.squeeze(result, axis=a.axes) if function is asm.logsumexp else result


def assert_alike(ours: np.ndarray, theirs: np.ndarray) -> None:
    # Sums may be formed in another order: each is within 8 units of the exact result.
    np.testing.assert_allclose(ours, theirs, rtol=16 * np.finfo(ours.dtype).eps / 2, atol=1e-45)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_layouts(function, shape, axis, order) -> None:
    x = np.asarray(logits(shape), order=order)
    assert_alike(function(x, axis=axis), whole(function, x, axis=axis))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_special_values_among_ordinary_ones(function, shape, axis) -> None:
    x = logits(shape)
    rng = np.random.default_rng(1)
    for value in (np.inf, -np.inf, np.nan):
        x[rng.random(shape) < 1e-4] = value
    assert_alike(function(x, axis=axis), whole(function, x, axis=axis))


@pytest.mark.parametrize("function", FUNCTIONS[:2])
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_in_place_and_into_memory_that_overlaps(function, shape, axis) -> None:
    x = logits(shape)
    expected = function(x, axis=axis)
    y = x.copy()
    assert function(y, axis=axis, out=y) is y
    np.testing.assert_array_equal(y, expected)
    # Not the same elements but the same memory: reversed, and one element further on.
    y = x.copy()
    function(y, axis=axis, out=y[::-1])
    np.testing.assert_array_equal(y[::-1], expected)
    memory = np.empty(x.size + 1, x.dtype)
    y, out = memory[:-1].reshape(shape), memory[1:].reshape(shape)
    y[...] = x
    function(y, axis=axis, out=out)
    np.testing.assert_array_equal(out, expected)


def test_temperatures_in_the_memory_of_the_output() -> None:
    x = logits((60_000, 1))
    temperature = np.full_like(x, 2.0)
    assert (asm.softmax(x, temperature=temperature, out=temperature) == 1).all()


@pytest.mark.parametrize("function", FUNCTIONS[:2])
def test_temperatures_and_masks_are_cut_with_the_logits(function) -> None:
    x = logits((7000, 40))
    rng = np.random.default_rng(2)
    temperature = rng.uniform(0.3, 3, (7000, 1)).astype(x.dtype)
    where = rng.random((7000, 40)) < 0.5
    for options in (
        {"temperature": temperature},
        {"where": where},
        {"where": where[0], "temperature": 0.5},
        {"temperature": temperature[..., 0][:, None], "where": where},
    ):
        ours = function(x, **options)
        assert_alike(ours, whole(function, x, axis=-1, **options))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_workers_change_nothing(function, shape, axis) -> None:
    x = logits(shape)
    one = function(x, axis=axis)
    with asm.workers(3):
        np.testing.assert_array_equal(function(x, axis=axis), one)


def test_results_are_the_same_from_several_threads() -> None:
    x = logits((20_000, 30))
    expected = asm.softmax(x)
    differences = []

    def compute() -> None:
        with asm.kernels.use("reference"), asm.workers(2):
            differences.extend(np.abs(asm.softmax(x) - expected).max() for _ in range(5))

    threads = [threading.Thread(target=compute) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert differences == [0] * 20


def extra_memory(call) -> int:
    """Return the most memory that NumPy holds at once during a call, in bytes."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((4_000_000, 3), 1), ((3, 4_000_000), 0), ((12_000, 1000), 0), ((12_000_000,), 0)],
)
def test_memory_is_bounded(function, dtype, shape, axis) -> None:
    x = logits(shape).astype(dtype)
    output = function(x, axis=axis).nbytes
    assert extra_memory(lambda: function(x, axis=axis)) < output + 8 * MIB
    if function is not asm.logsumexp and x.dtype.kind == "f":
        assert extra_memory(lambda: function(x, axis=axis, out=x)) < 8 * MIB


@pytest.mark.parametrize("function", FUNCTIONS)
def test_memory_is_bounded_for_special_values_too(function) -> None:
    x = logits((12_000, 1000))
    x[::7, 3] = np.inf
    output = function(x, axis=1).nbytes
    assert extra_memory(lambda: function(x, axis=1)) < output + 8 * MIB


@pytest.mark.parametrize("function", FUNCTIONS[:2])
def test_memory_does_not_grow_with_the_parts_of_several_workers(function) -> None:
    x = logits((60_000_000,))
    with asm.workers(2):
        assert extra_memory(lambda: function(x, axis=0, out=x)) < 16 * MIB


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.7},
        {"temperature": 0.7, "where": np.ones((1, 320_000), dtype=bool)},
        {"precision": "highest"},
    ],
    ids=["plain", "temperature", "temperature and mask", "highest"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_memory_of_long_slices_with_special_values(dtype, options) -> None:
    x = logits((10, 320_000), dtype)
    x[:, 3] = np.inf
    assert extra_memory(lambda: asm.log_softmax(x, out=x, **options)) < 8 * MIB


@pytest.mark.parametrize("axis", [0, 1, None])
def test_memory_is_bounded_with_weights(axis) -> None:
    x = logits((12_000, 1000))
    weights = np.ones((12_000, 1), x.dtype)
    assert extra_memory(lambda: asm.logsumexp(x, axis=axis, weights=weights)) < 8 * MIB


def test_memory_of_the_highest_precision() -> None:
    x = logits((12_000, 1000))
    assert extra_memory(lambda: asm.softmax(x, precision="highest", out=x)) < 8 * MIB


def test_memory_that_a_guard_would_miss_is_seen() -> None:
    assert extra_memory(lambda: np.ones(2 * MIB)) >= 16 * MIB


def test_large_arrays_are_cut() -> None:
    a = admit(logits((60_000, 30)), axis=1)
    layout = blocks._lay_out(a)
    assert len(layout.slices) > 5
    assert len(layout.parts) == 1
    long = blocks._lay_out(admit(logits((3_000_000,)), axis=0))
    assert len(long.parts) > 10


def test_results_lie_in_memory_as_the_logits_do() -> None:
    x = np.asfortranarray(logits((400, 400)))
    assert asm.softmax(x).flags.f_contiguous


def test_settings_of_numpy_are_left_as_they_were() -> None:
    with np.errstate(all="raise"):
        before = np.geterr(), np.getbufsize()
        asm.softmax(np.zeros((1000, 1000)))
        assert (np.geterr(), np.getbufsize()) == before
