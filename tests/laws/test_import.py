"""What importing the library costs, and what it leaves alone."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import anysoftmax as asm
from anysoftmax.testing import BACKENDS

LIBRARIES = sorted({backend.library.split(".")[0] for backend in BACKENDS.values()})


def run(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    return done.stdout.strip()


def test_importing_loads_no_array_library_and_starts_no_thread() -> None:
    loaded = run(
        "import sys, threading, anysoftmax\n"
        f"print([name for name in {LIBRARIES!r} if name in sys.modules], threading.active_count())"
    )
    assert loaded == "[] 1"


def test_importing_the_testing_package_loads_numpy_only() -> None:
    loaded = run(
        "import sys, anysoftmax.testing\n"
        f"print([name for name in {LIBRARIES!r} if name in sys.modules])"
    )
    assert loaded == "['numpy']"


def test_importing_takes_less_than_thirty_milliseconds(tmp_path: Path) -> None:
    # Compiled by the first import, as by whatever installs a package.
    caching = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    program = (
        "import time\nstart = time.perf_counter()\nimport anysoftmax\n"
        "print(time.perf_counter() - start)"
    )
    # The best of several: what else the machine does is not the library's.
    assert min(float(run(program, **caching)) for _ in range(5)) < 0.03


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_using_numpy_loads_no_other_library(library: str) -> None:
    program = (
        "import sys, numpy, anysoftmax as asm\n"
        "x = numpy.zeros(3)\n"
        "asm.softmax(x, temperature=0.5, where=x == 0); asm.log_softmax(x); asm.logsumexp(x)\n"
        f"print({library!r} in sys.modules)"
    )
    assert run(program) == "False"


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "AxisError"])
def test_pickled_by_reference(name: str) -> None:
    public = getattr(asm, name)
    assert pickle.loads(pickle.dumps(public)) is public  # noqa: S301
    assert len(pickle.dumps(public)) < 100


def test_axis_errors_survive_pickling() -> None:
    with pytest.raises(asm.AxisError) as caught:
        asm.softmax([1.0, 2.0], axis=3)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert type(again) is asm.AxisError
    assert str(again) == str(caught.value)
