"""The grid: which paths are measured, on which shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from suites import harness

MILLION = 1_000_000
LARGE = 32_768_000  # 131 MB of float32: 32768 rows of 1000
FIFTY_MILLION = 50_000_000  # 200 MB: 50 000 rows of 1000
CUDA = 131_072_000  # 524 MB: a pass takes a GPU long enough for the clock

CLASSES = tuple(sorted(harness.CLASSES))
COMPILED_CLASSES = (10, 1000, 128_256)  # torch.compile takes seconds for each program
WORKERS_CLASSES = (10, 1000)
LOSS_CLASSES = (10, 1000, 128_256)
LOSS_LIBRARIES = ("NumPy", "PyTorch", "JAX")
FIT_LIBRARIES = ("NumPy", "PyTorch")

QUICK = {(10, "float32", -1), (1000, "float64", 0), (1000, "float64", -1)}


class Cell(NamedTuple):
    """A path, that is a library and a way of calling ours and its own, and what it is given."""

    path: str
    function: str
    dtype: str
    classes: int
    axis: int
    elements: int = MILLION


def grid() -> Iterator[Cell]:
    """Yield every cell of the page."""
    for path in ("NumPy", "NumPy, out=", "PyTorch", "PyTorch, gradient", "JAX", "JAX, gradient"):
        yield from shapes(path, CLASSES)
    yield from shapes("torch.compile", COMPILED_CLASSES)
    for function in harness.FUNCTIONS:
        yield Cell("NumPy", function, "float32", 1000, -1, LARGE)
    yield Cell("NumPy, out= for ours alone", "softmax", "float32", 1000, -1, LARGE)
    for function in harness.FUNCTIONS:
        yield Cell("NumPy, ten floats", function, "float64", 10, -1, elements=10)
    for library in LOSS_LIBRARIES:
        for part in ("", ", gradient"):
            path = f"Cross-entropy, {library}{part}"
            yield from shapes(path, LOSS_CLASSES, axes=(-1,), functions=("cross_entropy",))
    for library in FIT_LIBRARIES:
        for classes, elements in ((100, MILLION), (1000, FIFTY_MILLION)):
            path = f"Temperature, {library}"
            yield Cell(path, "fit_temperature", "float32", classes, -1, elements)
    # Last, for it sets the process free of its one core.
    yield from shapes("NumPy, two workers", WORKERS_CLASSES, axes=(-1,))


def few_cells() -> Iterator[Cell]:
    """Yield some cells of every path, to try the measurement out."""
    for cell in grid():
        quick = (cell.classes, cell.dtype, cell.axis) in QUICK or cell.function == "fit_temperature"
        if cell.elements in {10, LARGE} or (cell.elements == MILLION and quick):
            yield cell


def cuda_grid() -> Iterator[Cell]:
    """Yield the cells of the page's part on GPUs."""
    for path in ("PyTorch on CUDA", "torch.compile on CUDA", "JAX on CUDA", "CuPy"):
        for function in ("softmax", "log_softmax"):
            for classes in (1000, 128_256):
                yield Cell(path, function, "float32", classes, -1, CUDA)


def shapes(
    path: str,
    classes: Iterable[int],
    *,
    axes: Iterable[int] = (-1, 0),
    functions: Iterable[str] = harness.FUNCTIONS,
) -> Iterator[Cell]:
    """Yield a path's cells of a million elements."""
    for function in functions:
        for dtype in ("float32", "float64"):
            for axis in axes:
                for n in classes:
                    yield Cell(path, function, dtype, n, axis)
