"""Reading asv's store: one series of figures for each benchmark and set of parameters."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from asv.results import Results, iter_results


class Point(NamedTuple):
    """One figure of one commit."""

    commit: str
    milliseconds: int  # since 1970, of the commit
    value: float


class Series(NamedTuple):
    """The figures of one cell, the oldest commit first."""

    setting: str  # the machine, and the environment on it
    benchmark: str
    parameters: str
    unit: str
    points: tuple[Point, ...]

    @property
    def change(self) -> float | None:
        """The newest figure over the median of those before it; None for the first one, or by 0."""
        *before, last = (point.value for point in self.points)
        usual = statistics.median(before) if before else 0.0
        return last / usual if usual else None


def read(results: Path) -> list[Series]:
    """Return every series of a folder of results, those of a benchmark side by side."""
    described = json.loads((results / "benchmarks.json").read_text(encoding="utf-8"))
    found: dict[tuple[str, str, str], list[Point]] = defaultdict(list)
    stored = iter_results(str(results))
    for result in sorted(stored, key=lambda result: (int(result.date), result.commit_hash)):
        setting = f"{result.params['machine']}: {environment(result)}"
        for benchmark in result.get_all_result_keys():
            # Figures of a benchmark that has been written anew don't compare with those before.
            known = described.get(benchmark)
            if known and known["version"] == result.benchmark_version.get(benchmark):
                for parameters, value in cells(result, benchmark):
                    point = Point(result.commit_hash[:8], int(result.date), value)
                    found[setting, benchmark, parameters].append(point)
    return [
        Series(setting, benchmark, parameters, described[benchmark]["unit"], tuple(points))
        for (setting, benchmark, parameters), points in sorted(
            found.items(), key=lambda item: item[0][:2]
        )
    ]


def environment(result: Results) -> str:
    """Name the Python and the libraries that a commit was measured with."""
    kind, _, rest = result.env_name.partition("-")
    return "as installed" if kind == "existing" else rest.replace("-", " ")


def cells(result: Results, benchmark: str) -> Iterator[tuple[str, float]]:
    """Yield the parameters and the figure of each cell that has one."""
    lists: list[list[str]] = result.get_result_params(benchmark)
    values: list[Any] = result.get_result_value(benchmark, lists)
    for parameters, value in zip(itertools.product(*lists), values, strict=True):
        if value is not None and math.isfinite(value):
            yield ", ".join(p.strip("'") for p in parameters), float(value)
