"""`anysoftmax check`: the findings of `check_logits`, of files of any format and size."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import anysoftmax as asm
from anysoftmax.files import conversion, delimited
from anysoftmax.files import parquet as parquet_format

DATA = Path(__file__).parent.parent / "data"
DIGITS = np.load(DATA / "digits_logits.npy")
PROBS = asm.softmax(DIGITS)
NAN = DIGITS.copy()
NAN[[5, 700], 3] = np.nan


def found_by(outcome):
    """Return the JSON of a command that has done its work."""
    assert outcome.err == ""
    found = json.loads(outcome.out)
    assert outcome.status == (1 if found["findings"] else 0)
    return found


def expected_of(x, axis=-1):
    return [finding.to_dict() for finding in asm.check_logits(x, axis=axis)]


def columns(x):
    return {f"class_{k}": x[:, k].copy() for k in range(x.shape[1])}


def write_csv(name, x, delimiter=","):
    header = delimiter.join(["id", *(f"class_{k}" for k in range(x.shape[1])), "label"])
    rows = (delimiter.join([f"a{i}", *map(str, row), "7"]) for i, row in enumerate(x.tolist()))
    Path(name).write_text("\n".join([header, *rows]) + "\n")


WRITERS = {
    "npy": lambda x: np.save("x.npy", x),
    "npz": lambda x: np.savez_compressed("x.npz", logits=x, labels=np.zeros(len(x), int)),
    "csv": lambda x: write_csv("x.csv", x),
    "tsv": lambda x: write_csv("x.tsv", x, "\t"),
    "parquet": lambda x: parquet.write_table(
        pa.table({"id": np.arange(len(x)), **columns(x), "label": np.full(len(x), 7)}),
        "x.parquet",
        row_group_size=100,
    ),
}


@pytest.fixture
def small_blocks(monkeypatch):
    """Make blocks so small that the digits need many."""
    monkeypatch.setattr(conversion, "BLOCK_BYTES", 1024)
    monkeypatch.setattr(conversion, "WHOLE", 2)
    monkeypatch.setattr(conversion, "RUN_BYTES", 64)
    monkeypatch.setattr(delimited, "BATCH_CELLS", 400)
    monkeypatch.setattr(parquet_format, "BATCH_BYTES", 4096)


def test_good_logits(command, digits_npy):
    outcome = command("check", digits_npy)
    assert (outcome.status, outcome.out, outcome.err) == (0, "no findings in 899 slices\n", "")
    outcome = command("check", digits_npy, "--json")
    assert outcome.status == 0
    assert json.loads(outcome.out) == {"file": str(digits_npy), "slices": 899, "findings": []}
    assert outcome.out.count("\n") == 1
    np.save("one.npy", DIGITS[0])
    assert command("check", "one.npy").out == "no findings in 1 slice\n"


def test_findings_are_a_few_lines_each(command):
    x = np.concatenate([PROBS, [[np.nan] * 10]])
    np.save("x.npy", x)
    outcome = command("check", "x.npy")
    assert (outcome.status, outcome.err) == (1, "")
    blocks = outcome.out.removesuffix("\n").split("\n\n")
    for finding, block in zip(asm.check_logits(x), blocks, strict=True):
        first, *lines = block.split("\n")
        assert first == f"{finding.pitfall}: {finding.where}"
        assert all(line.startswith("  ") and len(line) <= 80 for line in lines)
        text = " ".join(map(str.strip, lines))
        assert finding.message[1:] + ". " in text
        assert finding.advice[1:] + "." in text
    assert blocks[0].startswith("nan: 1 of 900 slices, first 899\n")
    assert blocks[1].startswith("probabilities: 899 of 900 slices, first 0\n")


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize(
    "x",
    [DIGITS, PROBS, asm.softmax(PROBS), NAN, asm.softmax(DIGITS, axis=0), 100 * PROBS],
    ids=["logits", "probabilities", "twice", "nan", "columns", "percentages"],
)
@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.usefixtures("small_blocks")
def test_every_format_in_blocks(command, suffix, x, axis):
    WRITERS[suffix](x)
    found = found_by(command("check", f"x.{suffix}", "--json", "--axis", axis))
    assert found["slices"] == (899 if axis else 10)
    assert found["file"] == f"x.{suffix}"
    assert found["findings"] == expected_of(x, axis)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", ">f8", "i1", ">i2", "u8"])
@pytest.mark.parametrize(
    "shape", [(), (7,), (1,), (400,), (40, 9), (3, 150), (3, 50, 6), (2, 3, 4, 30), (600, 1)]
)
@pytest.mark.usefixtures("small_blocks")
def test_every_layout_of_arrays(command, shape, dtype, order):
    rng = np.random.default_rng(0)
    x = np.asarray(np.abs(rng.normal(size=shape, scale=9.0))).astype(dtype)
    if dtype != "u8" and x.size > 20:
        x.reshape(-1)[17:20] = 100
    for array in (x, asm.softmax(x)):
        np.save("x.npy", np.asarray(array, order=order))
        for axis in range(-max(1, len(shape)), max(1, len(shape))):
            found = found_by(command("check", "x.npy", "--json", f"--axis={axis}"))
            assert found["findings"] == expected_of(array, axis)


@pytest.mark.parametrize("shape", [(0, 10), (10, 0), (0,)])
def test_empty_arrays(command, shape):
    np.save("x.npy", np.zeros(shape))
    outcome = command("check", "x.npy")
    assert outcome.status == 1
    assert outcome.out.startswith(f"empty: no slice\n  Nothing to check: the shape is {shape}.\n")


def test_empty_tables(command):
    parquet.write_table(pa.table({"a": pa.array([], pa.float64()), "b": [1.0][:0]}), "x.parquet")
    assert command("check", "x.parquet").out.startswith("empty: ")
    lists = pa.array([], pa.list_(pa.float32()))
    parquet.write_table(pa.table({"x": lists}), "x.parquet")
    assert command("check", "x.parquet").out.startswith("empty: ")


def test_lists_in_a_table(command):
    parquet.write_table(pa.table({"logits": PROBS.tolist(), "label": np.arange(899)}), "x.parquet")
    found = found_by(command("check", "x.parquet", "--json"))
    assert found["findings"] == expected_of(PROBS.astype(float))


def test_labels_and_ids_are_left_out(command):
    Path("x.csv").write_text("id,Cat,Dog,label,name\n1,.5,.5,nan,x\n2,.1,.9,inf,y\n3,1,0,inf,z\n")
    found = found_by(command("check", "x.csv", "--json"))
    assert [f["pitfall"] for f in found["findings"]] == ["probabilities"]


def test_standard_input(real_command, digits_csv):
    outcome = real_command("check", "-", text_input=digits_csv.read_text())
    assert (outcome.status, outcome.out, outcome.err) == (0, "no findings in 50 slices\n", "")
    outcome = real_command("check", "-", "--json", text_input="a,b\n.5,.5\n.25,.75\n")
    assert found_by(outcome)["file"] == "-"
    assert outcome.status == 1


def test_apply_and_check(command, digits_npy):
    """What the one command makes, the other one recognises."""
    command("apply", digits_npy, "-o", "once.npy")
    command("apply", "once.npy", "-o", "twice.npy")
    command("apply", digits_npy, "-o", "log.npy", "--log")
    for name, pitfalls in [("once", ["probabilities"]), ("twice", ["softmax-twice"]), ("log", [])]:
        found = found_by(command("check", f"{name}.npy", "--json"))
        assert [f["pitfall"] for f in found["findings"]] == pitfalls


def test_a_member_of_a_file(command):
    np.savez("x.npz", a=DIGITS, b=PROBS)
    command("check", "x.npz").assert_fails(2, "x.npz: holds the arrays 'a', 'b'", "--member")
    assert command("check", "x.npz", "--member", "a").status == 0
    assert command("check", "x.npz", "--member", "b").out.startswith("probabilities: ")


@pytest.fixture
def bad_files(tmp_path, digits_npy):
    """Fill the folder with one file of each bad kind."""
    whole = digits_npy.read_bytes()
    (tmp_path / "good.npy").write_bytes(whole)
    (tmp_path / "good.csv").write_text("Cat,Dog\n1,2\n")
    parquet.write_table(pa.table({"Cat": [1.0], "Dog": [2.0]}), tmp_path / "good.parquet")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "truncated.npy").write_bytes(whole[:-1])
    np.save(tmp_path / "pickled.npy", np.asarray([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "flags.npy", np.asarray([True]))
    np.save(tmp_path / "complex.npy", np.asarray([1j]))
    np.savez(tmp_path / "good.npz", np.eye(2))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "good.npz").read_bytes()[:-1])
    (tmp_path / "text.npy").write_text("1,2\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("Cat,Dog\n")
    (tmp_path / "ragged.csv").write_text("Cat,Dog\n1,2\n3\n")
    (tmp_path / "words.csv").write_text("Cat,Dog\n1,2\n3,four\n")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    parquet.write_table(pa.table({"Cat": [1.0, None]}), tmp_path / "null.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "good.parquet").read_bytes()[:-9])
    (tmp_path / "text.parquet").write_text("Cat,Dog\n1,2\n")
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "logits.txt").write_text("1 2\n")


MISTAKES = [
    (["missing.npy"], 1, "missing.npy: no such file"),
    (["missing.csv"], 1, "missing.csv: no such file"),
    (["empty.npy"], 1, "empty.npy: is not a .npy file: it is empty"),
    (["truncated.npy"], 1, "truncated.npy: is truncated"),
    (["pickled.npy"], 1, "pickled.npy: holds pickled Python objects"),
    (["flags.npy"], 1, "flags.npy: holds bool: logits must be real numbers"),
    (["complex.npy"], 1, "complex.npy: holds complex128: logits must be real numbers"),
    (["cut.npz"], 1, "cut.npz: is not a .npz file: it is damaged"),
    (["text.npy"], 1, "text.npy: is not a .npy file"),
    (["empty.csv"], 1, "empty.csv: is empty"),
    (["header.csv"], 1, "header.csv: has a header but no row"),
    (["ragged.csv"], 1, "ragged.csv: line 3 has 1 cells"),
    (["words.csv"], 1, "line 3, column 2 ('Dog'): 'four' is not a number"),
    (["binary.csv"], 1, "binary.csv: line"),
    (["null.parquet"], 1, "row 1 (from 0), column 'Cat': is null"),
    (["cut.parquet"], 1, "cut.parquet: is not a .parquet file"),
    (["text.parquet"], 1, "text.parquet: is not a .parquet file"),
    (["folder.npy"], 1, "folder.npy: is a directory"),
    (["logits.txt"], 2, "logits.txt: the suffix '.txt' names no known format"),
    (["good.npz", "--member", "x"], 2, "good.npz: has no array 'x': name one of"),
    (["good.npy", "--member", "x"], 2, "good.npy: has no members to choose from"),
    ([], 2, "Missing argument 'FILE'"),
    (["good.npy", "good.csv"], 2, "good.csv"),
    (["good.npy", "--temperature", "2"], 2, "No such option"),
    (["good.npy", "--axis", "one"], 2, "'one' is not a whole number"),
]
for suffix in ("npy", "npz", "csv", "parquet"):
    MISTAKES += [
        ([f"good.{suffix}", "--axis", axis], 2, f"axis {axis} is out of range")
        for axis in ("2", "-3")
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "says"), MISTAKES, ids=[" ".join(case[0]) for case in MISTAKES]
)
@pytest.mark.usefixtures("bad_files")
def test_mistakes(command, folder_state, arguments, status, says):
    before = folder_state()
    for more in ([], ["--json"]):
        command("check", *arguments, *more).assert_fails(status, says)
    assert folder_state() == before


def test_a_file_that_is_cut_while_it_is_read(command, monkeypatch, digits_npy, tmp_path):
    (tmp_path / "x.npy").write_bytes(digits_npy.read_bytes())
    original = conversion.cut

    def cut(*arguments):
        os.truncate("x.npy", 20_000)
        return original(*arguments)

    monkeypatch.setattr("anysoftmax.files.npy.cut", cut)
    command("check", "x.npy").assert_fails(1, "x.npy: was cut short while it was read")


def test_no_file_is_changed(command, folder_state):
    for write in WRITERS.values():
        write(PROBS)
    before = folder_state()
    for suffix in WRITERS:
        assert command("check", f"x.{suffix}").status == 1
    assert folder_state() == before


COMMAND = """
import atexit, re, sys

