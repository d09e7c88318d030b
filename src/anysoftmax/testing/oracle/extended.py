"""References for a million classes: the formulas in NumPy's long double.

On x86 a long double has 64 bits of significand, so that what is returned here is right to
2**-11 (1 + distance) units of float64's roundoff: 0.01 ulp for everyday logits, and a
negligible part of a bound that itself grows with the distance. `exact` is the judge; a test
holds the two against each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["AVAILABLE", "log_softmax", "logsumexp", "softmax"]

NumpyArray = np.ndarray[Any, Any]

# Where long double is float64 under another name (Windows, Apple silicon) it proves nothing.
AVAILABLE = bool(np.finfo(np.longdouble).eps < np.finfo(np.float64).eps / 1000)


def softmax(x: NumpyArray, *, axis: int = -1) -> NumpyArray:
    """Return the softmax of finite `x` in long double.

    Examples
    --------
    >>> import numpy as np
    >>> bool(softmax(np.zeros(4))[0] == 0.25)
    True
    """
    _, exponentials, rest = _fold(x, axis)
    probabilities: NumpyArray = exponentials / (1 + rest)
    return probabilities


def log_softmax(x: NumpyArray, *, axis: int = -1) -> NumpyArray:
    """Return the log-softmax of finite `x` in long double.

    Examples
    --------
    >>> import numpy as np
    >>> float(log_softmax(np.asarray([700.0, 0.0]))[0])
    -9.85967654375977e-305
    """
    z, _, rest = _fold(x, axis)
    return z - np.log1p(rest)


def logsumexp(x: NumpyArray, *, axis: int = -1) -> NumpyArray:
    """Return the logsumexp of finite `x` in long double.

    Examples
    --------
    >>> import numpy as np
    >>> float(logsumexp(np.asarray([0.0, -40.0])))
    4.248354255291589e-18
    """
    _, _, rest = _fold(x, axis)
    peak = np.max(x, axis=axis, keepdims=True).astype(np.longdouble)
    total: NumpyArray = np.squeeze(peak + np.log1p(rest), axis=axis)
    return total


def _fold(x: NumpyArray, axis: int) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
    """Return z = x - m, its exponentials, and their sum without one winner."""
    z = x.astype(np.longdouble) - np.max(x, axis=axis, keepdims=True)
    exponentials = np.exp(z)
    others = exponentials.copy()
    winner = np.expand_dims(np.argmax(z, axis=axis), axis)
    np.put_along_axis(others, winner, 0, axis)
    # NumPy sums pairwise only along a contiguous axis.
    contiguous = np.ascontiguousarray(np.moveaxis(others, axis, -1))
    return z, exponentials, np.expand_dims(np.sum(contiguous, axis=-1), axis)
