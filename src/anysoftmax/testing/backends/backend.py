"""What the laws need to know of an array library, and how they run a function on it."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import numpy as np

from anysoftmax.testing.layouts import arrange

__all__ = ["Backend"]

Array = Any
Item = TypeVar("Item")
NumpyArray = np.ndarray[Any, Any]

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")

AFFORDABLE = 4  # the highest cost at which laws still try everything that they can

# Options that hold arrays; the others (axis, precision, dtype, keepdims) are fixed when a
# function is traced.
ARRAY_OPTIONS = ("where", "temperature", "weights", "class_weights", "sample_weights")

# The first and the second positional argument, where they are differentiated by.
POSITIONAL = ("x", "y")


class Backend(ABC):
    """An array library, and one way of running functions on it.

    A library of your own needs `array`, `to_numpy`, `dtype` and `owns`; everything else has a
    default that suits an eager library. Values travel as NumPy arrays, those of bfloat16 as
    float32 arrays that hold them exactly.

    Attributes
    ----------
    name : str
        Stands in the test's name.
    library : str
        The package to import.
    platform : str
        The kind of device that it computes on: ``cpu`` or ``cuda``.
    package : str
        Another package that it stands on, besides the library.
    dtypes, integers : tuple of str
        The floating and integer dtypes it has; the laws try all of them.
    default_dtype : str
        What it promotes integers to.
    layouts : tuple of str
        Names that `array` understands as ``layout=``.
    lazy : bool
        Whether arrays have no values until they are asked for.
    traced : bool
        Whether functions see placeholders instead of values.
    differentiable : bool
        Whether `gradients` works.
    flushes_subnormals : bool
        Whether subnormal results become 0.
    writes_out : bool
        Whether ``out=`` is possible.
    traces_numbers : bool
        Whether a Python number among the options is traced as well.
    reports_errors : bool
        Whether an error raised in a function reaches the caller as it is.
    has_complex : bool
        Whether there are complex numbers.
    compiles : bool
        Whether every new shape, dtype and option costs a compilation.
    cost : int
        By how much fewer examples it is given than NumPy.

    Examples
    --------
    A library whose arrays NumPy can read and make needs no more than this:

    >>> import numpy as np
    >>> from anysoftmax.testing import Backend, laws
    >>> class Mine(Backend):
    ...     name, library = "mine", "numpy"
    ...
    ...     def array(self, values, *, dtype=None, layout="C"):
    ...         return np.asarray(values, dtype=dtype)
    ...
    ...     def to_numpy(self, array):
    ...         return np.asarray(array)
    ...
    ...     def dtype(self, name):
    ...         return np.dtype(name)
    ...
    ...     def owns(self, array):
    ...         return isinstance(array, (np.ndarray, np.generic))
    >>> laws.get("saturated-winner").check(Mine())
    """

    name: ClassVar[str]
    library: ClassVar[str]
    platform: ClassVar[str] = "cpu"
    package: ClassVar[str] = ""
    dtypes: ClassVar[tuple[str, ...]] = ("float64", "float32")
    integers: ClassVar[tuple[str, ...]] = INTEGERS
    default_dtype: ClassVar[str] = "float64"
    layouts: ClassVar[tuple[str, ...]] = ("C",)
    lazy: ClassVar[bool] = False
    traced: ClassVar[bool] = False
    differentiable: ClassVar[bool] = False
    flushes_subnormals: ClassVar[bool] = False
    writes_out: ClassVar[bool] = False
    traces_numbers: ClassVar[bool] = False
    reports_errors: ClassVar[bool] = True
    has_complex: ClassVar[bool] = True
    compiles: ClassVar[bool] = False
    cost: ClassVar[int] = 1

    def __init__(self) -> None:
        self.placeholders_seen = 0

    def __repr__(self) -> str:
        return f"<backend {self.name}>"

    @property
    def stands_on(self) -> tuple[str, str, str]:
        """What must be there for it: the library, the kind of device, another package."""
        return self.library, self.platform, self.package

    @property
    def has_float64(self) -> bool:
        """Whether the library has float64 at all, as this backend runs it."""
        return "float64" in self.dtypes

    def available(self) -> bool:
        """Return whether the library can be imported (and has the device that it needs)."""
        try:
            importlib.import_module(self.library)
        except ImportError:
            return False
        return True

    @contextmanager
    def context(self) -> Iterator[None]:
        """Hold the library's settings for as long as a law runs, and compute by the reference."""
        from anysoftmax import kernels

        with kernels.use("reference"):
            yield

    @abstractmethod
    def array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return `values` as an array of the library, in their own dtype unless one is named."""

    def open_array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> Array:
        """Return an array whose values a function may ask for, which laziness else forbids."""
        return self.array(values, dtype=dtype, layout=layout)

    @abstractmethod
    def to_numpy(self, array: Array) -> NumpyArray:
        """Return the values of an array of the library, computing them if it is lazy."""

    @abstractmethod
    def dtype(self, name: str) -> Any:
        """Return the library's own dtype object."""

    @abstractmethod
    def owns(self, array: Array) -> bool:
        """Return whether `array` is the library's, lazy if the library is lazy."""

    def dtype_name(self, array: Array) -> str:
        """Name the dtype of an array."""
        return str(getattr(array.dtype, "name", array.dtype)).rpartition(".")[2]

    def device(self, array: Array) -> Any:
        """Return where an array lies, None if the library has one place only."""
        return getattr(array, "device", None)

    def devices(self) -> tuple[Any, ...]:
        """Return the devices that the laws try."""
        return ()

    def to_device(self, array: Array, device: Any) -> Array:
        """Copy an array to a device."""
        return array.to_device(device)

    def some(self, choices: Iterable[Item]) -> list[Item]:
        """Return all choices, or the first and the last where running them all takes too long."""
        every = list(choices)
        return every if self.cost <= AFFORDABLE else [every[0], every[-1]][: len(every)]

    def evaluate(self, function: Callable[..., Array], *arrays: Any, **options: Any) -> Array:
        """Run a function and return the library's own array.

        NumPy arrays among the arguments are turned into arrays of the library first.
        """
        placeholders, fixed = self._split(options)
        return self.run(function, tuple(self._own(a) for a in arrays), placeholders, fixed)

    def call(self, function: Callable[..., Array], *arrays: Any, **options: Any) -> NumpyArray:
        """Run a function and return its result as a NumPy array."""
        return self.to_numpy(self.evaluate(function, *arrays, **options))

    def run(
        self,
        function: Callable[..., Array],
        arrays: tuple[Array, ...],
        placeholders: dict[str, Array],
        options: dict[str, Any],
    ) -> Array:
        """Call `function(*arrays, **placeholders, **options)` in this backend's way."""
        return function(*arrays, **placeholders, **options)

    def forget(self) -> None:
        """Forget what was compiled, so that functions are given placeholders again."""
        return

    def eager(self) -> Backend:
        """Return the backend that runs the same library without tracing; itself if it is eager."""
        return self

    def gradients(
        self,
        function: Callable[..., Array],
        cotangent: NumpyArray,
        inputs: dict[str, Any],
        *arrays: Any,
        **options: Any,
    ) -> dict[str, NumpyArray]:
        """Return the derivative of ``sum(cotangent * function(...))`` by each input.

        `inputs` names what to differentiate by: ``"x"``, the first array; ``"y"``, the second;
        ``"temperature"``, ``"weights"`` and other options. `arrays` are what follows by position,
        such as labels, and not differentiated by.
        """
        raise NotImplementedError(f"{self.name} has no automatic differentiation")

    def hessian(self, function: Callable[..., Array], x: NumpyArray, **options: Any) -> NumpyArray:
        """Return the second derivatives of a function whose result is one number."""
        raise NotImplementedError(f"{self.name} has no automatic differentiation")

    def _apply(
        self, function: Callable[..., Array], inputs: dict[str, Any], *arrays: Any, **options: Any
    ) -> Array:
        """Call a function with inputs named as for `gradients`."""
        first = [inputs[name] for name in POSITIONAL if name in inputs]
        named = {name: value for name, value in inputs.items() if name not in POSITIONAL}
        return function(*first, *arrays, **named, **options)

    def _split(self, options: dict[str, Any]) -> tuple[dict[str, Array], dict[str, Any]]:
        """Part the options that go in as arrays of the library from those that are fixed."""
        kinds: tuple[type, ...] = (np.ndarray, float) if self.traces_numbers else (np.ndarray,)
        arrays = {
            name: self._own(value)
            for name, value in options.items()
            if name in ARRAY_OPTIONS and (isinstance(value, kinds) or self.owns(value))
        }
        return arrays, {name: value for name, value in options.items() if name not in arrays}

    def _own(self, value: Any) -> Any:
        """Return a NumPy array as one of the library; its own arrays go in as they are."""
        return (
            self.array(value) if isinstance(value, np.ndarray) and not self.owns(value) else value
        )

    def _arranged(self, values: Any, dtype: str | None, layout: str) -> NumpyArray:
        """Return `values` as a NumPy array of the dtype and layout."""
        array = np.asarray(values)
        return arrange(array if dtype is None else array.astype(dtype), layout)
