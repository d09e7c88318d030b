"""How much memory a call takes beyond its input and its output."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in


def extra_bytes(run: Callable[[], Any], output_bytes: int) -> int:
    """Return by how much a call raises the process's peak above its input and its output.

    The process must never have held more memory than it holds now.
    """
    np.ones(output_bytes, np.uint8)  # lift the peak to where the output alone will lift it
    before = peak_bytes()
    run()
    return peak_bytes() - before


def peak_bytes() -> int:
    """Return the most memory that this process ever held."""
    try:
        # Not ru_maxrss, which on Linux starts with the peak of the process that started this one.
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * PEAK_UNIT
    (kibibytes,) = re.findall(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(kibibytes) * 1024
