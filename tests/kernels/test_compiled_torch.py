"""The Numba kernels behind PyTorch's automatic differentiation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax import kernels

pytest.importorskip("numba")
torch = pytest.importorskip("torch")

from anysoftmax.kernels import lent  # noqa: E402

FUNCTIONS = ("softmax", "log_softmax", "logsumexp")


@pytest.fixture(autouse=True)
def by_numba() -> Iterator[None]:
    with kernels.use("numba"):
        yield


@pytest.fixture
def not_compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The derivatives that a test has left to NumPy."""
    seen: list[str] = []
    pull = lent.pull_back

    def spy(operation: Any, *arguments: Any) -> Any:
        seen.append(operation.name)
        return pull(operation, *arguments)

    monkeypatch.setattr(lent, "pull_back", spy)
    return seen


def derivative(function: str, x: Any, g: Any, **options: Any) -> Any:
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(getattr(asm, function)(x, **options), x, g)[0]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("shape", "axis"), [((40, 300), -1), ((40, 300), 0), ((9, 6, 7), (0, 1))])
@pytest.mark.parametrize("masked", [False, True])
def test_derivatives_are_compiled(
    function: str, shape: tuple[int, ...], axis: Any, masked: bool, not_compiled: list[str]
) -> None:
    torch.manual_seed(0)
    x = 4 * torch.randn(shape, dtype=torch.float64)
    x.view(-1)[3] = 60.0  # a sure winner
    options: dict[str, Any] = {"axis": axis}
    if masked:
        options["where"] = torch.rand(shape) < 0.9
    if function != "logsumexp":
        options["temperature"] = 0.7
    g = torch.randn_like(getattr(asm, function)(x, **options))
    got = derivative(function, x, g, **options)
    assert not not_compiled
    with kernels.use("reference"):
        expected = derivative(function, x, g, **options)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("function", ["softmax", "log_softmax"])
def test_derivatives_of_few_classes_are_not_compiled(
    function: str, not_compiled: list[str]
) -> None:
    x = torch.randn(40, 5)
    derivative(function, x, torch.randn(40, 5))
    assert not_compiled == [function]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_derivatives_of_special_slices_are_not_compiled(
    function: str, not_compiled: list[str]
) -> None:
    x = torch.zeros(3, 4)
    x[1, 2] = torch.inf
    y = getattr(asm, function)(x, axis=-1)
    derivative(function, x, torch.ones_like(y), axis=-1)
    assert not_compiled == [function]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_further_derivatives(function: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradgradcheck(lambda x: getattr(asm, function)(2 * x, axis=-1), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_out(dtype: Any) -> None:
    x = 4 * torch.randn(30, 50).to(dtype)
    expected = asm.softmax(x)
    out = torch.empty_like(x)
    assert asm.softmax(x, out=out) is out
    assert torch.equal(out, expected)
    assert asm.softmax(x, out=x) is x
    assert torch.equal(x, expected)


# PyTorch's forward mode uses what PyTorch deprecates.
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_what_it_is_not_able_to_do() -> None:
    x = torch.randn(3, 4)
    refused = {
        "transformed": lambda: torch.func.vmap(asm.softmax)(x),
        "on the CPU": lambda: asm.softmax(x.to("meta")),
        "forward-mode": lambda: forward(x),
        "derivative of softmax by temperature": lambda: asm.softmax(
            x, temperature=torch.ones((), requires_grad=True)
        ),
        "default precision": lambda: asm.softmax(x.half().requires_grad_()),
    }
    for fault, call in refused.items():
        with pytest.raises(asm.KernelError, match=fault):
            call()


def forward(x: Any) -> Any:
    with torch.autograd.forward_ad.dual_level():
        return asm.softmax(torch.autograd.forward_ad.make_dual(x, x))


LARGE = (300, 300)  # "auto" takes the kernels


@pytest.mark.parametrize("option", ["where", "temperature"])
def test_what_backward_needs_may_not_be_written_to(option) -> None:
    x = torch.randn(LARGE, requires_grad=True)
    given = {"where": torch.rand(LARGE) < 0.5, "temperature": torch.full((300, 1), 2.0)}[option]
    y = asm.softmax(x, **{option: given})
    given.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_outputs_in_the_same_memory_of_numpy() -> None:
    memory = np.random.default_rng(0).standard_normal(301 * 300).astype("f4")
    x = torch.from_numpy(memory[:-300]).view(LARGE)
    out = torch.from_numpy(memory[300:]).view(LARGE)
    expected = torch.softmax(x, -1)
    asm.softmax(x, out=out)
    assert torch.allclose(out, expected, rtol=1e-5)


def test_tensors_stay_where_they_are_whatever_the_default_device() -> None:
    x = torch.randn(LARGE)
    with torch.device("meta"):
        assert asm.logsumexp(x, axis=1).device == x.device


@pytest.mark.parametrize("function", [asm.softmax, asm.log_softmax, asm.logsumexp])
def test_batches_of_gradients(function) -> None:
    x = torch.randn(LARGE, requires_grad=True)
    y = function(x, axis=-1)
    g = torch.randn(3, *y.shape)
    (together,) = torch.autograd.grad(y, x, g, is_grads_batched=True, retain_graph=True)
    for one, row in zip(g, together, strict=True):
        (alone,) = torch.autograd.grad(y, x, one, retain_graph=True)
        assert torch.allclose(alone, row, rtol=1e-4, atol=1e-6)
