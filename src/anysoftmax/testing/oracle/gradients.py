"""Exact derivatives, each with the size of the terms that it is a sum of.

For one slice, with p the probabilities, z = (x - m) / T and g the cotangent of the result::

    softmax       dx_i = p_i / T * sum_{j != i} p_j (g_i - g_j)
                  dT   = -1 / T * sum_{i, j} g_i p_i p_j (z_i - z_j)
    log-softmax   dx_i = 1 / T * sum_{j != i} (g_i p_j - p_i g_j)
                  dT   = -1 / T * sum_{i, j} g_i p_j (z_i - z_j)
    logsumexp     dx_i = g w_i exp(x_i - y),   dw_i = g exp(x_i - y),   y the result

No sum holds a term of an element with itself: it would cancel, and a saturated winner's derivative
is what is left. The scale of a derivative (see `terms`) is the sum over its terms of
(16 + distance) times the term's magnitude, for T != 1 (16 + 2 distance). The distance is the
element's own, or that of the other element of the term if it is farther: a winner, itself at
distance 0, has a derivative that is made of the others' shares.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from anysoftmax.testing.oracle.exact import (
    INF,
    ONE,
    PRECISE,
    Axis,
    ExactArray,
    axis_numbers,
    exact,
    logsumexp,
    normalise,
    roundings,
)
from anysoftmax.testing.oracle.terms import Scaled, Terms, nothing, stacked

__all__ = ["logsumexp_gradients", "normalise_gradients", "slice_indices"]


def normalise_gradients(
    function: str,
    x: Any,
    cotangent: Any,
    *,
    axis: Axis = -1,
    temperature: Any = 1.0,
    where: Any = None,
) -> dict[str, Scaled]:
    """Return the derivatives of softmax or log-softmax by the logits and by the temperature.

    Parameters
    ----------
    function : {"softmax", "log_softmax"}
        Which of the two.
    x, axis, temperature, where
        As for the function itself; at the temperatures 0 and inf all derivatives count as 0.
    cotangent : array
        The derivative of some loss by the result, of the shape of `x`.

    Returns
    -------
    dict
        ``"x"``, of the shape of `x`, and ``"temperature"``, one entry for each slice.

    Examples
    --------
    >>> gradients = normalise_gradients("softmax", [0.0, 0.0], [1.0, 0.0])
    >>> [float(d) for d in gradients["x"].value]
    [0.25, -0.25]
    """
    logits = np.asarray(x)
    g = exact(np.broadcast_to(np.asarray(cotangent), logits.shape))
    known = normalise(logits, axis=axis, temperature=temperature, where=where)
    # Each term of a slice may lose a smallest number times its cotangent, divided by T.
    coldest = min((t for t in known.temperature.ravel() if t > 0), default=ONE)
    lost = max([ONE, *(abs(c) for c in g.ravel())]) / min(ONE, coldest)
    by_logits = nothing(logits.shape)
    by_temperature = []
    for indices in slice_indices(logits.shape, axis):
        over_t = Terms()
        by_temperature.append(over_t)
        if any(known.temperature[i] in {0, INF} for i in indices):
            continue
        inside = [i for i in indices if known.distance[i] != INF]
        for i in inside:
            entry = Terms()
            for j in inside:
                if i != j:
                    _add_terms(function, known, g, i, j, entry, over_t)
            entry.lose(len(indices) * lost)
            over_t.lose(lost)
            by_logits.put(i, entry)
    return {"x": by_logits, "temperature": stacked(by_temperature)}


def _add_terms(  # noqa: PLR0917
    function: str, known: Any, g: ExactArray, i: Any, j: Any, entry: Terms, over_t: Terms
) -> None:
    """Add what elements i and j give to the derivative by logit i and by the temperature."""
    t = known.temperature[i]
    p_i, p_j = known.softmax[i], known.softmax[j]
    z_i, z_j = -known.distance[i], -known.distance[j]
    # At another temperature than 1 two roundings separate z from the logits, as in the forward
    # pass: the quotient's besides the shift's.
    own, other = (roundings(t) * known.distance[k] for k in (i, j))
    farther = max(own, other)
    if function == "softmax":
        entry.add(p_i * p_j * g[i] / t, farther)
        entry.add(-p_i * p_j * g[j] / t, farther)
        over_t.add(-g[i] * p_i * p_j * z_i / t, farther)
        over_t.add(g[i] * p_i * p_j * z_j / t, farther)
    else:
        entry.add(g[i] * p_j / t, farther)
        entry.add(-p_i * g[j] / t, own)
        over_t.add(-g[i] * p_j * z_i / t, other)
        over_t.add(g[i] * p_j * z_j / t, other)


def logsumexp_gradients(
    x: Any, cotangent: Any, *, axis: Axis = None, weights: Any = None, where: Any = None
) -> dict[str, Scaled]:
    """Return the derivatives of logsumexp by the logits and by the weights.

    Elements that are left out have derivative 0 by their logit; one that only weighs 0 has
    the derivative exp(x - y) by its weight.

    Examples
    --------
    >>> gradients = logsumexp_gradients([0.0, 0.0], 1.0, weights=[1.0, 0.0])
    >>> [float(d) for d in gradients["x"].value], [float(d) for d in gradients["weights"].value]
    ([1.0, 0.0], [1.0, 1.0])
    """
    logits = exact(x)
    y = np.broadcast_to(
        logsumexp(x, axis=axis, weights=weights, where=where, keepdims=True), logits.shape
    )
    g = np.broadcast_to(exact(cotangent), logits.shape)
    w = np.broadcast_to(exact(1.0 if weights is None else weights), logits.shape)
    taking_part = np.broadcast_to(True if where is None else where, logits.shape)
    by_logit, by_weight = nothing(logits.shape), nothing(logits.shape)
    for indices in slice_indices(logits.shape, axis):
        for i in indices:
            if taking_part[i] and PRECISE.isfinite(logits[i]) and PRECISE.isfinite(y[i]):
                share = g[i] * PRECISE.exp(logits[i] - y[i])
                for derivative, term in ((by_logit, w[i] * share), (by_weight, share)):
                    entry = Terms()
                    entry.add(term, abs(logits[i] - y[i]))
                    entry.lose(len(indices) * max(1, abs(g[i])))
                    derivative.put(i, entry)
    return {"x": by_logit, "weights": by_weight}


def slice_indices(shape: tuple[int, ...], axis: Axis) -> Iterable[list[tuple[int, ...]]]:
    """Yield the indices of the elements of each slice, slices in row-major order."""
    axes = axis_numbers(axis, len(shape))
    outer = [n for i, n in enumerate(shape) if i not in axes]
    slices: dict[tuple[int, ...], list[tuple[int, ...]]] = {i: [] for i in np.ndindex(*outer)}
    for index in np.ndindex(*shape):
        slices[tuple(n for i, n in enumerate(index) if i not in axes)].append(index)
    return slices.values()
