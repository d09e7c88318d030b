"""What ``import`` costs, each time in a fresh interpreter; others stand beside it for scale."""

from __future__ import annotations


class Import:
    """Time of one import statement; the interpreter's own start is not counted."""

    param_names = ["module"]
    params = [["anysoftmax", "anysoftmax.cli", "numpy", "scipy.special"]]
    number = 1

    def timeraw_import(self, module):
        return f"import {module}"


class FirstResult:
    """Time from import to the first probabilities, the array library's import included."""

    number = 1

    def timeraw_first_softmax(self):
        return "import anysoftmax; anysoftmax.softmax([3.2, 1.3, 0.2])"
