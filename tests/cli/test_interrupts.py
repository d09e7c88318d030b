"""Ctrl-C and SIGTERM in the middle of work: the usual exit status, and no half file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from anysoftmax.cli.interrupts import clean_interrupts, exit_if_interrupted

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

# A suite in the background of a shell ignores Ctrl-C, one under nohup SIGHUP, and so its children.
COMMAND = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from anysoftmax.cli import apply_command, main

class Bar(apply_command.Bar):
    def __call__(self, done, total):
        print(done, flush=True)
        time.sleep(0.05)
        super().__call__(done, total)

apply_command.Bar = Bar
if "--hidden" in sys.argv:
    sys.argv.remove("--hidden")
    del os.O_TMPFILE
main()
"""
ROWS = 10_000_000  # with a hole for content: seconds of work with these breaks


@pytest.fixture
def interrupted(tmp_path):
    """Return a function that ends ``apply`` by a signal in the middle of its work."""

    def interrupted(number, *options):
        np.lib.format.open_memmap(tmp_path / "logits.npy", "w+", np.float32, (ROWS, 3)).flush()
        if "--overwrite" in options:
            (tmp_path / "probs.npy").write_bytes(b"precious")
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "apply", "logits.npy", "-o", "probs.npy", *options],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout.readline(), process.stderr.read()  # the first block is done
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert errors == b""
        if "--overwrite" in options:
            assert (tmp_path / "probs.npy").read_bytes() == b"precious"
        return process.returncode

    return interrupted


@pytest.mark.parametrize(
    ("number", "status", "options"),
    [
        (signal.SIGINT, 130, ["--hidden"]),
        (signal.SIGINT, 130, ["--overwrite"]),
        (signal.SIGINT, 130, ["--workers", "2"]),
        (signal.SIGTERM, 143, ["--workers", "2", "--hidden"]),
        (signal.SIGHUP, 129, ["--overwrite"]),
    ],
)
def test_an_interrupted_apply_leaves_no_half_file(tmp_path, interrupted, number, status, options):
    if "--hidden" in options and not hasattr(os, "O_TMPFILE"):
        pytest.skip("files without a name are Linux's")
    assert interrupted(number, *options) == status
    kept = {"logits.npy"} | ({"probs.npy"} if "--overwrite" in options else set())
    assert {path.name for path in tmp_path.iterdir()} == kept


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_a_killed_apply_leaves_no_half_file(tmp_path, interrupted, options):
    assert interrupted(signal.SIGKILL, *options) == -signal.SIGKILL
    found = {path.name for path in tmp_path.iterdir()} - {"logits.npy"}
    assert found - {"probs.npy"} == set() or not hasattr(os, "O_TMPFILE")
    assert ("probs.npy" in found) == bool(options)


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with clean_interrupts():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_second_signal_does_not_disturb_the_clean_up():
    cleaned = []

    def work():
        with clean_interrupts():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGINT)
                cleaned.append(True)

    with pytest.raises(SystemExit) as stopped:
        work()
    assert stopped.value.code == 143
    assert cleaned == [True]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with clean_interrupts():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_swallowed_exit_is_raised_again() -> None:
    def work() -> None:
        with clean_interrupts():
            with contextlib.suppress(SystemExit):  # as a destructor would
                signal.raise_signal(signal.SIGTERM)
            exit_if_interrupted()

    with pytest.raises(SystemExit) as ended:
        work()
    assert ended.value.code == 128 + signal.SIGTERM
    exit_if_interrupted()  # it is over
