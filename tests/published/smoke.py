"""What must work where the wheel was just installed; ``nox -s build`` runs it there.

``python -I smoke.py`` in an environment that holds the wheel and what it requires, nothing else;
``python -I smoke.py cli plot testing`` in one with these extras. A fault is a traceback;
silence means that all works. Plain pytest collects nothing here.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from importlib import metadata, resources
from pathlib import Path

REQUIRED = {"anysoftmax", "array-api-compat", "numpy"}
LABELS = ("--labels", "Cat,Dog,Bird")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command that belongs to this Python."""
    command = shutil.which("anysoftmax", path=str(Path(sys.executable).parent))
    assert command, f"no command anysoftmax beside {sys.executable}"
    return subprocess.run(
        [command, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONUTF8": "1"},
        check=False,
    )


def shown(*arguments: str | Path) -> str:
    """Return what a command prints that must succeed."""
    done = run(*arguments)
    assert done.returncode == 0, f"{done.args} gave {done.returncode}: {done.stderr}"
    return done.stdout


def check_installation() -> None:
    """The package is the installed one, whole, and loads nothing before it is needed."""
    import anysoftmax

    loaded = {"array_api_compat", "numpy", "typer"} & set(sys.modules)
    assert not loaded, f"importing anysoftmax imports {loaded}"
    assert Path(anysoftmax.__file__).is_relative_to(sysconfig.get_path("purelib"))
    assert metadata.version("anysoftmax") == anysoftmax.__version__
    assert resources.files("anysoftmax").joinpath("py.typed").is_file()
    for name in {*anysoftmax.__all__} - {"testing"}:
        assert getattr(anysoftmax, name) is not None


def check_numbers() -> None:
    """Every part of the library that needs NumPy alone gives the numbers of the documentation."""
    import numpy as np

    import anysoftmax as asm
    from anysoftmax.calibration import calibration_error, fit_temperature

    logits, labels = np.array([[3.2, 1.3, 0.2], [0.1, 2.0, -1.0]]), np.array([0, 2])
    assert asm.softmax([3.2, 1.3, 0.2]).round(3).tolist() == [0.834, 0.125, 0.042]
    assert asm.softmax([2.0, 1.0], temperature=0).tolist() == [1, 0]
    assert math.isclose(asm.log_softmax([50.0, 0.0])[0], -1.928749847963918e-22, rel_tol=1e-15)
    assert math.isclose(asm.logsumexp([1000.0, 1000.0]), 1000 + math.log(2), rel_tol=1e-15)
    assert asm.cross_entropy(logits, labels).round(3) == 1.682
    assert asm.cross_entropy_grad(logits, labels).round(3)[0].tolist() == [-0.083, 0.062, 0.021]
    assert asm.entropy([0.0, 0.0]).round(3) == 0.693
    assert asm.kl_divergence([1.0, 2.0], [1.0, 2.0]) == 0
    assert asm.LogSumExp().update(logits[0]).result() == asm.logsumexp(logits[0])
    assert "0.834" in str(asm.explain([3.2, 1.3, 0.2]))
    sure = np.tile(logits, (50, 1))
    fit = fit_temperature(sure, np.array([0, 2] * 50))
    assert fit.status == "converged"
    assert 0 <= calibration_error(asm.softmax(sure), np.array([0, 2] * 50)) <= 1


def check_the_core_alone() -> None:
    """No more is installed than is declared, and what needs more says what to install."""
    installed = {dist.name for dist in metadata.distributions()}
    assert installed == REQUIRED, f"installed: {sorted(installed)}"
    done = run("explain", "3.2", "1.3", "0.2")
    assert done.returncode == 2
    assert 'pip install "anysoftmax[cli]"' in done.stderr


def check_the_commands(folder: Path) -> None:
    """Each command does its work on files."""
    import numpy as np
    import pyarrow.parquet

    logits, out = folder / "logits.npy", folder / "probabilities.npy"
    labels, saved = folder / "labels.npy", folder / "temperature.json"
    drawn = np.random.default_rng(0)
    np.save(logits, 3 * drawn.standard_normal((200, 4)))
    np.save(labels, drawn.integers(4, size=200))

    assert shown("--version").strip() == f"anysoftmax {metadata.version('anysoftmax')}"
    assert "Cat    0.834" in shown("explain", "3.2", "1.3", "0.2", *LABELS)
    json.loads(shown("explain", "3.2", "1.3", "0.2", "--json"))
    shown("fit-temperature", logits, labels, "--save", saved)
    shown("apply", logits, "-o", out, "--temperature", saved)
    assert np.allclose(np.load(out).sum(-1), 1)
    assert "200" in shown("report", logits, labels)

    scores = folder / "scores.csv"
    scores.write_text("cat,dog\n0,0\n", encoding="utf-8")
    assert shown("apply", scores, "-o", "-").splitlines() == ["cat,dog", "0.5,0.5"]

    columns = {"cat": [0.0], "dog": [0.0]}
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "scores.parquet")
    shown("apply", folder / "scores.parquet", "-o", folder / "shares.parquet")
    shares = pyarrow.parquet.read_table(folder / "shares.parquet")
    assert shares.to_pydict() == {"cat": [0.5], "dog": [0.5]}


def check_the_pictures(folder: Path) -> None:
    """Reliability is drawn."""
    os.environ["MPLBACKEND"] = "Agg"
    from anysoftmax.calibration import plot_reliability, reliability

    axes = plot_reliability(reliability([[0.9, 0.1], [0.4, 0.6]], [0, 0]))
    axes.figure.savefig(folder / "reliability.png")
    assert (folder / "reliability.png").stat().st_size > 1000


def check_the_laws() -> None:
    """The testing package holds NumPy to a law."""
    from anysoftmax.testing import backends, laws

    laws.get("temperature-by-slice").check(backends.get("numpy"))


def main(extras: Sequence[str]) -> None:
    """Check everything that must work with these extras."""
    check_installation()
    check_numbers()
    if not extras:
        check_the_core_alone()
    if "testing" in extras:
        check_the_laws()
    with tempfile.TemporaryDirectory() as folder:
        if "cli" in extras:
            check_the_commands(Path(folder))
        if "plot" in extras:
            check_the_pictures(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
