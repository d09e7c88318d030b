"""Measure everything, store it in docs/performance.json, and write the page Performance from it.

``nox -s performance`` runs this; ``-- --quick`` measures a few cells, ``-- --page`` none: it writes
the page of the stored run again.
"""

from __future__ import annotations

import argparse
import sys
import time

from suites import harness

from . import page
from .cells import few_cells, grid
from .measurement import measure, measure_extra_memory, measure_imports
from .setting import setting


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="performance.make_page", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few cells of each path")
    parser.add_argument("--page", action="store_true", help="only write the page again")
    options = parser.parse_args()
    failures: list[str] = []
    if not options.page:
        page.write(page.STORE, run(failures, quick=options.quick))
    page.PAGE.write_text(page.page(), encoding="utf-8")
    if failures:
        sys.exit("not measured, because it failed:\n" + "\n".join(failures))


def run(failures: list[str], *, quick: bool) -> dict[str, object]:
    """Return a run, as it is stored; a cell that fails is told at the end, the others stand."""
    head = setting()  # before the process is kept to one core
    start = time.monotonic()
    imports = measure_imports(rounds=3 if quick else 15)
    memory = list(measure_extra_memory(["softmax"] if quick else harness.FUNCTIONS))
    cells = []
    for cell in few_cells() if quick else grid():
        try:
            cells.append(measure(cell))
        except NotImplementedError as reason:
            print(f"skipped: {cell}: {reason}", file=sys.stderr)
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            failures.append(f"{cell}: {type(error).__name__}: {error}")
            print(f"failed: {failures[-1]}", file=sys.stderr)
            continue
        print(f"{time.monotonic() - start:5.0f} s", cell, cells[-1]["ratios"], file=sys.stderr)
    return {**head, "quick": quick, "imports": imports, "memory": memory, "cells": cells}


if __name__ == "__main__":
    main()
