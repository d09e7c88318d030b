"""What the files around the package promise about it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import anysoftmax

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VAGUE_NAMES = {"base", "common", "helpers", "misc", "util", "utils"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_citation_names_the_version() -> None:
    (version,) = re.findall(r"^version: (\S+)$", read("CITATION.cff"), flags=re.MULTILINE)
    assert version == anysoftmax.__version__


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    headings = re.findall(r"^## \[(.+?)\]", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_users_install_two_packages() -> None:
    names = [re.split(r"[<>=!~\[ ]", line)[0] for line in PYPROJECT["project"]["dependencies"]]
    assert sorted(names) == ["array-api-compat", "numpy"]


def test_the_types_are_shipped() -> None:
    assert (Path(anysoftmax.__file__).parent / "py.typed").exists()


def test_ci_is_executable() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks/suites", "docs"])
def test_file_names_say_what_is_in_the_file(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if "_build" not in path.parts]
    assert files
    assert [path for path in files if path.stem in VAGUE_NAMES] == []


def test_the_reference_has_every_public_name() -> None:
    documented = re.findall(r"^\.\. auto\w+:: ([\w.]+)$", read("docs/reference.md"), re.MULTILINE)
    names = {name.removeprefix("anysoftmax.") for name in documented}
    distributed = {f"distributed.{name}" for name in anysoftmax.distributed.__all__}
    assert names >= {*anysoftmax.__all__, *anysoftmax.calibration.__all__, *distributed}


ONE_OF_EACH = """
import importlib, pkgutil, suites

ran = []
for info in pkgutil.iter_modules(suites.__path__):
    module = importlib.import_module(f"suites.{info.name}")
    for cls in list(vars(module).values()):
        if not isinstance(cls, type) or cls.__module__ != module.__name__:
            continue
        methods = [n for n in dir(cls) if n.startswith(("time_", "timeraw_", "track_", "peakmem_"))]
        for name in methods:
            for choose in (lambda values: values[0], lambda values: values[-1]):
                parameters = [choose(values) for values in getattr(cls, "params", [])]
                benchmark = cls()
                try:
                    if hasattr(benchmark, "setup"):
                        benchmark.setup(*parameters)
                except NotImplementedError:  # asv shows it as "n/a"
                    continue
                getattr(benchmark, name)(*parameters)
                ran.append(f"{info.name}.{cls.__name__}.{name}")
print("\\n".join(sorted(set(ran))))
"""


def test_benchmarks_run() -> None:
    # In a process of its own: a suite keeps its process to one core.
    finished = subprocess.run(
        [sys.executable, "-c", ONE_OF_EACH],
        cwd=ROOT / "benchmarks",
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    suites = {line.split(".")[0] for line in finished.stdout.split()}
    files = {path.stem for path in (ROOT / "benchmarks" / "suites").glob("*.py")}
    assert suites == files - {"__init__"}
