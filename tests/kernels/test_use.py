"""Choosing a kernel: by name, by the environment, in threads, and with clear errors."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax import KernelError, kernels
from anysoftmax.kernels import table


@pytest.mark.parametrize("name", ["fast", "", "Reference", None, 3, ["numba"]])
def test_unknown_names(name) -> None:
    with pytest.raises(ValueError, match=r"unknown.*'auto', 'reference', 'numba', 'native'"):
        kernels.use(name).__enter__()


def test_the_innermost_choice_counts_and_ends() -> None:
    assert kernels.chosen() == "auto"
    with kernels.use("native"):
        with kernels.use("reference"):
            assert kernels.chosen() == "reference"
        assert kernels.chosen() == "native"
    assert kernels.chosen() == "auto"


def test_a_choice_ends_with_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), kernels.use("native"):
        raise ZeroDivisionError
    assert kernels.chosen() == "auto"


def test_a_choice_is_the_threads_own() -> None:
    with kernels.use("native"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(kernels.chosen).result() == "auto"


def run(code: str, value: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ANYSOFTMAX_KERNEL": value}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_the_environment_sets_the_default() -> None:
    done = run("from anysoftmax import kernels; print(kernels.chosen())", "reference")
    assert done.stdout.strip() == "reference"


def test_an_unknown_name_in_the_environment_is_said_at_the_first_call() -> None:
    done = run("import anysoftmax as asm; asm.softmax([1.0])", "fast")
    assert "ANYSOFTMAX_KERNEL" in done.stderr
    assert "'reference'" in done.stderr


def test_a_kernel_that_is_not_installed_says_what_to_install(monkeypatch) -> None:
    row = table.Kernel("native", "softmax", "numpy", "nowhere:softmax", "no_such_package")
    monkeypatch.setattr(table, "TABLE", (row,))
    with kernels.use("native"), pytest.raises(KernelError, match=r"anysoftmax\[no_such_package\]"):
        asm.softmax(np.zeros(2))


def test_arrays_that_a_kernel_does_not_serve() -> None:
    with kernels.use("native"), pytest.raises(KernelError, match="numpy arrays, but of jax and"):
        asm.softmax(np.zeros(2))


def test_functions_that_a_kernel_does_not_compute() -> None:
    with kernels.use("native"):
        with pytest.raises(KernelError, match="no entropy: use 'reference' or 'auto'"):
            asm.entropy(np.zeros(2))
        with pytest.raises(KernelError, match=r"no summary of slices .for cross_entropy.: use"):
            asm.cross_entropy(np.zeros(2), 1)


def test_the_table_names_each_kernel_once() -> None:
    rows = [(k.name, k.operation, k.library) for k in table.TABLE]
    assert len(set(rows)) == len(rows)
    assert {k.name for k in table.TABLE} | {"auto", "reference"} == set(kernels.NAMES)


def test_a_kernel_that_breaks_when_it_is_imported(tmp_path) -> None:
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise ImportError('needs another NumPy')")
    code = (
        "import numpy as np, anysoftmax as asm\n"
        "assert (asm.softmax(np.zeros((300, 300))) == np.float64(1 / 300)).all()\n"
        "with asm.kernels.use('numba'): asm.softmax(np.zeros(2))"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "KernelError: the kernel 'numba' can't be imported: needs another NumPy" in done.stderr
