"""How Sphinx builds the site; nothing is fetched, neither by the build nor by the built pages."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "anysoftmax"
author = "The anysoftmax developers"
copyright = f"2026, {author}"  # noqa: A001 - Sphinx names it so
version = release = installed_version(project)

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "mathml", "examples"]
exclude_patterns = ["_build", "_extensions", "generated"]

html_theme = "furo"
html_title = f"{project} {release}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["formulas.css"]
html_copy_source = False

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # arrays are Any: the docstrings say what is meant
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
# Every parameter and return value of a public function is described. The testing package's small
# methods say it in a sentence; of what functions return, the attributes are described.
numpydoc_validation_checks = {"PR01", "PR02", "PR03", "PR04", "RT01", "RT03", "SS03"}
numpydoc_validation_exclude = {
    r"^anysoftmax\.testing\.",
    r"^anysoftmax\.calibration\.(Reliability|TemperatureFit)$",
    r"^anysoftmax\.LogSumExp\.(peak|rest)$",
}

nitpicky = True
nitpick_ignore_regex = [("py:(class|obj)", ".*")]  # types in docstrings are prose


def trim_examples(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Drop the empty line that ends an example: doctest needs it, a reader does not."""
    source[0] = source[0].replace("\n\n```\n", "\n```\n")


def setup(app: Sphinx) -> None:
    """Connect the event above with Sphinx."""
    app.connect("source-read", trim_examples)
