"""What logits are compared with: labels or probabilities, and what each comparison weighs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.strategies.case import Case
from anysoftmax.testing.strategies.families import list_of

__all__ = ["with_second_logits", "with_targets"]

NumpyArray = np.ndarray[Any, Any]

SMOOTHINGS = (0.0, 0.1, 0.25, 1.0)  # 0.1 is a number that every dtype must round
REDUCTIONS = ("mean", "sum", "none")


@st.composite
def with_targets(
    draw: st.DrawFn,
    cases: st.SearchStrategy[Case],
    backend: Backend,
    *,
    kinds: Sequence[str] = ("labels", "probabilities"),
    smoothings: Sequence[float] = SMOOTHINGS,
    reductions: Sequence[str] = REDUCTIONS,
    least_weight: float = 0.0,
    strays: bool = True,
) -> Case:
    """Draw arguments for cross-entropy, with and without each of its options.

    Parameters
    ----------
    cases : strategy
        For the logits.
    backend : Backend
        Says which integer dtypes there are.
    kinds, smoothings, reductions : sequences
        To choose from.
    least_weight : float
        The least that a weight of a class or sample may be.
    strays : bool
        Whether targets may name classes that take no part, and probabilities be negative: then
        losses may be infinite.
    """
    case = draw(cases)
    sensible = not strays or draw(st.booleans())
    if sensible and case.where is not None:
        # Where no class takes part, each target is masked.
        alive = case.by_slice(_inside(case)).any(axis=1, keepdims=True)
        case = case.but(where=case.of_slices(case.by_slice(case.taking_part) | ~alive))
    kind = draw(st.sampled_from(kinds)) if math.prod(case.classes) else "probabilities"
    drawing = _labels if kind == "labels" else _probabilities
    second = drawing(draw, case, backend, sensible=sensible)
    weights = st.integers(math.ceil(4 * least_weight), 8).map(lambda step: step / 4)
    class_weights = sample_weights = None
    if draw(st.booleans()):
        class_weights = _array(draw, weights, case.classes)
    if draw(st.booleans()):
        shapes = [case.slices, (1,) * len(case.slices), ()]
        sample_weights = _array(draw, weights, draw(st.sampled_from(shapes)))
    return case.but(
        second=second,
        class_weights=class_weights,
        sample_weights=sample_weights,
        label_smoothing=draw(st.sampled_from(smoothings)),
        reduction=draw(st.sampled_from(reductions)),
    )


def _labels(draw: st.DrawFn, case: Case, backend: Backend, *, sensible: bool) -> NumpyArray:
    """Draw a class for each slice, one that takes part if there is one."""
    labels = []
    for inside in case.by_slice(_inside(case)):
        classes = np.flatnonzero(inside) if sensible and inside.any() else range(len(inside))
        labels.append(draw(st.sampled_from([int(i) for i in classes])))
    dtype: np.dtype[Any] = np.dtype(draw(st.sampled_from(backend.integers)))
    return np.asarray(labels, dtype=dtype).reshape(case.slices)


def _probabilities(draw: st.DrawFn, case: Case, backend: Backend, *, sensible: bool) -> NumpyArray:
    """Draw eighths, which need not sum to 1; nothing where no class takes part, if sensible."""
    eighths = st.integers(0 if sensible else -2, 8).map(lambda step: step / 8)
    drawn = _array(draw, eighths, case.values.shape)
    return np.where(_inside(case), drawn, 0.0) if sensible else drawn


def _inside(case: Case) -> NumpyArray:
    inside: NumpyArray = case.taking_part & (case.values != -np.inf)
    return inside


def _array(
    draw: st.DrawFn, elements: st.SearchStrategy[float], shape: tuple[int, ...]
) -> NumpyArray:
    return np.asarray(draw(list_of(elements, math.prod(shape))), dtype=np.float64).reshape(shape)


@st.composite
def with_second_logits(
    draw: st.DrawFn, cases: st.SearchStrategy[Case], *, nearest: bool = True
) -> Case:
    """Draw arguments for the divergence: the logits of q are others, or neighbours of those of p.

    Parameters
    ----------
    cases : strategy
        For the logits of p.
    nearest : bool
        Whether they may be neighbours, or the same.
    """
    case = draw(cases)
    if nearest and draw(st.booleans()):
        steps = _array(draw, st.integers(-2, 2).map(float), case.values.shape)
        finite = np.where(np.isfinite(case.values), case.values, 0)
        ulps = np.asarray([float(case.format.ulp(x)) for x in finite.ravel().tolist()])
        with np.errstate(over="ignore"):
            moved = case.format.round(
                case.values.astype(np.float64) + steps * ulps.reshape(finite.shape)
            )
        return case.but(second=np.where(np.isfinite(moved), moved, case.values))
    table = case.by_slice(case.values)
    order = draw(st.permutations(range(table.shape[1])))
    return case.but(second=case.of_slices(table[:, list(order)]))
