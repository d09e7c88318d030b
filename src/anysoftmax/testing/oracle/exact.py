"""Exact arithmetic: softmax, log-softmax and logsumexp with 200 bits, special values included.

Every input is converted without rounding. A difference of two float64 numbers, a quotient, an
exponential and a sum of a million terms each lose a few of the 200 bits at most, so that what
is returned is right to far below 0.01 ulp of float64, for the winner's log-probability too:
it is formed from the sum of the *other* exponentials and never from a number close to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

__all__ = [
    "PRECISE",
    "Exact",
    "Normalised",
    "axis_numbers",
    "exponential",
    "log_softmax",
    "logsumexp",
    "normalise",
    "roundings",
    "softmax",
]

Exact = Any  # an mpmath.mpf of the context below
ExactArray = np.ndarray[Any, Any]  # of dtype object, holding `Exact` numbers
Axis = int | tuple[int, ...] | None
Outcome = tuple[list[Exact], list[Exact], list[Exact], list[Exact], list[Exact]]

# A context of its own: the precision that a user sets in mpmath.mp is left alone.
PRECISE = mpmath.MPContext()
PRECISE.prec = 200

ZERO, ONE, INF, NAN = PRECISE.mpf(0), PRECISE.mpf(1), PRECISE.inf, PRECISE.nan

# exp of less than this is below every format's smallest number by thousands of decades, and its
# exponent alone would need more bits than a machine integer has.
NEGLIGIBLE = PRECISE.mpf(-(2**20))


@dataclass(frozen=True)
class Normalised:
    """What normalising logits gives, element by element; arrays have the shape of the logits.

    Attributes
    ----------
    softmax, log_softmax : array of exact numbers
        The probabilities and their logarithms.
    distance : array of exact numbers
        (m - x) / T, how far each logit lies below the largest one that takes part, in units of
        the temperature; inf for elements that are left out or -inf, 0 throughout a slice whose
        values are not formed by the formula (NaN or +inf among its logits).
    gap : array of exact numbers
        For a winner the distance of the runner-up (0 if it shares its place, inf without one),
        for every other element its own `distance`.
    temperature : array of exact numbers
        The temperature of each element's slice.
    """

    softmax: ExactArray
    log_softmax: ExactArray
    distance: ExactArray
    gap: ExactArray
    temperature: ExactArray

    @property
    def log_distance(self) -> ExactArray:
        """A winner's `gap`, on which its log-probability depends; 0 for all others."""
        return np.where(self.distance == 0, self.gap, ZERO)


def exact(values: Any) -> ExactArray:
    """Convert numbers to exact ones, without rounding.

    Examples
    --------
    >>> print(exact(0.5))
    0.5
    """
    array = np.asarray(values)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        upper = array.astype(np.float64)
        lower = np.where(np.isfinite(upper), array - upper, 0)
        return exact(upper) + exact(lower.astype(np.float64))
    if array.dtype.kind == "f":
        array = array.astype(np.float64)
    converted = np.empty(array.size, dtype=object)
    converted[:] = [PRECISE.mpf(number) for number in array.ravel().tolist()]
    return converted.reshape(array.shape)


def softmax(x: Any, *, axis: Axis = -1, temperature: Any = 1.0, where: Any = None) -> ExactArray:
    """Return the exact softmax of `x`.

    Examples
    --------
    >>> print(softmax([0.0, 0.0])[0])
    0.5
    """
    return normalise(x, axis=axis, temperature=temperature, where=where).softmax


def log_softmax(
    x: Any, *, axis: Axis = -1, temperature: Any = 1.0, where: Any = None
) -> ExactArray:
    """Return the exact log-softmax of `x`.

    Examples
    --------
    >>> float(log_softmax([700.0, 0.0])[0])  # the winner's log-probability, -exp(-700)
    -9.85967654375977e-305
    """
    return normalise(x, axis=axis, temperature=temperature, where=where).log_softmax


