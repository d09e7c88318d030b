"""Whole arguments: slices of families put together, with masks, temperatures and weights.

Shapes come from a short list. A compiler that sees a new shape compiles again, and the bugs of a
softmax hide in values, axes and edges rather than in the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.formats import FORMATS, Format
from anysoftmax.testing.oracle.exact import Axis, axis_numbers
from anysoftmax.testing.strategies.case import Case
from anysoftmax.testing.strategies.families import NORMALISABLE, list_of, numbers, rows

__all__ = ["FEW_SHAPES", "SHAPES", "cases", "examples", "integer_logits"]

NumpyArray = np.ndarray[Any, Any]

# Shapes and the axis to normalise along: 0-d, one element, length-1 and empty axes included.
SHAPES: tuple[tuple[tuple[int, ...], Axis], ...] = (
    ((3, 5), -1),
    ((5, 3), 0),
    ((2, 3, 4), 1),
    ((2, 3, 2), (0, 2)),
    ((2, 3), None),
    ((7,), 0),
    ((1, 17), -1),
    ((1,), -1),
    ((4, 1), 1),
    ((), -1),
    ((0, 3), -1),
    ((3, 0), -1),
)
FEW_SHAPES = SHAPES[:2]


def examples(
    backend: Backend, *strategies: st.SearchStrategy[Any], **named: st.SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Run a test on as many examples as the profile says and the backend can afford."""
    profile = settings()
    number = max(1, profile.max_examples // backend.cost)

    def decorate(test: Callable[..., None]) -> Callable[[], None]:
        return settings(profile, max_examples=number, deadline=None)(
            given(*strategies, **named)(test)
        )

    return decorate


@st.composite
def cases(
    draw: st.DrawFn,
    backend: Backend,
    *,
    families: Sequence[str] = NORMALISABLE,
    dtypes: Sequence[str] | None = None,
    masks: bool = False,
    temperatures: Sequence[float] = (1.0,),
    weights: bool = False,
    shapes: Sequence[tuple[tuple[int, ...], Axis]] | None = None,
) -> Case:
    """Draw arguments: every slice is of a family of its own.

    Parameters
    ----------
    backend : Backend
        Says which dtypes there are and how many shapes it can afford.
    families : sequence of str
        Names from `FAMILIES`.
    dtypes : sequence of str, optional
        Names to choose from, those of the backend unless given.
    masks : bool
        Whether some elements are left out, sometimes whole slices.
    temperatures : sequence of float
        To choose from: one for all slices or one for each.
    weights : bool
        Whether logsumexp gets weights, zeros among them.
    shapes : sequence of pairs
        Shapes with their axis to choose from.
    """
    affordable = FEW_SHAPES if backend.cost > 1 else SHAPES
    shape, axis = draw(st.sampled_from(shapes or affordable))
    dtype = draw(st.sampled_from(dtypes or backend.dtypes))
    values = _draw_values(draw, shape, axis, FORMATS[dtype], families)
    if backend.flushes_subnormals and dtype != "float16":  # float16 is widened before
        values[np.abs(values) < float(FORMATS[dtype].smallest_normal)] = 0
    return Case(
        values,
        dtype,
        axis,
        where=_draw_mask(draw, shape) if masks else None,
        temperature=_draw_temperature(draw, shape, axis, FORMATS[dtype], temperatures),
        weights=_draw_weights(draw, shape, FORMATS[dtype]) if weights else None,
    )


def _draw_values(
    draw: st.DrawFn, shape: tuple[int, ...], axis: Axis, format_: Format, families: Sequence[str]
) -> NumpyArray:
    axes = axis_numbers(axis, len(shape))
    outer = [n for i, n in enumerate(shape) if i not in axes]
    inner = [n for i, n in enumerate(shape) if i in axes]
    number, length = math.prod(outer), math.prod(inner)
    drawn = [draw(rows(length, format_, families)) for _ in range(number)]
    values = np.asarray(drawn, dtype=format_.carrier).reshape([*outer, *inner])
    last = range(len(outer), len(shape))
    return np.ascontiguousarray(np.moveaxis(values, tuple(last), axes)) if axes else values


def _draw_mask(draw: st.DrawFn, shape: tuple[int, ...]) -> NumpyArray:
    """Draw a mask that often leaves out a whole first row."""
    mask = np.asarray(draw(list_of(st.booleans(), math.prod(shape))), dtype=bool).reshape(shape)
    if mask.ndim > 1 and mask.size and draw(st.booleans()):
        mask[0] = False
    return mask


def _draw_temperature(
    draw: st.DrawFn,
    shape: tuple[int, ...],
    axis: Axis,
    format_: Format,
    temperatures: Sequence[float],
) -> Any:
    if len(temperatures) == 1:
        return temperatures[0]
    if draw(st.booleans()):
        return draw(st.sampled_from(temperatures))
    axes = axis_numbers(axis, len(shape))
    kept = [1 if i in axes else n for i, n in enumerate(shape)]
    drawn = draw(list_of(st.sampled_from(temperatures), math.prod(kept)))
    return np.asarray(format_.round(drawn)).reshape(kept)


def _draw_weights(draw: st.DrawFn, shape: tuple[int, ...], format_: Format) -> NumpyArray:
    weight = st.one_of(st.just(0.0), numbers(format_, 0.125, 100))
    return np.asarray(draw(list_of(weight, math.prod(shape))), dtype=format_.carrier).reshape(shape)


@st.composite
def integer_logits(draw: st.DrawFn, backend: Backend) -> NumpyArray:
    """Draw integer logits over the whole range of one of the backend's integer dtypes."""
    dtype: np.dtype[Any] = np.dtype(draw(st.sampled_from(backend.integers)))
    limits = np.iinfo(dtype)
    edges = st.sampled_from([int(limits.min), int(limits.max), int(limits.max) - 1])
    every = st.one_of(edges, st.integers(0, 20), st.integers(int(limits.min), int(limits.max)))
    return np.asarray(draw(list_of(every, 15)), dtype=dtype).reshape(3, 5)
