"""`.npy`: exact results for every layout, in bounded memory."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.files import FileError, apply, npy
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
    """Make blocks so small that every array of the tests needs many, and several maps."""
    monkeypatch.setattr(npy, "BLOCK_BYTES", 512)


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


def blocks_of(shape, axes, most, *, fortran_order=False):
    header = npy.Header(shape, fortran_order, np.dtype("f8"), 0)
    return list(npy.blocks(header, axes, most))


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


def test_blocks_are_runs_of_bytes_where_they_can_be():
    array = np.zeros((100, 7, 3))
    for block in blocks_of(array.shape, (2,), 70):
        assert array[block].flags.c_contiguous
    turned = np.zeros((100, 7, 3), order="F")
    for block in blocks_of(turned.shape, (0,), 700, fortran_order=True):
        assert turned[block].flags.f_contiguous


@pytest.mark.parametrize(
    ("shape", "axis"), [((4_000_000, 10), -1), ((10, 4_000_000), 0), ((2, 10, 2_000_000), 1)]
)
def test_memory_stays_bounded(tmp_path, shape, axis):
    """160 MB of logits; the blocks in work at one time are 8 MiB each."""
    np.lib.format.open_memmap(tmp_path / "logits.npy", "w+", np.float32, shape)
    tracemalloc.start()
    try:
        apply(tmp_path / "logits.npy", tmp_path / "probs.npy", axis=axis)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 96 * 2**20
    probs = np.load(tmp_path / "probs.npy", mmap_mode="r")
    assert probs.shape == shape
    corner = tuple([0, -1][i % 2] for i in range(len(shape)))
    assert probs[corner] == np.float32(0.1)


def test_maps_are_renewed_so_that_their_pages_are_given_back(tmp_path, monkeypatch, digits):
    maps = []
    original = npy.Header.map

    def counted(header, stream, mode):
        maps.append(mode)
        return original(header, stream, mode)

    monkeypatch.setattr(npy.Header, "map", counted)
    monkeypatch.setattr(npy, "BLOCK_BYTES", 400)  # 10 rows
    np.save(tmp_path / "logits.npy", digits[:200])
    apply(tmp_path / "logits.npy", tmp_path / "probs.npy")
    assert maps == ["r", "r+"] * 3  # 20 blocks, 8 a map


@pytest.mark.usefixtures("small_blocks")
def test_progress_grows_to_one(tmp_path, digits):
    np.save(tmp_path / "logits.npy", digits)
    seen = []
    apply(tmp_path / "logits.npy", tmp_path / "probs.npy", progress=seen.append)
    assert all(a < b for a, b in itertools.pairwise(seen))
    assert len(seen) > 10
    assert seen[-1] == 1.0


def test_bytes_behind_the_array_are_ignored_as_numpy_does(tmp_path, digits):
    np.save(tmp_path / "logits.npy", digits)
    with (tmp_path / "logits.npy").open("ab") as stream:
        stream.write(b"more")
    apply(tmp_path / "logits.npy", tmp_path / "probs.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "probs.npy"), asm.softmax(digits))


def test_header_version_2(tmp_path, digits):
    with (tmp_path / "logits.npy").open("wb") as stream:
        np.lib.format.write_array(stream, digits, version=(2, 0))
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
