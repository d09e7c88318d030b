"""Settings of all tests: how many examples Hypothesis draws, and which libraries must be there."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

from anysoftmax.testing import Backend, backends

pytest_plugins = ["pytester"]

TESTS_RUN = count()

# Laws draw whole arrays, and a first call may compile: neither is a sign of a bad strategy.
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

settings.register_profile("dev", max_examples=20, deadline=None, suppress_health_check=SLOW)
settings.register_profile(
    "ci", max_examples=12, deadline=None, derandomize=True, suppress_health_check=SLOW
)
settings.register_profile("thorough", max_examples=600, deadline=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def available(name: str) -> Backend:
    """Return a backend; skip the test if it can't be imported, or fail it if it is required."""
    backend = backends.get(name)
    if not backend.available():
        if backends.is_required(backend):
            pytest.fail(f"backend {name} is required but can't be imported")
        pytest.skip(f"backend {name} is not installed, or finds no device")
    return backend


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Backend:
    """The backend whose name the test is parametrised with."""
    return available(request.param)


@pytest.fixture(scope="session")
def load_script() -> Callable[[Path], ModuleType]:
    """Return what imports a file that is in no package, such as an example of the docs."""

    def load(path: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(autouse=True)
def compiled_programs() -> Iterator[None]:
    """Let go of what JAX has compiled now and then: it would grow to gigabytes."""
    yield
    if next(TESTS_RUN) % 8 == 7 and "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
