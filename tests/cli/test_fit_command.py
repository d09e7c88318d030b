"""`anysoftmax fit-temperature`: the library's numbers, saved whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from anysoftmax.calibration import fit_temperature

DATA = Path(__file__).parent.parent / "data"
KEYS = ["temperature", "inverse_temperature", "nll_before", "nll_after", "iterations", "status"]


@pytest.fixture
def digits(digits_npy):
    """Return the two arguments that name the digits."""
    return [digits_npy, DATA / "digits_labels.npy"]


@pytest.fixture
def table(tmp_path):
    """Write a table with both, of a kind, and return its name."""

    def table(kind):
        rows = {
            "separable": "3,1,Cat\n0,2,Dog\n",
            "uninformative": "3,1,Dog\n1,2,Cat\n",
            "impossible": "3,-inf,Dog\n1,2,Dog\n2,1,Dog\n",
        }
        (tmp_path / f"{kind}.csv").write_text("Cat,Dog,label\n" + rows[kind])
        return f"{kind}.csv"

    return table


def test_digits(command, digits):
    fit = fit_temperature(*map(np.load, digits))
    outcome = command("fit-temperature", *digits, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert list(found) == KEYS
    assert found["status"] == "converged"
    assert found["temperature"] == float(fit.temperature)
    assert found["nll_before"] == float(fit.nll_before)
    assert found["nll_after"] == float(fit.nll_after)
    assert found["inverse_temperature"] == float(fit.inverse_temperature)
    assert found["iterations"] == int(fit.iterations)


def test_as_text(command, digits):
    outcome = command("fit-temperature", *digits)
    assert (outcome.status, outcome.err) == (0, "")
    names = [line.split("  ")[0] for line in outcome.out.splitlines()]
    assert names == ["temperature", "NLL before", "NLL after", "status", "iterations"]
    assert "temperature  2.347" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_one_table_holds_both(command, digits_csv):
    outcome = command("fit-temperature", digits_csv, digits_csv, "--json")
    logits = np.load(DATA / "digits_logits.npy")[:50].astype(float)
    exact = fit_temperature(logits, np.load(DATA / "digits_labels.npy")[:50])
    assert json.loads(outcome.out)["temperature"] == pytest.approx(float(exact.temperature), 1e-4)


def test_a_table_on_standard_input(real_command, digits_csv, digits, tmp_path):
    text = digits_csv.read_text()
    piped = real_command("fit-temperature", "-", digits_csv, text_input=text)
    assert piped.status == 0
    assert piped.out == real_command("fit-temperature", digits_csv, "-", text_input=text).out
    twice = real_command("fit-temperature", "-", "-", text_input=text)
    twice.assert_fails(2, "standard input can be read once")


@pytest.mark.parametrize(
    ("kind", "temperature", "inverse"), [("separable", 0.0, None), ("uninformative", None, 0.0)]
)
def test_limits(command, table, kind, temperature, inverse):
    name = table(kind)
    outcome = command("fit-temperature", name, name, "--json", "--save", "t.json")
    found = json.loads(outcome.out)
    assert found["status"] == kind
    assert (found["temperature"], found["inverse_temperature"]) == (temperature, inverse)
    text = command("fit-temperature", name, name).out
    assert kind in text
    assert max(map(len, text.splitlines())) <= 80
    probs = command("apply", name, "-o", "-", "--temperature", "t.json").out.splitlines()
    assert probs[1].startswith("1.0,0.0," if kind == "separable" else "0.5,0.5,")


def test_an_infinite_loss_is_null(command, table):
    name = table("impossible")
    found = json.loads(command("fit-temperature", name, name, "--json").out)
    assert found["nll_before"] is None
    assert "NLL after    inf nats" in command("fit-temperature", name, name).out


def test_what_is_saved_is_what_apply_takes(command, digits, tmp_path):
    outcome = command("fit-temperature", *digits, "--json", "--save", "t.json")
    assert (tmp_path / "t.json").read_text() == outcome.out
    saved = json.loads(outcome.out)["temperature"]
    assert command("apply", digits[0], "-o", "a.npy", "--temperature", "t.json").status == 0
    assert command("apply", digits[0], "-o", "b.npy", "--temperature", repr(saved)).status == 0
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_saving_does_not_silence(command, digits):
    assert command("fit-temperature", *digits, "--save", "t.json").out.startswith("temperature")


def test_overwrite(command, digits, folder_state, tmp_path):
    (tmp_path / "t.json").write_bytes(b"precious")
    before = folder_state()
    refused = command("fit-temperature", *digits, "--save", "t.json")
    refused.assert_fails(2, "t.json: exists already", "--overwrite")
    assert folder_state() == before
    assert command("fit-temperature", *digits, "--save", "t.json", "--overwrite").status == 0
    assert list(json.loads((tmp_path / "t.json").read_text())) == KEYS


@pytest.fixture
def bad_files(tmp_path, digits_npy):
    """Fill the folder with one file of each bad kind."""
    (tmp_path / "good.npy").write_bytes(digits_npy.read_bytes())
    (tmp_path / "labels.npy").write_bytes((DATA / "digits_labels.npy").read_bytes())
    (tmp_path / "good.csv").write_text("Cat,Dog\n1,2\n2,1\n0,3\n")
    (tmp_path / "labels.csv").write_text("Dog\nCat\nCat\n")
    (tmp_path / "cow.csv").write_text("Dog\nCow\nCat\n")
    (tmp_path / "nan.csv").write_text("Cat,Dog\n1,2\n2,1\nnan,3\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "existing").write_bytes(b"precious")
    (tmp_path / "folder").mkdir()
    logits = np.load(digits_npy)
    logits[17, 3] = np.nan
    np.save(tmp_path / "nan.npy", logits)
    np.save(tmp_path / "closed.npy", np.vstack([np.load(digits_npy)[:-1], [-np.inf] * 10]))
    np.save(tmp_path / "one.npy", logits[:, :1])
    np.save(tmp_path / "none.npy", logits[:0])
    np.save(tmp_path / "floats.npy", np.zeros(899))
    np.save(tmp_path / "ten.npy", np.full(899, 10))


MISTAKES = [
    (["good.npy", "missing.npy"], (1, "missing.npy: no such file")),
    (["missing.csv", "labels.csv"], (1, "missing.csv: no such file")),
    (["good.npy", "folder"], (2, "folder: the suffix '' names no known format")),
    (["good.npy"], (2, "Missing argument 'LABELS'")),
    ([], (2, "Missing argument 'LOGITS'")),
    (["good.npy", "labels.csv"], (1, "labels.csv: has 2 labels for the 899 samples of good.npy")),
    (["good.csv", "labels.npy"], (1, "labels.npy: has 899 labels for the 3 samples of good.csv")),
    (["good.csv", "cow.csv"], (1, "cow.csv: line 2: 'Cow' is no class")),
    (["nan.csv", "labels.csv"], (1, "nan.csv: line 4: the logit of class 0 is NaN")),
    (["nan.npy", "labels.npy"], (1, "nan.npy: row 17 (from 0): the logit of class 3 is NaN")),
    (["closed.npy", "labels.npy"], (1, "closed.npy: row 898 (from 0): all logits are -inf")),
    (["one.npy", "labels.npy"], (1, "one.npy: has one class")),
    (["none.npy", "labels.npy"], (1, "none.npy: holds nothing")),
    (["good.npy", "floats.npy"], (1, "floats.npy: holds float64")),
    (["good.npy", "ten.npy"], (1, "ten.npy: row 0 (from 0): the label 10 is out of range")),
    (["good.csv", "empty.csv"], (1, "empty.csv: is empty")),
    (["empty.csv", "labels.csv"], (1, "empty.csv: is empty")),
]


@pytest.mark.parametrize(
    ("arguments", "failure"), MISTAKES, ids=[" ".join(case[0]) for case in MISTAKES]
)
@pytest.mark.parametrize("name", ["fit-temperature", "report"])
@pytest.mark.usefixtures("bad_files")
def test_mistakes_change_no_file(command, folder_state, name, arguments, failure):
    if "labels.csv" in arguments and "good.npy" in arguments:
        Path("labels.csv").write_text("0\n1\n")
    before = folder_state()
    options = ["--save", "t.json"] if name == "fit-temperature" else []
    command(name, *arguments, *options).assert_fails(*failure)
    assert folder_state() == before


@pytest.mark.parametrize(
    ("target", "options", "failure"),
    [
        ("-", [], (2, "standard output has the results already")),
        ("existing", [], (2, "existing: exists already")),
        ("folder", ["--overwrite"], (2, "folder: is a directory")),
        ("nowhere/t.json", [], (1, "nowhere/t.json: cannot be written")),
    ],
)
@pytest.mark.usefixtures("bad_files")
def test_places_that_cannot_be_written(command, folder_state, target, options, failure):
    before = folder_state()
    outcome = command("fit-temperature", "good.npy", "labels.npy", "--save", target, *options)
    outcome.assert_fails(*failure)
    assert folder_state() == before


@pytest.mark.parametrize(
    ("temperature", "failure"),
    [
        ("hot", (2, "Invalid value for '--temperature': 'hot' is not a number, and no file")),
        ("missing.json", (1, "missing.json: no such file")),
        ("good.csv", (1, "good.csv: is not JSON")),
        ("good.npy", (1, "good.npy: is not JSON")),
        ("folder", (1, "folder: is a directory")),
        ("-1", (2, "temperature must be 0 or more")),
        ("nan", (2, "temperature must be 0 or more")),
        ("", (2, "'' is not a number")),
    ],
)
@pytest.mark.parametrize(
    "arguments",
    [["apply", "good.npy", "-o", "p.npy"], ["report", "good.npy", "labels.npy"]],
    ids=["apply", "report"],
)
@pytest.mark.usefixtures("bad_files")
def test_temperatures_that_are_none(command, folder_state, arguments, temperature, failure):
    before = folder_state()
    command(*arguments, "--temperature", temperature).assert_fails(*failure)
    assert folder_state() == before


def has_new_file(process, folder):
    """Tell whether a process writes a file that is hidden, or has no name where systems can."""
    opened = []
    for link in Path(f"/proc/{process}/fd").glob("*"):
        with contextlib.suppress(OSError):  # it has been closed meanwhile
            opened.append(str(link.readlink()))
    return any(name.startswith(f"{folder}/#") for name in opened) or any(folder.glob(".*.tmp"))


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_interrupted_fit_leaves_no_half_file(tmp_path, overwrite):
    """A quarter of a gigabyte with a hole for content takes seconds."""
    np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (20_000_000, 3)).flush()
    np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.uint8, (20_000_000,)).flush()
    arguments = ["fit-temperature", "x.npy", "y.npy", "--save", "t.json"]
    if overwrite:
        (tmp_path / "t.json").write_bytes(b"precious")
        arguments.append("--overwrite")
    before = sorted(path.name for path in tmp_path.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", "anysoftmax.cli", *arguments], cwd=tmp_path, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not has_new_file(process.pid, tmp_path):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    if overwrite:
        assert (tmp_path / "t.json").read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["fit-temperature", "report"])
def test_rows_are_joined_by_their_ids(command, tmp_path, name) -> None:
    logits, labels = tmp_path / "logits.csv", tmp_path / "labels.csv"
    logits.write_text("id,cat,dog\na,2,1\nb,0,1\nc,3,1\n")
    labels.write_text("id,label\na,cat\nb,dog\nc,dog\n")
    assert command(name, logits, labels).status == 0
    labels.write_text("id,label\na,cat\nc,dog\nb,dog\n")
    outcome = command(name, logits, labels)
    assert outcome.status == 1
    assert "line 3: has the id 'c', where" in outcome.err


@pytest.mark.parametrize(("name", "option"), [("fit-temperature", "--save"), ("report", "--plot")])
def test_inputs_are_not_written_over(command, digits, name, option) -> None:
    pytest.importorskip("matplotlib")
    before = [Path(file).read_bytes() for file in digits]
    for file in digits:
        outcome = command(name, *digits, option, file, "--overwrite")
        assert outcome.status == 2
    assert [Path(file).read_bytes() for file in digits] == before
