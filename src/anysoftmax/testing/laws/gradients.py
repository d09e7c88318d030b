"""Derivatives: accurate, finite, and 0 where nothing depends on the input."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import allow, judge
from anysoftmax.testing.formats import FORMATS
from anysoftmax.testing.laws.law import law
from anysoftmax.testing.oracle.gradients import (
    logsumexp_gradients,
    normalise_gradients,
)
from anysoftmax.testing.strategies import Case, cases, examples

__all__ = [
    "gradient_accuracy",
    "gradients_at_edges",
    "masked_gradients",
    "second_derivatives",
    "weight_gradients",
]

NumpyArray = np.ndarray[Any, Any]

INF, NAN = np.inf, np.nan
SHAPE = (3, 5)
FAMILIES = ("ordinary", "ties", "saturated", "offset", "minus infinite")


def _differentiable(backend: Backend) -> bool:
    return backend.differentiable


def _wide(backend: Backend) -> list[str]:
    return [name for name in backend.dtypes if not FORMATS[name].is_16_bit]


def _cotangents(shape: tuple[int, ...]) -> st.SearchStrategy[NumpyArray]:
    """Draw quarters, which every dtype holds, with zeros among them."""
    number = int(np.prod(shape))
    quarters = st.lists(st.integers(-8, 8), min_size=number, max_size=number)
    return quarters.map(lambda steps: np.asarray(steps, dtype=np.float32).reshape(shape) / 4)


@law(fault="a derivative is inaccurate, saturated winners' in particular", applies=_differentiable)
def gradient_accuracy(backend: Backend, functions: Any) -> None:
    """Judge the derivatives by logits and temperatures of softmax and log_softmax."""
    drawn = cases(
        backend,
        families=FAMILIES,
        dtypes=_wide(backend),
        shapes=[(SHAPE, -1)],
        temperatures=(1.0, 0.5, 0.7, 3.0),
    )

    @examples(backend, drawn, _cotangents(SHAPE))
    def holds(case: Case, g: NumpyArray) -> None:
        _judge_derivatives(backend, functions, case, g)

    holds()
    # Far from the winner the rounding of the quotient adds to that of the difference.
    rng = np.random.default_rng(11)
    for dtype in _wide(backend):
        reach = -0.9 * math.log(float(FORMATS[dtype].smallest_normal))
        for temperature in (1.0, 0.7, 3.0):
            far = rng.uniform(-reach * temperature, 0, size=SHAPE).astype(dtype)
            g = rng.integers(-8, 8, size=SHAPE) / 4
            _judge_derivatives(backend, functions, Case(far, dtype, temperature=temperature), g)


def _judge_derivatives(backend: Backend, functions: Any, case: Case, g: NumpyArray) -> None:
    column = np.broadcast_to(case.format.round(case.temperature), (SHAPE[0], 1))
    case = case.but(temperature=np.array(column))
    for function in ("softmax", "log_softmax"):
        # A class of probability 0 has log-probability -inf, which has no derivative.
        usable = g if function == "softmax" else np.where(case.values > -INF, g, 0)
        exact = normalise_gradients(function, case.values, usable, temperature=case.temperature)
        inputs = {"x": case.values, "temperature": case.temperature}
        got = _gradients(backend, functions, function, case, usable, inputs)
        for name, gradient in exact.items():
            expected = allow(gradient, case.format, flushes=backend.flushes_subnormals)
            shape = inputs[name].shape
            judge(got[name], expected.reshape(lambda a, shape=shape: a.reshape(shape)))


@law(
    fault="a derivative of logsumexp by logits or weights is wrong, where a weight is 0 above all",
    applies=_differentiable,
)
def weight_gradients(backend: Backend, functions: Any) -> None:
    """Judge the derivatives of logsumexp; a weight of 0 has one as every other."""

    @examples(
        backend,
        cases(
            backend,
            families=("ordinary", "ties", "offset"),
            dtypes=_wide(backend),
            shapes=[(SHAPE, -1)],
            weights=True,
        ),
        _cotangents(SHAPE[:1]),
    )
    def holds(case: Case, g: NumpyArray) -> None:
        assert case.weights is not None
        case.weights[:, 0] = 1  # logsumexp of nothing is -inf: no derivative by its weights
        exact = logsumexp_gradients(case.values, g[:, None], axis=-1, weights=case.weights)
        inputs = {"x": case.values, "weights": case.weights}
        got = _gradients(backend, functions, "logsumexp", case, g, inputs)
        for name, gradient in exact.items():
            judge(got[name], allow(gradient, case.format, flushes=backend.flushes_subnormals))

    holds()


@law(fault="what a masked element holds shows in a derivative", applies=_differentiable)
def masked_gradients(backend: Backend, functions: Any) -> None:
    """Behind the mask derivatives are 0, and those before it do not see what is there."""
    mask = np.asarray([[True, True, False, True], [False] * 4])
    g = np.asarray([[1.0, -0.5, 2.0, 0.25], [1.0, 1.0, 0.5, -1.0]])
    for dtype in backend.some(backend.dtypes):
        clean = np.asarray([[0.5, 2.0, 0.0, -1.0], [0.0, 0.0, 0.0, 0.0]], dtype=np.float32)
        case = Case(clean, dtype)
        for function, cotangent in (("softmax", g), ("log_softmax", g), ("logsumexp", g[:, 0])):
            known = None
            for hidden in (0.0, 100.0, 1e38, INF, -INF, NAN):
                values = case.format.round(np.where(mask, clean, hidden))
                got = _gradients(
                    backend, functions, function, case, cotangent, {"x": values}, where=mask
                )["x"]
                what = f"{function} of {dtype} with {hidden} behind the mask"
                assert (got[~mask] == 0).all(), f"{what}: derivatives {got}"
                assert np.isfinite(got).all(), f"{what}: derivatives {got}"
                known = got if known is None else known
                assert np.array_equal(got, known), f"{what}: derivatives {got}, not {known}"


@law(fault="a derivative is NaN or infinite where the value is finite", applies=_differentiable)
def gradients_at_edges(backend: Backend, functions: Any) -> None:
    """-inf, +inf, huge logits and the temperatures 0 and inf: derivatives are finite, mostly 0."""
    rows: tuple[tuple[str, tuple[float, ...], float], ...] = (
        ("-inf", (-INF, 0.5, 0.25), 1.0),
        ("-inf beside one class", (-INF, 3.0, -INF), 1.0),
        ("saturated", (500.0, 0.0, -500.0), 1.0),
        ("+inf", (0.0, INF, -INF), 1.0),
        ("huge", (1e38, -1e38, 1e37), 1.0),
        ("T = 0", (1.0, 3.0, 2.0), 0.0),
        ("T = inf", (1.0, 3.0, 2.0), INF),
        ("tiny T", (1.0, 3.0, 2.0), 1e-30),
        ("huge T", (1.0, 3.0, 2.0), 1e30),
    )
    for dtype in _wide(backend):
        for name, logits, t in rows:
            x = np.asarray(logits, dtype=dtype)
            temperature = np.asarray(t, dtype=dtype)
            case = Case(x, dtype)
            for function in ("softmax", "log_softmax"):
                known = case.but(temperature=t).expect(backend, function).values
                finite = np.asarray([abs(float(v)) < INF for v in known])
                g = np.where(finite, [1.0, -0.5, 0.75], 0.0)
                inputs = {"x": x, "temperature": temperature}
                got = _gradients(backend, functions, function, case, g, inputs)
                what = f"{function}, {name}, {dtype}"
                assert np.isfinite(got["x"]).all(), f"{what}: by the logits {got['x']}"
                assert (got["x"][np.isneginf(x)] == 0).all(), f"{what}: by -inf {got['x']}"
                if t in {0.0, INF}:
                    assert (got["x"] == 0).all(), f"{what}: by the logits {got['x']}"
                    assert np.isfinite(got["temperature"]), f"{what}: by T"
                elif name != "+inf":
                    _judge_edge(function, case.but(temperature=temperature), g, got, backend)
        for logits in ((-INF, -INF), (-INF, 2.0), (500.0, -500.0), (1e38, -1e38)):
            case = Case(np.asarray(logits, dtype=dtype), dtype)
            (got_x,) = _gradients(
                backend, functions, "logsumexp", case, np.asarray(1.0), {"x": case.values}
            ).values()
            weight = [1.0 if v == max(logits) > -INF else 0.0 for v in logits]
            assert (got_x == weight).all(), f"logsumexp of {logits}: derivatives {got_x}"


def _judge_edge(
    function: str, case: Case, g: NumpyArray, got: dict[str, NumpyArray], backend: Backend
) -> None:
    """Hold derivatives of one slice to their bound: one may be too large for the dtype."""
    known = normalise_gradients(function, case.values, g, temperature=case.temperature)
    for name, gradient in known.items():
        expected = allow(gradient, case.format, flushes=backend.flushes_subnormals)
        judge(got[name], expected.reshape(lambda a, shape=got[name].shape: a.reshape(shape)))


@law(fault="second derivatives are wrong, at ties above all", applies=_differentiable)
def second_derivatives(backend: Backend, functions: Any) -> None:
    """Hessians of logsumexp, of a probability and of its logarithm, with and without ties."""
    slices = ((0.0, 0.0), (1.0, 1.0, 1.0), (2.0, 2.0, 0.5), (0.25, -1.0, 3.0), (0.0, -40.0))
    for dtype in _wide(backend) if backend.cost == 1 else [backend.default_dtype]:
        for logits in slices:
            x = np.asarray(logits, dtype=dtype)
            n = len(x)
            p = np.exp(np.asarray(logits) - max(logits))
            p /= p.sum()
            covariance = np.diag(p) - np.outer(p, p)
            away = np.eye(n)[0] - p
            known = {
                "logsumexp": covariance,
                "softmax": p[0] * (np.outer(away, away) - covariance),
                "log_softmax": -covariance,
            }
            for name, expected in known.items():
                function = getattr(functions, name)
                got = backend.hessian(_first(function) if name != "logsumexp" else function, x)
                off = float(np.max(np.abs(got - expected)))
                allowed = 32 * 2.0 ** -FORMATS[dtype].precision
                assert off <= allowed, f"Hessian of {name} at {logits}, {dtype}: {got}"


@functools.cache  # a compiler takes a function that it knows for compiled
def _first(function: Any) -> Any:
    """Return the function that gives the first element of another one's result."""

    def first(x: Any) -> Any:
        return function(x)[0]

    return first


def _gradients(  # noqa: PLR0917
    backend: Backend,
    functions: Any,
    function: str,
    case: Case,
    cotangent: NumpyArray,
    inputs: dict[str, NumpyArray],
    **options: Any,
) -> dict[str, NumpyArray]:
    """Differentiate one function along the last axis, everything in the dtype of the case."""
    arrays = {name: backend.array(a, dtype=case.dtype) for name, a in inputs.items()}
    return backend.gradients(
        getattr(functions, function),
        backend.array(cotangent, dtype=case.dtype),
        arrays,
        axis=-1,
        **options,
    )
