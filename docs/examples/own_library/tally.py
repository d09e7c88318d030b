"""A small array library: NumPy's arrays in a class of its own, which counts what is asked of it.

It has every function of the array API standard, each of them NumPy's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

CALLS: Counter[str] = Counter()

OPERATORS = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "neg", "pos", "abs"),
    *("radd", "rsub", "rmul", "rtruediv", "rfloordiv", "rmod", "rpow", "rmatmul"),
    *("and", "or", "xor", "invert", "lshift", "rshift", "rand", "ror", "rxor"),
    *("lt", "le", "gt", "ge", "eq", "ne", "bool", "int", "float", "index", "getitem"),
)


class Array:
    """An array: it has the attributes and methods of the NumPy array that it holds."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __array_namespace__(self, api_version: str | None = None) -> ModuleType:
        """Return where the functions are, by which others know an array of the standard."""
        return tally

    def __getattr__(self, name: str) -> Any:
        return wrapped(getattr(self.values, name))

    def __repr__(self) -> str:
        return f"tally {self.values}"


def wrapped(value: Any) -> Any:
    """Return NumPy's arrays as ours, and its functions as ones that take and return ours."""
    if isinstance(value, (np.ndarray, np.generic)):
        return Array(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(wrapped, value))
    return counted(value) if callable(value) and not isinstance(value, type) else value


def unwrapped(value: Any) -> Any:
    """Return our arrays as NumPy's."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(unwrapped, value))
    return value.values if isinstance(value, Array) else value


def counted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of ours that is one of NumPy's."""

    def call(*arguments: Any, **options: Any) -> Any:
        CALLS[function.__name__.strip("_")] += 1
        named = {name: unwrapped(value) for name, value in options.items()}
        with np.errstate(all="ignore"):  # infinities are no mistake, and nothing to warn of
            return wrapped(function(*map(unwrapped, arguments), **named))

    return call


def operator(name: str) -> Callable[..., Any]:
    """Return the method of an operator: that of the NumPy array that is held."""
    return lambda self, *others: wrapped(getattr(self.values, name))(*others)


for short in OPERATORS:
    setattr(Array, f"__{short}__", operator(f"__{short}__"))

tally = ModuleType("tally")
tally.__getattr__ = lambda name: wrapped(getattr(np, name))  # type: ignore[method-assign]
