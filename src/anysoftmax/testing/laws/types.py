"""Dtypes, libraries and devices in; the same ones out."""

from __future__ import annotations

from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import expect, judge
from anysoftmax.testing.formats import FORMATS
from anysoftmax.testing.laws.law import law
from anysoftmax.testing.strategies import Case, examples, integer_logits

__all__ = ["asked_dtype", "integers_promoted", "out", "preservation", "python_numbers"]

NumpyArray = np.ndarray[Any, Any]

FUNCTIONS = ("softmax", "log_softmax", "logsumexp")


@law(fault="integers are subtracted before they are promoted, and wrap around")
def integers_promoted(backend: Backend, functions: Any) -> None:
    """Integer logits of every dtype give what the same numbers give in the default real dtype."""
    format_ = FORMATS[backend.default_dtype]

    @examples(backend, integer_logits(backend))
    def holds(values: NumpyArray) -> None:
        promoted = values.astype(format_.carrier)
        for function in FUNCTIONS:
            result = backend.evaluate(getattr(functions, function), values, axis=-1)
            assert backend.dtype_name(result) == format_.name, f"{function} of {values.dtype}"
            expected = expect(function, format_, promoted, axis=-1, has_float64=backend.has_float64)
            judge(backend.to_numpy(result), expected, flushes=backend.flushes_subnormals)

    holds()
    for name in backend.integers:
        # The two ends of int8 are 255 apart: as int8 that is -1.
        limits = np.iinfo(name)
        ends = np.asarray([limits.min, limits.max], dtype=name)
        p = backend.call(functions.softmax, ends)
        assert p[0] < 1e-38, f"softmax of the ends of {name} is {p}"
        assert p[1] == 1, f"softmax of the ends of {name} is {p}"


@law(fault="the result belongs to another library, device, dtype or shape than the logits")
def preservation(backend: Backend, functions: Any) -> None:
    """Library, laziness, device, floating dtype and shape of the logits are those of the result."""
    numbers = np.arange(6.0).reshape(2, 3) / 4
    for name in backend.dtypes:
        for layout in backend.layouts:
            x = backend.array(numbers, dtype=name, layout=layout)
            for function, shape in _shapes():
                y = backend.evaluate(getattr(functions, function), x, axis=-1)
                assert backend.owns(y), f"{function} returns {type(y)}"
                assert backend.dtype_name(y) == name, f"{function} of {name}"
                assert tuple(y.shape) == shape, f"{function} of shape (2, 3)"
                assert backend.device(y) == backend.device(x), f"{function} of {name}"
    for device in backend.devices():
        x = backend.to_device(backend.array(numbers), device)
        mask = backend.to_device(backend.array(numbers > 0.3), device)
        for function, _ in _shapes():
            y = backend.evaluate(getattr(functions, function), x, axis=-1, where=mask)
            assert backend.device(y) == device, f"{function} on {device}"
    x = backend.array(numbers)
    kept = backend.evaluate(functions.logsumexp, x, axis=-1, keepdims=True)
    assert tuple(kept.shape) == (2, 1), "keepdims"
    whole = backend.evaluate(functions.logsumexp, x)
    assert tuple(whole.shape) == (), "axis=None is the default of logsumexp"
    assert tuple(backend.evaluate(functions.logsumexp, x, keepdims=True).shape) == (1, 1)


def _shapes() -> tuple[tuple[str, tuple[int, ...]], ...]:
    return (("softmax", (2, 3)), ("log_softmax", (2, 3)), ("logsumexp", (2,)))


@law(fault="dtype= does not cast the logits before the work")
def asked_dtype(backend: Backend, functions: Any) -> None:
    """With dtype= the result is that of the cast logits, for integers as well."""
    # 16 bits must round 0.1 and 2.7.
    numbers = np.asarray([[0.1, 2.0, -1.25], [3.0, 2.7, 0.0]], dtype=np.float32)
    for start in ("float32", "int32"):
        for name in backend.some(backend.dtypes):
            case = Case(FORMATS[name].round(numbers.astype(start)), name)
            for function in FUNCTIONS:
                result = backend.evaluate(
                    getattr(functions, function),
                    backend.array(numbers.astype(start)),
                    axis=-1,
                    dtype=backend.dtype(name),
                )
                assert backend.dtype_name(result) == name, f"{function}, dtype={name}"
                judge(backend.to_numpy(result), case.expect(backend, function))


@law(
    fault="Python numbers and lists are not read as NumPy arrays",
    applies=lambda backend: backend.name == "numpy",
)
def python_numbers(backend: Backend, functions: Any) -> None:
    """Numbers, nested lists and tuples of numbers give NumPy arrays."""
    for given in (2, 2.5, [1, 2], (1.5, 2.0), [[1, 2], [3, 4.5]], [[1.0], [2.0]], []):
        values = np.asarray(given, dtype=np.float64)
        for function in FUNCTIONS:
            got = getattr(functions, function)(given, axis=-1)
            assert isinstance(got, (np.ndarray, np.generic)), f"{function} of {given}"
            assert got.dtype == np.float64, f"{function} of {given}"
            expected = expect(function, FORMATS["float64"], values, axis=-1)
            judge(np.asarray(got), expected)


@law(
    fault="out= is not written, or not what is returned",
    applies=lambda backend: backend.writes_out,
)
def out(backend: Backend, functions: Any) -> None:
    """`out` receives the result and is returned, whatever its layout, and may be the logits."""
    numbers = np.asarray([[0.5, 2.0, -1.25], [3.0, 3.0, 0.0]])
    for name in backend.dtypes:
        case = Case(numbers.astype(FORMATS[name].carrier), name, axis=0)
        for layout in backend.layouts:
            if layout in {"read-only", "other byte order", "expanded"}:
                continue
            for function in ("softmax", "log_softmax"):
                expected = case.expect(backend, function)
                call = getattr(functions, function)
                target = backend.array(numbers, dtype=name, layout=layout)
                logits = backend.array(numbers, dtype=name)
                assert call(logits, axis=0, out=target) is target, function
                judge(backend.to_numpy(target), expected)
                itself = backend.array(numbers, dtype=name, layout=layout)
                assert call(itself, axis=0, out=itself) is itself, function
                judge(backend.to_numpy(itself), expected)
