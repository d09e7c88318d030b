"""The bench that every suite stands on: array libraries, peers, sample logits, and stopwatches.

A suite never imports an array library itself. It asks for a backend by name, in ``setup``; what is
not installed, or not yet there in an old commit, raises NotImplementedError, which asv shows as
"n/a".

Parameter lists are only ever appended to: asv knows a stored figure by its place in them.
"""

from __future__ import annotations

from .fits import TRUE_TEMPERATURE, Fit, fit, labelled
from .libraries import (
    BACKENDS,
    CLASSES,
    COMPILED_BACKENDS,
    FUNCTIONS,
    GRID_BACKENDS,
    IMPLEMENTATIONS,
    Backend,
    backend,
    require,
    stay_on_one_core,
    under,
    use_all_cores,
    using,
    workers,
)
from .losses import CONTESTS, PARTS, Contest, loss
from .memory import extra_bytes
from .samples import labels, logits, slices
from .stopwatch import processor_clock, ratio, take_turns, wall_clock

__all__ = [
    "BACKENDS",
    "CLASSES",
    "COMPILED_BACKENDS",
    "CONTESTS",
    "FUNCTIONS",
    "GRID_BACKENDS",
    "IMPLEMENTATIONS",
    "PARTS",
    "TRUE_TEMPERATURE",
    "Backend",
    "Contest",
    "Fit",
    "backend",
    "extra_bytes",
    "fit",
    "labelled",
    "labels",
    "logits",
    "loss",
    "processor_clock",
    "ratio",
    "require",
    "slices",
    "stay_on_one_core",
    "take_turns",
    "under",
    "use_all_cores",
    "using",
    "wall_clock",
    "workers",
]
