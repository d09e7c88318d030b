"""A temperature that was saved in a file: what ``anysoftmax fit-temperature --save`` writes."""

from __future__ import annotations

import json
import math
from pathlib import Path

from anysoftmax.files.errors import FileError
from anysoftmax.files.places import require_file

__all__ = ["read_temperature"]

LONGEST = 2**20  # bytes
ADVICE = "name a file that fit-temperature --save has written"


def read_temperature(source: Path) -> float:
    """Return the temperature in a file that ``anysoftmax fit-temperature --save`` has written.

    Parameters
    ----------
    source : Path
        A file of JSON with the key ``temperature``, without dimension; null with the status
        ``"uninformative"`` stands for infinity.

    Returns
    -------
    float
        0 or more, ``inf`` included.

    Raises
    ------
    FileError
        The file is missing or holds no such temperature. The message is one line.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from anysoftmax.files import read_temperature
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = Path(folder, "temperature.json")
    ...     _ = saved.write_text('{"temperature": 1.5, "status": "converged"}')
    ...     read_temperature(saved)
    1.5
    """
    require_file(source)
    try:
        with source.open("rb") as stream:
            # Such a file is short, and a large one given by mistake; an int may be of any size.
            found = json.loads(stream.read(LONGEST), parse_int=float)
    except OSError as error:
        raise FileError(f"{source}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # also of bytes that are no text
        raise FileError(f"{source}: is not JSON: {ADVICE}") from error
    if not isinstance(found, dict) or "temperature" not in found:
        raise FileError(f'{source}: has no key "temperature": {ADVICE}')
    value = found["temperature"]
    if value is None and found.get("status") == "uninformative":
        return math.inf
    if not isinstance(value, float) or not value >= 0:
        raise FileError(
            f"{source}: its temperature is {json.dumps(value)[:40]}, not a number from 0: {ADVICE}"
        )
    return value
