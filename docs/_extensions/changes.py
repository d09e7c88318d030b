"""The changes that no release has brought yet, from their fragments, for the page Changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

COMMAND = ("-m", "towncrier", "build", "--draft", "--version", "next", "--date", "next")


def write(app: Sphinx) -> None:
    """Write the next section of the changelog to the folder of what is generated."""
    docs = Path(app.srcdir)
    command = [sys.executable, *COMMAND]
    ran = subprocess.run(command, cwd=docs.parent, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if ran.returncode != 0:
        raise ExtensionError(f"{' '.join(command)} failed:\n{ran.stdout}{ran.stderr}")
    _, _, section = ran.stdout.partition("\n### ")
    folder = docs / "generated"
    folder.mkdir(exist_ok=True)
    (folder / "changes.md").write_text(f"### {section}" if section else "Nothing yet.\n", "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write them before the pages are read."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
