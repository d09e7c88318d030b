"""Losses and entropies under PyTorch's autograd, functional transforms and compiler."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.testing import Backend

pytestmark = [
    pytest.mark.parametrize("backend", ["torch"], indirect=True),
    pytest.mark.xdist_group("torch"),
]

X = [[0.5, 2.0, -1.25, 1.75], [3.0, 0.25, 0.0, -2.0], [0.1, 0.2, 0.3, 0.4]]
LABELS = [1, 3, 0]
MASK = [True, True, False, True]
DIGITS = Path(__file__).parents[1] / "data"
CLOSE = 32 * 2.0**-53


@pytest.fixture(autouse=True)
def own_deprecations(backend: Backend) -> Iterator[None]:
    """PyTorch's forward mode and compiler use what PyTorch deprecates."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
        yield


def tensor(values: Any, *, grad: bool = False) -> Any:
    import torch

    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def of(names: str) -> Callable[..., Any]:
    """Return a function of logits, temperature, class weights and sample weights."""
    import torch

    labels, mask = torch.tensor(LABELS), torch.tensor(MASK)
    q = torch.softmax(tensor(X).flip(0), -1)
    functions: dict[str, Callable[..., Any]] = {
        "labels": lambda x, t, c, s: asm.cross_entropy(x, labels),
        "labels with everything": lambda x, t, c, s: asm.cross_entropy(
            x,
            labels,
            temperature=t,
            where=mask,
            class_weights=c,
            sample_weights=s,
            label_smoothing=0.1,
        ),
        "labels with weights": lambda x, t, c, s: asm.cross_entropy(
            x, labels, class_weights=c, sample_weights=s, reduction="none"
        ),
        "probabilities": lambda x, t, c, s: asm.cross_entropy(x, q * t, temperature=t),
        "probabilities with everything": lambda x, t, c, s: asm.cross_entropy(
            x, q, class_weights=c, sample_weights=s, label_smoothing=0.25, reduction="sum"
        ),
        "gradient": lambda x, t, c, s: asm.cross_entropy_grad(
            x, labels, temperature=t, sample_weights=s
        ),
        "entropy": lambda x, t, c, s: asm.entropy(x, temperature=t, where=mask),
        "divergence": lambda x, t, c, s: asm.kl_divergence(x, x.flip(0) * t, temperature=t),
    }
    return functions[names]


NAMES = (
    "labels",
    "labels with everything",
    "labels with weights",
    "probabilities",
    "probabilities with everything",
    "gradient",
    "entropy",
    "divergence",
)


def inputs(*, grad: bool) -> tuple[Any, ...]:
    return (
        tensor(X, grad=grad),
        tensor(0.75, grad=grad),
        tensor([1.0, 0.5, 2.0, 0.25], grad=grad),
        tensor([1.0, 0.5, 2.0], grad=grad),
    )


@pytest.mark.parametrize("name", NAMES)
def test_numerical_derivatives_first_and_second(backend: Backend, name: str) -> None:
    import torch

    assert torch.autograd.gradcheck(of(name), inputs(grad=True))
    assert torch.autograd.gradgradcheck(of(name), inputs(grad=True))


@pytest.mark.parametrize("name", NAMES)
def test_transforms_agree_with_autograd(backend: Backend, name: str) -> None:
    """Forward mode, reverse mode, and both over each other."""
    import torch

    function = of(name)
    x, *rest = inputs(grad=False)
    total = lambda x: function(x, *rest).sum()  # noqa: E731 - a function to transform
    leaf = tensor(X, grad=True)
    (known,) = torch.autograd.grad(total(leaf), leaf)
    close = {"rtol": 0, "atol": CLOSE}
    torch.testing.assert_close(torch.func.grad(total)(x), known, **close)
    torch.testing.assert_close(torch.func.jacfwd(total)(x), known, **close)
    hessians = [
        torch.func.jacfwd(torch.func.jacrev(total))(x),
        torch.func.jacrev(torch.func.jacrev(total))(x),
        torch.autograd.functional.hessian(total, x),
    ]
    for hessian in hessians[1:]:
        torch.testing.assert_close(hessian, hessians[0], **close)
    _, pushed = torch.func.jvp(total, (x,), (torch.ones_like(x),))
    torch.testing.assert_close(pushed, known.sum(), **close)


