"""``python -m anysoftmax.cli`` is the command ``anysoftmax``."""

from __future__ import annotations

import sys

from anysoftmax.cli import main

sys.exit(main())
