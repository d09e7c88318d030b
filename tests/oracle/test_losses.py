"""References of losses, entropies and pull-backs, against definitions and other libraries."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from anysoftmax.testing.oracle import cross_entropy as ce
from anysoftmax.testing.oracle import entropy as information
from anysoftmax.testing.oracle import exact, pullbacks
from anysoftmax.testing.oracle.gradients import normalise_gradients

MP = exact.PRECISE
INF, NAN = np.inf, np.nan
TINY = MP.mpf(2) ** -100

X = np.asarray([[0.5, 2.0, -1.25, 2.0], [0.0, -3.0, 1.5, 0.25], [1.0, 1.0, 1.0, 40.0]])
Y = np.asarray([[0.25, 1.0, -1.25, 2.5], [0.5, -3.0, 1.5, 0.0], [0.0, 1.0, -1.0, 2.0]])
MASK = np.asarray([[True, True, False, True], [True] * 4, [True, True, True, True]])
LABELS = np.asarray([1, 2, 0])
Q = np.asarray([[0.5, 0.25, 0.0, 0.25], [0.0, 1.0, 0.0, -0.5], [0.25, 0.25, 0.25, 0.5]])
C = np.asarray([1.0, 0.5, 2.0, 0.0])
S = np.asarray([1.0, 0.25, 3.0])
T = 0.75

OPTIONS: list[dict[str, Any]] = [
    {"label_smoothing": e, "class_weights": c, "sample_weights": s, "where": w}
    for e, c, s, w in product((0.0, 0.25), (None, C), (None, S), (None, MASK))
]


def shares(row: Any, t: Any, mask: Any) -> list[Any]:
    """Return a softmax, as plainly as possible."""
    e = [MP.exp(MP.mpf(v) / t) if m else MP.mpf(0) for v, m in zip(row, mask, strict=True)]
    return [v / MP.fsum(e) for v in e]


def plain_losses(x: Any, targets: Any, t: Any = T, **options: Any) -> tuple[list[Any], list[Any]]:
    """Return the formula of cross-entropy row by row, and each row's share in the mean."""
    c, s = options.get("class_weights"), options.get("sample_weights")
    where, e = options.get("where"), MP.mpf(options.get("label_smoothing", 0.0))
    c = [1.0] * 4 if c is None else c
    losses, importances = [], []
    for b, row in enumerate(x):
        mask = [True] * 4 if where is None else where[b]
        p = shares(row, t, mask)
        labelled = np.ndim(targets) == 1
        q = [float(i == targets[b]) for i in range(4)] if labelled else targets[b]
        weight = 1.0 if s is None else s[b]
        smooth = [e / sum(mask) if m else MP.mpf(0) for m in mask]
        k = [c[i] * ((1 - e) * q[i] + smooth[i]) for i in range(4)]
        losses.append(weight * MP.fsum(-k[i] * MP.log(p[i]) for i in range(4) if k[i] != 0))
        importances.append(weight * (c[targets[b]] if labelled else 1))
    return losses, importances


def plain(x: Any, targets: Any, reduction: str, **options: Any) -> Any:
    losses, importances = plain_losses(x, targets, **options)
    return MP.fsum(losses) / (MP.fsum(importances) if reduction == "mean" else 1)


def derivative(function: Any, array: Any, place: Any) -> Any:
    """Return the derivative of a function of an array by one of its elements."""
    step = MP.mpf(2) ** -60
    values = []
    for sign in (1, -1):
        moved = exact.exact(array)
        moved[place] += sign * step
        values.append(function(moved))
    return (values[0] - values[1]) / (2 * step)


@pytest.mark.parametrize("targets", [LABELS, Q], ids=["labels", "probabilities"])
@pytest.mark.parametrize("options", OPTIONS)
def test_cross_entropy_is_its_formula(options: dict[str, Any], targets: Any) -> None:
    losses, _ = plain_losses(X, targets, **options)
    got = ce.cross_entropy(X, targets, temperature=T, reduction="none", **options).value
    assert max(abs(got - np.asarray(losses))) < TINY
    for reduction in ("sum", "mean"):
        got = ce.cross_entropy(X, targets, temperature=T, reduction=reduction, **options).value[()]
        assert abs(got - plain(X, targets, reduction, **options)) < TINY


