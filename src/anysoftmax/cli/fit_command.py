"""``anysoftmax fit-temperature``: the temperature at which a classifier is as sure as right."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from anysoftmax.cli.numbers_as_json import as_json
from anysoftmax.cli.options import AsJson, LabelsFile, LogitsFile, Overwrite
from anysoftmax.cli.outputs import new_file
from anysoftmax.cli.progress import Bar
from anysoftmax.cli.streams import source, standard_output
from anysoftmax.files import read_samples

if TYPE_CHECKING:
    from anysoftmax.calibration import TemperatureFit

__all__ = ["fit_temperature"]

LONG_WORK = 2**23  # logits: about a second
IMPOSSIBLE = (
    "anysoftmax: warning: some labels have the logit -inf: their loss is infinite at every"
    " temperature, so that they had no say"
)
MEANINGS = {
    "converged": "the labels are likeliest at this temperature",
    "separable": "every label wins; 0 is likeliest",
    "uninformative": "winners are no better than others; inf is likeliest",
}


def fit_temperature(
    logits: LogitsFile,
    labels: LabelsFile,
    json: AsJson = False,
    save: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write the JSON to a file too, which --temperature takes."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Find the temperature that suits labels: winners stay, confidence becomes what it claims.

    Use samples that the classifier was not trained on.
    """
    from anysoftmax.calibration import fit_temperature as fitted

    output = standard_output()
    with new_file(save, logits, labels, overwrite=overwrite) as new:
        with Bar("reading", of_bytes=True) as bar:
            samples = read_samples(source(logits), source(labels), progress=bar)
        with Bar("fit") as bar:
            if samples.logits.size >= LONG_WORK:
                bar.pulse()
            try:
                fit = fitted(samples.logits, samples.labels)
            except ValueError:
                samples.refuse_undefined()  # which can tell where in the file
                raise
            if math.isinf(fit.nll_before):  # of a sample without any class, or just without its own
                samples.refuse_undefined()
                print(IMPOSSIBLE, file=sys.stderr)
        as_line = as_json(_numbers(fit))
        if new is not None:
            new.write_text(as_line + "\n", "utf-8")
    print(as_line if json else _as_text(fit), file=output)


def _numbers(fit: TemperatureFit) -> dict[str, float | int | str]:
    return {
        "temperature": float(fit.temperature),
        "inverse_temperature": float(fit.inverse_temperature),
        "nll_before": float(fit.nll_before),
        "nll_after": float(fit.nll_after),
        "iterations": int(fit.iterations),
        "status": fit.status,
    }


def _as_text(fit: TemperatureFit) -> str:
    return "\n".join(
        [
            f"temperature  {float(fit.temperature):.6g}",
            f"NLL before   {float(fit.nll_before):.6g} nats",
            f"NLL after    {float(fit.nll_after):.6g} nats",
            f"status       {fit.status}: {MEANINGS[fit.status]}",
            f"iterations   {int(fit.iterations)}",
        ]
    )
