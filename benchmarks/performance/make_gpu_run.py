"""Measure softmax and log_softmax on a GPU, store docs/gpu.json, and write the page again.

``nox -s gpu`` runs this. It says what it skipped, and stores nothing where nothing was measured.
"""

from __future__ import annotations

import subprocess
from typing import Any

from . import page
from .cells import cuda_grid
from .measurement import measure
from .setting import setting


def main() -> None:
    """Measure the cells whose library finds a GPU."""
    cells: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    for cell in cuda_grid():
        if cell.path in skipped:
            continue
        try:
            cells.append(measure(cell))
        except NotImplementedError as reason:
            skipped[cell.path] = str(reason)
        else:
            print(cell, cells[-1]["ratios"])
    for path, reason in skipped.items():
        print(f"skipped: {path}: {reason}")
    if not cells:
        print("nothing was measured on a GPU: docs/gpu.json stays as it is")
        return
    page.write(page.CUDA_STORE, {**setting(), "machine": device(), "cells": cells})
    page.PAGE.write_text(page.page(), encoding="utf-8")


def device() -> str:
    """Name the GPU and its driver."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader", "--id=0"]
    finished = subprocess.run(query, capture_output=True, text=True, check=True)
    name, driver = finished.stdout.strip().split(", ")
    return f"{name}, driver {driver}"


if __name__ == "__main__":
    main()
