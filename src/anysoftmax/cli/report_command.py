"""``anysoftmax report``: how right and how sure a classifier is, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.table import Table

from anysoftmax.cli.diagram import diagram, legend
from anysoftmax.cli.numbers_as_json import as_json
from anysoftmax.cli.numerals import integer, temperature_in
from anysoftmax.cli.options import AsJson, LabelsFile, LogitsFile, Overwrite
from anysoftmax.cli.picture import new_picture
from anysoftmax.cli.progress import Bar
from anysoftmax.cli.report_picture import picture_of
from anysoftmax.cli.streams import source, standard_output, takes_blocks
from anysoftmax.files import Samples, read_samples

if TYPE_CHECKING:
    from anysoftmax.calibration.assessment import Assessment

__all__ = ["report"]

TIMES = ("before", "after")
NAMES = {  # as people call the measures
    "accuracy": "accuracy",
    "confidence": "mean confidence",
    "nll": "NLL (nats)",
    "ece": "ECE",
    "mce": "MCE",
    "brier": "Brier score",
}


def report(  # noqa: PLR0917 - typer passes options by name
    logits: LogitsFile,
    labels: LabelsFile,
    temperature: Annotated[
        str | None,
        typer.Option(
            metavar="T|FILE",
            help="Compare with this one: 0 or more; or a file of fit-temperature --save.",
        ),
    ] = None,
    bins: Annotated[
        int, typer.Option(metavar="N", parser=integer, help="Bins of confidence.")
    ] = 15,
    plot: Annotated[
        str | None,
        typer.Option(metavar="FILE.png", help="Write the reliability diagram as a picture."),
    ] = None,
    json: AsJson = False,
    overwrite: Overwrite = False,
) -> None:
    """Tell how right a classifier is, how sure, and whether the two agree.

    Before is at the temperature 1, after at the one that is given.
    """
    from anysoftmax.calibration.assessment import Assessment

    output = standard_output()
    temperatures = [1.0] if temperature is None else [1.0, temperature_in(temperature)]
    assessments = [Assessment(t, bins) for t in temperatures]
    with new_picture(plot, logits, labels, overwrite=overwrite) as save:
        with Bar("reading", of_bytes=True) as bar:
            samples = read_samples(source(logits), source(labels), progress=bar)
        try:
            _assess(assessments, samples)
        except ValueError:
            samples.refuse_undefined()  # which can tell where in the file
            raise
        if save is not None:
            save(picture_of(assessments))
    if json:
        print(as_json(_numbers(assessments)), file=output)
    else:
        classes = samples.logits.shape[-1]
        _print(assessments, classes, output, ascii_only=not takes_blocks(output))


def _assess(assessments: Sequence[Assessment], samples: Samples) -> None:
    with Bar("report") as bar:
        for logits, labels in samples.blocks():
            for assessment in assessments:
                assessment.update(logits, labels)
            bar(assessments[0].samples, samples.labels.size)


def _numbers(assessments: Sequence[Assessment]) -> dict[str, Any]:
    numbers: dict[str, Any] = {"samples": assessments[0].samples}
    if len(assessments) > 1:
        numbers["temperature"] = assessments[1].temperature
    for time, one in zip(TIMES, assessments, strict=False):
        numbers |= {f"{name}_{time}": value for name, value in one.measures().items()}
    for time, one in zip(TIMES, assessments, strict=False):
        numbers[f"bins_{time}"] = _bins(one)
    return numbers


def _bins(assessment: Assessment) -> list[dict[str, Any]]:
    """Return the bins; one that is empty has no confidence and no accuracy."""
    bins = assessment.bins
    return [
        {
            "low": float(bins.edges[b]),
            "high": float(bins.edges[b + 1]),
            "count": int(count),
            "confidence": float(bins.confidence[b]) if count else None,
            "accuracy": float(bins.accuracy[b]) if count else None,
        }
        for b, count in enumerate(bins.counts)
    ]


def _print(
    assessments: Sequence[Assessment], classes: int, output: TextIO, *, ascii_only: bool
) -> None:
    console = Console(file=output, highlight=False, markup=False)
    times = TIMES[: len(assessments)]
    with console.capture() as captured:
        console.print(f"{assessments[0].samples} samples, {classes} classes\n")
        console.print(_table(assessments, times))
        for time, assessment in zip(times, assessments, strict=True):
            console.print(f"\n{time.capitalize()}: temperature {assessment.temperature:.6g}")
            console.print(diagram(assessment.bins, ascii_only=ascii_only))
        console.print()
        console.print(legend(ascii_only=ascii_only))
    for line in captured.get().splitlines():  # which tables fill up with spaces
        print(line.rstrip(), file=output)


def _table(assessments: Sequence[Assessment], times: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 4, 0, 0), header_style="")
    table.add_column()
    for time in times:
        table.add_column(time, justify="right")
    table.add_row("temperature", *(f"{a.temperature:.6g}" for a in assessments))
    measures = [a.measures() for a in assessments]
    for name, label in NAMES.items():
        table.add_row(label, *(f"{m[name]:.4f}" for m in measures))
    return table
