"""The libraries on which bugs of others are tried: those in which they were found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anysoftmax
from anysoftmax.testing import FORMATS, Backend, backends
from anysoftmax.testing.bounds import expect, judge

VALUES = ("numpy", "array-api-strict", "torch", "jax", "jax-32", "jax-jit-32")
GRADIENTS = ("torch", "jax", "jax-jit-32")


class Trial:
    """Calls a function on one library, and judges the result by the contract's bounds."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    @property
    def dtypes(self) -> list[str]:
        """The dtypes of 32 and 64 bits."""
        return [name for name in self.backend.dtypes if not FORMATS[name].is_16_bit]

    def call(
        self, function: str, x: Any, dtype: str | None = None, *, second: Any = None, **options: Any
    ) -> Any:
        """Return the result as a NumPy array; floating arrays among the options get the dtype."""
        x = np.asarray(x)
        dtype = dtype or (self.dtypes[0] if x.dtype.kind == "f" else x.dtype.name)
        arrays = [self.backend.array(x, dtype=dtype)]
        if second is not None:
            arrays.append(self.array(second, dtype))
        for name, value in options.items():
            if isinstance(value, np.ndarray):
                options[name] = self.array(value, dtype)
        return self.backend.call(getattr(anysoftmax, function), *arrays, **options)

    def array(self, values: Any, dtype: str) -> Any:
        """Return an array of the library: floating numbers of the dtype, labels of 32 bits."""
        values = np.asarray(values)
        names = {"f": dtype, "i": "int32"}
        return self.backend.array(values, dtype=names.get(values.dtype.kind))

    def judge(self, function: str, x: Any, dtype: str | None = None, **options: Any) -> Any:
        """Hold a result to its bound and return it."""
        dtype = dtype or self.dtypes[0]
        options = {"axis": -1, **options}
        x = FORMATS[dtype].round(x)
        got = self.call(function, x, dtype, **options)
        expected = expect(function, FORMATS[dtype], x, **options)
        judge(got, expected, flushes=self.backend.flushes_subnormals)
        return got

    def gradient(
        self,
        function: str,
        x: Any,
        cotangent: Any,
        dtype: str | None = None,
        second: Any = None,
        **options: Any,
    ) -> Any:
        """Return the derivative by the logits, or by the weights if there are some."""
        dtype = dtype or self.dtypes[0]
        arrays = [] if second is None else [self.array(second, dtype)]
        inputs = {"x": self.backend.array(np.asarray(x), dtype=dtype)}
        if "weights" in options:
            inputs["weights"] = self.backend.array(options.pop("weights"), dtype=dtype)
        g = self.backend.array(np.asarray(cotangent), dtype=dtype)
        for name, value in options.items():
            if isinstance(value, np.ndarray):
                options[name] = self.array(value, dtype)
        call = getattr(anysoftmax, function)
        got = self.backend.gradients(call, g, inputs, *arrays, axis=-1, **options)
        return got.get("weights", got["x"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on several libraries if it asks for a trial, on those with autodiff if it must."""
    if "trial" in metafunc.fixturenames:
        differentiates = metafunc.module.__name__.endswith("gradients")
        metafunc.parametrize("backend", GRADIENTS if differentiates else VALUES, indirect=True)


@pytest.fixture
def trial(backend: Backend) -> Any:
    with backends.get(backend.name).context():
        yield Trial(backend)
