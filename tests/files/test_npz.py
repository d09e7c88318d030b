"""`.npz`: one array by its name, the others as they were, and nothing taken on trust."""

from __future__ import annotations

import contextlib
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.files import FileError, FileRequestError, apply, conversion, read_samples
from anysoftmax.testing.bounds import expect, judge
from anysoftmax.testing.formats import FORMATS

LABELS = np.load(Path(__file__).parent.parent / "data" / "digits_labels.npy")
NAMES = np.asarray(["Cat", "Dog", "Bird"])
SAVE = {zipfile.ZIP_STORED: np.savez, zipfile.ZIP_DEFLATED: np.savez_compressed}


@pytest.fixture
def places(tmp_path):
    return tmp_path / "logits.npz", tmp_path / "probs.npz"


@pytest.mark.parametrize("method", SAVE)
@pytest.mark.parametrize("log", [False, True], ids=["softmax", "log_softmax"])
def test_the_result_stands_among_the_other_members(places, digits, method, log):
    digits = digits[:100]
    SAVE[method](places[0], labels=LABELS, logits=digits, names=NAMES)
    apply(*places, log=log)
    with np.load(places[1]) as found:
        assert list(found) == ["labels", "logits", "names"]
        np.testing.assert_array_equal(found["labels"], LABELS)
        np.testing.assert_array_equal(found["names"], NAMES)
        function = "log_softmax" if log else "softmax"
        judge(found["logits"], expect(function, FORMATS["float32"], digits, axis=-1))
    with zipfile.ZipFile(places[1]) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {method}
        assert archive.testzip() is None


def test_what_is_no_array_is_copied_as_well(places):
    with zipfile.ZipFile(places[0], "w") as archive:
        archive.comment = b"of last week"
        with archive.open("x.npy", "w") as member:
            np.save(member, np.zeros((2, 4)))
        archive.writestr("notes/ä.txt", "as they are")
        archive.writestr("empty/", "")
    apply(*places)
    with zipfile.ZipFile(places[1]) as archive:
        assert archive.namelist() == ["x.npy", "notes/ä.txt", "empty/"]
        assert archive.read("notes/ä.txt") == b"as they are"
        assert archive.comment == b"of last week"
    assert np.load(places[1])["x"].tolist() == [[0.25] * 4] * 2


@pytest.mark.parametrize("member", ["val", "test"])
def test_a_member_by_name(places, member):
    arrays = {"val": np.zeros((2, 4)), "test": np.zeros((3, 5), np.float32)}
    np.savez(places[0], **arrays)
    apply(*places, member=member)
    with np.load(places[1]) as found:
        for name, array in arrays.items():
            expected = asm.softmax(array) if name == member else array
            np.testing.assert_array_equal(found[name], expected)
            assert found[name].dtype == array.dtype


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_of_any_layout(places, monkeypatch, axis, order):
    monkeypatch.setattr(conversion, "BLOCK_BYTES", 512)
    monkeypatch.setattr(conversion, "RUN_BYTES", 64)
    array = np.random.default_rng(0).normal(size=(30, 20, 10)).astype(">f4", order=order)
    np.savez_compressed(places[0], array)
    apply(*places, axis=axis, workers=2)
    expected = asm.softmax(array.astype("f4"), axis=axis)
    np.testing.assert_allclose(np.load(places[1])["arr_0"], expected, rtol=2e-6)


def test_the_source_as_target(places, digits):
    np.savez(places[0], logits=digits)
    apply(places[0], places[0], overwrite=True)
    np.testing.assert_array_equal(np.load(places[0])["logits"], asm.softmax(digits))


@pytest.mark.parametrize("shape", [(0, 10), (10, 0), ()])
def test_small_shapes(places, shape):
    np.savez(places[0], np.zeros(shape))
    apply(*places)
    assert np.load(places[1])["arr_0"].shape == shape


def test_progress_grows_to_its_total(places, digits):
    np.savez(places[0], digits)
    seen = []
    apply(*places, progress=lambda *told: seen.append(told))
    assert seen == sorted(seen)
    assert len({total for _, total in seen}) == 1
    assert seen[-1][0] == seen[-1][1]


def test_memory_stays_bounded(tmp_path, places):
    """40 MB that take 40 kB when they are packed."""
    np.savez_compressed(places[0], np.zeros((1_000_000, 10), np.float32))
    asm.softmax(np.zeros((10_000, 100), np.float32))  # what is compiled first is no part of it
    tracemalloc.start()
    try:
        apply(*places)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * 2**20
    assert places[1].stat().st_size < 2**20


def save(path, **arrays):
    np.savez(path, allow_pickle=True, **arrays)


