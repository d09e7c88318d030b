"""Measure the rates that the page At scale tells: ``nox -s rates``. Needs 3 GB on the disk."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

import anysoftmax as asm
from anysoftmax.files import apply

TURNS, MANY_TURNS = 3, 9
CLASSES = 1000
SLICES = 262_144  # 1 GB of float32
ROWS = 8192  # of a chunk of whole slices: 33 MB
LONGEST = 375_000  # slices of the file that is softmaxed: 1.5 GB
TOKENS, OF_A_DEVICE = 256, 15_625  # of a vocabulary of a million on 64 devices


def write_logits(path: Path, slices: int) -> None:
    """Write normal float32 logits, the same 4 million again and again."""
    sample = np.random.default_rng(0).standard_normal((4000, CLASSES), dtype=np.float32)
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (slices, CLASSES)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, slices, len(sample)):
            file.write(sample[: slices - start])


def chunk(path: str, block_info: Any = None) -> Any:
    """Read a chunk of the logits."""
    (start, stop), (left, right) = block_info[None]["array-location"]
    return np.array(np.load(path, mmap_mode="r")[start:stop, left:right])


def logits(path: Path, parts: int) -> Any:
    """Return the logits as an array of Dask's, of slices in so many parts."""
    rows, columns = ROWS * parts, CLASSES // parts
    chunks = (rows,) * (SLICES // rows), (columns,) * parts
    meta = np.empty((0, 0), np.float32)
    return da.map_blocks(chunk, str(path), chunks=chunks, dtype=np.float32, meta=meta)


def seconds(work: Callable[[], Any], number: int = TURNS) -> float:
    """Return how long some work takes, the median of a few turns after one to warm up."""
    work()
    turns = []
    for _ in range(number):
        start = time.perf_counter()
        work()
        turns.append(time.perf_counter() - start)
    return statistics.median(turns)


def print_dask(path: Path) -> None:
    """Print megabytes of logits a second on clusters of two processes and of one."""
    labels = da.zeros(SLICES, chunks=ROWS, dtype=int)
    works: dict[str, Callable[[], Any]] = {
        "reading and summing up": lambda: logits(path, 1).sum(),
        "`softmax`, whole slices": lambda: asm.softmax(logits(path, 1)).sum(),
        "`cross_entropy` of labels, whole slices": lambda: asm.cross_entropy(
            logits(path, 1), labels
        ),
        "`logsumexp`, slices in four parts": lambda: asm.logsumexp(logits(path, 4), axis=1).sum(),
        "`cross_entropy` of labels, slices in four parts": lambda: asm.cross_entropy(
            logits(path, 4), labels
        ),
        "`cross_entropy` with smoothing, slices in four parts": lambda: asm.cross_entropy(
            logits(path, 4), labels, label_smoothing=0.1
        ),
        "`softmax`, slices in four parts": lambda: asm.softmax(logits(path, 4)).sum(),
    }
    found: dict[str, list[float]] = {name: [] for name in works}
    for processes in (2, 1):
        with (
            dask.config.set({"distributed.worker.memory.target": False}),
            LocalCluster(processes, threads_per_worker=1, dashboard_address=":0") as cluster,
            Client(cluster) as client,
        ):
            for name, work in works.items():
                taken = seconds(lambda work=work: client.compute(work()).result())
                found[name].append(4 * SLICES * CLASSES / 1e6 / taken)
    print("| MB/s | two processes | one process |\n|---|---|---|")
    for name, rates in found.items():
        print(f"| {name} |", " | ".join(f"{rate:.0f}" for rate in rates), "|")


def print_file(folder: Path) -> None:
    """Print the rate of `anysoftmax.files.apply` from disk to disk, and of a plain copy."""
    source, target = folder / "long.npy", folder / "probs.npy"
    write_logits(source, LONGEST)

    def seconds_from_disk_to_disk(work: Callable[[], Any]) -> float:
        target.unlink(missing_ok=True)
        os.sync()
        with source.open("rb") as file:  # what the system has of it in memory is let go
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        start = time.perf_counter()
        work()
        os.sync()
        return time.perf_counter() - start

    works = {
        "apply, 1 worker": lambda: apply(source, target),
        "apply, 2 workers": lambda: apply(source, target, workers=2),
        "a copy": lambda: shutil.copyfile(source, target),
    }
    for name, work in works.items():
        taken = statistics.median(seconds_from_disk_to_disk(work) for _ in range(TURNS))
        rate = source.stat().st_size / 1e6 / taken
        print(f"1.5 GB from disk to disk, {name}: {rate:.0f} MB/s")


def print_jax() -> None:
    """Print the time of a loss and its gradient on what one of many devices has."""
    import jax

    x = jax.random.normal(jax.random.key(0), (TOKENS, OF_A_DEVICE))
    labels = jax.numpy.zeros(TOKENS, dtype=int)
    both = jax.jit(jax.value_and_grad(asm.cross_entropy))
    taken = seconds(lambda: jax.block_until_ready(both(x, labels)), MANY_TURNS)
    print(f"jax, loss and gradient: {taken / x.size * 1e9:.2f} ns a logit on {jax.devices()}")


def main() -> None:
    """Print all rates."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logits.npy"
        write_logits(path, SLICES)
        print_dask(path)
        path.unlink()
        print_file(Path(folder))
    print_jax()


if __name__ == "__main__":
    main()
