"""The example of docs/how-to/shard-classes.md moves what it says, with the right derivatives."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

import anysoftmax as asm

DOCS = Path(__file__).parents[2] / "docs"
ALL_REDUCE = re.compile(r"= (\S.*?) all-reduce(?:-start)?\(")


def test_the_page_tells_what_is_moved(load_script: Callable[[Path], ModuleType]) -> None:
    example = load_script(DOCS / "examples" / "vocabulary_parallel.py")
    head, hidden, labels = example.arguments()
    text = example.step.lower(head, hidden, labels).compile().as_text()
    assert not re.search(r" (all-gather|all-to-all|collective-permute|reduce-scatter)", text)

    shapes = re.findall(r"f32\[([\d,]*)\]", "".join(ALL_REDUCE.findall(text)))
    moved = sum(math.prod(int(n) for n in shape.split(",") if n) for shape in shapes)
    of_hidden = example.TOKENS * example.WIDTH
    assert moved == 13 * example.TOKENS + of_hidden
    largest = max(
        math.prod(int(n) for n in shape.split(","))
        for shape in re.findall(r"f32\[([\d,]+)\]", text)
    )
    assert largest == example.TOKENS * example.VOCABULARY // 8

    page = (DOCS / "how-to" / "shard-classes.md").read_text(encoding="utf-8")
    gathered = example.TOKENS * example.VOCABULARY * 4
    for count in (4 * 13 * example.TOKENS, 4 * of_hidden, gathered):
        assert f"{count:,}".replace(",", " ") in page

    value, gradients = example.step(head, hidden, labels)
    whole = [jnp.asarray(np.asarray(a)) for a in (head, hidden)]

    def loss(head: jax.Array, hidden: jax.Array) -> jax.Array:
        return asm.cross_entropy(hidden @ head, jnp.asarray(np.asarray(labels)))

    known, known_gradients = jax.value_and_grad(loss, (0, 1))(*whole)
    np.testing.assert_allclose(value, known, rtol=1e-6)
    # Products of matrices in float32: sums over the tokens, and over 16 032 classes a device.
    for got, right in zip(gradients, known_gradients, strict=True):
        np.testing.assert_allclose(got, right, rtol=0, atol=1e-5 * float(abs(right).max()))
