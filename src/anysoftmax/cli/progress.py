"""A progress bar on standard error for work that takes long."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from anysoftmax.cli.interrupts import exit_if_interrupted

__all__ = ["Bar"]

PATIENCE_SECONDS = 1.0
BAR_COLUMNS = 24  # with the figures beside it a line fits 80


class Bar:
    """Show how much is done once the work has taken a second, if anybody is watching.

    Where it is counted in bytes, it shows how many there are in a second as well.
    """

    def __init__(self, description: str, *, of_bytes: bool = False, hidden: bool = False) -> None:
        self._description = description
        self._of_bytes = of_bytes
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

    def __call__(self, done: int, total: int | None) -> None:
        """Tell how much is done, and of how much; None if nobody knows."""
        exit_if_interrupted()
        if not self._watched or time.monotonic() - self._started < PATIENCE_SECONDS:
            return
        if self._bar is None:
            self._start(total)
        self._bar.update(self._task, completed=done, total=total)

    def pulse(self) -> None:
        """Show, until the end, that work goes on of which nobody knows how much is done."""
        if self._watched:
            self._start(total=None)

    def _start(self, total: int | None) -> None:
        from rich import progress
        from rich.console import Console

        columns: list[progress.ProgressColumn] = [
            progress.TextColumn("{task.description}"),
            progress.BarColumn(BAR_COLUMNS),
        ]
        if total is not None:
            columns.append(progress.TaskProgressColumn())
        if self._of_bytes:
            columns += [progress.DownloadColumn(), progress.TransferSpeedColumn()]
        columns.append(
            progress.TimeElapsedColumn() if total is None else progress.TimeRemainingColumn()
        )
        # The bar goes when the work is done: the shell's next line is the result.
        self._bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(self._description, total=total)
        self._bar.start()
