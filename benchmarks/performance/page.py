"""Writing docs/explanation/performance.md from what is stored; no figure is made here."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .cells import MILLION
from .figures import (
    CUDA_FIGURES,
    EXTRA_MEBIBYTES,
    FIGURES,
    IMPORT_LIMIT,
    Figure,
    Row,
    Verdict,
    judge,
)

DOCS = Path(__file__).parents[2] / "docs"
STORE = DOCS / "performance.json"
CUDA_STORE = DOCS / "gpu.json"
PAGE = DOCS / "explanation" / "performance.md"
TEMPLATE = Path(__file__).with_name("page.md.in")

MEMORY_AND_IMPORT = """\
## Import

`import anysoftmax` takes {anysoftmax:.1f} ms of the processor in a fresh interpreter, and
`import numpy` {numpy:.1f} ms: a ratio of {ratio:.2f}, to be at most {limit}: {met}.

## Memory

What a call adds to the peak memory of a process that holds 400 MB of float32 logits, its output
apart; each in a process of its own.

{table}"""

CUDA = """\
## GPU

{setting}

524 MB of float32 logits; each call is waited for, by the wall clock. The *device copy* is `-x`,
which reads and writes every element once.

{verdicts}

{own}"""


def write(path: Path, run: dict[str, Any]) -> None:
    """Store a run with one line for each cell, so that a difference can be read."""
    lists = {name: part for name, part in run.items() if isinstance(part, list)}
    head = {name: part for name, part in run.items() if name not in lists}
    parts = [f"{json.dumps(name)}: {json.dumps(part)}" for name, part in head.items()]
    for name, rows in lists.items():
        lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
        parts.append(f"{json.dumps(name)}: [\n{lines}\n ]")
    path.write_text("{\n " + ",\n ".join(parts) + "\n}\n", encoding="utf-8")


def page() -> str:
    """Return the page of the runs that are stored."""
    run = json.loads(STORE.read_text(encoding="utf-8"))
    on_cuda = json.loads(CUDA_STORE.read_text(encoding="utf-8")) if CUDA_STORE.exists() else None
    parts = {
        "SETTING": setting(run),
        "VERDICTS": verdicts(FIGURES, run["cells"]),
        "MEMORY": memory_and_import(run),
        "TABLES": "\n\n".join(tables(run["cells"])),
        "GPU": cuda_section(on_cuda) if on_cuda else "",
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text.rstrip() + "\n"


def setting(run: dict[str, Any]) -> str:
    """Say where, when and with what a run was made."""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    place = f"{run['machine']}, on {run['date']}, at commit `{run['commit']}`"
    text = f"Measured on {place}, with {versions}."
    if run.get("quick"):
        text += " **A quick run: a few cells only, to try the measurement out.**"
    return text


def verdicts(figures: Iterable[Figure], rows: list[Row]) -> str:
    """Return the table of figures: limit, mean, worst cell, met or not."""
    lines = [line(figure, judge(figure, rows)) for figure in figures]
    head = ("ours", "peer", "figure", "mean", "worst cell", "")
    return table(head, lines)


def line(figure: Figure, verdict: Verdict | None) -> tuple[str, ...]:
    """Return one figure as the cells of a table."""
    if verdict is None:
        return (figure.title, figure.peer, figure.shown, "", "", "not measured")
    worst = f"{figure.ratio(verdict.worst):.2f} ({described(verdict.worst)})"
    if verdict.met:
        outcome = "met"
    elif figure.of_mean:
        outcome = "**not met**"
    else:
        outcome = f"**not met** in {verdict.beyond} of {verdict.cells} cells"
    return (figure.title, figure.peer, figure.shown, f"{verdict.mean:.2f}", worst, outcome)


def described(row: Row) -> str:
    """Name a cell within its path."""
    axis = "axis 0" if row["axis"] == 0 else "last axis"
    if row["elements"] < MILLION:
        return row["function"]
    return f"{row['function']}, {row['dtype']}, {row['classes']} classes, {axis}"


def memory_and_import(run: dict[str, Any]) -> str:
    """Return the sections of what is measured in processes of its own."""
    imports = run["imports"]
    met = "met" if imports["ratio"] <= IMPORT_LIMIT else "**not met**"
    rows = []
    for row in run["memory"]:
        limit = EXTRA_MEBIBYTES * row["workers"]
        rows.append(
            (
                f"`{row['kernel']}`",
                row["function"],
                row["output"],
                str(row["workers"]),
                f"{row['mebibytes']:.1f} MiB",
                f"{limit} MiB",
                "met" if row["mebibytes"] <= limit else "**not met**",
            )
        )
    head = ("kernel", "function", "output", "workers", "extra", "figure", "")
    return MEMORY_AND_IMPORT.format(limit=IMPORT_LIMIT, met=met, table=table(head, rows), **imports)


def tables(rows: list[Row]) -> Iterable[str]:
    """Yield a section for each path, with a table for each pair of contenders."""
    for path in dict.fromkeys(row["path"] for row in rows):
        yield f"## {path}"
        here = [row for row in rows if row["path"] == path]
        pairs = {
            (ours, peer): None
            for row in here
            for ours in row["ratios"]
            for peer in row["ratios"][ours]
        }
        for ours, peer in pairs:
            yield pair_table(ours, peer, [r for r in here if peer in r["ratios"].get(ours, {})])


def pair_table(ours: str, peer: str, rows: Sequence[Row]) -> str:
    """Return the ratios of two contenders: a column for each number of classes."""
    ratios = [row["ratios"][ours][peer] for row in rows]
    title = f"### {ours} / {peer}"
    mean = f"Geometric mean {statistics.geometric_mean(ratios):.2f}, worst {max(ratios):.2f}."
    classes = sorted({row["classes"] for row in rows})
    lines: dict[tuple[str, ...], dict[int, str]] = {}
    for row, ratio in zip(rows, ratios, strict=True):
        axis = "0" if row["axis"] == 0 else "last"
        elements = row["elements"]
        size = f"{elements * 4e-6:.0f} MB" if elements > MILLION else f"{elements:,}"
        key = (row["function"], row["dtype"], axis, size)
        lines.setdefault(key, {})[row["classes"]] = f"{ratio:.2f}"
    head = ("function", "dtype", "axis", "elements", *(f"{n:,}" for n in classes))
    body = [(*key, *(cells.get(n, "") for n in classes)) for key, cells in lines.items()]
    return "\n\n".join([title, mean, table(head, body)])


def cuda_section(run: dict[str, Any]) -> str:
    """Return the part on GPUs."""
    own = "\n\n".join(tables(run["cells"])).replace("## ", "### ")
    return CUDA.format(setting=setting(run), verdicts=verdicts(CUDA_FIGURES, run["cells"]), own=own)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
