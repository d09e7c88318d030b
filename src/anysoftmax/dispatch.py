"""Who computes an operation: a kernel, or the reference: in blocks, in chunks, or all at once."""

from __future__ import annotations

import math

from anysoftmax import blocks, chunks, kernels
from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, as_array, is_compiling, is_dask, is_numpy, namespace_name
from anysoftmax.devices import is_cut
from anysoftmax.errors import KernelError
from anysoftmax.kernels import table
from anysoftmax.operations import Computation, PullBack
from anysoftmax.summation import sum_along


def compute(operation: Computation, a: Admitted, out: Array | None = None) -> Array:
    """Compute an operation, in `out` if it is given; reduced axes stay as length 1."""
    place = None if a.lone else out  # which has one axis less then
    if 0 in a.logits.shape:
        result = _of_nothing(operation, a)
    else:
        result = _by_kernel(operation, a, place)
        if result is None:
            result = _by_reference(operation, a, place)
    if a.lone and not operation.reduces:
        result = a.xp.squeeze(result, axis=-1)
    if out is not None and out is not result:
        out[...] = result
        return out
    return result if result.ndim else as_array(result)


def _of_nothing(operation: Computation, a: Admitted) -> Array:
    result = a.xp.astype(a.logits, a.dtype)
    if isinstance(operation, PullBack) or not operation.reduces:
        return result
    # The maximum of nothing is an error in every library; the sum of nothing is 0.
    nothing = sum_along(a.xp, result, a.axes)
    return a.xp.concat([nothing + value for value in operation.of_nothing], axis=a.axes[0])


def _by_kernel(operation: Computation, a: Admitted, out: Array | None) -> Array | None:
    """Return the result of the kernel that is asked for, or of one that gains, or None."""
    if not is_numpy(a.logits) and is_compiling(a.logits):
        return None  # torch.compile makes a program of its own, and can't trace who is chosen
    name = kernels.chosen()
    if name == "reference" or not a.axes:  # elements whose slices are known have no kernels
        return None
    if is_cut(a.axes):
        if name == "auto":
            return None
        raise KernelError(
            f"the kernel {name!r} takes no slices that are cut among devices: use 'reference' or"
            " 'auto'"
        )
    if name != "auto":
        return table.named(name, operation.name, namespace_name(a.xp)).load()(operation, a, out)
    for kernel in table.automatic(operation.name, a.xp):
        if math.prod(a.logits.shape) >= kernel.automatic_from:
            try:
                return kernel.load()(operation, a, out)
            except KernelError:  # not able to take these arguments
                continue
    return None


def _by_reference(operation: Computation, a: Admitted, out: Array | None) -> Array:
    if is_numpy(a.logits):
        return blocks.run(operation, a, out)
    if is_dask(a.logits):
        return chunks.run(operation, a, compute)
    return operation(a)
