"""Results as JSON, which knows no infinity and no NaN: null stands for both."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["as_json"]


def as_json(results: dict[str, Any]) -> str:
    """Return a line of JSON."""
    return json.dumps(_finite(results), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(x) for key, x in value.items()}
    if isinstance(value, list):
        return [_finite(x) for x in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
