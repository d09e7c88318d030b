"""`.npy`: exact results for every layout, in bounded memory."""

from __future__ import annotations

import itertools
import threading
import tracemalloc
import warnings

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.files import FileError, apply, conversion
from anysoftmax.files.layout import blocks
from anysoftmax.files.operation import Operation
from anysoftmax.testing.bounds import expect, judge
from anysoftmax.testing.formats import FORMATS


@pytest.fixture
def run(tmp_path):
    """Save an array, apply the softmax to the file, load the result."""

    def run(array, **options):
        np.save(tmp_path / "logits.npy", array)
        apply(tmp_path / "logits.npy", tmp_path / "probs.npy", overwrite=True, **options)
        return np.load(tmp_path / "probs.npy")

    return run


@pytest.fixture
def small_blocks(monkeypatch):
    """Make blocks so small that every array of the tests needs many, and long slices parts."""
    monkeypatch.setattr(conversion, "BLOCK_BYTES", 512)
    monkeypatch.setattr(conversion, "WHOLE", 2)
    monkeypatch.setattr(conversion, "RUN_BYTES", 64)


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0, np.inf])
@pytest.mark.parametrize("log", [False, True], ids=["softmax", "log_softmax"])
def test_digits_match_exact_arithmetic(run, digits, log, temperature):
    result = run(digits, log=log, temperature=temperature)
    function = "log_softmax" if log else "softmax"
    assert result.dtype == np.float32
    judge(
        result,
        expect(function, FORMATS["float32"], digits, axis=-1, temperature=temperature),
    )


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "i1", ">i2", "u4"])
@pytest.mark.usefixtures("small_blocks")
def test_every_layout_matches_exact_arithmetic(run, digits, dtype, order, axis):
    array = np.asarray(np.abs(digits[:60]) if dtype == "u4" else digits[:60]).astype(dtype)
    result = run(np.asarray(array, order=order), axis=axis)
    format_ = FORMATS["float64" if array.dtype.kind in "iu" else f"float{8 * array.itemsize}"]
    assert result.dtype == np.dtype(format_.name)
    assert result.dtype.isnative
    judge(result, expect("softmax", format_, array, axis=axis))


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis", "order"),
    [
        (shape, axis, order)
        for shape in [(), (7,), (1,), (40, 9), (3, 50, 6), (2, 3, 4, 30), (1, 1, 77), (600, 1)]
        for axis in range(-max(len(shape), 1), max(len(shape), 1))
        for order in "CF"
    ],
)
@pytest.mark.usefixtures("small_blocks")
def test_blocks_give_what_the_whole_array_gives(run, shape, axis, order, log):
    array = np.random.default_rng(0).normal(scale=5.0, size=shape).astype(np.float32)
    function = asm.log_softmax if log else asm.softmax
    result = run(np.asarray(array, order=order), axis=axis, log=log)
    assert result.shape == shape
    # Within a few rounding errors, not to the bit: how a sum is grouped may follow the layout.
    np.testing.assert_allclose(result, function(array, axis=axis), rtol=2e-6, atol=0)


@pytest.mark.parametrize("shape", [(0, 10), (10, 0), (0,), (3, 0, 2)])
def test_empty_arrays_give_empty_arrays(run, shape):
    result = run(np.zeros(shape, dtype=np.float32))
    assert (result.shape, result.dtype) == (shape, np.float32)


def test_memory_order_is_kept(run, digits):
    assert run(np.asfortranarray(digits)).flags.f_contiguous
    assert run(digits).flags.c_contiguous


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", np.float64, np.dtype("f4")])
def test_dtype_casts_first(run, digits, dtype):
    result = run(digits, dtype=dtype)
    assert result.dtype == np.dtype(dtype)
    cast = digits[:50].astype(dtype)
    judge(result[:50], expect("softmax", FORMATS[result.dtype.name], cast, axis=-1))


@pytest.mark.usefixtures("small_blocks")
def test_special_values_pass_through_blocks(run):
    rows = [[1.0, np.nan], [np.inf, 0.0], [np.inf, np.inf], [-np.inf, -np.inf], [0.0, -np.inf]]
    result = run(np.asarray(rows * 50))
    expected = [[np.nan, np.nan], [1, 0], [np.nan, np.nan], [np.nan, np.nan], [1, 0]]
    np.testing.assert_array_equal(result, expected * 50)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0, np.inf, 1e-300])
