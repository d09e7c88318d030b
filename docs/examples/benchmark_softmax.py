"""A benchmark of your own for asv: the softmax that you use now against anysoftmax, in turns.

Put it into the folder that ``benchmark_dir`` of asv.conf.json names, or run it by itself:
``python benchmark_softmax.py``.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

import anysoftmax as asm

TURNS = 15
SECONDS = 0.01  # of a turn: much longer than a tick of the clock


def by_hand(x):
    """Return what you have now: put your own here."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class Softmax:
    """Shapes as they occur in your program, not only large ones."""

    param_names = ("shape",)
    params = (((10,), (1000, 10), (1000, 1000)),)
    unit = "anysoftmax / by hand"

    def setup(self, shape):
        """Make the logits; asv does not measure this."""
        self.x = np.random.default_rng(0).normal(size=shape).astype(np.float32)

    def track_ratio(self, *_):
        """Return time over time: below 1 anysoftmax is the faster one."""
        pairs = []
        runs = [lambda: asm.softmax(self.x), lambda: by_hand(self.x)]
        calls = [calls_a_turn(run) for run in runs]
        for turn in range(TURNS):
            order = (0, 1) if turn % 2 else (1, 0)
            times = {i: seconds_a_call(runs[i], calls[i]) for i in order}
            pairs.append(times[0] / times[1])
        return statistics.median(pairs)


def calls_a_turn(run):
    """Return how many calls fill a turn."""
    run()  # the first call may load or compile
    return max(1, round(SECONDS / seconds_a_call(run, 10)))


def seconds_a_call(run, calls):
    """Return the mean time of a call, of the processor, which stands still when others run."""
    start = time.process_time()
    for _ in range(calls):
        run()
    return max(time.process_time() - start, 1e-9) / calls


if __name__ == "__main__":
    for shape in Softmax.params[0]:
        benchmark = Softmax()
        benchmark.setup(shape)
        print(f"{shape!s:13} {benchmark.track_ratio(shape):.2f}")
