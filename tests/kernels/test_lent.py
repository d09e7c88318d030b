"""PyTorch's tensors lent to NumPy: only where their values are all there is to them."""

from __future__ import annotations

import pytest

import anysoftmax as asm
from anysoftmax import KernelError
from anysoftmax.admission import admit
from anysoftmax.kernels import lent

torch = pytest.importorskip("torch")
FUNCTIONS = [asm.softmax, asm.log_softmax, asm.logsumexp]


def changed(x):
    """Write to a copy, as only PyTorch can follow under its tracers."""
    y = x.clone()
    y[0, 0] = 7.0
    return asm.softmax(y)


def make_fx(function, x):
    from torch.fx.experimental.proxy_tensor import make_fx

    return make_fx(function)(x)


TRACERS = {
    "functionalize": lambda function, _: torch.func.functionalize(function),
    "make_fx": make_fx,
    "jit.trace": lambda function, x: torch.jit.trace(function, (x,), check_trace=False),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*trace to be incorrect")
@pytest.mark.parametrize("tracer", TRACERS)
def test_tracers_see_what_becomes_of_a_tensor(tracer) -> None:
    x = torch.arange(6.0).reshape(2, 3)
    traced = TRACERS[tracer](changed, x)
    assert torch.allclose(traced(-x), changed(-x))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(2, 2, requires_grad=True),
        torch.zeros(2, 2, dtype=torch.bfloat16),
        torch.zeros(2, 2, device="meta"),
    ],
    ids=["recorded", "bfloat16", "meta"],
)
def test_what_it_is_not_able_to_do_is_an_error(function, x) -> None:
    with pytest.raises(KernelError, match=r"lent|bfloat16"):
        getattr(lent, function.__name__)(admit(x, axis=-1), None)
    assert function(x).device == x.device  # the reference serves it


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_same_numbers_on_any_number_of_threads(function) -> None:
    x = torch.randn(3000, 1500, generator=torch.Generator().manual_seed(0))
    threads = torch.get_num_threads()
    results = []
    try:
        for n in (1, 3):
            torch.set_num_threads(n)
            results.append(function(x))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*results)


def test_the_result_is_written_where_it_is_asked_for() -> None:
    x = torch.randn(300, 700)
    known = asm.softmax(x)
    out = torch.empty(700, 300).T
    assert asm.softmax(x, out=out) is out
    assert torch.allclose(out, known, rtol=1e-6)
    assert asm.softmax(x, out=x) is x
    assert torch.allclose(x, known, rtol=1e-6)


def test_a_parameter_without_gradients() -> None:
    x = torch.nn.Parameter(torch.zeros(4))
    with torch.no_grad():
        assert asm.softmax(x).tolist() == [0.25] * 4
    assert asm.softmax(x).requires_grad


def test_an_output_that_is_a_negated_view() -> None:
    x = torch.randn(100, 100)
    out = torch.zeros(100, 100, dtype=torch.complex64).conj().imag
    assert out.is_neg()
    asm.softmax(x, out=out)
    assert torch.allclose(out, torch.softmax(x, -1))