@pytest.mark.usefixtures("small_blocks")
def test_slices_in_parts_give_what_whole_slices_give(run, temperature, log, order):
    """What is special about a slice may stand in a part far from the one that is computed."""
    columns = np.random.default_rng(0).normal(scale=9.0, size=(900, 8)).astype(np.float32)
    columns[700, 0] = np.nan
    columns[701, 1] = np.inf
    columns[[5, 702], 2] = np.inf
    columns[:, 3] = -np.inf
    columns[:800, 4] = -np.inf
    columns[:, 5] = columns[0, 5]  # ties
    columns[899, 6] = 3e38
    function = asm.log_softmax if log else asm.softmax
    options = {"axis": 0, "temperature": temperature}
    result = run(np.asarray(columns, order=order), log=log, **options)
    np.testing.assert_allclose(result, function(columns, **options), rtol=2e-6, atol=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "i2"])
@pytest.mark.usefixtures("small_blocks")
def test_workers_change_no_bit(run, axis, dtype):
    array = np.random.default_rng(0).normal(scale=9.0, size=(16, 30, 20)).astype(dtype)
    alone = run(array, axis=axis)
    assert run(array, axis=axis, workers=4).tobytes() == alone.tobytes()
    with asm.workers(3):
        assert run(array, axis=axis).tobytes() == alone.tobytes()


@pytest.mark.usefixtures("small_blocks")
def test_workers_take_blocks_at_the_same_time(run, digits, monkeypatch):
    meeting = threading.Barrier(3, timeout=10)
    original = Operation.__call__

    def meet(operation, *arguments, **options):
        meeting.wait()
        return original(operation, *arguments, **options)

    monkeypatch.setattr(Operation, "result_dtype", lambda *_: np.dtype("f4"))
    monkeypatch.setattr(Operation, "__call__", meet)
    assert run(digits[: 12 * 9], workers=3).shape == (108, 10)


@pytest.mark.parametrize(
    ("workers", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("2", TypeError)]
)
def test_a_number_of_workers_that_is_none(tmp_path, digits, folder_state, workers, error):
    np.save(tmp_path / "logits.npy", digits)
    before = folder_state()
    with pytest.raises(error, match="number of workers must be"):
        apply(tmp_path / "logits.npy", tmp_path / "probs.npy", workers=workers)
    assert folder_state() == before


@pytest.mark.parametrize("kernel", ["reference", "numba"])
def test_slices_in_parts_by_the_kernel_that_is_asked_for(tmp_path, digits, monkeypatch, kernel):
    """What is left to do when the slices are known has no kernel, and was once an error."""
    monkeypatch.setattr(conversion, "BLOCK_BYTES", 512)
    np.save(tmp_path / "logits.npy", digits)
    with asm.kernels.use(kernel):
        apply(tmp_path / "logits.npy", tmp_path / "probs.npy", axis=0)
    result = np.load(tmp_path / "probs.npy")
    np.testing.assert_allclose(result, asm.softmax(digits, axis=0), rtol=2e-6)


def blocks_of(shape, axes, most, **options):
    return list(blocks(shape, axes, most, **options))


@pytest.mark.parametrize("most", [1, 5, 24, 100, 10**6])
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2)])
@pytest.mark.parametrize("fortran_order", [False, True])
def test_blocks_cover_every_element_once(axes, most, fortran_order):
    shape = (4, 6, 5)
    count = np.zeros(shape, dtype=int)
    blocks = blocks_of(shape, axes, most, fortran_order=fortran_order)
    for block in blocks:
        count[block] += 1
    assert (count == 1).all()
    slice_size = int(np.prod([shape[a] for a in axes]))
    largest = max(count[block].size for block in blocks)
    assert largest <= max(most, slice_size)
    for block in blocks:  # whole slices only
        assert all(count[block].shape[a] == shape[a] for a in axes)


def test_no_run_is_shorter_than_asked_for():
    shape = (4, 6, 50)
    for block in blocks_of(shape, (1,), 30, run=20):
        part = np.zeros(shape)[block]
        assert part.shape[1] == 6
        assert part.shape[2] in {20, 10}  # 50 of them, 20 in a run


def test_blocks_are_runs_of_bytes_where_they_can_be():
    array = np.zeros((100, 7, 3))
    for block in blocks_of(array.shape, (2,), 70):
        assert array[block].flags.c_contiguous
    turned = np.zeros((100, 7, 3), order="F")
    for block in blocks_of(turned.shape, (0,), 700, fortran_order=True):
        assert turned[block].flags.f_contiguous


@pytest.mark.parametrize(
    ("shape", "axis", "workers"),
    [
        ((4_000_000, 10), -1, 1),
        ((4_000_000, 10), -1, 2),
        ((10, 4_000_000), 0, 1),
        ((2, 10, 2_000_000), 1, 1),
        ((4_000_000, 10), 0, 1),
        ((40_000_000,), 0, 2),
    ],
)
def test_memory_stays_bounded(tmp_path, shape, axis, workers):
    """160 MB of logits; the blocks in work at one time are 4 MiB each."""
    np.lib.format.open_memmap(tmp_path / "logits.npy", "w+", np.float32, shape)
    asm.softmax(np.zeros((10_000, 100), np.float32))  # what is compiled first is no part of it
    tracemalloc.start()
    try:
        apply(tmp_path / "logits.npy", tmp_path / "probs.npy", axis=axis, workers=workers)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * 2**20 * workers
    probs = np.load(tmp_path / "probs.npy", mmap_mode="r")
    assert probs.shape == shape
    corner = tuple([0, -1][i % 2] for i in range(len(shape)))
    assert probs[corner] == np.float32(1 / shape[axis])


