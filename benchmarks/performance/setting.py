"""Where and with what a run was made: the machine, the versions, the commit."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = {
    "NumPy": "numpy",
    "SciPy": "scipy",
    "PyTorch": "torch",
    "JAX": "jax",
    "Numba": "numba",
    "CuPy": "cupy",
}


def setting() -> dict[str, object]:
    """Return what a reader needs to place the figures."""
    return {
        "machine": machine(),
        "versions": {"Python": platform.python_version(), **versions()},
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
    }


def machine() -> str:
    """Name the processor, the number of its cores and the system."""
    try:
        named = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        named = None
    processor = named[1] if named else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {platform.system()}"


def versions() -> dict[str, str]:
    """Return the versions of the libraries that are installed."""
    found = {}
    for shown, name in PACKAGES.items():
        try:
            found[shown] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Return the commit that is checked out, with a + if the package differs from it."""
    head = _git("rev-parse", "--short=12", "HEAD")
    return head + ("+" if _git("status", "--porcelain", "--", ":/src") else "")


def _git(*arguments: str) -> str:
    finished = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return finished.stdout.strip()
