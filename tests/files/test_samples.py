"""Labels beside logits: read as they are meant, or one line that tells what is wrong."""

from __future__ import annotations

import io
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from anysoftmax.files import FileError, FileRequestError, read_samples, samples

DATA = Path(__file__).parent.parent / "data"
LABELS = np.load(DATA / "digits_labels.npy")
NAMED = "Cat,Dog,Bird\n3,1,0\n1,4,0\n0,0,9\n0,0,8\n"
PLAIN = "3.5,1,0\n1,4,0\n0,0,9\n0,0,8\n"
NUMBERED = "id,1,2,3\na,3,1,0\nb,1,4,0\nc,0,0,9\nd,0,0,8\n"


@pytest.fixture
def read(tmp_path):
    """Write what a file holds, text or an array, and read both files."""

    def write(name, content):
        if isinstance(content, str):
            path = tmp_path / f"{name}.csv"
            path.write_text(content)
        else:
            path = tmp_path / f"{name}.npy"
            np.save(path, content)
        return path

    def read(logits, labels):
        return read_samples(write("logits", logits), write("labels", labels))

    return read


@pytest.fixture
def refused(read, folder_state):
    """Read, assert one line that starts with the name of the file to blame, and return it."""

    def refused(logits, labels, blamed):
        with pytest.raises(FileError) as caught:
            read(logits, labels)
        line = str(caught.value)
        assert Path(line.partition(": ")[0]).stem == blamed
        assert "\n" not in line
        return line

    return refused


def test_digits():
    found = read_samples(DATA / "digits_logits.npy", DATA / "digits_labels.npy")
    np.testing.assert_array_equal(found.labels, LABELS)
    assert found.logits.shape == (899, 10)


def test_one_table_holds_both():
    found = read_samples(DATA / "digits_logits.csv", DATA / "digits_logits.csv")
    np.testing.assert_array_equal(found.labels, LABELS[:50])
    np.testing.assert_allclose(found.logits, np.load(DATA / "digits_logits.npy")[:50], rtol=1e-6)


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (NAMED, "Cat\nDog\nBird\nBird\n"),  # no header: the first is the name of a class
        (NAMED, "animal\nCat\nDog\nBird\nBird\n"),
        (NAMED, " Cat \nDog\n Bird\nBird\n"),
        (NAMED, "0\n1\n2\n2\n"),
        (NAMED, "label\n0\n1\n2\n2"),
        (NAMED, "digit\n0\n1\nBird\n2\n"),
        (NAMED, "id,label\n7,0\n8,1\n9,2\n10,2\n"),
        (NAMED, "Target,id,note\nCat,8,x\nDog,9,y\nBird,10,z\nBird,11,z\n"),
        (NAMED, ",animal\n0,Cat\n1,Dog\n2,Bird\n3,Bird\n"),  # as pandas writes a series
        (NAMED, np.asarray([0, 1, 2, 2], np.uint8)),
        (PLAIN, "0\n1\n2\n2\n"),
        (PLAIN, "label\n0\n1\n2\n2\n"),
        (PLAIN, np.asarray([0, 1, 2, 2], ">i2")),
        (np.eye(4, 3), "0\n1\n2\n2\n"),
        (NUMBERED, "1\n2\n3\n3\n"),  # numbers that name classes are names
        (NUMBERED, np.asarray([1, 2, 3, 3])),
        ("0,1,2,label\n5,5,6,0\n5,5,6,1\n5,5,6,2\n5,5,6,2\n", "0\n1\n2\n2\n"),
    ],
)
def test_labels_as_they_are_meant(read, logits, labels):
    found = read(logits, labels)
    np.testing.assert_array_equal(found.labels, [0, 1, 2, 2])
    assert found.logits.shape == (4, 3)


