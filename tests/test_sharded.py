"""What is cut among devices is tested in a process of its own, which asks JAX for eight of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_slices_that_are_cut_among_devices() -> None:
    devices = "--xla_force_host_platform_device_count=8"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/sharded"]
    finished = subprocess.run(
        command,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "XLA_FLAGS": devices},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
