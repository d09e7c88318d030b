"""Ctrl-C and SIGTERM in the middle of work: the usual exit status, and no half file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from anysoftmax.cli.interrupts import clean_interrupts, exit_if_interrupted

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

# A suite in the background of a shell ignores Ctrl-C, and its children would as well.
COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from anysoftmax.cli import main
main()
"""
ROWS = 40_000_000  # half a gigabyte with a hole for content: seconds of work, no room on the disk


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_interrupted_apply_leaves_no_half_file(tmp_path, number, status, overwrite):
    np.lib.format.open_memmap(tmp_path / "logits.npy", "w+", np.float32, (ROWS, 3)).flush()
    arguments = ["apply", "logits.npy", "-o", "probs.npy"]
    if overwrite:
        (tmp_path / "probs.npy").write_bytes(b"precious")
        arguments.append("--overwrite")
    before = sorted(path.name for path in tmp_path.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 1000 for path in tmp_path.glob(".*.tmp")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (status, b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    if overwrite:
        assert (tmp_path / "probs.npy").read_bytes() == b"precious"


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
