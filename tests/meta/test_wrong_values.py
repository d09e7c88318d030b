"""Wrong softmaxes that have been written, each refused by the law that names its fault.

What a law does *not* refuse is as telling: a softmax that is wrong in one way only is acquitted
by the laws about other things, so that the law which fails says what is wrong.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from anysoftmax import log_softmax, logsumexp, softmax

Prosecution = Any


def shifted_by(shift: Any) -> Any:
    """Return a softmax that takes `shift(x)` away from the logits, for T = 1."""

    def wrong(x, /, *, axis=-1, where=None, temperature=1.0, **options):
        ordinary = x.dtype.kind == "f" and x.ndim and x.size and temperature is not None
        if not ordinary or np.any(np.asarray(temperature) != 1):
            return softmax(x, axis=axis, where=where, temperature=temperature, **options)
        with np.errstate(all="ignore"):
            e = np.exp(x - shift(x)) * (1 if where is None else where)
            return (e / np.sum(e, axis=axis, keepdims=True)).astype(x.dtype)

    return wrong


def test_unshifted(prosecution: Prosecution) -> None:
    unshifted = shifted_by(np.zeros_like)
    prosecution.assert_caught("shift-invariance", softmax=unshifted)
    prosecution.assert_caught("never-nan", softmax=unshifted)
    prosecution.assert_acquitted("temperature-by-slice", softmax=unshifted)


def test_global_maximum_with_sums_by_row(prosecution: Prosecution) -> None:
    global_maximum = shifted_by(np.max)
    prosecution.assert_caught("independent-slices", softmax=global_maximum)
    prosecution.assert_acquitted("shift-invariance", softmax=global_maximum)


def test_promoting_after_the_subtraction(prosecution: Prosecution) -> None:
    def promoting_late(x, /, *, axis=-1, **options):
        if x.dtype.kind in "iu" and x.size:
            with np.errstate(over="ignore"):
                x = x - np.max(x, axis=axis, keepdims=True)
        return softmax(x, axis=axis, **options)

    prosecution.assert_caught("integers-promoted", softmax=promoting_late)
    prosecution.assert_acquitted("default-accuracy", softmax=promoting_late)


def test_scaling_before_the_shift(prosecution: Prosecution) -> None:
    def scaling_first(x, /, *, temperature=1.0, **options):
        if isinstance(temperature, np.ndarray) or not 0 < temperature < np.inf:
            return softmax(x, temperature=temperature, **options)
        with np.errstate(over="ignore", under="ignore"):
            return softmax(x / x.dtype.type(temperature), **options)

    prosecution.assert_caught("shift-before-scale", softmax=scaling_first)
    prosecution.assert_acquitted("simplex", softmax=softmax)
    prosecution.assert_acquitted("temperature-limits", softmax=scaling_first)
    prosecution.assert_acquitted("integers-promoted", softmax=scaling_first)


def test_sums_in_sixteen_bits(prosecution: Prosecution) -> None:
    def sixteen_bits(x, /, *, axis=-1, **options):
        if x.dtype != np.float16 or x.size < 1000:
            return softmax(x, axis=axis, **options)
        e = np.exp(x - np.max(x, axis=axis, keepdims=True))
        with np.errstate(all="ignore"):
            return e / np.add.accumulate(e, axis=axis)[-1:]

    prosecution.assert_caught("sixteen-bit-sums", softmax=sixteen_bits)
    prosecution.assert_acquitted("million-classes", softmax=sixteen_bits)


def test_wrong_axis(prosecution: Prosecution) -> None:
    def last_axis(x, /, *, axis=-1, **options):
        return softmax(x, axis=-1 if isinstance(axis, int) and x.ndim else axis, **options)

    prosecution.assert_caught("any-axis", softmax=last_axis)
    prosecution.assert_acquitted("mask-is-slicing", softmax=last_axis)
    prosecution.assert_acquitted("shift-invariance", softmax=last_axis)


def test_mask_filled_with_a_large_negative_number(prosecution: Prosecution) -> None:
    def filling(function):
        def filled(x, /, *, where=None, **options):
            if where is None or not np.all(np.isfinite(x)) or x.dtype.itemsize < 4:
                return function(x, where=where, **options)
            return function(np.where(where, x, x.dtype.type(-1e9)), **options)

        return filled

    wrong = {"softmax": filling(softmax), "log_softmax": filling(log_softmax)}
    prosecution.assert_caught("mask-is-slicing", **wrong)
    prosecution.assert_caught("mask-hides", **wrong)
    prosecution.assert_acquitted("permutation", **wrong)
    prosecution.assert_acquitted("layouts", **wrong)


def test_logarithm_of_softmax(prosecution: Prosecution) -> None:
    def logarithm(x, /, **options):
        with np.errstate(divide="ignore"):
            return np.log(softmax(x, **options))

    prosecution.assert_caught("saturated-winner", log_softmax=logarithm)
    prosecution.assert_caught("default-accuracy", log_softmax=logarithm)
    prosecution.assert_acquitted("log-of-softmax", log_softmax=logarithm)


def test_difference_with_logsumexp(prosecution: Prosecution) -> None:
    def difference(x, /, *, axis=-1, where=None, temperature=1.0, **options):
        plain = where is None and not isinstance(temperature, np.ndarray) and temperature == 1
        if not (plain and np.all(np.isfinite(x)) and x.size and x.dtype.kind == "f"):
            return log_softmax(x, axis=axis, where=where, temperature=temperature, **options)
        with np.errstate(over="ignore"):
            return x - logsumexp(x, axis=axis, keepdims=True)

    prosecution.assert_caught("saturated-winner", log_softmax=difference)


def test_logsumexp_of_nothing_but_minus_infinity(prosecution: Prosecution) -> None:
    def subtracting(x, /, *, axis=None, where=None, **options):
        y = logsumexp(x, axis=axis, where=where, **options)
        empty = np.isneginf(y) & (np.sum(np.ones_like(x), axis=axis) > 0)
        return np.where(empty, np.nan, y).astype(y.dtype)

    prosecution.assert_caught("special-values", logsumexp=subtracting)
    prosecution.assert_acquitted("homomorphism", logsumexp=lambda x, /, **o: logsumexp(x, **o))


def test_probabilities_that_do_not_sum_to_one(prosecution: Prosecution) -> None:
    def not_normalised(x, /, **options):
        p = softmax(x, **options)
        return (p * (1 - 16 * np.finfo(p.dtype).eps)).astype(p.dtype)

    prosecution.assert_caught("simplex", softmax=not_normalised)
    prosecution.assert_acquitted("unit-interval", softmax=not_normalised)
    prosecution.assert_acquitted("mask-hides", softmax=not_normalised)


def test_probability_above_one(prosecution: Prosecution) -> None:
    def above_one(x, /, **options):
        p = softmax(x, **options)
        return np.where(p == 1, np.nextafter(p, p.dtype.type(2)), p)

    prosecution.assert_caught("unit-interval", softmax=above_one)


def test_logarithm_above_zero(prosecution: Prosecution) -> None:
    def above_zero(x, /, **options):
        y = log_softmax(x, **options)
        return np.where(y == 0, np.finfo(y.dtype).tiny, y).astype(y.dtype)

    prosecution.assert_caught("unit-interval", log_softmax=above_zero)


def test_elements_that_are_exchanged(prosecution: Prosecution) -> None:
    def exchanging(x, /, *, axis=-1, **options):
        return np.flip(softmax(x, axis=axis, **options), axis=-1) if x.ndim else softmax(x)

    prosecution.assert_caught("permutation", softmax=exchanging)
    prosecution.assert_acquitted("unit-interval", softmax=exchanging)


def test_last_element_forgotten(prosecution: Prosecution) -> None:
    def forgetting(x, /, *, axis=None, **options):
        if axis is None or x.shape[axis] < 2:
            return logsumexp(x, axis=axis, **options)
        return logsumexp(x[..., :-1], axis=axis, **options)

    prosecution.assert_caught("permutation", logsumexp=forgetting)


def test_descending(prosecution: Prosecution) -> None:
    def descending(x, /, **options):
        return softmax(-x, **options)

    prosecution.assert_caught("order", softmax=descending)
    prosecution.assert_acquitted("unit-interval", softmax=descending)


def test_logarithm_to_another_base(prosecution: Prosecution) -> None:
    def bits(x, /, **options):
        y = log_softmax(x, **options)
        with np.errstate(over="ignore"):
            return (y / np.log(2)).astype(y.dtype)

    prosecution.assert_caught("log-of-softmax", log_softmax=bits)
    prosecution.assert_acquitted("order", log_softmax=log_softmax)


def test_mean_instead_of_sum(prosecution: Prosecution) -> None:
    def mean(x, /, *, axis=None, **options):
        y = logsumexp(x, axis=axis, **options)
        return (y - np.log(max(1, x.size // max(1, y.size)))).astype(y.dtype)

    prosecution.assert_caught("homomorphism", logsumexp=mean)
    prosecution.assert_acquitted("shift-before-scale", logsumexp=mean)


def test_naive_sums(prosecution: Prosecution) -> None:
    def naive(x, /, *, axis=-1, **options):
        if x.dtype != np.float32:
            return softmax(x, axis=axis, **options)
        e = np.exp(x - np.max(x, axis=axis, keepdims=True))
        total = np.add.accumulate(e, axis=axis).take([-1], axis=axis)
        return e / total

    prosecution.assert_caught("million-classes", softmax=naive)


def test_highest_precision_ignored(prosecution: Prosecution) -> None:
    def ordinary(x, /, *, precision="default", **options):
        return softmax(x, **options)

    prosecution.assert_caught("highest-accuracy", softmax=ordinary)
    prosecution.assert_acquitted("default-accuracy", softmax=ordinary)


def test_all_but_tied_logits_lost(prosecution: Prosecution) -> None:
    def losing(x, /, *, axis=None, **options):
        y = logsumexp(x, axis=axis, **options)
        if not np.all(np.abs(x) < 1e-30) or not x.size or y.dtype == np.float16:
            return y
        return np.max(x, axis=axis)

    prosecution.assert_caught("vanishing-distances", logsumexp=losing)


def test_weights_as_a_mask(prosecution: Prosecution) -> None:
    def masking(x, /, *, weights=None, where=None, **options):
        if weights is not None:
            where = weights != 0 if where is None else (weights != 0) & where
        return logsumexp(x, where=where, **options)

    prosecution.assert_caught("weighted-accuracy", logsumexp=masking)
    prosecution.assert_acquitted("mask-is-slicing", logsumexp=masking)


def test_infinite_logit_of_weight_zero(prosecution: Prosecution) -> None:
    def multiplying(x, /, *, weights=None, **options):
        y = logsumexp(x, weights=weights, **options)
        if weights is None or not np.isposinf(x).any():
            return y
        return y * np.nan

    prosecution.assert_caught("weighted-accuracy", logsumexp=multiplying)


def test_scalars_get_an_axis(prosecution: Prosecution) -> None:
    def at_least_1d(x, /, **options):
        return np.atleast_1d(softmax(x, **options))

    prosecution.assert_caught("shapes", softmax=at_least_1d)


def test_several_infinities_share(prosecution: Prosecution) -> None:
    def sharing(x, /, **options):
        return softmax(np.minimum(x, np.finfo(x.dtype).max), **options)

    prosecution.assert_caught("special-values", softmax=sharing)


def test_warning(prosecution: Prosecution) -> None:
    def dividing(x, /, **options):
        np.log(np.where(np.isneginf(x), 0.0, 1.0))
        return softmax(x, **options)

    functions = prosecution.with_fault(softmax=dividing)
    assert_warns(functions)


def assert_warns(functions: SimpleNamespace) -> None:
    """The law turns the warning into an error, so that it is not an assertion that fails."""
    import pytest

    from anysoftmax.testing import backends, laws

    with pytest.raises(RuntimeWarning, match="divide by zero"):
        laws.get("no-warnings").check(backends.get("numpy"), functions)


def test_infinite_temperature_divides(prosecution: Prosecution) -> None:
    def dividing(x, /, *, temperature=1.0, **options):
        p = softmax(x, temperature=temperature, **options)
        t = np.asarray(temperature)
        return np.where(np.isposinf(t) & np.isneginf(x), np.nan, p).astype(p.dtype)

    prosecution.assert_caught("temperature-limits", softmax=dividing)
    prosecution.assert_acquitted("temperature-by-slice", softmax=dividing)


def test_first_temperature_for_all_slices(prosecution: Prosecution) -> None:
    def first(x, /, *, temperature=1.0, **options):
        return softmax(x, temperature=np.ravel(temperature)[0], **options)

    prosecution.assert_caught("temperature-by-slice", softmax=first)


def test_halves_overflow(prosecution: Prosecution) -> None:
    def clipping(x, /, *, temperature=1.0, **options):
        bound = np.finfo(x.dtype).max / 2
        return softmax(np.clip(x, -bound, bound), temperature=temperature, **options)

    prosecution.assert_caught("opposite-extremes", softmax=clipping)
    prosecution.assert_acquitted("shift-before-scale", softmax=clipping)


def test_sign_of_the_temperature_dropped(prosecution: Prosecution) -> None:
    def absolute(x, /, *, temperature=1.0, **options):
        return softmax(x, temperature=np.abs(temperature), **options)

    prosecution.assert_caught("wrong-temperatures", softmax=absolute)


def test_mask_of_one_row_for_all(prosecution: Prosecution) -> None:
    def flattened(x, /, *, where=None, **options):
        if where is not None and where.ndim == 1:
            where = np.ones(x.shape, dtype=bool)
        return softmax(x, where=where, **options)

    prosecution.assert_caught("mask-broadcasts", softmax=flattened)
    prosecution.assert_acquitted("mask-is-slicing", softmax=flattened)
