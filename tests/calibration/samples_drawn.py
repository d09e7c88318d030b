"""Probabilities and labels that Hypothesis draws: ties, certainties and values on the edges."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from anysoftmax.testing import Backend

NumpyArray = np.ndarray[Any, Any]

PARTS = 60  # that 1 is cut into, so that edges of 1 to 6, 10, 12, 15 ... bins are among the values


class Drawn(NamedTuple):
    """Rows of probabilities, labels, and weights of which some are 0, or none at all."""

    probs: NumpyArray
    labels: NumpyArray
    weights: NumpyArray | None


@st.composite
def samples(draw: st.DrawFn, backend: Backend, classes: int | None = None) -> Drawn:
    """Draw samples, at least one of which counts; of one shape where each costs a compilation."""
    compiled, dtype = backend.library == "jax", backend.default_dtype
    n = draw(st.integers(1, 4)) if classes is None and not compiled else classes or 3
    count = 6 if compiled else draw(st.integers(1, 8))
    cuts = [
        sorted(draw(st.lists(st.integers(0, PARTS), min_size=n - 1, max_size=n - 1)))
        for _ in range(count)
    ]
    rows = [np.diff([0, *row, PARTS]) for row in cuts]
    probs = (np.asarray(rows) / PARTS).astype(dtype)
    labels = draw(st.lists(st.integers(0, n - 1), min_size=count, max_size=count))
    weights = None
    if draw(st.booleans()):
        quarters = st.lists(st.integers(0, 8), min_size=count, max_size=count).filter(any)
        weights = (np.asarray(draw(quarters)) / 4).astype(dtype)
    return Drawn(probs, np.asarray(labels, dtype=np.int32), weights)


def given_weights(drawn: Drawn) -> dict[str, Any]:
    """Return the weights as an option."""
    return {} if drawn.weights is None else {"sample_weights": drawn.weights}


def spoilt(drawn: Drawn) -> Drawn:
    """Put nonsense where the weight is 0."""
    if drawn.weights is None:
        return drawn
    out = drawn.weights == 0
    probs, labels = drawn.probs.copy(), drawn.labels.copy()
    probs[out], labels[out] = np.nan, -100
    return Drawn(probs, labels, drawn.weights)
