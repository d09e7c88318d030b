"""The golden values: still what their script makes, and what the oracle and the library say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from anysoftmax.testing import BACKENDS, FORMATS, Backend
from anysoftmax.testing.bounds import Expected, expect, judge
from anysoftmax.testing.oracle import exact

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden.json").read_text(encoding="utf-8"))
FUNCTIONS = ("softmax", "log_softmax", "logsumexp")


def logits_of(name: str) -> tuple[np.ndarray[Any, Any], float]:
    entry = GOLDEN[name]
    return (
        np.asarray([float.fromhex(x) for x in entry["logits"]]),
        float.fromhex(entry["temperature"]),
    )


def golden_values(name: str, function: str) -> Any:
    """Return golden values as exact numbers, the sums of their two float64 parts."""
    pairs = GOLDEN[name][function]
    pairs = [pairs] if function == "logsumexp" else pairs
    values = np.empty(len(pairs), dtype=object)
    for i, (upper, lower) in enumerate(pairs):
        values[i] = exact.PRECISE.mpf(float.fromhex(upper)) + exact.PRECISE.mpf(
            float.fromhex(lower)
        )
    return values.reshape(()) if function == "logsumexp" else values


def test_file_is_what_its_script_makes(load_script: Callable[[Path], ModuleType]) -> None:
    assert load_script(HERE / "make_golden.py").golden() == GOLDEN


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", GOLDEN)
def test_oracle_agrees_to_a_hundred_bits(name: str, function: str) -> None:
    x, temperature = logits_of(name)
    options = {} if function == "logsumexp" else {"temperature": temperature}
    got = getattr(exact, function)(x, axis=-1, **options)
    for value, known in zip(np.ravel(got), np.ravel(golden_values(name, function)), strict=True):
        # Two float64 parts hold 106 bits, unless the lower one is below the smallest number.
        assert abs(value - known) <= abs(known) * 2.0**-104 + exact.PRECISE.ldexp(1, -1074)


@pytest.mark.parametrize(
    "backend", [n for n, b in BACKENDS.items() if b.has_float64 and b.cost <= 4], indirect=True
)
@pytest.mark.parametrize("precision", ["default", "highest"])
def test_library_meets_the_bounds(backend: Backend, precision: str) -> None:
    import anysoftmax

    format_ = FORMATS["float64"]
    with backend.context():
        for name in GOLDEN:
            x, temperature = logits_of(name)
            for function in FUNCTIONS:
                options = {} if function == "logsumexp" else {"temperature": temperature}
                bound = expect(function, format_, x, axis=-1, precision=precision, **options)
                expected = Expected(golden_values(name, function), bound.allowed, format_)
                call = getattr(anysoftmax, function)
                got = backend.call(call, x, axis=-1, precision=precision, **options)
                judge(got, expected, flushes=backend.flushes_subnormals)
