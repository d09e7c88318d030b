"""``anysoftmax apply``: from a file of logits to a file of probabilities."""

from __future__ import annotations

from typing import Annotated

import typer

from anysoftmax.cli.numerals import integer, temperature_in
from anysoftmax.cli.progress import Bar
from anysoftmax.cli.streams import STANDARD_STREAM, source, standard_output
from anysoftmax.files import apply as softmax_of_file

__all__ = ["apply"]

FLOATS = ("float16", "float32", "float64")


def float_name(text: str) -> str:
    """Read the name of a floating dtype that files can hold."""
    if text in FLOATS:
        return text
    raise typer.BadParameter(f"{text!r} is not one of {', '.join(FLOATS)}")


def apply(  # noqa: PLR0917 - typer passes options by name
    logits: Annotated[
        str,
        typer.Argument(
            metavar="LOGITS",
            help="A .npy, .npz, .parquet, .csv or .tsv file; - for csv on standard input.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="PROBS",
            help="The file to write, of the same format; - for csv on standard output.",
        ),
    ],
    log: Annotated[bool, typer.Option("--log", help="Write logarithms of probabilities.")] = False,
    axis: Annotated[int, typer.Option(metavar="N", parser=integer, help="The class axis.")] = -1,
    temperature: Annotated[
        str, typer.Option(metavar="T|FILE", help="0 or more; or a file of fit-temperature --save.")
    ] = "1",
    dtype: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(FLOATS),
            parser=float_name,
            help="Cast the logits to it first, and write it.",
        ),
    ] = None,
    member: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The array of a .npz file; others are copied."),
    ] = None,
    workers: Annotated[
        int, typer.Option(metavar="N", parser=integer, help="How many threads share the work.")
    ] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace PROBS.")] = False,
) -> None:
    """Write the softmax of a file of logits, of any size, to another file.

    In a table the columns id, label, target and those without numbers are copied as they are.
    """
    target = standard_output(table=True) if output == STANDARD_STREAM else output
    # A bar would be drawn across results that go to the same terminal.
    with Bar(
        "softmax", of_bytes=True, hidden=not isinstance(target, str) and target.isatty()
    ) as bar:
        softmax_of_file(
            source(logits),
            target,
            log=log,
            axis=axis,
            temperature=temperature_in(temperature),
            dtype=dtype,
            member=member,
            workers=workers,
            overwrite=overwrite,
            progress=bar,
        )
