"""``anysoftmax explain``: the three steps of softmax for scores typed in."""

from __future__ import annotations

import csv
from typing import Annotated

import typer

from anysoftmax.cli.numbers_as_json import as_json
from anysoftmax.cli.numerals import number
from anysoftmax.cli.options import AsJson, Overwrite
from anysoftmax.cli.picture import new_picture
from anysoftmax.cli.streams import standard_output, takes_blocks
from anysoftmax.explanation import explain as explanation_of
from anysoftmax.explanation.text import as_text

__all__ = ["explain"]


def explain(  # noqa: PLR0917 - typer passes options by name
    scores: Annotated[
        list[str], typer.Argument(metavar="SCORES", help="Numbers, one for each class.")
    ],
    labels: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Names of the classes, separated by commas."),
    ] = None,
    temperature: Annotated[
        float, typer.Option(metavar="T", parser=number, help="0 or more.")
    ] = 1.0,
    plot: Annotated[
        str | None,
        typer.Option(metavar="FILE.png", help="Write the three steps as a picture."),
    ] = None,
    json: AsJson = False,
    overwrite: Overwrite = False,
) -> None:
    """Show how softmax turns scores into shares, step by step.

    Negative scores need no special care: anysoftmax explain 3.2 -1 -3e-1
    """
    explanation = explanation_of(
        [_score(score) for score in scores], _names(labels), temperature=temperature
    )
    output = standard_output()
    with new_picture(plot, overwrite=overwrite) as save:
        if save is not None:
            save(explanation.plot())
    if json:
        text = as_json(explanation.to_dict())
    else:
        text = as_text(explanation, ascii_only=not takes_blocks(output))
    print(text, file=output)


def _score(text: str) -> float:
    try:
        return number(text)
    except typer.BadParameter as error:
        if text.startswith("-"):
            raise typer.BadParameter(f"{error}, and there is no such option") from None
        raise


def _names(labels: str | None) -> list[str] | None:
    """Split at commas, except in double quotes."""
    return None if labels is None else next(csv.reader([labels], skipinitialspace=True), [])
