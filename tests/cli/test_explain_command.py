"""`anysoftmax explain`: negative scores are scores, and every mistake is one line."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

import anysoftmax.explanation


def test_the_classic_example(command):
    outcome = command("explain", "3.2", "1.3", "0.2", "--labels", "Cat,Dog,Bird")
    assert outcome.status == 0
    assert outcome.err == ""
    expected = anysoftmax.explanation.explain([3.2, 1.3, 0.2], ["Cat", "Dog", "Bird"])
    assert outcome.out == f"{expected}\n"
    for share in ("0.834", "0.125", "0.042"):
        assert share in outcome.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["-3e-1", "-inf", "-1", "--labels", "a,b,c", "--temperature", "2"],
        ["--labels", "a,b,c", "-3e-1", "-inf", "--temperature", "2", "-1"],
        ["--labels=a,b,c", "--temperature=2", "-3e-1", "-inf", "-1"],
        ["-3e-1", "--temperature", "2", "-inf", "--labels", "a, b, c", "-1"],
        ["--temperature", "2", "--labels", "a,b,c", "--", "-3e-1", "-inf", "-1"],
        ["-.3", "-Infinity", "-1.", "--labels", "a,b,c", "--temperature", "2"],
    ],
)
def test_negative_scores_anywhere(command, arguments):
    outcome = (
        command("explain", *arguments, "--json")
        if "--" not in arguments
        else command("explain", "--json", *arguments)
    )
    assert outcome.status == 0, outcome
    result = json.loads(outcome.out)
    assert result["logits"] == [-0.3, None, -1.0]
    assert result["labels"] == ["a", "b", "c"]
    assert result["temperature"] == 2.0


def test_json_is_the_dict_of_the_explanation(command):
    outcome = command("explain", "3.2", "-1.3", "nan", "--json")
    expected = anysoftmax.explanation.explain([3.2, -1.3, math.nan]).to_dict()
    assert json.loads(outcome.out) == expected
    assert outcome.out.count("\n") == 1


def test_labels_may_be_quoted(command):
    outcome = command("explain", "1", "2", "--labels", '"Cats, all of them",Dog', "--json")
    assert json.loads(outcome.out)["labels"] == ["Cats, all of them", "Dog"]


@pytest.mark.parametrize("temperature", ["0", "inf", "1e-3"])
def test_temperatures_at_the_limits(command, temperature):
    assert command("explain", "1", "2", "--temperature", temperature).status == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Missing argument 'SCORES'"),
        (["1", "two"], "'two' is not a number"),
        (["1", "--temprature", "2"], "'--temprature' is not a number, and there is no such option"),
        (["1", "-x"], "'-x' is not a number, and there is no such option"),
        (["1", "2", "--labels", "Cat"], "1 labels for 2 scores"),
        (["1", "2", "--labels", ""], "0 labels for 2 scores"),
        (["1", "--temperature", "-1"], "temperature must be 0 or more"),
        (["1", "--temperature", "nan"], "temperature must be 0 or more"),
        (["1", "--temperature", "hot"], "'hot' is not a number"),
        (["1", "--temperature"], "--temperature"),
        (["1", "--plot"], "'--plot' requires an argument"),
        (["1", "--plt", "x.png"], "'--plt' is not a number, and there is no such option"),
    ],
)
def test_mistakes(command, arguments, says):
    command("explain", *arguments).assert_fails(2, says)


def test_output_that_takes_no_blocks(real_command):
    outcome = real_command(
        "explain", "3.2", "1.3", "--labels", "Kätzchen,Dog", env={"PYTHONIOENCODING": "ascii"}
    )
    assert outcome.status == 0
    assert outcome.out.isascii()
    assert "####" in outcome.out
    assert r"K\xe4tzchen" in outcome.out


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_picture(command, tmp_path, options):
    image = pytest.importorskip("matplotlib.image")
    explain = ["explain", "3.2", "-1.3", "0.2", "--labels", "Cat,Dog,Bird", *options]
    outcome = command(*explain, "--plot", "e.PNG")
    assert (outcome.status, outcome.err) == (0, "")
    height, width, _ = image.imread(tmp_path / "e.PNG", format="png").shape
    assert width > 2 * height
    assert outcome.out == command(*explain).out


def test_the_suffix_names_the_format(command, tmp_path):
    pytest.importorskip("matplotlib")
    for suffix, start in [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")]:
        assert command("explain", "1", "2", "--plot", f"e.{suffix}").status == 0
        assert (tmp_path / f"e.{suffix}").read_bytes().startswith(start)


def test_the_picture_is_that_of_the_library(command, tmp_path):
    image = pytest.importorskip("matplotlib.image")
    explanation = anysoftmax.explanation.explain([1.0, math.inf], ["a", "b"], temperature=2.0)
    explanation.plot().savefig("expected.png", dpi=150)
    command("explain", "1", "inf", "--labels", "a,b", "--temperature", "2", "--plot", "e.png")
    assert (image.imread("e.png") == image.imread("expected.png")).all()


def test_a_picture_is_written_as_other_files_are(command, folder_state, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "e.png").write_bytes(b"precious")
    (tmp_path / "folder.png").mkdir()
    before = folder_state()
    explain = ["explain", "3.2", "-1", "--plot"]
    command(*explain, "e.png").assert_fails(2, "e.png: exists already", "--overwrite")
    command(*explain, "folder.png", "--overwrite").assert_fails(2, "folder.png: is a directory")
    command(*explain, "nowhere/e.png").assert_fails(1, "nowhere/e.png: cannot be written")
    command(*explain, "e.npy").assert_fails(2, "e.npy: the suffix '.npy' names no format", ".png")
    command(*explain, "e").assert_fails(2, "e: the suffix '' names no format")
    command(*explain, "-").assert_fails(2, "-: standard output has the results already")
    command(*explain, "").assert_fails(2, "the suffix '' names no format")
    command(*explain, "new.png", "--labels", "Cat").assert_fails(2, "1 labels for 2 scores")
    assert folder_state() == before
    assert command(*explain, "e.png", "--overwrite").status == 0
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")
    assert set(folder_state()) == set(before)


def test_letters_that_the_font_lacks_are_told_in_a_line_each(command):
    pytest.importorskip("matplotlib")
    outcome = command("explain", "1", "2", "3", "--labels", "猫,猫x,ok", "--plot", "e.png")
    assert outcome.status == 0
    (line,) = outcome.err.splitlines()
    assert line.startswith("anysoftmax: warning: Glyph 29483 ")
    assert "missing from font" in line


def test_without_matplotlib_it_says_what_to_install(real_command, folder_state):
    hide = (
        "import sys, importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda n, *a: None if n == 'matplotlib' else find(n, *a);"
        "from anysoftmax.cli import main; sys.exit(main())"
    )
    program = [sys.executable, "-c", hide]
    outcome = real_command("explain", "1", "2", "--plot", "e.png", program=program)
    outcome.assert_fails(2, "'--plot'", 'pip install "anysoftmax[plot]"')
    assert real_command("explain", "1", "2", program=program).status == 0
    assert folder_state() == {}


def test_matplotlib_is_loaded_for_a_picture_only():
    code = (
        "import sys; from anysoftmax.cli.app import run; run(['explain', '1', '2']);"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, stdout=-3).returncode == 0