def test_vmap_is_a_loop(backend: Backend) -> None:
    import torch

    x, labels = tensor([X, X[::-1]]), torch.tensor([LABELS, LABELS])
    q = torch.softmax(x, -1)
    for function, others in (
        (asm.cross_entropy, (labels,)),
        (asm.cross_entropy, (q,)),
        (asm.cross_entropy_grad, (labels,)),
        (asm.entropy, ()),
        (asm.kl_divergence, (x.flip(0),)),
        (asm.softmax_vjp, (x,)),
        (asm.log_softmax_vjp, (x,)),
    ):
        mapped = torch.func.vmap(function)(x, *others)
        looped = torch.stack([function(*row) for row in zip(x, *others, strict=True)])
        torch.testing.assert_close(mapped, looped, rtol=0, atol=CLOSE)
    gradients = torch.func.vmap(torch.func.grad(asm.cross_entropy))(x, labels)
    looped = torch.stack([asm.cross_entropy_grad(*row) for row in zip(x, labels, strict=True)])
    torch.testing.assert_close(gradients, looped, rtol=0, atol=CLOSE)


def test_labels_out_of_range_are_found_under_autograd_and_not_under_vmap(backend: Backend) -> None:
    import torch

    with pytest.raises(IndexError, match="-1 is out of range"):
        asm.cross_entropy(tensor(X, grad=True), torch.tensor([0, -1, 2]))
    labels = torch.tensor([0, -1, 4, 2])
    mapped = torch.func.vmap(asm.cross_entropy)(tensor([X[0]] * 4), labels)
    assert mapped.isnan().tolist() == [False, True, True, False]


def test_a_batch_of_cotangents_at_once(backend: Backend) -> None:
    import torch

    x = tensor(X, grad=True)
    loss = asm.cross_entropy(x, torch.tensor(LABELS), reduction="none")
    (jacobian,) = torch.autograd.grad(
        loss, x, torch.eye(3, dtype=torch.float64), is_grads_batched=True
    )
    assert (jacobian[0, 1:] == 0).all()
    known = asm.cross_entropy_grad(x.detach(), torch.tensor(LABELS), reduction="none")
    torch.testing.assert_close(jacobian.sum(0), known, rtol=0, atol=CLOSE)


def test_checkpoint_and_no_grad_change_nothing(backend: Backend) -> None:
    import torch
    from torch.utils.checkpoint import checkpoint

    labels = torch.tensor(LABELS)
    plain, stored = tensor(X, grad=True), tensor(X, grad=True)
    asm.cross_entropy(plain, labels).backward()
    checkpoint(asm.cross_entropy, stored, labels, use_reentrant=False).backward()
    assert torch.equal(plain.grad, stored.grad)
    with torch.no_grad():
        value = asm.cross_entropy(plain, labels)
    assert not value.requires_grad
    torch.testing.assert_close(value, asm.cross_entropy(plain.detach(), labels), rtol=0, atol=CLOSE)


def test_logits_in_use_elsewhere_are_not_written_to(backend: Backend) -> None:
    """A cotangent may come after the logits' values were used in other ways."""
    import torch

    x = tensor(X, grad=True)
    p = asm.softmax(x)
    loss = asm.cross_entropy(x, torch.tensor(LABELS)) + (p * p).sum() + asm.entropy(x).sum()
    before = p.detach().clone()
    loss.backward()
    assert torch.equal(p.detach(), before)
    assert torch.equal(x.detach(), tensor(X))


@pytest.mark.parametrize("name", ["labels", "labels with everything", "entropy", "divergence"])
def test_compiled_without_graph_breaks(backend: Backend, name: str) -> None:
    import torch

    function = of(name)
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    eager, traced = inputs(grad=True), inputs(grad=True)
    function(*eager).sum().backward()
    compiled(*traced).sum().backward()
    for a, b in zip(eager, traced, strict=True):
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=CLOSE)


def test_newton_on_the_digits(backend: Backend) -> None:
    """Newton's method with torch.func.hessian on real logits: the best single shift."""
    import torch

    logits = torch.from_numpy(np.load(DIGITS / "digits_logits.npy").astype(np.float64))
    labels = torch.from_numpy(np.load(DIGITS / "digits_labels.npy").astype(np.int64))
    loss = lambda b: asm.cross_entropy(logits + b, labels)  # noqa: E731 - a function to transform
    b = torch.zeros(logits.shape[1], dtype=torch.float64)
    for _ in range(8):
        gradient, hessian = torch.func.grad(loss)(b), torch.func.hessian(loss)(b)
        b = b - torch.linalg.pinv(hessian) @ gradient
    assert torch.func.grad(loss)(b).abs().max() < 1e-12
