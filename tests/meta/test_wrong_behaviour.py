"""Functions whose numbers are right and whose manners are not, each refused by its law."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import anysoftmax
from anysoftmax import log_softmax, logsumexp, softmax
from anysoftmax.testing import LAWS, LazinessGuard, backends

Prosecution = Any


def available(name: str) -> str:
    if not backends.get(name).available():
        pytest.skip(f"{name} is not installed")
    return name


def test_writing_to_the_input(prosecution: Prosecution) -> None:
    def in_place(x, /, **options):
        p = softmax(x, **options)
        if x.flags.writeable:
            x[...] = 0
        return p

    prosecution.assert_caught("inputs-unchanged", softmax=in_place)
    prosecution.assert_acquitted("default-accuracy", softmax=in_place)


def test_writing_to_the_input_is_noticed_on_read_only_numpy(prosecution: Prosecution) -> None:
    def in_place(x, /, **options):
        p = softmax(x, **options)
        x[...] = 0
        return p

    functions = prosecution.with_fault(softmax=in_place)
    law = next(law for law in LAWS if law.name == "shapes")
    with pytest.raises(ValueError, match="read-only"):
        law.check(backends.get("numpy-readonly"), functions)


def test_writing_past_the_read_only_flag_is_noticed(prosecution: Prosecution) -> None:
    def forcing(x, /, **options):
        p = softmax(x, **options)
        x.flags.writeable = True
        x[...] = 0
        return p

    prosecution.assert_caught("shapes", "numpy-readonly", softmax=forcing)


def test_returning_the_input(prosecution: Prosecution) -> None:
    def viewing(x, /, **options):
        p = softmax(x, **options)
        return x[...] if type(x) is np.ndarray and x.shape == (2, 3) else p

    prosecution.assert_caught("inputs-unchanged", softmax=viewing)


def test_computing_a_lazy_array(prosecution: Prosecution) -> None:
    def computing(x, /, **options):
        return softmax(x - float(x.max()), **options)

    prosecution.assert_caught("laziness", available("dask"), softmax=computing)


def test_making_a_traced_array_concrete(prosecution: Prosecution) -> None:
    available("jax")
    import jax

    def concrete(x, /, **options):
        return softmax(x, **options) if float(x[0, 0]) < 9 else x

    functions = prosecution.with_fault(softmax=concrete)
    law = next(law for law in LAWS if law.name == "laziness")
    with pytest.raises(jax.errors.ConcretizationTypeError):
        law.check(backends.get("jax-jit"), functions)


@pytest.mark.parametrize("name", ["dask", "jax-jit"])
def test_a_guard_that_saw_nothing_fails(name: str) -> None:
    backend = backends.get(available(name))
    with backend.context():
        with pytest.raises(AssertionError, match="nothing was tested"), LazinessGuard(backend):
            softmax(np.zeros(3))
        with LazinessGuard(backend):
            backend.evaluate(softmax, np.zeros(3))


def test_compiled_programs_do_not_hide_from_the_guard() -> None:
    backend = backends.get(available("jax-jit"))
    with backend.context():
        for _ in range(2):  # the second time the program is known, and would not be traced
            with LazinessGuard(backend):
                backend.evaluate(softmax, np.zeros(3))


def test_another_result_under_a_tracer(prosecution: Prosecution) -> None:
    available("jax")
    import jax

    def traced(x, /, **options):
        p = softmax(x, **options)
        return p * 0.999 if isinstance(x, jax.core.Tracer) else p

    prosecution.assert_caught("traced-as-eager", "jax-jit", softmax=traced)


def test_another_library_comes_back(prosecution: Prosecution) -> None:
    def to_numpy(x, /, **options):
        return softmax(np.asarray(x), **options)

    prosecution.assert_caught("preservation", available("torch"), softmax=to_numpy)


def test_another_device_comes_back(prosecution: Prosecution) -> None:
    available("array-api-strict")
    import array_api_strict

    def to_cpu(x, /, **options):
        return softmax(x, **options).to_device(array_api_strict.Device("CPU_DEVICE"))

    prosecution.assert_caught("preservation", "array-api-strict", softmax=to_cpu)


def test_another_dtype_comes_back(prosecution: Prosecution) -> None:
    def widening(x, /, **options):
        return softmax(x, **options).astype(np.float64)

    prosecution.assert_caught("preservation", softmax=widening)


def test_keepdims_ignored(prosecution: Prosecution) -> None:
    def dropping(x, /, *, keepdims=False, **options):
        return logsumexp(x, **options)

    prosecution.assert_caught("preservation", logsumexp=dropping)


def test_asked_for_dtype_only_at_the_end(prosecution: Prosecution) -> None:
    def casting_late(x, /, *, dtype=None, **options):
        y = logsumexp(x, **options)
        return y if dtype is None else y.astype(dtype)

    prosecution.assert_caught("asked-dtype", logsumexp=casting_late)


def test_lists_refused(prosecution: Prosecution) -> None:
    def arrays_only(x, /, **options):
        return softmax(x, **options) if isinstance(x, np.ndarray) else None

    prosecution.assert_caught("python-numbers", softmax=arrays_only)


def test_out_ignored(prosecution: Prosecution) -> None:
    def ignoring(x, /, *, out=None, **options):
        return softmax(x, **options)

    prosecution.assert_caught("out", softmax=ignoring)


def test_out_returned_but_not_written(prosecution: Prosecution) -> None:
    def returning(x, /, *, out=None, **options):
        p = softmax(x, **options)
        return p if out is None else out

    prosecution.assert_caught("out", softmax=returning)


def test_memory_order_taken_for_the_array(prosecution: Prosecution) -> None:
    def raw(x, /, *, axis=-1, **options):
        order = "A" if x.ndim == 2 and options == {} else "C"
        return softmax(np.ravel(x, order=order).reshape(x.shape), axis=axis, **options)

    prosecution.assert_caught("layouts", softmax=raw)
    prosecution.assert_acquitted("joint-axes", softmax=raw)


def test_first_of_several_axes(prosecution: Prosecution) -> None:
    def first_axis(x, /, *, axis=-1, **options):
        return softmax(x, axis=axis[0] if isinstance(axis, tuple) else axis, **options)

    prosecution.assert_caught("joint-axes", softmax=first_axis)
    prosecution.assert_acquitted("any-axis", softmax=first_axis)


def test_axes_wrapped_around(prosecution: Prosecution) -> None:
    def wrapping(x, /, *, axis=-1, **options):
        if isinstance(axis, int) and x.ndim:
            axis %= x.ndim
        return softmax(x, axis=axis, **options)

    prosecution.assert_caught("axis-errors", softmax=wrapping)


def test_plain_error_for_an_axis_out_of_range(prosecution: Prosecution) -> None:
    def plain(x, /, **options):
        try:
            return softmax(x, **options)
        except anysoftmax.AxisError as error:
            raise ValueError(str(error)) from None

    prosecution.assert_caught("axis-errors", softmax=plain)


def test_message_that_says_nothing(prosecution: Prosecution) -> None:
    def silent(x, /, **options):
        try:
            return softmax(x, **options)
        except anysoftmax.AxisError:
            raise anysoftmax.AxisError("bad axis") from None

    prosecution.assert_caught("axis-errors", softmax=silent)


def test_unknown_precision_accepted(prosecution: Prosecution) -> None:
    def lenient(x, /, *, precision="default", **options):
        known = precision if precision in {"default", "highest"} else "default"
        return softmax(x, precision=known, **options)

    prosecution.assert_caught("option-errors", softmax=lenient)


def test_mask_of_numbers_accepted(prosecution: Prosecution) -> None:
    def lenient(x, /, *, where=None, **options):
        return softmax(x, where=None if where is None else where.astype(bool), **options)

    prosecution.assert_caught("option-errors", softmax=lenient)


def test_mask_of_a_masked_array_ignored(prosecution: Prosecution) -> None:
    def ignoring(x, /, **options):
        return softmax(x.data if isinstance(x, np.ma.MaskedArray) else x, **options)

    prosecution.assert_caught("refused-inputs", softmax=ignoring)


def test_booleans_accepted(prosecution: Prosecution) -> None:
    def lenient(x, /, **options):
        return softmax(x + 0 if np.asarray(x).dtype.kind == "b" else x, **options)

    prosecution.assert_caught("refused-inputs", softmax=lenient)


def test_arrays_of_another_library_accepted(prosecution: Prosecution) -> None:
    def lenient(x, /, *, where=None, **options):
        return softmax(x, where=None if where is None else np.asarray(where), **options)

    available("array-api-strict")
    prosecution.assert_caught("stray-arrays", softmax=lenient)


# --- derivatives, on PyTorch ------------------------------------------------------------------


def test_winner_without_a_derivative(prosecution: Prosecution) -> None:
    def logarithm(x, /, **options):
        return softmax(x, **options).log()

    prosecution.assert_caught("gradient-accuracy", available("torch"), log_softmax=logarithm)


def test_derivative_by_the_temperature_cut(prosecution: Prosecution) -> None:
    def constant(x, /, *, temperature=1.0, **options):
        if hasattr(temperature, "detach"):
            temperature = temperature.detach() + 0 * temperature
        return softmax(x, temperature=temperature, **options)

    prosecution.assert_caught("gradient-accuracy", available("torch"), softmax=constant)


def test_weight_of_zero_without_a_derivative(prosecution: Prosecution) -> None:
    available("torch")
    import torch

    def masking(x, /, *, weights=None, **options):
        if weights is not None:
            weights = torch.where(weights == 0, weights.detach(), weights)
        return logsumexp(x, weights=weights, **options)

    prosecution.assert_caught("weight-gradients", "torch", logsumexp=masking)


def test_mask_applied_after_the_exponential(prosecution: Prosecution) -> None:
    available("torch")
    import torch

    def masking_late(x, /, *, where=None, **options):
        if where is None:
            return softmax(x, **options)
        peak = torch.where(where, x, -math.inf).amax(-1, keepdim=True)
        e = torch.where(where, torch.exp(x - peak), 0)
        return e / e.sum(-1, keepdim=True)

    prosecution.assert_caught("masked-gradients", "torch", softmax=masking_late)


def test_nan_derivative_at_minus_infinity(prosecution: Prosecution) -> None:
    def logarithm(x, /, **options):
        return softmax(x, **options).log() if x.isneginf().any() else log_softmax(x, **options)

    prosecution.assert_caught("gradients-at-edges", available("torch"), log_softmax=logarithm)


def test_derivative_through_the_maximum(prosecution: Prosecution) -> None:
    def through_maximum(x, /, *, axis=None, **options):
        peak = x.amax(-1, keepdim=True)  # its derivative is shared among ties, its second is not
        rest = ((x - peak).exp().sum(-1) - 1).log1p()
        return peak.squeeze(-1) + rest + 0.25 * (peak.squeeze(-1) - x[..., 0]) ** 2

    prosecution.assert_caught("second-derivatives", available("torch"), logsumexp=through_maximum)


def test_every_law_has_been_broken() -> None:
    """A law without a wrong function in this folder may be one that nothing can break."""
    from pathlib import Path

    source = "".join(path.read_text() for path in Path(__file__).parent.glob("test_wrong_*.py"))
    unbroken = [law.name for law in LAWS if f'"{law.name}"' not in source]
    assert unbroken == []
