"""``anysoftmax check``: what is wrong with a file of logits before softmax hides it."""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from anysoftmax.cli.numbers_as_json import as_json
from anysoftmax.cli.numerals import integer
from anysoftmax.cli.progress import Bar
from anysoftmax.cli.streams import source, standard_output
from anysoftmax.files.reading import read_in_blocks
from anysoftmax.pitfalls import Check, Finding

__all__ = ["check"]

FINDINGS = 1  # the exit status
COLUMNS = 80
INDENT = "  "


def check(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A .npy, .npz, .parquet, .csv or .tsv file of logits; - for csv on standard"
            " input.",
        ),
    ],
    axis: Annotated[int, typer.Option(metavar="N", parser=integer, help="The class axis.")] = -1,
    member: Annotated[
        str | None, typer.Option(metavar="NAME", help="The array of a .npz file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look for pitfalls in a file of logits, of any size; the exit status is 1 if there are any.

    Probabilities in place of logits, NaN, a wrong axis, ... In a table the columns id, label,
    target and those without numbers are left out.
    """
    output = standard_output()
    with (
        Bar("check", of_bytes=True) as bar,
        read_in_blocks(source(file), axis=axis, member=member, progress=bar) as blocks,
    ):
        looking = Check(blocks.shape, blocks.axes)
        for start, block in blocks.parts:
            looking.update(block, start)
    findings, slices = looking.findings(), looking.slices
    if json:
        numbers = {"file": file, "slices": slices, "findings": [f.to_dict() for f in findings]}
        print(as_json(numbers), file=output)
    elif findings:
        print("\n\n".join(map(_as_text, findings)), file=output)
    else:
        print(f"no findings in {slices} {'slice' if slices == 1 else 'slices'}", file=output)
    if findings:
        raise typer.Exit(FINDINGS)


def _as_text(finding: Finding) -> str:
    """Write a finding in a few lines: its name and place, what was found, what to do."""
    lines = [f"{finding.pitfall}: {finding.where}"]
    for text in (finding.message, finding.advice):
        sentence = f"{text[0].upper()}{text[1:]}."
        lines += textwrap.wrap(
            sentence,
            COLUMNS,
            initial_indent=INDENT,
            subsequent_indent=INDENT,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
