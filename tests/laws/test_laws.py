"""Every law on every backend for which it has a meaning."""

from __future__ import annotations

import pytest

from anysoftmax.testing import BACKENDS, LAWS, Backend, Law

PAIRS = [
    pytest.param(law, name, id=f"{law.name}-{name}", marks=pytest.mark.xdist_group(name))
    for name, backend in BACKENDS.items()
    for law in LAWS
    if law.applies(backend)
]


@pytest.mark.parametrize(("law", "backend"), PAIRS, indirect=["backend"])
def test_law_holds(law: Law, backend: Backend) -> None:
    law.check(backend)
