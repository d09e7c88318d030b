"""`.csv`: exact results in the columns of numbers, everything else as it was."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.files import FileError, apply, delimited, read_samples
from anysoftmax.testing.bounds import expect, judge
from anysoftmax.testing.formats import FORMATS

TABLE = Path(__file__).parent.parent / "data" / "digits_logits.csv"


@pytest.fixture
def run(tmp_path):
    """Write a table, apply the softmax to the file, return the rows of the result."""

    def run(text, **options):
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "logits.csv").write_bytes(data)
        apply(tmp_path / "logits.csv", tmp_path / "probs.csv", overwrite=True, **options)
        with (tmp_path / "probs.csv").open(newline="", encoding="utf-8") as stream:
            return list(csv.reader(stream))

    return run


def read_table(path):
    with path.open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    return header, np.asarray([row[:10] for row in rows], np.float64), [row[10] for row in rows]


@pytest.mark.parametrize("axis", [-1, 0, 1, -2])
@pytest.mark.parametrize("log", [False, True], ids=["softmax", "log_softmax"])
@pytest.mark.parametrize("batch_cells", [2**16, 30])
def test_digits_match_exact_arithmetic(tmp_path, monkeypatch, batch_cells, log, axis):
    monkeypatch.setattr(delimited, "BATCH_CELLS", batch_cells)
    apply(TABLE, tmp_path / "probs.csv", log=log, axis=axis)
    header, logits, labels = read_table(TABLE)
    new_header, probs, new_labels = read_table(tmp_path / "probs.csv")
    assert (new_header, new_labels) == (header, labels)
    function = "log_softmax" if log else "softmax"
    judge(probs, expect(function, FORMATS["float64"], logits, axis=axis))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_read_back_to_the_bit(tmp_path, dtype):
    apply(TABLE, tmp_path / "probs.csv", dtype=dtype, temperature=0.7)
    _, logits, _ = read_table(TABLE)
    _, probs, _ = read_table(tmp_path / "probs.csv")
    exact = asm.softmax(logits.astype(dtype), temperature=0.7)
    np.testing.assert_array_equal(probs.astype(dtype), exact)


def test_columns_that_are_not_classes_stay_in_place(run):
    rows = run("name,Cat,ID,Dog,Label, target \nTom,0,17,0,3,2\nRex,1,18,1,4,5\n")
    assert rows == [
        ["name", "Cat", "ID", "Dog", "Label", " target "],
        ["Tom", "0.5", "17", "0.5", "3", "2"],
        ["Rex", "0.5", "18", "0.5", "4", "5"],
    ]


def test_quoted_text_comes_back_the_same(run):
    text = 'id,"a ""quoted"" name",Cat,Dog\n1,"comma, quote "" and\nnew line",0,0\n2,"\r",0,0\n'
    expected = [[*row[:2], "0.5", "0.5"] for row in list(csv.reader(io.StringIO(text, "")))[1:]]
    assert run(text)[1:] == expected


def test_text_in_any_encoding_keeps_its_bytes(tmp_path):
    (tmp_path / "logits.csv").write_bytes("id,Kätzchen,Dog\nä,0,0\n".encode("latin-1"))
    apply(tmp_path / "logits.csv", tmp_path / "probs.csv")
    expected = "id,Kätzchen,Dog\nä,0.5,0.5\n".encode("latin-1")
    assert (tmp_path / "probs.csv").read_bytes() == expected


def test_tabs_and_commas_change_places(tmp_path):
    """Quotes stand where the delimiter of the file needs them."""
    text = 'id\tCat\tDog\n"a\tb, c"\t0\t0\nd, e\t5\tinf\n'
    (tmp_path / "logits.tsv").write_text(text)
    apply(tmp_path / "logits.tsv", tmp_path / "probs.tsv")
    expected = 'id\tCat\tDog\n"a\tb, c"\t0.5\t0.5\nd, e\t0.0\t1.0\n'
    assert (tmp_path / "probs.tsv").read_text() == expected
    (tmp_path / "labels.tsv").write_text("id\tanimal\n1\tDog\n2\tCat\n")
    (tmp_path / "logits.tsv").write_text("id\tCat\tDog\n1\t0\t5\n2\t0\t5\n")
    found = read_samples(tmp_path / "logits.tsv", tmp_path / "labels.tsv")
    assert found.labels.tolist() == [1, 0]
    assert found.logits.tolist() == [[0.0, 5.0], [0.0, 5.0]]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_any_line_end_and_byte_order_mark_are_read(run, line_end):
    text = "\ufeff" + line_end.join(["label,Cat,Dog", "x,0,0", "y,0,0", "", ""])
    assert run(text) == [["label", "Cat", "Dog"], ["x", "0.5", "0.5"], ["y", "0.5", "0.5"]]


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("Cat,Dog\n0,0\n", True),
        ("2.5,3.5\n0,0\n", False),
        ("0,0\n0,0\n", False),
        ("0,1\n5,5\n", False),  # whole numbers below: may be a row like the others
        ("0,1\n5.0,5.0\n", True),  # as pandas names columns
        ("0,1,label\n5,5,1\n", True),
        (",0,1\n0,5,5\n", True),  # with the index that pandas writes
        ("kind,0,1\na,5.0,5.0\n", True),
        ("a,2.5,2.5\nb,5,5\n", False),
        ("inf,-inf\n0,0\n", False),
        ("0,0", False),
    ],
)
def test_header_or_not(run, text, header):
    lines = text.splitlines()
    rows = run(text)
    assert len(rows) == len(lines)
    done = [sum(float(cell) for cell in row[-3:] if "." in cell) == 1.0 for row in rows]
    assert done == [not header, *[True] * (len(lines) - 1)]


def test_index_column_of_pandas_is_kept(run):
    assert run(",Cat,Dog\n0,5,5\n1,6,6\n")[1:] == [["0", "0.5", "0.5"], ["1", "0.5", "0.5"]]


def test_special_values_as_text(run):
    rows = run("Cat,Dog\nNaN,1\ninf,1\n-Infinity,-inf\n 1e-3 ,+1e-3\n1e999,0\n")
    assert rows[1:] == [
        ["nan", "nan"],
        ["1.0", "0.0"],
        ["nan", "nan"],
        ["0.5", "0.5"],
        ["1.0", "0.0"],
    ]


def test_streams(digits):
    source = io.StringIO(TABLE.read_text(), newline="")
    target = io.StringIO(newline="")
    apply(source, target)
    rows = list(csv.reader(io.StringIO(target.getvalue(), newline="")))
    assert len(rows) == 51
    np.testing.assert_array_equal(
        np.asarray([row[:10] for row in rows[1:]], np.float64),
        asm.softmax(read_table(TABLE)[1]),
    )


def test_rows_are_written_as_they_are_read():
    """A table of any length passes through: the first rows leave before the last are read."""
    target = io.StringIO(newline="")
    written = []

    class Lines(io.StringIO):
        def __next__(self):
            written.append(len(target.getvalue()))
            return super().__next__()

    apply(Lines("a,b\n" + "1.5,2.5\n" * 100_000, newline=""), target)
    assert 0 < written[50_000] < written[90_000]


def test_progress_grows_to_one(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "BATCH_CELLS", 1000)
    (tmp_path / "logits.csv").write_text("a,b\n" + "1.5,2.5\n" * 10_000)
    seen = []
    apply(tmp_path / "logits.csv", tmp_path / "probs.csv", progress=lambda *told: seen.append(told))
    size = (tmp_path / "logits.csv").stat().st_size
    assert seen == sorted(seen)
    assert seen[0][0] < 0.5 * size
    assert seen[-1] == (size, size)


def test_a_stream_that_is_unpacked_on_the_way(tmp_path):
    """Its file has another size: more than all of the text, if that is short."""
    with gzip.open(tmp_path / "logits.csv.gz", "wt", newline="") as stream:
        stream.write("0,0\n")
    target = io.StringIO()
    with gzip.open(tmp_path / "logits.csv.gz", "rt", newline="") as stream:
        apply(stream, target)
    assert target.getvalue() == "0.5,0.5\n"


def test_a_stream_that_is_no_iterator_of_its_own():
    target = io.StringIO()
    with tempfile.NamedTemporaryFile("w+", newline="") as stream:
        stream.write("0,0\n")
        stream.seek(0)
        apply(stream, target)
    assert target.getvalue() == "0.5,0.5\n"


def test_progress_of_a_pipe_counts_what_has_come(monkeypatch):
    """It was once 0 from the beginning to the end."""
    monkeypatch.setattr(delimited, "BATCH_CELLS", 1000)
    text, seen = "a,b\n" + "1.5,2.5\n" * 10_000, []
    apply(io.StringIO(text, newline=""), io.StringIO(), progress=lambda *told: seen.append(told))
    assert seen == sorted(seen)
    assert seen[0][0] < 0.5 * len(text)
    assert seen[-1] == (len(text), None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("Cat,Dog\n", "has a header but no row of numbers"),
        ("Cat,Dog\nx,y\n", "line 2: no column holds numbers"),
        ("Cat,Dog\n1,2\n3\n", "line 3 has 1 cells, the rows before it have 2"),
        ("Cat,Dog\n1,2,3\n", "line 2 has 3 cells, the rows before it have 2"),
        ("Cat,Dog\n1,2\n\n3,4\n", "line 3 is blank"),
        ("Cat,Dog\n1,2\n3,four\n", r"line 3, column 2 \('Dog'\): 'four' is not a number"),
        ("Cat,Dog\n1,2\n3,\n", r"line 3, column 2 \('Dog'\): '' is not a number"),
        ("Cat,Dog\n1,2\n3,1_000\n", "'1_000' is not a number"),
        ("1.5,2\n3,four\n", "line 2, column 2: 'four' is not a number"),
        ("Cat,Dog\n1,two\n3,4\n", r"line 3, column 2 \('Dog'\): '4' is a number in a column of"),
        ("Cat,Dog\n1,\n3,4\n", r"line 3, column 2 \('Dog'\): '4' .* its first cell holds none"),
        ("1.5,two\n3,4\n", "line 2, column 2: '4' is a number in a column of text"),
        ('Cat,Dog\n1,2\n3,"4\n', "line 3: unexpected end of data"),
        ('Cat,Dog\n1,2\n3,"4"5\n', "line 3: ',' expected after '\"'"),
        ("Cat;Dog\n1;2\n", "no column holds numbers"),
        ("a,b\n1,2\n3," + "x" * 200_000 + "\n", "line 3: field larger than field limit"),
    ],
)
def test_tables_that_are_none(tmp_path, folder_state, text, says):
    (tmp_path / "logits.csv").write_text(text)
    before = folder_state()
    with pytest.raises(FileError, match=says) as caught:
        apply(tmp_path / "logits.csv", tmp_path / "probs.csv")
    assert str(caught.value).startswith(str(tmp_path / "logits.csv"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))
    assert folder_state() == before


def test_a_late_error_removes_what_was_written(tmp_path, folder_state):
    (tmp_path / "logits.csv").write_text("a,b\n" + "1.5,2.5\n" * 100_000 + "x,y\n")
    before = folder_state()
    with pytest.raises(FileError, match="line 100002"):
        apply(tmp_path / "logits.csv", tmp_path / "probs.csv")
    assert folder_state() == before
