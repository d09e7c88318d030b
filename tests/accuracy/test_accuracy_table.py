"""The published accuracy is what is measured, within its bounds, and it does not get worse."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from measurement import BACKENDS, FUNCTIONS, PRECISIONS, measure

from anysoftmax.testing import BACKENDS as EVERY_BACKEND
from anysoftmax.testing import Backend, backends

TABLE = json.loads((Path(__file__).parents[2] / "docs" / "accuracy.json").read_text())

# Other vector instructions than the table's give NumPy another exponential, with another error
# of at most as much; a growth that is not the machine's is larger.
GRAIN = 0.25


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", BACKENDS)
def test_no_error_has_grown(name: str, function: str, precision: str) -> None:
    backend = backends.get(name)
    with backend.context():
        for dtype in backend.dtypes:
            published = TABLE[f"{name}/{function}/{dtype}/{precision}"]
            worst = measure(backend, function, dtype, precision)
            allowed = (math.floor(published["ulp"] / GRAIN) + 1) * GRAIN
            assert worst.ulp <= allowed, f"{dtype}: {worst.ulp} ulp, published {published['ulp']}"
            assert worst.share <= 1, f"{dtype}: {worst.share} of the bound"


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "backend",
    [name for name, backend in EVERY_BACKEND.items() if backend.platform == "cuda"],
    indirect=True,
)
def test_errors_on_a_gpu_are_within_their_bounds(
    backend: Backend, function: str, precision: str
) -> None:
    with backend.context():
        for dtype in backend.dtypes:
            worst = measure(backend, function, dtype, precision)
            assert worst.share <= 1, f"{dtype}: {worst.share} of the bound"


def test_the_page_shows_the_figures() -> None:
    page = (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text()
    for figures in TABLE.values():
        assert f"{figures['ulp']:.2f} ({figures['share']:.2f})" in page
