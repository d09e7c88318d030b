"""Fitted temperatures against the optimum in many digits, on every backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from anysoftmax import cross_entropy
from anysoftmax.calibration import TemperatureFit, fit_temperature
from anysoftmax.testing import BACKENDS, Backend
from anysoftmax.testing.formats import FORMATS
from anysoftmax.testing.strategies import examples

from .reference import assert_optimal, known_to, rows_with_a_say, status

DATA = Path(__file__).parents[1] / "data"
INF, NAN = np.inf, np.nan


def on(names: list[str]) -> pytest.MarkDecorator:
    """Run a test on backends, those of a name in one process."""
    params = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in names]
    return pytest.mark.parametrize("backend", params, indirect=True)


# torch.compile has no values to search by: it leaves the function to eager PyTorch.
SEARCHING = [name for name in BACKENDS if name != "torch-compile"]
# Lazy searches take seconds each on Cubed and ndonnx, and other ways to run a library are all one.
ONE_OF_EACH = ["numpy", "array-api-strict", "torch", "jax-jit", "dask", "cupy", "torch-cuda"]
on_every_backend = on(SEARCHING)
on_each_library = on(ONE_OF_EACH)


def tolerance(dtype: str) -> float:
    return 1e-10 if dtype == "float64" else 1e-5


def fit_on(
    backend: Backend, logits: Any, labels: Any, dtype: str = "float32", **options: Any
) -> TemperatureFit:
    """Fit with arrays of the library; return the numbers that came out."""
    with backend.context():
        arrays = (
            backend.open_array(logits, dtype=dtype),
            backend.open_array(np.asarray(labels, np.int32)),
        )
        if backend.lazy:
            given = {k: backend.open_array(v) if k != "axis" else v for k, v in options.items()}
            fit = fit_temperature(*arrays, **given)
        else:
            fit = backend.evaluate(fit_temperature, *arrays, **options)
        assert all(x.shape == () for x in fit)
        assert all(type(x) is type(arrays[0]) or backend.owns(x) for x in fit)
        wide = "float64" if dtype == "float64" else "float32"
        assert all(backend.dtype_name(x) == wide for x in fit[:4])
        return TemperatureFit(*(backend.to_numpy(x) for x in fit))


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    return np.load(DATA / "digits_logits.npy"), np.load(DATA / "digits_labels.npy")


@on_every_backend
def test_real_logits(backend: Backend, digits: Any) -> None:
    logits, labels = digits
    for dtype in backend.dtypes if backend.cost <= 4 else backend.dtypes[:1]:
        values = FORMATS[dtype].round(logits)
        rows = rows_with_a_say(values, labels)
        fit = fit_on(backend, values, labels, dtype)
        assert fit.status == "converged"
        assert_optimal(float(fit.temperature), tolerance(dtype), rows)
        assert 3 <= fit.iterations <= 12
        np.testing.assert_allclose(fit.inverse_temperature * fit.temperature, 1, rtol=1e-6)
        for nll, t in ((fit.nll_before, 1.0), (fit.nll_after, float(fit.temperature))):
            expected = cross_entropy(values.astype(np.float64), labels, temperature=t)
            np.testing.assert_allclose(nll, expected, rtol=1e-5)


# Multiples of 1/4, so that a sum is 0 where it should be.
NUMBERS = st.integers(-40, 40).map(lambda k: k / 4)


@st.composite
def batches(draw: st.DrawFn) -> dict[str, Any]:
    samples, classes = draw(st.sampled_from([(1, 2), (6, 2), (6, 3), (12, 3), (12, 5)]))
    table = st.lists(NUMBERS, min_size=samples * classes, max_size=samples * classes)
    logits = np.asarray(draw(table)).reshape(samples, classes)
    masked = draw(st.lists(st.integers(0, logits.size - 1), max_size=2))
    logits.reshape(-1)[masked] = -INF
    right = draw(st.lists(st.booleans(), min_size=samples, max_size=samples))
    others = draw(st.lists(st.integers(0, classes - 1), min_size=samples, max_size=samples))
    labels = np.where(right, np.argmax(logits, axis=1), others)
    weights = None
    if draw(st.booleans()):
        of_samples = st.lists(
            st.sampled_from([0.0, 0.5, 1.0, 4.0]), min_size=samples, max_size=samples
        )
        weights = np.asarray(draw(of_samples.filter(any)))
    return {"logits": logits, "labels": labels, "weights": weights}


@on_each_library
def test_drawn_logits(backend: Backend) -> None:
    @examples(backend, batches())
    def holds(batch: dict[str, Any]) -> None:
        logits, labels, weights = batch["logits"], batch["labels"], batch["weights"]
        rows = rows_with_a_say(logits, labels, weights)
        assume(rows)  # without one a fit is refused
        for dtype in backend.some(backend.dtypes):
            options = {} if weights is None else {"sample_weights": weights}
            fit = fit_on(backend, logits, labels, dtype, **options)
            assert fit.status == status(rows)
            t = float(fit.temperature)
            assert t == {"separable": 0.0, "uninformative": INF}.get(fit.status, t)
            if fit.status == "converged":
                known = known_to(rows, t, 2.0**-52 if backend.has_float64 else 2.0**-23)
                assert_optimal(t, max(tolerance(dtype), 4 * known), rows)

    holds()


@on_each_library
def test_limits(backend: Backend) -> None:
    for logits, labels, expected in [
        ([[2, 1, 0], [0, 3, 1]], [0, 1], "separable"),
        ([[2, 2, 0], [0, 3, 1]], [0, 1], "separable"),  # one shares the first place
        ([[2, 1, 0], [0, 3, 1]], [2, 0], "uninformative"),
        ([[2, 0], [2, 0]], [0, 1], "uninformative"),  # as often right as wrong
        ([[1, 1, 1], [0, 0, 0]], [0, 1], "uninformative"),  # nothing stands out
        ([[1, -INF], [0, 0]], [0, 1], "uninformative"),
    ]:
        fit = fit_on(backend, np.asarray(logits), labels)
        limit, inverse = (0.0, INF) if expected == "separable" else (INF, 0.0)
        assert (fit.status, fit.temperature, fit.inverse_temperature) == (expected, limit, inverse)
        classes = np.asarray(logits)
        before = cross_entropy(classes, np.asarray(labels))
        after = cross_entropy(classes, np.asarray(labels), temperature=limit)
        np.testing.assert_allclose([fit.nll_before, fit.nll_after], [before, after], rtol=1e-5)


ROWS = np.asarray([[3.0, 1.0, 0.5], [2.0, 1.0, -1.0], [0.25, 4.0, 2.0], [1.0, 2.0, 2.5]])
LABELS = np.asarray([0, 1, 1, 2])


@on_each_library
def test_an_impossible_label_has_no_say(backend: Backend) -> None:
    plain = fit_on(backend, ROWS, LABELS)
    more = np.concatenate([ROWS, [[5.0, -INF, 1.0], [INF, 1.0, 0.0]]])
    fit = fit_on(backend, more, [*LABELS, 1, 2])
    assert fit.status == "converged"
    np.testing.assert_allclose(fit.temperature, plain.temperature, rtol=1e-5)
    assert fit.nll_before == fit.nll_after == INF


@on_each_library
def test_masked_classes_are_as_absent_ones(backend: Backend) -> None:
    wide = np.insert(ROWS, 1, [9.0, NAN, INF, -INF], axis=1)
    where = np.broadcast_to(np.asarray([True, False, True, True]), wide.shape)
    labels = np.where(LABELS > 0, LABELS + 1, LABELS)
    masked = fit_on(backend, wide, labels, where=where)
    plain = fit_on(backend, ROWS, LABELS)
    np.testing.assert_allclose(masked[:4], plain[:4], rtol=1e-5)


@on_each_library
def test_weights_are_repetitions(backend: Backend) -> None:
    weights = np.asarray([2, 0, 3, 1])
    more = np.repeat(ROWS, weights, axis=0)
    ruined = ROWS.copy()
    ruined[1] = NAN
    labels = np.where(weights == 0, -100, LABELS)  # a weight of 0 excuses everything
    weighed = fit_on(backend, ruined, labels, sample_weights=weights.astype(np.float64))
    repeated = fit_on(backend, more, np.repeat(LABELS, weights))
    np.testing.assert_allclose(weighed[:4], repeated[:4], rtol=1e-5)


@on_each_library
def test_any_axis(backend: Backend) -> None:
    cube = np.stack([ROWS, 2 * ROWS[::-1]])  # (2, 4, 3)
    labels = np.stack([LABELS, LABELS[::-1]])
    plain = fit_on(backend, cube, labels)
    moved = fit_on(backend, np.moveaxis(cube, -1, 0), labels, axis=0)
    np.testing.assert_allclose(moved[:4], plain[:4], rtol=1e-5)
    # A slice of several axes is numbered as if it was flat.
    pairs = np.concatenate([ROWS, ROWS - 1], axis=1)
    plain = fit_on(backend, pairs, LABELS)
    block = pairs.reshape(4, 2, 3).transpose(1, 0, 2)
    np.testing.assert_allclose(
        fit_on(backend, block, LABELS, axis=(0, 2))[:4], plain[:4], rtol=1e-5
    )
    one = fit_on(backend, np.asarray([1.0, 2.0, 3.0]), 1, axis=None)
    assert one.status == "uninformative"


@on_each_library
def test_layouts(backend: Backend) -> None:
    plain = fit_on(backend, ROWS, LABELS)
    with backend.context():
        for layout in backend.layouts:
            logits = backend.open_array(ROWS, dtype="float32", layout=layout)
            fit = fit_temperature(logits, backend.open_array(LABELS.astype(np.int32)))
            np.testing.assert_allclose(
                backend.to_numpy(fit.temperature), plain.temperature, rtol=1e-5
            )


def test_many_samples_are_searched_in_part_first() -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(2**13 + 3, 3)) * 2
    shares = np.exp(logits / 1.5)
    labels = (
        rng.random((len(logits), 1)) > np.cumsum(shares, 1) / shares.sum(1, keepdims=True)
    ).sum(1)
    rows = rows_with_a_say(logits, labels)
    for dtype in ("float64", "float32"):
        rounded = logits.astype(dtype)
        rows = rows_with_a_say(rounded, labels)
        assert_optimal(float(fit_temperature(rounded, labels).temperature), tolerance(dtype), rows)
    # A part that says something else than the whole leads nowhere else.
    logits[::16] = [1.0, 0.0, 0.0]
    labels[::16] = 0
    fit = fit_temperature(logits, labels)
    assert fit.status == "converged"
    assert_optimal(float(fit.temperature), 1e-10, rows_with_a_say(logits, labels))


@given(st.sampled_from([2.0**-40, 0.25, 8.0, 2.0**50]), st.lists(NUMBERS, min_size=4, max_size=4))
def test_scaled_and_shifted_logits(factor: float, shifts: list[float]) -> None:
    """Temperatures have the unit of logits; a number added to a whole sample says nothing."""
    plain = fit_temperature(ROWS, LABELS)
    moved = fit_temperature((ROWS + np.asarray(shifts)[:, None]) * factor, LABELS)
    np.testing.assert_allclose(moved.temperature, plain.temperature * factor, rtol=1e-12)
    np.testing.assert_allclose(moved.nll_after, plain.nll_after, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
def test_logits_of_any_size(size: float) -> None:
    fit = fit_temperature(ROWS * size, LABELS)
    assert fit.status == "converged"
    np.testing.assert_allclose(fit.temperature / size, fit_temperature(ROWS, LABELS).temperature)
    assert fit_temperature(ROWS * size, [0, 0, 1, 2]).status == "separable"
    assert fit_temperature(ROWS * size, [1, 1, 2, 0]).status == "uninformative"


def test_lists_and_integers() -> None:
    fit = fit_temperature([[3, 1], [2, 1], [4, 2]], [0, 1, 0])
    assert isinstance(fit.temperature, np.ndarray)
    assert fit.temperature.dtype == np.float64
    eight_bits = fit_temperature(np.asarray([[3, 1], [2, 1], [4, 2]], np.int8), [0, 1, 0])
    assert eight_bits == fit


def test_arrays_are_left_as_they_were(digits: Any) -> None:
    logits, labels = (x.copy() for x in digits)
    for x in (logits, labels):
        x.flags.writeable = False
    fit_temperature(logits, labels, sample_weights=np.ones(len(labels)))


# --- the reference itself can fail ------------------------------------------------------------


@pytest.mark.parametrize("wrong", [1 + 3e-10, 1 - 3e-10, 2.0, 0.1])
def test_a_wrong_temperature_is_found_out(wrong: float) -> None:
    t = float(fit_temperature(ROWS, LABELS).temperature)
    rows = rows_with_a_say(ROWS, LABELS)
    assert_optimal(t, 1e-10, rows)
    with pytest.raises(AssertionError, match="the optimum is"):
        assert_optimal(t * wrong, 1e-10, rows)


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((ROWS, LABELS[:3]), {}, ValueError, r"labels must have the shape \(4,\).*\(3,\)"),
        ((ROWS, np.eye(3)[LABELS]), {}, TypeError, "labels must be class numbers.*argmax"),
        ((ROWS, np.eye(3, dtype=int)[LABELS]), {}, ValueError, r"labels must have.*\(4, 3\)"),
        ((ROWS, LABELS.astype(float)), {}, TypeError, "labels must be class numbers.*float64"),
        ((ROWS, LABELS == 0), {}, TypeError, "labels must be class numbers.*bool"),
        ((ROWS, LABELS + 1), {}, IndexError, "class number 3 is out of range for 3 classes"),
        ((ROWS, LABELS - 1), {}, IndexError, "class number -1"),
        ((ROWS[:, :1], LABELS), {}, ValueError, r"one class alone.*\(4, 1\)"),
        ((ROWS[:, :0], LABELS), {}, ValueError, r"nothing to fit.*\(4, 0\)"),
        ((ROWS[:0], LABELS[:0]), {}, ValueError, r"nothing to fit.*\(0, 3\)"),
        ((ROWS > 1, LABELS), {}, TypeError, "logits must be real numbers.*bool"),
        ((ROWS * 1j, LABELS), {}, TypeError, "logits must be real numbers.*complex"),
        ((np.where(ROWS == 4, NAN, ROWS), LABELS), {}, ValueError, "logits must not.*sample 2;"),
        ((np.where(ROWS > 0.3, INF, ROWS), LABELS), {}, ValueError, "more than one.*sample 0;"),
        (
            (ROWS, LABELS),
            {"sample_weights": np.zeros(4)},
            ValueError,
            "sample_weights are zero",
        ),
        ((ROWS, LABELS), {"sample_weights": -np.ones(4)}, ValueError, "must be 0 or more"),
        ((ROWS, LABELS), {"sample_weights": np.ones(3)}, ValueError, r"\(3,\)"),
        ((ROWS, LABELS), {"sample_weights": [1, 1, 1, NAN]}, ValueError, "finite"),
        ((ROWS, LABELS), {"sample_weights": [1, 1, 1, INF]}, ValueError, "finite"),
        ((np.where(ROWS == 3, -INF, ROWS)[:1], [0]), {}, ValueError, "no label is possible"),
        (([[9e307, -9e307]] * 3, [0, 0, 1]), {}, ValueError, "differences overflow.*sample 2;"),
        (([[8e307, -8e307]] * 3, [0, 1, 1]), {}, ValueError, "too large"),
        ((ROWS, LABELS), {"axis": 2}, IndexError, "axis 2"),
        ((ROWS, LABELS), {"where": np.ones((2, 2), bool)}, ValueError, r"where.*\(2, 2\)"),
    ],
)
def test_what_is_refused(arguments: Any, options: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        fit_temperature(*arguments, **options)


def test_the_bad_sample_of_several_axes_is_named() -> None:
    logits = np.stack([ROWS, ROWS])
    logits[1, 2, 0] = NAN
    with pytest.raises(ValueError, match=r"sample \(1, 2\);"):
        fit_temperature(logits, np.stack([LABELS, LABELS]))


def test_long_double() -> None:
    fit = fit_temperature(ROWS.astype(np.longdouble), LABELS)
    assert fit.temperature.dtype == np.longdouble
    np.testing.assert_allclose(fit.temperature, fit_temperature(ROWS, LABELS).temperature)
