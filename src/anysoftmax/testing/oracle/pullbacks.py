"""Exact pull-backs of softmax and log-softmax, from the outputs that they are given.

With p or y the output, g its cotangent and, for log-softmax, p = exp(y)::

    softmax       dx_i = p_i / T * sum_{j != i} p_j (g_i - g_j)
    log-softmax   dx_i = 1 / T * sum_{j != i} (g_i p_j - p_i g_j)

The outputs count as exact, whether or not the probabilities sum to 1, so that a term is known
to 16 u. A class without probability has derivative 0, and its cotangent counts nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from anysoftmax.testing.oracle.exact import (
    INF,
    NAN,
    PRECISE,
    ZERO,
    Axis,
    Exact,
    axis_numbers,
    exact,
    exponential,
)
from anysoftmax.testing.oracle.gradients import slice_indices
from anysoftmax.testing.oracle.terms import Scaled, Terms, nothing

__all__ = ["log_softmax_vjp", "softmax_vjp"]


def softmax_vjp(p: Any, g: Any, *, axis: Axis = -1, temperature: Any = 1.0) -> Scaled:
    """Return the exact pull-back of a cotangent through softmax.

    Examples
    --------
    >>> [float(d) for d in softmax_vjp([0.5, 0.5], [1.0, 0.0]).value]
    [0.25, -0.25]
    """
    shares = exact(p)

    def terms(i: Any, j: Any, g_i: Exact, g_j: Exact) -> tuple[Exact, Exact]:
        both = shares[i] * shares[j]
        return both * g_i, -both * g_j

    return _pull_back(terms, shares, shares == 0, g, axis, temperature)


def log_softmax_vjp(y: Any, g: Any, *, axis: Axis = -1, temperature: Any = 1.0) -> Scaled:
    """Return the exact pull-back of a cotangent through log-softmax.

    Examples
    --------
    >>> y = [-9.85967654375977e-305, -700.0]  # a sure winner
    >>> [float(d) for d in log_softmax_vjp(y, [1.0, 0.0]).value]
    [9.85967654375977e-305, -9.85967654375977e-305]
    """
    logs = exact(y)
    shares = np.empty_like(logs)
    for i in np.ndindex(logs.shape):
        shares[i] = NAN if PRECISE.isnan(logs[i]) else exponential(logs[i])

    def terms(i: Any, j: Any, g_i: Exact, g_j: Exact) -> tuple[Exact, Exact]:
        return g_i * shares[j], -shares[i] * g_j

    return _pull_back(terms, shares, logs == -INF, g, axis, temperature)


def _pull_back(  # noqa: PLR0917
    terms: Callable[[Any, Any, Exact, Exact], tuple[Exact, Exact]],
    shares: Any,
    left_out: Any,
    cotangent: Any,
    axis: Axis,
    temperature: Any,
) -> Scaled:
    """Add up the terms of each pair of classes in a slice; 0 at the temperatures 0 and inf."""
    axes = axis_numbers(axis, shares.ndim)
    kept = tuple(1 if i in axes else n for i, n in enumerate(shares.shape))
    temperatures = exact(np.broadcast_to(np.asarray(temperature), kept))
    t = np.broadcast_to(temperatures, shares.shape)
    g = exact(np.broadcast_to(np.asarray(cotangent), shares.shape))
    by = nothing(shares.shape)
    for indices in slice_indices(shares.shape, axis):
        inside = [i for i in indices if not left_out[i] and t[i] not in {0, INF}]
        for i in inside:
            entry = Terms()
            for j in inside:
                if i != j:
                    for term in terms(i, j, g[i], g[j]):
                        entry.add(term / t[i], ZERO)
                entry.lose((1 + abs(g[j])) / min(1, t[i]))
            by.put(i, entry)
        if any(PRECISE.isnan(shares[i]) for i in inside):
            for i in inside:
                by.value[i] = NAN
    return by
