"""How many threads share the work on one large array: as many as the caller asks for, else one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from functools import cached_property
from operator import index
from os import getpid
from typing import TYPE_CHECKING, TypeVar

from anysoftmax.arrays import describe

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Item = TypeVar("Item")


class _Team:
    """The caller and its helpers; threads are started when there is something to share."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._process = getpid()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(self.size - 1, thread_name_prefix="anysoftmax")

    def call_helpers(self, work: Callable[[], None], most: int) -> list[Future[None]]:
        """Have up to `most` helpers do some work as well; none if they are dismissed."""
        helpers: list[Future[None]] = []
        if getpid() == self._process:  # threads do not live on in a forked process
            with suppress(RuntimeError):
                for _ in range(min(self.size - 1, most)):
                    # What the caller has chosen, a kernel for one, holds for helpers as well.
                    context = copy_context()
                    helpers.append(self._pool.submit(context.run, work))
        return helpers

    def dismiss(self) -> None:
        """End the threads, if there are any."""
        if "_pool" in self.__dict__:
            self._pool.shutdown()


_alone = _Team(1)
_team: ContextVar[_Team] = ContextVar("anysoftmax.workers", default=_alone)


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

    See Also
    --------
    anysoftmax.kernels.use : Who computes.

    Notes
    -----
    It holds for the calls inside the ``with`` statement, in this thread and in asyncio tasks
    started there; the innermost one counts. Other threads keep their own number. The result does
    not depend on it. Small arrays are not shared out. The threads are started by the first large
    array, and end with the ``with`` statement: keep it round many calls rather than each of them.

    Each worker needs up to 8 MiB besides the output.

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> x = np.zeros((100_000, 10))
    >>> with asm.workers(2):
    ...     p = asm.softmax(x)
    """
    try:
        if isinstance(n, bool):
            raise TypeError
        n = index(n)
    except TypeError:
        raise TypeError(f"the number of workers must be an int: got {describe(n)}") from None
    if n < 1:
        raise ValueError(f"the number of workers must be 1 or more: got {n}")
    team = _Team(n)
    token = _team.set(team)
    try:
        yield
    finally:
        _team.reset(token)
        team.dismiss()


def for_each(function: Callable[[Item], object], items: Iterable[Item]) -> None:
    """Call `function` with every item, shared among the workers; raise the first exception.

    The calls must not depend on one another. This thread is one of the workers.
    """
    pending = deque(items)
    team = _team.get()
    if team.size == 1 or len(pending) <= 1:
        for item in pending:
            function(item)
        return
    failures: list[BaseException] = []

    def work() -> None:
        token = _team.set(_alone)  # what is shared out already is not shared out again
        try:
            while not failures:
                try:
                    item = pending.popleft()
                except IndexError:  # another worker took the last one
                    return
                function(item)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)
        finally:
            _team.reset(token)

    helpers: list[Future[None]] = []
    try:
        helpers = team.call_helpers(work, len(pending) - 1)
        work()
        _await(helpers)
    finally:
        # If this thread was interrupted, helpers finish the item they are at, and it is over.
        pending.clear()
        _await(helpers)
    if failures:
        raise failures[0]


def _await(helpers: list[Future[None]]) -> None:
    """Wait for helpers who have begun; the others need not begin."""
    for helper in helpers:
        if not helper.cancel():
            helper.result()
