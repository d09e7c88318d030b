"""Numbers on the command line, with errors that repeat what was typed."""

from __future__ import annotations

import typer

__all__ = ["integer", "number"]


def number(text: str) -> float:
    """Read a number, infinity and NaN included."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None


def integer(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number") from None
