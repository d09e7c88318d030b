"""The example of zarr and xarray runs, and says that the numbers are right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "zarr_and_xarray.py"


def test_zarr_and_xarray(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLE), str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == [
        "zarr: (1000, 60) float32 in chunks of (250, 20)",
        "as of NumPy: True",
        "xarray: ('sample', 'word') lazy {'model': 'drawn at random'}",
        "sums: 1.0 1.0",
        "along the samples: ('sample', 'word') 1.0",
    ]
