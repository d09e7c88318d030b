"""The table that a notebook shows: the record's numbers, whole and escaped, on any background."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anysoftmax.explanation import explain
from anysoftmax.explanation.numerals import as_share

ANIMALS = ["Cat", "Dog", "Bird"]
SCORES = [3.2, 1.3, 0.2]
ATTRIBUTES = {"aria-hidden", "class", "colspan", "rowspan", "scope", "span", "style"}


class Page(HTMLParser):
    """Elements as a browser would see them; one that isn't closed in its turn is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.texts: dict[str, str] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        """Note an element, which stays open."""
        self.open.append(tag)
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        """Close the element opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Note text, by the element around it and by row and cell."""
        within = self.open[-1] if self.open else ""
        self.texts[within] = self.texts.get(within, "") + data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    @property
    def bars(self) -> list[float]:
        """The filled part of each bar, in percent."""
        styles = [attributes.get("style") or "" for tag, attributes in self.tags if tag == "span"]
        return [
            float(found[1]) for found in map(re.compile(r"^width: (.*?)%").match, styles) if found
        ]


def page(explanation) -> Page:
    return Page(explanation._repr_html_())


def test_the_classic_example():
    shown = page(explain(SCORES, ANIMALS))
    assert shown.texts["caption"] == "Softmax of 3 scores in three steps, temperature 1"
    assert shown.rows == [
        ["Class", "1. Logits", "2. Exponentials", "3. Shares"],
        [
            "the scores as they come",
            "subtract the largest logit, 3.2",
            "take exp",
            "divide by the total, 1.199",
        ],
        ["Cat", "3.2", "0.0", "1.000", "0.834"],
        ["Dog", "1.3", "-1.9", "0.150", "0.125"],
        ["Bird", "0.2", "-3.0", "0.050", "0.042"],
        ["total", "", "", "1.199", ""],
    ]
    assert "p" not in shown.texts


def test_numbers_and_bars_are_those_of_the_record():
    explanation = explain([0.5 * k for k in range(-9, 9)], temperature=1.5)
    shown = page(explanation)
    for k, row in enumerate(shown.rows[2:-1]):
        _, logit, shifted, exponential, share = row
        assert float(logit) == explanation.logits[k]
        assert float(shifted) == pytest.approx(explanation.shifted[k], abs=5e-5)
        assert float(exponential) == pytest.approx(explanation.exponentials[k], rel=0.1, abs=5e-4)
        assert float(share) == pytest.approx(explanation.shares[k], rel=0.1, abs=5e-4)
        assert shown.bars[k] == pytest.approx(100 * explanation.shares[k], abs=0.005)
    assert len(shown.bars) == 18


def test_every_cell_has_headers_that_a_screen_reader_finds():
    shown = page(explain(SCORES, ANIMALS))
    scopes = [attributes["scope"] for tag, attributes in shown.tags if tag == "th"]
    assert scopes == ["col", "col", "colgroup", "col", *["col"] * 4, *["row"] * 4]
    spans = {tag: int(a["span"] or 0) for tag, a in shown.tags if tag == "colgroup" and "span" in a}
    assert spans == {"colgroup": 2}
    hidden = [attributes for tag, attributes in shown.tags if "aria-hidden" in attributes]
    assert len(hidden) == 3  # the bars, whose numbers stand beside them


@pytest.mark.parametrize(
    "label",
    ["<script>alert(1)</script>", "a & b", '" onclick="x', "&lt;", "</table>", "<!--", "$x$"],
)
def test_labels_are_text(label):
    shown = page(explain([1.0, 2.0], [label, "b"]))
    assert [row[0] for row in shown.rows[2:]] == [label, "b", "total"]
    assert {tag for tag, _ in shown.tags} == {tag for tag, _ in page(explain([1.0, 2.0])).tags}
    wrapper = shown.tags[0][1]["class"] or ""
    assert {"tex2jax_ignore", "mathjax_ignore"} == set(wrapper.split())  # no formula either


