"""Logits to measure with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    NumpyArray = np.ndarray[Any, Any]


def logits(shape: tuple[int, ...], dtype: str, *, seed: int = 0) -> NumpyArray:
    """Return logits as a trained classifier gives them: normal, a few units wide."""
    rng = np.random.default_rng(seed)
    # Nothing larger than the logits is made on the way: a peak here would hide one measured later.
    x = rng.standard_normal(shape, "float64" if dtype == "float64" else "float32")
    x *= 3.0
    return x.astype(dtype, copy=False)


def slices(classes: int, axis: int, dtype: str, *, elements: int = 1_000_000) -> NumpyArray:
    """Return about `elements` logits as slices of `classes`, laid along the first or last axis."""
    count = max(1, elements // classes)
    return logits((classes, count) if axis == 0 else (count, classes), dtype)


def labels(count: int, classes: int, *, seed: int = 1) -> NumpyArray:
    """Return labels of as many slices, each class as likely as another."""
    return np.random.default_rng(seed).integers(classes, size=count)
