"""Make the tools of benchmarks/ importable, as their nox sessions have them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep what a benchmark sets, one core and JAX's float64, from the tests that come after."""
    from suites import harness

    jax = pytest.importorskip("jax")
    monkeypatch.setattr(harness.libraries, "stay_on_one_core", lambda: None)
    before = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", before)
