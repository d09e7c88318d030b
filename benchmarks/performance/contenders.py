"""Who takes turns on each path: ours, and the peers that each of ours is compared with."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from suites import harness
from suites.harness.stopwatch import Clock, Run

from .cells import MILLION, Cell

KERNELS = ("reference", "numba")


class Contenders(NamedTuple):
    """Calls without arguments, by the names that the page shows, and the clock for them."""

    ours: dict[str, Run]
    peers: dict[str, Run]
    clock: Clock = harness.processor_clock


def contenders(cell: Cell) -> Contenders:
    """Return who takes turns in a cell; NotImplementedError if a library is not there."""
    return PATHS[cell.path](cell)


def numpy_allocating(cell: Cell) -> Contenders:
    """Every contender allocates its result, as SciPy has no out=."""
    x = logits(cell)
    library = harness.backend("numpy")
    return Contenders(
        kernels(("numpy", "numpy-numba"), cell, x),
        {
            "scipy.special": partial(library.function("peer", cell.function, cell.axis), x),
            "by hand": partial(library.function("by hand", cell.function, cell.axis), x),
        },
    )


def numpy_into_outputs(cell: Cell) -> Contenders:
    """Every contender writes into an array at hand; logsumexp's result is small enough to make."""
    x = logits(cell)
    out = np.ones_like(x)
    place = {} if cell.function == "logsumexp" else {"out": out}
    torch = harness.backend("torch")
    theirs = {name: torch.asarray(array) for name, array in place.items()}
    own = torch.function("peer", cell.function, cell.axis, **theirs)
    return Contenders(
        kernels(("numpy", "numpy-numba"), cell, x, **place),
        {"torch": partial(own, torch.asarray(x)), "np.exp": lambda: np.exp(x, out=out)},
    )


def numpy_into_ours_alone(cell: Cell) -> Contenders:
    """SciPy can't be given an output, so this one is not on equal terms."""
    x = logits(cell)
    peer = harness.backend("numpy").function("peer", cell.function, cell.axis)
    return Contenders(
        kernels(("numpy", "numpy-numba"), cell, x, out=np.ones_like(x)),
        {"scipy.special": partial(peer, x)},
    )


def ten_floats(cell: Cell) -> Contenders:
    """Return ours as it comes, without a choice of kernel, which would cost as much again."""
    x = logits(cell)
    library = harness.backend("numpy", automatic=True)
    call = partial(library.function, name=cell.function, axis=cell.axis)
    return Contenders(
        {"reference": partial(call("anysoftmax"), x)},
        {"scipy.special": partial(call("peer"), x), "by hand": partial(call("by hand"), x)},
    )


def two_workers(cell: Cell) -> Contenders:
    """Two threads against one of the same kernel, by the wall clock, on all cores."""
    harness.workers(2)
    x = logits(cell)
    runs = kernels(("numpy", "numpy-numba"), cell, x)
    harness.use_all_cores()
    return Contenders(
        {f"{name}, 2 workers": threaded(run, 2) for name, run in runs.items()},
        {f"{name}, 1 worker": run for name, run in runs.items()},
        harness.wall_clock,
    )


def library(name: str, numba: str | None, peer: str, cell: Cell) -> Contenders:
    """Return ours and the library's own functions of the same name."""
    backend = harness.backend(name)
    x = backend.asarray(logits(cell))
    own = backend.function("peer", cell.function, cell.axis)
    return Contenders(
        kernels((name, numba) if numba else (name,), cell, x), {peer: partial(own, x)}
    )


def torch_forward(cell: Cell) -> Contenders:
    """Return ours on PyTorch, also as "auto" has it without Numba: lent to NumPy."""
    ours, peers, clock = library("torch", "torch-numba", "torch", cell)
    lent = harness.require("anysoftmax.kernels.lent").compute
    operation = getattr(harness.require("anysoftmax.operations"), cell.function.upper())
    admit = harness.require("anysoftmax.admission").admit
    x = harness.backend("torch").asarray(logits(cell))
    ours["lent to NumPy"] = lambda: lent(operation, admit(x, axis=cell.axis), None)
    return Contenders(ours, peers, clock)


def compiled(cell: Cell) -> Contenders:
    """Return ours and PyTorch's own, each compiled."""
    # The compiler counts programs of the same source line and gives up at the eighth.
    harness.require("torch")._dynamo.reset()  # noqa: SLF001
    return library("torch-compile", None, "torch", cell)


