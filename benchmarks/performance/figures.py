"""The figures to reach: for each a peer, the cells that it speaks of, and what they may cost.

A ratio is our time over the peer's. A figure that is no mean holds for every cell.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .cells import CUDA, FIFTY_MILLION, LARGE, MILLION

Row = dict[str, Any]  # a cell as it is stored
Limit = Callable[[Row], float]


class Figure(NamedTuple):
    """One line of the table: ratios of `ours` to `peer` on `paths`, and their limit."""

    title: str
    paths: tuple[str, ...]
    ours: str
    peer: str
    shown: str  # the limit in words
    limit: Limit
    functions: tuple[str, ...] = ("softmax", "log_softmax", "logsumexp")
    elements: tuple[int, ...] = (MILLION,)
    axes: tuple[int, ...] = (-1, 0)
    of_mean: bool = False

    def cells(self, rows: list[Row]) -> list[Row]:
        """Return the stored cells that the figure speaks of."""
        return [
            row
            for row in rows
            if row["path"] in self.paths
            and row["function"] in self.functions
            and row["elements"] in self.elements
            and row["axis"] in self.axes
            and self.peer in row["ratios"].get(self.ours, {})
        ]

    def ratio(self, row: Row) -> float:
        """Return the cell's ratio."""
        return float(row["ratios"][self.ours][self.peer])


class Verdict(NamedTuple):
    """How a figure came out: the mean, and the cell that goes furthest towards its limit."""

    figure: Figure
    mean: float
    worst: Row
    beyond: int
    cells: int

    @property
    def met(self) -> bool:
        """Whether the figure is reached."""
        if self.figure.of_mean:
            return self.mean <= self.figure.limit(self.worst)
        return self.beyond == 0


def judge(figure: Figure, rows: list[Row]) -> Verdict | None:
    """Return how a figure came out, None if nothing of it was measured."""
    cells = figure.cells(rows)
    if not cells:
        return None
    shares = [figure.ratio(row) / figure.limit(row) for row in cells]
    return Verdict(
        figure,
        mean=statistics.geometric_mean(figure.ratio(row) for row in cells),
        worst=cells[shares.index(max(shares))],
        beyond=sum(share > 1 for share in shares),
        cells=len(cells),
    )


def at_most(limit: float) -> Limit:
    """Return the same limit for every cell."""
    return lambda row: limit


def by_classes(*, few: float, ten: tuple[float, float], fifty: float, more: float) -> Limit:
    """Return limits for up to 3, 10 (float32, float64), 50 and more classes."""

    def limit(row: Row) -> float:
        if row["classes"] <= 3:
            return few
        if row["classes"] <= 10:
            return ten[row["dtype"] == "float64"]
        return fifty if row["classes"] <= 50 else more

    return limit


def over_the_floor(row: Row) -> float:
    """Return what the kernels may cost over the exponentials alone."""
    return 1.15 if row["classes"] >= 1000 else 2.5


def base_install() -> Iterator[Figure]:
    """Yield the figures of the NumPy code alone, against SciPy."""
    limits = {
        "softmax": (
            by_classes(few=0.15, ten=(0.3, 0.5), fifty=0.9, more=1.1),
            "2 classes 0.15; 10 classes 0.3 (float32), 0.5 (float64); 50 classes 0.9; more 1.1",
        ),
        "log_softmax": (
            by_classes(few=0.2, ten=(0.4, 0.65), fifty=1.05, more=1.3),
            "2 classes 0.2; 10 classes 0.4 (float32), 0.65 (float64); 50 classes 1.05; more 1.3",
        ),
        "logsumexp": (
            by_classes(few=0.1, ten=(0.25, 0.25), fifty=0.5, more=0.55),
            "2 classes 0.1; 10 classes 0.25; 50 classes 0.5; more 0.55",
        ),
    }
    for function, (limit, shown) in limits.items():
        for axis, place in ((-1, "last axis"), (0, "axis 0")):
            yield Figure(
                f"NumPy, base install: {function}, {place}",
                ("NumPy",),
                "reference",
                "scipy.special",
                shown,
                limit,
                functions=(function,),
                axes=(axis,),
            )
    for function, most in (("softmax", 0.7), ("log_softmax", 0.85), ("logsumexp", 0.4)):
        yield Figure(
            f"the same, 131 MB: {function}",
            ("NumPy",),
            "reference",
            "scipy.special",
            f"{most}",
            at_most(most),
            functions=(function,),
            elements=(LARGE,),
        )
    yield Figure(
        "the same, 131 MB: softmax with `out=`, which SciPy has not",
        ("NumPy, out= for ours alone",),
        "reference",
        "scipy.special",
        "0.6",
        at_most(0.6),
        elements=(LARGE,),
    )
    yield Figure(
        "the same, all cells",
        ("NumPy",),
        "reference",
        "scipy.special",
        "geometric mean 0.5",
        at_most(0.5),
        elements=(MILLION, LARGE),
        of_mean=True,
    )


