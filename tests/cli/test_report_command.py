"""`anysoftmax report`: the library's measures, block by block, and a diagram for every terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.calibration import brier_score, calibration_error, reliability
from anysoftmax.files import samples

DATA = Path(__file__).parent.parent / "data"
LOGITS = np.load(DATA / "digits_logits.npy").astype(float)
LABELS = np.load(DATA / "digits_labels.npy")
MEASURES = ["confidence", "nll", "ece", "mce", "brier"]


@pytest.fixture
def digits(digits_npy):
    """Return the two arguments that name the digits."""
    return [digits_npy, DATA / "digits_labels.npy"]


def measured(temperature, n_bins=15):
    """Return the measures of the digits, of all samples at once."""
    probs = asm.softmax(LOGITS, temperature=temperature)
    bins = {"n_bins": n_bins}
    return [
        float(np.mean(probs.max(axis=-1))),
        float(asm.cross_entropy(LOGITS, LABELS, temperature=temperature)),
        float(calibration_error(probs, LABELS, **bins)),
        float(calibration_error(probs, LABELS, norm="max", **bins)),
        float(brier_score(probs, LABELS)),
    ]


@pytest.mark.parametrize("block", [10, 1000, 2**20])
@pytest.mark.parametrize("n_bins", [1, 7, 15])
def test_measures_are_those_of_all_samples_at_once(command, digits, monkeypatch, block, n_bins):
    monkeypatch.setattr(samples, "BLOCK_ELEMENTS", block)
    outcome = command("report", *digits, "--json", "--temperature", "2.5", "--bins", n_bins)
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert found["samples"] == 899
    assert found["temperature"] == 2.5
    right = pytest.approx(np.mean(LOGITS.argmax(axis=-1) == LABELS), 1e-12)
    assert found["accuracy_before"] == found["accuracy_after"] == right
    for moment, temperature in [("before", 1.0), ("after", 2.5)]:
        numbers = [found[f"{name}_{moment}"] for name in MEASURES]
        assert numbers == pytest.approx(measured(temperature, n_bins), rel=1e-9)
        bins = reliability(asm.softmax(LOGITS, temperature=temperature), LABELS, n_bins=n_bins)
        listed = found[f"bins_{moment}"]
        assert [b["count"] for b in listed] == bins.counts.tolist()
        assert [b["low"] for b in listed] + [1.0] == bins.edges.tolist()
        assert [b["high"] for b in listed] == bins.edges.tolist()[1:]
        for b, accuracy, confidence in zip(listed, bins.accuracy, bins.confidence, strict=True):
            if b["count"]:
                exact = [accuracy, confidence]
                assert [b["accuracy"], b["confidence"]] == pytest.approx(exact, rel=1e-9)
            else:
                assert b["accuracy"] is b["confidence"] is None


def test_without_a_temperature_there_is_no_after(command, digits):
    found = json.loads(command("report", *digits, "--json").out)
    assert not any("after" in key or key == "temperature" for key in found)
    assert "after" not in command("report", *digits).out.lower()


def test_a_saved_temperature(command, digits):
    command("fit-temperature", *digits, "--save", "t.json")
    found = json.loads(command("report", *digits, "--json", "--temperature", "t.json").out)
    saved = json.loads(Path("t.json").read_text("utf-8"))
    assert found["temperature"] == saved["temperature"]
    for name in ("nll_before", "nll_after"):
        assert found[name] == pytest.approx(saved[name], 1e-6)


def test_one_file_of_arrays_holds_both(command, digits):
    np.savez_compressed("both.npz", logits=LOGITS, labels=LABELS)
    for name in ("report", "fit-temperature"):
        found, expected = (
            json.loads(command(name, *places, "--json").out)
            for places in (["both.npz", "both.npz"], digits)
        )
        for key, value in expected.items():
            if isinstance(value, float):
                assert found[key] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("temperature", ["0", "inf", "1e-300", "1e300"])
def test_limits(command, digits, temperature):
    outcome = command("report", *digits, "--json", "--temperature", temperature)
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    sure = float(temperature) < 1
    assert found["confidence_after"] == pytest.approx(1.0 if sure else 0.1)
    assert (found["nll_after"] is None) == (temperature == "0")
    assert (found["temperature"] is None) == (temperature == "inf")
    assert command("report", *digits, "--temperature", temperature).status == 0


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4", "int8"])
def test_any_dtype_is_measured_in_float64(command, digits, dtype):
    given = LOGITS.astype(dtype)
    np.save("x.npy", given)
    found = json.loads(command("report", "x.npy", digits[1], "--json").out)
    exact = float(asm.cross_entropy(given.astype(float), LABELS))
    assert found["nll_before"] == pytest.approx(exact, rel=1e-9)


def test_more_axes_than_two(command):
    np.save("x.npy", LOGITS.reshape(29, 31, 10))
    np.save("y.npy", LABELS.reshape(29, 31))
    found = json.loads(command("report", "x.npy", "y.npy", "--json").out)
    assert found["samples"] == 899
    assert found["brier_before"] == pytest.approx(measured(1.0)[-1], rel=1e-9)


def diagram(text):
    return [line for line in text.splitlines() if " to " in line]


def test_the_diagram(command, digits):
    text = command("report", *digits, "--bins", 5, "--temperature", 2).out
    lines = diagram(text)
    assert len(lines) == 10
    bins = reliability(asm.softmax(LOGITS), LABELS, n_bins=5)
    for b, line in enumerate(lines[:5]):
        assert line.split()[:4] == [f"{b / 5:.3f}", "to", f"{(b + 1) / 5:.3f}", str(bins.counts[b])]
        accuracy, confidence = float(bins.accuracy[b]), float(bins.confidence[b])
        if bins.counts[b]:
            assert f"  {accuracy:.3f}  " in line
            bar = line.partition(f"  {accuracy:.3f}  ")[2]
            assert bar.index("│") + 1 == pytest.approx(confidence * 40, abs=1)
            assert bar.count("█") == pytest.approx(accuracy * 40, abs=1)
        else:
            assert "│" not in line
    assert max(map(len, text.splitlines())) <= 80


def test_a_terminal_without_blocks(real_command, digits):
    outcome = real_command("report", *digits, env={"PYTHONIOENCODING": "ascii"})
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.isascii()
    assert "###" in outcome.out
    blocks = real_command("report", *digits).out
    assert blocks.replace("█", "#").replace("│", "|") == outcome.out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--bins", "0"], "n_bins must be from 1 to"),
        (["--bins", "1.5"], "'1.5' is not a whole number"),
        (["--axis", "0"], "No such option"),
    ],
)
def test_options_that_are_wrong(command, digits, folder_state, options, says):
    command("report", *digits, *options).assert_fails(2, says)
    assert folder_state() == {}


def test_a_sample_without_probabilities(command, digits):
    logits = LOGITS.copy()
    logits[40] = -np.inf
    np.save("x.npy", logits)
    outcome = command("report", "x.npy", digits[1])
    outcome.assert_fails(1, "x.npy: row 40 (from 0): all logits are -inf")


def test_without_matplotlib_it_says_what_to_install(real_command, digits, folder_state):
    hide = (
        "import sys, importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda n, *a: None if n == 'matplotlib' else find(n, *a);"
        "from anysoftmax.cli import main; sys.exit(main())"
    )
    program = [sys.executable, "-c", hide]
    outcome = real_command("report", *digits, "--plot", "r.png", program=program)
    outcome.assert_fails(2, "'--plot'", 'pip install "anysoftmax[plot]"')
    assert real_command("report", *digits, program=program).status == 0
    assert folder_state() == {}


@pytest.mark.parametrize("options", [[], ["--temperature", "2"]])
def test_the_picture(command, digits, tmp_path, options):
    image = pytest.importorskip("matplotlib.image")
    outcome = command("report", *digits, "--plot", "r.PNG", *options)
    assert (outcome.status, outcome.err) == (0, "")
    height, width, _ = image.imread(tmp_path / "r.PNG", format="png").shape
    assert width > (1.5 if options else 0.8) * height
    assert outcome.out == command("report", *digits, *options).out


def test_a_picture_is_written_as_other_files_are(command, digits, folder_state, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "r.png").write_bytes(b"precious")
    (tmp_path / "folder.png").mkdir()
    before = folder_state()
    report = ["report", *digits, "--plot"]
    command(*report, "r.png").assert_fails(2, "r.png: exists already", "--overwrite")
    command(*report, "folder.png", "--overwrite").assert_fails(2, "folder.png: is a directory")
    command(*report, "nowhere/r.png").assert_fails(1, "nowhere/r.png: cannot be written")
    command(*report, "r.npy").assert_fails(2, "r.npy: the suffix '.npy' names no format", ".png")
    command(*report, "r").assert_fails(2, "r: the suffix '' names no format")
    command(*report, "-").assert_fails(2, "-: standard output has the results already")
    assert folder_state() == before
    assert command(*report, "r.png", "--overwrite").status == 0
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
    assert set(folder_state()) == set(before)


def test_matplotlib_is_loaded_for_a_picture_only(digits):
    code = (
        "import sys; from anysoftmax.cli.app import run;"
        f"run(['report', {str(digits[0])!r}, {str(digits[1])!r}, '--json']);"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, stdout=-3).returncode == 0


def test_a_reader_that_leaves_early_is_no_error(digits, tmp_path):
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "anysoftmax.cli", "report", *digits],
            stdout=write_end,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")