@pytest.mark.parametrize(
    ("logits", "labels", "blamed", "says"),
    [
        (NAMED, "Cat\nDog\nCow\nDog", "labels", "line 3: 'Cow' is no class: write a whole number"),
        (NAMED, "Cat\nDog\nCow\nDog", "labels", "0 to 2, or a name: Cat, Dog, Bird"),
        (NAMED, "Cat\nDog\n3\nDog", "labels", "line 3: the label 3 is out of range for 3 classes"),
        (NAMED, "0\n" + "9" * 9999 + "\n0\n0", "labels", "is out of range for 3 classes"),
        (NAMED, "Cat\nDog\n-1\nDog", "labels", "line 3: the label -1 is out of range"),
        (NAMED, "0\n1.0\n1\n1", "labels", "line 2: '1.0' is no class: write a whole number"),
        (NAMED, "0\n1\nnan\n1", "labels", "line 3: 'nan' is no class"),
        (NAMED, "label,id\n0,1\n,2\n1,3\n1,4\n", "labels", "line 3: '' is no class"),
        (NAMED, "0\n\n1\n1\n1\n", "labels", "line 2 is blank"),
        (NAMED, "", "labels", "is empty"),
        (NAMED, "label\n", "labels", "has 0 labels for the 4 samples of"),
        (NAMED, "0\n1\n", "labels", "has 2 labels for the 4 samples of"),
        (NAMED, "0,1\n1,1\n", "labels", "2 columns, of which none is named label or target"),
        (NAMED, "a,b\n0,1\n", "labels", "2 columns, of which none is named label or target"),
        (NAMED, "label,target\n0,1\n", "labels", "2 columns, of which several are named"),
        (NUMBERED, "1\n0\n3\n2\n", "labels", "line 2: '0' is no class: the columns of"),
        (NUMBERED, np.asarray([1, 2, 3, 4]), "labels", "row 3 (from 0): '4' is no class"),
        ("A,A,B\n1,2,3.5\n", "A\n", "labels", "'A' is the name of several columns"),
        (PLAIN, "Cat\nDog\nDog\nDog\nDog\n", "labels", "line 2: 'Dog' is no class"),
        (np.eye(3), np.asarray([0, 1, 3]), "labels", "row 2 (from 0): the label 3 is out of range"),
        (np.eye(3), np.asarray([0, -1, 3]), "labels", "row 1 (from 0): the label -1 is out of"),
        (np.eye(3), np.asarray([0.0, 1.0, 2.0]), "labels", "holds float64: labels must be class"),
        (np.eye(3), np.asarray([True] * 3), "labels", "holds bool: labels must be class numbers"),
        (np.eye(3), np.asarray(["a"] * 3), "labels", "holds <U1: labels must be class numbers"),
        (np.eye(3), np.asarray([0, 1]), "labels", "has 2 labels for the 3 samples"),
        (np.eye(3), np.asarray([[0], [1], [2]]), "labels", "shape (3, 1): (3,) is needed"),
        (np.eye(3), np.eye(3, dtype=int), "labels", "take the argmax of one-hot rows"),
        (np.zeros((3, 1)), np.zeros(3, int), "logits", "has one class, whose probability is 1"),
        ("A\n1\n2\n", "0\n0\n", "logits", "has one class"),
        (np.zeros((0, 3)), np.zeros(0, int), "logits", "holds nothing: its shape is (0, 3)"),
        (np.zeros((3, 0)), np.zeros(3, int), "logits", "holds nothing: its shape is (3, 0)"),
        (np.zeros(3), np.zeros(3, int), "logits", "shape (3,): logits need a row for each sample"),
        (np.zeros(()), np.zeros(()), "logits", "shape (): logits need a row for each sample"),
        ("A,B\n1,x\n", "0\n", "logits", "has one class"),
        ("A,B\n1,2\n1,x\n", "0\n0\n", "logits", "line 3, column 2 ('B'): 'x' is not a number"),
    ],
)
def test_labels_that_do_not_fit(refused, logits, labels, blamed, says):
    assert says in refused(logits, labels, blamed)


def test_long_cells_and_many_names_are_cut(refused):
    names = [f"class {i}" for i in range(1000)]
    logits = ",".join(names) + "\n" + ",".join(["0.5"] * 1000) + "\n"
    line = refused(logits, "label\n" + "x" * 10_000 + "\n", "labels")
    assert len(line) < 500


def test_one_stream_cannot_be_both():
    stream = io.StringIO("Cat,Dog\n1,2\n")
    with pytest.raises(FileRequestError, match="standard input can be read once"):
        read_samples(stream, stream)


def test_a_stream_beside_a_file(tmp_path):
    (tmp_path / "labels.csv").write_text("Dog\n")
    found = read_samples(io.StringIO("Cat,Dog\n1,2\n"), tmp_path / "labels.csv")
    assert found.labels.tolist() == [1]
    (tmp_path / "logits.csv").write_text("Cat,Dog\n1,2\n")
    assert read_samples(tmp_path / "logits.csv", io.StringIO("0\n")).labels.tolist() == [0]


