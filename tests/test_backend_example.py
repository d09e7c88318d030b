"""The array library of docs/examples/own_library: a fault of it is named as the page says.

That the laws hold there is shown by the page's terminal session, which test_documentation.py runs.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from anysoftmax.testing import laws

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLE = DOCS / "examples" / "own_library"
PAGE = DOCS.joinpath("explanation", "adding-a-backend-or-kernel.md").read_text(encoding="utf-8")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The page's test file, imported beside its library."""
    monkeypatch.syspath_prepend(EXAMPLE)
    yield importlib.import_module("test_laws_on_tally")
    for name in ("test_laws_on_tally", "tally"):
        sys.modules.pop(name, None)


def test_nearly_every_law_applies(example: ModuleType) -> None:
    left_out = {law.name for law in laws.LAWS} - {law.name for law in example.APPLICABLE}
    assert len(example.APPLICABLE) >= 60
    assert {"gradient-accuracy", "out", "layouts"} <= left_out  # what it has not


def test_a_fault_of_the_library_is_named_as_on_the_page(example: ModuleType) -> None:
    library = example.tally
    library.tally.log1p = library.counted(lambda x: np.log(1 + x))
    with pytest.raises(AssertionError) as caught:
        laws.get("saturated-winner").check(example.BACKEND)
    shown = re.search(r"^```text\n(AssertionError: .*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown is not None
    said = f"AssertionError: {caught.value}\n{caught.value.__notes__[0]}"
    assert said.split() == shown[1].split()


def test_values_are_not_read(example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page says of libraries that are not known, and why they are to be called lazy."""
    monkeypatch.setattr(example.TallyBackend, "lazy", False)
    with pytest.raises(AssertionError) as caught:
        laws.get("option-errors").check(example.BACKEND)
    assert "no ValueError" in str(caught.value)
    for name in ("option-errors", "wrong-temperatures", "labels-out-of-range"):
        assert f"*{name}*" in PAGE
