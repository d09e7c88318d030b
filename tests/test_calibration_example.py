"""The example of docs/how-to/calibrate.md draws the pictures that the page shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLE = DOCS / "examples" / "calibrate.py"


def test_the_pictures_of_the_page_are_drawn(
    load_script: Callable[[Path], ModuleType],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    load_script(EXAMPLE).main(tmp_path)

    page = DOCS.joinpath("how-to", "calibrate.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```\{image\} \.\./generated/(\S+)$", page, re.MULTILINE)
    assert sorted(shown) == sorted(path.name for path in tmp_path.iterdir())
    for name in shown:
        assert "</svg>" in tmp_path.joinpath(name).read_text(encoding="utf-8")
    # The page quotes what is printed; test_documentation.py compares it.
    assert capsys.readouterr().out in page