def normalise(x: Any, *, axis: Axis = -1, temperature: Any = 1.0, where: Any = None) -> Normalised:
    """Normalise the slices of `x` along `axis` and tell how far each logit is from the winner."""
    logits = np.asarray(x)
    if logits.ndim == 0:
        alone = normalise(logits[None], temperature=temperature, where=where)
        return Normalised(**{name: array.reshape(()) for name, array in vars(alone).items()})
    shape = logits.shape
    axes = axis_numbers(axis, logits.ndim)
    taking_part = np.broadcast_to(True if where is None else where, shape)
    temperatures = np.broadcast_to(np.asarray(temperature), _kept(shape, axes))
    results = [np.empty(shape, dtype=object) for _ in range(5)]
    for index in _slices(shape, axes):
        t = exact(temperatures[tuple(0 if i in axes else index[i] for i in range(len(shape)))])
        outcome = _normalise_slice(
            list(exact(logits[index]).ravel()), list(taking_part[index].ravel()), t[()]
        )
        for result, values in zip(results, outcome, strict=True):
            part = np.empty(logits[index].size, dtype=object)
            part[:] = values
            result[index] = part.reshape(logits[index].shape)
    return Normalised(*results)


def roundings(temperature: Exact) -> int:
    """Return how many roundings separate (m - x) / T from the logits: the quotient's may be one.

    Examples
    --------
    >>> roundings(1), roundings(0.5)
    (1, 2)
    """
    return 1 if temperature == 1 else 2


def logsumexp(
    x: Any, *, axis: Axis = None, weights: Any = None, where: Any = None, keepdims: bool = False
) -> ExactArray:
    """Return the exact logarithm of the (weighted) sum of exponentials.

    Examples
    --------
    >>> print(mpmath.nstr(logsumexp([0.0, -40.0])[()], 5))
    4.2484e-18
    """
    return _reduce(_logsumexp_slice, x, axis, weights, where, keepdims=keepdims)


def peak(
    x: Any, *, axis: Axis = None, weights: Any = None, where: Any = None, keepdims: bool = False
) -> ExactArray:
    """Return the largest logit that takes part, per slice; -inf if there is none.

    Examples
    --------
    >>> print(peak([1.0, 3.0], weights=[1.0, 0.0]))
    1.0
    """
    return _reduce(_peak_slice, x, axis, weights, where, keepdims=keepdims)


def heaviest(
    x: Any, *, axis: Axis = None, weights: Any = None, where: Any = None, keepdims: bool = False
) -> ExactArray:
    """Return the largest logit plus the logarithm of its weight, per slice; -inf if there is none.

    Examples
    --------
    >>> print(heaviest([0.0, 1.0], weights=[1.0, 0.25]))
    0.0
    """
    return _reduce(_heaviest_slice, x, axis, weights, where, keepdims=keepdims)


def _normalise_slice(logits: list[Exact], taking_part: list[bool], t: Exact) -> Outcome:
    """Normalise one slice: the rows of the table of special values, then the formula."""
    n = len(logits)

    def outcome(p: Callable[[int], Exact], log_p: Callable[[int], Exact]) -> Outcome:
        """Elements left out have probability 0 whatever the rest of the slice is."""
        return (
            [p(i) if taking_part[i] else ZERO for i in range(n)],
            [log_p(i) if taking_part[i] else -INF for i in range(n)],
            [ZERO] * n,
            [ZERO] * n,
            [t] * n,
        )

    inside = [i for i in range(n) if taking_part[i]]
    if any(PRECISE.isnan(logits[i]) for i in inside) or PRECISE.isnan(t) or t < 0:
        return outcome(lambda i: NAN, lambda i: NAN)
    infinite = [i for i in inside if logits[i] == INF]
    if infinite:
        one = len(infinite) == 1
        return outcome(
            lambda i: (ONE if one else NAN) if i in infinite else ZERO,
            lambda i: (ZERO if one else NAN) if i in infinite else -INF,
        )
    finite = [i for i in inside if logits[i] != -INF]
    if not finite:
        return outcome(lambda i: NAN, lambda i: NAN)
    z = _scaled(logits, finite, t)
    winner = max(finite, key=lambda i: z[i])
    exponentials = {i: exponential(z[i]) for i in finite}
    rest = PRECISE.fsum(exponentials[i] for i in finite if i != winner)
    log_total = PRECISE.log1p(rest)
    distance = [-z[i] if i in exponentials else INF for i in range(n)]
    runner_up = min((distance[i] for i in finite if i != winner), default=INF)
    return (
        [exponentials[i] / (1 + rest) if i in exponentials else ZERO for i in range(n)],
        [z[i] - log_total if i in exponentials else -INF for i in range(n)],
        distance,
        [runner_up if distance[i] == 0 else distance[i] for i in range(n)],
        [t] * n,
    )


