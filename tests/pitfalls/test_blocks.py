"""Blocks in any order give the findings of the whole, whatever they cut."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anysoftmax as asm
from anysoftmax.pitfalls import Check, check

SHAPES = [(7,), (12, 5), (5, 12), (150, 3), (3, 150), (1, 30), (4, 3, 6), (2, 3, 4, 3)]


def special(rng, shape):
    return rng.choice(
        [0.0, 1.0, -2.5, np.nan, np.inf, -np.inf], shape, p=[0.3, 0.3, 0.28] + [0.04] * 3
    )


MAKERS = {
    "scores": lambda rng, shape: rng.normal(size=shape),
    "special": special,
    "constant": lambda rng, shape: np.full(shape, 0.25),
    "uniform": lambda rng, shape: rng.uniform(size=shape),
    "labels": lambda rng, shape: np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])],
    "ones and zeros": lambda rng, shape: rng.integers(2, size=shape),
    **{
        f"softmax {scale} {axis}": lambda rng, shape, s=scale, a=axis: asm.softmax(
            rng.normal(size=shape, scale=s), axis=a
        )
        for scale in (0.1, 2.0, 500.0)
        for axis in (-1, 0)
    },
    "twice": lambda rng, shape: asm.softmax(asm.softmax(rng.normal(size=shape, scale=2.0))),
    "percentages": lambda rng, shape: 100 * asm.softmax(rng.normal(size=shape)),
}


@st.composite
def cuttings(draw):
    """Draw an array, its class axes, and blocks that it is made of, in some order."""
    shape = draw(st.sampled_from(SHAPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = MAKERS[draw(st.sampled_from(sorted(MAKERS)))](rng, shape).astype(
        draw(st.sampled_from(["float64", "float32", "float16"]))
    )
    ndim = len(shape)
    axes = draw(st.sampled_from([*((i,) for i in range(ndim)), tuple(range(ndim))]))
    edges = [
        sorted({0, n, *draw(st.lists(st.integers(1, n), max_size=3))} if n else {0}) for n in shape
    ]
    cuts = list(
        itertools.product(*(itertools.starmap(slice, itertools.pairwise(e)) for e in edges))
    )
    return x, axes, draw(st.permutations(cuts)), draw(st.booleans())


@given(cuttings())
def test_any_cutting_gives_the_same_findings(cutting):
    x, axes, cuts, fortran_order = cutting
    in_blocks = Check(x.shape, axes)
    for cut in cuts:
        block = np.asarray(x[cut], order="F" if fortran_order else "C")
        in_blocks.update(block, tuple(part.start for part in cut))
    assert in_blocks.findings() == asm.check_logits(x, axis=axes)
    assert in_blocks.slices == x.size // int(np.prod([x.shape[i] for i in axes]))


@pytest.mark.parametrize("axes", [(0,), (1,)])
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
def test_rows_that_come_without_a_number(maker, axes):
    x = maker(np.random.default_rng(3), (150, 3))
    rows = Check((None, 3), axes)
    for start in range(0, 150, 40):
        rows.update(x[start : start + 40], (start, 0))
    assert rows.findings() == asm.check_logits(x, axis=axes)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
def test_large_arrays_are_looked_at_in_blocks(monkeypatch, maker, axis):
    x = maker(np.random.default_rng(3), (150, 30))
    expected = asm.check_logits(x, axis=axis)
    seen = []
    original = check.evidence_of

    def evidence_of(block, axes):
        if axes == (axis,):  # not across
            seen.append(block.size)
        return original(block, axes)

    monkeypatch.setattr(check, "evidence_of", evidence_of)
    monkeypatch.setattr(check, "BLOCK", 100)
    assert asm.check_logits(x, axis=axis) == expected
    assert max(seen) <= 100
    assert sum(seen) == x.size


def test_more_may_come_after_a_look():
    x = asm.softmax(np.random.default_rng(0).normal(size=(40, 10)))
    half = Check(x.shape, (1,))
    for cut in (slice(0, 5), slice(5, 10)):
        half.update(x[:, cut], (0, cut.start))
        half.findings()
    assert half.findings() == asm.check_logits(x)


def test_only_the_first_slices_across_are_looked_at():
    """They stand for all, so that memory stays bounded."""
    x = np.random.default_rng(0).normal(size=(4, 250))
    x[:, : check.ACROSS] = asm.softmax(x[:, : check.ACROSS], axis=0)
    assert [f.pitfall for f in asm.check_logits(x)] == ["wrong-axis"]


@pytest.mark.parametrize(
    ("shape", "axis"), [((2_000_000, 4), -1), ((4, 2_000_000), -1), ((2_000, 4_000), 0)]
)
def test_memory(shape, axis):
    x = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    asm.check_logits(x[:10], axis=axis)  # modules are loaded
    tracemalloc.start()
    try:
        asm.check_logits(x, axis=axis)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 80e6  # the array has 32 MB; whole in float64, and its copies, it would take 200
