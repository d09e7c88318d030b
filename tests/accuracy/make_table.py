"""Measure all errors again; write them to docs/accuracy.json and to two pages of the docs.

``values`` and ``gradients`` are those of docs/reference/accuracy.md. ``peers`` stand beside those
of SciPy, JAX and PyTorch, in docs/explanation/accuracy.md.

Run it as ``nox -s accuracy`` when a change makes results more accurate, or when a library's own
exponential has changed; say in the commit why the figures moved. ``-- values`` measures these alone
and keeps the others as they are stored.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import gradients
import numpy as np
import peer_errors as peers
from measurement import BACKENDS, FUNCTIONS, PRECISIONS, measure

from anysoftmax.testing import backends

DOCS = Path(__file__).parents[2] / "docs"
STORE = DOCS / "accuracy.json"
PAGE = Path(__file__).with_name("page.md.in")
REFERENCE, EXPLANATION = DOCS / "reference" / "accuracy.md", DOCS / "explanation" / "accuracy.md"
BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"

LIBRARIES = {
    "numpy": "NumPy",
    "scipy": "SciPy",
    "jax": "JAX",
    "torch": "PyTorch",
    "dask": "Dask",
}

Figures = dict[str, dict[str, float]]
Column = tuple[str, str, tuple[str, ...]]  # its heading, dtype and families


def main() -> None:
    """Measure, then write the figures and the pages that show them."""
    parser = argparse.ArgumentParser(prog="make_table", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *MEASURE], help="which alone to measure")
    table: dict[str, Any] = json.loads(STORE.read_text())
    parts = parser.parse_args().parts or list(MEASURE)
    for part in parts:
        table[part] = MEASURE[part]()
    STORE.write_text(json.dumps(table, indent=1) + "\n")
    if "values" in parts or "gradients" in parts:
        REFERENCE.write_text(page(table))
    if "peers" in parts:
        EXPLANATION.write_text(with_peers(EXPLANATION.read_text(), table["peers"]))


def measure_values() -> Figures:
    """Return the errors of every function on every backend."""
    figures: Figures = {}
    for name in BACKENDS:
        backend = backends.get(name)
        with backend.context():
            for function in FUNCTIONS:
                for dtype in backend.dtypes:
                    for precision in PRECISIONS:
                        worst = measure(backend, function, dtype, precision)
                        key = f"{name}/{function}/{dtype}/{precision}"
                        figures[key] = {"ulp": round(worst.ulp, 3), "share": round(worst.share, 3)}
                        print(key, figures[key], file=sys.stderr)
    return figures


def measure_gradients() -> Figures:
    """Return the errors of every gradient, ours and theirs."""
    figures: Figures = {}
    for name in gradients.IMPLEMENTATIONS:
        for function in gradients.FUNCTIONS:
            for dtype, families in gradients.FAMILIES.items():
                for family in families:
                    worst = gradients.measure(name, function, family, dtype)
                    key = f"{name}/{function}/{dtype}/{family}"
                    figures[key] = {part: rounded(x) for part, x in worst._asdict().items()}
                    print(key, figures[key], file=sys.stderr)
    return figures


def measure_peers() -> dict[str, float]:
    """Return the errors of the peers' functions and of ours, in ulp."""
    figures: dict[str, float] = {}
    for name, implementation in peers.IMPLEMENTATIONS.items():
        for dtype in implementation.dtypes:
            for function in FUNCTIONS:
                for family in peers.families_of(function):
                    worst = peers.measure(name, function, family, dtype)
                    for part, error in worst.items():
                        key = f"{name}/{part}/{dtype}/{family}"
                        figures[key] = rounded(error)
                        print(key, figures[key], file=sys.stderr)
    return figures


MEASURE = {"values": measure_values, "gradients": measure_gradients, "peers": measure_peers}


def rounded(error: float) -> float:
    """Keep three decimals, or three digits of an error that is out of all proportion."""
    return round(error, 3) if error < 1000 else float(f"{error:.2e}")


def page(table: dict[str, Figures]) -> str:
    """Return the page with the figures filled in."""
    values = (value_section(function, table["values"]) for function in FUNCTIONS)
    slopes = (gradient_section(dtype, table["gradients"]) for dtype in gradients.FAMILIES)
    parts = {
        "TABLES": "\n\n".join(values),
        "GRADIENTS": "\n\n".join(slopes),
        "VERSIONS": versions("numpy", "torch", "jax", "dask"),
        "MACHINE": machine(),
    }
    text = PAGE.read_text()
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


