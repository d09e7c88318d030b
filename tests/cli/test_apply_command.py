"""`anysoftmax apply`: right results, one line for each mistake, and no file ever damaged."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import anysoftmax as asm
from anysoftmax.testing.bounds import expect, judge
from anysoftmax.testing.formats import FORMATS

DATA = Path(__file__).parent.parent / "data"


def read_table(text):
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    return header, np.asarray([row[:10] for row in rows], np.float64), [row[10] for row in rows]


@pytest.mark.parametrize(
    ("options", "function", "dtype", "meaning"),
    [
        ([], "softmax", "float32", {}),
        (["--log"], "log_softmax", "float32", {}),
        (["--axis", "0"], "softmax", "float32", {"axis": 0}),
        (["--axis", "-2", "--log"], "log_softmax", "float32", {"axis": 0}),
        (["--temperature", "2.5"], "softmax", "float32", {"temperature": 2.5}),
        (["--temperature", "0"], "softmax", "float32", {"temperature": 0.0}),
        (["--dtype", "float64", "--log"], "log_softmax", "float64", {}),
        (["--dtype", "float16"], "softmax", "float16", {}),
        (["--workers", "2"], "softmax", "float32", {}),
    ],
)
def test_digits_array(command, options, function, dtype, meaning):
    digits_npy = DATA / "digits_logits.npy"
    outcome = command("apply", digits_npy, "-o", "probs.npy", *options)
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    result = np.load("probs.npy")
    assert result.dtype == dtype
    logits = np.load(digits_npy).astype(dtype)
    judge(
        result,
        expect(function, FORMATS[dtype], logits, **{"axis": -1, **meaning}),
    )


def test_digits_table(command, digits_csv, tmp_path):
    assert command("apply", digits_csv, "-o", "probs.csv", "--log").status == 0
    header, logits, labels = read_table(digits_csv.read_text())
    new_header, result, new_labels = read_table((tmp_path / "probs.csv").read_text())
    assert (new_header, new_labels) == (header, labels)
    judge(result, expect("log_softmax", FORMATS["float64"], logits, axis=-1))


def test_a_table_with_tabs(command, digits_csv, tmp_path):
    (tmp_path / "digits.tsv").write_text(digits_csv.read_text().replace(",", "\t"))
    assert command("apply", "digits.tsv", "-o", "probs.tsv").status == 0
    assert command("apply", digits_csv, "-o", "probs.csv").status == 0
    with_commas = (tmp_path / "probs.csv").read_text()
    assert (tmp_path / "probs.tsv").read_text() == with_commas.replace(",", "\t")


def test_a_typed_table(command, digits_npy, tmp_path):
    logits, labels = np.load(digits_npy), np.load(DATA / "digits_labels.npy")
    columns = {f"digit_{k}": logits[:, k].copy() for k in range(10)}
    table = pa.table({"label": labels, **columns})
    parquet.write_table(table, "digits.parquet")
    outcome = command("apply", "digits.parquet", "-o", "probs.parquet", "--log")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    result = parquet.read_table("probs.parquet")
    assert result.schema == table.schema
    assert result["label"] == table["label"]
    probs = np.stack([column.to_numpy() for column in result.columns[1:]], axis=-1)
    judge(probs, expect("log_softmax", FORMATS["float32"], logits, axis=-1))


def test_from_standard_input_to_standard_output(real_command, digits_csv):
    outcome = real_command("apply", "-", "-o", "-", text_input=digits_csv.read_text())
    assert (outcome.status, outcome.err) == (0, "")
    _, logits, _ = read_table(digits_csv.read_text())
    np.testing.assert_array_equal(read_table(outcome.out)[1], asm.softmax(logits))


def test_standard_streams_and_files_mix(real_command, digits_csv, tmp_path):
    assert real_command("apply", "-", "-o", "a.csv", text_input=digits_csv.read_text()).status == 0
    to_stdout = real_command("apply", digits_csv, "-o", "-")
    assert to_stdout.out == (tmp_path / "a.csv").read_text()


def test_a_member_of_a_file(command, digits_npy):
    arrays = {"a": np.load(digits_npy), "b": np.zeros((3, 2)), "names": np.asarray(["x", "y"])}
    np.savez_compressed("logits.npz", **arrays)
    outcome = command("apply", "logits.npz", "-o", "probs.npz")
    outcome.assert_fails(2, "logits.npz: holds the arrays 'a', 'b', 'names'", "--member")
    outcome = command("apply", "logits.npz", "-o", "probs.npz", "--member", "a", "--workers", "2")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    with np.load("probs.npz") as probs:
        np.testing.assert_array_equal(probs["a"], asm.softmax(arrays["a"]))
        np.testing.assert_array_equal(probs["b"], arrays["b"])
    again = ["apply", "probs.npz", "-o", "probs.npz", "--overwrite", "--member", "names"]
    command(*again).assert_fails(1, "probs.npz: 'names': holds <U1: logits must be real numbers")


def test_overwrite(command, digits_npy, tmp_path):
    (tmp_path / "probs.npy").write_bytes(b"precious")
    refused = command("apply", digits_npy, "-o", "probs.npy")
    refused.assert_fails(2, "probs.npy: exists already", "--overwrite")
    assert (tmp_path / "probs.npy").read_bytes() == b"precious"
    assert command("apply", digits_npy, "-o", "probs.npy", "--overwrite").status == 0
    assert np.load("probs.npy").shape == (899, 10)


@pytest.fixture
def bad_files(tmp_path, digits_npy):
    """Fill the folder with one file of each bad kind."""
    whole = digits_npy.read_bytes()
    (tmp_path / "good.npy").write_bytes(whole)
    (tmp_path / "good.csv").write_text("Cat,Dog\n1,2\n")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "truncated.npy").write_bytes(whole[:-1])
    np.save(tmp_path / "pickled.npy", np.asarray([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "flags.npy", np.asarray([True]))
    np.savez(tmp_path / "good.npz", np.eye(2))
    (tmp_path / "truncated.npz").write_bytes((tmp_path / "good.npz").read_bytes()[:-1])
    (tmp_path / "text.npy").write_text("1,2\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("Cat,Dog\n")
    (tmp_path / "ragged.csv").write_text("Cat,Dog\n1,2\n3\n")
    (tmp_path / "words.csv").write_text("Cat,Dog\n1,2\n3,four\n")
    (tmp_path / "first.csv").write_text("Cat,Dog\n1,two\n3,4\n")
    (tmp_path / "quote.csv").write_text('Cat,Dog\n1,"2\n')
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    table = pa.table({"Cat": [1.0, 2.0], "Dog": [1.0, None]})
    parquet.write_table(table[:1], tmp_path / "good.parquet")
    parquet.write_table(table, tmp_path / "null.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "good.parquet").read_bytes()[:-9])
    (tmp_path / "empty.parquet").write_bytes(b"")
    (tmp_path / "text.parquet").write_text("Cat,Dog\n1,2\n")
    (tmp_path / "good.tsv").write_text("Cat\tDog\n1\t2\n")
    (tmp_path / "ragged.tsv").write_text("Cat\tDog\n1\t2\n3\n")
    (tmp_path / "commas.tsv").write_text("Cat,Dog\n1,2\n")
    (tmp_path / "existing.npy").write_bytes(b"precious")
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "logits.txt").write_text("1 2\n")


MISTAKES = [
    (["missing.npy", "-o", "p.npy"], 1, "missing.npy: no such file"),
    (["missing.csv", "-o", "p.csv"], 1, "missing.csv: no such file"),
    (["empty.npy", "-o", "p.npy"], 1, "empty.npy: is not a .npy file: it is empty"),
    (["truncated.npy", "-o", "p.npy"], 1, "truncated.npy: is truncated"),
    (["pickled.npy", "-o", "p.npy"], 1, "pickled.npy: holds pickled Python objects"),
    (["flags.npy", "-o", "p.npy"], 1, "flags.npy: holds bool"),
    (["truncated.npz", "-o", "p.npz"], 1, "truncated.npz: is not a .npz file: it is damaged"),
    (["good.npz", "-o", "p.npy"], 2, "p.npy: must have the format of good.npz"),
    (["good.npz", "-o", "p.npz", "--member", "x"], 2, "good.npz: has no array 'x': name one of"),
    (["text.npy", "-o", "p.npy"], 1, "text.npy: is not a .npy file"),
    (["empty.csv", "-o", "p.csv"], 1, "empty.csv: is empty"),
    (["header.csv", "-o", "p.csv"], 1, "header.csv: has a header but no row"),
    (["ragged.csv", "-o", "p.csv"], 1, "ragged.csv: line 3 has 1 cells"),
    (["words.csv", "-o", "p.csv"], 1, "line 3, column 2 ('Dog'): 'four' is not a number"),
    (["first.csv", "-o", "p.csv"], 1, "line 3, column 2 ('Dog'): '4' is a number in a column of"),
    (["quote.csv", "-o", "p.csv"], 1, "quote.csv: line 2: unexpected end of data"),
    (["binary.csv", "-o", "p.csv"], 1, "binary.csv: line"),
    (["missing.parquet", "-o", "p.parquet"], 1, "missing.parquet: no such file"),
    (["null.parquet", "-o", "p.parquet"], 1, "row 1 (from 0), column 'Dog': is null"),
    (["cut.parquet", "-o", "p.parquet"], 1, "cut.parquet: is not a .parquet file: it is something"),
    (["empty.parquet", "-o", "p.parquet"], 1, "empty.parquet: is not a .parquet file: it is empty"),
    (["text.parquet", "-o", "p.parquet"], 1, "text.parquet: is not a .parquet file"),
    (["ragged.tsv", "-o", "p.tsv"], 1, "ragged.tsv: line 3 has 1 cells"),
    (["commas.tsv", "-o", "p.tsv"], 1, "commas.tsv: line 2: no column holds numbers"),
    (["folder.npy", "-o", "p.npy"], 1, "folder.npy: is a directory"),
    (["folder.csv", "-o", "p.csv"], 1, "folder.csv: is a directory"),
    (["good.npy", "-o", "nowhere/p.npy"], 1, "nowhere/p.npy: cannot be written"),
    (["good.npy", "-o", "existing.npy"], 2, "existing.npy: exists already"),
    (["good.npy", "-o", "good.npy"], 2, "good.npy: exists already"),
    (["good.npy", "-o", "folder.npy", "--overwrite"], 2, "folder.npy: is a directory"),
    (["good.npy", "-o", "p.csv"], 2, "p.csv: must have the format of good.npy"),
    (["good.npy", "-o", "-"], 2, "must have the format of good.npy"),
    (["good.parquet", "-o", "-"], 2, "must have the format of good.parquet"),
    (["good.parquet", "-o", "p.csv"], 2, "must have the format of good.parquet"),
    (["good.tsv", "-o", "p.csv"], 2, "must have the format of good.tsv"),
    (["logits.txt", "-o", "p.txt"], 2, "logits.txt: the suffix '.txt' names no known format"),
    (["good.npy", "-o", "p"], 2, "p: the suffix '' names no known format"),
    (["good.npy"], 2, "Missing option"),
    (["-o", "p.npy"], 2, "Missing argument 'LOGITS'"),
    (["good.npy", "-o", "p.npy", "--bins", "2"], 2, "No such option"),
    (["good.npy", "-o", "p.npy", "--member", "a"], 2, "good.npy: has no members to choose from"),
    (["good.npy", "extra", "-o", "p.npy"], 2, "extra"),
]
WRONG_OPTIONS = [
    (["--axis", "2"], "axis 2 is out of range"),
    (["--axis", "-3"], "axis -3 is out of range"),
    (["--axis", "one"], "'one' is not a whole number"),
    (["--axis", "1.0"], "'1.0' is not a whole number"),
    (["--temperature", "-1"], "temperature must be 0 or more"),
    (["--temperature", "nan"], "temperature must be 0 or more"),
    (["--temperature", "hot"], "'hot' is not a number"),
    (["--workers", "0"], "number of workers must be 1 or more: got 0"),
    (["--workers", "two"], "'two' is not a whole number"),
    (["--dtype", "int8"], "'int8' is not one of float16, float32, float64"),
]
for suffix in ("npy", "csv", "parquet"):
    MISTAKES += [
        ([f"good.{suffix}", "-o", f"p.{suffix}", *options], 2, says)
        for options, says in WRONG_OPTIONS
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "says"), MISTAKES, ids=[" ".join(case[0]) for case in MISTAKES]
)
@pytest.mark.usefixtures("bad_files")
def test_mistakes_change_no_file(command, folder_state, arguments, status, says):
    before = folder_state()
    command("apply", *arguments).assert_fails(status, says)
    assert folder_state() == before


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(arguments, status) for arguments, status, _ in MISTAKES[::5]],
)
@pytest.mark.usefixtures("bad_files")
def test_mistakes_in_a_process_of_their_own(real_command, folder_state, arguments, status):
    before = folder_state()
    real_command("apply", *arguments).assert_fails(status)
    assert folder_state() == before


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize("suffix", ["npy", "csv", "parquet"])
def test_an_unreadable_file(command, tmp_path, suffix):
    (tmp_path / f"good.{suffix}").chmod(0)
    command("apply", f"good.{suffix}", "-o", f"p.{suffix}").assert_fails(1, "Permission denied")
    assert not (tmp_path / f"p.{suffix}").exists()


@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize("suffix", ["npy", "csv", "parquet"])
def test_a_file_that_cannot_be_opened(command, folder_state, monkeypatch, suffix):
    """As an unreadable file, also for root, whom permissions do not stop."""
    before = folder_state()
    original = Path.open

    def denied(path, *arguments, **options):
        if str(path) == f"good.{suffix}":
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", denied)
    command("apply", f"good.{suffix}", "-o", f"p.{suffix}").assert_fails(
        1, f"good.{suffix}: cannot be read: Permission denied"
    )
    monkeypatch.undo()
    assert folder_state() == before


def test_bad_standard_input(real_command, folder_state):
    outcome = real_command("apply", "-", "-o", "p.csv", text_input="Cat,Dog\n1,2\n3\n")
    outcome.assert_fails(1, "<stdin>: line 3 has 1 cells")
    assert folder_state() == {}


def test_names_that_would_break_the_line(command, folder_state, tmp_path):
    name = "two\nlines\x1b[31m.npy"
    (tmp_path / name).write_bytes(b"")
    before = folder_state()
    outcome = command("apply", name, "-o", "p.npy")
    outcome.assert_fails(1, r"two lines\x1b[31m.npy")
    assert folder_state() == before
