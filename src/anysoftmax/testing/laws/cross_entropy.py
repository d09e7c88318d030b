"""Cross-entropy: accurate with every option, and blind to what weighs nothing."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import Expected, judge
from anysoftmax.testing.laws.law import law
from anysoftmax.testing.oracle import extended
from anysoftmax.testing.oracle.exact import exact
from anysoftmax.testing.strategies import (
    FEW_SHAPES,
    SHAPES,
    SPECIAL,
    Case,
    cases,
    examples,
    with_targets,
)

__all__ = [
    "cross_entropy_accuracy",
    "long_losses",
    "masked_classes",
    "nothing_counts",
    "one_hot_is_label",
    "weightless_samples",
]

NumpyArray = np.ndarray[Any, Any]

INF, NAN = np.inf, np.nan
TEMPERATURES = (1.0, 0.5, 0.7, 3.0, 0.01, 40.0)
# Losses of huge logits overflow before a small coefficient brings them back.
FAMILIES = ("ordinary", "ties", "saturated", "offset", "tiny", "minus infinite")


@law(fault="a loss is less accurate than the contract says, or an option means something else")
def cross_entropy_accuracy(backend: Backend, functions: Any) -> None:
    """Judge every combination of targets, weights, smoothing, mask, temperature and reduction."""
    drawn = cases(backend, families=FAMILIES, masks=True, temperatures=TEMPERATURES)

    @examples(backend, with_targets(drawn, backend))
    def holds(case: Case) -> None:
        got = case.call(backend, functions, "cross_entropy")
        judge(got, case.expect(backend, "cross_entropy"), flushes=backend.flushes_subnormals)

    holds()
    # Every shape and axis once, each with another reduction.
    for number, (shape, axis) in enumerate(backend.some(s for s in SHAPES if 0 not in s[0])):
        values = np.cos(7 * np.arange(np.prod(shape), dtype=np.float32)).reshape(shape)
        case = Case(values, "float32", axis).suited("cross_entropy")
        weights = np.linspace(1, 2, int(np.prod(case.classes))).reshape(case.classes)
        reduction = ("mean", "sum", "none")[number % 3]
        case = case.but(
            class_weights=case.format.round(weights), label_smoothing=0.25, reduction=reduction
        )
        judge(case.call(backend, functions, "cross_entropy"), case.expect(backend, "cross_entropy"))


@law(fault="labels are not the probabilities that have a 1 in their place")
def one_hot_is_label(backend: Backend, functions: Any) -> None:
    """Labels and one-hot probabilities give the same losses, and the same derivatives."""
    shapes = [s for s in SHAPES if 0 not in s[0]] if backend.cost == 1 else FEW_SHAPES
    families = (*FAMILIES, *SPECIAL)
    drawn = cases(backend, families=families, masks=True, temperatures=(1.0, 0.7), shapes=shapes)
    options: dict[str, Any] = {"kinds": ("labels",), "smoothings": (0.0, 0.1)}

    @examples(backend, with_targets(drawn, backend, reductions=("none",), **options))
    def holds(case: Case) -> None:
        assert case.second is not None
        labels = case.second.reshape(-1, 1).astype(np.int64)
        table = np.arange(case.by_slice(case.values).shape[1]) == labels
        one_hot = case.but(second=case.of_slices(table.astype(np.float64)))
        loss = case.call(backend, functions, "cross_entropy")
        table = case.by_slice(case.values)
        finite = case.of_slices(np.isfinite(loss.reshape(-1, 1)) & np.ones(table.shape, bool))
        for function in ("cross_entropy", "cross_entropy_grad"):
            by_label = case.call(backend, functions, function)
            by_shares = one_hot.call(backend, functions, function)
            if function == "cross_entropy_grad":  # an infinite loss has no derivatives
                by_label, by_shares = np.where(finite, by_label, 0), np.where(finite, by_shares, 0)
            allowed = case.expect(backend, function).allowed
            known = Expected(exact(by_label), allowed, case.format)
            judge(by_shares, known, flushes=backend.flushes_subnormals, times=2)

    holds()


@law(fault="a sample or label that weighs nothing shows in the loss or its gradient")
def weightless_samples(backend: Backend, functions: Any) -> None:
    """NaN, infinities and labels out of range change nothing in slices that weigh 0."""
    rows = np.asarray([[0.5, 2.0, -1.0], [1.0, 1.0, 0.0], [0.25, -3.0, 1.5]])
    ruins = ([NAN, 1.0, 2.0], [INF, INF, 0.0], [-INF, -INF, -INF], [1e38, -1e38, NAN])
    labels = np.asarray([1, 0, 2], dtype=np.int32)
    shares = np.asarray([[0.25, 0.75, 0.0], [0.5, 0.25, 0.25], [0.0, 0.5, 0.5]])
    weights = np.asarray([1.5, 0.0, 0.5])
    by_class = {"class_weights": np.asarray([0.0, 1.0, 2.0])}
    reductions = ("mean", "sum", "none")
    for number, dtype in enumerate(backend.some(backend.dtypes)):
        plain = Case(rows, dtype, second=labels, reduction=reductions[number % 3])
        weighed = plain.but(sample_weights=weights)
        cleans = [
            weighed,
            weighed.but(label_smoothing=0.1),
            weighed.but(second=shares),
            plain.but(**by_class),  # the label of the second row weighs nothing
            plain.but(second=shares * np.asarray([1, 0, 1])[:, None]),
        ]
        for i, clean in enumerate(backend.some(cleans)):
            chosen = ruins if backend.cost == 1 else [ruins[(i + number) % len(ruins)]]
            _unmoved(backend, functions, clean, chosen)


def _unmoved(backend: Backend, functions: Any, clean: Case, ruins: Any) -> None:
    """Compare a batch with others that differ in their weightless second row."""
    for function in ("cross_entropy", "cross_entropy_grad"):
        known = clean.call(backend, functions, function)
        assert np.isfinite(known).all(), f"{function}: {known}"
        judge(known, clean.expect(backend, function))
        for ruin in ruins:
            values = clean.values.copy()
            values[1] = ruin
            other = clean.but(values=clean.format.round(values))
            assert clean.second is not None
            if clean.sample_weights is not None and clean.second.ndim == 1:
                other = other.but(second=np.asarray([1, -100, 2], dtype=np.int32))
            got = other.call(backend, functions, function)
            what = f"{function} with {ruin} in a row that weighs nothing"
            assert np.array_equal(got, known), f"{what}: {got}, not {known}"
            if function == "cross_entropy_grad":
                assert (got[1] == 0).all(), f"{what}: {got[1]}"


@law(fault="the mean of nothing is not 0, or its gradient not")
def nothing_counts(backend: Backend, functions: Any) -> None:
    """Where all weights are 0, or there is no slice, mean and sum are 0 and so are gradients."""
    rows = np.asarray([[0.5, 2.0, -1.0], [NAN, 1.0, 0.0]])
    labels, shares = np.asarray([1, 0], dtype=np.int32), np.asarray([[0.5, 0.5, 0.0]] * 2)
    nobody: dict[str, Any] = {"sample_weights": np.zeros(2)}
    weights = np.zeros(3)
    ways = product(("mean", "sum", "none"), (0.0, 0.1))
    for number, (reduction, smoothing) in enumerate(ways):
        dtype = backend.dtypes[number % len(backend.dtypes)]
        options: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing}
        batches = [
            Case(rows, dtype, second=labels, **nobody, **options),
            Case(rows, dtype, second=shares, **nobody, **options),
            Case(rows[:0], dtype, second=labels[:0], **options),
            Case(rows[:0], dtype, second=shares[:0], **options),
        ]
        if smoothing == 0:
            batches.append(Case(rows, dtype, second=labels, class_weights=weights, **options))
        for case in backend.some(batches) if backend.traced else batches:
            loss = case.call(backend, functions, "cross_entropy")
            assert loss.shape == (case.slices if reduction == "none" else ())
            assert (loss == 0).all(), f"{reduction} of nothing is {loss}"
            gradient = case.call(backend, functions, "cross_entropy_grad")
            assert gradient.shape == case.values.shape
            assert (gradient == 0).all(), f"the gradient of nothing is {gradient}"


@law(fault="classes that are masked still count")
def masked_classes(backend: Backend, functions: Any) -> None:
    """Losses and gradients of masked slices are those of slices cut down."""
    drawn = cases(backend, families=FAMILIES, masks=True, shapes=FEW_SHAPES[:1])
    options: dict[str, Any] = {"smoothings": (0.0, 0.25), "reductions": ("none",)}

    @examples(backend, with_targets(drawn, backend, **options))
    def holds(case: Case) -> None:
        assert case.where is not None
        assert case.second is not None
        hidden = np.resize(np.asarray([NAN, INF, -INF, 1e38, 100.0]), case.values.shape)
        values = case.format.round(np.where(case.where, case.values, hidden))
        labelled = case.second.ndim == 1
        # One slice is enough to be cut: for each new length a compiler compiles anew.
        row = int(np.argmax(case.where.sum(axis=1)))
        kept = case.where[row]
        if labelled and not kept[case.second[row]]:
            return
        goal = np.cumsum(kept)[case.second[row]] - 1 if labelled else case.second[row][kept]
        weights = case.class_weights
        cut = Case(
            case.values[row][kept],
            case.dtype,
            second=np.asarray(goal).astype(case.second.dtype),
            class_weights=None if weights is None else weights[kept],
            label_smoothing=case.label_smoothing,
            reduction="none",
        )
        if not labelled:
            case = case.but(second=np.where(case.where, case.second, 0.0))
        for function in ("cross_entropy", "cross_entropy_grad"):
            whole = case.but(values=values, sample_weights=None)
            got = whole.call(backend, functions, function)[row]
            if function == "cross_entropy_grad":
                assert (got[~kept] == 0).all(), f"{function} at masked elements: {got}"
                got = got[kept]
            allowed = cut.expect(backend, function).allowed
            known = Expected(exact(cut.call(backend, functions, function)), allowed, case.format)
            judge(got, known, flushes=backend.flushes_subnormals, times=2)

    holds()


@law(
    fault="the error of a loss or an entropy grows with the number of classes",
    applies=lambda backend: extended.AVAILABLE,
)
def long_losses(backend: Backend, functions: Any) -> None:
    """Judge 10**6 classes: a smoothed loss, an entropy and a divergence."""
    n = 1_000_000
    rng = np.random.default_rng(20)
    x, y = (rng.normal(size=(1, n)).astype(np.float32) for _ in range(2))
    log_p, log_q = extended.log_softmax(x), extended.log_softmax(y)
    p, q, distance = np.exp(log_p), np.exp(log_q), np.max(x) - x
    case = Case(x, "float32", second=np.asarray([3], dtype=np.int32), label_smoothing=0.5)
    d = log_p - log_q
    terms = p * (d + np.expm1(-d))
    logarithms = -log_p - log_q
    # The value, and the error that it may have in units of roundoff.
    known = {
        "cross_entropy": (
            -log_p[0, 3] / 2 - np.mean(log_p) / 2,
            8 * (-log_p[0, 3] - np.mean(log_p)),
        ),
        "entropy": (np.sum(-p * log_p), np.sum((16 + distance) * -p * log_p)),
        "kl_divergence": (
            np.sum(terms),
            np.sum((16 + distance) * terms) + 16 * np.sum(np.abs(q - p) * logarithms),
        ),
    }
    for function, (value, scale) in known.items():
        pair = case.but(second=y) if function == "kl_divergence" else case
        got = float(np.ravel(pair.call(backend, functions, function))[0])
        off = abs(got - value) * 2.0**24
        assert off <= scale, f"{function} of {n} classes is off by {off} u, not {scale} u"