@pytest.mark.parametrize("targets", [LABELS, Q], ids=["labels", "probabilities"])
@pytest.mark.parametrize("options", OPTIONS)
def test_gradients_of_cross_entropy_are_its_derivatives(
    options: dict[str, Any], targets: Any
) -> None:
    defaults = {"class_weights": np.ones(4), "sample_weights": np.ones(3)}
    options = {n: defaults.get(n) if v is None else v for n, v in options.items()}
    for reduction in ("sum", "mean"):

        def loss(reduction: str = reduction, **changed: Any) -> Any:
            arguments = {"x": X, "targets": targets, "t": T, **options, **changed}
            return plain(arguments.pop("x"), arguments.pop("targets"), reduction, **arguments)

        by = ce.cross_entropy_gradients(X, targets, temperature=T, reduction=reduction, **options)
        inputs = [("x", "x", X), ("class_weights", "class_weights", options["class_weights"])]
        inputs += [("sample_weights", "sample_weights", options["sample_weights"])]
        inputs += [("y", "targets", Q)] if targets is Q else []
        for name, option, array in inputs:
            for place in np.ndindex(array.shape):
                if array is not X and place[-1] == 2 and options["where"] is not None:
                    continue  # by what weighs an infinite loss
                if name == "class_weights" and array[place] == 0:
                    continue  # counts nothing, by decree
                known = derivative(lambda a, o=option: loss(**{o: a}), array, place)
                assert abs(by[name].value[place] - known) < TINY, name
        known = derivative(lambda t: loss(t=t[()]), np.asarray(T), ())
        assert abs(sum(by["temperature"].value) - known) < TINY


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, C])
def test_cross_entropy_is_that_of_pytorch(reduction: str, smoothing: float, weights: Any) -> None:
    torch = pytest.importorskip("torch")
    x, c = torch.tensor(X), None if weights is None else torch.tensor(weights)
    for targets in (LABELS, Q):
        known = torch.nn.functional.cross_entropy(
            x, torch.tensor(targets), c, reduction=reduction, label_smoothing=smoothing
        )
        got = ce.cross_entropy(
            X, targets, class_weights=weights, label_smoothing=smoothing, reduction=reduction
        ).value.astype(float)
        assert got == pytest.approx(known.numpy(), rel=1e-12)


def loss_of(x: Any, targets: Any, **options: Any) -> Any:
    known = ce.cross_entropy(np.asarray(x), np.asarray(targets), reduction="none", **options)
    return known.value.astype(float).tolist()


@pytest.mark.parametrize(
    ("x", "targets", "options", "loss"),
    [
        ([1.0, 2.0], 0, {"where": np.asarray([False, True])}, INF),
        ([-INF, 2.0], 0, {}, INF),
        ([-INF, 2.0], 1, {}, 0),
        ([-INF, 2.0], 1, {"label_smoothing": 0.5}, 0),
        ([-INF, 2.0], [0.0, 1.0], {}, 0),
        ([-INF, 2.0], [0.5, 1.0], {}, INF),
        ([-INF, 2.0], [-0.5, 1.0], {}, -INF),
        ([-INF, -INF], 0, {}, INF),
        ([-INF, -INF], 0, {"label_smoothing": 1.0}, INF),
        ([1.0, 2.0], 0, {"where": np.asarray([False, False]), "label_smoothing": 0.5}, INF),
        ([1.0, NAN], 0, {}, NAN),
        ([1.0, NAN], 0, {"where": np.asarray([True, False])}, 0),
        ([INF, 1.0], 0, {}, 0),
        ([INF, 1.0], 1, {}, INF),
        ([INF, INF], 0, {}, NAN),
        ([1.0, 2.0], 2, {}, NAN),
        ([1.0, 2.0], -1, {}, NAN),
        ([1.0, NAN], -1, {"sample_weights": np.asarray(0.0)}, 0),
        ([1.0, NAN], 0, {"class_weights": np.asarray([0.0, 1.0])}, 0),
        ([1.0, NAN], 0, {"class_weights": np.asarray([0.0, 1.0]), "label_smoothing": 0.5}, NAN),
        ([1.0, NAN], 0, {"where": np.asarray([False, True])}, INF),
        ([1.0, NAN], [0.0, 0.0], {}, 0),
        ([-INF, -INF], [0.0, 0.0], {}, 0),
        ([1.0, 1.0], [NAN, 1.0], {}, NAN),
        ([3.0, 2.0], 0, {"temperature": 0.0}, 0),
        ([3.0, 2.0], 1, {"temperature": 0.0}, INF),
        ([3.0, 2.0], 1, {"temperature": INF}, float(np.log(2))),
    ],
)
def test_special_losses(x: Any, targets: Any, options: Any, loss: float) -> None:
    assert np.array_equal(loss_of(x, targets, **options), loss, equal_nan=True)


