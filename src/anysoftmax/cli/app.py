"""The commands and their options, and the exit status of whatever happens in them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
import typer.main

from anysoftmax.cli import (
    apply_command,
    check_command,
    explain_command,
    fit_command,
    report_command,
)
from anysoftmax.cli.interrupts import clean_interrupts
from anysoftmax.files import FileError, FileRequestError

__all__ = ["run"]

DONE, BAD_DATA, BAD_USAGE = 0, 1, 2
BROKEN_PIPE = 141  # as a shell reports a program that SIGPIPE ended

# The parser's error has no public name of its own.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
# Scores may be negative: what looks like an unknown option is left to the command to read.
app.command("explain", context_settings={"ignore_unknown_options": True})(explain_command.explain)
app.command("apply")(apply_command.apply)
app.command("fit-temperature")(fit_command.fit_temperature)
app.command("report")(report_command.report)
app.command("check")(check_command.check)


def print_version(asked: bool) -> None:
    """Print the version and stop, if asked to."""
    if asked:
        print(f"anysoftmax {version('anysoftmax')}")
        raise typer.Exit


@app.callback()
def anysoftmax(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=print_version),
    ] = False,
) -> None:
    """Softmax with temperature: explained on a few scores, applied to files, fitted to labels."""


def run(arguments: Sequence[str]) -> int:
    """Run a command and return the exit status: 0 done, 1 findings or bad data, 2 bad usage."""
    try:
        with clean_interrupts():
            status = _invoke(list(arguments))
            if sys.stdout is not None:
                sys.stdout.flush()
            return status
    except BrokenPipeError:  # the reader of our output has seen enough
        _drop_output()
        return BROKEN_PIPE
    except UsageError as error:
        hint = "" if isinstance(error, typer.BadParameter) else " (see anysoftmax --help)"
        return _fail(BAD_USAGE, f"{error.format_message().rstrip('.')}{hint}")  # type: ignore[attr-defined]
    except FileRequestError as error:
        return _fail(BAD_USAGE, str(error))
    except FileError as error:
        return _fail(BAD_DATA, str(error))
    except OSError as error:
        _drop_output()
        return _fail(BAD_DATA, f"{error.filename or 'output'}: {error.strerror or error}")
    except MemoryError:
        return _fail(BAD_DATA, "not enough memory")
    except (TypeError, ValueError) as error:  # of the library, about an option's value
        return _fail(BAD_USAGE, str(error))


def _invoke(arguments: list[str]) -> int:
    # Not the application's own entry point, which would print errors in its own way.
    command = typer.main.get_command(app)
    try:
        with command.make_context("anysoftmax", arguments) as context:
            command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    return DONE


def _fail(status: int, message: str) -> int:
    """Print an error as one line, whatever characters a file name brought into it."""
    line = " ".join(message.splitlines())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # the status says it all the same
            print(f"anysoftmax: error: {line}", file=sys.stderr, flush=True)
    return status


def _drop_output() -> None:
    """Send what is left in the buffer of standard output nowhere, so that exiting is quiet."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
