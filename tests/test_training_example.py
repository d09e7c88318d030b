"""The example of docs/how-to/train.md finds the same weights on NumPy, JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "train_digits.py"
STATED = 1e-12  # of the page
STEPS, RATE, IMAGES = 300, 0.25, 1200

NumpyArray = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def example(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(EXAMPLE)


@pytest.fixture(scope="module")
def images(example: ModuleType) -> NumpyArray:
    known: NumpyArray = example.digits()[0][:IMAGES]
    return known


@pytest.fixture(scope="module")
def weights(example: ModuleType, images: NumpyArray) -> dict[str, NumpyArray]:
    """The weights that each library ends with."""
    labels = example.digits()[1][:IMAGES]
    found = {}
    for name, (asarray, gradient) in example.LIBRARIES.items():
        with jax.enable_x64(True):
            given = [asarray(a) for a in (np.zeros((65, 10)), images, labels)]
            found[name] = np.asarray(example.train(gradient, *given))
    return found


def test_all_libraries_reach_the_same_weights(weights: dict[str, NumpyArray]) -> None:
    assert weights.keys() == {"NumPy", "JAX", "PyTorch"}
    for found in weights.values():
        assert (found.shape, found.dtype) == ((65, 10), np.float64)
        assert np.linalg.norm(found - weights["NumPy"]) < STATED


def test_the_tolerance_is_less_than_what_rounding_may_do(
    weights: dict[str, NumpyArray], images: NumpyArray
) -> None:
    """A short step down a convex slope brings two walkers no further apart than they were.

    All that parts them is the rounding of each step. In a step the gradient's entries are sums
    over the images, of factors that inherit the rounding of the logits: sums over the pixels.
    """
    steepest = np.linalg.eigvalsh(images.T @ images / len(images))[-1] / 2
    assert 2 / steepest > RATE  # "short"
    logits = float((images @ abs(weights["NumPy"])).max())
    roundings = len(images) + images.shape[1] * logits + 48
    a_step = 2 * 2.0**-53 * roundings * float(np.linalg.norm(images.mean(axis=0)))
    assert STEPS * RATE * a_step > STATED


def test_the_page_states_the_tolerance(example: ModuleType) -> None:
    page = EXAMPLE.parents[1].joinpath("how-to", "train.md").read_text(encoding="utf-8")
    assert f"$10^{{{np.log10(STATED):.0f}}}$" in page
    source = EXAMPLE.read_text(encoding="utf-8")
    assert f"range({STEPS})" in source
    assert f"- {RATE} * gradient" in source
