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
from anysoftmax import calibration, distributed, files, testing

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VAGUE_NAMES = {"base", "common", "helpers", "misc", "util", "utils"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_citation_names_the_version() -> None:
    (version,) = re.findall(r"^version: (\S+)$", read("CITATION.cff"), flags=re.MULTILINE)
    assert version == anysoftmax.__version__


def test_the_changelog_has_a_place_for_the_next_release() -> None:
    before, mark, after = read("CHANGELOG.md").partition("<!-- towncrier release notes start -->\n")
    assert mark
    assert "\n## " not in before
    released = re.findall(r"^## \[(.+?)\]", after, flags=re.MULTILINE)
    assert len(released) == len(set(released))


def test_the_fragments_of_the_changelog_are_lines_of_it() -> None:
    kinds = "|".join(PYPROJECT["tool"]["towncrier"]["fragment"])
    name = re.compile(rf"(\d+|\+[a-z0-9-]+)\.({kinds})\.md")
    fragments = {path.name: path.read_text("utf-8") for path in (ROOT / "changelog.d").iterdir()}
    del fragments["README.md"]
    assert [fragment for fragment in fragments if not name.fullmatch(fragment)] == []
    # Towncrier adds the bullet. It takes an empty file, too, and writes an empty line.
    assert [name for name, text in fragments.items() if not re.match(r"[^\s#*-]", text)] == []


def test_the_address_of_the_repository_is_the_same_everywhere() -> None:
    urls = PYPROJECT["project"].get("urls", {})
    (links,) = PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]
    cited = re.findall(r"^repository-code: \"?(\S+?)\"?$", read("CITATION.cff"), re.MULTILINE)
    on_pypi = re.findall(r"https://.+?(?=/blob/)", links["replacement"])
    assert [urls["Repository"]] * 2 == cited + on_pypi if urls else cited + on_pypi == []


def test_ci_runs_every_python_that_is_promised() -> None:
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    for workflow in ("tests", "wheels"):
        (matrix,) = re.findall(
            r"^ +python: \[(.+)\]$", read(f".github/workflows/{workflow}.yml"), re.MULTILINE
        )
        assert matrix.replace('"', "").split(", ") == promised


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
    module, documented = "", set()
    for line in read("docs/reference/index.md").splitlines():
        if found := re.fullmatch(r"\.\. (?:auto|current)module:: ([\w.]+)", line):
            module = found[1]
            documented.add(module)
        elif found := re.fullmatch(r" {3}~?(\w[\w.]+)", line):
            documented.add(f"{module}.{found[1]}")
    modules = (anysoftmax, calibration, distributed, files, testing)
    public = {f"{one.__name__}.{name}" for one in modules for name in one.__all__}
    others = {"kernels.use", "explanation.Explanation", "pitfalls.Finding"}
    assert documented >= public | {f"anysoftmax.{name}" for name in others}


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
