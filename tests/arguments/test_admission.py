"""Arguments that once slipped through the border, or were refused without a word of help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import anysoftmax as asm
from anysoftmax.testing import backends

LOGITS = np.zeros((2, 3))


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", ["temperature", "where", "out"])
@pytest.mark.parametrize(
    "subclass", [lambda x: np.ma.array(x, mask=False), np.matrix], ids=["masked", "matrix"]
)
def test_numpy_companions_must_be_plain(name: str, subclass: Callable[[Any], Any]) -> None:
    plain = {"temperature": np.ones((2, 1)), "where": np.ones((2, 3), bool), "out": LOGITS}[name]
    with pytest.raises(TypeError, match=f"{name} must be a plain array"):
        asm.softmax(LOGITS, **{name: subclass(plain)})


def test_torch_companions_must_be_dense() -> None:
    with pytest.raises(TypeError, match=r"temperature must be dense.*to_dense"):
        asm.softmax(torch.ones(2, 2), temperature=torch.ones(2, 1).to_sparse())


@pytest.mark.parametrize("out", [[0.0, 0.0, 0.0], 1.0])
def test_out_must_be_an_array(out: Any) -> None:
    with pytest.raises(TypeError, match="out must be"):
        asm.softmax(LOGITS, out=out)


@pytest.mark.parametrize(
    ("logits", "dtype"),
    [
        (LOGITS, torch.float32),
        (LOGITS, "int8"),
        (jnp.zeros(3), torch.float16),
        (torch.zeros(3), np.float64),
    ],
)
def test_dtype_must_be_the_library_s_own(logits: Any, dtype: Any) -> None:
    with pytest.raises(TypeError, match="dtype must be a real floating dtype of"):
        asm.softmax(logits, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("float32")])
def test_spellings_of_a_dtype(dtype: Any) -> None:
    assert asm.softmax(LOGITS, dtype=dtype).dtype == np.float32


def test_negative_numbers_in_lists_are_known_to_be_negative() -> None:
    with pytest.raises(ValueError, match="temperature must be 0 or more"):
        jax.jit(lambda x: asm.softmax(x, temperature=[[1], [-2]]))(jnp.ones((2, 2)))
    dask = backends.get("dask")
    with pytest.raises(ValueError, match="weights must be 0 or more"):
        asm.logsumexp(dask.array(LOGITS), weights=[1, 1, -2])


def test_numbers_beyond_the_range_are_infinite_without_a_warning() -> None:
    uniform = [1 / 3] * 3
    assert asm.softmax([1, 2, 3], temperature=10**400).tolist() == uniform
    half = np.asarray([1, 2, 3], dtype=np.float16)
    for temperature in (1e5, np.asarray(100_000), np.asarray(1e300)):
        assert asm.softmax(half, temperature=temperature).tolist() == [float(np.float16(1 / 3))] * 3


def test_the_largest_numbers_next_to_ordinary_ones_overflow_without_a_warning() -> None:
    for dtype, far in ((np.float32, 3e31), (np.float64, 1.9e292)):
        logits = np.asarray([-np.finfo(dtype).max, far], dtype=dtype)
        assert asm.softmax(logits).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("precision", ["exact", np.asarray([1, 2]), None])
def test_unknown_precision(precision: Any) -> None:
    with pytest.raises(ValueError, match="default"):
        asm.softmax(LOGITS, precision=precision)


@pytest.mark.parametrize("t", [1e25, 1e20, 1.2e-19, 1e-20, 0.7])
def test_derivative_by_a_temperature_whose_square_is_out_of_range(t: float) -> None:
    logits = np.asarray([0.0, -t, -3 * t], dtype=np.float32)
    e = np.exp([0.0, -1.0, -3.0])
    p = e / e.sum()
    exact = p[1] * (1.0 - p @ [0.0, 1.0, 3.0]) / t
    by_jax = jax.grad(lambda t: asm.softmax(jnp.asarray(logits), temperature=t)[1])(t)
    by_torch = torch.func.grad(lambda t: asm.softmax(torch.tensor(logits), temperature=t)[1])(
        torch.tensor(t)
    )
    assert float(by_jax) == pytest.approx(exact, rel=3e-6)
    assert float(by_torch) == pytest.approx(exact, rel=3e-6)


def test_a_device_without_float64() -> None:
    strict = pytest.importorskip("array_api_strict")
    x = strict.asarray([1.0, 2.0], dtype=strict.float32, device=strict.Device("no_float64"))
    for function in (asm.softmax, asm.log_softmax, asm.logsumexp):
        for precision in ("default", "highest"):
            assert function(x, precision=precision).device == x.device


def test_an_uncommitted_jax_array_goes_to_any_device() -> None:
    logits = jax.device_put(jnp.ones(3), jax.devices()[0])
    assert logits.committed
    assert asm.softmax(logits, temperature=jnp.asarray(2.0)).committed
