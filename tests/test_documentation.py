"""The terminal sessions in docs/ are run; pytest runs the Python examples by itself."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
DATA = Path(__file__).parent / "data"
SESSION = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [
    page.relative_to(DOCS).as_posix()
    for pattern in ("*.md", "*/*.md")
    for page in sorted(DOCS.glob(pattern))
    if SESSION.search(page.read_text("utf-8"))
]


def commands(page: str) -> list[tuple[str, str]]:
    """Return each command of a page's terminal sessions with the output it shows."""
    sessions = "".join(SESSION.findall((DOCS / page).read_text("utf-8")))
    first, *rest = re.split(r"^\$ ", sessions, flags=re.MULTILINE)
    assert first == ""
    return [(command, output) for command, _, output in (part.partition("\n") for part in rest)]


def test_there_are_sessions() -> None:
    assert {"how-to/calibrate.md", "how-to/command-line.md", "how-to/train.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_terminal_sessions(page: str, tmp_path: Path) -> None:
    for name in ("digits_labels.npy", "digits_logits.csv", "digits_logits.npy"):
        shutil.copy(DATA / name, tmp_path)
    shutil.copytree(DOCS / "examples", tmp_path / "docs" / "examples")
    shutil.copytree(DATA, tmp_path / "tests" / "data")
    # The command that belongs to the Python that runs the tests, in a terminal of UTF-8.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command, expected in commands(page):
        shown = subprocess.run(  # noqa: S602 - the page is ours, and its reader has a shell
            command,
            shell=True,
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        ).stdout
        assert doctest.OutputChecker().check_output(expected, shown, doctest.ELLIPSIS), (
            f"$ {command}\n{shown}"
        )
