"""The digits files are what their README says they are."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import anysoftmax as asm

DATA = Path(__file__).parent


@pytest.fixture
def logits():
    return np.load(DATA / "digits_logits.npy")


@pytest.fixture
def labels():
    return np.load(DATA / "digits_labels.npy")


def test_the_readme_tells_the_truth(logits, labels):
    readme = " ".join((DATA / "README.md").read_text(encoding="utf-8").split())
    assert (logits.dtype, labels.dtype) == (np.float32, np.int64)
    assert f"float32, shape {logits.shape}" in readme
    assert f"int64, shape {labels.shape}" in readme
    probs = asm.softmax(logits.astype(np.float64))
    accuracy = np.mean(np.argmax(logits, axis=-1) == labels)
    assert f"right on {100 * accuracy:.1f} %" in readme
    assert f"mean confidence is {100 * np.mean(probs.max(axis=-1)):.1f} %" in readme
    ordered = np.sort(logits.astype(np.float64), axis=-1)
    gap = ordered[:, -1] - ordered[:, -2]
    assert f"from {gap.min():.2f} to {gap.max():.1f}" in readme
    saturated = np.exp(asm.log_softmax(logits.astype(np.float64))).max(axis=-1) > 1 - 2.0**-25
    assert f"For {np.sum(saturated)} of the {len(logits)} images" in readme


def test_winners_are_saturated_in_float32(logits):
    assert np.sum(asm.softmax(logits).max(axis=-1) == 1.0) >= 275


def test_the_table_holds_the_first_rows(logits, labels):
    with (DATA / "digits_logits.csv").open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    assert header == [*(f"digit_{k}" for k in range(10)), "label"]
    assert len(rows) == 50
    np.testing.assert_array_equal(np.asarray([row[:-1] for row in rows], np.float32), logits[:50])
    assert [int(row[-1]) for row in rows] == labels[:50].tolist()


def test_the_script_makes_files_like_these(tmp_path, logits, labels):
    """Another processor may end the training elsewhere; images and labels stay the same."""
    pytest.importorskip("sklearn")
    script = [sys.executable, str(DATA / "make_digits.py"), str(tmp_path)]
    subprocess.run(script, check=True, capture_output=True, timeout=300)
    made = np.load(tmp_path / "digits_logits.npy")
    assert (made.shape, made.dtype) == (logits.shape, logits.dtype)
    np.testing.assert_array_equal(np.load(tmp_path / "digits_labels.npy"), labels)
    agreement = np.mean(np.argmax(made, axis=-1) == np.argmax(logits, axis=-1))
    assert agreement > 0.9
