"""Special values of losses, entropies and divergences, row by row, and silence about them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.laws.law import law
from anysoftmax.testing.strategies import Case

__all__ = [
    "SPECIAL_DIVERGENCES",
    "SPECIAL_ENTROPIES",
    "SPECIAL_LOSSES",
    "SpecialCase",
    "quiet_losses",
    "special_entropies",
    "special_losses",
]

NumpyArray = np.ndarray[Any, Any]

INF, NAN = np.inf, np.nan
LOG_2 = 0.6931471805599453
WIDTH = 3


@dataclass(frozen=True)
class SpecialCase:
    """One row of a table: a slice of three classes, what it is compared with, and the result."""

    name: str
    logits: tuple[float, ...]
    second: int | tuple[float, ...] | None
    result: float
    where: tuple[bool, ...] = (True, True, True)
    temperature: float = 1.0
    weight: float = 1.0
    smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None

    @property
    def shared(self) -> tuple[Any, ...]:
        """What all rows of one call have in common."""
        return isinstance(self.second, int), self.smoothing, self.class_weights


FIRST_MASKED = (False, True, True)
NOTHING = (False, False, False)

SPECIAL_LOSSES = (
    SpecialCase("-inf beside the target", (-INF, 0, 0), 1, LOG_2),
    SpecialCase("target at -inf", (-INF, 0, 0), 0, INF),
    SpecialCase("target masked", (5, 0, 0), 0, INF, FIRST_MASKED),
    SpecialCase("NaN", (0, NAN, 1), 0, NAN),
    SpecialCase("NaN behind the mask", (NAN, 0, 0), 1, LOG_2, FIRST_MASKED),
    SpecialCase("+inf behind the mask", (INF, 0, 0), 1, LOG_2, FIRST_MASKED),
    SpecialCase("all -inf", (-INF, -INF, -INF), 1, INF),
    SpecialCase("all masked", (0, 1, 2), 1, INF, NOTHING),
    SpecialCase("one class", (-INF, 3, -INF), 1, 0),
    SpecialCase("target at +inf", (1, INF, 0), 1, 0),
    SpecialCase("+inf elsewhere", (1, INF, 0), 0, INF),
    SpecialCase("several +inf", (INF, INF, 0), 0, NAN),
    SpecialCase("T = 0, the maximum", (1, 3, 2), 1, 0, temperature=0),
    SpecialCase("T = 0, elsewhere", (1, 3, 2), 2, INF, temperature=0),
    SpecialCase("T = 0, a tie", (3, 1, 3), 2, LOG_2, temperature=0),
    SpecialCase("T = inf", (-INF, 300, 3), 2, LOG_2, temperature=INF),
    SpecialCase("NaN of weight 0", (NAN, 0, 1), 1, 0, weight=0),
    SpecialCase("all -inf, of weight 0", (-INF, -INF, -INF), 1, 0, weight=0),
    SpecialCase("label out of range, of weight 0", (0, 0, 1), 7, 0, weight=0),
    SpecialCase("negative label of weight 0", (0, 0, 1), -100, 0, weight=0),
    SpecialCase("class of weight 0", (NAN, 0, 1), 0, 0, class_weights=(0, 1, 2)),
    SpecialCase("class of weight 0 at -inf", (-INF, 0, 0), 0, 0, class_weights=(0, 1, 2)),
    SpecialCase("class of weight 2", (-INF, 0, 0), 2, 2 * LOG_2, class_weights=(0, 1, 2)),
    SpecialCase("smoothing passes over -inf", (-INF, 0, 0), 1, LOG_2, smoothing=0.5),
    SpecialCase("smoothing passes over the mask", (9, 0, 0), 1, LOG_2, FIRST_MASKED, smoothing=0.5),
    SpecialCase("smoothing, target masked", (9, 0, 0), 0, INF, FIRST_MASKED, smoothing=0.5),
    SpecialCase("smoothing, all masked", (0, 0, 0), 0, INF, NOTHING, smoothing=0.5),
    SpecialCase("smoothing, all -inf", (-INF, -INF, -INF), 0, INF, smoothing=0.5),
    SpecialCase("smoothing, NaN", (0, NAN, 0), 0, NAN, smoothing=0.5),
    SpecialCase("smoothing, NaN of weight 0", (0, NAN, 0), 0, 0, smoothing=0.5, weight=0),
    SpecialCase("smoothing alone, target masked", (9, 0, 0), 0, LOG_2, FIRST_MASKED, smoothing=1.0),
    SpecialCase("shares beside -inf", (-INF, 0, 0), (0, 0.5, 0.5), LOG_2),
    SpecialCase("share at -inf", (-INF, 0, 0), (0.25, 0.5, 0.5), INF),
    SpecialCase("share behind the mask", (0, 0, 0), (0.25, 0.5, 0.5), INF, FIRST_MASKED),
    SpecialCase("shares that sum to 2", (-INF, 0, 0), (0, 1, 1), 2 * LOG_2),
    SpecialCase("negative share", (-INF, 0, 0), (0, -1, 0), -LOG_2),
    SpecialCase("negative share at -inf", (-INF, 0, 0), (-1, 0, 0), -INF),
    SpecialCase("shares of both signs at -inf", (-INF, -INF, 0), (1, -1, 0), NAN),
    SpecialCase("share of NaN", (-INF, 0, 0), (0, NAN, 1), NAN),
    SpecialCase("shares, NaN", (0, NAN, 0), (0.5, 0.5, 0), NAN),
    SpecialCase("shares, all masked", (0, 0, 0), (0.5, 0.5, 0), INF, NOTHING),
    SpecialCase("shares of NaN of weight 0", (NAN, 0, 0), (NAN, 1, 0), 0, weight=0),
)

SPECIAL_ENTROPIES = (
    SpecialCase("-inf", (-INF, 0, 0), None, LOG_2),
    SpecialCase("one class", (-INF, 0, -INF), None, 0),
    SpecialCase("one +inf", (1, INF, -INF), None, 0),
    SpecialCase("several +inf", (1, INF, INF), None, NAN),
    SpecialCase("NaN", (1, NAN, 0), None, NAN),
    SpecialCase("NaN behind the mask", (NAN, 1, 1), None, LOG_2, FIRST_MASKED),
    SpecialCase("all -inf", (-INF, -INF, -INF), None, NAN),
    SpecialCase("all masked", (1, NAN, 0), None, 0, NOTHING),
    SpecialCase("T = 0", (1, 3, 2), None, 0, temperature=0),
    SpecialCase("T = 0, a tie", (3, 1, 3), None, LOG_2, temperature=0),
    SpecialCase("T = 0, one +inf", (3, INF, 3), None, 0, temperature=0),
    SpecialCase("T = inf", (-INF, 300, 3), None, LOG_2, temperature=INF),
    SpecialCase("T = inf, NaN", (0, NAN, 3), None, NAN, temperature=INF),
)

SPECIAL_DIVERGENCES = (
    SpecialCase("the same", (1, -INF, 3), (1, -INF, 3), 0),
    SpecialCase("excluded by p", (0, -INF, -INF), (0, 0, -INF), LOG_2),
    SpecialCase("excluded by q", (0, 0, -INF), (0, -INF, -INF), INF),
    SpecialCase("excluded by underflow of p", (0, -30000, -INF), (0, 0, -INF), LOG_2),
    SpecialCase("one +inf in p", (INF, 0, 0), (0, 0, -INF), LOG_2),
    SpecialCase("one +inf in q", (0, 0, 0), (INF, 0, 0), INF),
    SpecialCase("the same +inf", (0, INF, 0), (2, INF, 0), 0),
    SpecialCase("several +inf in p", (INF, INF, 0), (0, 0, 0), NAN),
    SpecialCase("several +inf in q", (0, 0, 0), (INF, INF, 0), NAN),
    SpecialCase("NaN in p", (0, NAN, 0), (0, 0, 0), NAN),
    SpecialCase("NaN in q", (0, 0, 0), (0, NAN, 0), NAN),
    SpecialCase("NaN behind the mask", (NAN, 0, -INF), (NAN, 0, 0), LOG_2, FIRST_MASKED),
    SpecialCase("all -inf in p", (-INF, -INF, -INF), (0, 0, 0), NAN),
    SpecialCase("all -inf in q", (0, 0, 0), (-INF, -INF, -INF), NAN),
    SpecialCase("all masked", (0, NAN, 0), (NAN, 0, 0), 0, NOTHING),
    SpecialCase("T = 0, the same maximum", (1, 3, 2), (0, 3, 2), 0, temperature=0),
    SpecialCase("T = 0, another maximum", (1, 3, 2), (4, 3, 2), INF, temperature=0),
    SpecialCase("T = 0, a tie", (1, 3, 2), (0, 3, 3), LOG_2, temperature=0),
    SpecialCase("T = inf", (-INF, 1, -INF), (-INF, 300, 3), LOG_2, temperature=INF),
)


@law(fault="a loss with NaN, an infinity, a masked target or a weight of 0 is wrong")
def special_losses(backend: Backend, functions: Any) -> None:
    """Every row of the table; the gradient is finite unless NaN counts."""
    for dtype in backend.some(backend.dtypes):
        _check_table(backend, functions, "cross_entropy", SPECIAL_LOSSES, dtype)


@law(fault="an entropy or divergence with NaN, an infinity, or T = 0 or inf is wrong")
def special_entropies(backend: Backend, functions: Any) -> None:
    """Every row of both tables."""
    for dtype in backend.some(backend.dtypes):
        _check_table(backend, functions, "entropy", SPECIAL_ENTROPIES, dtype)
        _check_table(backend, functions, "kl_divergence", SPECIAL_DIVERGENCES, dtype)


@law(fault="a warning is emitted for a special value of a loss or an entropy")
def quiet_losses(backend: Backend, functions: Any) -> None:
    """No row of the tables, no saturation and no huge logit makes the library warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dtype = backend.default_dtype
        _check_table(backend, functions, "cross_entropy", SPECIAL_LOSSES, dtype)
        _check_table(backend, functions, "entropy", SPECIAL_ENTROPIES, dtype)
        _check_table(backend, functions, "kl_divergence", SPECIAL_DIVERGENCES, dtype)
        largest = np.finfo(dtype).max
        loud = np.asarray([[largest, -largest, 0.0], [1e4, -1e4, 0.0]], dtype)
        for temperature in (1.0, 1e-30, 1e30):
            case = Case(loud, dtype, temperature=temperature)
            for function in ("cross_entropy", "cross_entropy_grad", "entropy", "kl_divergence"):
                case.suited(function).call(backend, functions, function)


