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
# A worker that needs more is killed; it doesn't use the disk, or wait for ever.
NO_WAY_OUT = {f"distributed.worker.memory.{event}": False for event in ("target", "spill", "pause")}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with (
        dask.config.set(NO_WAY_OUT),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            memory_limit=LIMIT,
            dashboard_address=":0",  # another cluster may have the usual port
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
            ]
        )
    )
    expected = [
        asm.softmax(x),
        asm.log_softmax(x, temperature=0.5, where=x > -9),
        asm.logsumexp(x, axis=0),
        asm.cross_entropy(x, labels),
    ]
    for result, right in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=2e-14)


def test_what_the_workers_hold_already(client: Any) -> None:
    """Alone: beside calls with the same array before it was persisted it once worked by chance."""
    x = logits()
    held = client.persist(da.from_array(x, chunks=(100, 80)))
    p = client.compute(asm.softmax(held)).result()
    np.testing.assert_allclose(p, asm.softmax(x), rtol=2e-14)
    half = da.concatenate([held, da.from_array(x, chunks=(100, 80)) + 1], axis=1)
    p = client.compute(asm.softmax(half)).result()
    np.testing.assert_allclose(p, asm.softmax(np.hstack([x, x + 1])), rtol=2e-14)


FUNCTIONS = {
    "softmax": lambda x, labels: asm.softmax(x).sum(axis=1),
    "labels": lambda x, labels: asm.cross_entropy(x, labels, reduction="none"),
    "smoothing": lambda x, labels: asm.cross_entropy(x, labels, label_smoothing=0.1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_slices_that_fit_no_worker(client: Any, name: str) -> None:
    """Slices of 1 GB: workers that kept the parts for the second reading would be killed."""
    n, length = 2**23, 2**16

    def part(block_info: Any = None) -> Any:
        start, stop = block_info[None]["array-location"][1]
        return np.arange(start, stop, dtype=np.float64) % 1024 / 64 + np.zeros((16, 1))

    x = da.map_blocks(
        part, chunks=((16,), (length,) * (n // length)), dtype=np.float64, meta=np.empty((0, 0))
    )
    assert x.nbytes >= 2 * LIMIT
    workers = set(client.run(os.getpid).values())
    found = client.compute(FUNCTIONS[name](x, da.zeros(16, dtype=int))).result()
    assert set(client.run(os.getpid).values()) == workers
    cycle = np.arange(1024) / 64  # of which n logits are n / 1024
    total = asm.logsumexp(cycle) + np.log(n / 1024)
    expected = {"softmax": 1.0, "labels": total, "smoothing": total - 0.1 * cycle.mean()}
    np.testing.assert_allclose(found, expected[name], rtol=1e-12)


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
