"""Dtypes, libraries and devices in; the same ones out."""

from __future__ import annotations

from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import expect, judge
from anysoftmax.testing.formats import FORMATS
from anysoftmax.testing.laws.law import ALL_FUNCTIONS, FROM_LOGITS, law
from anysoftmax.testing.strategies import Case, examples, integer_logits

__all__ = ["asked_dtype", "integers_promoted", "out", "preservation", "python_numbers"]

NumpyArray = np.ndarray[Any, Any]

FUNCTIONS = ("softmax", "log_softmax", "logsumexp")

# The shape of each result where two slices of three logits are given.
REDUCING = ("logsumexp", "entropy", "kl_divergence", "cross_entropy")
SHAPES = {name: (2,) if name in REDUCING else (2, 3) for name in ALL_FUNCTIONS}


@law(fault="integers are subtracted before they are promoted, and wrap around")
def integers_promoted(backend: Backend, functions: Any) -> None:
    """Integer logits of every dtype give what the same numbers give in the default real dtype."""
    format_ = FORMATS[backend.default_dtype]

    @examples(backend, integer_logits(backend))
    def holds(values: NumpyArray) -> None:
        for function in FROM_LOGITS:
            case = Case(values.astype(format_.carrier), format_.name).suited(function)
            second = case.arrays(backend, function)[1:]
            if function == "kl_divergence":
                second = [np.ascontiguousarray(values[:, ::-1])]
            options = case.arguments(backend, function)
            call = getattr(functions, function)
            result = backend.evaluate(call, values, *second, axis=-1, **options)
            assert backend.dtype_name(result) == format_.name, f"{function} of {values.dtype}"
            expected = case.expect(backend, function)
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
            for function, shape in SHAPES.items():
                case = Case(numbers, name).suited(function)
                arrays = case.arrays(backend, function, layout=layout)
                options = case.arguments(backend, function)
                y = backend.evaluate(getattr(functions, function), *arrays, axis=-1, **options)
                assert backend.owns(y), f"{function} returns {type(y)}"
                assert backend.dtype_name(y) == name, f"{function} of {name}"
                assert tuple(y.shape) == shape, f"{function} of shape (2, 3)"
                assert backend.device(y) == backend.device(arrays[0]), f"{function} of {name}"
    for device in backend.devices():
        mask = backend.to_device(backend.array(numbers > 0.3), device)
        for function in SHAPES:
            arrays = Case(numbers, "float64").suited(function).arrays(backend, function)
            moved = [backend.to_device(a, device) for a in arrays]
            where = {} if function.endswith("vjp") else {"where": mask}
            y = backend.evaluate(getattr(functions, function), *moved, axis=-1, **where)
            assert backend.device(y) == device, f"{function} on {device}"
    x = backend.array(numbers)
    kept = backend.evaluate(functions.logsumexp, x, axis=-1, keepdims=True)
    assert tuple(kept.shape) == (2, 1), "keepdims"
    labels = backend.array(np.asarray([1, 0], dtype=np.int32))
    for reduction in ("mean", "sum"):
        loss = backend.evaluate(functions.cross_entropy, x, labels, reduction=reduction)
        assert backend.owns(loss), f"the {reduction} is {type(loss)}"
        assert tuple(loss.shape) == (), f"the {reduction} is one number"
        assert backend.dtype_name(loss) == backend.dtype_name(x), reduction
    whole = backend.evaluate(functions.logsumexp, x)
    assert tuple(whole.shape) == (), "axis=None is the default of logsumexp"
    assert tuple(backend.evaluate(functions.logsumexp, x, keepdims=True).shape) == (1, 1)


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
    logits = [[1, 2.5, 0], [3, 0, -1]]
    for function, second in (
        ("cross_entropy", [1, 0]),
        ("cross_entropy", [[0.5, 0.25, 0.25], [1, 0, 0]]),
        ("cross_entropy_grad", (2, 0)),
        ("kl_divergence", [[1, 0, 2], [0, 0, 0.5]]),
    ):
        got = getattr(functions, function)(logits, second)
        assert isinstance(got, (np.ndarray, np.generic)), f"{function} of {second}"
        assert got.dtype == np.float64, f"{function} of {second}"
        case = Case(np.asarray(logits), "float64", second=np.asarray(second))
        judge(np.asarray(got), case.expect(backend, function))
    weighed = {"class_weights": [1, 2, 0.5], "sample_weights": (1, 0.5), "label_smoothing": 0}
    got = functions.cross_entropy(logits, [1, 0], **weighed)
    case = Case(np.asarray(logits), "float64", second=np.asarray([1, 0]))
    case = case.but(class_weights=np.asarray([1, 2, 0.5]), sample_weights=np.asarray([1, 0.5]))
    judge(np.asarray(got), case.expect(backend, "cross_entropy"))
    got = functions.softmax_vjp([0.5, 0.5], [1, 0])
    assert got.tolist() == [0.25, -0.25], "a pull-back of lists"
    assert functions.log_softmax_vjp([0.0], (1,)).tolist() == [0], "a pull-back of lists"
    assert functions.cross_entropy([0.0, -np.inf], 0) == 0, "a label that is a number"
    assert functions.entropy(3) == 0, "a number is one class"


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
