"""The numbers of the tutorial, in what its cells printed and in its sentences, are right."""

from __future__ import annotations

import html
import math
import re
from pathlib import Path

import pytest

from anysoftmax.testing.oracle.exact import softmax

PAGE = "tutorial/from-scores-to-probabilities.html"
ANIMALS = (3.2, 1.3, 0.2)


@pytest.fixture(scope="module")
def text(site: Path) -> str:
    """What the page says, without its elements, and spaces only where words need them."""
    bare = re.sub(r"<[^>]+>", "", (site / PAGE).read_text("utf-8"))
    spaced = re.sub(r"\s+", " ", html.unescape(bare))
    return re.sub(r" (?=[,\]])", "", spaced)


def shares(scores: tuple[float, ...], decimals: int, temperature: float = 1.0) -> list[str]:
    """Return exact shares as NumPy prints their rounded values, but for its spaces."""
    exact = softmax(list(scores), temperature=temperature)
    return [f"{float(p):.{decimals}f}".rstrip("0") for p in exact]


def array(numbers: list[str]) -> str:
    return f"array([{', '.join(numbers)}])"


def test_the_edge_detector(text: str) -> None:
    assert "roof and sky [2.5 0.5]" in text
    assert array(shares((2.5, 0.5), 2)) == "array([0.88, 0.12])"
    assert text.count("array([0.88, 0.12])") == 2  # of the patch, and of 5 against 3
    assert "88 % Edge, 12 % No Edge" in text


def test_the_plain_ratio_breaks(text: str) -> None:
    assert "array([-0.5, 1.5])" in text
    assert "[ inf -inf]" in text


def test_exponentials_of_five_and_three(text: str) -> None:
    assert f"array([{math.exp(5):.1f}, {math.exp(3):.1f}])" in text
    assert f"5 against 3 becomes {math.exp(5):.0f} against {math.exp(3):.0f}" in text


def test_cat_dog_bird(text: str) -> None:
    assert array(shares(ANIMALS, 3)) == "array([0.834, 0.125, 0.042])"
    assert text.count("array([0.834, 0.125, 0.042])") >= 2
    assert "Cat leads Dog by 1.90; as printed, by 1.07" in text
    assert "Dog leads Bird by 1.10; as printed, by 1.39" in text


def test_the_overflow_happens(text: str) -> None:
    assert "[nan nan nan] overflow encountered in exp" in text
    assert text.count(array(shares((1000, 999, 998), 3))) == 2  # by hand, and by the library


def test_what_twice_is_found_as(text: str) -> None:
    assert "probabilities: the only slice" in text
    assert "softmax-twice: 4240 of 4240 slices" in text
    assert "one-class: 3 of 3 slices" in text


def test_the_classifier_learns(text: str) -> None:
    (first, last, right) = re.search(
        r"loss (\d\.\d+) -> (\d\.\d+), (\d+) of 150 right", text
    ).groups()
    assert float(first) == round(math.log(3), 3)
    assert float(last) < 0.15
    assert int(right) > 140


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperatures(text: str, temperature: float) -> None:
    numbers = " ".join(shares(ANIMALS, 3, temperature))
    assert f"T = {temperature}: [{numbers}]" in text