def value_section(function: str, figures: Figures) -> str:
    """Return the table of one function: a row for each backend and precision."""
    dtypes = ("float16", "bfloat16", "float32", "float64")
    lines = [f"## {function}", "", "| backend | precision | " + " | ".join(dtypes) + " |"]
    lines.append("|---|---|" + "---|" * len(dtypes))
    for name in BACKENDS:
        for precision in PRECISIONS:
            cells = [figures.get(f"{name}/{function}/{dtype}/{precision}") for dtype in dtypes]
            shown = [f"{c['ulp']:.2f} ({c['share']:.2f})" if c else "" for c in cells]
            lines.append(f"| {name} | {precision} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def gradient_section(dtype: str, figures: Figures) -> str:
    """Return the table of the gradients of one dtype: a row for each function of each library."""
    families = gradients.FAMILIES[dtype]
    lines = [f"### {dtype}", "", "| of | by | " + " | ".join(families) + " |"]
    lines.append("|---|---|" + "---|" * len(families))
    for function in gradients.FUNCTIONS:
        for name in gradients.IMPLEMENTATIONS:
            cells = [figures[f"{name}/{function}/{dtype}/{family}"] for family in families]
            shown = [f"{short(c['terms'])} ({short(c['share'])})" for c in cells]
            lines.append(f"| {function} | {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def with_peers(text: str, figures: dict[str, float]) -> str:
    """Return a page with the peers' figures between its two marks."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    measured = f"Measured with {versions('numpy', 'scipy', 'jax', 'torch')}, on {machine()}."
    sections = (peer_section(part, figures) for part in chain(*peers.PARTS.values()))
    return "\n\n".join([f"{before}{BEGIN}", measured, *sections, f"{END}{after}"])


def peer_section(part: str, figures: dict[str, float]) -> str:
    """Return the tables of a part: float32 family by family, and the worst of the others."""
    families = [(family, "float32", (family,)) for family in peers.FAMILIES]
    others = []
    for dtype in peers.DTYPES[1:]:
        others.append((dtype, dtype, (*peers.PLAIN, "at 0")))
        others += [(family, dtype, (family,)) for family in ("T", "many")]
    tables = (peer_table("float32", families, part, figures), peer_table("", others, part, figures))
    return "\n\n".join([f"### {part}", *tables])


def peer_table(title: str, columns: list[Column], part: str, figures: dict[str, float]) -> str:
    """Return a table of the largest errors over some families of a dtype in each column."""
    known = [
        (heading, dtype, families)
        for heading, dtype, families in columns
        if any(f"{name}/{part}/{dtype}/{families[0]}" in figures for name in peers.IMPLEMENTATIONS)
    ]
    lines = [f"| {title} | " + " | ".join(heading for heading, _, _ in known) + " |"]
    lines.append("|---|" + "---|" * len(known))
    for name in peers.IMPLEMENTATIONS:
        cells = (
            [figures.get(f"{name}/{part}/{dtype}/{family}") for family in families]
            for _, dtype, families in known
        )
        shown = ["" if None in cell else brief(max(cell)) for cell in cells]
        lines.append(f"| {name.replace(' ', '&nbsp;')} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def brief(error: float) -> str:
    """Write an error as `short` does, but with no more than three digits."""
    return f"{error:.{2 - (error >= 9.995) - (error >= 99.95)}f}" if error < 999.5 else short(error)


def short(error: float) -> str:
    """Write an error with two decimals, or the power of ten that it is about."""
    if error < 1000:
        return f"{error:.2f}"
    digits, exponent = f"{error:.0e}".split("e")
    return f"{digits}e{int(exponent)}"


def versions(*packages: str) -> str:
    """Name libraries as measured."""
    return ", ".join(f"{LIBRARIES[package]} {version(package)}" for package in packages)


def machine() -> str:
    """Name the kind of processor: NumPy's exponential depends on its vector instructions."""
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return f"{platform.machine()} with {', '.join(found)}"


if __name__ == "__main__":
    main()
