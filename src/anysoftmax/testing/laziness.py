"""A guard against looking at values that are not there yet, which knows whether it was used."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from anysoftmax.testing.backends import Backend

__all__ = ["LazinessGuard"]


class LazinessGuard:
    """Fails unless functions under test received lazy or traced arrays while it was up.

    The backends themselves refuse: Dask and Cubed arrays raise when they are computed inside a
    public function, JAX's and ndonnx's placeholders have nothing to look at. What is left to go
    wrong is a test that never gave them to the function, and so proved nothing.

    Parameters
    ----------
    backend : Backend
        One that is lazy or traced.

    Examples
    --------
    >>> from anysoftmax.testing import backends
    >>> with LazinessGuard(backends.get("dask")):
    ...     pass
    Traceback (most recent call last):
        ...
    AssertionError: no function was given a lazy or traced array of dask: nothing was tested
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._before = 0

    def __enter__(self) -> Self:
        self.backend.forget()
        self._before = self.backend.placeholders_seen
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self.backend.placeholders_seen == self._before:
            raise AssertionError(
                f"no function was given a lazy or traced array of {self.backend.name}: "
                "nothing was tested"
            )
