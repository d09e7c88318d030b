"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["AsJson", "LabelsFile", "LogitsFile", "Overwrite"]

LogitsFile = Annotated[
    str,
    typer.Argument(
        metavar="LOGITS",
        help="A .npy, .npz, .parquet, .csv or .tsv file, the classes along its last axis; - for csv"
        " on standard input.",
    ),
]
LabelsFile = Annotated[
    str,
    typer.Argument(
        metavar="LABELS",
        help="A .npy or .npz file of class numbers from 0, or a table with one column or one named"
        " label or target, which may be LOGITS itself; - for csv on standard input.",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print the numbers as JSON; infinity and NaN as null."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
