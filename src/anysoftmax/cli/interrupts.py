"""Signals that end the command, made into an exit that cleans up on its way."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

__all__ = ["clean_interrupts", "exit_if_interrupted"]

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # not all of them exist on every system

_received: list[int] = []  # signals whose exit may still be on its way


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
        _received.append(number)
        sys.exit(128 + number)

    for s, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(s, stop)
    try:
        yield
    finally:
        _received.clear()
        for s, handler in previous.items():
            signal.signal(s, handler)


def exit_if_interrupted() -> None:
    """Raise the `SystemExit` of a signal again, if something has swallowed it.

    Long work calls it now and then: Python drops an exception that a signal raises inside of a
    callback or a destructor, as a compiler at work has many.
    """
    if _received:
        sys.exit(128 + _received[0])
