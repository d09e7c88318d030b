"""The command as a program: entry point, help, missing extras, streams that end early."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

MODULE = [sys.executable, "-m", "anysoftmax.cli"]
ENTRY_POINT = [str(Path(sys.executable).parent / "anysoftmax")]


def test_version(command):
    outcome = command("--version")
    assert (outcome.status, outcome.out) == (0, f"anysoftmax {version('anysoftmax')}\n")


@pytest.mark.parametrize("name", [None, "explain", "apply", "check", "fit-temperature", "report"])
def test_help_goes_to_standard_output(command, name):
    outcome = command(*[name] if name else [], "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert "Usage: anysoftmax" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Missing command"),
        (["explian"], "No such command 'explian'"),
        (["--nonsense"], "No such option"),
    ],
)
def test_unknown_commands(command, arguments, says):
    command(*arguments).assert_fails(2, says, "anysoftmax --help")


def test_the_installed_program(real_command, digits_npy, folder_state):
    explained = real_command("explain", "3.2", "1.3", "-0.2", program=ENTRY_POINT)
    assert explained.status == 0
    assert "3. Shares" in explained.out
    real_command("explain", program=ENTRY_POINT).assert_fails(2, "SCORES")
    applied = real_command("apply", digits_npy, "-o", "probs.npy", program=ENTRY_POINT)
    assert applied.status == 0
    assert [str(path) for path in folder_state()] == ["probs.npy"]


def test_without_the_extra_it_says_what_to_install(real_command):
    """Both packages are hidden from a fresh interpreter."""
    hide = (
        "import sys, importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda n, *a: None if n in ('typer', 'rich') else find(n, *a);"
        "sys.argv = ['anysoftmax', 'explain', '1'];"
        "from anysoftmax.cli import main; sys.exit(main())"
    )
    outcome = real_command(hide, program=[sys.executable, "-c"])
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err == (
        'anysoftmax: the command needs typer and rich: pip install "anysoftmax[cli]"\n'
    )


def test_the_command_package_alone_needs_nothing():
    code = (
        "import sys, anysoftmax.cli; print(sorted({'typer', 'rich', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "arguments", [["explain", "1", "2"], ["--help"], ["apply", "big.csv", "-o", "-"]]
)
def test_a_reader_that_leaves_early_is_no_error(tmp_path, arguments):
    (tmp_path / "big.csv").write_text("a,b\n" + "1.5,2.5\n" * 50_000)
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [*MODULE, *arguments],
            stdout=write_end,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            check=False,
            timeout=60,
        )
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [["explain", "1", "2"], ["apply", "big.csv", "-o", "-"]])
def test_standard_output_on_a_full_disk(tmp_path, arguments):
    (tmp_path / "big.csv").write_text("a,b\n" + "1.5,2.5\n" * 50_000)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*MODULE, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == b"anysoftmax: error: output: No space left on device\n"


@pytest.mark.skipif(os.name == "nt", reason="the shell closes the streams")
@pytest.mark.parametrize(
    ("arguments", "closed", "says"),
    [
        (["explain", "1", "2"], ">&-", "standard output: is closed"),
        (["apply", "-", "-o", "p.csv"], "<&-", "standard input: is closed"),
    ],
)
def test_closed_streams(real_command, arguments, closed, says):
    program = ["sh", "-c", f'"$@" {closed}', "sh", *MODULE]
    real_command(*arguments, program=program).assert_fails(1, says)