def write_twice(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", "2")


def write_other(path, name, content, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, content)


def damage(path, at, *, cut=False):
    """Save an array and change a byte, or leave out what follows."""
    np.savez_compressed(path, logits=np.random.default_rng(0).normal(size=(50, 3)))
    whole = bytearray(path.read_bytes())
    whole[at] ^= 0xFF
    path.write_bytes(whole[:at] if cut else whole)


def encrypt(path):
    np.savez(path, logits=np.eye(2))
    whole = path.read_bytes()
    head, body = whole.index(b"PK\x03\x04") + 6, whole.index(b"PK\x01\x02") + 8
    path.write_bytes(whole[:head] + b"\x01" + whole[head + 1 : body] + b"\x01" + whole[body + 1 :])


BAD = {
    "empty": (lambda path: path.write_bytes(b""), "is not a .npz file: it is empty"),
    "no zip": (lambda path: path.write_bytes(b"1,2\n" * 50), "is not a .npz file: it is damaged"),
    "no arrays": (np.savez, "holds no arrays"),
    "text": (lambda path: write_other(path, "a.txt", "1"), "holds no arrays"),
    "no npy": (lambda path: write_other(path, "a.npy", "1,2"), "'a': is not a .npy file"),
    "twice": (write_twice, "has several members of one name"),
    "lzma": (
        lambda path: write_other(path, "a.npy", "1", zipfile.ZIP_LZMA),
        "'a' is packed in an unusual way: write it by numpy.savez_compressed",
    ),
    "objects": (
        lambda path: save(path, a=np.asarray([{}], dtype=object)),
        "'a': holds pickled Python objects, which are never loaded",
    ),
    "flags": (lambda path: save(path, a=np.asarray([True])), "'a': holds bool: logits must be"),
    "damaged": (lambda path: damage(path, 200), "'logits' cannot be unpacked: "),
    "checksum": (lambda path: damage(path, -62), "'logits' cannot be unpacked: Bad CRC-32"),
    "truncated": (lambda path: damage(path, 900, cut=True), "is not a .npz file: it is damaged"),
    "encrypted": (encrypt, "'logits' is encrypted"),
}


@pytest.mark.parametrize("kind", BAD)
def test_files_that_are_none(places, folder_state, kind):
    write, says = BAD[kind]
    write(places[0])
    before = folder_state()
    with pytest.raises(FileError) as caught:
        apply(*places)
    assert str(caught.value).startswith(f"{places[0]}: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert folder_state() == before


def test_a_damaged_member_that_is_only_copied(places, folder_state):
    np.savez(places[0], logits=np.eye(2), ids=np.arange(3))
    whole = bytearray(places[0].read_bytes())
    whole[whole.index(b"ids.npy") + 150] ^= 0xFF
    places[0].write_bytes(whole)
    before = folder_state()
    with pytest.raises(FileError, match="'ids' cannot be unpacked: Bad CRC-32"):
        apply(*places)
    assert folder_state() == before


@pytest.mark.parametrize(
    ("names", "member", "says"),
    [
        (["a", "b"], None, "holds the arrays 'a', 'b', of which none is named logits: name one"),
        (["a", "b"], "c", "has no array 'c': name one of 'a', 'b'"),
        (["logits", "b"], "c", "has no array 'c': name one of 'logits', 'b'"),
        ([f"layer{i}" for i in range(100)], None, "'layer9', ..., of which none is named logits"),
    ],
)
def test_members_that_are_not_named(places, folder_state, names, member, says):
    np.savez(places[0], **dict.fromkeys(names, np.eye(2)))
    before = folder_state()
    with pytest.raises(FileRequestError) as caught:
        apply(*places, member=member)
    assert says in str(caught.value)
    assert folder_state() == before


@pytest.mark.parametrize("name", ["labels", "label", "target"])
def test_one_file_holds_logits_and_labels(places, digits, name):
    np.savez_compressed(places[0], **{"logits": digits, name: LABELS, "ids": np.arange(899)})
    found = read_samples(places[0], places[0])
    np.testing.assert_array_equal(found.logits, digits)
    np.testing.assert_array_equal(found.labels, LABELS)


def test_samples_of_the_only_members(tmp_path, places, digits):
    np.savez(places[0], digits)
    np.savez_compressed(tmp_path / "labels.npz", LABELS)
    found = read_samples(places[0], tmp_path / "labels.npz")
    np.testing.assert_array_equal(found.labels, LABELS)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"logits": np.eye(2), "ids": np.arange(2)}, "of which none is named label or labels or"),
        ({"logits": np.eye(2), "label": [0, 1], "target": [0, 1]}, "several are named label or"),
        ({"logits": np.eye(2), "label": [0.0, 1.0]}, "'label': holds float64: labels must be"),
        ({"logits": np.eye(2), "label": [0, 2]}, "'label': row 1 (from 0): the label 2 is out of"),
        ({"a": np.eye(2), "label": [0, 1]}, "of which none is named logits"),
    ],
)
def test_samples_that_are_none(places, arrays, says):
    np.savez(places[0], **arrays)
    with pytest.raises(FileError) as caught:
        read_samples(places[0], places[0])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_files_never_do_more_than_raise(places):
    np.savez_compressed(places[0], logits=np.eye(2), ids=np.arange(3))
    good = places[0].read_bytes()
    random = np.random.default_rng(0)
    for _ in range(300):
        bad = bytearray(good)
        for place in random.integers(0, len(good), size=random.integers(1, 4)):
            bad[place] = random.integers(256)
        places[0].write_bytes(bad)
        with contextlib.suppress(FileError):
            apply(*places, overwrite=True)
