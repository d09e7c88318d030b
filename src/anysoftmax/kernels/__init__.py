"""Other ways to compute the same functions, for speed: compiled kernels, the libraries' own.

`use` chooses among them. A kernel that is chosen by itself has kept every law of
`anysoftmax.testing`, as the reference has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from anysoftmax.arrays import describe
from anysoftmax.kernels.table import NAMES

__all__ = ["NAMES", "chosen", "use"]

VARIABLE = "ANYSOFTMAX_KERNEL"

_chosen: ContextVar[str | None] = ContextVar("anysoftmax.kernels", default=None)
_environment = os.environ.get(VARIABLE) or "auto"


@contextmanager
def use(name: str) -> Iterator[None]:
    """Choose who computes softmax, log-softmax and logsumexp inside a ``with`` statement.

    Parameters
    ----------
    name : {"auto", "reference", "numba", "native"}
        - ``"auto"``, the default: the fastest of those that are installed and keep every promise
          of the reference, where the logits are many enough to gain by it.
        - ``"reference"``: the one implementation that runs on every array library.
        - ``"numba"``: kernels compiled by Numba, for NumPy arrays and PyTorch tensors on the CPU;
          they need the extra ``anysoftmax[numba]`` and compile at the first use.
        - ``"native"``: PyTorch's and JAX's own functions. They do not keep all promises; the docs
          list which.

    Raises
    ------
    ValueError
        The name is none of these.

    See Also
    --------
    anysoftmax.workers : How many threads share the work on large NumPy arrays.

    Notes
    -----
    A call whose arguments the kernel asked for by name is not able to take raises
    `anysoftmax.KernelError`: there is no silent fall-back. Only inside ``torch.compile`` it is
    always the reference, of which the compiler makes a program.

    It holds in this thread and in asyncio tasks started inside; the innermost one counts. Outside
    of any `use` the environment variable ``ANYSOFTMAX_KERNEL`` counts, as it was when anysoftmax
    was imported.

    Examples
    --------
    >>> import anysoftmax as asm
    >>> with asm.kernels.use("reference"):
    ...     asm.softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    token = _chosen.set(_known(name, "kernel name"))
    try:
        yield
    finally:
        _chosen.reset(token)


def chosen() -> str:
    """Return the name that counts here and now."""
    return _chosen.get() or _default()


@cache
def _default() -> str:
    """Return the name in the environment; an unknown one is an error not before it is used."""
    return _known(_environment, f"value of the environment variable {VARIABLE}")


def _known(name: str, what: str) -> str:
    if name not in NAMES:
        raise ValueError(f"{what} is unknown: got {describe(name)}; use one of {NAMES}")
    return name
