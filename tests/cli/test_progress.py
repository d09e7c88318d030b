"""The progress bar: for long work only, and only where somebody watches."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pytest

from anysoftmax.cli import progress


class Terminal(io.StringIO):
    """A stream that takes itself for a terminal."""

    def isatty(self):
        """Return what a terminal returns."""
        return True


def drawn(monkeypatch, stream, patience, total=40_000_000, **options):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", patience)
    with progress.Bar("softmax", **options) as bar:
        bar(10_000_000, total)
        bar(20_000_000, total)
    return stream.getvalue()


def test_long_work_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    text = drawn(monkeypatch, Terminal(), patience=0.0)
    assert "softmax" in text
    assert "50%" in text
    assert "MB" not in text


def test_bytes_have_a_rate(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    text = drawn(monkeypatch, Terminal(), patience=0.0, of_bytes=True)
    assert "50%" in text
    assert "20.0/40.0 MB" in text
    assert "B/s" in text
    assert re.search(r"-?\d:\d\d", text)  # the time that is left


def test_bytes_of_which_nobody_knows_how_many_there_are(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    text = drawn(monkeypatch, Terminal(), patience=0.0, of_bytes=True, total=None)
    assert "20.0/? MB" in text
    assert "%" not in text


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_work_of_unknown_length(monkeypatch, stream, shown):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.Bar("fit") as bar:
        bar.pulse()
    assert ("fit" in stream.getvalue()) == shown


def test_short_work_is_quiet(monkeypatch):
    assert drawn(monkeypatch, Terminal(), patience=60.0) == ""


def test_nobody_watches(monkeypatch):
    assert drawn(monkeypatch, io.StringIO(), patience=0.0) == ""


def test_hidden(monkeypatch):
    assert drawn(monkeypatch, Terminal(), patience=0.0, hidden=True) == ""


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_the_terminal_stays_clean_after_short_work(tmp_path, digits_npy):
    import pty

    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "anysoftmax.cli", "apply", digits_npy, "-o", "probs.npy"],
        cwd=tmp_path,
        stderr=theirs,
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    try:
        printed = os.read(ours, 1000)
    except OSError:  # nothing was ever written
        printed = b""
    finally:
        os.close(ours)
    assert (done.returncode, done.stdout, printed) == (0, b"", b"")
