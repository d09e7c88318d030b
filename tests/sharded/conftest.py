"""Eight devices of JAX on one processor: they must be asked for before JAX starts.

So these tests need a process of their own, as ``nox -s tests-sharded`` and `tests/test_sharded.py`
start one. In any other there is nothing to collect here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

if "--xla_force_host_platform_device_count=8" not in os.environ.get("XLA_FLAGS", ""):
    collect_ignore_glob = ["*.py"]


@pytest.fixture
def sixty_four_bits() -> Iterator[None]:
    import jax

    with jax.enable_x64(True):
        yield
