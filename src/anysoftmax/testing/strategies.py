"""Hypothesis strategies: logits of every family that has broken a softmax, and what goes with them.

Shapes come from a short list. A compiler that sees a new shape compiles again, and the bugs of a
softmax hide in values, axes and edges rather than in the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import Expected, expect
from anysoftmax.testing.formats import FORMATS, Format
from anysoftmax.testing.oracle.exact import Axis, axis_numbers

__all__ = [
    "FAMILIES",
    "FINITE",
    "SPECIAL",
    "Case",
    "cases",
    "examples",
    "integer_logits",
    "rows",
]

Array = Any
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


@dataclass(frozen=True, eq=False)
class Case:
    """Arguments for the three functions.

    Attributes
    ----------
    values : NumPy array
        The logits, each exactly a number of the dtype.
    dtype : str
        Name of the dtype that the library is given.
    axis : int, tuple of ints or None
        What to normalise along.
    where : NumPy array or None
        Boolean mask.
    temperature : float or NumPy array
        One for all slices or one a slice.
    weights : NumPy array or None
        For logsumexp.
    """

    values: NumpyArray
    dtype: str
    axis: Axis = -1
    where: NumpyArray | None = None
    temperature: Any = 1.0
    weights: NumpyArray | None = None

    @property
    def format(self) -> Format:
        """The format of the logits and of the result."""
        return FORMATS[self.dtype]

    @property
    def taking_part(self) -> NumpyArray:
        """The mask, of the shape of the logits."""
        return np.broadcast_to(True if self.where is None else self.where, self.values.shape)

    def but(self, **changes: Any) -> Case:
        """Return the same arguments with some of them changed."""
        return replace(self, **changes)

    def call(
        self,
        backend: Backend,
        functions: Any,
        function: str,
        *,
        layout: str = "C",
        **options: Any,
    ) -> NumpyArray:
        """Run a function of `functions` on these arguments; return its values."""
        arguments = {**self._arguments(backend, function), **options}
        logits = backend.array(self.values, dtype=self.dtype, layout=layout)
        return backend.call(getattr(functions, function), logits, axis=self.axis, **arguments)

    def expect(self, backend: Backend, function: str, **options: Any) -> Expected:
        """Return the exact result and the errors that the contract allows it."""
        own: dict[str, Any] = {"where": self.where}
        if function == "logsumexp":
            own["weights"] = self.weights
        else:
            own["temperature"] = self.temperature
        return expect(
            function,
            self.format,
            self.values,
            axis=self.axis,
            has_float64=backend.has_float64,
            **own,
            **options,
        )

    def _arguments(self, backend: Backend, function: str) -> dict[str, Any]:
        """Return the options that a function understands, arrays in the dtype of the logits."""
        own: dict[str, Any] = {}
        if self.where is not None:
            own["where"] = backend.array(self.where)
        if function == "logsumexp":
            if self.weights is not None:
                own["weights"] = backend.array(self.weights, dtype=self.dtype)
        elif isinstance(self.temperature, np.ndarray):
            own["temperature"] = backend.array(self.temperature, dtype=self.dtype)
        elif self.temperature != 1:
            own["temperature"] = self.temperature
        return own


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


def _numbers(format_: Format, low: float, high: float) -> st.SearchStrategy[float]:
    """Draw numbers of a format between two bounds."""
    low, high = (float(bound) for bound in format_.round(np.asarray([low, high])))
    width = 32 if format_.name == "bfloat16" else format_.carrier.itemsize * 8
    drawn = st.floats(low, high, width=width)  # type: ignore[arg-type]
    if format_.name == "bfloat16":
        return drawn.map(lambda x: float(format_.round(x)))
    return drawn


def _ordinary(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    return _list(_numbers(format_, -10, 10), n)


def _ties(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    return _list(st.sampled_from([-1.0, 0.0, 2.5]), n)


def _saturated(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    """Let one class win by anything up to the gap at which the others underflow, and beyond."""
    reach = 1.1 * -math.log(2) * (format_.min_exponent - format_.precision)

    def lower(drawn: tuple[float, list[float], int]) -> list[float]:
        winner, gaps, place = drawn
        row = [float(format_.round(winner - gap)) for gap in gaps]
        return [*row[:place], winner, *row[place:]] if n else []

    return st.tuples(
        _numbers(format_, -5, 5),
        _list(_numbers(format_, 0, reach), max(n - 1, 0)),
        st.integers(0, max(n - 1, 0)),
    ).map(lower)


def _offset(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    """Put all logits within a few neighbours of one large number."""

    def near(drawn: tuple[float, list[int]]) -> list[float]:
        base, steps = drawn
        return [float(format_.round(base + step * float(format_.ulp(base)))) for step in steps]

    return st.tuples(_numbers(format_, -2e4, 2e4), _list(st.integers(-9, 9), n)).map(near)


def _huge(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    largest = float(format_.largest)
    least = min(1e30, largest / 8)
    sides = [(least, largest), (-largest, -least)]
    return _list(st.one_of([_numbers(format_, *side) for side in sides]), n)


def _tiny(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    bound = 4 * float(format_.smallest_normal)
    return _list(_numbers(format_, -bound, bound), n)


def _minus_infinite(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    """Leave at least one finite logit."""
    row = _list(st.one_of(_numbers(format_, -10, 10), st.just(-math.inf)), n)
    return row.map(lambda xs: [0.5, *xs[1:]] if xs and max(xs) == -math.inf else xs)


def _plus_infinite(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    others = st.sampled_from([0.0, 1.5, -math.inf, math.inf])
    return _list(others, n).map(lambda xs: [*xs[:-1], math.inf] if xs else xs)


def _not_a_number(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    others = st.sampled_from([0.0, 1.5, -math.inf, math.inf, math.nan])
    return _list(others, n).map(lambda xs: [math.nan, *xs[1:]] if xs else xs)


def _all_minus_infinite(n: int, format_: Format) -> st.SearchStrategy[list[float]]:
    return st.just([-math.inf] * n)


def _list(elements: st.SearchStrategy[Any], n: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(elements, min_size=n, max_size=n)


FAMILIES: dict[str, Callable[[int, Format], st.SearchStrategy[list[float]]]] = {
    "ordinary": _ordinary,
    "ties": _ties,
    "saturated": _saturated,
    "offset": _offset,
    "huge": _huge,
    "tiny": _tiny,
    "minus infinite": _minus_infinite,
    "plus infinite": _plus_infinite,
    "NaN": _not_a_number,
    "all minus infinite": _all_minus_infinite,
}
SPECIAL = ("plus infinite", "NaN", "all minus infinite")
FINITE = tuple(family for family in FAMILIES if family not in {*SPECIAL, "minus infinite"})
NORMALISABLE = (*FINITE, "minus infinite")


def rows(n: int, format_: Format, families: Sequence[str]) -> st.SearchStrategy[list[float]]:
    """Draw one slice of `n` logits of one of the families."""
    return st.one_of([FAMILIES[family](n, format_) for family in families])


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
    mask = np.asarray(draw(_list(st.booleans(), math.prod(shape))), dtype=bool).reshape(shape)
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
    drawn = draw(_list(st.sampled_from(temperatures), math.prod(kept)))
    return np.asarray(format_.round(drawn)).reshape(kept)


def _draw_weights(draw: st.DrawFn, shape: tuple[int, ...], format_: Format) -> NumpyArray:
    weight = st.one_of(st.just(0.0), _numbers(format_, 0.125, 100))
    return np.asarray(draw(_list(weight, math.prod(shape))), dtype=format_.carrier).reshape(shape)


@st.composite
def integer_logits(draw: st.DrawFn, backend: Backend) -> NumpyArray:
    """Draw integer logits over the whole range of one of the backend's integer dtypes."""
    dtype: np.dtype[Any] = np.dtype(draw(st.sampled_from(backend.integers)))
    limits = np.iinfo(dtype)
    edges = st.sampled_from([int(limits.min), int(limits.max), int(limits.max) - 1])
    numbers = st.one_of(edges, st.integers(0, 20), st.integers(int(limits.min), int(limits.max)))
    return np.asarray(draw(_list(numbers, 15)), dtype=dtype).reshape(3, 5)
