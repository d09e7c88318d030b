"""Derivatives of losses, entropies and divergences, with automatic differentiation and without."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import allow, judge
from anysoftmax.testing.formats import FORMATS
from anysoftmax.testing.laws.law import law
from anysoftmax.testing.oracle.cross_entropy import cross_entropy_gradients
from anysoftmax.testing.oracle.entropy import entropy_gradients, kl_divergence_gradients
from anysoftmax.testing.oracle.terms import Scaled
from anysoftmax.testing.strategies import (
    Case,
    cases,
    examples,
    with_second_logits,
    with_targets,
)

__all__ = [
    "cross_entropy_derivatives",
    "cross_entropy_gradient",
    "divergence_derivatives",
    "entropy_derivatives",
    "infinite_losses",
    "loss_hessians",
]

NumpyArray = np.ndarray[Any, Any]

INF, NAN = np.inf, np.nan
SHAPE = (3, 5)
FAMILIES = ("ordinary", "ties", "saturated", "offset", "minus infinite")
TEMPERATURES = (1.0, 0.5, 0.7, 3.0)


def _differentiable(backend: Backend) -> bool:
    return backend.differentiable


def _to_differentiate(backend: Backend, families: Sequence[str]) -> st.SearchStrategy[Case]:
    """Draw masked logits of one shape, for which functions are compiled once."""
    return cases(
        backend,
        families=families,
        dtypes=_wide(backend),
        shapes=[(SHAPE, -1)],
        temperatures=TEMPERATURES,
        masks=True,
    )


def _wide(backend: Backend) -> list[str]:
    return [name for name in backend.dtypes if not FORMATS[name].is_16_bit]


@law(fault="cross_entropy_grad is inaccurate, for saturated winners in particular")
def cross_entropy_gradient(backend: Backend, functions: Any) -> None:
    """Judge the gradient without automatic differentiation, with every option."""
    drawn = cases(backend, families=FAMILIES, masks=True, temperatures=(*TEMPERATURES, 0.0, INF))

    @examples(backend, with_targets(drawn, backend))
    def holds(case: Case) -> None:
        got = case.call(backend, functions, "cross_entropy_grad")
        expected = case.expect(backend, "cross_entropy_grad")
        judge(got, expected, flushes=backend.flushes_subnormals)
        assert case.where is not None
        inside = case.taking_part & (case.values != -INF)
        assert (got[~inside] == 0).all(), f"derivatives {got} by what takes no part"

    holds()


@law(fault="a derivative of cross_entropy is inaccurate or missing", applies=_differentiable)
def cross_entropy_derivatives(backend: Backend, functions: Any) -> None:
    """Judge derivatives by logits, temperature, probabilities and weights."""
    drawn = _to_differentiate(backend, FAMILIES)
    # A weight of 0 takes its sample out: the loss has no derivative by it. A loss that is infinite
    # has none either, except by the logits, and another law is about those.
    targets = with_targets(drawn, backend, least_weight=0.25, strays=False)

    @examples(backend, targets, st.integers(1, 8))
    def holds(case: Case, step: int) -> None:
        assert case.second is not None
        inputs: dict[str, Any] = {"x": case.values, "temperature": _column(case)}
        labelled = case.second.ndim == 1
        if not labelled:
            inputs["y"] = case.second
        if case.class_weights is not None:
            inputs["class_weights"] = case.class_weights
        if case.sample_weights is not None:
            inputs["sample_weights"] = np.broadcast_to(case.sample_weights, case.slices)
        shape = case.slices if case.reduction == "none" else ()
        g = np.full(shape, step / 4)
        options = {"class_weights": case.class_weights, "sample_weights": case.sample_weights}
        known = cross_entropy_gradients(
            case.values,
            case.second,
            g,
            temperature=_column(case),
            where=case.where,
            label_smoothing=case.label_smoothing,
            reduction=case.reduction,
            **options,
        )
        got = _gradients(
            backend,
            functions.cross_entropy,
            case,
            g,
            inputs,
            *([case.second] if labelled else []),
            where=case.where,
            label_smoothing=case.label_smoothing,
            reduction=case.reduction,
        )
        for name in inputs:
            _judge(got[name], known[name], case, backend)

    holds()


@law(fault="a derivative of the entropy is inaccurate", applies=_differentiable)
def entropy_derivatives(backend: Backend, functions: Any) -> None:
    """Judge derivatives by logits and temperature."""
    drawn = _to_differentiate(backend, FAMILIES)

    @examples(backend, drawn, st.integers(1, 8))
    def holds(case: Case, step: int) -> None:
        inputs = {"x": case.values, "temperature": _column(case)}
        g = np.full(SHAPE[:1], step / 4)
        known = entropy_gradients(case.values, g, temperature=_column(case), where=case.where)
        got = _gradients(backend, functions.entropy, case, g, inputs, where=case.where)
        for name in inputs:
            _judge(got[name], known[name], case, backend)

    holds()


@law(fault="a derivative of the divergence is inaccurate", applies=_differentiable)
def divergence_derivatives(backend: Backend, functions: Any) -> None:
    """Judge derivatives by both logits and by the temperature, where the divergence is finite."""
    drawn = _to_differentiate(backend, FAMILIES[:-1])

    @examples(backend, with_second_logits(drawn), st.integers(1, 8))
    def holds(case: Case, step: int) -> None:
        assert case.second is not None
        inputs = {"x": case.values, "y": case.second, "temperature": _column(case)}
        g = np.full(SHAPE[:1], step / 4)
        known = kl_divergence_gradients(
            case.values, case.second, g, temperature=_column(case), where=case.where
        )
        got = _gradients(backend, functions.kl_divergence, case, g, inputs, where=case.where)
        for name in inputs:
            _judge(got[name], known[name], case, backend)

    holds()


@law(fault="a loss that is infinite, or weighs nothing, makes a gradient NaN")
def infinite_losses(backend: Backend, functions: Any) -> None:
    """Derivatives by the logits are finite where a target is masked, or its sample weighs 0.

    The other samples have theirs, and what stands behind the mask shows nowhere.
    """
    clean = np.asarray([[0.5, 2.0, -1.0], [0.25, 1.0, 0.0], [1.0, 0.5, -INF], [3.0, 0.0, 1.0]])
    mask = np.asarray([[True] * 3, [True, True, False], [True] * 3, [False] * 3])
    labels = np.asarray([1, 2, 2, 0], dtype=np.int32)
    shares = np.asarray([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]])
    for dtype in backend.some(backend.dtypes):
        base = Case(clean, dtype, where=mask, reduction="sum")
        for case in backend.some(
            (
                base.but(second=labels),
                base.but(second=labels, label_smoothing=0.25),
                base.but(second=labels, sample_weights=np.asarray([1.0, 0.0, 0.5, 0.0])),
                base.but(second=shares),
            )
        ):
            expected = case.expect(backend, "cross_entropy_grad")
            for hidden in backend.some((0.0, 1e38, INF, -INF, NAN)):
                values = case.format.round(np.where(mask, clean, hidden))
                filled = case.but(values=values)
                results = [filled.call(backend, functions, "cross_entropy_grad")]
                if backend.differentiable and not case.format.is_16_bit:
                    results.append(_by_logits(backend, functions, filled))
                for got in results:
                    assert np.isfinite(got).all(), f"{hidden} behind the mask: {got}"
                    judge(got, expected, flushes=backend.flushes_subnormals)


def _by_logits(backend: Backend, functions: Any, case: Case) -> NumpyArray:
    """Return the derivatives of a sum of losses by automatic differentiation."""
    options = case.arguments(backend, "cross_entropy")
    first, second = case.arrays(backend, "cross_entropy")
    one = backend.array(np.asarray(1.0), dtype=case.dtype)
    return backend.gradients(functions.cross_entropy, one, {"x": first}, second, **options)["x"]


@law(fault="a second derivative of a loss or entropy is wrong", applies=_differentiable)
def loss_hessians(backend: Backend, functions: Any) -> None:
    """Hessians at ties, without ties, and where a class is all but certain."""
    slices = ((0.0, 0.0, 0.0), (2.0, 2.0, 0.5), (0.25, -1.0, 3.0), (0.0, -40.0, -42.0))
    for dtype in _wide(backend) if backend.cost == 1 else [backend.default_dtype]:
        for logits in slices:
            x = np.asarray(logits)
            p = np.exp(x - x.max())
            p /= p.sum()
            log_p = x - x.max() - np.log(np.exp(x - x.max()).sum())
            covariance = np.diag(p) - np.outer(p, p)
            # Of H = -sum p log p: the first derivative is -p (log p + H).
            h = -np.sum(p * log_p)
            slope = -p * (log_p + h)
            of_entropy = -covariance * (log_p + h)[:, None] - np.diag(p) + np.outer(p, p)
            of_entropy -= np.outer(p, slope)
            known = {"cross_entropy": covariance, "entropy": of_entropy}
            for name, expected in known.items():
                function = getattr(functions, name)
                one = _of_first_class(function) if name == "cross_entropy" else function
                got = backend.hessian(one, x.astype(dtype))
                off = float(np.max(np.abs(got - expected)))
                allowed = 64 * 2.0 ** -FORMATS[dtype].precision
                assert off <= allowed, f"Hessian of {name} at {logits}, {dtype}: {got}"
    _saturated_hessian(backend, functions)


def _saturated_hessian(backend: Backend, functions: Any) -> None:
    """The curvature of a winner ahead by 40 is p (1 - p) = exp(-40), not 0."""
    x = np.asarray([0.0, -40.0], dtype=backend.default_dtype)
    got = backend.hessian(_of_first_class(functions.cross_entropy), x)
    known = np.exp(-40.0) * np.asarray([[1.0, -1.0], [-1.0, 1.0]])
    off = np.max(np.abs(got / known - 1))
    assert off <= 128 * 2.0 ** -FORMATS[backend.default_dtype].precision, f"Hessian {got}"


@functools.cache  # a compiler takes a function that it knows for compiled
def _of_first_class(function: Any) -> Any:
    """Return the loss of logits whose target is their first class."""

    def loss(x: Any) -> Any:
        return function(x, 0)

    return loss


def _column(case: Case) -> NumpyArray:
    """Return one temperature for each slice, as rounded to the dtype."""
    return np.array(np.broadcast_to(case.format.round(case.temperature), (SHAPE[0], 1)))


def _judge(got: NumpyArray, known: Scaled, case: Case, backend: Backend) -> None:
    """Hold derivatives to their bound; one that is infinite can't be told in a dtype."""
    expected = allow(known.reshape(got.shape), case.format, flushes=backend.flushes_subnormals)
    told = np.asarray([abs(v) < INF for v in expected.values.ravel()]).reshape(got.shape)
    expected.values[~told] = expected.allowed[~told] = 0
    judge(np.where(told, got, 0), expected, flushes=backend.flushes_subnormals)


def _gradients(
    backend: Backend,
    function: Any,
    case: Case,
    cotangent: NumpyArray,
    inputs: dict[str, NumpyArray],
    *arrays: NumpyArray,
    **options: Any,
) -> dict[str, NumpyArray]:
    """Differentiate along the last axis, everything that is not an integer in the case's dtype."""
    leaves = {name: backend.array(a, dtype=case.dtype) for name, a in inputs.items()}
    g = backend.array(cotangent, dtype=case.dtype)
    return backend.gradients(function, g, leaves, *arrays, axis=-1, **options)
