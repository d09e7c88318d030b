"""The interactive page is for everyone: keyboard, screen reader, dark, narrow, still."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from temperature_page import ADDRESS, MINUS, field, look, look_and_check, press, slider

import anysoftmax as asm

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]

TEXT_CONTRAST, SHAPE_CONTRAST = 4.5, 3  # of WCAG 2.2, level AA
SETTLED_MS = 900  # longer than the page waits before it speaks
NARROWEST = 320

CONTROLS = [
    "slider Cat",
    "field Cat as a number",
    "slider Dog",
    "field Dog as a number",
    "slider Bird",
    "field Bird as a number",
    "button Add 1 to every score",
    "button Double every score",
    "button Add a class",
    "button Remove the last class",
    "slider Temperature T",
    "field Temperature as a number, 0 or more, or inf",
    "button 5 against 3",
    "button Zero and negative",
    "button A tie",
    "button Almost a tie",
    "button 1000 against 998",
    "button Reset",
]

FOCUSED = """
() => {
    const it = document.activeElement;
    const kind = it.localName === "button" ? "button" : it.type === "range" ? "slider" : "field";
    const label = it.ariaLabel ?? (it.labels?.[0] ?? it).textContent;
    const { outlineStyle, outlineWidth } = getComputedStyle(it);
    return [`${kind} ${label.trim()}`, outlineStyle, parseFloat(outlineWidth)];
}
"""

# Of each element with a text of its own: the text, its colour and what is painted behind it.
TEXTS = """
() => {
    const behind = (it) => {
        const { backgroundColor } = getComputedStyle(it);
        return /^rgb\\(/.test(backgroundColor) ? backgroundColor : behind(it.parentElement);
    };
    const opaque = (it) =>
        !it || (getComputedStyle(it).opacity === "1" && opaque(it.parentElement));
    const hasText = (it) => Array.from(it.childNodes).some(
        (child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
    return Array.from(document.querySelectorAll("#play *"))
        .filter((it) => it.checkVisibility() && (hasText(it) || /text|number/.test(it.type)))
        .map((it) => [
            it.value || it.textContent, getComputedStyle(it).color, behind(it), opaque(it)]);
}
"""

BARS = """
() => Array.from(document.querySelectorAll("#play .play-bar span"), (bar) => [
    getComputedStyle(bar).backgroundColor, getComputedStyle(bar.parentElement).backgroundColor])
"""

# The theme hides what is too wide: there would be nothing to scroll, and nothing to see.
CUT_OFF = """
() => Array.from(document.querySelectorAll("#play :is(input, button, label, legend, th, td, p)"))
    .filter((it) => !it.matches(".play-spoken"))
    .filter((it) => {
        const { left, right } = it.getBoundingClientRect();
        return left < 0 || right > innerWidth || it.scrollWidth > it.clientWidth + 1;
    })
    .map((it) => it.outerHTML)
"""

TREE = """
- region "Softmax to play with":
  - group "Scores":
    - text: Scores Cat
    - slider "Cat": "3.2"
    - spinbutton "Cat as a number": "3.2"
    - text: Dog
    - slider "Dog": "1.3"
    - spinbutton "Dog as a number": "1.3"
    - text: Bird
    - slider "Bird": "0.2"
    - spinbutton "Bird as a number": "0.2"
    - button "Add 1 to every score"
    - button "Double every score"
    - button "Add a class"
    - button "Remove the last class"
  - group "Temperature":
    - text: Temperature Temperature T
    - slider "Temperature T": "41"
    - textbox "Temperature as a number, 0 or more, or inf": "1"
    - paragraph: "T = 1: the scores as they are."
"""


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG for a colour such as ``rgb(10, 75, 255)``."""
    parts = [
        int(part) / 255 for part in re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour).groups()
    ]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit(ADDRESS)


def test_every_control_is_reached_by_tab_and_seen(page: Page) -> None:
    slider(page, "Cat").focus()
    page.keyboard.press("Shift+Tab")
    reached = []
    for _ in CONTROLS:
        page.keyboard.press("Tab")
        name, outline, width = page.evaluate(FOCUSED)
        reached.append(name)
        assert outline == "solid", name
        assert width >= 2, name
    assert reached == CONTROLS


def test_keys_move_a_score(page: Page) -> None:
    for name in ("Cat", "Dog", "Bird"):
        which = slider(page, name)
        which.focus()
        for key, value in (
            ("Home", "-10"),
            ("ArrowRight", "-9.9"),
            ("ArrowUp", "-9.8"),
            ("End", "10"),
            ("ArrowLeft", "9.9"),
            ("ArrowDown", "9.8"),
        ):
            page.keyboard.press(key)
            assert which.input_value() == value
        page.keyboard.press("PageDown")
        assert float(which.input_value()) < 9
        look_and_check(page)


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_keys_press_a_button(page: Page, key: str) -> None:
    button = page.get_by_role("button", name="Add a class")
    button.focus()
    for count in (4, 5, 5):  # the last does nothing, and keeps the focus
        page.keyboard.press(key)
        assert len(look_and_check(page).scores) == count
    assert button.get_attribute("aria-disabled") == "true"
    assert page.evaluate(FOCUSED)[0] == "button Add a class"


def test_the_temperature_is_spoken(page: Page) -> None:
    spoken = {
        "0": "0: the limit: the largest score takes all, equal ones share",
        "0.5": "0.5: sharper than at 1",
        "1": "1: the scores as they are",
        "2": "2: flatter than at 1",
        "inf": "infinity: the limit: all classes share alike",
    }
    for typed, text in spoken.items():
        field(page, "Temperature").fill(typed)
        assert slider(page, "Temperature").get_attribute("aria-valuetext") == text


def test_a_score_off_the_slider_is_spoken(page: Page) -> None:
    cat = slider(page, "Cat")
    assert cat.get_attribute("aria-valuetext") is None  # the browser knows it
    field(page, "Cat").fill("1000")
    assert cat.get_attribute("aria-valuetext") == "1000"
    cat.press("ArrowLeft")
    assert cat.get_attribute("aria-valuetext") is None


def test_what_a_screen_reader_is_told(page: Page) -> None:
    from playwright.sync_api import expect

    expect(page.locator("#play")).to_match_aria_snapshot(TREE)


def test_the_table_has_headers(page: Page) -> None:
    table = page.get_by_role("table", name="The three steps; m = 3.2")
    assert table.get_by_role("columnheader").all_inner_texts() == [
        "Class",
        "1. Score\nx",
        f"Shifted\n(x {MINUS} m) / T",
        "2. Exp\ne = exp",
        "3. Share\ne / total",
    ]
    assert table.get_by_role("rowheader").all_inner_texts() == ["Cat", "Dog", "Bird", "Total"]
    assert page.locator(".play-bar:not([aria-hidden=true])").count() == 0


def test_the_result_is_spoken_once_all_is_quiet(page: Page) -> None:
    status = page.get_by_role("status")
    assert status.inner_text() == ""
    page.evaluate(
        """() => {
            window.said = [];
            const status = document.querySelector("#play [role=status]");
            new MutationObserver(() => window.said.push(status.textContent))
                .observe(status, { childList: true });
        }"""
    )
    for _ in range(30):
        slider(page, "Dog").press("ArrowRight")
    page.wait_for_timeout(SETTLED_MS)
    dog, tied = asm.softmax([3.2, 4.3, 0.2])[1], asm.softmax([2, 2, 0])[0]
    assert page.evaluate("window.said") == [f"Dog has the largest share: {dog:.3f}."]
    press(page, "A tie")
    page.wait_for_timeout(SETTLED_MS)
    slider(page, "Temperature").press("End")
    page.wait_for_timeout(SETTLED_MS)
    assert page.evaluate("window.said.slice(1)") == [
        f"Cat and Dog have the largest shares: {tied:.3f} each.",
        "All 3 classes share alike: 0.333 each.",
    ]


@pytest.mark.parametrize(
    ("system", "switched"),
    [("light", ""), ("dark", ""), ("light", "dark"), ("dark", "light"), ("dark", "dark")],
)
def test_colours_can_be_told_apart(visit: Visit, system: str, switched: str) -> None:
    page = visit(f"{ADDRESS}#scores=1,2,3,4,-5&T=2", color_scheme=system)
    while switched and page.locator("body").get_attribute("data-theme") != switched:
        page.locator(".theme-toggle:visible").first.click()
    theme = switched or system
    texts = page.evaluate(TEXTS)
    assert len(texts) > 50
    for text, colour, behind, opaque in texts:
        assert opaque, text
        assert contrast(colour, behind) >= TEXT_CONTRAST, text
        assert (luminance(behind) < 0.5) == (theme == "dark")
    for bar, track in page.evaluate(BARS):
        assert contrast(bar, track) >= SHAPE_CONTRAST
    sliders = "it => getComputedStyle(it).colorScheme"
    assert slider(page, "Cat").evaluate(sliders) == theme


@pytest.mark.parametrize("width", [NARROWEST, 360, 1280])
@pytest.mark.parametrize("fragment", ["", "scores=-1000,999.123,-10,0.001,1000&T=0.01"])
def test_every_width_shows_everything(visit: Visit, width: int, fragment: str) -> None:
    page = visit(f"{ADDRESS}#{fragment}", viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_for_those_who_want_it_so(visit: Visit, motion: str) -> None:
    page = visit(ADDRESS, reduced_motion=motion)
    duration = page.locator(".play-bar span").first.evaluate(
        "it => getComputedStyle(it).transition"
    )
    assert ("0.15s" in duration) == (motion == "no-preference")


def test_bars_are_seen_in_forced_colours(visit: Visit) -> None:
    page = visit(ADDRESS, forced_colors="active")
    for bar, track in page.evaluate(BARS):
        assert contrast(bar, track) >= SHAPE_CONTRAST


def test_the_examples_say_what_they_are(page: Page) -> None:
    examples = page.get_by_role("group", name="Examples")
    assert examples.get_by_role("button").count() == 6
    assert look(page).scores == [3.2, 1.3, 0.2]
