"""Each row of the README's table about SciPy, JAX and PyTorch, as a test.

A test here fails when a peer has mended what the table says of it: then the table must change.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import torch

import anysoftmax as asm

ROOT = Path(__file__).parents[2]
INF = float("inf")

Function = Callable[..., Any]


def scipy_function(name: str) -> Function:
    """SciPy's function, its axis the last one as with the others."""
    function = getattr(scipy.special, name)
    return lambda x, axis=-1: function(np.asarray(x), axis=axis)


def jax_function(name: str) -> Function:
    """JAX's function of a NumPy array."""
    function = getattr(jax.nn, name)
    return lambda x, axis=-1: np.asarray(function(jnp.asarray(x), axis=axis))


def torch_function(name: str) -> Function:
    """PyTorch's function of a NumPy array."""
    function = getattr(torch, name)
    return lambda x, axis=-1: function(torch.tensor(np.asarray(x)), axis).numpy()


PEERS = {"scipy": scipy_function, "jax": jax_function, "torch": torch_function}
EVERY_PEER = pytest.mark.parametrize("peer", PEERS)


def total(shares: Any) -> float:
    """Add up without an error of its own."""
    return float(np.asarray(shares).astype(np.longdouble).sum())


@EVERY_PEER
def test_log_probability_of_a_sure_winner(peer: str) -> None:
    assert PEERS[peer]("log_softmax")([50.0, 0.0])[0] == 0.0
    assert asm.log_softmax([50.0, 0.0])[0] == pytest.approx(-1.928749847963918e-22, rel=1e-15)


@pytest.mark.parametrize(("peer", "rows"), [("scipy", 299), ("jax", 298), ("torch", 299)])
def test_digits_winners_of_log_probability_zero(peer: str, rows: int) -> None:
    logits = np.load(ROOT / "tests/data/digits_logits.npy")
    assert len(logits) == 899
    assert int((PEERS[peer]("log_softmax")(logits) == 0).any(axis=1).sum()) == rows
    assert int((asm.log_softmax(logits) == 0).sum()) == 0


@pytest.mark.parametrize("peer", ["scipy", "jax"])
def test_int8_logits_choose_the_wrong_class(peer: str) -> None:
    logits = np.asarray([-128, 127], dtype=np.int8)
    assert PEERS[peer]("softmax")(logits).round(2).tolist() == pytest.approx([0.73, 0.27], abs=1e-3)
    assert asm.softmax(logits).round(2).tolist() == [0.0, 1.0]


def test_int8_logits_are_an_error_to_torch() -> None:
    with pytest.raises(NotImplementedError):
        torch.softmax(torch.tensor([-128, 127], dtype=torch.int8), -1)


@EVERY_PEER
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_one_infinite_logit(peer: str) -> None:
    assert np.isnan(PEERS[peer]("softmax")([INF, 0.0])).all()
    assert asm.softmax([INF, 0.0]).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("peer", "expected"), [("scipy", 0.0), ("jax", 0.0), ("torch", 1.001)])
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_sum_of_70_000_equal_float16_shares(peer: str, expected: float) -> None:
    logits = np.zeros(70_000, dtype=np.float16)
    assert total(PEERS[peer]("softmax")(logits)) == pytest.approx(expected, abs=5e-4)
    # 1 / 70 000 itself is subnormal in float16: this is the rounding of the outputs, no more.
    assert total(asm.softmax(logits)) == 70_000 * float(np.float16(1 / 70_000))


@pytest.mark.parametrize(("peer", "expected"), [("scipy", 1.013), ("jax", 1.0), ("torch", 1.013)])
def test_sum_of_a_million_float32_shares_along_axis_0(peer: str, expected: float) -> None:
    logits = np.full((1_000_000, 2), 0.3, dtype=np.float32)
    logits[0] = 0.4
    theirs = PEERS[peer]("softmax")(logits, axis=0)[:, 0]
    assert total(theirs) == pytest.approx(expected, abs=5e-4)
    assert abs(total(asm.softmax(logits, axis=0)[:, 0]) - 1) < 4 * 2.0**-24


@pytest.mark.parametrize(("peer", "exact"), [("scipy", True), ("jax", False), ("torch", False)])
def test_logsumexp_next_to_zero(peer: str, exact: bool) -> None:
    value = float(PEERS[peer]("logsumexp")([0.0, -40.0]))
    assert value == (pytest.approx(4.248354255291589e-18, rel=1e-15) if exact else 0.0)
    assert asm.logsumexp([0.0, -40.0]) == pytest.approx(4.248354255291589e-18, rel=1e-15)


