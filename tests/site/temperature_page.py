"""The interactive page as its user sees it: what the controls and the table say."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

import anysoftmax as asm

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ADDRESS = "temperature.html"
NAMES = ("Cat", "Dog", "Bird", "Fish", "Horse")
MINUS = "\N{MINUS SIGN}"  # what the page writes before a negative number
START = ([3.2, 1.3, 0.2], 1.0)

# All at once, since each question to the browser takes its time.
READ = """
const read = () => {
    const all = (query, map, root = document.getElementById("play")) =>
        Array.from(root.querySelectorAll(query), map);
    const bar = (cell) => cell.querySelector(".play-bar span")?.style;
    const edges = (style) => style && [parseFloat(style.left), parseFloat(style.width)];
    return {
        sliders: all("input[type=range]", (slider) => slider.valueAsNumber),
        fields: all("input:not([type=range])", (field) => field.value),
        rows: all("tbody tr", (row) => all("th, td", (cell) => cell.innerText.trim(), row)),
        bars: all("tbody tr", (row) => all("td", (cell) => edges(bar(cell)), row)),
        total: all("tfoot td", (cell) => cell.innerText.trim()),
        entropy: document.getElementById("play-entropy").innerText,
    };
};
"""
SWEEP = """
const slider = document.activeElement;
const seen = [];
for (slider.value = slider.min; ; slider.stepUp()) {
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    seen.push(read());
    if (slider.value === slider.max) return seen;
}
"""


@dataclass(frozen=True)
class Shown:
    """What the page shows at one moment."""

    scores: list[float]
    temperature: float
    sliders: list[float]
    rows: list[list[str]]
    bars: list[list[list[float] | None]]
    total: list[str]
    entropy: str


def number(text: str) -> float:
    return float(re.sub(f"^{MINUS}", "-", text).replace("∞", "inf"))


def written(value: float) -> str:
    """Write a number as the table does: 3 decimals, rounded as Python rounds."""
    if math.isinf(value):
        return f"{MINUS}∞" if value < 0 else "∞"
    text = f"{value:.3f}" if value else "0.000"  # 0 may have a sign
    return text.replace("-", MINUS)


def slider(page: Page, name: str) -> Locator:
    return page.get_by_role("slider", name=name)


def field(page: Page, name: str) -> Locator:
    """Return the field for the same number as the slider of that name."""
    role = "textbox" if name == "Temperature" else "spinbutton"
    return page.get_by_role(role, name=f"{name} as a number")


def press(page: Page, button: str) -> None:
    """Press a button by the keyboard: the theme's own button may float above it for a moment."""
    page.get_by_role("button", name=button, exact=True).press("Enter")


def look(page: Page) -> Shown:
    return _shown(page.evaluate(f"() => {{ {READ} return read(); }}"))


def sweep(page: Page, name: str) -> list[Shown]:
    """Drag a slider from its lowest to its highest position; return what is shown at each."""
    slider(page, name).focus()
    return [_shown(seen) for seen in page.evaluate(f"() => {{ {READ} {SWEEP} }}")]


def _shown(seen: dict[str, Any]) -> Shown:
    *scores, temperature = [number(text) for text in seen.pop("fields")]
    return Shown(scores=scores, temperature=temperature, **seen)


def stops() -> list[float]:
    """Return the temperatures of the slider: 0, twenty a decade from 0.01 to 100, infinity."""
    return [0.0, *(float(f"{10 ** (k / 20):.1e}") for k in range(-40, 41)), math.inf]


def look_and_check(page: Page) -> Shown:
    now = look(page)
    check(now)
    return now


def check(shown: Shown) -> None:
    """Assert that all that is shown is what the library says of the shown scores."""
    names = NAMES[: len(shown.scores)]
    steps = asm.explain(shown.scores, names, temperature=shown.temperature)
    shares = asm.softmax(shown.scores, temperature=shown.temperature)
    longest = max(10, *map(abs, shown.scores))

    assert [row[0] for row in shown.rows] == list(names)
    for i, (row, bars) in enumerate(zip(shown.rows, shown.bars, strict=True)):
        _, score, shifted, exponential, share = row
        assert number(score) == pytest.approx(shown.scores[i], abs=0.0005)
        _assert_shifted(shifted, steps.shifted[i])
        _assert_never_negative(exponential, steps.exponentials[i])
        _assert_never_negative(share, shares[i])
        of_score, of_shifted, of_exponential, of_share = bars
        along = 50 * shown.scores[i] / longest
        assert of_score == pytest.approx([50 + min(along, 0), abs(along)], abs=0.01)
        assert of_shifted is None
        assert of_exponential == pytest.approx([0, 100 * steps.exponentials[i]], abs=0.01)
        assert of_share == pytest.approx([0, 100 * shares[i]], abs=0.01)
    assert shown.total == ["", "", written(steps.total), "1.000"]
    entropy = asm.entropy(shown.scores, temperature=shown.temperature)
    most = math.log(len(names))
    assert shown.entropy.startswith(
        f"Entropy: {written(float(entropy))} nats, of at most {written(most)} with {len(names)} "
    )
    _assert_sliders(shown)


def _assert_shifted(text: str, expected: float) -> None:
    if 1e6 <= abs(expected) < math.inf:  # too long for the table to 3 decimals
        assert number(text) == pytest.approx(expected, rel=0.05)
    else:
        assert text == written(expected)


def _assert_never_negative(text: str, expected: float) -> None:
    assert text == (written(expected) if expected else "0")


def _assert_sliders(shown: Shown) -> None:
    """Assert that the sliders stand as near to the numbers as they can."""
    *scores, stop = shown.sliders
    for at, score in zip(scores, shown.scores, strict=True):
        assert at == pytest.approx(min(max(score, -10), 10), abs=0.0501)
    temperature, at = shown.temperature, stops()[round(stop)]
    if at != temperature:
        assert 0 < at < math.inf
        inner = stops()[1:-1]
        nearest = min(abs(math.log(other / temperature)) for other in inner)
        assert abs(math.log(at / temperature)) == pytest.approx(nearest)
