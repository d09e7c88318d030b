"""Samples that make no sense are refused where they are known, and NaN where they are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.calibration import Reliability, brier_score, calibration_error, reliability
from anysoftmax.testing import Backend, backends

PROBS = np.asarray([[0.75, 0.25], [0.5, 0.5], [0.0, 1.0]])
LABELS = np.asarray([0, 1, 1])
MEASURES = pytest.mark.parametrize("measure", [reliability, calibration_error, brier_score])
EAGER = pytest.mark.parametrize(
    "backend", ["numpy", "array-api-strict", "torch", "jax"], indirect=True
)


def with_row(*row: float) -> Any:
    return np.asarray([PROBS[0], row, PROBS[2]])


@EAGER
@MEASURES
@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ((PROBS, LABELS.astype(float)), TypeError, "labels must be class numbers.*float64"),
        ((PROBS, LABELS > 0), TypeError, "labels must be class numbers.*bool"),
        ((PROBS, PROBS), TypeError, "one-hot"),
        ((PROBS, LABELS[:2]), ValueError, r"\(2,\) don't match probs of shape \(3, 2\)"),
        ((PROBS[:, 0], LABELS), ValueError, r"\(3,\) don't match probs of shape \(3,\).*both"),
        ((PROBS, np.asarray([0, 2, 1])), IndexError, "2 is out of range for 2 classes"),
        ((PROBS, np.asarray([0, 0, -1])), IndexError, "-1 is out of range"),
        ((PROBS > 0.5, LABELS), TypeError, "probs must be real numbers.*bool"),
        ((with_row(np.nan, 0.5), LABELS), ValueError, "sample 1 has nan"),
        ((with_row(-0.25, 1.25), LABELS), ValueError, "sample 1 has -0.25 to 1.25"),
        ((with_row(-0.0005, 1.0), LABELS), ValueError, "sample 1 has -0.0005 to 1,"),
        ((with_row(1.0005, 0.0), LABELS), ValueError, "sample 1 has 0 to 1.0005"),
        ((with_row(0.5, 0.502), LABELS), ValueError, "sum to 1 within 0.001.*sum 1.002"),
        ((with_row(np.inf, -np.inf), LABELS), ValueError, "sample 1 has -inf to inf"),
        ((3 * PROBS - 1, LABELS), ValueError, "turn logits into probabilities by softmax"),
        ((PROBS[:0], LABELS[:0]), ValueError, r"no samples: probs have shape \(0, 2\)"),
        ((PROBS[:, :0], LABELS), ValueError, r"axis of classes.*\(3, 0\)"),
        ((np.asarray(1.0), np.asarray(0)), ValueError, r"axis of classes.*\(\)"),
    ],
)
def test_samples(
    backend: Backend,
    measure: Callable[..., Any],
    given: tuple[Any, Any],
    kind: type[Exception],
    message: str,
) -> None:
    with backend.context(), pytest.raises(kind, match=f"(?s){message}"):
        backend.evaluate(measure, *given)


@EAGER
@MEASURES
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.0, 0.0, 0.0], "all sample_weights are zero"),
        ([1.0, -1.0, 1.0], "sample_weights must be 0 or more"),
        ([1.0, np.inf, 1.0], "sample_weights must be finite"),
        ([1.0, np.nan, 1.0], "sample_weights must be finite"),
        ([1.0, 1.0], "sample_weights of shape"),
    ],
)
def test_weights(
    backend: Backend, measure: Callable[..., Any], weights: list[float], message: str
) -> None:
    with backend.context(), pytest.raises(ValueError, match=message):
        backend.call(measure, PROBS, LABELS, sample_weights=np.asarray(weights))


@MEASURES
@pytest.mark.parametrize("axis", [None, (0, 1), 1.0, True])
def test_axis(measure: Callable[..., Any], axis: Any) -> None:
    with pytest.raises(TypeError, match="axis must be an int"):
        measure(PROBS, LABELS, axis=axis)
    with pytest.raises(asm.AxisError):
        measure(PROBS, LABELS, axis=2)


def test_masks_of_numpy() -> None:
    for measure in (reliability, brier_score):
        with pytest.raises(TypeError, match=r"probs must be a plain.*sample_weights=~x.mask"):
            measure(np.ma.array(PROBS), LABELS)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"n_bins": 0}, ValueError, "n_bins must be from 1 to 1048576: got 0"),
        ({"n_bins": -3}, ValueError, "-3"),
        ({"n_bins": 2.0}, TypeError, "n_bins must be an int: got float 2.0"),
        ({"n_bins": True}, TypeError, "n_bins must be an int: got bool"),
        ({"strategy": "kmeans"}, ValueError, "'kmeans' is unknown.*'uniform', 'quantile'"),
        ({"strategy": None}, ValueError, "None is unknown"),
        ({"classwise": "yes"}, TypeError, "classwise must be True or False"),
    ],
)
def test_options(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    for measure in (reliability, calibration_error):
        with pytest.raises(kind, match=message):
            measure(PROBS, LABELS, **options)


@pytest.mark.parametrize("norm", ["l3", None, 1])
def test_norms(norm: Any) -> None:
    for call in (
        lambda: calibration_error(PROBS, LABELS, norm=norm),
        lambda: reliability(PROBS, LABELS).error(norm=norm),
    ):
        with pytest.raises(ValueError, match=r"is unknown.*'l1', 'l2', 'max'"):
            call()


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([0.0, 0.7, 0.3, 1.0], "rise from 0 to 1"),
        ([0.1, 1.0], "rise from 0 to 1"),
        ([0.0, 0.9], "rise from 0 to 1"),
        ([0.0, np.nan, 1.0], "rise from 0 to 1"),
        ([[0.0, 1.0], [0.0, 1.0]], "one row"),
        ([1.0], "one row"),
    ],
)
def test_edges(edges: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reliability(PROBS, LABELS, edges=edges)


def test_bins_that_do_not_merge() -> None:
    bins, classes = reliability(PROBS, LABELS), reliability(PROBS, LABELS, classwise=True)
    three = np.asarray([[0.5, 0.25, 0.25]])
    with pytest.raises(ValueError, match=r"\(15,\) and \(10,\) don't merge"):
        bins.merge(reliability(PROBS, LABELS, n_bins=10))
    with pytest.raises(ValueError, match="don't merge"):
        bins.merge(classes)
    with pytest.raises(ValueError, match="of 2 classes: got probabilities of 3"):
        classes.update(three, [0])
    with pytest.raises(TypeError, match="got int 3"):
        bins.merge(3)  # type: ignore[arg-type]


def test_one_weight_for_all_is_summed_for_all() -> None:
    with pytest.raises(ValueError, match="finite"):
        calibration_error(PROBS, LABELS, sample_weights=1e308)


def test_so_many_bins_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="n_bins must be from 1 to"):
        reliability(PROBS, LABELS, n_bins=10**23)
    edges = reliability(PROBS, LABELS).edges
    with pytest.raises(ValueError, match="strategy"):
        reliability(PROBS, LABELS, edges=edges, strategy="none")


def test_dtypes_do_not_merge() -> None:
    one = reliability(PROBS, LABELS)
    two = reliability(PROBS.astype(np.float32), LABELS, edges=one.edges)
    with pytest.raises(ValueError, match=r"float64 and float32.*cast"):
        one.merge(two)


@pytest.mark.parametrize("backend", ["jax-jit", "dask"], indirect=True)
def test_negative_weights_that_are_not_known_are_nan(backend: Backend) -> None:
    weights = np.asarray([1.0, -1.0, 1.0])
    with backend.context():
        for function in (calibration_error, brier_score):
            assert np.isnan(backend.call(function, PROBS, LABELS, sample_weights=weights))


def test_libraries_are_not_mixed() -> None:
    import torch

    probs, labels = torch.tensor(PROBS), torch.tensor(LABELS)
    bins = reliability(PROBS, LABELS)
    with pytest.raises(TypeError, match="of numpy: got torch"):
        bins.update(probs, labels)
    with pytest.raises(TypeError, match="of numpy: got torch"):
        bins.merge(reliability(probs, labels))
    with pytest.raises(TypeError, match="library"):
        reliability(probs, LABELS)


@pytest.mark.parametrize("backend", ["jax-jit", "jax-jit-32", "dask"], indirect=True)
@pytest.mark.parametrize("classwise", [False, True])
def test_what_is_not_known_is_nan(backend: Backend, classwise: bool) -> None:
    outside = np.asarray([0, 7, 1])
    dtype = backend.default_dtype

    def of(name: str) -> Callable[..., Any]:
        return lambda p, t, **o: getattr(reliability(p, t, classwise=classwise, **o), name)

    with backend.context():
        for probs, labels in (
            (with_row(np.nan, 0.5), LABELS),
            (3 * PROBS - 1, LABELS),
            (PROBS, outside),
        ):
            p, t = probs.astype(dtype), labels.astype(np.int32)
            error = backend.call(calibration_error, p, t, classwise=classwise)
            assert np.isnan(error).all()
            assert np.isnan(backend.call(brier_score, p, t))
            for name in ("weights", "confidence", "accuracy"):
                assert np.isnan(backend.call(of(name), p, t)).all()
            weights = np.asarray([1, 0, 1], dtype) * (probs[0, 0] < 1)
            if weights.any():  # and weighs nothing
                got = backend.call(calibration_error, p, t, sample_weights=weights)
                assert got == backend.call(calibration_error, p[::2], t[::2])
        nothing = backend.call(
            calibration_error, PROBS.astype(dtype), LABELS, sample_weights=np.zeros(3, dtype)
        )
        assert np.isnan(nothing)


def test_quantiles_of_weighted_lazy_samples() -> None:
    backend = backends.get("dask")
    weights = np.asarray([1.0, 2.0, 1.0])
    with pytest.raises(TypeError, match="quantiles need take_along_axis for weighted samples"):
        backend.evaluate(reliability, PROBS, LABELS, strategy="quantile", sample_weights=weights)


def test_no_warnings_of_dask() -> None:
    backend = backends.get("dask")
    probs, weights = with_row(np.inf, -np.inf), np.asarray([1.0, 0.0, 1.0])
    for measure in (calibration_error, brier_score):
        got = backend.call(measure, probs, LABELS, sample_weights=weights)
        assert got == measure(PROBS[::2], LABELS[::2])


def test_no_warnings_of_numpy() -> None:
    with np.errstate(all="raise"):
        bad = np.asarray([[np.inf, -np.inf], [1.0, 0.0], [5e-324, 1.0]])
        bins = reliability(bad, [0, 0, 1], sample_weights=[0, 1, 1])
        assert isinstance(bins, Reliability)
        assert bins.error() == 0.0
        assert bins.error(norm="l2") == 0.0
        assert brier_score(bad, [0, 0, 1], sample_weights=[0, 1, 1]) == 0.0
