"""The command ``anysoftmax``, which needs the ``cli`` extra: typer and rich."""

from __future__ import annotations

import importlib.util
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command with the arguments of this process; return its exit status."""
    missing = [name for name in ("typer", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f'anysoftmax: the command needs {" and ".join(missing)}: pip install "anysoftmax[cli]"',
            file=sys.stderr,
        )
        return 2
    try:
        from anysoftmax.cli.app import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # while modules were being loaded, before anything was begun
        return 130
