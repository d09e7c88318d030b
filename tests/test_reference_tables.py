"""The tables that are written when the site is built show every row that the tests use."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from anysoftmax.testing import BACKENDS, LAWS
from anysoftmax.testing.laws.special_losses import (
    SPECIAL_DIVERGENCES,
    SPECIAL_ENTROPIES,
    SPECIAL_LOSSES,
)
from anysoftmax.testing.laws.special_values import SPECIAL_VALUES

DOCS = Path(__file__).parents[1] / "docs"


def load() -> ModuleType:
    """Return Sphinx's extension, which does without Sphinx."""
    spec = importlib.util.spec_from_file_location("tables", DOCS / "_extensions" / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLES = load()


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table without its head."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line[2:-2].split(" | ") for line in lines if not line.startswith("| ---")][1:]


@pytest.mark.parametrize("name", ["libraries", "abilities", "arrangements"])
def test_every_backend_is_there(name: str) -> None:
    shown = rows(TABLES.TABLES[name]())
    assert [row[0] for row in shown] == [f"`{backend}`" for backend in BACKENDS]


def test_what_ci_requires_is_read_from_the_noxfile() -> None:
    tested = {row[0].strip("`"): row[-1] for row in rows(TABLES.libraries())}
    assert tested["jax-jit-32"] == tested["numpy-numba"] == "in CI"
    on_gpu = {name for name, backend in BACKENDS.items() if backend.platform == "cuda"}
    assert {name for name, where in tested.items() if where != "in CI"} == on_gpu


def test_abilities_are_those_of_the_backends() -> None:
    able = {row[0].strip("`"): row[1:] for row in rows(TABLES.abilities())}
    assert able["jax-jit"] == ["", "yes", "yes", "", "yes", "yes"]
    assert able["dask"] == ["yes", "", "", "", "", ""]
    assert able["torch"] == ["", "", "yes", "yes", "", ""]


def test_backends_of_gpus_say_whether_they_have_been_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(TABLES, "GPU_RUN", tmp_path / "gpu.json")
    before = TABLES.gpus()
    assert before.count("It has not been run on a GPU yet.") == 3
    (tmp_path / "gpu.json").write_text('{"machine": "a GPU, driver 1"}')
    assert TABLES.gpus().count("`nox -s gpu` last ran on a GPU, driver 1.") == 3


def test_every_law_is_there() -> None:
    shown = re.findall(r"^\| `([\w-]+)` \| (.+) \| [\w ]+ \|$", TABLES.laws(), re.MULTILINE)
    assert shown == [(law.name, law.fault) for law in LAWS]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("special_values", SPECIAL_VALUES),
        ("special_losses", SPECIAL_LOSSES),
        ("special_entropies", SPECIAL_ENTROPIES),
        ("special_divergences", SPECIAL_DIVERGENCES),
    ],
)
def test_every_special_value_is_there(name: str, known: tuple) -> None:
    assert [row[0] for row in rows(TABLES.TABLES[name]())] == [row.name for row in known]


WRITTEN = {
    "special_values": """
| several +inf | `inf, 1, inf, -inf` |  | `NaN, 0, NaN, 0` | `NaN, -inf, NaN, -inf` | `inf` |
| T = 0, masked maximum | `[9], 1, 2` | `0` | `0, 0, 1` | `-inf, -inf, 0` |  |
| empty | none |  | none | none | `-inf` |
""",
    "special_losses": """
| class of weight 2 | `-inf, 0, 0` | label `2` | `class_weights=[0, 1, 2]` | `2 log 2` |
| smoothing, NaN | `0, NaN, 0` | label `0` | `label_smoothing=0.5` | `NaN` |
| shares of NaN of weight 0 | `NaN, 0, 0` | `NaN, 1, 0` | `sample_weights=0` | `0` |
| negative share | `-inf, 0, 0` | `0, -1, 0` |  | `-log 2` |
""",
    "special_entropies": """
| T = 0, a tie | `3, 1, 3` | `0` | `log 2` |
""",
    "special_divergences": """
| NaN behind the mask | `[NaN], 0, -inf` | `[NaN], 0, 0` |  | `log 2` |
""",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_rows_are_written_as_they_are_meant(name: str) -> None:
    assert set(WRITTEN[name].split("\n")[1:-1]) <= set(TABLES.TABLES[name]().splitlines())


def test_pages_include_every_table() -> None:
    pages = (DOCS / "reference").glob("*.md")
    included = re.findall(
        r"^```\{include\} \.\./generated/(\w+)\.md$",
        "\n".join(page.read_text("utf-8") for page in pages),
        re.MULTILINE,
    )
    assert sorted(included) == sorted(TABLES.TABLES)
