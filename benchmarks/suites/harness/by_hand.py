"""The recipes that people write by hand with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np


def softmax(x: Any, axis: int) -> Any:
    """Shift, exponentiate, divide."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: int) -> Any:
    """Subtract the logarithm of the sum; the winner's digits are lost."""
    z = x - np.max(x, axis=axis, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))


def logsumexp(x: Any, axis: int) -> Any:
    """Add the peak back to the logarithm of the shifted sum."""
    m = np.max(x, axis=axis, keepdims=True)
    y = m + np.log(np.sum(np.exp(x - m), axis=axis, keepdims=True))
    return np.squeeze(y, axis=axis)
