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

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "mathml",
    "examples",
    "changes",
    "tables",
]
exclude_patterns = ["_build", "_extensions", "_templates", "generated"]
templates_path = ["_templates"]

html_theme = "furo"
html_title = f"{project} {release}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["cells.css", "formulas.css", "tables.css"]
html_copy_source = False

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# The cells of the tutorial run at each build; one that fails fails the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # which would come from the web

default_role = "py:obj"  # a name in single backticks is code, and a link if it has a page
python_maximum_signature_line_length = 80
autodoc_typehints = "none"  # arrays are Any: the docstrings say what is meant
autodoc_member_order = "bysource"
autosummary_generate = True
numpydoc_show_class_members = False
# Every parameter and return value of a public function is described. The testing package's small
# methods say it in a sentence; of what functions return, the attributes are described.
numpydoc_validation_checks = {"PR01", "PR02", "PR03", "PR04", "RT01", "RT03", "SS03"}
numpydoc_validation_exclude = {
    r"^anysoftmax\.testing\.",
    r"^anysoftmax\.calibration\.(Reliability|TemperatureFit)$",
    r"^anysoftmax\.(explanation\.Explanation|files\.Samples|pitfalls\.Finding)$",
    r"^anysoftmax\.LogSumExp\.(peak|rest)$",
}

nitpicky = True
nitpick_ignore_regex = [("py:(class|obj)", ".*")]  # types in docstrings are prose


def trim_examples(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Drop the empty line that ends an example: doctest needs it, a reader does not."""
    source[0] = source[0].replace("\n\n```\n", "\n```\n")


def leave_out(_app: Sphinx, _what: str, name: str, member: object, *_: object) -> bool | None:
    """Leave out what is there for JAX alone, and fields of tuples, which their class describes."""
    for_jax = name in {"tree_flatten", "tree_unflatten"}
    return True if for_jax or type(member).__name__ == "_tuplegetter" else None


def setup(app: Sphinx) -> None:
    """Connect the events above with Sphinx."""
    app.connect("source-read", trim_examples)
    app.connect("autodoc-skip-member", leave_out)
