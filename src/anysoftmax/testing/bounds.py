"""The accuracy that the contract promises, as one function, and the judge that holds results to it.

u is the unit roundoff of the dtype and d = (m - x) / T the distance of an element from the winner.

=============  ==================  =============================================================
precision      dtype               allowed error
=============  ==================  =============================================================
any            16-bit              0.51 ulp
default        float32, float64    softmax (8 + d) u, for T != 1 (8 + 2 d) u; log-softmax 8 u, its
                                   winners (8 + d) u or (8 + 2 d) u with d that of the runner-up;
                                   logsumexp 4 ulp
highest        float32             0.51 ulp where the library has float64, else 8 u
                                   (logsumexp 4 ulp)
highest        float64             8 u (logsumexp 3 ulp)
=============  ==================  =============================================================

Errors in u are relative to the exact value and may be one smallest subnormal besides. The ulp
of logsumexp is that of the larger of abs(y) and abs(m): y itself can cancel to nothing.

Losses, entropies and derivatives are sums. `allow` holds them to (16 + d) u times the magnitudes of
their terms, which the oracle adds up; those of 16 bits are rounded from float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anysoftmax.testing.formats import FORMATS, Format
from anysoftmax.testing.oracle.exact import (
    PRECISE,
    ZERO,
    Axis,
    Exact,
    ExactArray,
    exact,
    heaviest,
    logsumexp,
    normalise,
    peak,
    roundings,
)
from anysoftmax.testing.oracle.terms import Scaled

__all__ = ["Expected", "allow", "bounds", "expect", "judge"]

NumpyArray = np.ndarray[Any, Any]

# A result just above the smallest normal number may be computed just below it, and be flushed.
FLUSH_MARGIN = 1.001


def bounds(
    function: str,
    format_: Format,
    value: Exact,
    *,
    precision: str = "default",
    has_float64: bool = True,
    distance: Exact = ZERO,
    temperature: Exact = 1,
    peak: Exact = ZERO,
) -> Exact:
    """Return the error that one element of a result may have.

    Parameters
    ----------
    function : {"softmax", "log_softmax", "logsumexp"}
        The function.
    format_ : Format
        The format of the result.
    value : exact number
        The exact result.
    precision : {"default", "highest"}
        The option of the same name.
    has_float64 : bool
        Whether the library has float64 at all.
    distance : exact number
        Softmax and log-softmax: (m - x) / T; for a winner's log-probability the runner-up's.
    temperature : exact number
        Softmax and log-softmax: T, as rounded to the dtype.
    peak : exact number
        logsumexp: m, the largest logit that takes part.

    Returns
    -------
    exact number
        The largest allowed distance between the result and `value`.

    Examples
    --------
    >>> from anysoftmax.testing.formats import FORMATS
    >>> error = bounds("softmax", FORMATS["float32"], 0.5)
    >>> float(error / (0.5 * 2.0**-24))
    8.0
    """
    largest = max(abs(value), abs(peak)) if function == "logsumexp" else abs(value)
    wider = format_.is_16_bit or (
        precision == "highest" and format_.name == "float32" and has_float64
    )
    if wider:
        return PRECISE.mpf("0.51") * format_.ulp(largest)
    slack = format_.smallest_subnormal
    if function == "logsumexp":
        ulps = 3 if precision == "highest" and format_.name == "float64" else 4
        return ulps * format_.ulp(largest) + slack
    if value == 0:
        return slack
    if precision == "highest":
        return 8 * format_.unit_roundoff * largest + slack
    return (8 + roundings(temperature) * distance) * format_.unit_roundoff * largest + slack


@dataclass(frozen=True)
class Expected:
    """Exact values and the errors that the contract allows a result to have."""

    values: ExactArray
    allowed: ExactArray
    format: Format

    def reshape(self, change: Any) -> Expected:
        """Return the same expectation, both arrays changed by a function such as a transpose."""
        return Expected(change(self.values), change(self.allowed), self.format)


def expect(
    function: str,
    format_: Format,
    x: Any,
    *,
    axis: Axis,
    precision: str = "default",
    has_float64: bool = True,
    temperature: Any = 1.0,
    where: Any = None,
    weights: Any = None,
    keepdims: bool = False,
) -> Expected:
    """Return the exact result of a function and the error that the contract allows it.

    Examples
    --------
    >>> from anysoftmax.testing.formats import FORMATS
    >>> expected = expect("logsumexp", FORMATS["float64"], [0.0, -40.0], axis=None)
    >>> float(expected.values[()])
    4.248354255291589e-18
    """
    if function == "logsumexp":
        reduced: dict[str, Any] = {"axis": axis, "where": where, "weights": weights}
        values = logsumexp(x, **reduced, keepdims=keepdims)
        # With weights a term has two logarithms, and the result the digits of the larger one.
        sized: dict[str, Any] = reduced | {"keepdims": keepdims}
        peaks = _larger(peak(x, **sized), heaviest(x, **sized))
        distances = temperatures = np.full(values.shape, ZERO, dtype=object)
    else:
        # Contract: T counts as rounded to the dtype.
        temperature = format_.round(temperature)
        known = normalise(x, axis=axis, temperature=temperature, where=where)
        values = getattr(known, function)
        peaks = np.full(values.shape, ZERO, dtype=object)
        distances = known.distance if function == "softmax" else known.log_distance
        temperatures = known.temperature
    allowed = np.empty(values.shape, dtype=object)
    for i in np.ndindex(values.shape):
        allowed[i] = (
            bounds(
                function,
                format_,
                values[i],
                precision=precision,
                has_float64=has_float64,
                distance=distances[i],
                temperature=temperatures[i],
                peak=peaks[i],
            )
            if PRECISE.isfinite(values[i])
            else ZERO
        )
    return Expected(values, allowed, format_)


def allow(known: Scaled, format_: Format, *, flushes: bool = False) -> Expected:
    """Return sums of terms together with the errors that the contract allows them.

    Parameters
    ----------
    known : Scaled
        The sums, with the errors in units of the roundoff.
    format_ : Format
        The format of the result.
    flushes : bool
        Whether the library flushes what is below the smallest normal number to zero.

    Examples
    --------
    >>> from anysoftmax.testing.oracle.terms import Terms, stacked
    >>> terms = Terms()
    >>> terms.add(0.5, distance=4)
    >>> expected = allow(stacked([terms]), FORMATS["float32"])
    >>> float(expected.allowed[0] / (0.5 * 2.0**-24))
    20.0
    """
    work = FORMATS["float32"] if format_.is_16_bit else format_
    least = work.smallest_normal if flushes else work.smallest_subnormal
    allowed = np.full(known.value.shape, ZERO, dtype=object)
    for i in np.ndindex(allowed.shape):
        if PRECISE.isfinite(known.value[i]):
            allowed[i] = known.scale[i] * work.unit_roundoff + known.floor[i] * least
            if format_.is_16_bit:
                ulp = format_.ulp(known.value[i])
                allowed[i] = max(PRECISE.mpf("0.51") * ulp, ulp / 2 + allowed[i])
    return Expected(known.value, allowed, format_)


def _larger(a: ExactArray, b: ExactArray) -> ExactArray:
    """Return the larger of two numbers in magnitude, 0 in the place of what is not finite."""
    finite = np.vectorize(PRECISE.isfinite, otypes=[bool])
    a, b = (np.where(finite(c), c, ZERO) for c in (a, b))
    larger: ExactArray = np.where(abs(a) >= abs(b), a, b)
    return larger


def judge(got: NumpyArray, expected: Expected, *, flushes: bool = False, times: float = 1) -> None:
    """Raise `AssertionError` naming the worst element unless all errors are within bounds.

    Parameters
    ----------
    got : array
        What the function returned.
    expected : Expected
        What it should have returned.
    flushes : bool
        Whether the library flushes subnormal results to zero: such elements are not judged,
        except that they must not have grown beyond the smallest normal number.
    times : float
        2 where two results are compared that may each be off by the bound.
    """
    if got.shape != expected.values.shape:
        raise AssertionError(f"shape {got.shape} instead of {expected.values.shape}")
    worst, place = ZERO, None
    for i in np.ndindex(got.shape):
        share = _share(got[i], expected, i, flushes=flushes, times=times)
        if share > worst:
            worst, place = share, i
    if worst > 1:
        value, allowed = expected.values[place], expected.allowed[place] * times
        raise AssertionError(
            f"element {place} is {got[place]!r}, exactly {PRECISE.nstr(value, 20)}: "
            f"the error {PRECISE.nstr(abs(exact(got[place])[()] - value), 3)} is "
            f"{PRECISE.nstr(worst, 4)} times the allowed {PRECISE.nstr(allowed, 3)}"
        )


def _share(got: Any, expected: Expected, i: Any, *, flushes: bool, times: float) -> Exact:
    """Return which share of the allowed error one element uses; above 1 is too much."""
    value, number, format_ = expected.values[i], PRECISE.mpf(float(got)), expected.format
    too_much = PRECISE.inf
    if PRECISE.isnan(value) or PRECISE.isnan(number):
        return ZERO if PRECISE.isnan(value) and PRECISE.isnan(number) else too_much
    if not PRECISE.isfinite(value):
        return ZERO if number == value else too_much
    allowed = expected.allowed[i] * times
    if not PRECISE.isfinite(number):
        # Rounding away from zero may carry a value beyond the largest number.
        overflows = abs(value) + allowed >= format_.largest + format_.ulp(format_.largest) / 2
        return ZERO if overflows and (number > 0) == (value > 0) else too_much
    flushed = FLUSH_MARGIN * format_.smallest_normal
    if flushes and abs(value) < flushed and abs(number) <= flushed:
        return ZERO
    error = abs(number - value)
    if error == 0:
        return ZERO
    return error / allowed if allowed else too_much
