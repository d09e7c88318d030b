"""How a wrong function is shown to be caught."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

import anysoftmax
from anysoftmax.testing import backends, laws

# What Hypothesis draws is not the same in every run, even derandomized: it also draws numbers that
# stand in the modules loaded so far. A fault must be found all the same.
COMMON: dict[str, Any] = {
    "derandomize": True,
    "deadline": None,
    "database": None,
    # The first counterexample will do: nobody wants to read the smallest one.
    "phases": [Phase.generate],
    "report_multiple_bugs": False,
    "suppress_health_check": list(HealthCheck),
}
settings.register_profile("prosecution", max_examples=2000, **COMMON)
settings.register_profile("defence", max_examples=40, **COMMON)


@contextmanager
def profile(name: str) -> Iterator[None]:
    """Draw by a profile inside the block."""
    before = settings.get_current_profile_name()
    settings.load_profile(name)
    try:
        yield
    finally:
        settings.load_profile(before)


class Prosecution:
    """Holds wrong functions to a law, and demands that this very law refuses them."""

    def with_fault(self, **wrong: Any) -> SimpleNamespace:
        """Return the library's functions with some of them replaced by wrong ones."""
        right = {name: getattr(anysoftmax, name) for name in anysoftmax.__all__}
        return SimpleNamespace(**{**right, **wrong})

    def assert_caught(self, law: str, backend: str = "numpy", **wrong: Any) -> None:
        """Fail unless the law is broken, by the assertion that states it."""
        judged, library = laws.get(law), backends.get(backend)
        assert judged.applies(library)
        with profile("prosecution"), pytest.raises(AssertionError) as caught:
            judged.check(library, self.with_fault(**wrong))
        assert any(judged.fault in note for note in caught.value.__notes__)

    def assert_acquitted(self, law: str, backend: str = "numpy", **wrong: Any) -> None:
        """Fail if a law refuses functions whose fault it does not name."""
        with profile("defence"):
            laws.get(law).check(backends.get(backend), self.with_fault(**wrong))


@pytest.fixture
def prosecution() -> Prosecution:
    return Prosecution()
