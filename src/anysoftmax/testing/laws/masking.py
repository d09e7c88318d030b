"""Left-out elements are as if they had never been there."""

from __future__ import annotations

from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import Expected, judge
from anysoftmax.testing.laws.law import FROM_LOGITS, affordable, law
from anysoftmax.testing.oracle.exact import exact
from anysoftmax.testing.strategies import NORMALISABLE, SPECIAL, Case, cases, examples

__all__ = ["mask_broadcasts", "mask_hides", "mask_is_slicing"]

FUNCTIONS = ("softmax", "log_softmax", "logsumexp", "entropy", "kl_divergence")
LEFT_OUT = {"softmax": 0.0, "log_softmax": -np.inf}


@law(fault="masked elements still count")
def mask_is_slicing(backend: Backend, functions: Any) -> None:
    """Masking elements gives what slicing them out gives; they themselves get 0 or -inf."""

    @examples(backend, cases(backend, masks=True, shapes=[((3, 5), -1)], temperatures=(1.0, 0.7)))
    def holds(case: Case) -> None:
        assert case.where is not None
        # One slice is enough to be cut: for each new length a compiler compiles anew.
        row = int(np.argmax(case.where.sum(axis=1)))
        kept = case.where[row]
        temperature = case.temperature
        if isinstance(temperature, np.ndarray):
            temperature = float(temperature[row, 0])
        cut = case.but(values=case.values[row][kept], where=None, temperature=temperature, axis=-1)
        for function in FUNCTIONS:
            whole = case.suited(function)
            second = None if whole.second is None else whole.second[row][kept]
            part = cut.but(second=second)
            expected = part.expect(backend, function)
            sliced = part.call(backend, functions, function)
            got = whole.call(backend, functions, function)[row]
            if function in LEFT_OUT:
                assert (got[~kept] == LEFT_OUT[function]).all(), f"{function} of masked elements"
                got = got[kept]
            twice = Expected(exact(sliced), expected.allowed, case.format)
            judge(got, twice, flushes=backend.flushes_subnormals, times=2)

    holds()


@law(fault="what a masked element holds shows in the result")
def mask_hides(backend: Backend, functions: Any) -> None:
    """NaN, infinities and huge numbers behind the mask change no bit, whatever the slice is."""
    behind = (np.nan, np.inf, -np.inf, 1e38, 100.0)

    @examples(backend, cases(backend, masks=True, families=(*NORMALISABLE, *SPECIAL)))
    def holds(case: Case) -> None:
        hidden = np.resize(np.asarray(behind), case.values.shape)
        filled = np.where(case.taking_part, case.values, case.format.round(hidden))
        for function in affordable(backend, FROM_LOGITS):
            clean = case.suited(function)
            other = clean.but(values=filled.astype(case.values.dtype))
            if function == "kl_divergence" and clean.second is not None:
                second = np.where(case.taking_part, clean.second, np.flip(hidden))
                other = other.but(second=case.format.round(second))
            before = clean.call(backend, functions, function)
            after = other.call(backend, functions, function)
            assert np.array_equal(before, after, equal_nan=True), function
            if function in LEFT_OUT:
                assert (after[~case.taking_part] == LEFT_OUT[function]).all(), function

    holds()


@law(fault="a mask that broadcasts is not the mask it broadcasts to")
def mask_broadcasts(backend: Backend, functions: Any) -> None:
    """Masks of fewer dimensions, of length 1 and of one element stand for the whole mask."""
    values = np.asarray([[0.5, 2.0, -1.0, 0.0, 3.0]] * 3, dtype=np.float32)
    values += np.arange(3, dtype=np.float32)[:, None]
    narrow = [
        np.asarray([True, False, True, True, False]),
        np.asarray([[True], [False], [True]]),
        np.ones((), dtype=bool),
        np.zeros((), dtype=bool),
    ]
    for mask in narrow:
        case = Case(values, "float32", where=mask)
        whole = case.but(where=np.broadcast_to(mask, values.shape).copy())
        for function in affordable(backend, FROM_LOGITS):
            got = case.suited(function).call(backend, functions, function)
            expected = whole.suited(function).expect(backend, function)
            judge(got, expected, flushes=backend.flushes_subnormals)
