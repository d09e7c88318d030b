from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="session")
def digits():
    """Return the real logits of the digits classifier, float32, shape (899, 10)."""
    return np.load(DATA / "digits_logits.npy")


@pytest.fixture
def folder_state(tmp_path):
    """Return a function that tells the name, content and mode of every file in `tmp_path`."""

    def state():
        return {
            path.relative_to(tmp_path): (path.lstat().st_mode, path.is_file() and path.read_bytes())
            for path in tmp_path.rglob("*")
        }

    return state
