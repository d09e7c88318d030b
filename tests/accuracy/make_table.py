"""Measure all errors again; write them to docs/accuracy.json and docs/reference/accuracy.md.

Run it as ``nox -s accuracy`` when a change makes results more accurate, or when a library's own
exponential has changed; say in the commit why the figures moved. ``-- values`` or ``-- gradients``
measures these alone and keeps the others as they are stored.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gradients
import numpy as np
from measurement import BACKENDS, FUNCTIONS, PRECISIONS, measure

from anysoftmax.testing import backends

DOCS = Path(__file__).parents[2] / "docs"
STORE = DOCS / "accuracy.json"
PAGE = Path(__file__).with_name("page.md.in")

Figures = dict[str, dict[str, float]]


def main() -> None:
    """Measure, then write the figures and the page."""
    parser = argparse.ArgumentParser(prog="make_table", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *MEASURE], help="which alone to measure")
    table: dict[str, Any] = json.loads(STORE.read_text())
    for part in parser.parse_args().parts or MEASURE:
        table[part] = MEASURE[part]()
    STORE.write_text(json.dumps(table, indent=1) + "\n")
    (DOCS / "reference" / "accuracy.md").write_text(page(table))


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


MEASURE = {"values": measure_values, "gradients": measure_gradients}


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
        "VERSIONS": versions(),
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


def short(error: float) -> str:
    """Write an error with two decimals, or the power of ten that it is about."""
    if error < 1000:
        return f"{error:.2f}"
    digits, exponent = f"{error:.0e}".split("e")
    return f"{digits}e{int(exponent)}"


def versions() -> str:
    """Name the libraries as measured."""
    names = {"NumPy": "numpy", "PyTorch": "torch", "JAX": "jax", "Dask": "dask"}
    return ", ".join(f"{shown} {version(name)}" for shown, name in names.items())


def machine() -> str:
    """Name the kind of processor: NumPy's exponential depends on its vector instructions."""
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return f"{platform.machine()} with {', '.join(found)}"


if __name__ == "__main__":
    main()
