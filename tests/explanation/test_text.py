"""The text of an explanation: readable, aligned, and whole for any scores and labels."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anysoftmax.explanation import explain
from anysoftmax.explanation.text import as_text


def columns(text: str) -> int:
    """Count terminal columns the plain way, for the characters used here."""
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def test_the_classic_example():
    assert str(explain([3.2, 1.3, 0.2], ["Cat", "Dog", "Bird"])) == (
        "Softmax of 3 scores in three steps, temperature 1\n"
        "\n"
        "1. Logits: the scores as they come\n"
        "   Cat    3.2\n"
        "   Dog    1.3\n"
        "   Bird   0.2\n"
        "\n"
        "2. Exponentials: subtract the largest logit, 3.2; take exp\n"
        "   Cat    exp( 0.0) = 1.000\n"
        "   Dog    exp(-1.9) = 0.150\n"
        "   Bird   exp(-3.0) = 0.050\n"
        "   total            = 1.199\n"
        "\n"
        "3. Shares: divide by the total, 1.199\n"
        "   Cat    0.834  █████████████████████████████████▍\n"
        "   Dog    0.125  █████\n"
        "   Bird   0.042  █▋"
    )


def test_temperature_is_part_of_the_second_step():
    text = str(explain([3.2, 1.3], temperature=0.5))
    assert "subtract the largest logit, 3.2; divide by the temperature, 0.5; take exp" in text
    assert "exp(-3.8)" in text


def test_bars_are_as_long_as_the_shares():
    text = str(explain([0.0, 0.0, 0.0, 0.0]))
    assert text.count("█" * 10) == 4
    assert "█" * 11 not in text
    assert str(explain([5.0])).count("█") == 40


def test_ascii_only():
    text = as_text(explain([3.2, 1.3, 0.2], ["Cat", "Dog", "Bird"]), ascii_only=True)
    assert text.isascii()
    assert "Cat    0.834  " + "#" * 33 + "\n" in text


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "a label that is rather long", ""],
        ["日本語", "x", "한국"],
        ["a" * 500, "b" * 31, "日" * 300],
    ],
)
def test_columns_are_aligned_whatever_the_labels(labels):
    lines = str(explain([3.0, 2.0, 1.0], labels)).splitlines()
    logits = lines[3:6]
    assert len({columns(line) for line in logits}) == 1
    exponentials = lines[8:12]
    assert len({columns(line.partition(" = ")[0]) for line in exponentials}) == 1
    assert max(map(columns, lines)) <= 100


def test_combining_marks_take_no_column():
    with_mark, without = str(explain([1.0, 2.0], ["e\u0301x", "ex"])).splitlines()[3:5]
    assert with_mark.replace("\u0301", "")[:-1] == without[:-1]


def test_control_characters_do_not_reach_the_terminal():
    text = str(explain([1.0, 2.0], ["two\nlines", "\x1b[31mred"]))
    assert r"two\nlines" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("scores", "temperature", "says"),
    [
        ([1.0, math.nan], 1.0, "A score is NaN (not a number), so no share is known."),
        ([math.inf, math.inf, 0.0], 1.0, "Several scores are infinite"),
        ([math.inf, 1.0], 1.0, "A score is infinite: it takes all, whatever the others"),
        ([math.inf, 1.0], math.inf, "A score is infinite: it takes all, whatever the others"),
        ([-math.inf, -math.inf], 1.0, "Every score is -inf: there is nothing to share."),
        ([1.0, 2.0], 0.0, "Temperature 0 is the limit in which the largest score takes all."),
        (
            [2.0, 2.0, 1.0],
            0.0,
            "Temperature 0 is the limit in which the 2 largest scores share all.",
        ),
        ([1.0, 2.0], math.inf, "Temperature inf is the limit in which all finite scores share"),
    ],
)
def test_a_note_explains_what_a_newcomer_would_wonder_about(scores, temperature, says):
    assert says in str(explain(scores, temperature=temperature)).splitlines()[-1]


def test_a_zero_has_no_sign():
    assert "-0" not in str(explain([-0.0, 1.0], temperature=math.inf))


def test_a_label_of_a_million_characters_is_cut_in_no_time():
    text = str(explain([1.0, 2.0], ["a" * 10**6, "e" + "\u0301" * 100]))
    assert f"   {'a' * 29}...  1\n" in text


def test_small_shares_are_not_printed_as_nothing():
    text = str(explain([0.0, -40.0, -math.inf]))
    assert "4.2e-18" in text
    assert text.splitlines()[-1].split() == ["2", "0"]


def test_many_classes_show_the_largest_and_the_sum_of_the_others():
    explanation = explain([0.01 * (k % 1000) for k in range(7, 1007)])
    text = str(explanation)
    assert "(the 15 largest of 1000)" in text
    assert len(text.splitlines()) < 60
    rows = text.partition("3. Shares")[2].splitlines()[1:]
    shown = sorted(explanation.shares, reverse=True)[:15]
    assert [row.split()[1] for row in rows[:15]] == [f"{p:.3f}" for p in shown]
    assert rows[15].strip() == f"the other 985 together: {1 - math.fsum(shown):.3f}"


def test_twenty_classes_are_still_shown_in_full():
    assert "largest of" not in str(explain([0.0] * 20))
    assert "largest of 21" in str(explain([0.0] * 21))


@given(
    scores=st.lists(st.floats(), min_size=1, max_size=40),
    temperature=st.floats(min_value=0.0),
)
def test_every_explanation_can_be_printed(scores, temperature):
    explanation = explain(scores, temperature=temperature)
    text = str(explanation)
    assert len(text.splitlines()) >= 3 * min(len(scores), 15)
    assert "\n\n3. Shares" in text
    as_text(explanation, ascii_only=True).encode("ascii")
