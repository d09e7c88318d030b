"""Comparing times fairly: the contenders take turns, and neighbouring turns are compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Run = Callable[[], Any]
Clock = Callable[[], float]

processor_clock = time.process_time
wall_clock = time.perf_counter


def ratio(ours: Run, peer: Run, *, rounds: int = 21, clock: Clock = processor_clock) -> float:
    """Return time over time as the median of pairs measured one right after the other.

    Whatever slows the machine slows both halves of a pair; the median drops the pairs it split.
    """
    times = take_turns({"ours": ours, "peer": peer}, rounds=rounds, clock=clock)
    return median_ratio(times["ours"], times["peer"])


def median_ratio(ours: list[float], peer: list[float]) -> float:
    """Return the median of the ratios of two contenders' turns."""
    return statistics.median(a / b for a, b in zip(ours, peer, strict=True))


def take_turns(
    runs: Mapping[str, Run],
    *,
    rounds: int = 21,
    turn_seconds: float = 0.01,
    budget_seconds: float = float("inf"),
    fewest: int = 7,
    clock: Clock = processor_clock,
) -> dict[str, list[float]]:
    """Return the seconds of a call of each contender, one figure a round.

    The processor's time is the time that a quiet machine would take, on one core. `rounds` end
    early, after `fewest` of them, when the budget is spent.
    """
    names = list(runs)
    calls = {name: calls_per_turn(run, turn_seconds, clock) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in names}
    start = time.perf_counter()
    for turn in range(rounds):
        if turn >= fewest and time.perf_counter() - start > budget_seconds:
            break
        # Nobody always runs after the same one: what it leaves in the caches would help or harm.
        order = names[turn % len(names) :] + names[: turn % len(names)]
        for name in order if turn // len(names) % 2 == 0 else reversed(order):
            times[name].append(seconds_per_call(runs[name], calls[name], clock))
    return times


def calls_per_turn(run: Run, turn_seconds: float, clock: Clock) -> int:
    """Return how many calls fill a turn long enough for the clock."""
    run()  # the first call compiles and fills caches
    once = seconds_per_call(run, 1, clock)
    if once < turn_seconds / 10:
        once = seconds_per_call(run, 10, clock)
    return max(1, round(turn_seconds / max(once, 1e-9)))


def seconds_per_call(run: Run, calls: int, clock: Clock) -> float:
    """Return the mean time of one of `calls` calls in a row."""
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls
