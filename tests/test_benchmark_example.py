"""The benchmark of docs/how-to/track-performance.md runs in asv as the page says, and is fair."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLE = DOCS / "examples" / "benchmark_softmax.py"
PAGE = DOCS / "how-to" / "track-performance.md"
AUTHOR = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


@pytest.fixture
def example(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(EXAMPLE)


def blocks_of(language: str) -> list[str]:
    """Return the page's blocks of a language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("times", [1, 3])
def test_a_softmax_that_takes_longer_has_a_ratio_that_says_so(
    times: int, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ours(x: Any) -> Any:
        for _ in range(times):
            result = example.by_hand(x)
        return result

    monkeypatch.setattr(example.asm, "softmax", ours)
    benchmark = example.Softmax()
    benchmark.setup((100, 100))
    assert times / 1.4 < benchmark.track_ratio((100, 100)) < times * 1.4


def test_the_hand_written_softmax_is_one(example: ModuleType) -> None:
    x = np.random.default_rng(0).normal(size=(5, 7))
    np.testing.assert_allclose(example.by_hand(x), example.asm.softmax(x), rtol=1e-13)


def test_asv_runs_it_with_the_commands_of_the_page(tmp_path: Path) -> None:
    (configuration,) = blocks_of("json")
    commands = next(block for block in blocks_of("sh") if "asv run" in block).splitlines()
    (tmp_path / "asv.conf.json").write_text(configuration, "utf-8")
    folder = tmp_path / json.loads(configuration)["benchmark_dir"]
    folder.mkdir()
    (folder / "__init__.py").touch()
    shutil.copy(EXAMPLE, folder)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **AUTHOR, "PATH": path, "HOME": str(tmp_path)}

    def run(command: str) -> str:
        return subprocess.run(  # noqa: S602 - the page is ours, and its reader has a shell
            command,
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=True,
            encoding="utf-8",
        ).stdout

    run("git init -q && git add -A && git commit -qm one && git commit -qm two --allow-empty")
    machine, measure = commands[1:3]
    assert machine.startswith("asv machine")
    assert measure.startswith("asv run")
    run(f"{machine} && {measure} --quick")
    run(f"git checkout -q HEAD~1 && {measure} --quick && git checkout -q -")
    shown = run(" && ".join(commands[3:]))
    (ratios,) = re.findall(r"track_ratio.*?\n  ok\n(.*?)started", shown, re.DOTALL)
    figures = [float(x) for x in re.findall(r"\)\s+([\d.]+)", ratios)]
    assert len(figures) == 3
    assert all(0.01 < figure < 100 for figure in figures)
    assert shown.count("track_ratio((1000, 1000))") == 1
