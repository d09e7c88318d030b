"""Softmax done once, right and fast, for every array library.

`softmax`, `log_softmax` and `logsumexp` take arrays of NumPy, JAX, PyTorch, Dask, CuPy or any other
library of the array API standard, and return arrays of the same library. Importing this package
imports none of them.

>>> import anysoftmax as asm
>>> asm.softmax([3.2, 1.3, 0.2]).round(3)
array([0.834, 0.125, 0.042])
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from anysoftmax import kernels
from anysoftmax.cross_entropy import cross_entropy, cross_entropy_grad
from anysoftmax.divergence import entropy, kl_divergence
from anysoftmax.errors import AxisError, KernelError
from anysoftmax.explanation import explain
from anysoftmax.gradients import log_softmax_vjp, softmax_vjp
from anysoftmax.logsumexp import logsumexp
from anysoftmax.softmax import log_softmax, softmax
from anysoftmax.threads import workers

__version__ = "0.1.0"

__all__ = [
    "AxisError",
    "KernelError",
    "cross_entropy",
    "cross_entropy_grad",
    "entropy",
    "explain",
    "kernels",
    "kl_divergence",
    "log_softmax",
    "log_softmax_vjp",
    "logsumexp",
    "softmax",
    "softmax_vjp",
    "testing",
    "workers",
]


def __getattr__(name: str) -> ModuleType:
    # It needs Hypothesis and mpmath, so that it is loaded for those only who ask for it.
    if name == "testing":
        return import_module("anysoftmax.testing")
    raise AttributeError(f"module 'anysoftmax' has no attribute {name!r}")
