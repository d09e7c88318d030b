"""How many threads share the work on one large array: as many as the caller asks for, else one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Thread
from typing import TypeVar

from anysoftmax.arrays import describe

Item = TypeVar("Item")

_count: ContextVar[int] = ContextVar("anysoftmax.workers", default=1)


@contextmanager
def workers(n: int) -> Iterator[None]:
    """Let `n` threads share the work on each large NumPy array.

    Parameters
    ----------
    n : int
        The number of threads, 1 or more. Outside of any `workers` it is 1, and no thread is
        started.

    Raises
    ------
    TypeError
        `n` is not an int.
    ValueError
        `n` is less than 1.

    Notes
    -----
    It holds for the calls inside the ``with`` statement, in this thread and in asyncio tasks
    started there; the innermost one counts. Other threads keep their own number. The result does
    not depend on it. Small arrays are not shared out: starting a thread would cost more.

    Each worker needs up to 8 MiB besides the output.

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> x = np.zeros((100_000, 10))
    >>> with asm.workers(2):
    ...     p = asm.softmax(x)
    """
    if type(n) is not int:
        raise TypeError(f"the number of workers must be an int: got {describe(n)}")
    if n < 1:
        raise ValueError(f"the number of workers must be 1 or more: got {n}")
    token = _count.set(n)
    try:
        yield
    finally:
        _count.reset(token)


def for_each(function: Callable[[Item], object], items: Iterable[Item]) -> None:
    """Call `function` with every item, shared among the workers; raise the first exception.

    The calls must not depend on one another. This thread is one of the workers; the others live as
    long as this call only, so that none is left behind when a process forks or ends.
    """
    pending = deque(items)
    count = min(_count.get(), len(pending))
    if count <= 1:
        for item in pending:
            function(item)
        return
    failures: list[BaseException] = []

    def work() -> None:
        with workers(1):  # what is shared out already is not shared out again
            while not failures:
                try:
                    item = pending.popleft()
                except IndexError:  # another worker took the last one
                    return
                try:
                    function(item)
                except BaseException as error:  # noqa: BLE001 - raised again below
                    failures.append(error)

    threads = [Thread(target=work, name=f"anysoftmax-{i}") for i in range(1, count)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
