"""The three steps of softmax as a picture, for the first page of the site.

``python docs/examples/three_steps.py`` prints them; with a folder behind it draws them, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anysoftmax as asm

explanation = asm.explain([3.2, 1.3, 0.2], ["Cat", "Dog", "Bird"])
print(explanation)
for folder in sys.argv[1:]:
    explanation.plot().savefig(Path(folder) / "three_steps.svg")