def test_everything_ignored_is_a_loss_of_zero() -> None:
    options = {"sample_weights": np.zeros(3)}
    assert ce.cross_entropy(X, LABELS, **options).value[()] == 0
    assert (ce.cross_entropy_grad(X, LABELS, **options).value == 0).all()


def test_gradient_is_finite_where_the_target_is_masked() -> None:
    known = ce.cross_entropy_grad(X[0], np.asarray(2), where=MASK[0], label_smoothing=0.25)
    assert all(MP.isfinite(value) for value in known.value)
    assert known.value[2] == 0
    alone = ce.cross_entropy_grad(X[0], np.asarray(2), where=MASK[0])
    assert (alone.value == 0).all()


def test_labels_of_joint_axes_are_row_major_positions() -> None:
    x = np.cos(np.arange(24.0)).reshape(2, 3, 4)
    labels = np.asarray([7, 2, 5])
    for axis in ((0, 2), (2, 0), (-1, 0)):
        got = ce.cross_entropy(x, labels, axis=axis, reduction="none")
        rows = x.transpose(1, 0, 2).reshape(3, 8)
        known = ce.cross_entropy(rows, labels, reduction="none")
        assert (got.value == known.value).all()
    whole = ce.cross_entropy(x, np.asarray(17), axis=None)
    assert (whole.value == ce.cross_entropy(x.ravel(), np.asarray(17)).value).all()


# --- entropy and divergence ----------------------------------------------------------------------


def plain_entropy(x: Any, t: Any = T) -> Any:
    return MP.fsum(-p * MP.log(p) for row in x for p in shares(row, t, [True] * 4))


def plain_divergence(x: Any, y: Any, t: Any = T) -> Any:
    total = []
    for one, other in zip(x, y, strict=True):
        p, q = shares(one, t, [True] * 4), shares(other, t, [True] * 4)
        total += [a * MP.log(a / b) for a, b in zip(p, q, strict=True)]
    return MP.fsum(total)


def test_entropy_is_its_formula_and_scipys() -> None:
    known = information.entropy(X, temperature=T).value
    assert abs(sum(known) - plain_entropy(X)) < TINY
    special = pytest.importorskip("scipy.special")
    p = special.softmax(X / T, axis=-1)
    assert known.astype(float) == pytest.approx(special.entr(p).sum(axis=-1), rel=1e-12)


def test_divergence_is_its_formula_and_scipys() -> None:
    known = information.kl_divergence(X, Y, temperature=T).value
    assert abs(sum(known) - plain_divergence(X, Y)) < TINY
    special = pytest.importorskip("scipy.special")
    p, q = (special.softmax(a / T, axis=-1) for a in (X, Y))
    assert known.astype(float) == pytest.approx(special.rel_entr(p, q).sum(axis=-1), rel=1e-12)


