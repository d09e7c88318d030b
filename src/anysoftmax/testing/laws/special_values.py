"""The table of special values, row by row, and silence about them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.laws.law import law
from anysoftmax.testing.strategies import Case

__all__ = ["SPECIAL_VALUES", "SpecialValue", "no_warnings", "special_values"]

NumpyArray = np.ndarray[Any, Any]

INF, NAN = np.inf, np.nan


@dataclass(frozen=True)
class SpecialValue:
    """One row of the table: a slice, and what the three functions return for it."""

    name: str
    logits: tuple[float, ...]
    softmax: tuple[float, ...]
    log_softmax: tuple[float, ...]
    logsumexp: float | None = None  # None: not a matter of this row
    where: tuple[bool, ...] | None = None
    temperature: float = 1.0


LOG_HALF = -0.6931471805599453

SPECIAL_VALUES = (
    SpecialValue("NaN", (0, NAN, 1), (NAN,) * 3, (NAN,) * 3, NAN),
    SpecialValue("NaN beside +inf", (INF, NAN, 1), (NAN,) * 3, (NAN,) * 3, NAN),
    SpecialValue("NaN beside -inf", (-INF, NAN, -INF), (NAN,) * 3, (NAN,) * 3, NAN),
    SpecialValue("one +inf", (1, INF, -INF), (0, 1, 0), (-INF, 0, -INF), INF),
    SpecialValue(
        "several +inf", (INF, 1, INF, -INF), (NAN, 0, NAN, 0), (NAN, -INF, NAN, -INF), INF
    ),
    SpecialValue("only +inf", (INF, INF), (NAN, NAN), (NAN, NAN), INF),
    SpecialValue(
        "-inf beside finite", (-INF, 0, 0), (0, 0.5, 0.5), (-INF, LOG_HALF, LOG_HALF), -LOG_HALF
    ),
    SpecialValue("-inf beside one finite", (-INF, 3), (0, 1), (-INF, 0), 3),
    SpecialValue("all -inf", (-INF, -INF), (NAN, NAN), (NAN, NAN), -INF),
    SpecialValue("all masked", (0, 1), (0, 0), (-INF, -INF), -INF, where=(False, False)),
    SpecialValue(
        "masked beside NaN", (NAN, 1, 2), (NAN, NAN, 0), (NAN, NAN, -INF), NAN, (True, True, False)
    ),
    SpecialValue(
        "masked NaN",
        (NAN, 1, 1),
        (0, 0.5, 0.5),
        (-INF, LOG_HALF, LOG_HALF),
        None,
        (False, True, True),
    ),
    SpecialValue(
        "masked beside all -inf",
        (-INF, -INF, 2),
        (NAN, NAN, 0),
        (NAN, NAN, -INF),
        -INF,
        (True, True, False),
    ),
    SpecialValue(
        "masked +inf",
        (INF, 1, 1),
        (0, 0.5, 0.5),
        (-INF, LOG_HALF, LOG_HALF),
        None,
        (False, True, True),
    ),
    SpecialValue("empty", (), (), (), -INF),
    SpecialValue("one class", (3,), (1,), (0,), 3),
    SpecialValue("T = 0", (1, 3, 2), (0, 1, 0), (-INF, 0, -INF), temperature=0),
    SpecialValue(
        "T = 0 with ties", (3, 1, 3), (0.5, 0, 0.5), (LOG_HALF, -INF, LOG_HALF), temperature=0
    ),
    SpecialValue("T = 0, -inf", (-INF, 3, 2), (0, 1, 0), (-INF, 0, -INF), temperature=0),
    SpecialValue("T = 0, one +inf", (1, INF), (0, 1), (-INF, 0), temperature=0),
    SpecialValue(
        "T = 0, several +inf", (1, INF, INF), (0, NAN, NAN), (-INF, NAN, NAN), temperature=0
    ),
    SpecialValue("T = 0, all -inf", (-INF, -INF), (NAN, NAN), (NAN, NAN), temperature=0),
    SpecialValue("T = 0, NaN", (0, NAN), (NAN, NAN), (NAN, NAN), temperature=0),
    SpecialValue(
        "T = 0, masked maximum", (9, 1, 2), (0, 0, 1), (-INF, -INF, 0), None, (False, True, True), 0
    ),
    SpecialValue("T = inf", (1, 300), (0.5, 0.5), (LOG_HALF, LOG_HALF), temperature=INF),
    SpecialValue(
        "T = inf, -inf", (1, -INF, 3), (0.5, 0, 0.5), (LOG_HALF, -INF, LOG_HALF), temperature=INF
    ),
    SpecialValue(
        "T = inf, masked",
        (1, 7, 3),
        (0.5, 0, 0.5),
        (LOG_HALF, -INF, LOG_HALF),
        None,
        (True, False, True),
        INF,
    ),
    SpecialValue("T = inf, one +inf", (1, INF), (0, 1), (-INF, 0), temperature=INF),
    SpecialValue("T = inf, several +inf", (INF, INF), (NAN, NAN), (NAN, NAN), temperature=INF),
    SpecialValue("T = inf, all -inf", (-INF, -INF), (NAN, NAN), (NAN, NAN), temperature=INF),
    SpecialValue("T = inf, NaN", (0, NAN), (NAN, NAN), (NAN, NAN), temperature=INF),
)


@law(fault="a slice with NaN, an infinity, nothing in it, or T = 0 or inf has the wrong result")
def special_values(backend: Backend, functions: Any) -> None:
    """Every row of the table, in every dtype, for both precisions."""
    for dtype, precision in backend.some(product(backend.dtypes, ("default", "highest"))):
        _check_table(backend, functions, dtype, precision)


@law(fault="a warning is emitted for a special value")
def no_warnings(backend: Backend, functions: Any) -> None:
    """No row of the table, no saturation and no huge logit makes the library warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _check_table(backend, functions, backend.default_dtype, "default")
        largest = np.finfo(backend.default_dtype).max
        loud = np.asarray([[largest, -largest, 0.0], [1e4, -1e4, 0.0]], backend.default_dtype)
        for temperature in (1.0, 1e-30, 1e30):
            case = Case(loud, backend.default_dtype, temperature=temperature)
            for function in ("softmax", "log_softmax", "logsumexp"):
                case.call(backend, functions, function)


