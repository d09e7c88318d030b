"""Blocks are the reference's: no kernel takes its place here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from anysoftmax import kernels


@pytest.fixture(autouse=True)
def _reference() -> Iterator[None]:
    with kernels.use("reference"):
        yield
