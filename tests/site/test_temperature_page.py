"""Whatever is done to its controls, the interactive page shows the numbers of the library."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from temperature_page import (
    ADDRESS,
    MINUS,
    NAMES,
    START,
    check,
    field,
    look,
    look_and_check,
    press,
    slider,
    stops,
    sweep,
)

import anysoftmax as asm

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]

KEYS = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End")
EXAMPLES = {
    "5 against 3": [5, 3],
    "Zero and negative": [1, 0, -1],
    "A tie": [2, 2, 0],
    "Almost a tie": [2, 1.9, 0],
    "1000 against 998": [1000, 998],
}
NONSENSE = (
    ("Cat", ""),
    ("Cat", "1000.1"),
    ("Cat", "-1e9"),
    ("Temperature", ""),
    ("Temperature", "-0.1"),
    ("Temperature", "-inf"),
    ("Temperature", "nan"),
    ("Temperature", "warm"),
    ("Temperature", "1e"),
)
STRANGE = (
    "",
    "five-temperatures",
    "scores=",
    "scores=1",
    "scores=1,2,3,4,5,6",
    "scores=1,x",
    "scores=1,1001",
    "scores=1,inf",
    "scores=1,2&T=-1",
    "scores=1,2&T=nan",
    "T=2",
)


class Play(RuleBasedStateMachine):
    """Someone who drags, types and presses in any order."""

    page: Page

    def __init__(self) -> None:
        super().__init__()
        press(self.page, "Reset")
        self.now = look(self.page)
        assert (self.now.scores, self.now.temperature) == START

    def a_class(self, data: st.DataObject) -> str:
        """Draw one of the classes that are shown."""
        return data.draw(st.sampled_from(NAMES[: len(self.now.scores)]))

    @rule(data=st.data(), tenths=st.integers(-100, 100))
    def drag_a_score(self, data: st.DataObject, tenths: int) -> None:
        """Drag its slider."""
        name = self.a_class(data)
        slider(self.page, name).fill(str(tenths / 10))
        assert look(self.page).scores[NAMES.index(name)] == tenths / 10

    @rule(stop=st.integers(0, 82) | st.sampled_from((0, 82)))
    def drag_the_temperature(self, stop: int) -> None:
        """Drag its slider."""
        slider(self.page, "Temperature").fill(str(stop))
        assert look(self.page).temperature == stops()[stop]

    @rule(data=st.data(), keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=4))
    def move_by_keys(self, data: st.DataObject, keys: list[str]) -> None:
        """Move a slider by the keyboard."""
        which = slider(self.page, data.draw(st.sampled_from((self.a_class(data), "Temperature"))))
        for key in keys:
            which.press(key)

    @rule(data=st.data(), score=st.floats(-1000, 1000))
    def type_a_score(self, data: st.DataObject, score: float) -> None:
        """Type it, with all its decimals."""
        name = self.a_class(data)
        field(self.page, name).fill(repr(score))
        assert look(self.page).scores[NAMES.index(name)] == score

    @rule(temperature=st.floats(0, allow_infinity=True) | st.floats(0.01, 100))
    def type_a_temperature(self, temperature: float) -> None:
        """Type it, whatever its size."""
        field(self.page, "Temperature").fill(repr(temperature))
        assert look(self.page).temperature == temperature

    @rule(name=st.sampled_from(list(EXAMPLES)))
    def set_an_example_up(self, name: str) -> None:
        """Press its button."""
        press(self.page, name)
        shown = look(self.page)
        assert (shown.scores, shown.temperature) == (EXAMPLES[name], 1)

    @rule()
    def add_one(self) -> None:
        """Press the button, which does nothing beyond 1000."""
        before = self.now.scores
        press(self.page, "Add 1 to every score")
        after = [x + 1 for x in before]
        assert look(self.page).scores == pytest.approx(after if max(after) <= 1000 else before)

    @rule()
    def double(self) -> None:
        """Press the button, which does nothing beyond 1000."""
        before = self.now.scores
        press(self.page, "Double every score")
        after = [2 * x for x in before]
        assert look(self.page).scores == (after if max(map(abs, after)) <= 1000 else before)

    @rule()
    def add_a_class(self) -> None:
        """Press the button, which does nothing beyond five."""
        before = self.now.scores
        press(self.page, "Add a class")
        assert look(self.page).scores == ([*before, 0] if len(before) < len(NAMES) else before)

    @rule()
    def remove_a_class(self) -> None:
        """Press the button, which leaves two."""
        before = self.now.scores
        press(self.page, "Remove the last class")
        assert look(self.page).scores == (before[:-1] if len(before) > 2 else before)

    @invariant()
    def the_library_agrees(self) -> None:
        """Whatever was done, the library says the same."""
        self.now = look(self.page)
        check(self.now)


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit(ADDRESS)


def test_start(page: Page) -> None:
    shown = look_and_check(page)
    assert (shown.scores, shown.temperature) == START
    assert [row[-1] for row in shown.rows] == ["0.834", "0.125", "0.042"]


def test_whatever_is_done(page: Page) -> None:
    run_state_machine_as_test(
        type("PlayHere", (Play,), {"page": page}), settings=settings(stateful_step_count=20)
    )


@pytest.mark.parametrize("scores", [[3.2, 1.3, 0.2], [2, 2, 0], [-10, 10, 9.9], [0, 0, 0]])
def test_every_temperature(page: Page, scores: list[float]) -> None:
    for name, score in zip(NAMES, scores, strict=False):
        slider(page, name).fill(str(score))
    seen = sweep(page, "Temperature")
    assert [shown.temperature for shown in seen] == stops()
    for shown in seen:
        check(shown)


def test_the_mouse(page: Page) -> None:
    page.get_by_role("button", name="5 against 3").click()
    assert look_and_check(page).scores == [5, 3]
    slider(page, "Dog").click(position={"x": 1, "y": 10})
    assert look_and_check(page).scores == [5, -10]
    page.get_by_role("button", name="Reset").click()
    assert look_and_check(page).scores == START[0]


def test_every_score(page: Page) -> None:
    seen = sweep(page, "Dog")
    assert [shown.scores for shown in seen] == [[3.2, k / 10, 0.2] for k in range(-100, 101)]
    for shown in seen:
        check(shown)


def test_midway_is_rounded_as_in_python(page: Page) -> None:
    press(page, "5 against 3")
    field(page, "Temperature").fill("32")
    assert look_and_check(page).rows[1][2] == f"{MINUS}0.062"  # from -0.0625
    field(page, "Cat").fill("9")
    assert look_and_check(page).rows[1][2] == f"{MINUS}0.188"  # from -0.1875


def test_nothing_is_not_a_little(page: Page) -> None:
    slider(page, "Bird").press("Home")
    assert look_and_check(page).rows[2][3:] == ["0.000", "0.000"]
    slider(page, "Temperature").press("Home")
    assert look_and_check(page).rows[2][3:] == ["0", "0"]


def test_infinity_typed(page: Page) -> None:
    for text in ("inf", "Infinity", "∞", " INF "):
        field(page, "Temperature").fill("1")
        field(page, "Temperature").fill(text)
        assert look_and_check(page).temperature == math.inf, text


def test_minus_zero_is_zero(page: Page, visit: Visit) -> None:
    field(page, "Temperature").fill("-0")
    assert look_and_check(page).rows[0][-1] == "1.000"
    asked = visit(f"{ADDRESS}#scores=3.2,1.3,0.2&T=-0")
    assert look_and_check(asked).rows[0][-1] == "1.000"


def test_a_comma_is_a_point(page: Page) -> None:
    field(page, "Temperature").fill("0,5")
    field(page, "Temperature").blur()
    assert look_and_check(page).temperature == 0.5


def test_what_is_being_typed_is_left_alone(page: Page) -> None:
    temperature = field(page, "Temperature")
    temperature.fill("2.50")
    assert temperature.input_value() == "2.50"
    temperature.blur()
    assert temperature.input_value() == "2.5"


def test_nonsense_changes_nothing(page: Page) -> None:
    before = look(page)
    table = page.locator("#play table").inner_text()
    for name, text in NONSENSE:
        typed = field(page, name)
        typed.fill(text)
        assert typed.get_attribute("aria-invalid") == "true", text
        assert page.locator("#play table").inner_text() == table, text
        typed.blur()
        assert typed.get_attribute("aria-invalid") == "false", text
        assert look_and_check(page) == before, text


def test_the_address_keeps_the_state(page: Page, visit: Visit) -> None:
    slider(page, "Dog").fill("-4.5")
    press(page, "Add a class")
    slider(page, "Temperature").press("End")
    page.wait_for_function("location.hash.includes('-4.5')")
    address = page.url.rpartition("/")[-1]
    assert address == f"{ADDRESS}#scores=3.2,-4.5,0.2,0&T=inf"
    assert look_and_check(visit(address)) == look_and_check(page)


@pytest.mark.parametrize("temperature", ["1e-07", "1e+30"])
def test_the_address_keeps_an_extreme_temperature(
    page: Page, visit: Visit, temperature: str
) -> None:
    field(page, "Temperature").fill(temperature)
    field(page, "Temperature").blur()
    assert look_and_check(page).temperature == float(temperature)
    page.wait_for_function("location.hash !== ''")
    address = page.url.rpartition("/")[-1]
    assert look_and_check(visit(address)) == look_and_check(page)


def test_a_strange_address_is_the_start(page: Page) -> None:
    for fragment in STRANGE:
        page.goto(f"{page.url.partition('#')[0]}#{fragment}")
        page.reload()
        shown = look_and_check(page)
        assert (shown.scores, shown.temperature) == START, fragment


def test_an_address_put_in_is_followed(page: Page) -> None:
    page.evaluate("location.hash = '#scores=1,2,3,4&T=0.3'")
    page.wait_for_function("document.getElementById('play-steps').rows.length === 4")
    shown = look_and_check(page)
    assert (shown.scores, shown.temperature) == ([1, 2, 3, 4], 0.3)


def test_without_scripts(visit: Visit) -> None:
    page = visit(ADDRESS, java_script_enabled=False)
    assert page.locator("noscript").inner_text().startswith("The sliders need JavaScript")
    assert not page.locator("#play").is_visible()
    head, *rows = page.get_by_role("table").get_by_role("row").all()
    assert head.get_by_role("columnheader").all_inner_texts() == ["Temperature", *NAMES[:3]]
    temperatures = [0, 0.5, 1, 2, math.inf]
    assert len(rows) == len(temperatures)
    for row, temperature in zip(rows, temperatures, strict=True):
        shares = asm.softmax(START[0], temperature=temperature)
        assert row.get_by_role("rowheader").all_inner_texts() == [str(temperature)]
        shown = [f"{p:.3f}" if p else "0" for p in shares]
        assert row.get_by_role("cell").all_inner_texts() == shown
