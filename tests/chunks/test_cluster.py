"""Dask's arrays on a cluster of two processes, one of which may die on the way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anysoftmax as asm

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

# Sockets that the cluster's own threads close late.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

ROWS, COLUMNS = 200, 640
LIMIT = 2**29  # bytes of memory of a worker, a third of which its modules take
NO_DISK = {f"distributed.worker.memory.{event}": False for event in ("target", "spill")}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with (
        dask.config.set(NO_DISK),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            memory_limit=LIMIT,
            dashboard_address=None,
            local_directory=str(tmp_path_factory.mktemp("workers")),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def logits() -> np.ndarray:
    return np.random.default_rng(5).normal(scale=5, size=(ROWS, COLUMNS))


def test_all_functions(client: Any) -> None:
    x, labels = logits(), np.arange(ROWS) % COLUMNS
    lazy, lazy_labels = da.from_array(x, chunks=(100, 80)), da.from_array(labels, chunks=100)
    results = client.gather(
        client.compute(
            [
                asm.softmax(lazy),
                asm.log_softmax(lazy, temperature=0.5, where=lazy > -9),
                asm.logsumexp(lazy, axis=0),
                asm.cross_entropy(lazy, lazy_labels),
                asm.softmax(client.persist(lazy), axis=0),
            ]
        )
    )
    expected = [
        asm.softmax(x),
        asm.log_softmax(x, temperature=0.5, where=x > -9),
        asm.logsumexp(x, axis=0),
        asm.cross_entropy(x, labels),
        asm.softmax(x, axis=0),
    ]
    for result, right in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=2e-14)


def test_slices_that_fit_no_worker(client: Any) -> None:
    """Slices of 1 GB: workers that kept the parts for the second reading would be killed."""
    n, length = 2**23, 2**17

    def part(block_info: Any = None) -> Any:
        start, stop = block_info[None]["array-location"][1]
        return np.arange(start, stop, dtype=np.float64) % 1000 + np.zeros((16, 1))

    x = da.map_blocks(
        part, chunks=((16,), (length,) * (n // length)), dtype=np.float64, meta=np.empty((0, 0))
    )
    assert x.nbytes >= 2 * LIMIT
    total = asm.softmax(x).sum(axis=1)
    np.testing.assert_allclose(client.compute(total).result(), 1, rtol=1e-12)


def test_a_worker_that_dies(client: Any, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    workers = sorted(client.run(os.getpid).values())

    def slow(block: Any) -> Any:
        time.sleep(0.02)
        if os.getpid() == workers[0]:
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return block

    x = logits()
    lazy = da.from_array(x, chunks=(100, 40)).map_blocks(slow, dtype=x.dtype, meta=np.empty((0, 0)))
    result = client.compute(asm.softmax(lazy)).result()
    assert killed.exists()
    np.testing.assert_allclose(result, asm.softmax(x), rtol=2e-14)
