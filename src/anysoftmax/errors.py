"""What a caller can meet besides Python's own ``TypeError`` and ``ValueError``."""

from __future__ import annotations

__all__ = ["AxisError", "KernelError"]


class AxisError(ValueError, IndexError):
    """An axis that the array does not have.

    It is a `ValueError` and an `IndexError`, as NumPy's own is, so that code which catches
    either keeps working whatever array library is behind it.

    Examples
    --------
    >>> import anysoftmax as asm
    >>> asm.softmax([1.0, 2.0], axis=1)
    Traceback (most recent call last):
        ...
    anysoftmax.errors.AxisError: axis 1 is out of range for an array of shape (2,): use -1 to 0
    """


class KernelError(RuntimeError):
    r"""A kernel asked for by name is not installed, or not able to take these arguments.

    Examples
    --------
    >>> import anysoftmax as asm
    >>> with asm.kernels.use("native"):
    ...     asm.softmax([1.0, 2.0])
    Traceback (most recent call last):
        ...
    anysoftmax.errors.KernelError: the kernel 'native' computes no softmax of numpy arrays...
    """