def tell():
    # Not ru_maxrss, which would start with the peak of the process that started this one.
    peak = re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]
    print(1024 * int(peak), file=sys.stderr)

atexit.register(tell)
from anysoftmax.cli import main
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("shape", "order", "axis"),
    [
        ((5_000_000, 10), "C", -1),
        ((5_000_000, 10), "C", 0),
        ((50_000, 1000), "F", -1),
        ((10, 5_000_000), "C", -1),
        ((50_000_000,), "C", 0),
    ],
)
def test_a_file_in_bounded_memory(tmp_path, shape, order, axis):
    """Zeros, which need no room on the disk: 200 MB, in less memory than that with all imports."""
    x = np.lib.format.open_memmap(
        tmp_path / "x.npy", "w+", np.float32, shape, fortran_order=order == "F"
    )
    x[(-1,) * len(shape)] = np.nan
    x.flush()
    del x
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "check", "x.npy", "--json", f"--axis={axis}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found["slices"] == (1 if len(shape) == 1 else shape[0] if axis else shape[1])
    assert found["findings"][0]["pitfall"] == "nan"
    assert int(done.stderr) < 190e6, int(done.stderr) / 1e6


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt(tmp_path):
    np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (100_000_000, 3)).flush()
    waiting = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from anysoftmax.cli import check_command, main\n"
        "class Bar(check_command.Bar):\n"
        "    def __call__(self, done, total):\n"
        "        print(done, flush=True)\n"
        "        super().__call__(done, total)\n"
        "check_command.Bar = Bar\n"
        "raise SystemExit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", waiting, "check", "x.npy"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline(), process.stderr.read()  # the first block is done
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, b"")


def test_progress_ends_with_all_bytes(command, monkeypatch):
    from anysoftmax.cli import check_command

    told = []

    class Bar(check_command.Bar):
        def __call__(self, done, total):
            told.append((done, total))
            super().__call__(done, total)

    monkeypatch.setattr(check_command, "Bar", Bar)
    for suffix, write in WRITERS.items():
        told.clear()
        write(PROBS)
        command("check", f"x.{suffix}")
        assert [done for done, _ in told] == sorted(done for done, _ in told)
        assert told[-1][0] == told[-1][1], suffix
