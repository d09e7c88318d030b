"""A progress bar on standard error for work that takes long."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from anysoftmax.cli.interrupts import exit_if_interrupted

__all__ = ["Bar"]

PATIENCE_SECONDS = 1.0


class Bar:
    """Show the fraction that is done once the work has taken a second, if anybody is watching."""

    def __init__(self, description: str, *, hidden: bool = False) -> None:
        self._description = description
        self._started = time.monotonic()
        self._watched = not hidden and sys.stderr is not None and sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, fraction: float) -> None:
        """Tell that `fraction` of the work, 0 to 1, is done."""
        exit_if_interrupted()
        if not self._watched or time.monotonic() - self._started < PATIENCE_SECONDS:
            return
        if self._bar is None:
            self._start(total=1.0)
        self._bar.update(self._task, completed=fraction)

    def pulse(self) -> None:
        """Show, until the end, that work goes on of which nobody knows how much is done."""
        if self._watched:
            self._start(total=None)

    def _start(self, total: float | None) -> None:
        from rich.console import Console
        from rich.progress import Progress

        # The bar goes when the work is done: the shell's next line is the result.
        self._bar = Progress(console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(self._description, total=total)
        self._bar.start()