def cross_entropy(library: str, part: str, cell: Cell) -> Contenders:
    """Return the mean loss of logits and labels by each of our kernels, and by each peer."""
    asarray = harness.backend(library, automatic=True).asarray
    x = logits(cell)
    given = asarray(x), asarray(harness.labels(len(x), cell.classes))
    contests = [c for c in harness.CONTESTS.values() if c.library == library]
    ours = {c.kernel or "auto": partial(_loss(c, part), *given) for c in contests}
    peers = {c.peer: partial(harness.loss(c.peer, library, part), *given) for c in contests}
    for run in ours.values():
        run()
    return Contenders(ours, peers)


def _loss(contest: harness.Contest, part: str) -> Callable[..., Any]:
    return harness.loss("anysoftmax", contest.library, part, kernel=contest.kernel)


def temperature(library: str, cell: Cell) -> Contenders:
    """Return the fit of a temperature by each of our kernels, and by each peer."""
    asarray = harness.backend(library, automatic=True).asarray
    samples = harness.labelled(cell.elements // cell.classes, cell.classes, cell.dtype)
    given = [asarray(x) for x in samples]
    peers = ["scikit-learn"] if library == "numpy" else ["LBFGS with line search"]
    if library == "torch" and cell.elements == MILLION:  # of more it takes half a minute
        peers.append("LBFGS of 50 steps")
    fit = harness.fit("anysoftmax")
    ours = {
        name or "auto": partial(harness.under(name, fit), *given) for name in (None, "reference")
    }
    return Contenders(ours, {name: partial(harness.fit(name), *given) for name in peers})


def on_cuda(name: str, peer: str, cell: Cell) -> Contenders:
    """Return ours, the library's own, and x -> -x, which reads and writes as a device copy does."""
    if "compile" in name:
        harness.require("torch")._dynamo.reset()  # noqa: SLF001
    backend = harness.backend(name)
    x = backend.asarray(logits(cell))
    ours, own = (
        partial(backend.function(who, cell.function, cell.axis), x)
        for who in ("anysoftmax", "peer")
    )
    negative = backend.compile(lambda x: -x, cell.axis)
    return Contenders(
        {"reference": ours},
        {peer: own, "device copy": lambda: backend.wait(negative(x))},
        harness.wall_clock,
    )


PATHS: dict[str, Callable[[Cell], Contenders]] = {
    "NumPy": numpy_allocating,
    "NumPy, out=": numpy_into_outputs,
    "NumPy, out= for ours alone": numpy_into_ours_alone,
    "NumPy, ten floats": ten_floats,
    "NumPy, two workers": two_workers,
    "PyTorch": torch_forward,
    "PyTorch, gradient": partial(library, "torch-grad", "torch-numba-grad", "torch"),
    "torch.compile": compiled,
    "JAX": partial(library, "jax-jit", None, "jax.nn"),
    "JAX, gradient": partial(library, "jax-jit-grad", None, "jax.nn"),
    "Cross-entropy, NumPy": partial(cross_entropy, "numpy", "value"),
    "Cross-entropy, NumPy, gradient": partial(cross_entropy, "numpy", "gradient"),
    "Cross-entropy, PyTorch": partial(cross_entropy, "torch", "value"),
    "Cross-entropy, PyTorch, gradient": partial(cross_entropy, "torch", "gradient"),
    "Cross-entropy, JAX": partial(cross_entropy, "jax-jit", "value"),
    "Cross-entropy, JAX, gradient": partial(cross_entropy, "jax-jit", "gradient"),
    "Temperature, NumPy": partial(temperature, "numpy"),
    "Temperature, PyTorch": partial(temperature, "torch"),
    "PyTorch on CUDA": partial(on_cuda, "torch-cuda", "torch"),
    "torch.compile on CUDA": partial(on_cuda, "torch-cuda-compile", "torch"),
    "JAX on CUDA": partial(on_cuda, "jax-cuda-jit", "jax.nn"),
    "CuPy": partial(on_cuda, "cupy", "cupyx"),
}


def logits(cell: Cell) -> Any:
    """Return the cell's logits as a NumPy array."""
    return harness.slices(cell.classes, cell.axis, cell.dtype, elements=cell.elements)


def kernels(names: Iterable[str], cell: Cell, x: Any, **options: Any) -> dict[str, Run]:
    """Return our function by each kernel that there is."""
    runs: dict[str, Run] = {}
    for kernel, name in zip(KERNELS, names, strict=False):
        try:
            function = harness.backend(name).function(
                "anysoftmax", cell.function, cell.axis, **options
            )
            function(x)
        except NotImplementedError:  # not installed, not yet written, or not able
            continue
        runs[kernel] = partial(function, x)
    return runs


def threaded(run: Run, n: int) -> Run:
    """Return the call as `n` workers do it, who stay at hand from call to call."""
    context = copy_context()
    workers = harness.workers(n)
    context.run(workers.__enter__)
    atexit.register(context.run, workers.__exit__, None, None, None)
    return partial(context.run, run)
