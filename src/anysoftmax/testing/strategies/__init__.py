"""Hypothesis strategies: arguments that have broken a softmax or a loss somewhere.

`families` are the logits of a slice, `drawing` puts slices together, `targets` adds what they are
compared with, and a `case` is the arguments of one call.
"""

from __future__ import annotations

from anysoftmax.testing.strategies.case import Case
from anysoftmax.testing.strategies.drawing import (
    FEW_SHAPES,
    SHAPES,
    cases,
    examples,
    integer_logits,
)
from anysoftmax.testing.strategies.families import FAMILIES, FINITE, NORMALISABLE, SPECIAL, rows
from anysoftmax.testing.strategies.targets import with_second_logits, with_targets

__all__ = [
    "FAMILIES",
    "FEW_SHAPES",
    "FINITE",
    "NORMALISABLE",
    "SHAPES",
    "SPECIAL",
    "Case",
    "cases",
    "examples",
    "integer_logits",
    "rows",
    "with_second_logits",
    "with_targets",
]
