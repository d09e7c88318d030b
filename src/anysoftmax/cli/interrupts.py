"""Signals that end the command, made into an exit that cleans up on its way."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

__all__ = ["clean_interrupts"]

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # not all of them exist on every system


@contextlib.contextmanager
def clean_interrupts() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP raise `SystemExit` with the status 128 + signal.

    Half-written files are then removed by those who write them. A second signal does not disturb
    them in it, and a signal that was ignored (by ``nohup``, say) stays so.
    """
    signals = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    previous = {s: signal.getsignal(s) for s in signals}

    def stop(number: int, _frame: FrameType | None) -> None:
        for s in signals:
            signal.signal(s, signal.SIG_IGN)
        sys.exit(128 + number)

    for s, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(s, stop)
    try:
        yield
    finally:
        for s, handler in previous.items():
            signal.signal(s, handler)
