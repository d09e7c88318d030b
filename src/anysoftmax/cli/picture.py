"""Pictures in files: the formats that there are, and saving."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from anysoftmax.cli.outputs import new_file
from anysoftmax.cli.streams import STANDARD_STREAM
from anysoftmax.files import FileRequestError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["new_picture"]

DOTS = 150  # an inch, where the format is made of dots


@contextlib.contextmanager
def new_picture(
    name: str | None, *inputs: str, overwrite: bool
) -> Iterator[Callable[[Figure], None] | None]:
    """Give what saves a figure in a file, if one is named, as `new_file` gives the file."""
    target = None if name is None or name == STANDARD_STREAM else Path(name)
    if target is not None:
        _require_format(target)
    with new_file(name, *inputs, overwrite=overwrite) as new:
        yield None if target is None or new is None else partial(_save, new, _format_of(target))


def _format_of(target: Path) -> str:
    """Return the format that the suffix of a file names."""
    return target.suffix.lower().removeprefix(".")


def _require_format(target: Path) -> None:
    """Raise, before any work is done, if there is nothing that draws pictures of this format."""
    if importlib.util.find_spec("matplotlib") is None:
        raise typer.BadParameter(
            'a picture needs matplotlib: pip install "anysoftmax[plot]"', param_hint="'--plot'"
        )
    from matplotlib.figure import Figure

    known = Figure().canvas.get_supported_filetypes()
    if _format_of(target) not in known:
        raise FileRequestError(
            f"{target}: the suffix {target.suffix!r} names no format of pictures; use .png, or one"
            f" of {', '.join(sorted(known))}"
        )


def _save(new: Path, format_: str, figure: Figure) -> None:
    """Save a figure; say in a line each what is wrong with it, such as letters a font lacks."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        figure.savefig(new, format=format_, dpi=DOTS)
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        print(f"anysoftmax: warning: {' '.join(message.split())}", file=sys.stderr)
