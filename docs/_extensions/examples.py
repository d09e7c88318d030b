"""Examples that run each time the site is built: what they draw and print is on its pages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

EXAMPLES = ("calibrate", "three_steps", "zarr_and_xarray")


def run(app: Sphinx) -> None:
    """Run each example as a user would; if it fails, so does the build.

    They are given the folder for what they draw. What they print is put there as well.
    """
    docs = Path(app.srcdir)
    folder = docs / "generated"
    folder.mkdir(exist_ok=True)
    for name in EXAMPLES:
        script = str(docs / "examples" / f"{name}.py")
        command = [sys.executable, "-W", "error", script, str(folder)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        if ran.returncode != 0:
            raise ExtensionError(f"{' '.join(command)} failed:\n{ran.stdout}{ran.stderr}")
        (folder / f"{name}.txt").write_text(ran.stdout, "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Run them before the pages are read."""
    app.connect("builder-inited", run)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
