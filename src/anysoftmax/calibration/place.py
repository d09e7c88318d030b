"""Which sample an error is about."""

from __future__ import annotations

import numpy as np

from anysoftmax.arrays import Array, array_namespace

__all__ = ["first_sample", "name_of"]


def first_sample(marks: Array, axis: int) -> tuple[int, ...]:
    """Return the index of the first sample that is marked, without the axis of the classes."""
    xp = array_namespace(marks)
    place = int(xp.argmax(xp.reshape(xp.astype(marks, xp.int8), (-1,))))
    shape = [n for i, n in enumerate(marks.shape) if i != axis]
    return tuple(int(i) for i in np.unravel_index(place, shape))


def name_of(index: tuple[int, ...]) -> str:
    """Return what a message calls a sample; one that is alone has no number."""
    if not index:
        return "the sample"
    return f"sample {index if len(index) > 1 else index[0]}"
