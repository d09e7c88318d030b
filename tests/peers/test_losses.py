"""Each row of the table in docs/how-to/train.md about PyTorch and Optax, as a test.

A test here fails when a peer has mended what the table says of it: then the table must change.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from torch.nn import functional

import anysoftmax as asm

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "train.md"
INF, NAN = float("inf"), float("nan")
LOGITS = [[3.2, 1.3, 0.2], [0.1, 2.0, -1.0]]
WEIGHTS = [1.0, 2.0, 5.0]


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    """Let JAX have float64, as the others do."""
    with jax.enable_x64(True):
        yield


def tensor(values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def torch_gradient(function: Any, logits: Any) -> list[float]:
    """Return the derivatives of a loss on PyTorch."""
    x = tensor(logits).requires_grad_()
    function(x).backward()
    assert x.grad is not None
    return x.grad.tolist()


def test_nobody_counts() -> None:
    labels = torch.tensor([-100, -100])
    assert torch.isnan(functional.cross_entropy(tensor(LOGITS), labels))
    ignored = torch_gradient(lambda x: functional.cross_entropy(x, labels), LOGITS)
    assert not np.asarray(ignored).any()
    nothing = tensor([0.0, 0.0, 0.0])
    weightless = torch_gradient(
        lambda x: functional.cross_entropy(x, torch.tensor([0, 1]), nothing), LOGITS
    )
    assert np.isnan(weightless).all()
    assert asm.cross_entropy(LOGITS, [0, 1], class_weights=[0.0] * 3) == 0
    assert not asm.cross_entropy_grad(LOGITS, [0, 1], class_weights=[0.0] * 3).any()
    assert asm.cross_entropy(LOGITS, labels.tolist(), sample_weights=0.0) == 0
    assert not asm.cross_entropy_grad(LOGITS, labels.tolist(), sample_weights=0.0).any()
    assert "reduction" not in inspect.signature(optax.softmax_cross_entropy).parameters


def test_nan_that_is_left_out() -> None:
    logits, labels = [LOGITS[0], [NAN] * 3], torch.tensor([0, -100])
    theirs = torch_gradient(lambda x: functional.cross_entropy(x, labels), logits)
    assert np.isnan(theirs[1]).all()
    weights = (labels != -100).double()
    ours = torch_gradient(lambda x: asm.cross_entropy(x, labels, sample_weights=weights), logits)
    assert ours[1] == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    assert asm.cross_entropy_grad(np.asarray(logits), labels.numpy(), sample_weights=[1, 0])[
        1
    ].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_out_of_range(label: int) -> None:
    labels = [label, 0]
    with pytest.raises(IndexError, match=f"Target {label} is out of bounds"):
        functional.cross_entropy(tensor(LOGITS), torch.tensor(labels))
    integers = optax.softmax_cross_entropy_with_integer_labels
    theirs = float(integers(jnp.asarray(LOGITS), jnp.asarray(labels))[0])
    last = float(integers(jnp.asarray(LOGITS), jnp.asarray([2, 0]))[0])
    assert theirs == last if label == -1 else np.isnan(theirs)
    for asarray in (np.asarray, jnp.asarray, torch.tensor):
        with pytest.raises(IndexError, match=f"class number {label} is out of range"):
            asm.cross_entropy(asarray(LOGITS), asarray(labels))
    assert jnp.isnan(jax.jit(asm.cross_entropy)(jnp.asarray(LOGITS), jnp.asarray(labels)))


def test_zero_times_infinity() -> None:
    logits, targets = [[0.0, 1.0, -INF]], [[1.0, 0.0, 0.0]]
    assert torch.isnan(functional.cross_entropy(tensor(logits), tensor(targets)))
    assert jnp.isnan(optax.softmax_cross_entropy(jnp.asarray(logits), jnp.asarray(targets)))
    assert asm.cross_entropy(logits, targets) == pytest.approx(np.log1p(np.e), rel=1e-15)


def test_smoothing_beside_minus_infinity() -> None:
    logits = [[0.0, 1.0, -INF]]
    theirs = functional.cross_entropy(tensor(logits), torch.tensor([0]), label_smoothing=0.1)
    assert theirs == INF
    among_two = asm.cross_entropy([logits[0][:2]], [0], label_smoothing=0.1)
    assert asm.cross_entropy(logits, [0], label_smoothing=0.1) == pytest.approx(among_two)


def test_loss_of_a_sure_winner() -> None:
    assert functional.cross_entropy(tensor([50.0, 0.0]), torch.tensor(0)) == 0
    assert optax.softmax_cross_entropy_with_integer_labels(jnp.asarray([50.0, 0.0]), 0) == 0
    assert asm.cross_entropy([50.0, 0.0], 0) == pytest.approx(1.928749847963918e-22, rel=1e-15)


def test_gradient_of_a_sure_winner() -> None:
    sure, small = [50.0, 0.0], pytest.approx(1.928749847963918e-22, rel=1e-14)
    assert torch_gradient(lambda x: functional.cross_entropy(x, torch.tensor(0)), sure) == [
        0,
        small,
    ]
    assert torch_gradient(lambda x: -asm.cross_entropy(x, 0), sure)[0] == small
    for function, expected in (
        (optax.softmax_cross_entropy_with_integer_labels, 0),
        (asm.cross_entropy, small),
    ):
        won, lost = (float(d) for d in jax.grad(function)(jnp.asarray(sure), 0))
        assert (-won, lost) == (expected, small)


SMOOTHINGS = pytest.mark.parametrize("smoothing", [0.0, 0.1])


@SMOOTHINGS
def test_weighted_mean_of_labels(smoothing: float) -> None:
    labels = [0, 2]
    options = {"reduction": "sum", "label_smoothing": smoothing}
    theirs = functional.cross_entropy(
        tensor(LOGITS), torch.tensor(labels), tensor(WEIGHTS), label_smoothing=smoothing
    )
    total = functional.cross_entropy(
        tensor(LOGITS), torch.tensor(labels), tensor(WEIGHTS), **options
    )
    assert float(theirs) == pytest.approx(float(total) / (1 + 5), rel=1e-14)
    ours = asm.cross_entropy(LOGITS, labels, class_weights=WEIGHTS, label_smoothing=smoothing)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-14)


@SMOOTHINGS
def test_weighted_mean_of_probabilities(smoothing: float) -> None:
    targets = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    theirs, total = (
        functional.cross_entropy(
            tensor(LOGITS),
            tensor(targets),
            tensor(WEIGHTS),
            label_smoothing=smoothing,
            reduction=reduction,
        )
        for reduction in ("mean", "sum")
    )
    assert float(theirs) == pytest.approx(float(total) / 2, rel=1e-14)
    ours = asm.cross_entropy(LOGITS, targets, class_weights=WEIGHTS, label_smoothing=smoothing)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-14)


def test_weights_and_smoothing() -> None:
    for targets, reduction in itertools.product(
        (torch.tensor([0, 2]), tensor([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]])),
        ("none", "sum", "mean"),
    ):
        options = {"label_smoothing": 0.3, "reduction": reduction}
        theirs = functional.cross_entropy(tensor(LOGITS), targets, tensor(WEIGHTS), **options)
        ours = asm.cross_entropy(tensor(LOGITS), targets, class_weights=tensor(WEIGHTS), **options)
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_divergence_of_neighbours() -> None:
    x, moved = [0.3, 0.2, 0.1], [0.3 + 1e-9, 0.2, 0.1]
    log_q, log_p = (torch.log_softmax(tensor(logits), -1) for logits in (moved, x))
    theirs = functional.kl_div(log_q, log_p, reduction="sum", log_target=True)
    assert float(theirs) == pytest.approx(-3.18e-16, rel=1e-2)
    assert asm.kl_divergence(x, moved) == pytest.approx(1.1617751423e-19, rel=1e-6)


def test_options() -> None:
    wanted = {"sample_weights", "temperature", "where"}
    assert wanted <= inspect.signature(asm.cross_entropy).parameters.keys()
    theirs = set(inspect.signature(functional.cross_entropy).parameters)
    assert not {"where", "mask", "temperature", "sample_weight", "sample_weights"} & theirs
    for function in (
        optax.softmax_cross_entropy,
        optax.softmax_cross_entropy_with_integer_labels,
    ):
        names = inspect.signature(function).parameters.keys()
        assert names == {"logits", "labels", "axis", "where"}


ROWS = {
    "mean of samples that are all left out": test_nobody_counts,
    "gradient at a sample that is left out": test_nan_that_is_left_out,
    "label -1 of 3": test_labels_out_of_range,
    "label 3 of 3": test_labels_out_of_range,
    "target probability 0": test_zero_times_infinity,
    "label smoothing beside a logit of -inf": test_smoothing_beside_minus_infinity,
    "loss of a sure winner": test_loss_of_a_sure_winner,
    "its gradient": test_gradient_of_a_sure_winner,
    "mean of labels with class weights": test_weighted_mean_of_labels,
    "mean of probabilities with class weights": test_weighted_mean_of_probabilities,
    "label smoothing with class weights": test_weights_and_smoothing,
    "divergence of": test_divergence_of_neighbours,
    "weights of samples": test_options,
}


def test_every_row_of_the_table_has_a_test() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## Next to PyTorch")[1]
    subjects = [line.split("|")[1].strip() for line in section.splitlines() if "|" in line][2:]
    assert len(subjects) == len(ROWS)
    for subject, row in zip(subjects, ROWS, strict=True):
        assert subject.startswith(row)
