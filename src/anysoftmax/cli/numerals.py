"""Numbers on the command line, with errors that repeat what was typed."""

from __future__ import annotations

from pathlib import Path

import typer

from anysoftmax.files import read_temperature

__all__ = ["integer", "number", "temperature_in"]


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


def temperature_in(text: str) -> float:
    """Read a temperature: a number, or the name of a file in which one was saved."""
    try:
        return float(text)
    except ValueError:
        path = Path(text)
    named = text and path.exists()
    if not named and path.suffix != ".json":  # a slip, more likely than a missing file
        raise typer.BadParameter(
            f"{text!r} is not a number, and no file has this name", param_hint="'--temperature'"
        )
    return read_temperature(path)
