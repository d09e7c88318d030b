"""Arguments for the functions, how they are called with them, and what must come out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import Expected, allow, expect
from anysoftmax.testing.formats import FORMATS, Format
from anysoftmax.testing.oracle import cross_entropy, entropy, pullbacks
from anysoftmax.testing.oracle.exact import Axis, axis_numbers, normalise
from anysoftmax.testing.oracle.terms import Scaled

__all__ = ["Case"]

NumpyArray = np.ndarray[Any, Any]

NORMALISING = ("where", "temperature")
WEIGHING = ("class_weights", "sample_weights", "label_smoothing", "reduction")

# The options that each function understands.
OPTIONS: dict[str, tuple[str, ...]] = {
    "softmax": NORMALISING,
    "log_softmax": NORMALISING,
    "logsumexp": ("where", "weights"),
    "entropy": NORMALISING,
    "kl_divergence": NORMALISING,
    "cross_entropy": NORMALISING + WEIGHING,
    "cross_entropy_grad": NORMALISING + WEIGHING,
    "softmax_vjp": ("temperature",),
    "log_softmax_vjp": ("temperature",),
}

# What is told exactly as a sum of terms; the others have bounds of their own.
SUMS: dict[str, Callable[..., Scaled]] = {
    "entropy": entropy.entropy,
    "kl_divergence": entropy.kl_divergence,
    "cross_entropy": cross_entropy.cross_entropy,
    "cross_entropy_grad": cross_entropy.cross_entropy_grad,
    "softmax_vjp": pullbacks.softmax_vjp,
    "log_softmax_vjp": pullbacks.log_softmax_vjp,
}
PAIRS = tuple(name for name in SUMS if name != "entropy")  # they take two arrays


@dataclass(frozen=True, eq=False)
class Case:
    """Arguments for the functions; each takes those that it understands.

    Attributes
    ----------
    values : NumPy array
        The logits (for pull-backs the output), each exactly a number of the dtype.
    dtype : str
        Name of the dtype that the library is given.
    axis : int, tuple of ints or None
        What to normalise along.
    where : NumPy array or None
        Boolean mask.
    temperature : float or NumPy array
        One for all slices or one a slice.
    weights : NumPy array or None
        For logsumexp.
    second : NumPy array or None
        The second array: labels, probabilities, the logits of q, or a cotangent. Integers keep
        their dtype.
    class_weights, sample_weights, label_smoothing, reduction
        For cross-entropy, as there.
    """

    values: NumpyArray
    dtype: str
    axis: Axis = -1
    where: NumpyArray | None = None
    temperature: Any = 1.0
    weights: NumpyArray | None = None
    second: NumpyArray | None = None
    class_weights: NumpyArray | None = None
    sample_weights: NumpyArray | None = None
    label_smoothing: float = 0.0
    reduction: str = "mean"

    @property
    def format(self) -> Format:
        """The format of the logits and of the result."""
        return FORMATS[self.dtype]

    @property
    def taking_part(self) -> NumpyArray:
        """The mask, of the shape of the logits."""
        return np.broadcast_to(True if self.where is None else self.where, self.values.shape)

    @property
    def slices(self) -> tuple[int, ...]:
        """The shape of what has one entry for each slice."""
        axes = axis_numbers(self.axis, self.values.ndim)
        return tuple(n for i, n in enumerate(self.values.shape) if i not in axes)

    @property
    def classes(self) -> tuple[int, ...]:
        """The shape of one slice."""
        axes = axis_numbers(self.axis, self.values.ndim)
        return tuple(n for i, n in enumerate(self.values.shape) if i in axes)

    def but(self, **changes: Any) -> Case:
        """Return the same arguments with some of them changed."""
        return replace(self, **changes)

    def by_slice(self, array: NumpyArray) -> NumpyArray:
        """Return an array of the logits' shape as a table, the elements of a slice in a row."""
        axes = sorted(axis_numbers(self.axis, array.ndim))
        last = range(array.ndim - len(axes), array.ndim)
        moved = np.moveaxis(array, axes, tuple(last))
        return moved.reshape(math.prod(self.slices), math.prod(self.classes))

    def of_slices(self, table: NumpyArray) -> NumpyArray:
        """Return a table as an array of the logits' shape, as it was `by_slice`."""
        axes = sorted(axis_numbers(self.axis, self.values.ndim))
        last = range(self.values.ndim - len(axes), self.values.ndim)
        return np.moveaxis(table.reshape(self.slices + self.classes), tuple(last), axes)

    def suited(self, function: str) -> Case:
        """Return a case that has got a second array if the function takes one, made of the first.

        For a law that is about something else. It goes by the slices, whatever their axis.
        """
        table = self.by_slice(self.values)
        number, length = table.shape
        if function in {"softmax_vjp", "log_softmax_vjp"}:
            known = normalise(
                self.values,
                axis=self.axis,
                temperature=self.format.round(self.temperature),
                where=self.where,
            )
            output = known.softmax if function == "softmax_vjp" else known.log_softmax
            steps = np.arange(number * length).reshape(table.shape) % 7 - 3
            return self.but(
                values=self.format.round(output.astype(np.float64)),
                second=self.of_slices(self.format.round(steps / 4)),
            )
        if function == "kl_divergence":
            return self.but(second=self.of_slices(table[:, ::-1]))
        if function == "cross_entropy" and not length:
            return self.but(second=self.values, reduction="none")  # no label could be right
        if function == "cross_entropy":
            labels = (3 * np.arange(number, dtype=np.int32) + 1) % length
            return self.but(second=labels.reshape(self.slices), reduction="none")
        if function == "cross_entropy_grad":
            shares = np.arange(number * length).reshape(table.shape) % 4 / 4
            return self.but(
                second=self.of_slices(self.format.round(shares)),
                label_smoothing=0.125,
                reduction="sum",
            )
        return self

    def call(
        self,
        backend: Backend,
        functions: Any,
        function: str,
        *,
        layout: str = "C",
        **options: Any,
    ) -> NumpyArray:
        """Run a function of `functions` on these arguments; return its values."""
        arguments = {**self.arguments(backend, function), **options}
        arrays = self.arrays(backend, function, layout=layout)
        return backend.call(getattr(functions, function), *arrays, axis=self.axis, **arguments)

    def expect(self, backend: Backend, function: str, **options: Any) -> Expected:
        """Return the exact result and the errors that the contract allows it."""
        own = {name: getattr(self, name) for name in OPTIONS[function]}
        if function not in SUMS:
            return expect(
                function,
                self.format,
                self.values,
                axis=self.axis,
                has_float64=backend.has_float64,
                **own,
                **options,
            )
        # Contract: T counts as rounded to the dtype.
        own["temperature"] = self.format.round(self.temperature)
        arrays = [self.values, self.second] if function in PAIRS else [self.values]
        known = SUMS[function](*arrays, axis=self.axis, **own)
        expected = allow(known, self.format, flushes=backend.flushes_subnormals)
        if function == "kl_divergence":
            expected.allowed[self._beyond_range(own)] = self.format.largest
        return expected

    def _beyond_range(self, options: dict[str, Any]) -> NumpyArray:
        """Tell in which slices a log-probability of q overflows, and the divergence with it."""
        assert self.second is not None
        shape = np.broadcast_shapes(self.values.shape, self.second.shape)
        logits = np.broadcast_to(self.second, shape)
        logs = normalise(logits, axis=self.axis, **options).log_softmax
        work = FORMATS["float32"] if self.format.is_16_bit else self.format
        beyond = np.vectorize(lambda y: work.largest < -y < np.inf, otypes=[bool])(logs)
        axes = axis_numbers(self.axis, len(shape))
        return np.asarray(beyond.any(axis=axes))

    def arrays(self, backend: Backend, function: str, *, layout: str = "C") -> list[Any]:
        """Return the arrays that a function takes by position, as arrays of the library."""
        values = [backend.array(self.values, dtype=self.dtype, layout=layout)]
        if function in PAIRS:
            assert self.second is not None, f"{function} takes a second array"
            dtype = self.dtype if self.second.dtype.kind == "f" else None
            values.append(backend.array(self.second, dtype=dtype, layout=layout))
        return values

    def arguments(self, backend: Backend, function: str) -> dict[str, Any]:
        """Return the options that a function understands, arrays in the dtype of the logits."""
        own: dict[str, Any] = {}
        for name in OPTIONS[function]:
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                own[name] = backend.array(value, dtype=None if name == "where" else self.dtype)
            elif value != getattr(Case, name):
                own[name] = value
        return own
