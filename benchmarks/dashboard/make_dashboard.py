"""Write benchmarks/html/dashboard.html from benchmarks/results; ``nox -s dashboard`` runs this."""

from __future__ import annotations

import argparse
from pathlib import Path

from .drawing import draw
from .history import read

BENCHMARKS = Path(__file__).parents[1]


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(prog="dashboard.make_dashboard", description=__doc__)
    parser.add_argument("--results", type=Path, default=BENCHMARKS / "results")
    parser.add_argument("--output", type=Path, default=BENCHMARKS / "html" / "dashboard.html")
    options = parser.parse_args()
    if not (options.results / "benchmarks.json").exists():
        parser.error(f"no results in {options.results}: run `nox -s bench` first")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(draw(read(options.results)), encoding="utf-8")
    print(options.output)


if __name__ == "__main__":
    main()
