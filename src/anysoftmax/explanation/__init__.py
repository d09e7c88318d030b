"""Softmax explained: its three steps for one slice of scores, as numbers and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anysoftmax.explanation.recording import explain

if TYPE_CHECKING:
    from anysoftmax.explanation.record import Explanation

__all__ = ["Explanation", "explain"]


def __getattr__(name: str) -> Any:
    # Dataclasses are slow to import, and `import anysoftmax` passes here.
    if name == "Explanation":
        from anysoftmax.explanation.record import Explanation

        return Explanation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
