"""`anysoftmax apply` on 1.5 GB: the right results in less than 400 MB of memory.

``nox -s big`` runs it. Plain pytest does not collect it: it takes minutes, and 6 GB on the disk.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")

LIMIT = 400e6  # bytes
COMMAND = """
import atexit, re, sys

def tell():
    # Not ru_maxrss, which would start with the peak of the process that started this one.
    print(1024 * int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]))

atexit.register(tell)
from anysoftmax.cli import main
sys.exit(main())
"""
CASES = [
    ((375_000, 1000), "C", -1),
    ((375_000, 1000), "C", 0),
    ((375_000, 1000), "F", -1),
    ((375_000, 1000), "F", 0),
    ((37_500_000, 10), "C", -1),
    ((37_500_000, 10), "C", 0),
    ((37_500_000, 10), "F", -1),
    ((37_500_000, 10), "F", 0),
    ((375_000_000,), "C", 0),
]


def write_logits(path, shape, order):
    """Write normal logits, the same 4 million again and again but scaled."""
    logits = np.lib.format.open_memmap(path, "w+", np.float32, shape, fortran_order=order == "F")
    flat = logits.T.reshape(-1) if order == "F" else logits.reshape(-1)
    sample = np.random.default_rng(0).standard_normal(2**22, dtype=np.float32)
    for number, start in enumerate(range(0, flat.size, sample.size)):
        flat[start : start + sample.size] = sample[: flat.size - start] * (1 + number % 5)
    assert flat.nbytes == 1.5e9


def apply_in_a_process(*arguments):
    """Run the command and return the peak of its memory, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "apply", *map(str, arguments), "--workers", "2"],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def assert_softmax(logits, probs, axis):
    """Assert that a few slices are right, and that all others add up to 1."""
    assert (probs.shape, probs.dtype) == (logits.shape, logits.dtype)
    assert probs.flags.f_contiguous == logits.flags.f_contiguous
    logits, probs = (array.reshape(array.shape[0], -1) for array in (logits, probs))
    if axis == 0:
        logits, probs = logits.T, probs.T
    for i in (0, len(logits) // 2, -1):
        z = logits[i].astype(np.float64)
        exact = np.exp(z - z.max())
        np.testing.assert_allclose(probs[i], exact / exact.sum(), rtol=1e-5)
    totals = np.zeros(len(probs))
    rows = max(1, 10**7 // probs.shape[0]) if axis == 0 else probs.shape[1]
    for start in range(0, probs.shape[1], rows):
        totals += probs[:, start : start + rows].sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose(totals, 1.0, rtol=1e-5)


@pytest.mark.parametrize(("shape", "order", "axis"), CASES, ids=str)
def test_memory_and_results(tmp_path, shape, order, axis):
    source, target = tmp_path / "logits.npy", tmp_path / "probs.npy"
    write_logits(source, shape, order)
    peak = apply_in_a_process(source, "-o", target, "--axis", axis)
    print(f"{shape} {order} axis {axis}: {peak / 1e6:.0f} MB")  # noqa: T201 - what one runs it for
    assert_softmax(*(np.load(path, mmap_mode="r") for path in (source, target)), axis)
    assert peak < LIMIT
    source.unlink()
    target.unlink()


def test_a_member_among_others(tmp_path):
    source, target = tmp_path / "logits.npz", tmp_path / "probs.npz"
    write_logits(tmp_path / "logits.npy", (375_000, 1000), "C")
    logits = np.load(tmp_path / "logits.npy", mmap_mode="r")
    np.savez(source, logits=logits, labels=np.arange(375_000))
    peak = apply_in_a_process(source, "-o", target)
    print(f".npz: {peak / 1e6:.0f} MB")  # noqa: T201 - what one runs it for
    assert peak < LIMIT
    with np.load(target) as probs:
        np.testing.assert_array_equal(probs["labels"], np.arange(375_000))
        assert_softmax(logits, probs["logits"], -1)
    for path in (source, target, tmp_path / "logits.npy"):
        path.unlink()
