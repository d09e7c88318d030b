"""Pictures that the library draws itself, each time the site is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def draw(app: Sphinx) -> None:
    """Run the example that draws, as a user would; if it fails, so does the build."""
    docs = Path(app.srcdir)
    folder = docs / "generated"
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-W", "error", str(docs / "examples" / "calibrate.py"), str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if run.returncode != 0:
        raise ExtensionError(f"{' '.join(command)} failed:\n{run.stdout}{run.stderr}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Draw before the pages are read."""
    app.connect("builder-inited", draw)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
