"""Softmax done once, right and fast, for every array library.

`softmax`, `log_softmax` and `logsumexp`, the losses and entropies made of them and their
derivatives take arrays of NumPy, JAX, PyTorch, Dask, CuPy or any other library of the array API
standard, and return arrays of the same library. Importing this package imports none of them.

>>> import anysoftmax as asm
>>> asm.softmax([3.2, 1.3, 0.2]).round(3)
array([0.834, 0.125, 0.042])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from anysoftmax import kernels
from anysoftmax.errors import AxisError, KernelError
from anysoftmax.logsumexp import logsumexp
from anysoftmax.softmax import log_softmax, softmax
from anysoftmax.threads import workers

if TYPE_CHECKING:
    from anysoftmax import calibration, distributed
    from anysoftmax.divergence import entropy, kl_divergence
    from anysoftmax.explanation import explain
    from anysoftmax.gradients import log_softmax_vjp, softmax_vjp
    from anysoftmax.pitfalls import check_logits
    from anysoftmax.streaming import LogSumExp
    from anysoftmax.training import cross_entropy, cross_entropy_grad

__version__ = "0.1.0"

__all__ = [
    "AxisError",
    "KernelError",
    "LogSumExp",
    "calibration",
    "check_logits",
    "cross_entropy",
    "cross_entropy_grad",
    "distributed",
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

# Where to find what is loaded for those only who ask for it, so that importing stays cheap.
_LATER = {
    "LogSumExp": "streaming",
    "check_logits": "pitfalls",
    "cross_entropy": "training",
    "cross_entropy_grad": "training",
    "entropy": "divergence",
    "explain": "explanation",
    "kl_divergence": "divergence",
    "log_softmax_vjp": "gradients",
    "softmax_vjp": "gradients",
}


def __getattr__(name: str) -> Any:
    if name in {"calibration", "distributed", "testing"}:
        return import_module(f"anysoftmax.{name}")
    if name not in _LATER:
        raise AttributeError(f"module 'anysoftmax' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"anysoftmax.{_LATER[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
