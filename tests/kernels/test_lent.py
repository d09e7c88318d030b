"""PyTorch's tensors lent to NumPy: only where their values are all there is to them."""

from __future__ import annotations

import pytest

import anysoftmax as asm
from anysoftmax import KernelError
from anysoftmax.admission import admit
from anysoftmax.kernels import lent, table
from anysoftmax.operations import ENTROPY, LOG_SOFTMAX, LOGSUMEXP, SOFTMAX, Operation

torch = pytest.importorskip("torch")
FUNCTIONS = [asm.softmax, asm.log_softmax, asm.logsumexp]
OPERATIONS = {o.name: o for o in (SOFTMAX, LOG_SOFTMAX, LOGSUMEXP)}


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


class Subclass(torch.Tensor):
    """A tensor that may be more than its values."""


REFUSED = {
    "bfloat16": torch.zeros(2, 2, dtype=torch.bfloat16),
    "meta": torch.zeros(2, 2, device="meta"),
    "subclass": torch.zeros(2, 2).as_subclass(Subclass),
    "recorded in another dtype": torch.zeros(2, 2, dtype=torch.float16, requires_grad=True),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("x", REFUSED.values(), ids=REFUSED)
def test_what_it_is_not_able_to_do_is_an_error(function, x) -> None:
    with pytest.raises(KernelError, match=r"lent|bfloat16|float16 computed in"):
        lent.compute(OPERATIONS[function.__name__], admit(x, axis=-1), None)
    assert function(x).device == x.device  # the reference serves it


def test_derivatives_that_have_no_formula_are_an_error() -> None:
    x = torch.zeros(2, 2, requires_grad=True)
    t = torch.ones(2, 1, requires_grad=True)
    with pytest.raises(KernelError, match="derivative of softmax by logits and temperature"):
        lent.compute(SOFTMAX, admit(x, axis=-1, temperature=t), None)
    with pytest.raises(KernelError, match="derivative of entropy by logits"):
        lent.compute(ENTROPY, admit(x, axis=-1), None)
    assert asm.softmax(x, temperature=t).requires_grad  # the reference serves it


def derivative(function, x, g, **options):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(function(x, **options), x, g)[0]


@pytest.fixture
def only_lent(monkeypatch) -> None:
    """Let "auto" choose no compiled kernel."""
    rows = [row for row in table.TABLE if row.name == "auto"]
    monkeypatch.setattr(
        table, "automatic", lambda name, _: [row for row in rows if row.operation == name]
    )


@pytest.fixture
def steps(monkeypatch) -> list[str]:
    """The functions whose steps PyTorch has recorded in a test."""
    seen = []
    call = Operation.__call__

    def spy(self, a, *room):
        if getattr(a.logits, "requires_grad", False):
            seen.append(self.name)
        return call(self, a, *room)

    monkeypatch.setattr(Operation, "__call__", spy)
    return seen


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("shape", "axis"), [((70, 300), -1), ((70, 300), 0), ((30, 40, 7), (0, 1)), ((4000, 5), 1)]
)
@pytest.mark.parametrize("arrange", [lambda x: x, lambda x: x.mT.contiguous().mT])
@pytest.mark.parametrize("masked", [False, True])
def test_derivatives_are_lent(  # noqa: PLR0917
    function, shape, axis, arrange, masked, steps, only_lent
) -> None:
    torch.manual_seed(0)
    x = arrange(4 * torch.randn(shape, dtype=torch.float64))
    x[0, ..., 3] = 60.0  # a sure winner
    x[1, ..., 0] = -torch.inf
    options = {"axis": axis}
    if masked:
        options["where"] = torch.rand(shape) < 0.9
    if function is not asm.logsumexp:
        options["temperature"] = 0.7
    y = function(x, **options)
    g = torch.where(y.isfinite(), torch.randn_like(y), 0.0)
    got = derivative(function, x, g, **options)
    assert not steps
    with asm.kernels.use("reference"):
        expected = derivative(function, x, g, **options)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_values_that_are_nan_have_the_derivatives_of_the_reference(function, steps) -> None:
    x = torch.zeros(3, 4)
    x[1] = -torch.inf
    g = torch.ones_like(function(x, axis=-1))
    got = derivative(function, x, g, axis=-1)
    assert len(steps) == 1
    assert (got[1] == 0).all()
    assert got.isfinite().all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_further_derivatives(function) -> None:
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradgradcheck(lambda x: function(2 * x, axis=-1), x)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_batches_of_gradients(function) -> None:
    x = torch.randn(30, 30, requires_grad=True)
    y = function(x, axis=-1)
    g = torch.randn(3, *y.shape)
    (together,) = torch.autograd.grad(y, x, g, is_grads_batched=True, retain_graph=True)
    for one, row in zip(g, together, strict=True):
        (alone,) = torch.autograd.grad(y, x, one, retain_graph=True)
        assert torch.allclose(alone, row, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("option", ["where", "temperature"])
def test_what_backward_needs_may_not_be_written_to(option) -> None:
    x = torch.randn(3, 4, requires_grad=True)
    given = {"where": torch.rand(3, 4) < 0.5, "temperature": torch.full((3, 1), 2.0)}[option]
    y = asm.softmax(x, **{option: given})
    given.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


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
