"""The kernel "native": it is called when asked for, and its departures are as documented."""

from __future__ import annotations

import json

import departures
import jax
import pytest
import torch

import anysoftmax as asm
from anysoftmax import KernelError
from anysoftmax.kernels import table
from anysoftmax.testing import LAWS

TABLE = json.loads((departures.DOCS / "departures.json").read_text())

# Those that take no search for a counterexample.
QUICK = ["special-values", "saturated-winner", "sixteen-bit-sums", "million-classes"]


def test_the_page_shows_the_departures() -> None:
    assert (departures.DOCS / "reference" / "kernels.md").read_text() == departures.page(TABLE)


def test_the_page_shows_every_kernel() -> None:
    shown = set()
    for line in departures.kernel_rows():
        _, name, library, operations, *_ = (cell.strip() for cell in line.split("|"))
        names = operations.replace("`", "").split(", ")
        shown |= {(name.strip('`"'), library, operation) for operation in names}
    assert shown == {(row.name, row.library, row.operation) for row in table.TABLE}


@pytest.mark.parametrize("backend", departures.NATIVE.values(), ids=departures.NATIVE)
@pytest.mark.parametrize("law", [law for law in LAWS if law.name in QUICK], ids=QUICK)
def test_departures_are_real(law, backend) -> None:
    assert departures.departure(law, backend) == TABLE[law.name][backend.name]


@pytest.mark.parametrize(
    ("law", "backend"),
    [
        pytest.param(law, backend, id=f"{law.name}-{name}")
        for name, backend in departures.NATIVE.items()
        for law in departures.CONCERNED
        if law.applies(backend) and name not in TABLE.get(law.name, {})
    ],
)
def test_what_is_not_listed_holds(law, backend) -> None:
    law.check(backend, departures.FUNCTIONS)


def test_torch_is_called(monkeypatch) -> None:
    x = torch.tensor([1.0, 2.0])
    with asm.kernels.use("native"):
        assert torch.equal(asm.softmax(x), torch.softmax(x, -1))
        assert torch.equal(asm.log_softmax(x, temperature=2.0), torch.log_softmax(x / 2, -1))
        assert torch.equal(asm.logsumexp(x), torch.logsumexp(x, 0))


def test_jax_is_called() -> None:
    x = jax.numpy.asarray([1.0, 2.0])
    with asm.kernels.use("native"):
        assert (asm.softmax(x) == jax.nn.softmax(x)).all()
        assert (asm.log_softmax(x, temperature=2.0) == jax.nn.log_softmax(x / 2)).all()
        assert (asm.logsumexp(x) == jax.nn.logsumexp(x)).all()


@pytest.mark.parametrize(
    "options", [{"axis": (0, 1)}, {"precision": "highest"}], ids=["two axes", "highest"]
)
def test_what_it_is_not_able_to_do_is_an_error(options) -> None:
    with asm.kernels.use("native"), pytest.raises(KernelError, match=r"'native'.*'reference'"):
        asm.softmax(torch.zeros(2, 2), **options)


def test_weights_are_an_error() -> None:
    with asm.kernels.use("native"), pytest.raises(KernelError, match="weights"):
        asm.logsumexp(torch.zeros(2), weights=torch.ones(2))
