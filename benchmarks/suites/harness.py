"""The bench that every suite stands on: backends, peers, sample logits, and a paired stopwatch.

A suite never imports an array library itself. It asks for a backend by name, in ``setup``; a
library that is not installed raises NotImplementedError there, which asv shows as "n/a".

Parameter lists are only ever appended to: asv knows a stored figure by its place in them.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

FUNCTIONS = ["softmax", "log_softmax", "logsumexp"]
BACKENDS = ["numpy", "torch", "jax", "jax-jit"]
COMPILED_BACKENDS = ["numpy", "torch", "jax-jit"]  # as each library is used where speed matters
IMPLEMENTATIONS = ["anysoftmax", "peer"]


@dataclass(frozen=True)
class Backend:
    """One array library, seen from a stopwatch."""

    name: str
    asarray: Callable[[np.ndarray[Any, Any]], Any]
    wait: Callable[[Any], Any]  # returns when the array's values are there
    compile: Callable[[Callable[..., Any]], Callable[..., Any]]
    peers: ModuleType  # where the library's own functions of the same names are

    def function(
        self, implementation: str, name: str, axis: int, **options: Any
    ) -> Callable[[Any], Any]:
        """Return one function of one array that comes back when its result is computed."""
        if implementation == "anysoftmax":
            chosen = partial(getattr(require("anysoftmax"), name), axis=axis, **options)
        elif self.peers.__name__ == "torch":
            chosen = partial(getattr(self.peers, name), dim=axis)
        else:
            chosen = partial(getattr(self.peers, name), axis=axis)
        compiled, wait = self.compile(chosen), self.wait
        return lambda x: wait(compiled(x))


def require(module: str) -> ModuleType:
    """Import a module, or have asv skip the benchmark."""
    try:
        return import_module(module)
    except ImportError as error:
        raise NotImplementedError(str(error)) from error


def backend(name: str) -> Backend:
    """Return a backend by its name, its library imported and kept to one core."""
    stay_on_one_core()
    if name == "numpy":
        return Backend(name, _unchanged, _unchanged, _unchanged, require("scipy.special"))
    if name == "torch":
        torch = require("torch")
        torch.set_num_threads(1)
        return Backend(name, torch.from_numpy, _unchanged, _unchanged, torch)
    if name in ("jax", "jax-jit"):
        jax = require("jax")
        jax.config.update("jax_enable_x64", True)
        compiler = jax.jit if name == "jax-jit" else _unchanged
        return Backend(name, jax.numpy.asarray, jax.block_until_ready, compiler, require("jax.nn"))
    message = f"unknown backend {name!r}: choose one of {', '.join(BACKENDS)}"
    raise ValueError(message)


def stay_on_one_core() -> None:
    """Give all libraries the same one core: threads would measure how busy the machine is."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def logits(shape: tuple[int, ...], dtype: str, *, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return logits as a trained classifier gives them: normal, a few units wide."""
    rng = require("numpy").random.default_rng(seed)
    # Nothing larger than the logits is made on the way: a peak here would hide one measured later.
    x = rng.standard_normal(shape, "float64" if dtype == "float64" else "float32")
    x *= 3.0
    return x.astype(dtype, copy=False)


def slices(classes: int, axis: int, dtype: str, *, elements: int = 1_000_000) -> Any:
    """Return about `elements` logits as slices of `classes`, laid along the first or last axis."""
    count = max(1, elements // classes)
    return logits((classes, count) if axis == 0 else (count, classes), dtype)


def ratio(ours: Callable[[], Any], peer: Callable[[], Any], *, rounds: int = 21) -> float:
    """Return time over time as the median of pairs measured one right after the other.

    Whatever slows the machine slows both halves of a pair; the median drops the pairs it split.
    """
    calls = {run: calls_per_turn(run) for run in (ours, peer)}
    pairs = []
    for turn in range(rounds):
        first, second = (ours, peer) if turn % 2 == 0 else (peer, ours)
        seconds = {run: seconds_per_call(run, calls[run]) for run in (first, second)}
        pairs.append(seconds[ours] / seconds[peer])
    return statistics.median(pairs)


def calls_per_turn(run: Callable[[], Any], *, turn_seconds: float = 0.01) -> int:
    """Return how many calls fill a turn long enough for the clock."""
    run()  # the first call compiles and fills caches
    return max(1, round(turn_seconds / max(seconds_per_call(run, 3), 1e-9)))


def seconds_per_call(run: Callable[[], Any], calls: int) -> float:
    """Return the mean time of one of `calls` calls in a row.

    It is the processor's time: on one core, that is the time a quiet machine would take.
    """
    start = time.process_time()
    for _ in range(calls):
        run()
    return (time.process_time() - start) / calls


def _unchanged(x: Any) -> Any:
    return x
