"""Threads and forked processes that use the functions at once, on the same arrays."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.testing import Backend


def results(backend: Backend, x: Any, mask: Any) -> list[bytes]:
    return [
        backend.call(asm.softmax, x, where=mask).tobytes(),
        backend.call(asm.softmax, x, axis=0, temperature=0.7, precision="highest").tobytes(),
        backend.call(asm.log_softmax, x).tobytes(),
        backend.call(asm.logsumexp, x, axis=1, where=mask).tobytes(),
    ]


@pytest.mark.parametrize(
    "backend", ["numpy", "array-api-strict", "torch", "jax-32", "dask"], indirect=True
)
def test_threads_share_inputs(backend: Backend) -> None:
    values = np.random.default_rng(2).normal(size=(60, 500)).astype(np.float32)
    x, mask = backend.array(values), backend.array(values > -1)
    alone = results(backend, x, mask)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: results(backend, x, mask), range(32)))
    assert all(result == alone for result in together)
    assert np.array_equal(backend.to_numpy(x), values)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_process_goes_on() -> None:
    # In a process of its own: other libraries of this one warn when it is forked.
    program = """
import os
import numpy as np
import anysoftmax as asm
x = np.random.default_rng(2).normal(size=(200, 1000))
before = asm.softmax(x)
child = os.fork()
after = asm.softmax(x)
if child == 0:
    os._exit(0 if np.array_equal(after, before) else 1)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), np.array_equal(after, before))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["0", "True"]