@pytest.mark.parametrize("missing", ["logits", "labels"])
def test_missing_files_and_folders(tmp_path, missing):
    np.save(tmp_path / "good.npy", np.eye(2))
    bad = {"missing.npy": "no such file", "folder.npy": "is a directory", "fifo.npy": "regular"}
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "fifo.npy")
    for name, says in bad.items():
        places = [tmp_path / name, DATA / "digits_labels.npy"]
        if missing == "labels":
            places = [DATA / "digits_logits.npy", tmp_path / name]
        with pytest.raises(FileError, match=rf"{name}: .*{says}"):
            read_samples(*places)
    with pytest.raises(FileRequestError, match=r"the suffix '\.txt' names no known format"):
        read_samples(tmp_path / "a.txt", tmp_path / "b.npy")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(50, 3), (4, 5, 6, 3)])
def test_blocks_pair_logits_with_their_labels(read, monkeypatch, shape, order):
    monkeypatch.setattr(samples, "BLOCK_ELEMENTS", 7)
    labels = np.random.default_rng(0).integers(0, 3, shape[:-1])
    logits = np.asarray(np.eye(3, dtype=np.float32)[labels], order=order)
    found = read(logits, np.asarray(labels, order=order))
    seen = 0
    for block, of_block in found.blocks():
        assert block.dtype == np.float64
        np.testing.assert_array_equal(np.argmax(block, axis=-1), of_block)
        assert block.size <= 7
        seen += of_block.size
    assert seen == labels.size


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ([0, np.nan, 1], "the logit of class 1 is NaN"),
        ([np.inf, 0, np.inf], "several logits are +inf"),
        ([-np.inf] * 3, "all logits are -inf"),
        ([np.inf, np.nan, 0], "the logit of class 1 is NaN"),
    ],
)
@pytest.mark.parametrize("shape", [(50, 3), (4, 5, 6, 3)])
def test_the_first_sample_without_probabilities_is_named(read, monkeypatch, shape, row, says):
    monkeypatch.setattr(samples, "BLOCK_ELEMENTS", 20)
    logits = np.zeros(shape)
    logits[..., 0] = -np.inf  # neither this
    logits[0, ..., 1] = np.inf  # nor this is wrong
    index = (40,) if len(shape) == 2 else (3, 4, 2)
    logits[index] = row
    logits[(-1,) * len(index)] = row
    found = read(logits, np.zeros(shape[:-1], int))
    named = index[0] if len(index) == 1 else index
    with pytest.raises(FileError) as caught:
        found.refuse_undefined()
    assert f"row {named} (from 0): {says}" in str(caught.value)
    logits[..., :] = [0.0, 1.0, -np.inf]
    read(logits, np.zeros(shape[:-1], int)).refuse_undefined()


def test_a_large_array_is_mapped_not_read(tmp_path):
    """Half a gigabyte with a hole for content."""
    np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (20_000_000, 6)).flush()
    np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.uint8, (20_000_000,)).flush()
    tracemalloc.start()
    try:
        found = read_samples(tmp_path / "x.npy", tmp_path / "y.npy")
        block, _ = next(found.blocks())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert block.shape[1] == 6
    assert peak < 96 * 2**20


def test_progress_of_a_table(tmp_path):
    (tmp_path / "logits.csv").write_text("a,b\n" + "1.5,2.5\n" * 100_000)
    (tmp_path / "labels.csv").write_text("0\n" * 100_000)
    seen = []
    places = tmp_path / "logits.csv", tmp_path / "labels.csv"
    read_samples(*places, progress=lambda *told: seen.append(told))
    assert seen == sorted(seen)
    assert seen[-1] == (8 * 100_000 + 4,) * 2


def test_damaged_labels_never_do_more_than_raise(tmp_path):
    np.save(tmp_path / "good.npy", LABELS[:2])
    np.save(tmp_path / "logits.npy", np.zeros((2, 10)))
    good = (tmp_path / "good.npy").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(500):
        bad = bytearray(good)
        for place in random.integers(0, 128, size=random.integers(1, 4)):
            bad[place] = random.choice(list(b"0123456789-[]{}()'\",:|<>fuiOS \x00\xff"))
        (tmp_path / "bad.npy").write_bytes(bad)
        try:
            read_samples(tmp_path / "logits.npy", tmp_path / "bad.npy")
        except FileError as error:
            assert str(error).startswith(str(tmp_path / "bad.npy"))  # noqa: PT017
