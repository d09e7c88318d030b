"""The example of docs/how-to/calibrate.md draws the pictures that the page shows."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLE = DOCS / "examples" / "calibrate.py"


def test_the_pictures_of_the_page_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location(EXAMPLE.stem, EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main(tmp_path)

    page = DOCS.joinpath("how-to", "calibrate.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```\{image\} \.\./generated/(\S+)$", page, re.MULTILINE)
    assert sorted(shown) == sorted(path.name for path in tmp_path.iterdir())
    for name in shown:
        assert "</svg>" in tmp_path.joinpath(name).read_text(encoding="utf-8")
    # The page quotes what is printed; test_documentation.py compares it.
    assert capsys.readouterr().out in page
