from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from anysoftmax.cli.app import run

DATA = Path(__file__).parent.parent / "data"
MODULE = [sys.executable, "-m", "anysoftmax.cli"]


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit status and what it printed."""

    status: int
    out: str
    err: str

    def assert_fails(self, status: int, *parts: str) -> None:
        """Assert one line on standard error, nothing on standard output, no traceback or box."""
        assert self.status == status, self
        assert self.out == ""
        assert self.err.startswith("anysoftmax: error: ")
        assert self.err.count("\n") == 1
        assert self.err.endswith("\n")
        assert "Traceback" not in self.err
        assert not set(self.err) & set("╭│╰")
        for part in parts:
            assert part in self.err


@pytest.fixture(autouse=True)
def usual_buffering(monkeypatch):
    """Buffer output as a user's Python does, whatever the machine that runs the tests sets."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Run the command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        status = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return command


@pytest.fixture
def real_command(tmp_path):
    """Run the command as a process of its own, in an empty folder."""

    def real_command(*arguments, program=MODULE, text_input="", **options):
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8", **options.pop("env", {})}
        done = subprocess.run(
            [*program, *map(str, arguments)],
            input=text_input,
            capture_output=True,
            encoding="utf-8",
            cwd=tmp_path,
            env=environment,
            check=False,
            timeout=60,
            **options,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return real_command


@pytest.fixture
def digits_npy():
    """Return the path of the digits logits as an array."""
    return DATA / "digits_logits.npy"


@pytest.fixture
def digits_csv():
    """Return the path of the digits logits as a table."""
    return DATA / "digits_logits.csv"


@pytest.fixture
def folder_state(tmp_path):
    """Return a function that tells the name, content and mode of every file in `tmp_path`."""

    def state():
        return {
            path.relative_to(tmp_path): (path.lstat().st_mode, path.is_file() and path.read_bytes())
            for path in tmp_path.rglob("*")
        }

    return state
