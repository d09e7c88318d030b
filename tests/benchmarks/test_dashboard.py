"""The dashboard shows what asv has stored, and needs no network."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("asv")

from dashboard.drawing import draw, figure
from dashboard.history import read

NAME = "suite.Ratio.track_ratio"
COLUMNS = ["result", "params", "version", "started_at", "duration"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A store of three commits: one cell grows, one holds still, one has no figure."""
    described = {"version": "v", "unit": "ours / theirs", "params": [["'a'", "'b'", "'c'"]]}
    (tmp_path / "benchmarks.json").write_text(json.dumps({NAME: described, "version": 2}))
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine" / "machine.json").write_text('{"machine": "machine", "version": 1}')
    for day, value in ((1, 1.0), (3, 1.5), (2, 1.02)):
        stored = {
            "commit_hash": f"{day:x}" * 40,
            "env_name": "existing-python",
            "date": day * 86_400_000,
            "params": {"machine": "machine"},
            "python": "3",
            "requirements": {},
            "env_vars": {},
            "result_columns": COLUMNS,
            "results": {NAME: [[value, 2.0, math.nan], described["params"], "v", 0, 0]},
            "durations": {},
            "version": 2,
        }
        (tmp_path / "machine" / f"{day}-existing.json").write_text(json.dumps(stored))
    return tmp_path


def test_series_are_in_the_order_of_commits(results: Path) -> None:
    a, b = read(results)
    assert (a.setting, a.benchmark, a.parameters) == ("machine: as installed", NAME, "a")
    assert [(point.commit[0], point.value) for point in a.points] == [
        ("1", 1.0),
        ("2", 1.02),
        ("3", 1.5),
    ]
    assert a.change == pytest.approx(1.5 / 1.01)
    assert b.change == 1.0


def test_figures_of_a_benchmark_written_anew_are_left_out(results: Path) -> None:
    path = results / "benchmarks.json"
    path.write_text(path.read_text().replace('"version": "v"', '"version": "w"'))
    assert read(results) == []


def test_the_page_points_growth_out(results: Path) -> None:
    text = draw(read(results))
    assert "grown: 1" in text
    assert "▲ +49%" in text
    assert "33333333, 1970-01-04: 1.5" in text


def test_the_page_needs_no_network(results: Path) -> None:
    text = draw(read(results))
    assert not re.search(r"https?:|//\w|\bsrc=|\bhref=|@import|url\(", text)
    HTMLParser().feed(text)


def test_names_are_escaped(results: Path) -> None:
    for path in results.rglob("*.json"):
        path.write_text(path.read_text().replace("'a'", "'<b>'"))
    assert "<td>&lt;b&gt;<td>" in draw(read(results))


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.00123, "seconds", "1.23 ms"),
        (3 * 2**20, "bytes", "3 MiB"),
        (12.0, "tasks", "12"),
        (0.1234, "ours / theirs", "0.123"),
    ],
)
def test_units(value: float, unit: str, shown: str) -> None:
    assert figure(value, unit) == shown
