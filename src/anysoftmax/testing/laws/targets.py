"""Labels out of range and arguments of losses that make no sense."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.laws.errors import expect_error
from anysoftmax.testing.laws.law import law
from anysoftmax.testing.strategies import Case
from anysoftmax.testing.strategies.case import OPTIONS

__all__ = ["labels_out_of_range", "loss_option_errors", "refused_targets", "stray_targets"]

NumpyArray = np.ndarray[Any, Any]

LOGITS = np.asarray([[0.5, 2.0, -1.0], [3.0, 3.0, 0.0]], dtype=np.float32)
LABELS = np.asarray([1, 0], dtype=np.int32)
SHARES = np.asarray([[0.25, 0.5, 0.25], [1.0, 0.0, 0.0]], dtype=np.float32)
LOSSES = ("cross_entropy", "cross_entropy_grad")


def _reports(backend: Backend) -> bool:
    return backend.reports_errors


@law(fault="a label out of range is taken for one that is not")
def labels_out_of_range(backend: Backend, functions: Any) -> None:
    """`IndexError` where labels are known, NaN where they are not: nothing wraps around."""
    wrong = {"int8": (3, -1, -100), "uint8": (3, 255), "int32": (-3, 2**31 - 1)}
    # As 32 bits these are 0, 1 and 2, and as signed 64 bits the last one is -1.
    wrong |= {"int64": (2**32, 2**32 + 1, -(2**32) + 2), "uint64": (2**32, 2**64 - 1)}
    known = not (backend.lazy or backend.traced)
    ways = [
        (np.asarray([1, label], dtype=dtype), smoothing)
        for dtype in wrong
        if dtype in backend.integers
        for label in (wrong[dtype] if backend.cost <= 2 else wrong[dtype][:1])
        for smoothing in ((0.0, 0.1, 1.0) if dtype == "int32" else (0.0,))
    ]
    for labels, smoothing in backend.some(ways):
        case = Case(LOGITS, "float32", second=labels, label_smoothing=smoothing)
        what = f"label {labels[1]} of 3 classes, smoothing {smoothing}"
        if known:
            for function in LOSSES if backend.reports_errors else ():
                call = partial(case.call, backend, functions, function)
                expect_error((IndexError,), (str(labels[1]), "3"), call)
            continue
        losses = case.but(reduction="none").call(backend, functions, "cross_entropy")
        assert np.isnan(losses[1]), f"{what}: {losses}"
        assert np.isfinite(losses[0]), f"{what}: {losses}"
        mean = case.call(backend, functions, "cross_entropy")
        assert np.isnan(mean), f"{what}: the mean is {mean}"


@law(fault="an option of a loss that makes no sense is accepted", applies=_reports)
def loss_option_errors(backend: Backend, functions: Any) -> None:
    """The table of errors for reduction, smoothing, and the weights of classes and samples."""
    seconds: dict[str, tuple[NumpyArray, ...]] = dict.fromkeys(LOSSES, (LABELS,))
    seconds |= {"entropy": (), "kl_divergence": (LOGITS,)}
    seconds |= {"softmax_vjp": (LOGITS,), "log_softmax_vjp": (LOGITS,)}
    for options, kind, mentions in _wrong_options(backend):
        for function, arrays in seconds.items():
            if set(options) <= set(OPTIONS[function]):
                call = _calls(backend, getattr(functions, function), *arrays, **options)
                expect_error((kind,), mentions, call)


Wrong = tuple[dict[str, Any], type[Exception], tuple[str, ...]]


def _wrong_options(backend: Backend) -> list[Wrong]:
    """Return options, the error that each raises, and what its message must mention."""
    ones = partial(np.ones, dtype=np.float32)
    wrong: list[Wrong] = [
        ({"reduction": "average"}, ValueError, ("reduction", "average", "mean", "sum", "none")),
        ({"reduction": None}, ValueError, ("reduction", "None", "mean", "sum", "none")),
        ({"label_smoothing": "much"}, TypeError, ("label_smoothing",)),
        ({"label_smoothing": None}, TypeError, ("label_smoothing",)),
        ({"label_smoothing": -0.1}, ValueError, ("label_smoothing", "-0.1")),
        ({"label_smoothing": 1.5}, ValueError, ("label_smoothing", "1.5")),
        ({"label_smoothing": float("nan")}, ValueError, ("label_smoothing", "nan")),
        ({"class_weights": ones(4)}, ValueError, ("class_weights", "(4,)", "(3,)")),
        ({"class_weights": ones((2, 3))}, ValueError, ("class_weights", "(2, 3)", "(3,)")),
        ({"class_weights": "all"}, TypeError, ("class_weights", "str")),
        ({"sample_weights": ones(3)}, ValueError, ("sample_weights", "(3,)")),
        ({"sample_weights": ones((2, 1))}, ValueError, ("sample_weights", "(2, 1)")),
        ({"where": ones((2, 4)) > 0}, ValueError, ("where", "(2, 4)")),
        ({"where": ones((2, 3))}, TypeError, ("where", "float32")),
        ({"temperature": ones((2, 3))}, ValueError, ("temperature", "(2, 3)")),
    ]
    if not (backend.lazy or backend.traced):
        for name, length in (("class_weights", 3), ("sample_weights", 2)):
            wrong.append(({name: -ones(length)}, ValueError, (name,)))
    return wrong


@law(fault="something that can be no target, or no second array, is accepted", applies=_reports)
def refused_targets(backend: Backend, functions: Any) -> None:
    """Wrong dtypes and shapes of what goes with the logits by position."""
    wrong: list[tuple[Any, type[Exception], tuple[str, ...]]] = [
        (LABELS > 0, TypeError, ("targets", "bool")),
        (np.zeros(3, dtype=np.int32), ValueError, ("targets", "(3,)", "(2,)")),
        (np.zeros((2, 3), dtype=np.int32), ValueError, ("targets", "(2, 3)", "(2,)")),
        (np.zeros((2, 1), dtype=np.int32), ValueError, ("targets", "(2, 1)", "(2,)")),
        # Labels that were made floating numbers on their way.
        (LABELS.astype(np.float32), ValueError, ("targets", "(2,)", "(2, 3)", "integer")),
        (np.zeros((2, 4), dtype=np.float32), ValueError, ("targets", "(2, 4)", "(2, 3)")),
        (np.zeros((1, 3), dtype=np.float32), ValueError, ("targets", "(1, 3)", "(2, 3)")),
    ]
    if backend.has_complex:
        wrong.append((SHARES.astype(np.complex64), TypeError, ("targets", "complex64")))
    if backend.name == "numpy":
        wrong += [
            (None, TypeError, ("targets", "None")),
            ("1, 0", TypeError, ("targets", "str")),
            ([None, 1], TypeError, ("None",)),
            ([[0.5], [0.5, 0.5]], ValueError, ()),
            (np.ma.masked_array([0, 1], mask=[True, False]), TypeError, ("targets",)),
        ]
    for function in LOSSES:
        for targets, kind, mentions in wrong:
            call = _calls(backend, getattr(functions, function), targets)
            expect_error((kind,), mentions, call)
    for function in ("kl_divergence", "softmax_vjp", "log_softmax_vjp"):
        wide = np.zeros((2, 4), dtype=np.float32)
        call = _calls(backend, getattr(functions, function), wide)
        expect_error((ValueError,), ("(2, 4)",), call)
        call = _calls(backend, getattr(functions, function), LOGITS > 0)
        expect_error((TypeError,), ("bool",), call)
        if backend.has_complex:
            call = _calls(backend, getattr(functions, function), LOGITS.astype(np.complex64))
            expect_error((TypeError,), ("complex64",), call)


@law(
    fault="targets or weights of another library or device are mixed with the logits",
    applies=lambda backend: backend.reports_errors and not backend.traced,
)
def stray_targets(backend: Backend, functions: Any) -> None:
    """Second arrays and weights belong to the library and the device of the logits."""
    x = backend.array(LOGITS)
    if backend.library != "numpy":
        _refuse_each(backend, functions, x, lambda array: array, ("numpy",))
    elif importlib.util.find_spec("array_api_strict"):
        import array_api_strict

        _refuse_each(backend, functions, x, array_api_strict.asarray, ("array_api_strict",))
    if len(backend.devices()) > 1:
        here, there = backend.devices()[:2]

        def away(array: Any) -> Any:
            return backend.to_device(backend.array(array), there)

        _refuse_each(backend, functions, backend.to_device(x, here), away, ())


def _refuse_each(
    backend: Backend,
    functions: Any,
    x: Any,
    stranger: Callable[[Any], Any],
    mentions: tuple[str, ...],
) -> None:
    own = backend.array(LABELS)
    own = backend.to_device(own, backend.device(x)) if len(backend.devices()) > 1 else own
    for function in LOSSES:
        call = getattr(functions, function)
        for targets in (LABELS, SHARES):
            expect_error((TypeError,), ("targets", *mentions), partial(call, x, stranger(targets)))
        for name, shape in (("class_weights", 3), ("sample_weights", 2)):
            weights = stranger(np.ones(shape, dtype=np.float32))
            expect_error((TypeError,), (name, *mentions), partial(call, x, own, **{name: weights}))
    for function, name in (
        ("kl_divergence", "logits_q"),
        ("softmax_vjp", "g"),
        ("log_softmax_vjp", "g"),
    ):
        call = getattr(functions, function)
        expect_error((TypeError,), (name, *mentions), partial(call, x, stranger(LOGITS)))


def _calls(backend: Backend, function: Any, *arrays: Any, **options: Any) -> Callable[[], Any]:
    return partial(backend.evaluate, function, LOGITS, *arrays, **{"axis": -1, **options})
