"""Ways to lay the same numbers out in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["NUMPY_LAYOUTS", "arrange"]

NumpyArray = np.ndarray[Any, Any]


def arrange(values: NumpyArray, layout: str) -> NumpyArray:
    """Return a new array that equals `values` and is laid out as named.

    Examples
    --------
    >>> import numpy as np
    >>> arrange(np.zeros((2, 3)), "negative stride").strides
    (-24, -8)
    """
    return np.asarray(NUMPY_LAYOUTS[layout](values))  # slicing makes a scalar of a 0-d array


def _contiguous(values: NumpyArray) -> NumpyArray:
    return np.array(values, order="C")


def _fortran(values: NumpyArray) -> NumpyArray:
    return np.array(values, order="F")


def _strided(values: NumpyArray) -> NumpyArray:
    """Leave a gap after every element; the gaps hold NaN, so that reading one shows."""
    every_other = (slice(None, None, 2),) * values.ndim
    buffer = np.zeros([2 * n for n in values.shape], dtype=values.dtype)
    if values.dtype.kind == "f":
        buffer.fill(np.nan)
    buffer[every_other] = values
    return buffer[every_other]


def _negative_stride(values: NumpyArray) -> NumpyArray:
    backwards = (slice(None, None, -1),) * values.ndim
    return _contiguous(values[backwards])[backwards]


def _read_only(values: NumpyArray) -> NumpyArray:
    copy = _contiguous(values)
    copy.flags.writeable = False
    return copy


def _other_byte_order(values: NumpyArray) -> NumpyArray:
    return values.astype(values.dtype.newbyteorder("S"))


def _unaligned(values: NumpyArray) -> NumpyArray:
    memory = np.zeros(values.nbytes + 1, dtype=np.uint8)
    array = memory[1:].view(values.dtype).reshape(values.shape)
    array[...] = values
    return array


NUMPY_LAYOUTS: dict[str, Callable[[NumpyArray], NumpyArray]] = {
    "C": _contiguous,
    "Fortran": _fortran,
    "strided": _strided,
    "negative stride": _negative_stride,
    "read-only": _read_only,
    "other byte order": _other_byte_order,
    "unaligned": _unaligned,
}
