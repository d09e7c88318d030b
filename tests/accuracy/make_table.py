"""Measure all errors again and write them to docs/accuracy.json and docs/accuracy.md.

Run it as ``nox -s accuracy`` when a change makes results more accurate, or when a library's own
exponential has changed; say in the commit why the figures moved.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from measurement import BACKENDS, FUNCTIONS, PRECISIONS, measure

from anysoftmax.testing import backends

DOCS = Path(__file__).parents[2] / "docs"
PAGE = Path(__file__).with_name("page.md.in")


def main() -> None:
    """Measure, then write the figures and the page."""
    table: dict[str, Any] = {}
    for name in BACKENDS:
        backend = backends.get(name)
        with backend.context():
            for function in FUNCTIONS:
                for dtype in backend.dtypes:
                    for precision in PRECISIONS:
                        worst = measure(backend, function, dtype, precision)
                        key = f"{name}/{function}/{dtype}/{precision}"
                        table[key] = {"ulp": round(worst.ulp, 3), "share": round(worst.share, 3)}
                        print(key, table[key], file=sys.stderr)
    (DOCS / "accuracy.json").write_text(json.dumps(table, indent=1) + "\n")
    (DOCS / "accuracy.md").write_text(page(table))


def page(table: dict[str, Any]) -> str:
    """Return the page with the figures filled in."""
    tables = "\n\n".join(section(function, table) for function in FUNCTIONS)
    text = PAGE.read_text().replace("@TABLES@", tables)
    return text.replace("@VERSIONS@", versions()).replace("@MACHINE@", machine())


def section(function: str, table: dict[str, Any]) -> str:
    """Return the table of one function: a row for each backend and precision."""
    dtypes = ("float16", "bfloat16", "float32", "float64")
    lines = [f"## {function}", "", "| backend | precision | " + " | ".join(dtypes) + " |"]
    lines.append("|---|---|" + "---|" * len(dtypes))
    for name in BACKENDS:
        for precision in PRECISIONS:
            cells = [table.get(f"{name}/{function}/{dtype}/{precision}") for dtype in dtypes]
            shown = [f"{c['ulp']:.2f} ({c['share']:.2f})" if c else "" for c in cells]
            lines.append(f"| {name} | {precision} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


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