def ten_floats() -> Iterator[Figure]:
    """Yield the figures of the smallest input."""
    for function, peer, most in (
        ("softmax", "scipy.special", 0.85),
        ("softmax", "by hand", 1.25),
        ("logsumexp", "scipy.special", 0.25),
        ("logsumexp", "by hand", 1.75),
    ):
        yield Figure(
            f"10 floats, NumPy: {function}",
            ("NumPy, ten floats",),
            "reference",
            peer,
            f"{most}",
            at_most(most),
            functions=(function,),
            elements=(10,),
        )


def kernels() -> Iterator[Figure]:
    """Yield the figures of the numba kernel and of worker threads."""
    out = ("NumPy, out=",)
    title = "NumPy, `numba` kernel, `out=`"
    mean = "geometric mean 0.5"
    yield Figure(f"{title}, all cells", out, "numba", "torch", mean, at_most(0.5), of_mean=True)
    yield Figure(f"{title}, each cell", out, "numba", "torch", "1.0", at_most(1.0))
    shown = "1.15 from 1000 classes up; 2.5 below"
    yield Figure(f"{title}, each cell", out, "numba", "np.exp", shown, over_the_floor)
    for kernel in ("reference", "numba"):
        yield Figure(
            f"NumPy, 2 workers against 1, `{kernel}`",
            ("NumPy, two workers",),
            f"{kernel}, 2 workers",
            f"{kernel}, 1 worker",
            "0.625 (1.6 times as fast)",
            at_most(1 / 1.6),
        )


def other_libraries() -> Iterator[Figure]:
    """Yield the figures against the functions of JAX and PyTorch."""
    jax = ("JAX", "JAX, gradient")
    for functions, most in ((("softmax",), 1.15), (("log_softmax", "logsumexp"), 1.6)):
        for path in jax:
            title = f"{path}, `jit`: {' and '.join(functions)}"
            yield Figure(title, (path,), "reference", "jax.nn", f"{most}", at_most(most), functions)
    yield Figure(
        "JAX, `jit`, forward and gradient, all cells",
        jax,
        "reference",
        "jax.nn",
        "geometric mean 1.4",
        at_most(1.4),
        of_mean=True,
    )
    torch = ("PyTorch", "PyTorch, gradient")
    yield Figure(
        "PyTorch eager, reference, forward and gradient, all cells",
        torch,
        "reference",
        "torch",
        "geometric mean 1.6",
        at_most(1.6),
        of_mean=True,
    )
    yield Figure(
        "PyTorch eager, lent to NumPy (`auto` without Numba), forward, all cells",
        ("PyTorch",),
        "lent to NumPy",
        "torch",
        "geometric mean 1.6",
        at_most(1.6),
        of_mean=True,
    )
    yield Figure(
        "PyTorch, `torch.compile`", ("torch.compile",), "reference", "torch", "1.2", at_most(1.2)
    )
    for path in torch:
        yield Figure(f"{path}, `numba` kernel", (path,), "numba", "torch", "1.0", at_most(1.0))


def losses() -> Iterator[Figure]:
    """Yield the figures of cross-entropy with labels, alone and with its gradient."""
    numpy, torch, jax = (f"Cross-entropy, {library}" for library in ("NumPy", "PyTorch", "JAX"))
    wanted = [
        (numpy, "reference", "scipy.special", "0.333 (3 times as fast)", 1 / 3),
        (numpy, "auto", "scipy.special", "0.333 (3 times as fast)", 1 / 3),
        *((path, "auto", "torch", "1.2", 1.2) for path in (torch, f"{torch}, gradient")),
        *((path, "auto", "jax.nn", "level: 1.05", 1.05) for path in (jax, f"{jax}, gradient")),
    ]
    for path, ours, peer, shown, most in wanted:
        yield Figure(
            f"{path}, `{ours}`",
            (path,),
            ours,
            peer,
            shown,
            at_most(most),
            functions=("cross_entropy",),
        )


def fits() -> Iterator[Figure]:
    """Yield the figures of fitting a temperature."""
    for library, peer in (
        ("NumPy", "scikit-learn"),
        ("PyTorch", "LBFGS of 50 steps"),
        ("PyTorch", "LBFGS with line search"),
    ):
        yield Figure(
            f"Temperature, {library}, `auto`",
            (f"Temperature, {library}",),
            "auto",
            peer,
            "0.333 (3 times as fast)",
            at_most(1 / 3),
            functions=("fit_temperature",),
            elements=(MILLION, FIFTY_MILLION),
        )


def cuda() -> Iterator[Figure]:
    """Yield the figures on a GPU, rows of 1000 and 128 256."""
    for path, own in (
        ("PyTorch on CUDA", "torch"),
        ("torch.compile on CUDA", "torch"),
        ("JAX on CUDA", "jax.nn"),
        ("CuPy", "cupyx"),
    ):
        for peer, most in ((own, 1.05), ("device copy", 1.15)):
            yield Figure(
                path, (path,), "reference", peer, f"{most}", at_most(most), elements=(CUDA,)
            )


FIGURES = (*base_install(), *kernels(), *other_libraries(), *losses(), *fits(), *ten_floats())
CUDA_FIGURES = tuple(cuda())

IMPORT_LIMIT = 0.3  # of `import numpy`
EXTRA_MEBIBYTES = 8  # per worker
