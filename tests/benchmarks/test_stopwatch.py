"""Turns are fair, and the memory of a call is what it adds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from suites.harness.stopwatch import median_ratio, ratio, take_turns

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


class Clock:
    """A clock that only the contenders move."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def test_a_ratio_is_that_of_the_times() -> None:
    clock = Clock()
    ours = ratio(lambda: clock.pass_by(0.03), lambda: clock.pass_by(0.02), clock=clock)
    assert ours == pytest.approx(1.5)


def test_the_median_drops_what_an_interruption_split() -> None:
    assert median_ratio([1.0, 1.0, 50.0], [2.0, 2.0, 2.0]) == 0.5


def test_everyone_runs_first_as_often_as_the_others() -> None:
    clock, log = Clock(), []

    def contender(name: str) -> None:
        log.append(name)
        clock.pass_by(1.0)

    runs = {name: (lambda name=name: contender(name)) for name in "abc"}
    times = take_turns(runs, rounds=6, clock=clock)
    rounds = ["".join(log[i : i + 3]) for i in range(len(log) - 18, len(log), 3)]
    assert sorted(rounds) == sorted(["abc", "bca", "cab", "cba", "acb", "bac"])
    assert times == {name: [1.0] * 6 for name in "abc"}


def test_the_budget_ends_the_rounds_but_not_before_the_fewest() -> None:
    clock = Clock()
    times = take_turns(
        {"a": lambda: clock.pass_by(1.0)}, rounds=9, fewest=4, budget_seconds=0.0, clock=clock
    )
    assert len(times["a"]) == 4


MEMORY = """
import numpy as np
from suites.harness.memory import extra_bytes
x = np.ones(40_000_000, np.float32)
print(extra_bytes(lambda: x + 1, x.nbytes), extra_bytes(lambda: np.add(x + 1, x + 2), x.nbytes))
"""


def test_extra_memory_is_what_a_call_adds_to_its_output() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", MEMORY], cwd=BENCHMARKS, capture_output=True, text=True, check=True
    )
    none, two_arrays = map(int, finished.stdout.split())
    assert abs(none) < 4 * 2**20
    assert abs(two_arrays - 320_000_000) < 8 * 2**20
