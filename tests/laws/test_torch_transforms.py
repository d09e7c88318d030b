"""PyTorch's autograd, its functional transforms and its compiler, on all three functions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.testing import Backend

pytestmark = [
    pytest.mark.parametrize("backend", ["torch"], indirect=True),
    pytest.mark.xdist_group("torch"),
]

X = [0.5, 2.0, -1.25, 2.0]
P = np.exp(X) / np.exp(X).sum()
COVARIANCE = np.diag(P) - np.outer(P, P)
JACOBIANS = {"softmax": COVARIANCE, "log_softmax": np.eye(4) - P}
CLOSE = 16 * 2.0**-53


@pytest.fixture(autouse=True)
def own_deprecations(backend: Backend) -> Iterator[None]:
    """PyTorch's forward mode and compiler use what PyTorch deprecates."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
        yield


def tensor(values: Any, *, grad: bool = False) -> Any:
    import torch

    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def assert_close(got: Any, known: Any) -> None:
    assert np.max(np.abs(got.detach().numpy() - np.asarray(known)), initial=0) <= CLOSE


def functions() -> list[Any]:
    """Return functions of tensors that use every differentiable argument."""
    import torch

    mask = torch.tensor([True, True, False, True])
    return [
        lambda x, t, w: asm.softmax(x, temperature=t, where=mask),
        lambda x, t, w: asm.log_softmax(x, temperature=t)[..., :2],
        lambda x, t, w: asm.logsumexp(x, weights=w, where=mask) * t,
        lambda x, t, w: asm.softmax(x, temperature=t, precision="highest") * w,
    ]


@pytest.mark.parametrize("number", range(4))
def test_numerical_derivatives_first_and_second(backend: Backend, number: int) -> None:
    import torch

    inputs = (
        tensor([0.5, 2.0, -1.25, 1.75], grad=True),
        tensor(0.75, grad=True),
        tensor([1.0, 0.5, 2.0, 0.25], grad=True),
    )
    assert torch.autograd.gradcheck(functions()[number], inputs)
    assert torch.autograd.gradgradcheck(functions()[number], inputs)


def test_double_backward_at_ties(backend: Backend) -> None:
    import torch

    x = tensor([0.0, 0.0], grad=True)
    (first,) = torch.autograd.grad(asm.logsumexp(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first[0], x)
    assert_close(second, [0.25, -0.25])


@pytest.mark.parametrize("name", JACOBIANS)
def test_forward_and_reverse_jacobians(backend: Backend, name: str) -> None:
    import torch

    for transform in (torch.func.jacfwd, torch.func.jacrev):
        assert_close(transform(getattr(asm, name))(tensor(X)), JACOBIANS[name])


def test_gradients_and_hessians(backend: Backend) -> None:
    import torch

    assert_close(torch.func.grad(asm.logsumexp)(tensor(X)), P)
    assert_close(torch.func.hessian(asm.logsumexp)(tensor(X)), COVARIANCE)
    tied = torch.func.hessian(asm.logsumexp)(tensor([0.0, 0.0]))
    assert_close(tied, [[0.25, -0.25], [-0.25, 0.25]])


def test_jvp_and_vjp_are_transposes(backend: Backend) -> None:
    import torch

    tangent = tensor([1.0, -0.5, 0.25, 2.0])
    for name in ("softmax", "log_softmax", "logsumexp"):
        function = getattr(asm, name)
        y, pushed = torch.func.jvp(function, (tensor(X),), (tangent,))
        cotangent = torch.ones_like(y) / 3
        _, back = torch.func.vjp(function, tensor(X))
        (pulled,) = back(cotangent)
        assert_close((cotangent * pushed).sum(), float((pulled * tangent).sum()))


def test_vmap_is_a_loop(backend: Backend) -> None:
    import torch

    x = tensor([[0.5, 2.0, -1.0], [3.0, 3.0, 0.0]])
    mask = torch.tensor([[True, False, True], [False, False, False]])
    t = tensor([0.5, 0.0])

    def one(x: Any, mask: Any, t: Any) -> Any:
        return asm.softmax(x, where=mask, temperature=t)

    looped = torch.stack([one(*row) for row in zip(x, mask, t, strict=True)])
    assert_close(torch.func.vmap(one)(x, mask, t), looped)
    per_row = torch.func.vmap(torch.func.grad(asm.logsumexp))(x)
    assert_close(per_row, asm.softmax(x))
    assert_close(torch.func.vmap(asm.softmax, in_dims=1, out_dims=1)(x), asm.softmax(x, axis=0))


def test_checkpoint_changes_nothing(backend: Backend) -> None:
    from torch.utils.checkpoint import checkpoint

    x = tensor(X, grad=True)
    checkpoint(asm.logsumexp, x, use_reentrant=False).backward()
    assert_close(x.grad, P)


def test_without_gradients(backend: Backend) -> None:
    import torch

    x = tensor(X, grad=True)
    with torch.no_grad():
        assert not asm.softmax(x).requires_grad
    with torch.inference_mode():
        assert_close(asm.softmax(x), P)
    assert not asm.softmax(x.detach()).requires_grad
    assert asm.softmax(x).requires_grad


def test_out_takes_no_part_in_autograd(backend: Backend) -> None:
    x = tensor(X, grad=True)
    with pytest.raises(TypeError, match="out"):
        asm.softmax(x, out=tensor(X))


@pytest.mark.parametrize("compiler", ["aot_eager", "inductor"])
def test_compiled_without_graph_breaks(backend: Backend, compiler: str) -> None:
    import torch

    def program(x: Any, t: Any, mask: Any, w: Any) -> Any:
        p = asm.softmax(x, temperature=t, where=mask)
        y = asm.log_softmax(x, axis=0, temperature=t)
        return (p * y).sum() + asm.logsumexp(x, weights=w)

    arguments = (
        torch.tensor([[0.5, 2.0, -1.25], [1e20, 3.0, 1e20]], dtype=torch.float64),
        tensor(0.7, grad=True),
        torch.tensor([[True, True, False]]),
        tensor([[1.0, 0.5, 2.0], [0.0, 1.0, 0.0]]),
    )
    eager = program(*arguments)
    (by_t,) = torch.autograd.grad(eager, arguments[1])
    compiled = torch.compile(program, fullgraph=True, backend=compiler)
    got = compiled(*arguments)
    (got_by_t,) = torch.autograd.grad(got, arguments[1])
    assert float(got.detach()) == pytest.approx(float(eager.detach()), rel=1e-14)
    assert float(got_by_t) == pytest.approx(float(by_t), rel=1e-13)
