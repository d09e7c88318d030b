"""Kernels where PyTorch records what is done: their values, and derivatives by formulas of ours."""

from __future__ import annotations

import sys
from collections.abc import Callable

from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array
from anysoftmax.differentiation import with_pull_back
from anysoftmax.errors import KernelError
from anysoftmax.operations import LOG_SOFTMAX, LOGSUMEXP, SOFTMAX, Computation

PARTS = ("logits", "where", "temperature", "weights", "labels", "cotangent")


def compute(
    operation: Computation,
    a: Admitted,
    out: Array | None,
    values: Callable[[Admitted, Array | None], Array],
    pull_back: Callable[[Admitted, Array, Array], Array | None],
) -> Array:
    """Compute values of tensors, whose derivative by the logits `pull_back` makes.

    `values` takes the arguments and memory to be used; what is recorded uses none but its own.
    `pull_back` takes the arguments, the values and their cotangent, and may leave the derivative to
    the steps of the reference.
    """
    torch = sys.modules["torch"]
    recorded = [
        name
        for name in PARTS
        if (x := getattr(a, name)) is not None and x.requires_grad and torch.is_grad_enabled()
    ]
    if not recorded:
        return values(a, out)
    if recorded != ["logits"] or operation not in {SOFTMAX, LOG_SOFTMAX, LOGSUMEXP}:
        raise KernelError(
            f"kernels have no derivative of {operation.name} by {' and '.join(recorded)}:"
            " use the reference"
        )
    if not a.logits.dtype == a.work == a.dtype:
        raise KernelError(
            "kernels have derivatives of float32 and float64 at the default precision only, not of"
            f" {a.logits.dtype} computed in {a.work}: use the reference"
        )
    bare = a._replace(logits=None, where=None, temperature=None)

    def whole(x: Array, where: Array | None, temperature: Array | None) -> Admitted:
        return bare._replace(logits=x, where=where, temperature=temperature)

    return with_pull_back(
        a.logits,
        (a.where, a.temperature),
        lambda *given: values(whole(*given), None),
        lambda y, g, *given: pull_back(whole(*given), y, g),
        lambda *given: operation(whole(*given)),
    )
