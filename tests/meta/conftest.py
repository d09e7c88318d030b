"""How a wrong function is shown to be caught."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

import anysoftmax
from anysoftmax.testing import backends, laws

settings.register_profile(
    "meta",
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    # The first counterexample will do: nobody wants to read the smallest one.
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


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
        with pytest.raises(AssertionError) as caught:
            judged.check(library, self.with_fault(**wrong))
        assert any(judged.fault in note for note in caught.value.__notes__)

    def assert_acquitted(self, law: str, backend: str = "numpy", **wrong: Any) -> None:
        """Fail if a law refuses functions whose fault it does not name."""
        laws.get(law).check(backends.get(backend), self.with_fault(**wrong))


@pytest.fixture
def prosecution() -> Iterator[Prosecution]:
    before = settings.get_current_profile_name()
    settings.load_profile("meta")
    yield Prosecution()
    settings.load_profile(before)
