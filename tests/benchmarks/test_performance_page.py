"""The Performance page shows the stored run, and its verdicts are what the figures say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from performance import page
from performance.cells import CUDA, LARGE, MILLION, Cell, few_cells, grid
from performance.contenders import PATHS, logits, on_cuda
from performance.figures import CUDA_FIGURES, FIGURES, Figure, at_most, by_classes, judge
from suites import harness


def test_the_page_is_written_from_the_store() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page()


def test_the_grid_is_the_whole_one() -> None:
    cells = set(grid())
    shapes = {(c.dtype, c.classes, c.axis) for c in cells if c.path == "NumPy"}
    assert len(shapes) == 2 * 7 * 2
    assert any(c.elements == LARGE for c in cells)
    assert {c.path for c in cells} | {p for p in PATHS if "CUDA" in p or p == "CuPy"} == set(PATHS)


def test_a_quick_run_tries_every_path() -> None:
    assert {cell.path for cell in few_cells()} == {cell.path for cell in grid()}


def test_every_figure_speaks_of_cells_that_are_measured() -> None:
    assert {path for figure in FIGURES for path in figure.paths} <= {cell.path for cell in grid()}
    assert {path for figure in CUDA_FIGURES for path in figure.paths} <= set(PATHS)


def row(ratio: float, **differs: Any) -> dict[str, Any]:
    cell = {"path": "here", "function": "softmax", "dtype": "float32", "classes": 10, "axis": -1}
    return {**cell, "elements": MILLION, "ratios": {"ours": {"theirs": ratio}}, **differs}


FIGURE = Figure("a figure", ("here",), "ours", "theirs", "1.0", at_most(1.0))


@pytest.mark.parametrize(
    ("ratios", "met_by_each", "met_by_mean"),
    [([0.5, 1.0], True, True), ([0.5, 1.1], False, True), ([1.1, 1.2], False, False)],
)
def test_verdicts(ratios: list[float], *, met_by_each: bool, met_by_mean: bool) -> None:
    rows = [row(ratio) for ratio in ratios]
    each, mean = judge(FIGURE, rows), judge(FIGURE._replace(of_mean=True), rows)
    assert each is not None
    assert mean is not None
    assert (each.met, mean.met) == (met_by_each, met_by_mean)
    assert each.worst == rows[-1]


def test_what_was_not_measured_is_not_met() -> None:
    assert judge(FIGURE, [row(0.5, path="elsewhere"), row(0.5, ratios={})]) is None
    assert page.line(FIGURE, None)[-1] == "not measured"


def test_limits_go_by_classes_and_dtype() -> None:
    limit = by_classes(few=0.15, ten=(0.3, 0.5), fifty=0.9, more=1.1)
    classes = [2, 10, 50, 100, 128_256]
    assert [limit(row(1.0, classes=n)) for n in classes] == [0.15, 0.3, 0.9, 1.1, 1.1]
    assert limit(row(1.0, dtype="float64")) == 0.5


@pytest.mark.parametrize(("name", "peer"), [("torch", "torch"), ("jax-jit", "jax.nn")])
@pytest.mark.usefixtures("settings")
def test_the_contenders_of_a_gpu_run_on_the_cpu_too(name: str, peer: str) -> None:
    pytest.importorskip(name.partition("-")[0])
    cell = Cell("PyTorch on CUDA", "softmax", "float32", 10, -1, elements=100)
    ours, peers, _ = on_cuda(name, peer, cell)
    values = [np.asarray(run()) for run in (*ours.values(), *peers.values())]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-5)
    np.testing.assert_array_equal(values[2], -logits(cell))


@pytest.mark.parametrize("part", harness.PARTS)
@pytest.mark.parametrize("contest", harness.CONTESTS)
@pytest.mark.usefixtures("settings")
def test_contenders_compute_the_same_loss(contest: str, part: str) -> None:
    library, kernel, peer = harness.CONTESTS[contest]
    pytest.importorskip(library.partition("-")[0])
    asarray = harness.backend(library, automatic=True).asarray
    given = asarray(harness.logits((20, 10), "float32")), asarray(harness.labels(20, 10))
    ours = harness.loss("anysoftmax", library, part, kernel=kernel)(*given)
    theirs = harness.loss(peer, library, part)(*given)
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-9)


def flat(result: Any) -> list[Any]:
    """Return a loss, or a loss and its gradient, as NumPy arrays."""
    if isinstance(result, tuple):
        return [array for part in result for array in flat(part)]
    return [np.asarray(result.detach() if hasattr(result, "detach") else result)]


@pytest.mark.usefixtures("settings")
def test_cross_entropy_has_contenders_on_every_library() -> None:
    peers = {"NumPy": {"scipy.special"}, "PyTorch": {"torch"}}
    peers["JAX"] = {"jax.nn", "logsumexp - logit"}
    for library, expected in peers.items():
        cell = Cell(f"Cross-entropy, {library}", "cross_entropy", "float32", 10, -1, elements=100)
        ours, theirs, _ = PATHS[cell.path](cell)
        assert theirs.keys() == expected
        assert ours.keys() == ({"auto"} if library == "JAX" else {"auto", "reference"})


@pytest.mark.parametrize(
    ("implementation", "library", "within"),
    [
        ("scikit-learn", "numpy", 1e-4),
        ("LBFGS with line search", "torch", 1e-3),
        ("LBFGS of 50 steps", "torch", 0.2),  # it stops too early
    ],
)
@pytest.mark.usefixtures("settings")
def test_contenders_fit_the_same_temperature(
    implementation: str, library: str, within: float
) -> None:
    pytest.importorskip("torch")
    x, labels = harness.labelled(2000, 10, "float32")
    exact = harness.fit("anysoftmax")(x.astype("float64"), labels)
    np.testing.assert_allclose(exact, harness.TRUE_TEMPERATURE, rtol=0.05)
    asarray = harness.backend(library, automatic=True).asarray
    theirs = harness.fit(implementation)(asarray(x), asarray(labels))
    np.testing.assert_allclose(theirs, exact, rtol=within)


def test_the_part_on_gpus() -> None:
    cells = [
        row(ratio, path=path, elements=CUDA, classes=1000, ratios={"reference": {peer: ratio}})
        for path, peer, ratio in (("PyTorch on CUDA", "torch", 1.0), ("CuPy", "device copy", 2.0))
    ]
    run = {"machine": "a GPU", "versions": {"CuPy": "14"}, "date": "today", "commit": "abc"}
    text = page.cuda_section({**run, "cells": cells})
    assert "Measured on a GPU" in text
    assert text.count("| met |") == 1
    assert text.count("**not met** in 1 of 1 cells") == 1
    assert text.count("not measured") == 6
