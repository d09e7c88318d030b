"""The estimator: scikit-learn's conventions, and the numbers of the function behind it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from anysoftmax import cross_entropy, softmax
from anysoftmax.calibration import TemperatureScaler, fit_temperature

ROWS = np.asarray([[3.0, 1.0, 0.5], [2.0, 1.0, -1.0], [0.25, 4.0, 2.0], [1.0, 2.0, 2.5]])
LABELS = np.asarray([0, 1, 1, 2])

THREE_LABELS = "its data has two columns and labels of three classes: no logits are like that"
# Checks that ask for something else than logits and labels, or for an error of other words.
NOT_FOR_LOGITS = {
    "check_estimators_overwrite_params": THREE_LABELS,
    "check_estimators_fit_returns_self": THREE_LABELS,
    "check_readonly_memmap_input": THREE_LABELS,
    "check_sample_weights_not_an_array": THREE_LABELS,
    "check_sample_weights_pandas_series": THREE_LABELS,
    "check_sample_weights_shape": THREE_LABELS,
    "check_sample_weights_not_overwritten": THREE_LABELS,
    "check_complex_data": "we raise a TypeError, as everywhere in this package",
    "check_dtype_object": "arrays of objects are refused, as everywhere in this package",
    "check_estimators_empty_data_messages": "our message has other words",
    "check_estimators_nan_inf": "infinite logits have a meaning",
    "check_fit2d_1feature": "our message has other words: one class alone needs no temperature",
    "check_fit2d_predict1d": "the logits of one sample alone are welcome",
}


@pytest.mark.filterwarnings("ignore:Estimator TemperatureScaler does not inherit")
def test_checks_of_scikit_learn() -> None:
    results = check_estimator(
        TemperatureScaler(),
        expected_failed_checks=NOT_FOR_LOGITS,
        on_fail=None,
        on_skip=None,
    )
    outcomes = {kind: [r for r in results if r["status"] == kind] for kind in ("failed", "passed")}
    assert not outcomes["failed"]
    assert len(outcomes["passed"]) >= 40
    excused = {r["check_name"] for r in results if r["status"] == "xfail"}
    assert excused == set(NOT_FOR_LOGITS)


def test_the_numbers_are_those_of_the_functions() -> None:
    weights = np.asarray([1.0, 2.0, 0.5, 0.0])
    scaler = TemperatureScaler()
    assert scaler.fit(ROWS, LABELS, sample_weight=weights) is scaler
    fit = fit_temperature(ROWS, LABELS, sample_weights=weights)
    assert scaler.fit_ == fit
    assert scaler.temperature_ == fit.temperature
    assert scaler.inverse_temperature_ == fit.inverse_temperature
    assert scaler.n_features_in_ == 3
    expected = softmax(ROWS, temperature=fit.temperature)
    np.testing.assert_array_equal(scaler.transform(ROWS), expected)
    np.testing.assert_array_equal(scaler.fit_transform(ROWS, LABELS, weights), expected)
    np.testing.assert_array_equal(scaler.transform(ROWS[0]), expected[0])


def test_any_axis_and_library() -> None:
    import torch

    scaler = TemperatureScaler(axis=0).fit(torch.tensor(ROWS.T), torch.tensor(LABELS))
    assert isinstance(scaler.temperature_, torch.Tensor)
    probabilities = scaler.transform(torch.tensor(ROWS.T))
    assert isinstance(probabilities, torch.Tensor)
    expected = TemperatureScaler().fit(ROWS, LABELS).transform(ROWS)
    np.testing.assert_allclose(probabilities.numpy().T, expected)


class Table:
    """Has no methods of arrays but the one by which NumPy reads it, as data frames."""

    def __init__(self, values: Any) -> None:
        self.values = values
        self.shape = values.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.values, dtype=dtype, copy=copy)


def test_tables() -> None:
    plain = TemperatureScaler().fit(ROWS, LABELS)
    scaler = TemperatureScaler().fit(Table(ROWS), Table(LABELS), Table(np.ones(4)))
    assert scaler.temperature_ == plain.temperature_
    np.testing.assert_array_equal(scaler.transform(Table(ROWS)), plain.transform(ROWS))


def test_memory_maps_that_may_not_be_written(tmp_path: Any) -> None:
    np.save(tmp_path / "logits.npy", ROWS)
    logits = np.load(tmp_path / "logits.npy", mmap_mode="r")
    assert TemperatureScaler().fit(logits, LABELS).temperature_ > 0


def test_cloned_pickled_and_printed() -> None:
    scaler = TemperatureScaler(axis=1).fit(ROWS, LABELS)
    copy = clone(scaler)
    assert copy.get_params() == {"axis": 1}
    assert not hasattr(copy, "temperature_")
    same = pickle.loads(pickle.dumps(scaler))  # noqa: S301
    np.testing.assert_array_equal(same.transform(ROWS), scaler.transform(ROWS))
    assert repr(scaler) == "TemperatureScaler(axis=1)"


def test_in_a_pipeline_and_a_search() -> None:
    line = make_pipeline(FunctionTransformer(lambda x: 2 * x), TemperatureScaler())
    line.fit(ROWS, LABELS, temperaturescaler__sample_weight=np.ones(4))
    alone = TemperatureScaler().fit(ROWS, LABELS)
    np.testing.assert_allclose(line[-1].temperature_, 2 * alone.temperature_)
    np.testing.assert_allclose(line.transform(ROWS), alone.transform(ROWS))

    def score(estimator: Any, logits: Any, labels: Any) -> float:
        return -float(cross_entropy(logits, labels, temperature=estimator.temperature_))

    many, labels = np.tile(ROWS, (3, 1)), np.tile(LABELS, 3)
    search = GridSearchCV(TemperatureScaler(), {"axis": [-1, 1]}, scoring=score, cv=KFold(3))
    assert search.fit(many, labels).best_params_ == {"axis": -1}


def test_parameters() -> None:
    assert TemperatureScaler().set_params(axis=0).axis == 0
    with pytest.raises(ValueError, match="no parameter 'temperature', only 'axis'"):
        TemperatureScaler().set_params(temperature=2)


def test_what_is_refused() -> None:
    with pytest.raises(NotFittedError, match="call fit"):
        TemperatureScaler().transform(ROWS)
    scaler = TemperatureScaler().fit(ROWS, LABELS)
    with pytest.raises(ValueError, match=r"X has 2 features, but .* 3 features"):
        scaler.transform(ROWS[:, :2])
    with pytest.raises(ValueError, match="requires y to be passed"):
        TemperatureScaler().fit_transform(ROWS)
    with pytest.raises(IndexError, match="class number 3"):
        scaler.fit(ROWS, LABELS + 1)
    assert scaler.transform(ROWS).shape == ROWS.shape  # what was fitted before is still there


def test_scikit_learn_is_not_needed() -> None:
    program = """
import sys
sys.modules["sklearn"] = None
import numpy as np
from anysoftmax.calibration import TemperatureScaler
try:
    TemperatureScaler().transform(np.eye(2))
except ValueError as error:
    assert isinstance(error, AttributeError) and "call fit" in str(error)
scaler = TemperatureScaler().fit([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]], [0, 1, 1])
print(scaler.transform([[1.0, 1.0]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[[0.5 0.5]]\n", done.stderr


@pytest.mark.parametrize("axis", [None, (0, 1), 1.0])
def test_the_axis_is_one(axis: Any) -> None:
    scaler = TemperatureScaler(axis=axis)
    with pytest.raises(TypeError, match="axis must be an int"):
        scaler.fit(ROWS, LABELS)
    with pytest.raises(NotFittedError):
        scaler.transform(ROWS)