def test_derivatives_of_entropy_and_divergence() -> None:
    by = information.entropy_gradients(X, temperature=T)
    for place in np.ndindex(X.shape):
        assert abs(by["x"].value[place] - derivative(plain_entropy, X, place)) < TINY
    by_t = derivative(lambda t: plain_entropy(X, t[()]), np.asarray(T), ())
    assert abs(sum(by["temperature"].value) - by_t) < TINY

    by = information.kl_divergence_gradients(X, Y, temperature=T)
    for place in np.ndindex(X.shape):
        by_x = derivative(lambda x: plain_divergence(x, Y), X, place)
        by_y = derivative(lambda y: plain_divergence(X, y), Y, place)
        assert abs(by["x"].value[place] - by_x) < TINY
        assert abs(by["y"].value[place] - by_y) < TINY
    by_t = derivative(lambda t: plain_divergence(X, Y, t[()]), np.asarray(T), ())
    assert abs(sum(by["temperature"].value) - by_t) < TINY


def test_divergence_of_neighbours_keeps_its_digits() -> None:
    step = 2.0**-52
    known = information.kl_divergence([step, 0.0], [0.0, 0.0]).value[()]
    assert abs(known / (MP.mpf(step) ** 2 / 8) - 1) < MP.mpf(2) ** -80


@pytest.mark.parametrize(
    ("x", "y", "divergence"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0),
        ([0.0, -INF], [0.0, 0.0], float(np.log(2))),
        ([0.0, 0.0], [0.0, -INF], INF),
        ([0.0, -INF], [1.0, -INF], 0),
        ([INF, 1.0], [0.0, 0.0], float(np.log(2))),
        ([0.0, NAN], [0.0, 0.0], NAN),
        ([0.0, 0.0], [-INF, -INF], NAN),
        ([0.0, -2000.0], [-2000.0, 0.0], 2000),
    ],
)
def test_special_divergences(x: Any, y: Any, divergence: float) -> None:
    got = float(information.kl_divergence(x, y).value[()])
    assert np.array_equal(got, divergence, equal_nan=True)


@pytest.mark.parametrize(
    ("x", "options", "entropy"),
    [
        ([INF, 0.0], {}, 0),
        ([INF, INF], {}, NAN),
        ([-INF, -INF], {}, NAN),
        ([-INF, 1.0], {}, 0),
        ([1.0, NAN], {}, NAN),
        ([1.0, 2.0], {"where": np.asarray([False, False])}, 0),
        ([1.0, 2.0, 2.0], {"temperature": 0.0}, float(np.log(2))),
        ([1.0, 2.0, -INF], {"temperature": INF}, float(np.log(2))),
    ],
)
def test_special_entropies(x: Any, options: Any, entropy: float) -> None:
    got = float(information.entropy(x, **options).value[()])
    assert np.array_equal(got, entropy, equal_nan=True)


# --- pull-backs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_pull_backs_are_the_derivatives_from_the_logits(name: str) -> None:
    g = np.asarray([[1.0, -0.5, 0.25, 0.75]] * 3)
    output = getattr(exact.normalise(X, temperature=T), name)
    known = normalise_gradients(name, X, g, temperature=T)["x"].value
    got = getattr(pullbacks, f"{name}_vjp")(output, g, temperature=T).value
    assert np.max(abs(got - known)) < TINY


def test_pull_backs_leave_out_classes_without_probability() -> None:
    for vjp, output in (
        (pullbacks.softmax_vjp, [0.0, 0.25, 0.75]),
        (pullbacks.log_softmax_vjp, [-INF, *np.log([0.25, 0.75])]),
    ):
        known = vjp(output, [0.0, 1.0, 2.0]).value
        for hidden in (NAN, INF, -INF, 1e300):
            got = vjp(output, [hidden, 1.0, 2.0]).value
            assert got[0] == 0
            assert (got == known).all()
        for t in (0.0, INF):
            assert (vjp(output, [0.0, 1.0, 2.0], temperature=t).value == 0).all()


def test_pull_backs_use_the_output_that_they_are_given() -> None:
    """One that does not sum to 1 is pulled back as it is."""
    got = pullbacks.softmax_vjp([0.5, 0.25], [1.0, 0.0]).value.astype(float)
    assert got.tolist() == [0.125, -0.125]