def test_gradient_of_logsumexp_of_minus_infinities() -> None:
    logits = jnp.asarray([-INF, -INF])
    assert jnp.isnan(jax.grad(jax.nn.logsumexp)(logits)).all()
    assert jax.grad(asm.logsumexp)(logits).tolist() == [0.0, 0.0]
    for function, expected in ((torch.logsumexp, [True, True]), (logsumexp_0, [False, False])):
        x = torch.tensor([-INF, -INF], requires_grad=True)
        function(x, 0).backward()
        assert x.grad is not None
        assert torch.isnan(x.grad).tolist() == expected


def logsumexp_0(x: torch.Tensor, axis: int) -> torch.Tensor:
    """Call ours with PyTorch's arguments."""
    result: torch.Tensor = asm.logsumexp(x, axis=axis)
    return result


def jax_cross_entropy(x: jax.Array, label: int) -> jax.Array:
    """JAX's losses, where it has no function of that name: a row of log-softmax."""
    return -jnp.take_along_axis(jax.nn.log_softmax(x), jnp.asarray([label]), axis=-1)[0]


def test_gradient_of_the_cross_entropy_of_a_sure_winner() -> None:
    lost = pytest.approx(1.928749847963918e-22, rel=1e-6)
    logits = jnp.asarray([50.0, 0.0])
    assert jax.grad(jax_cross_entropy)(logits, 0).tolist() == [0.0, lost]
    won, other = jax.grad(asm.cross_entropy)(logits, 0).tolist()
    assert (-won, other) == (lost, lost)
    x = torch.tensor([50.0, 0.0], requires_grad=True)
    torch.nn.functional.cross_entropy(x, torch.tensor(0)).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, lost]
    won, other = asm.cross_entropy_grad([50.0, 0.0], 0).tolist()
    assert (-won, other) == (lost, lost)


def test_mean_cross_entropy_of_nobody() -> None:
    logits, labels = torch.zeros(2, 3), torch.tensor([-100, -100])
    assert torch.isnan(torch.nn.functional.cross_entropy(logits, labels))
    assert asm.cross_entropy(logits, labels, sample_weights=labels != -100) == 0.0


def test_cross_entropy_of_class_minus_1() -> None:
    logits = [3.2, 1.3, 0.2]
    wrapped, last = (jax_cross_entropy(jnp.asarray(logits), label) for label in (-1, 2))
    assert wrapped == last
    for function in (torch.nn.functional.cross_entropy, asm.cross_entropy):
        with pytest.raises(IndexError):
            function(torch.tensor(logits), torch.tensor(-1))


def test_temperature_under_jit() -> None:
    logits = jnp.asarray([1e20, 0.0], dtype=jnp.float32)
    divided = jax.jit(lambda x, t: jax.nn.softmax(x / t))(logits, 0.7)
    assert jnp.isnan(divided).all()  # compiled to a multiply and subtract in one rounding
    ours = jax.jit(lambda x, t: asm.softmax(x, temperature=t))(logits, 0.7)
    assert ours.tolist() == [1.0, 0.0]


def test_options() -> None:
    options = {
        "scipy": inspect.signature(scipy.special.softmax).parameters.keys(),
        "jax": inspect.signature(jax.nn.softmax).parameters.keys(),
        "torch": inspect.signature(torch.nn.functional.softmax).parameters.keys(),
    }
    assert {peer for peer, names in options.items() if "where" in names} == {"jax"}
    assert not any("temperature" in names for names in options.values())
    assert {"where", "temperature"} <= inspect.signature(asm.softmax).parameters.keys()


ROWS = {
    "log-probability of a sure winner": test_log_probability_of_a_sure_winner,
    "rows of real digits logits": test_digits_winners_of_log_probability_zero,
    "`softmax(int8 [-128, 127])`": test_int8_logits_choose_the_wrong_class,
    "`softmax([inf, 0])`": test_one_infinite_logit,
    "sum of the softmax of 70 000": test_sum_of_70_000_equal_float16_shares,
    "sum of the softmax of 1 000 000": test_sum_of_a_million_float32_shares_along_axis_0,
    "`logsumexp([0, -40])`": test_logsumexp_next_to_zero,
    "gradient of `logsumexp`": test_gradient_of_logsumexp_of_minus_infinities,
    "gradient of the cross-entropy": test_gradient_of_the_cross_entropy_of_a_sure_winner,
    "mean cross-entropy": test_mean_cross_entropy_of_nobody,
    "cross-entropy of class -1": test_cross_entropy_of_class_minus_1,
    "two float32 logits": test_temperature_under_jit,
    "a mask; a temperature": test_options,
}


def test_every_row_of_the_table_has_a_test() -> None:
    section = (ROOT / "README.md").read_text().split("## Next to the others")[1].split("\n## ")[0]
    subjects = [line.split("|")[1].strip() for line in section.splitlines() if "|" in line][2:]
    assert len(subjects) == len(ROWS)
    for subject, row in zip(subjects, ROWS, strict=True):
        assert subject.startswith(row)