@pytest.mark.parametrize(("axis", "times"), [(-1, 1), (0, 2)])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.usefixtures("small_blocks")
def test_progress_counts_the_bytes_that_are_read(tmp_path, digits, axis, times, workers):
    np.save(tmp_path / "logits.npy", digits)
    seen, threads = [], set()

    def look(done, total):
        seen.append(done)
        threads.add(threading.current_thread())
        assert total == times * digits.nbytes

    apply(
        tmp_path / "logits.npy", tmp_path / "probs.npy", axis=axis, workers=workers, progress=look
    )
    assert all(a < b for a, b in itertools.pairwise(seen))
    assert workers > 1 or len(seen) > 10
    assert seen[-1] == times * digits.nbytes
    assert threads == {threading.current_thread()}


def test_bytes_behind_the_array_are_ignored_as_numpy_does(tmp_path, digits):
    np.save(tmp_path / "logits.npy", digits)
    with (tmp_path / "logits.npy").open("ab") as stream:
        stream.write(b"more")
    apply(tmp_path / "logits.npy", tmp_path / "probs.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "probs.npy"), asm.softmax(digits))


@pytest.mark.parametrize("version", [(2, 0), (3, 0)])
def test_later_versions_of_the_header(tmp_path, digits, version):
    with (tmp_path / "logits.npy").open("wb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # older readers know the first one only
        np.lib.format.write_array(stream, digits, version=version)
    apply(tmp_path / "logits.npy", tmp_path / "probs.npy")
    assert np.load(tmp_path / "probs.npy").shape == digits.shape


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.asarray([True, False]), "holds bool"),
        (np.asarray([1j, 2.0]), "holds complex128"),
        (np.asarray(["a", "b"]), "holds <U1"),
        (np.asarray([{}, None], dtype=object), "pickled Python objects, which are never loaded"),
        (np.zeros(2, dtype=[("a", "f4")]), "holds"),
        (np.zeros(2, dtype="M8[s]"), "holds datetime64"),
        (np.zeros(2, dtype=np.longdouble), "at most 64 bits"),
    ],
    ids=lambda case: getattr(getattr(case, "dtype", None), "name", None),
)
def test_arrays_that_are_no_logits(tmp_path, folder_state, array, says):
    np.save(tmp_path / "logits.npy", array, allow_pickle=True)
    before = folder_state()
    with pytest.raises(FileError, match=says):
        apply(tmp_path / "logits.npy", tmp_path / "probs.npy")
    assert folder_state() == before


def test_more_axes_than_numpy_has(tmp_path, folder_state):
    with (tmp_path / "logits.npy").open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": (1,) * 70}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(b"\0" * 4)
    before = folder_state()
    with pytest.raises(FileError, match=r"logits\.npy: has 70 axes, NumPy's arrays at most 64"):
        apply(tmp_path / "logits.npy", tmp_path / "probs.npy")
    assert folder_state() == before


@pytest.mark.parametrize("kept", [0, 1, 6, 8, 10, 100, 127, 128, 129, -1])
def test_every_truncation_is_found(tmp_path, folder_state, digits, kept):
    np.save(tmp_path / "logits.npy", digits)
    whole = (tmp_path / "logits.npy").read_bytes()
    (tmp_path / "logits.npy").write_bytes(whole[:kept])
    before = folder_state()
    with pytest.raises(FileError, match=r"is truncated|not a \.npy file") as caught:
        apply(tmp_path / "logits.npy", tmp_path / "probs.npy")
    assert str(tmp_path / "logits.npy") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert folder_state() == before


def test_damaged_headers_never_do_more_than_raise(tmp_path, digits):
    np.save(tmp_path / "good.npy", digits[:2])
    good = (tmp_path / "good.npy").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(1500):
        bad = bytearray(good)
        for place in random.integers(0, 128, size=random.integers(1, 4)):
            bad[place] = random.choice(list(b"0123456789-[]{}()'\",:|<>fuiOS \x00\xff"))
        (tmp_path / "bad.npy").write_bytes(bad)
        try:
            apply(tmp_path / "bad.npy", tmp_path / "probs.npy", overwrite=True)
        except FileError as error:
            assert str(error).startswith(str(tmp_path / "bad.npy"))  # noqa: PT017