def test_labels_are_cut_and_control_characters_escaped_as_in_text():
    explanation = explain([1.0, 2.0, 3.0], ["a" * 500, "two\nlines\x00", "\ud800"])
    html = explanation._repr_html_()
    html.encode("utf-8")
    assert [row[0] for row in Page(html).rows[2:5]] == [
        "a" * 29 + "...",
        r"two\nlines\x00",
        r"\ud800",
    ]


def test_nothing_leaks_into_the_page_and_nothing_is_loaded():
    html = explain(SCORES, ANIMALS)._repr_html_()
    shown = Page(html)
    assert not {"style", "script", "link", "img", "iframe"} & {tag for tag, _ in shown.tags}
    assert {name for _, attributes in shown.tags for name in attributes} == ATTRIBUTES
    assert "url(" not in html
    assert "http" not in html


def test_colours_are_those_of_the_page():
    styles = ";".join(a.get("style") or "" for _, a in page(explain(SCORES, ANIMALS)).tags)
    declared = [declaration.partition(":") for declaration in styles.split(";")]
    colours = {
        value.split()[-1]
        for name, _, value in declared
        if name.strip() in {"color", "background", "border-top", "border-bottom"}
    }
    assert colours == {"inherit", "currentColor"}


def test_very_many_classes_are_those_of_the_text():
    explanation = explain([0.01 * k for k in range(1000)])
    shown = page(explanation)
    assert len(shown.rows) == 2 + 15 + 2
    assert shown.rows[1][0] == "the scores as they come (the 15 largest of 1000)"
    assert [row[0] for row in shown.rows[2:17]] == [str(k) for k in range(999, 984, -1)]
    assert shown.rows[-2][0] == "total (all 1000)"
    others = math.fsum(explanation.shares[:985])
    assert shown.rows[-1] == ["the other 985 together", "", "", "", as_share(others)]
    assert shown.bars[-1] == pytest.approx(100 * others, abs=0.005)
    assert len(page(explain([0.0] * 20)).rows) == 2 + 20 + 1


@pytest.mark.parametrize(
    ("scores", "temperature", "cells", "bars", "note"),
    [
        (
            [1.0, math.nan],
            1.0,
            [["1", "nan"], ["nan"] * 2, ["nan"] * 2, ["nan"] * 2],
            [0, 0],
            "NaN",
        ),
        (
            [math.inf, -math.inf],
            1.0,
            [["inf", "-inf"], ["0", "-inf"], ["1.000", "0"], ["1.000", "0"]],
            [100, 0],
            "takes all",
        ),
        (
            [math.inf, math.inf],
            1.0,
            [["inf"] * 2, ["0"] * 2, ["1.000"] * 2, ["nan"] * 2],
            [0, 0],
            "undefined",
        ),
        (
            [-math.inf, -math.inf],
            1.0,
            [["-inf"] * 2, ["-inf"] * 2, ["0"] * 2, ["nan"] * 2],
            [0, 0],
            "nothing to share",
        ),
        (
            [1.0, 2.0],
            0.0,
            [["1", "2"], ["-inf", "0"], ["0", "1.000"], ["0", "1.000"]],
            [0, 100],
            "Temperature 0",
        ),
        (
            [1.0, 2.0],
            math.inf,
            [["1", "2"], ["0", "0"], ["1.000"] * 2, ["0.500"] * 2],
            [50, 50],
            "Temperature inf",
        ),
    ],
)
def test_special_values(scores, temperature, cells, bars, note):
    shown = page(explain(scores, temperature=temperature))
    assert [list(column) for column in zip(*shown.rows[2:4], strict=True)][1:] == cells
    assert shown.bars == bars
    assert note in shown.texts["p"]


@given(
    scores=st.lists(st.floats(), min_size=1, max_size=40),
    temperature=st.floats(min_value=0.0),
    label=st.text(),
)
def test_every_explanation_has_a_table(scores, temperature, label):
    explanation = explain(scores, [label] * len(scores), temperature=temperature)
    shown = page(explanation)
    listed = len(scores) if len(scores) <= 20 else 15
    assert len(shown.bars) == listed + (len(scores) > 20)
    assert all(0 <= bar <= 100 for bar in shown.bars)
    explanation._repr_html_().encode("utf-8")
