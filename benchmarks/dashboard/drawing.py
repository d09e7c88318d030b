"""Drawing the series as a table of small curves, in HTML that refers to nothing outside of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from .history import Point, Series

TEMPLATE = Path(__file__).with_name("template.html")
WIDTH, HEIGHT, MARGIN = 240, 36, 4
NOTABLE = 0.1  # a change of the newest figure by more is pointed out


def draw(series: Sequence[Series]) -> str:
    """Return the page."""
    sections = "\n".join(
        section(setting, list(group))
        for setting, group in itertools.groupby(series, key=lambda s: s.setting)
    )
    text = TEMPLATE.read_text(encoding="utf-8")
    return text.replace("@SECTIONS@", sections or "<p>No results are stored yet.</p>")


def section(setting: str, series: Sequence[Series]) -> str:
    """Return the part of one machine and environment."""
    commits = sorted({(point.milliseconds, point.commit) for s in series for point in s.points})
    places = {commit: place for place, (_, commit) in enumerate(commits)}
    parts = [
        benchmark(name, list(group), places)
        for name, group in itertools.groupby(series, key=lambda s: s.benchmark)
    ]
    span = f"Commits: {len(commits)}, {day(commits[0][0])} to {day(commits[-1][0])}"
    return f"<h2>{escape(setting)}</h2>\n<p>{span}</p>\n" + "\n".join(parts)


def benchmark(name: str, series: Sequence[Series], places: dict[str, int]) -> str:
    """Return a benchmark's table, unfolded if its newest figures have grown."""
    grown = sum(is_notable(s) and (s.change or 0) > 1 for s in series)
    rows = "\n".join(row(s, places) for s in series)
    remark = f' <b class="worse">grown: {grown}</b>' if grown else ""
    head = "<tr><th>cell<th>history<th>newest<th>change</tr>"
    return (
        f"<details{' open' if grown else ''}><summary>{escape(name)}"
        f" <small>{len(series)} cells, {escape(series[0].unit)}</small>{remark}</summary>\n"
        f"<table>{head}\n{rows}\n</table></details>"
    )


def row(series: Series, places: dict[str, int]) -> str:
    """Return one cell's line: its curve, its newest figure, and how that has changed."""
    change, kind = "", ""
    if series.change is not None:
        change = f"{series.change - 1:+.0%}"
    if is_notable(series):
        kind = "worse" if (series.change or 0) > 1 else "better"
        change = f"{'▲' if kind == 'worse' else '▼'} {change}"
    newest = figure(series.points[-1].value, series.unit)
    curve_ = curve(series.points, series.unit, places)
    return (
        f"<tr><td>{escape(series.parameters)}<td>{curve_}"
        f'<td class="number">{newest}<td class="number {kind}">{change}</tr>'
    )


def curve(points: Sequence[Point], unit: str, places: dict[str, int]) -> str:
    """Return a small curve, a dot for each commit."""
    low = min(point.value for point in points) * 0.9
    high = max(point.value for point in points) * 1.1
    rise = (HEIGHT - 2 * MARGIN) / ((high - low) or 1)
    step = (WIDTH - 2 * MARGIN) / max(len(places) - 1, 1)
    spots = [
        (MARGIN + places[point.commit] * step, HEIGHT - MARGIN - (point.value - low) * rise)
        for point in points
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img"><polyline points="{line}"/>'
        + "".join(dots(points, spots, unit))
        + "</svg>"
    )


def dots(points: Iterable[Point], spots: Iterable[tuple[float, float]], unit: str) -> Iterator[str]:
    """Yield a dot for each point that says what it stands for."""
    for point, (x, y) in zip(points, spots, strict=True):
        text = f"{point.commit}, {day(point.milliseconds)}: {figure(point.value, unit)}"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"><title>{escape(text)}</title></circle>'


def is_notable(series: Series) -> bool:
    """Tell whether the newest figure is far from those before it."""
    return series.change is not None and abs(series.change - 1) > NOTABLE


def figure(value: float, unit: str) -> str:
    """Return a figure with as many digits as tell something."""
    if unit == "seconds":
        for scale, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if value >= scale:
                return f"{value / scale:.3g} {name}"
        return f"{value * 1e9:.3g} ns"
    if unit == "bytes":
        return f"{value / 2**20:.4g} MiB"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def day(milliseconds: int) -> str:
    """Return the date of a commit."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()
