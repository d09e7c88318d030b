"""Exact entropy and Kullback-Leibler divergence, and their exact derivatives.

For one slice, with p and q the probabilities, L^p_i = -log p_i, D_i = log p_i - log q_i and z the
logits, shifted and divided by the temperature::

    entropy       H = sum_i p_i L^p_i
                  dx_i = 1 / T * sum_{j != i} p_i p_j (L^p_i - L^p_j)
    divergence    K = sum_i p_i (D_i + expm1(-D_i))
                  dx_i = 1 / T * sum_{j != i} p_i p_j (D_i - D_j)        by the logits of p
                  dy_i = 1 / T * sum_{j != i} (q_i p_j - p_i q_j)        by the logits of q
    both          dT   = -1 / T * (sum_i z^p_i T dx_i + sum_i z^q_i T dy_i)

A term of K is never negative, and small where p and q are close, as sum_i p_i D_i is not. Its error
is that of p_i, and that of D_i times its derivative p_i - q_i. A class with p_i = 0 adds q_i.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from anysoftmax.testing.oracle.exact import (
    INF,
    NAN,
    ONE,
    PRECISE,
    ZERO,
    Axis,
    Exact,
    Normalised,
    axis_numbers,
    exact,
    normalise,
    roundings,
)
from anysoftmax.testing.oracle.gradients import slice_indices
from anysoftmax.testing.oracle.terms import Scaled, Terms, nothing, stacked

__all__ = ["entropy", "entropy_gradients", "kl_divergence", "kl_divergence_gradients"]

Index = tuple[int, ...]


# Below the smallest normal number of float32 a probability may be lost, and what it multiplies.
PERISHABLE = PRECISE.ldexp(1, -126)
# Farther than this, exp(-L) L is lost in every format.
FARTHEST = 1000


def entropy(x: Any, **options: Any) -> Scaled:
    """Return the exact entropy of each slice, in nats.

    Parameters
    ----------
    x : array
        The logits.
    **options
        `axis`, `temperature` and `where`.

    Examples
    --------
    >>> float(entropy([0.0, 0.0]).value[()])
    0.6931471805599453
    """
    p = normalise(x, **options)

    def of_slice(indices: list[Index]) -> Terms:
        total = Terms()
        for i in indices:
            if p.softmax[i] != 0:
                total.add(-p.softmax[i] * p.log_softmax[i], _error(p, i))
                total.lose(1 + min(abs(p.log_softmax[i]), FARTHEST))
        return total

    return _each(of_slice, np.shape(x), **options)


def kl_divergence(x: Any, y: Any, **options: Any) -> Scaled:
    """Return the exact divergence of the softmax of `y` from that of `x`, in nats.

    Parameters
    ----------
    x, y : arrays
        The logits of p and of q, broadcast against each other.
    **options
        `axis`, `temperature` and `where`.

    Examples
    --------
    >>> float(kl_divergence([700.0, 0.0], [0.0, 0.0]).value[()])
    0.6931471805599453
    """
    x, y = np.broadcast_arrays(x, y)
    p, q = normalise(x, **options), normalise(y, **options)

    def of_slice(indices: list[Index]) -> Terms:
        total = Terms()
        for i in indices:
            _add_divergence(total, p, q, i)
        return total

    return _each(of_slice, x.shape, **options)


def _add_divergence(total: Terms, p: Normalised, q: Normalised, i: Index) -> None:
    """Add what one class gives to the divergence."""
    p_i, q_i = p.softmax[i], q.softmax[i]
    if PRECISE.isnan(p_i) or PRECISE.isnan(q_i):
        total.add(NAN, ZERO)
    elif p_i == 0:
        total.add(q_i, _error(q, i))
    else:
        # q may be below every format's smallest number, and its logarithm finite.
        d = p.log_softmax[i] - q.log_softmax[i]
        total.add(p_i * (d + PRECISE.expm1(-min(d, FARTHEST**2))), _error(p, i))
        for known in (p, q):
            total.blur((q_i - p_i) * known.log_softmax[i], _log_error(known, i))
        total.lose(2 + (abs(d) if p_i < PERISHABLE else 0))


def entropy_gradients(x: Any, cotangent: Any = 1, **options: Any) -> dict[str, Scaled]:
    """Return the exact derivatives of the entropy by the logits and each slice's temperature.

    Parameters
    ----------
    x, **options
        As for `entropy`; at the temperatures 0 and inf all derivatives count as 0.
    cotangent : number or array
        The derivative of something by the result, of its shape.

    Examples
    --------
    >>> [float(d) for d in entropy_gradients([0.0, 0.0])["x"].value]
    [0.0, 0.0]
    """
    p = normalise(x, **options)

    def pair(i: Index, j: Index, g: Exact) -> list[_Term]:
        farther = max(_error(p, i), _error(p, j))
        both = g * p.softmax[i] * p.softmax[j]
        return [(-both * p.log_softmax[i], farther), (both * p.log_softmax[j], farther)]

    return _derivatives({"x": (p, pair)}, cotangent, **options)


def kl_divergence_gradients(
    x: Any, y: Any, cotangent: Any = 1, **options: Any
) -> dict[str, Scaled]:
    """Return the exact derivatives of the divergence by both logits and each slice's temperature.

    Parameters
    ----------
    x, y, **options
        As for `kl_divergence`, `x` and `y` of one shape; at the temperatures 0 and inf all
        derivatives count as 0.
    cotangent : number or array
        The derivative of something by the result, of its shape.

    Examples
    --------
    >>> by = kl_divergence_gradients([0.0, 0.0], [1000.0, 0.0])
    >>> [float(d) for d in by["y"].value]  # q - p
    [0.5, -0.5]
    """
    p, q = normalise(x, **options), normalise(y, **options)

    def by_first(i: Index, j: Index, g: Exact) -> list[_Term]:
        farther = max(_error(p, i), _error(p, j))
        both = g * p.softmax[i] * p.softmax[j]
        return [
            (sign * both * known.log_softmax[k], farther + _log_error(q, k))
            for known, sign in ((p, 1), (q, -1))
            for k, sign in ((i, sign), (j, -sign))
        ]

    def by_second(i: Index, j: Index, g: Exact) -> list[_Term]:
        return [
            (sign * g * q.softmax[k] * p.softmax[other], _error(q, k) + _error(p, other))
            for k, other, sign in ((i, j, 1), (j, i, -1))
        ]

    return _derivatives({"x": (p, by_first), "y": (q, by_second)}, cotangent, **options)


_Term = tuple[Exact, Exact]  # and the distance that its error depends on


def _derivatives(
    inputs: dict[str, tuple[Normalised, Callable[[Index, Index, Exact], list[_Term]]]],
    cotangent: Any,
    *,
    axis: Axis = -1,
    **options: Any,
) -> dict[str, Scaled]:
    """Add up the terms that pairs of classes give, by each input and by the temperature."""
    shape = inputs["x"][0].softmax.shape
    upstream = np.broadcast_to(exact(cotangent), _outer(shape, axis)).ravel()
    by = {name: nothing(shape) for name in inputs}
    by_temperature = []
    for indices, g in zip(slice_indices(shape, axis), upstream, strict=True):
        over_t = Terms()
        by_temperature.append(over_t)
        t = next((inputs["x"][0].temperature[i] for i in indices), ONE)
        if t in {0, INF}:
            continue
        lost = (1 + abs(g)) * FARTHEST / min(1, t)
        for name, (known, pair) in inputs.items():
            inside = [i for i in indices if known.softmax[i] != 0]
            for i in inside:
                entry = Terms()
                for j in inside:
                    for term, distance in pair(i, j, g) if i != j else ():
                        entry.add(term / t, distance)
                        over_t.add(known.distance[i] * term / t, distance)
                    entry.lose(lost)
                    over_t.lose(lost)
                by[name].put(i, entry)
    return by | {"temperature": stacked(by_temperature)}


def _each(
    of_slice: Callable[[list[Index]], Terms],
    shape: tuple[int, ...],
    *,
    axis: Axis = -1,
    **options: Any,
) -> Scaled:
    """Return one sum for each slice."""
    sums = [of_slice(indices) for indices in slice_indices(shape, axis)]
    return stacked(sums).reshape(_outer(shape, axis))


def _outer(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    axes = axis_numbers(axis, len(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def _error(known: Normalised, i: Index) -> Exact:
    """Return the distance that the error of a probability depends on."""
    return roundings(known.temperature[i]) * known.distance[i]


def _log_error(known: Normalised, i: Index) -> Exact:
    """Return the distance that the error of a log-probability depends on: a winner's gap."""
    return roundings(known.temperature[i]) * known.log_distance[i]
