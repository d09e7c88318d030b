"""What the reliability diagram shows, and what it says where it can't."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from anysoftmax.calibration import plot_reliability, reliability
from anysoftmax.testing import Backend

from .test_reliability import digits

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


def test_bars_end_at_the_accuracy() -> None:
    probs = np.asarray([[0.75, 0.25], [0.75, 0.25], [0.0, 1.0]])
    ax = plot_reliability(reliability(probs, [0, 1, 1], n_bins=4))
    accuracy, gaps = ax.containers
    assert [(b.get_x(), b.get_width(), b.get_height()) for b in accuracy] == [
        (0.5, 0.25, 0.5),
        (0.75, 0.25, 1.0),
    ]
    assert [(b.get_y(), b.get_height()) for b in gaps] == [(0.5, 0.25), (1.0, 0.0)]
    assert [text.get_text() for text in ax.texts] == ["2", "1"]
    assert ax.get_title() == "ECE 0.167, 3 samples"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("confidence", "accuracy")
    (line,) = ax.lines
    assert line.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert len(ax.get_legend().get_texts()) == 3


@pytest.mark.parametrize("backend", ["torch", "jax", "dask", "array-api-strict"], indirect=True)
def test_bins_of_any_library(backend: Backend) -> None:
    probs, labels = digits("float32")
    with backend.context():
        bins = backend.evaluate(reliability, probs, labels)
        assert plot_reliability(bins).get_title() == "ECE 0.034, 899 samples"


def test_drawn_where_it_is_told_to(tmp_path: Any) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    ax = figure.subplots()
    probs, labels = digits()
    assert plot_reliability(reliability(probs, labels, strategy="quantile"), ax=ax) is ax
    figure.savefig(tmp_path / "diagram.png")
    assert (tmp_path / "diagram.png").stat().st_size > 5000


def test_class_wise_bins_are_refused() -> None:
    bins = reliability([[0.75, 0.25]], [0], classwise=True)
    with pytest.raises(ValueError, match="bins of 2 classes; pick a class"):
        plot_reliability(bins)


@pytest.mark.parametrize("given", [None, [0.5], np.zeros(3)])
def test_something_else_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="plot_reliability takes a Reliability"):
        plot_reliability(given)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'anysoftmax\[plot\]'"):
        plot_reliability(reliability([[0.75, 0.25]], [0]))
