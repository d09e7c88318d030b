"""Every law again with blocks of a few bytes: small arrays too are cut, copied and joined."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from anysoftmax import blocks, workers
from anysoftmax.testing import LAWS, Law
from anysoftmax.testing.backends.numpy_backends import NumpyBackend

SIZES = {
    # Slices are cut into parts; no block is copied.
    "parts": {"BLOCK": 24, "WHOLE": 24, "FEW_CLASSES": 0, "FEW_SLICES": 0, "WIDTH": 2, "GROUP": 2},
    # Slices stay whole; all blocks are copied to lie the other way.
    "copies": {"BLOCK": 96, "WHOLE": 2**20, "FEW_CLASSES": 2**20, "FEW_SLICES": 2**20},
    "parts and copies": {"BLOCK": 40, "WHOLE": 40, "FEW_CLASSES": 2**20, "FEW_SLICES": 2**20},
}


class SmallBlocks(NumpyBackend):
    """NumPy with the sizes of blocks changed, and two workers."""

    name = "numpy-small-blocks"

    def __init__(self, sizes: dict[str, int]) -> None:
        super().__init__()
        self.sizes = sizes | {"SMALL": 0}

    @contextmanager
    def context(self) -> Iterator[None]:
        """Change the sizes for as long as a law runs."""
        with super().context(), pytest.MonkeyPatch.context() as patch, workers(2):
            for name, size in self.sizes.items():
                patch.setattr(blocks, name, size)
            yield


# Millions of logits in blocks of a few would take hours.
LARGE = {"long-losses", "million-classes", "sixteen-bit-sums"}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize(
    "law",
    [
        pytest.param(law, id=law.name)
        for law in LAWS
        if law.applies(NumpyBackend()) and law.name not in LARGE
    ],
)
def test_law_holds(law: Law, sizes: dict[str, int]) -> None:
    law.check(SmallBlocks(sizes))