def _scaled(logits: list[Exact], finite: list[int], t: Exact) -> dict[int, Exact]:
    """Return z = (x - m) / T with its limits at T = 0 and T = inf."""
    m = max(logits[i] for i in finite)
    if t == INF:
        return dict.fromkeys(finite, ZERO)
    if t == 0:
        return {i: ZERO if logits[i] == m else -INF for i in finite}
    return {i: (logits[i] - m) / t for i in finite}


def _logsumexp_slice(logits: list[Exact], weights: list[Exact]) -> Exact:
    """Return the logarithm of the weighted sum of exponentials of one slice."""
    m = _peak_slice(logits, weights)
    if PRECISE.isnan(m) or abs(m) == INF:
        return m
    inside = [i for i, x in enumerate(logits) if weights[i] != 0 and x != -INF]
    terms = {i: weights[i] * exponential(logits[i] - m) for i in inside}
    largest = max(inside, key=lambda i: terms[i])
    others = PRECISE.fsum(terms[i] for i in inside if i != largest)
    return m + PRECISE.log(terms[largest]) + PRECISE.log1p(others / terms[largest])


def _peak_slice(logits: list[Exact], weights: list[Exact]) -> Exact:
    """Return the largest logit of non-zero weight."""
    terms = [x for x, w in zip(logits, weights, strict=True) if w != 0]
    if any(PRECISE.isnan(x) for x in terms):
        return NAN
    return max(terms, default=-INF)


def _heaviest_slice(logits: list[Exact], weights: list[Exact]) -> Exact:
    """Return the largest sum of a logit and the logarithm of its non-zero weight."""
    terms = [x + PRECISE.log(w) for x, w in zip(logits, weights, strict=True) if w != 0]
    return NAN if any(PRECISE.isnan(term) for term in terms) else max(terms, default=-INF)


def exponential(z: Exact) -> Exact:
    """Return exp(z), 0 where it is below every format's smallest number by far.

    Examples
    --------
    >>> print(exponential(-INF))
    0.0
    """
    return PRECISE.exp(z) if z > NEGLIGIBLE else ZERO


def _reduce(
    slice_function: Callable[[list[Exact], list[Exact]], Exact],
    x: Any,
    axis: Axis,
    weights: Any,
    where: Any,
    *,
    keepdims: bool,
) -> ExactArray:
    """Apply a function of logits and weights to every slice; a left-out element weighs 0."""
    logits = np.asarray(x)
    axes = axis_numbers(axis, logits.ndim)
    factors = np.broadcast_to(np.asarray(1.0 if weights is None else weights), logits.shape)
    if where is not None:
        factors = np.where(where, factors, 0.0)
    result = np.empty(_kept(logits.shape, axes), dtype=object)
    for index in _slices(logits.shape, axes):
        place = tuple(0 if i in axes else index[i] for i in range(logits.ndim))
        result[place] = slice_function(
            list(exact(logits[index]).ravel()), list(exact(factors[index]).ravel())
        )
    if keepdims:
        return result
    return result.reshape([n for i, n in enumerate(logits.shape) if i not in axes])


def axis_numbers(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the numbers of the axes, counted from the front; a 0-d array has none.

    Examples
    --------
    >>> axis_numbers((0, -1), 3), axis_numbers(None, 2)
    ((0, 2), (0, 1))
    """
    if axis is None or ndim == 0:
        return tuple(range(ndim))
    return tuple(i % ndim for i in (axis if isinstance(axis, tuple) else (axis,)))


def _kept(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def _slices(shape: tuple[int, ...], axes: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield an index for every slice; nothing if an axis outside the slices is empty."""
    outer = [n for i, n in enumerate(shape) if i not in axes]
    if math.prod(outer) == 0:
        return
    for place in np.ndindex(*outer):
        rest = iter(place)
        yield tuple(slice(None) if i in axes else next(rest) for i in range(len(shape)))
