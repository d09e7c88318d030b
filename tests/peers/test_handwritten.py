"""Each cell of the tables in docs/how-to/replace-your-softmax.md, as a test.

A test here fails when a library has mended what the page says of it: then the page must change.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special
import sklearn.utils.extmath
import torch
from torch.nn import functional

import anysoftmax as asm

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "replace-your-softmax.md"
LIBRARIES = {
    "F": functional,
    "asm": asm,
    "jax": jax,
    "jnp": jnp,
    "np": np,
    "optax": optax,
    "scipy": scipy,
    "sklearn": sklearn,
    "torch": torch,
}


def rows_of(heading: str) -> list[list[str]]:
    """Return the cells of the rows of all tables that have such a heading."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = []
    for start in (i for i, line in enumerate(lines) if line.startswith(f"| {heading} |")):
        for line in lines[start + 2 :]:
            if not line.startswith("|"):
                break
            rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def code_in(cell: str) -> str:
    """Return the code of a cell, one statement a line."""
    return "\n".join(re.findall(r"`([^`]+)`", cell))


def value_of(code: str, names: dict[str, Any]) -> Any:
    """Run statements, and return the value of the last one, an expression."""
    tree = ast.parse(code)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, str(PAGE), "exec"), names)  # noqa: S102 - the page is ours
    return eval(compile(ast.Expression(last.value), str(PAGE), "eval"), names)  # noqa: S307


def figure(number: float) -> str:
    """Return a number as the page has it."""
    return "NaN" if np.isnan(number) else f"{number + 0.0:.3g}"  # + 0.0 makes 0 of -0


def shown(compute: Callable[[], Any]) -> str:
    """Return a result as the page has it, or the name of the error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = compute()
    except RuntimeError as error:
        return type(error).__name__
    numbers = np.atleast_2d(np.asarray(result, dtype=np.float64))
    rows = numbers.reshape(-1, numbers.shape[-1])
    ends = ", ..." if rows.shape[1] > 3 else ""
    return "; ".join(
        ", ".join(map(figure, row[: 2 if ends else None].tolist())) + ends for row in rows
    )


COPIES = rows_of("written by hand")
CALLS = rows_of("you have")


def test_the_tables_are_found() -> None:
    assert len(COPIES) == 39
    assert len(CALLS) == 25
    tables = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|--")]
    assert len(tables) == 6


@pytest.mark.parametrize("row", COPIES, ids=[code_in(row[0]) for row in COPIES])
def test_copies_return_what_the_page_says(row: list[str]) -> None:
    copy, logits, returned, instead = row
    better, right = instead.rsplit("<br>", 1)
    for code, expected in ((copy, returned), (better, right)):
        names = dict(LIBRARIES)
        exec(code_in(logits), names)  # noqa: S102 - the page is ours
        assert shown(lambda: value_of(code_in(code), names)) == expected  # noqa: B023 - called here
    assert returned != right


def test_the_patterns_find_as_many_as_the_page_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    patterns = re.findall(
        r"^\$ grep -rnE --include='\*\.py' (?:-- )?'(.+)' src$", text, re.MULTILINE
    )
    assert len(patterns) == 3
    found = [copy for copy, *_ in COPIES if any(re.search(p, code_in(copy)) for p in patterns)]
    assert f"find {len(found)} of the {len(COPIES)} below" in text
    assert all("softmax" in code_in(copy) for copy, *_ in COPIES if copy not in found)


def arguments(library: str) -> SimpleNamespace:
    """Return what the calls on the page are made with."""
    asarray = {"torch": torch.tensor, "F": torch.tensor, "jax": jnp.asarray, "optax": jnp.asarray}
    array = asarray.get(library, np.asarray)
    return SimpleNamespace(
        x=array([[3.2, 1.3, 0.2], [0.1, 2.0, -1.0]]),
        y=array([[1.0, 2.0, 3.0], [0.0, -1.0, 1.0]]),
        p=array([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]]),
        t=array([0, 2]),
        w=array([1.0, 2.0, 5.0]),
        mask=array([[True, True, False], [True, False, True]]),
        T=0.7,
    )


@pytest.mark.parametrize("row", CALLS, ids=[code_in(row[0]) for row in CALLS])
def test_calls_on_both_sides_agree(row: list[str]) -> None:
    theirs, ours = map(code_in, row)
    library = "torch" if theirs.startswith("x.") else re.split(r"\W", theirs)[0]
    names = {**LIBRARIES, **vars(arguments(library))}
    left, right = value_of(theirs, names), value_of(ours, names)
    assert type(left) is type(right)
    np.testing.assert_allclose(right, left, rtol=2e-6, strict=True)
