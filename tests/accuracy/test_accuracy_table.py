"""The published accuracy is what is measured, within its bounds, and it does not get worse."""

from __future__ import annotations

import json
import math
from pathlib import Path

import gradients
import pytest
from make_table import gradient_section, value_section
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
            published = TABLE["values"][f"{name}/{function}/{dtype}/{precision}"]
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


@pytest.mark.parametrize("dtype", gradients.FAMILIES)
@pytest.mark.parametrize("function", gradients.FUNCTIONS)
@pytest.mark.parametrize("name", gradients.IMPLEMENTATIONS)
def test_gradients_are_as_published(name: str, function: str, dtype: str) -> None:
    for family in gradients.FAMILIES[dtype]:
        published = TABLE["gradients"][f"{name}/{function}/{dtype}/{family}"]
        worst = gradients.measure(name, function, family, dtype)
        if name.startswith("anysoftmax"):
            allowed = (math.floor(published["terms"] / GRAIN) + 1) * GRAIN
            assert worst.terms <= allowed, f"{family}: {worst}, published {published}"
            assert worst.share <= 1, f"{family}: {worst.share} of the bound"
        else:  # half a decade is another processor; more is mended, and the page must say so
            moved = math.log10(worst.terms / published["terms"])
            assert abs(moved) < 0.5, f"{family}: {worst}, published {published}"


def test_the_page_shows_the_figures() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "accuracy.md").read_text()
    for function in FUNCTIONS:
        assert value_section(function, TABLE["values"]) in page
    for dtype in gradients.FAMILIES:
        assert gradient_section(dtype, TABLE["gradients"]) in page
