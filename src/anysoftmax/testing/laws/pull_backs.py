"""Pull-backs from the output: accurate for what they are given, 0 where nothing is shared."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import judge
from anysoftmax.testing.formats import FORMATS
from anysoftmax.testing.laws.law import law
from anysoftmax.testing.strategies import Case, cases, examples

__all__ = ["pull_back_accuracy", "pull_backs_at_edges"]

NumpyArray = np.ndarray[Any, Any]

INF, NAN = np.inf, np.nan
PULL_BACKS = ("softmax_vjp", "log_softmax_vjp")


@law(fault="a pull-back is inaccurate for the output that it is given, a sure winner's above all")
def pull_back_accuracy(backend: Backend, functions: Any) -> None:
    """Judge softmax_vjp and log_softmax_vjp by their own arguments, on any axis."""
    drawn = cases(backend, masks=True, temperatures=(1.0, 0.5, 0.7, 3.0))

    @examples(backend, drawn, st.sampled_from([0.25, 1.0, 40.0]))
    def holds(case: Case, size: float) -> None:
        for function in PULL_BACKS:
            suited = case.suited(function)
            assert suited.second is not None
            suited = suited.but(second=suited.format.round(suited.second * size))
            got = suited.call(backend, functions, function)
            expected = suited.expect(backend, function)
            judge(got, expected, flushes=backend.flushes_subnormals)

    holds()
    # Probabilities that do not sum to 1, as rounding to 16 bits leaves them.
    shares = np.asarray([[0.5, 0.25, 0.125], [0.875, 0.0625, 0.0]])
    g = np.asarray([[1.0, -0.5, 0.25], [-2.0, 0.75, 3.0]])
    for dtype in backend.some(backend.dtypes):
        for function in PULL_BACKS:
            with np.errstate(divide="ignore"):
                output = shares if function == "softmax_vjp" else np.log(shares)
            case = Case(FORMATS[dtype].round(output), dtype, second=g)
            got = case.call(backend, functions, function)
            judge(got, case.expect(backend, function), flushes=backend.flushes_subnormals)


@law(fault="a cotangent that nothing depends on shows in a pull-back")
def pull_backs_at_edges(backend: Backend, functions: Any) -> None:
    """0 where the probability is, whatever the cotangent there; 0 at the temperatures 0 and inf."""
    g = np.asarray([[0.5, -1.0, 2.0], [1.0, 1.0, -0.25]])
    outputs = {
        "softmax_vjp": np.asarray([[0.0, 0.25, 0.75], [0.0, 1.0, 0.0]]),
        "log_softmax_vjp": np.asarray([[-INF, -1.5, -0.25], [-INF, 0.0, -INF]]),
    }
    for dtype in backend.some(backend.dtypes):
        for function, output in outputs.items():
            absent = np.asarray([[True, False, False], [True, False, True]])
            case = Case(output, dtype, second=g)
            known = case.call(backend, functions, function)
            assert (known[absent] == 0).all(), f"{function}: {known}"
            for hidden in (NAN, INF, -INF, 1e38):
                other = case.but(second=case.format.round(np.where(absent, hidden, g)))
                got = other.call(backend, functions, function)
                what = f"{function} of {dtype} with the cotangent {hidden} where nothing is shared"
                assert np.array_equal(got, known), f"{what}: {got}, not {known}"
            for temperature in (0.0, INF):
                got = case.but(temperature=temperature).call(backend, functions, function)
                assert (got == 0).all(), f"{function} at T = {temperature}: {got}"
