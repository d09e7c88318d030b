"""Wrong arguments: the same errors everywhere, which name what was given and the remedy."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.laws.law import ALL_FUNCTIONS, law

__all__ = ["axis_errors", "option_errors", "refused_inputs", "stray_arrays"]

NumpyArray = np.ndarray[Any, Any]

NUMBERS = np.asarray([[0.5, 2.0, -1.0], [3.0, 3.0, 0.0]], dtype=np.float32)
LABELS = np.asarray([1, 0], dtype=np.int32)

# What each function takes by position besides the logits.
SECONDS: dict[str, tuple[NumpyArray, ...]] = dict.fromkeys(ALL_FUNCTIONS, (NUMBERS,))
SECONDS |= dict.fromkeys(("softmax", "log_softmax", "logsumexp", "entropy"), ())
SECONDS |= {"cross_entropy": (LABELS,)}


def _reports(backend: Backend) -> bool:
    return backend.reports_errors


def expect_error(
    kinds: tuple[type[BaseException], ...], mentions: tuple[str, ...], call: Callable[[], Any]
) -> None:
    """Raise `AssertionError` unless a call raises an error of all kinds, mentioning the words."""
    names = " and ".join(kind.__name__ for kind in kinds)
    try:
        result = call()
    except Exception as error:
        if not all(isinstance(error, kind) for kind in kinds):
            raise AssertionError(f"{type(error).__name__} instead of {names}: {error}") from error
        missing = [word for word in mentions if word not in str(error)]
        if missing:
            raise AssertionError(f"the message does not mention {missing}: {error}") from error
    else:
        raise AssertionError(f"no {names} but {result!r}")


@law(fault="an axis that does not exist, or is no number, is accepted", applies=_reports)
def axis_errors(backend: Backend, functions: Any) -> None:
    """`TypeError`, `ValueError`, or an error that is a `ValueError` and an `IndexError`."""
    out_of_range = (ValueError, IndexError)
    wrong: tuple[tuple[Any, tuple[type[BaseException], ...], tuple[str, ...]], ...] = (
        (2, out_of_range, ("2", "(2, 3)")),
        (-3, out_of_range, ("-3", "(2, 3)")),
        ((0, 5), out_of_range, ("5", "(2, 3)")),
        ((0, 0), (ValueError,), ("axis",)),
        ((1, -1), (ValueError,), ("axis",)),
        (1.0, (TypeError,), ("axis", "1.0")),
        (True, (TypeError,), ("axis", "True")),
        ("0", (TypeError,), ("axis", "'0'")),
        ((0, 1.0), (TypeError,), ("axis", "1.0")),
    )
    scalar, label = np.asarray(1.0, dtype=np.float32), np.asarray(0, dtype=np.int32)
    for name, seconds in SECONDS.items():
        function = getattr(functions, name)
        for axis, kinds, mentions in wrong:
            expect_error(kinds, mentions, _calls(backend, function, *seconds, axis=axis))
        alone = [label if name == "cross_entropy" else scalar for _ in seconds]
        single = partial(backend.evaluate, function, scalar, *alone)
        expect_error(out_of_range, ("1",), partial(single, axis=1))
        for axis in (-1, 0, None):
            assert single(axis=axis).shape == ()


@law(
    fault="a mask, temperature, weight or option that makes no sense is accepted", applies=_reports
)
def option_errors(backend: Backend, functions: Any) -> None:
    """The table of errors for `where`, `temperature`, `weights`, `precision` and `out`."""
    softmax, logsumexp = functions.softmax, functions.logsumexp
    for function in (softmax, functions.log_softmax):
        _option_errors(backend, function)
        for temperature, kind in (("hot", TypeError), (None, TypeError), (1j, TypeError)):
            call = _calls(backend, function, temperature=temperature)
            expect_error((kind,), ("temperature",), call)
        for shape in ((2, 3), (3,), (2, 1, 1)):
            call = _calls(backend, function, temperature=np.ones(shape, dtype=np.float32))
            expect_error((ValueError,), ("temperature", str(shape)), call)
        if not backend.traces_numbers:
            for number in (-1.0, float("nan")):
                call = _calls(backend, function, temperature=number)
                expect_error((ValueError,), ("temperature", str(number)), call)
    _option_errors(backend, logsumexp)
    call = _calls(backend, logsumexp, weights=np.ones((2, 4), dtype=np.float32))
    expect_error((ValueError,), ("weights", "(2, 4)"), call)
    if not (backend.lazy or backend.traced):
        call = _calls(backend, logsumexp, weights=-np.ones((2, 3), dtype=np.float32))
        expect_error((ValueError,), ("weights",), call)
    if backend.traced:
        return
    target = backend.array(np.zeros((2, 3)), dtype="float32")
    if not backend.writes_out and backend.library != "numpy":
        expect_error((TypeError,), ("out",), _calls(backend, softmax, out=target))
    elif backend.writes_out:
        small = backend.array(np.zeros((2, 2)), dtype="float32")
        expect_error((ValueError,), ("out", "(2, 2)"), _calls(backend, softmax, out=small))
        wide = backend.array(np.zeros((2, 3)), dtype="float64")
        expect_error((TypeError,), ("out", "float64"), _calls(backend, softmax, out=wide))


def _option_errors(backend: Backend, function: Any) -> None:
    call = _calls(backend, function, precision="best")
    expect_error((ValueError,), ("precision", "best", "default", "highest"), call)
    call = _calls(backend, function, where=np.ones((2, 3), dtype=np.float32))
    expect_error((TypeError,), ("where", "float32"), call)
    call = _calls(backend, function, where=np.ones((2, 3), dtype=np.int32))
    expect_error((TypeError,), ("where", "int32"), call)
    call = _calls(backend, function, where=np.ones((2, 4), dtype=bool))
    expect_error((ValueError,), ("where", "(2, 4)"), call)


@law(fault="something that is no array of real numbers is accepted", applies=_reports)
def refused_inputs(backend: Backend, functions: Any) -> None:
    """Booleans and complex numbers of the library; and what is no array at all."""
    for name, seconds in SECONDS.items():
        function = getattr(functions, name)
        mentions: tuple[str, ...] = ("bool",)
        call = partial(backend.evaluate, function, NUMBERS > 0, *seconds)
        expect_error((TypeError,), mentions, call)
        if backend.has_complex:
            complex_numbers = NUMBERS.astype(np.complex64)
            expect_error(
                (TypeError,),
                ("complex64",),
                partial(backend.evaluate, function, complex_numbers, *seconds),
            )
        if backend.name == "numpy":
            for given, kind, mentions in _no_arrays():
                expect_error((kind,), mentions, partial(function, given, *seconds))


def _no_arrays() -> list[tuple[Any, type[BaseException], tuple[str, ...]]]:
    """Return objects, the error that each raises, and what its message must mention."""
    refused: list[tuple[Any, type[BaseException], tuple[str, ...]]] = [
        ("1, 2", TypeError, ("str",)),
        (None, TypeError, ("None",)),
        ({"a": 1.0}, TypeError, ("dict",)),
        ({1.0, 2.0}, TypeError, ("set",)),
        (object(), TypeError, ("object",)),
        (np.asarray([1.0, None], dtype=object), TypeError, ("object",)),
        (np.asarray(["1", "2"]), TypeError, ()),
        (["1", "2"], TypeError, ()),
        ([None, 1.0], TypeError, ()),
        ([True, False], TypeError, ("bool",)),
        (True, TypeError, ("bool",)),
        (1j, TypeError, ("complex",)),
        ([[1.0, 2.0], [3.0]], ValueError, ()),
        ([1.0, [2.0]], ValueError, ()),
        (np.ma.masked_array([1.0, 2.0], mask=[True, False]), TypeError, ("where=~x.mask",)),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        as_matrix: Any = np.asmatrix
        refused.append((as_matrix([[1.0, 2.0]]), TypeError, ("matrix",)))
    for module, name, mention in (
        ("scipy.sparse", "csr_array", "toarray"),
        ("scipy.sparse", "coo_matrix", "toarray"),
        ("pandas", "DataFrame", "to_numpy"),
        ("xarray", "DataArray", "x.data"),
    ):
        try:
            container = getattr(importlib.import_module(module), name)
        except ImportError:
            continue
        refused.append((container(np.eye(2)), TypeError, (mention,)))
    return refused


@law(
    fault="arrays of two libraries or devices are mixed",
    applies=lambda backend: backend.reports_errors and not backend.traced,
)
def stray_arrays(backend: Backend, functions: Any) -> None:
    """A mask, temperature or weight of another library or device is refused."""
    x = backend.array(NUMBERS)
    if backend.library != "numpy":
        strangers = {
            "where": NUMBERS > 0,
            "temperature": np.ones((2, 1), dtype=np.float32),
            "weights": np.ones((2, 3), dtype=np.float32),
        }
        _refuse_each(backend, functions, x, strangers, ("numpy",))
    elif importlib.util.find_spec("array_api_strict"):
        import array_api_strict

        strangers = {
            "where": array_api_strict.asarray(NUMBERS > 0),
            "temperature": array_api_strict.ones((2, 1)),
            "weights": array_api_strict.ones((2, 3)),
        }
        _refuse_each(backend, functions, x, strangers, ("array_api_strict",))
    if len(backend.devices()) > 1:
        here, there = backend.devices()[:2]
        away = {
            "where": backend.to_device(backend.array(NUMBERS > 0), there),
            "temperature": backend.to_device(backend.array(NUMBERS[:, :1] + 1), there),
            "weights": backend.to_device(backend.array(NUMBERS * NUMBERS), there),
        }
        _refuse_each(backend, functions, backend.to_device(x, here), away, ())


def _refuse_each(
    backend: Backend, functions: Any, x: Any, strangers: dict[str, Any], mentions: tuple[str, ...]
) -> None:
    for option, stranger in strangers.items():
        function = functions.logsumexp if option == "weights" else functions.softmax
        expect_error(
            (TypeError,),
            (option, *mentions),
            partial(function, x, **{option: stranger}),
        )


def _calls(backend: Backend, function: Any, *seconds: Any, **options: Any) -> Callable[[], Any]:
    return partial(backend.evaluate, function, NUMBERS, *seconds, **{"axis": -1, **options})
