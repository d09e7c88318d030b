"""Axes and memory layouts: where the numbers stand, not what they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import judge
from anysoftmax.testing.formats import FORMATS
from anysoftmax.testing.laws.law import ALL_FUNCTIONS, affordable, law
from anysoftmax.testing.oracle.exact import Axis
from anysoftmax.testing.strategies import Case, cases, examples

__all__ = ["any_axis", "joint_axes", "layouts"]

FUNCTIONS = ("softmax", "log_softmax", "logsumexp")


@law(fault="another axis is normalised than the one asked for")
def any_axis(backend: Backend, functions: Any) -> None:
    """Along axis k, counted from either end, is along the last axis of the moved array."""

    @examples(backend, cases(backend, shapes=[((3, 5), -1)]))
    def holds(case: Case) -> None:
        turned = case.values.T
        for function in affordable(backend, ALL_FUNCTIONS):
            expected = case.suited(function).expect(backend, function)
            for axis in (0, -2):
                other = case.but(values=turned, axis=axis).suited(function)
                got = other.call(backend, functions, function)
                judge(got.T, expected, flushes=backend.flushes_subnormals)

    holds()
    # With three axes of three lengths no two can be taken for each other.
    values = np.cos(np.arange(24.0)).astype(np.float32).reshape(2, 3, 4)
    for axis in (0, 1, 2, -1, -2, -3):
        _check(backend, functions, Case(values, "float32", axis))


@law(fault="several axes together are not one long axis")
def joint_axes(backend: Backend, functions: Any) -> None:
    """A tuple of axes, in any order, and None are one axis of all their elements."""
    values = 3 * np.cos(np.arange(24.0)).astype(np.float32).reshape(2, 3, 4)
    for axis in ((0, 1), (1, 0), (0, 2), (-1, 1), (2, 0, 1), (1,), None):
        _check(backend, functions, Case(values, "float32", axis))
    flat = Case(values.ravel(), "float32", 0)
    for function in ("softmax", "log_softmax"):
        together = Case(values, "float32", None).call(backend, functions, function)
        judge(together.ravel(), flat.expect(backend, function))


def _check(backend: Backend, functions: Any, case: Case) -> None:
    for function in affordable(backend, ALL_FUNCTIONS):
        suited = case.suited(function)
        judge(suited.call(backend, functions, function), suited.expect(backend, function))


@law(
    fault="the result depends on how the logits lie in memory or in chunks",
    applies=lambda backend: len(backend.layouts) > 1,
)
def layouts(backend: Backend, functions: Any) -> None:
    """Every layout of the same logits gives their result."""
    rng = np.random.default_rng(3)
    shapes: tuple[tuple[tuple[int, ...], Axis], ...] = (
        ((3, 5), -1),
        ((5, 3), 0),
        ((), -1),
        ((2, 3, 4), (0, 2)),
    )
    for name in backend.some(backend.dtypes):
        for shape, axis in backend.some(shapes):
            values = FORMATS[name].round(rng.normal(size=shape, scale=4))
            case = Case(values, name, axis)
            every = backend.cost == 1 or name == backend.default_dtype
            for function in affordable(backend, ALL_FUNCTIONS) if every else FUNCTIONS:
                suited = case.suited(function)
                expected = suited.expect(backend, function)
                for layout in backend.layouts:
                    got = suited.call(backend, functions, function, layout=layout)
                    judge(got, expected, flushes=backend.flushes_subnormals)
