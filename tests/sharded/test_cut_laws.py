"""The laws of whole slices hold for slices that are cut among devices.

``ANYSOFTMAX_SHARDED_LAWS=all`` tries all of them, which takes many minutes; else those only that
cutting may break, once each.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from anysoftmax.testing import LAWS, Backend, Law

from .cutting import Sharded32Backend, ShardedBackend, functions, mapped, placed

WAYS = {"mapped": mapped, "placed": placed}
BACKENDS: dict[str, Backend] = {b.name: b for b in (ShardedBackend(), Sharded32Backend())}
CHOSEN = {
    ("mapped", "jax-sharded"): {
        "default-accuracy",
        "cross-entropy-accuracy",
        "special-values",
        "gradient-accuracy",
        "masked-gradients",
    },
    ("mapped", "jax-sharded-32"): {"million-classes"},
    ("placed", "jax-sharded"): set(),
    ("placed", "jax-sharded-32"): {"million-classes"},
}
# Their messages tell the shapes of what a device has.
OF_ERRORS = {
    "axis-errors",
    "loss-option-errors",
    "option-errors",
    "refused-inputs",
    "refused-targets",
    "stray-arrays",
    "stray-targets",
}
ALL = os.environ.get("ANYSOFTMAX_SHARDED_LAWS") == "all"
COMBINATIONS = [
    pytest.param(law, WAYS[way], BACKENDS[name], id=f"{law.name}-{way}-{name}")
    for (way, name), chosen in CHOSEN.items()
    for law in LAWS
    if law.applies(BACKENDS[name]) and (law.name in chosen or (ALL and law.name not in OF_ERRORS))
]


@pytest.mark.parametrize(("law", "how", "cut_backend"), COMBINATIONS)
def test_law_holds(law: Law, how: Callable[[str], Any], cut_backend: Backend) -> None:
    law.check(cut_backend, functions(how))
    cut_backend.forget()


def test_the_chosen_laws_are_there() -> None:
    assert {name for chosen in CHOSEN.values() for name in chosen} <= {law.name for law in LAWS}
