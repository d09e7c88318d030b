"""The references themselves: against each other, against definitions, and against the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anysoftmax.testing.laws.special_values import SPECIAL_VALUES, SpecialValue
from anysoftmax.testing.oracle import exact, extended
from anysoftmax.testing.oracle.gradients import logsumexp_gradients, normalise_gradients

MP = exact.PRECISE


def test_softmax_of_winner_by_700_keeps_its_log_probability() -> None:
    y = exact.log_softmax([700.0, 0.0])[0]
    assert abs(y / -MP.exp(-700) - 1) < MP.mpf(10) ** -50


@pytest.mark.parametrize("row", SPECIAL_VALUES, ids=lambda row: row.name)
def test_special_values_are_those_of_the_table(row: SpecialValue) -> None:
    where = None if row.where is None else np.asarray(row.where)
    known = exact.normalise(
        np.asarray(row.logits, dtype=float), where=where, temperature=row.temperature
    )
    for got, expected in ((known.softmax, row.softmax), (known.log_softmax, row.log_softmax)):
        assert np.array_equal(got.astype(float), np.asarray(expected, float), equal_nan=True)
    if row.logsumexp is not None:
        total = exact.logsumexp(np.asarray(row.logits, dtype=float), where=where)
        assert np.array_equal(float(total[()]), row.logsumexp, equal_nan=True)


@pytest.mark.skipif(not extended.AVAILABLE, reason="long double is float64 on this machine")
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_extended_precision_is_right_to_a_hundredth_of_an_ulp(scale: float) -> None:
    x = np.random.default_rng(1).normal(scale=scale, size=(2, 500))
    for name in ("softmax", "log_softmax", "logsumexp"):
        known = np.ravel(getattr(exact, name)(x, axis=-1))
        got = np.ravel(exact.exact(getattr(extended, name)(x, axis=-1)))
        spacing = exact.exact(np.spacing(np.abs(known.astype(float))))
        distance = np.max(x) - np.min(x)  # a long double loses as much as float64, 11 bits later
        worst = max(abs(got - known) / spacing)
        assert worst < 0.01 * max(1.0, distance / 10)


def test_extended_precision_sums_a_million_terms_in_either_layout() -> None:
    x = np.zeros((1_000_000, 2))
    assert np.all(extended.softmax(x, axis=0) == 1 / np.longdouble(1_000_000))
    assert np.all(extended.softmax(np.ascontiguousarray(x.T), axis=1)[:, 0] > 0)


def derivative(function: Any, place: Any) -> Any:
    """Return the derivative of a function of one exact number, by its definition."""
    step = MP.mpf(2) ** -60
    return (function(place + step) - function(place - step)) / (2 * step)


X = [0.5, 2.0, -1.25, 2.0]
G = [1.0, -0.5, 0.25, 0.75]
W = [1.0, 0.0, 2.0, 0.5]
T = 0.75


def loss(name: str, x: list[Any], t: Any) -> Any:
    """Return sum g f(x / T), as plainly as possible."""
    e = [MP.exp(xi / t) for xi in x]
    p = [ei / MP.fsum(e) for ei in e]
    f = p if name == "softmax" else [MP.log(pi) for pi in p]
    return MP.fsum(gi * fi for gi, fi in zip(G, f, strict=True))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_gradients_are_the_derivatives_of_the_definition(name: str) -> None:
    gradients = normalise_gradients(name, X, G, temperature=T)
    for i, x_i in enumerate(X):
        known = derivative(lambda v, i=i: loss(name, [*X[:i], v, *X[i + 1 :]], MP.mpf(T)), x_i)
        assert abs(gradients["x"].value[i] - known) < MP.mpf(2) ** -100
    known = derivative(lambda t: loss(name, X, t), MP.mpf(T))
    assert abs(gradients["temperature"].value[0] - known) < MP.mpf(2) ** -100


def test_logsumexp_gradients_are_the_derivatives_of_the_definition() -> None:
    def total(x: list[Any], w: list[Any]) -> Any:
        return MP.log(MP.fsum(wi * MP.exp(xi) for wi, xi in zip(w, x, strict=True)))

    gradients = logsumexp_gradients(X, 1.0, weights=W)
    for i in range(len(X)):
        by_x = derivative(lambda v, i=i: total([*X[:i], v, *X[i + 1 :]], W), X[i])
        by_w = derivative(lambda v, i=i: total(X, [*W[:i], v, *W[i + 1 :]]), W[i])
        assert abs(gradients["x"].value[i] - by_x) < MP.mpf(2) ** -100
        assert abs(gradients["weights"].value[i] - by_w) < MP.mpf(2) ** -100


def test_saturated_winner_has_a_derivative() -> None:
    gradients = normalise_gradients("log_softmax", [700.0, 0.0], [1.0, 0.0])
    assert abs(gradients["x"].value[0] / MP.exp(-700) - 1) < MP.mpf(2) ** -150