def _check_table(
    backend: Backend, functions: Any, function: str, table: Sequence[SpecialCase], dtype: str
) -> None:
    """Stack the rows that go together into one call; one by one where that is cheap."""
    groups: dict[Any, list[SpecialCase]] = {}
    for row in table:
        groups.setdefault(row.shared, []).append(row)
    batches = list(groups.values())
    if backend.cost == 1:
        batches += [[row] for row in table]
    for rows in batches:
        case = _stacked(function, rows, dtype)
        got = case.call(backend, functions, function)
        for value, row in zip(got, rows, strict=True):
            _compare(float(value), row, f"{function}, {dtype}")
        if function == "cross_entropy":
            _check_gradient(case.call(backend, functions, "cross_entropy_grad"), case, rows)


def _stacked(function: str, rows: Sequence[SpecialCase], dtype: str) -> Case:
    """Return rows as one array; what is as usual in all of them is left out."""
    first = rows[0]
    second = None
    if first.second is not None:
        labelled = isinstance(first.second, int)
        second = np.asarray(
            [row.second for row in rows], dtype=np.int32 if labelled else np.float32
        )
    where = np.asarray([row.where for row in rows])
    temperature = np.asarray([[row.temperature] for row in rows], dtype=np.float32)
    weights = np.asarray([row.weight for row in rows], dtype=np.float32)
    by_class = first.class_weights
    return Case(
        np.asarray([row.logits for row in rows], dtype=np.float32),
        dtype,
        where=None if where.all() else where,
        temperature=1.0 if (temperature == 1).all() else temperature,
        second=second,
        class_weights=None if by_class is None else np.asarray(by_class, dtype=np.float32),
        sample_weights=None if (weights == 1).all() else weights,
        label_smoothing=first.smoothing,
        reduction="none" if function == "cross_entropy" else "mean",
    )


def _compare(got: float, row: SpecialCase, what: str) -> None:
    """Compare exactly, except for the logarithm of 2, which the dtype must round."""
    known = row.result
    rounded = known not in {0.0, INF, -INF} and not np.isnan(known)
    # Of 0.69 bfloat16 keeps 8 bits and the others more.
    same = abs(got / known - 1) <= 2.0**-8 if rounded else got == known
    assert same or (np.isnan(got) and np.isnan(known)), f"{row.name}: {what} is {got}, not {known}"


def _check_gradient(got: NumpyArray, case: Case, rows: Sequence[SpecialCase]) -> None:
    """Refuse NaN where the loss is none, and anything but 0 by what takes no part."""
    for derivatives, row in zip(got, rows, strict=True):
        if np.isnan(row.result):
            continue
        assert np.isfinite(derivatives).all(), f"{row.name}: the gradient is {derivatives}"
        absent = ~np.asarray(row.where) | (np.asarray(row.logits) == -INF)
        idle = np.full(WIDTH, row.weight == 0)
        zero = derivatives[absent | idle] == 0
        assert zero.all(), f"{row.name}: the gradient is {derivatives}"