def _check_table(backend: Backend, functions: Any, dtype: str, precision: str) -> None:
    """Stack the rows into one array, padded behind the mask, and the rows without mask as well."""
    width = max(len(row.logits) for row in SPECIAL_VALUES)
    values = np.zeros((len(SPECIAL_VALUES), width), dtype=np.float32)
    where = np.zeros(values.shape, dtype=bool)
    for i, row in enumerate(SPECIAL_VALUES):
        values[i, : len(row.logits)] = row.logits
        where[i, : len(row.logits)] = True if row.where is None else row.where
    temperature = np.asarray([[row.temperature] for row in SPECIAL_VALUES], dtype=np.float32)
    case = Case(values, dtype, where=where, temperature=temperature)
    for function in ("softmax", "log_softmax", "logsumexp"):
        got = case.call(backend, functions, function, precision=precision)
        for i, row in enumerate(SPECIAL_VALUES):
            if function == "logsumexp":
                _compare(got[i], row.logsumexp, row, f"{function}, {dtype}")
            else:
                _compare(got[i, : len(row.logits)], getattr(row, function), row, function)
    # Each length of a row is a shape of its own, which compilers compile anew.
    if backend.cost == 1 or (backend.cost <= 4 and dtype == backend.default_dtype):
        for row in SPECIAL_VALUES:
            _check_row(backend, functions, row, dtype)


def _check_row(backend: Backend, functions: Any, row: SpecialValue, dtype: str) -> None:
    """Check a row on its own: other code may run where no mask and no temperature is given."""
    where = None if row.where is None else np.asarray(row.where)
    logits = np.asarray(row.logits, dtype=np.float32)
    case = Case(logits, dtype, where=where, temperature=row.temperature)
    for function in ("softmax", "log_softmax", "logsumexp"):
        got = case.call(backend, functions, function)
        _compare(got, getattr(row, function), row, f"{function}, {dtype}")


def _compare(got: NumpyArray, known: Any, row: SpecialValue, what: str) -> None:
    """Compare exactly, except for the logarithm of a half, which the dtype must round."""
    if known is None:
        return
    expected = np.asarray(known, dtype=np.float64)
    # Of 0.69 bfloat16 keeps 8 bits and the others more.
    close = np.isclose(got.astype(np.float64), expected, rtol=2.0**-8, atol=0, equal_nan=True)
    rounded = np.abs(expected) == -LOG_HALF
    same = np.where(rounded, close, (got == expected) | (np.isnan(got) & np.isnan(expected)))
    assert same.all(), f"{row.name}: {what} of {row.logits} is {got}, not {known}"
