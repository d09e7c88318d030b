"""The same findings in every array library, of the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.testing import BACKENDS

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(60, 4), scale=2.0)
PROBS = asm.softmax(SCORES)
HOLES = SCORES.copy()
HOLES[[3, 50]], HOLES[7, 1], HOLES[8, :2], HOLES[9] = np.nan, np.inf, np.inf, -np.inf
CASES = {
    "scores": SCORES,
    "probabilities": PROBS,
    "softmax-twice": asm.softmax(PROBS),
    "wrong-axis": np.ascontiguousarray(PROBS.T),
    "percentages": PROBS * 100,
    "sigmoid": 1 / (1 + np.exp(-2 * SCORES)),
    "one-hot": np.eye(4)[RNG.integers(4, size=60)],
    "constant": np.zeros((60, 4)),
    "holes": HOLES,
    "empty": np.zeros((0, 4)),
    "0-d": np.asarray(0.5),
}
OPEN = [b.name for b in BACKENDS.values() if not b.lazy and not b.traced]
CLOSED = [b.name for b in BACKENDS.values() if b.lazy]


@pytest.mark.parametrize("backend", OPEN, indirect=True)
@pytest.mark.parametrize("case", CASES)
def test_the_findings_are_those_of_numpy(backend, case):
    expected = asm.check_logits(CASES[case])
    with backend.context():
        for dtype in backend.dtypes:
            x = backend.open_array(CASES[case], dtype=dtype)
            assert asm.check_logits(x) == expected, dtype


@pytest.mark.parametrize("backend", OPEN, indirect=True)
def test_layouts(backend):
    expected = asm.check_logits(HOLES)
    with backend.context():
        for layout in backend.layouts:
            if layout != "expanded":
                assert asm.check_logits(backend.open_array(HOLES, layout=layout)) == expected


@pytest.mark.parametrize("backend", OPEN, indirect=True)
def test_integers(backend):
    with backend.context():
        for dtype in backend.integers:
            labels = backend.open_array(np.eye(4)[[0, 1, 2]], dtype=dtype)
            assert [f.pitfall for f in asm.check_logits(labels)] == ["one-hot"]
            scores = backend.open_array(np.asarray([[3, 1, 7], [8, 2, 0]]), dtype=dtype)
            assert asm.check_logits(scores) == []


@pytest.mark.parametrize("backend", CLOSED, indirect=True)
def test_lazy_arrays_are_refused(backend):
    with backend.context(), pytest.raises(TypeError, match="lazy"):
        asm.check_logits(backend.array(SCORES))


@pytest.mark.parametrize("backend", ["jax", "torch", "array-api-strict"], indirect=True)
def test_devices(backend):
    with backend.context():
        for device in backend.devices():
            x = backend.to_device(backend.array(PROBS), device)
            assert asm.check_logits(x) == asm.check_logits(PROBS)
