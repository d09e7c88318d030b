"""The picture of the three steps: bars as long as the record's numbers, whatever these are."""

from __future__ import annotations

import io
import math
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anysoftmax.explanation import explain
from anysoftmax.explanation.picture import COLOURS

pytest.importorskip("matplotlib")

from matplotlib import style
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

ANIMALS = ["Cat", "Dog", "Bird"]
SCORES = [3.2, 1.3, 0.2]
TINY = np.nextafter(0.0, 1.0)


def bars(panel):
    """Return the row, the value and the colour of each bar; the first group is that of the step."""
    return [
        (round(b.get_y() + b.get_height() / 2), b.get_width(), b.get_facecolor()[:3])
        for b in panel.containers[0]
    ]


def beside(panel):
    """Return the texts beside the bars, from the first class on."""
    texts = [text for text in panel.texts if text.get_position() == (4, 0)]
    return sorted(texts, key=lambda text: text.xy[1])


def numbers(panel):
    return [text.get_text() for text in beside(panel)]


def words(panel):
    (above,) = [text for text in panel.texts if text.get_position() != (4, 0)]
    return above.get_text()


def names(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def drawn(figure, dpi=40):
    """Draw a figure and return its pixels."""
    png = io.BytesIO()
    figure.savefig(png, format="raw", dpi=dpi)
    return png.getvalue()


def test_the_classic_example():
    figure = explain(SCORES, ANIMALS).plot()
    assert figure.get_suptitle() == "Softmax of 3 scores in three steps, temperature 1"
    assert figure.get_supxlabel() == ""
    assert [panel.get_title(loc="left") for panel in figure.axes] == [
        "1. Logits",
        "2. Exponentials",
        "3. Shares",
    ]
    assert [words(panel) for panel in figure.axes] == [
        "the scores as they come",
        "subtract the largest logit, 3.2\ntake exp",
        "divide by the total, 1.199",
    ]
    assert [panel.get_xlabel() for panel in figure.axes] == ["", "total: 1.199", ""]
    assert names(figure) == ANIMALS
    assert [numbers(panel) for panel in figure.axes] == [
        ["3.2", "1.3", "0.2"],
        ["1.000", "0.150", "0.050"],
        ["0.834", "0.125", "0.042"],
    ]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("count", [1, 2, 6, 7, 20])
def test_bars_are_the_numbers_of_the_record(count, temperature):
    scores = np.random.default_rng(count).normal(scale=3.0, size=count)
    explanation = explain(scores, temperature=temperature)
    figure = explanation.plot()
    steps = (explanation.logits, explanation.exponentials, explanation.shares)
    for panel, step in zip(figure.axes, steps, strict=True):
        assert [row for row, _, _ in bars(panel)] == list(range(count))
        assert tuple(value for _, value, _ in bars(panel)) == step
        assert {bar.get_x() for bar in panel.containers[0]} == {0.0}
    low, high = figure.axes[0].get_xlim()
    assert low == min(0.0, *explanation.logits)
    assert high == max(0.0, *explanation.logits)
    assert [panel.get_xlim() for panel in figure.axes[1:]] == [(0.0, 1.0)] * 2
    assert figure.axes[0].get_ylim()[0] > figure.axes[0].get_ylim()[1]  # the first class on top


def test_numbers_stand_behind_the_bars_and_right_of_the_zero_where_bars_go_left():
    for panel in explain([1.5, -2.0, 0.0, -math.inf]).plot().axes:
        lengths = {row: value for row, value, _ in bars(panel)}
        assert [text.xy for text in beside(panel)] == [
            (max(0.0, lengths.get(row, 0.0)), row) for row in range(4)
        ]
        assert {text.get_ha() for text in beside(panel)} == {"left"}


def test_a_class_has_one_colour_in_all_panels_and_of_its_own_while_eyes_tell_them_apart():
    for count, different in [(1, 1), (6, 6), (7, 1), (20, 1)]:
        panels = explain([0.0] * count).plot().axes
        colours = [[colour for _, _, colour in bars(panel)] for panel in panels]
        assert colours[0] == colours[1] == colours[2]
        assert len(set(colours[0])) == different
        assert set(colours[0]) <= {to_rgb(colour) for colour in COLOURS}


def test_the_whole_is_behind_each_share():
    *_, shares = explain(SCORES).plot().axes
    assert [(b.get_x(), b.get_width()) for b in shares.containers[1]] == [(0, 1)] * 3


@pytest.mark.parametrize(
    ("case", "rows", "logits", "shares", "note"),
    [
        (([-math.inf, 1.0, 1.0], 1.0), [1, 2], ["-inf", "1", "1"], ["0", "0.500", "0.500"], ""),
        (([math.nan, 1.0], 1.0), [1], ["nan", "1"], ["nan", "nan"], "NaN"),
        (([-3.0, math.inf], 1.0), [0], ["-3", "inf"], ["0", "1.000"], "takes all"),
        (([math.inf, math.inf], 1.0), [], ["inf", "inf"], ["nan", "nan"], "undefined"),
        (([-math.inf], 1.0), [], ["-inf"], ["nan"], "nothing to share"),
        (([1.0, 2.0], 0.0), [0, 1], ["1", "2"], ["0", "1.000"], "Temperature 0"),
        (([1.0, 2.0], math.inf), [0, 1], ["1", "2"], ["0.500", "0.500"], "Temperature inf"),
    ],
)
def test_special_values_are_words_instead_of_bars(case, rows, logits, shares, note):
    scores, temperature = case
    figure = explain(scores, temperature=temperature).plot()
    first, _, last = figure.axes
    assert [row for row, _, _ in bars(first)] == rows
    assert numbers(first) == logits
    assert numbers(last) == shares
    assert all(map(math.isfinite, (*first.get_xlim(), *(value for _, value, _ in bars(last)))))
    assert note in figure.get_supxlabel()
    assert bool(note) == bool(figure.get_supxlabel())
    drawn(figure)


@pytest.mark.parametrize(
    "scores",
    [
        [1.7e308, -1.7e308, 0.0],
        [1e200, 1.0],
        [TINY, -TINY],
        [0.0, 0.0],
        [-1e-300, -1e300],
        [-5.0, -6.0],
    ],
)
def test_magnitudes_that_would_break_the_axes(scores):
    figure = explain(scores).plot()
    drawn(figure)  # any warning is an error
    largest = max(map(abs, scores))
    lengths = [value for _, value, _ in bars(figure.axes[0])]
    assert [x / (max(map(abs, lengths)) or 1) for x in lengths] == [
        x / (largest or 1) for x in scores
    ]


def test_very_many_classes_are_those_of_the_text():
    explanation = explain([0.01 * k for k in range(1000)])
    figure = explanation.plot()
    assert names(figure) == [str(k) for k in range(999, 984, -1)]
    assert words(figure.axes[0]) == "the scores as they come (the 15 largest of 1000)"
    assert [value for _, value, _ in bars(figure.axes[2])] == list(explanation.shares[:984:-1])
    others = math.fsum(explanation.shares[:985])
    assert figure.axes[1].get_xlabel() == f"total: {explanation.total:.3f} (all 1000)"
    assert figure.axes[2].get_xlabel() == f"the other 985 together: {others:.3f}"


def test_labels_are_written_as_they_are():
    labels = ["$x_i", "$x$", "a" * 500, "two\nlines", "", r"\frac{1}"]
    figure = explain([0.0] * 6, labels).plot()
    drawn(figure)  # a formula that cannot be read is an error
    assert names(figure) == ["$x_i", "$x$", "a" * 29 + "...", r"two\nlines", "", r"\frac{1}"]
    assert not any(label.get_parse_math() for label in figure.axes[0].get_yticklabels())


@pytest.mark.parametrize("labels", [ANIMALS, ["a" * 40, "W" * 40, "b"]])
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_no_words_stand_on_one_another_or_leave_the_figure(labels, temperature):
    figure = explain([3.2, -1.3, -4000.25], labels, temperature=temperature).plot()
    figure.draw_without_rendering()
    texts = [text for panel in figure.axes for text in panel.texts]
    texts += [panel.title for panel in figure.axes] + [panel._left_title for panel in figure.axes]
    texts += [panel.xaxis.label for panel in figure.axes]
    texts += [*figure.axes[0].get_yticklabels(), *figure.texts]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    assert len(boxes) == 9 + 3 + 3 + 1 + 3 + 1
    for k, box in enumerate(boxes):
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width
        assert 0 <= box.y0 < box.y1 <= figure.bbox.height
        assert not any(box.overlaps(other) for other in boxes[k + 1 :])


def test_drawn_where_it_is_told_to():
    figure = Figure(figsize=(10, 6))
    upper, lower = figure.subfigures(2, 1)
    assert explain(SCORES, ANIMALS).plot(figure=upper) is upper
    assert explain([1.0], ["one"]).plot(figure=lower) is lower
    assert len(figure.axes) == 6
    assert names(upper) == ANIMALS
    assert names(lower) == ["one"]
    drawn(figure)


def test_a_figure_without_a_layout_gets_one_unless_it_has_something_to_move():
    empty, full = Figure(), Figure()
    full.add_axes((0.0, 0.0, 0.1, 0.1))
    explain(SCORES).plot(figure=empty)
    explain(SCORES).plot(figure=full)
    assert empty.get_layout_engine() is not None
    assert full.get_layout_engine() is None


def test_only_matplotlib_figures_are_drawn_on():
    figure = Figure()
    for wrong in (figure.subplots(), Figure, "steps.png", 3):
        with pytest.raises(TypeError, match="figure must be matplotlib's Figure or SubFigure: got"):
            explain(SCORES).plot(figure=wrong)
    assert len(figure.axes) == 1


def test_settings_and_pyplot_are_left_alone():
    code = (
        "import sys, matplotlib, anysoftmax as asm;"
        "before = matplotlib.rcParams.copy();"
        "asm.explain([3.2, 1.3, 0.2]).plot().savefig(sys.stdout.buffer, format='svg');"
        "assert dict.__eq__(matplotlib.rcParams, before);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b"<svg" in done.stdout


@pytest.mark.parametrize("name", ["dark_background", "ggplot", "classic", "grayscale"])
def test_words_have_the_colour_of_the_style(name):
    with style.context(name):
        figure = explain(SCORES, ANIMALS).plot()
        drawn(figure)
    ground = to_rgb(figure.get_facecolor())
    for panel in figure.axes:
        assert not panel.xaxis.get_ticklocs().size
        for text in panel.texts:
            assert abs(sum(to_rgb(text.get_color())) - sum(ground)) > 1.5


def test_a_notebook_shows_a_new_figure():
    figure = explain(SCORES, ANIMALS).plot()
    png, size = figure._repr_png_()
    assert png.startswith(b"\x89PNG")
    width = int.from_bytes(png[16:20], "big")
    assert width == pytest.approx(2 * size["width"], abs=2)  # sharp on fine screens
    assert size["width"] == round(figure.bbox.width)
    drawn(pickle.loads(pickle.dumps(figure)))  # noqa: S301


def test_more_classes_make_a_higher_figure():
    heights = [explain([0.0] * n).plot().get_figheight() for n in (1, 3, 20, 1000)]
    assert heights[0] < heights[1] < heights[3] < heights[2]


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        ImportError, match=r"plot needs matplotlib: pip install 'anysoftmax\[plot\]'"
    ):
        explain(SCORES).plot()


def test_letters_that_the_font_lacks_are_matplotlibs_to_tell():
    figure = explain([1.0, 2.0], ["猫", "犬"]).plot()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drawn(figure)
    assert caught
    assert all("missing from font" in str(warning.message) for warning in caught)


@settings(max_examples=10, deadline=None)
@given(
    scores=st.lists(st.floats(), min_size=1, max_size=25),
    temperature=st.floats(min_value=0.0),
)
def test_every_explanation_has_a_picture(scores, temperature):
    drawn(explain(scores, temperature=temperature).plot())
