"""The number of workers: who sees it, and what it may be."""

from __future__ import annotations

import threading

import pytest

import anysoftmax as asm
from anysoftmax import threads


def count() -> int:
    return threads._team.get().size


@pytest.mark.parametrize("n", [1.0, "2", None, True])
def test_only_an_int(n) -> None:
    with pytest.raises(TypeError, match="number of workers must be an int"), asm.workers(n):
        pass


@pytest.mark.parametrize("n", [0, -1])
def test_at_least_one(n) -> None:
    with pytest.raises(ValueError, match=f"1 or more: got {n}"), asm.workers(n):
        pass


def test_the_innermost_number_counts_and_ends() -> None:
    with asm.workers(2):
        with asm.workers(3):
            assert count() == 3
        assert count() == 2
    assert count() == 1


def test_other_threads_keep_their_own() -> None:
    seen = []
    with asm.workers(2):
        thread = threading.Thread(target=lambda: seen.append(count()))
        thread.start()
        thread.join()
    assert seen == [1]


def test_items_are_shared_among_that_many_threads() -> None:
    meeting = threading.Barrier(3, timeout=10)
    with asm.workers(3):
        threads.for_each(lambda _: meeting.wait(), range(3))


def test_one_worker_starts_no_thread() -> None:
    seen = set()
    threads.for_each(lambda _: seen.add(threading.current_thread()), range(5))
    assert seen == {threading.current_thread()}


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with asm.workers(4):
        threads.for_each(lambda _: None, range(100))
    assert threading.active_count() == before


def test_threads_are_kept_from_call_to_call() -> None:
    meeting = threading.Barrier(2, timeout=10)
    seen = []

    def meet(_: int) -> None:
        seen.append(threading.current_thread())
        meeting.wait()

    with asm.workers(2):
        for _ in range(3):
            threads.for_each(meet, range(2))
    assert len(seen) == 6
    assert len(set(seen)) == 2


def test_what_is_shared_out_is_not_shared_out_again() -> None:
    seen = []

    def inner(_: int) -> None:
        seen.append(threading.current_thread())

    def outer(_: int) -> None:
        before = len(seen)
        threads.for_each(inner, range(3))
        assert set(seen[before:]) >= {threading.current_thread()}
        assert count() == 1

    with asm.workers(2):
        threads.for_each(outer, range(4))
    assert len(seen) == 12


def test_what_the_caller_has_chosen_holds_for_helpers() -> None:
    meeting = threading.Barrier(2, timeout=10)
    seen = []

    def look(_: int) -> None:
        meeting.wait()
        seen.append(asm.kernels.chosen())

    with asm.workers(2), asm.kernels.use("reference"):
        threads.for_each(look, range(2))
    assert seen == ["reference"] * 2


def test_a_dismissed_team_leaves_all_to_the_caller() -> None:
    with asm.workers(2):
        team = threads._team.get()
    token = threads._team.set(team)
    done = []
    try:
        threads.for_each(done.append, range(5))
    finally:
        threads._team.reset(token)
    assert sorted(done) == list(range(5))


def test_exceptions_reach_the_caller() -> None:
    with asm.workers(2), pytest.raises(ZeroDivisionError):
        threads.for_each(lambda i: 1 / i, range(4))


@pytest.mark.parametrize("moment", ["at work", "waiting"])
def test_an_interrupted_caller_waits_for_its_helpers_and_leaves_the_rest(moment) -> None:
    """What they write to may be closed, or removed, as soon as the call is over."""
    caller = threading.current_thread()
    begun, ended, interrupted = threading.Event(), [], threading.Event()
    original = threads._await

    def work(item: int) -> None:
        if threading.current_thread() is caller:
            assert begun.wait(10)
            if moment == "at work":
                interrupted.set()
                raise KeyboardInterrupt
        else:
            begun.set()
            assert interrupted.wait(10)
            ended.append(item)

    def interrupt(helpers: object) -> None:
        if not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt
        original(helpers)

    with pytest.MonkeyPatch.context() as patch, asm.workers(2):
        if moment == "waiting":
            patch.setattr(threads, "_await", interrupt)
        with pytest.raises(KeyboardInterrupt):
            threads.for_each(work, range(2 if moment == "waiting" else 100))
        assert len(ended) == 1
