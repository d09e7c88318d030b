"""Measuring: the cells in this process; memory and imports each in a process of its own."""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from suites import harness
from suites.harness.stopwatch import median_ratio

from .cells import Cell
from .contenders import KERNELS, contenders

IMPORT = "import time; start = time.process_time(); import {}; print(time.process_time() - start)"
IMPORTED = ("anysoftmax", "numpy")
EXTRA = "from suites.memory import Extra; e = Extra(); e.setup(*{0}); print(e.extra())"


def measure(cell: Cell) -> dict[str, Any]:
    """Return a cell with its median times, and the median ratios of ours to the peers."""
    ours, peers, clock = contenders(cell)
    # The wall clock runs for what else the machine does as well, and takes more turns.
    patience = 4 if clock is harness.wall_clock else 1
    times = harness.take_turns(
        {**ours, **peers},
        rounds=15 * patience,
        fewest=5,
        turn_seconds=0.005,
        budget_seconds=0.4 * patience,
        clock=clock,
    )
    return {
        **cell._asdict(),
        "microseconds": {name: round(statistics.median(t) * 1e6, 2) for name, t in times.items()},
        "ratios": {
            own: {
                peer: round(median_ratio(times[own], times[peer]), 4)
                for peer in peers
                if comparable(own, peer)
            }
            for own in ours
        },
    }


def comparable(own: str, peer: str) -> bool:
    """Tell whether two contenders are compared: of workers, those of the same kernel."""
    return "worker" not in peer or own.partition(",")[0] == peer.partition(",")[0]


def measure_extra_memory(functions: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield what calls add to the memory of a 400 MB input, for each kernel that there is."""
    backends = dict(zip(KERNELS, ("numpy", "numpy-numba"), strict=True))
    outputs = ("allocated", "in place")
    for (kernel, backend), function, output, workers in itertools.product(
        backends.items(), functions, outputs, (1, 2)
    ):
        mebibytes = in_fresh_process(EXTRA.format((function, backend, output, workers)))
        if mebibytes is not None:
            yield {
                "kernel": kernel,
                "function": function,
                "output": output,
                "workers": workers,
                "mebibytes": round(mebibytes, 1),
            }


def measure_imports(*, rounds: int) -> dict[str, float]:
    """Return the times of two imports in milliseconds, and their ratio by turns."""
    with tempfile.TemporaryDirectory() as folder:
        # Compiled once, as by whatever installs a package; a checkout may have nowhere to put it.
        caching = {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        _, *times = [
            [in_fresh_process(IMPORT.format(name), **caching) or 0.0 for name in IMPORTED]
            for _ in range(rounds + 1)
        ]
    ours, theirs = (list(t) for t in zip(*times, strict=True))
    return {
        "anysoftmax": round(statistics.median(ours) * 1e3, 2),
        "numpy": round(statistics.median(theirs) * 1e3, 2),
        "ratio": round(median_ratio(ours, theirs), 4),
    }


def in_fresh_process(program: str, **environment: str) -> float | None:
    """Return the number that a program prints, None if what it measures is not there."""
    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if finished.returncode and "NotImplementedError" in finished.stderr:
        return None
    if finished.returncode:
        raise RuntimeError(f"a measurement failed:\n{finished.stderr}")
    return float(finished.stdout)
