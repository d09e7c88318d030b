"""`check_logits` finds each pitfall, names what it means, and leaves logits alone."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path

import dask.array
import jax
import jax.numpy
import numpy as np
import pytest
import torch

import anysoftmax as asm
from anysoftmax.pitfalls import Finding
from anysoftmax.pitfalls.table import ALONGSIDE, LIKENESSES

DATA = Path(__file__).parent.parent / "data"
DIGITS = np.load(DATA / "digits_logits.npy")
RNG = np.random.default_rng(0)
NAN, INF = math.nan, math.inf
SCORES = [3.2, 1.3, 0.2]


def names(x, **options):
    return [found.pitfall for found in asm.check_logits(x, **options)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def one_hot(labels, n):
    return np.eye(n, dtype=int)[labels]


RELU = np.maximum(RNG.normal(size=(100, 10)), 0)
PRINTED = np.round(asm.softmax(RNG.normal(size=(200, 7), scale=2.0)), 3)
EXAMPLES = {
    "empty": [np.zeros((0, 10)), np.zeros((10, 0)), [], np.zeros((2, 0, 3), np.int8)],
    "one-class": [3.0, [0.5], np.zeros((40, 1)), RNG.normal(size=(5, 1)), np.ones((1, 1))],
    "constant": [np.zeros((3, 10)), np.full((50, 2), -3.5), np.ones((2, 3, 5)) / 5],
    "one-hot": [
        one_hot([0, 1, 2], 4),
        one_hot(RNG.integers(10, size=100), 10).astype(float),
        [0, 1, 0],
        asm.softmax(DIGITS * 1e6),
    ],
    "softmax-twice": [
        asm.softmax(asm.softmax(DIGITS)),
        asm.softmax(asm.softmax(RNG.normal(size=(300, 2)))),
        asm.softmax(PRINTED),
        np.round(asm.softmax(asm.softmax(DIGITS)), 3),
        asm.softmax(asm.softmax(DIGITS).astype(np.float16)),
        asm.softmax(one_hot([3], 40)),
    ],
    "probabilities": [
        [0.834, 0.125, 0.042],
        asm.softmax(SCORES),
        asm.softmax(DIGITS),
        asm.softmax(DIGITS.astype(np.float16)),
        asm.softmax(torch.tensor(DIGITS, dtype=torch.bfloat16)),
        PRINTED,
        np.round(PRINTED, 2),
        RNG.dirichlet(np.ones(5000), size=3),
        np.concatenate([DIGITS[:50], asm.softmax(DIGITS[:50])]),
        np.concatenate([np.zeros((3, 30)), RNG.dirichlet(np.ones(30), size=3)]),
        np.full(50, 0.02),
    ],
    "percentages": [
        [83.4, 12.5, 4.2],
        100 * asm.softmax(DIGITS),
        np.round(100 * asm.softmax(DIGITS), 1),
    ],
    "wrong-axis": [asm.softmax(DIGITS).T, asm.softmax(RNG.normal(size=(3, 500)), axis=0)],
    "sigmoid": [
        sigmoid(DIGITS),
        RNG.uniform(size=(20, 10)),
        RNG.integers(256, size=(20, 64)).astype(np.float32) / 255,
        RELU / RELU.max(),
        (RNG.uniform(size=(50, 20)) < 0.1).astype(int),  # labels, several to a sample
    ],
    "nan": [[0.0, NAN], [[1.0, 2.0], [NAN, INF]], np.full((3, 2), NAN)],
    "several-infinities": [[INF, INF], [[1.0, 2.0, 3.0], [INF, INF, -INF]]],
    "infinite-winner": [[INF, 1.0], [[1.0, 2.0], [-INF, INF]]],
    "no-participant": [[-INF, -INF], [[1.0, 2.0], [-INF, -INF]]],
}


@pytest.mark.parametrize(
    ("pitfall", "x"),
    [(name, x) for name, examples in EXAMPLES.items() for x in examples],
    ids=[f"{name}-{i}" for name, examples in EXAMPLES.items() for i in range(len(examples))],
)
def test_each_pitfall_is_found(pitfall, x):
    assert names(x) == [pitfall]


def test_every_pitfall_has_examples():
    assert {pitfall.name for pitfall in ALONGSIDE + LIKENESSES} == set(EXAMPLES)


GOOD = {
    "scores": SCORES,
    "digits": DIGITS,
    "digits as int8": DIGITS.astype(np.int8),
    "logarithms of probabilities": asm.log_softmax(DIGITS),
    "logarithms of a sure classifier": asm.log_softmax(DIGITS * 1e3),
    "masked": np.where(DIGITS.mean(axis=-1, keepdims=True) > DIGITS, -np.inf, DIGITS),
    "integers": RNG.integers(-128, 128, size=(100, 5), dtype=np.int8),
    "unsigned": RNG.integers(0, 256, size=(100, 5), dtype=np.uint8),
    "ReLU": RELU,
    "small ReLU": 0.3 * RELU,
    "cosines": RNG.uniform(0.1, 0.6, size=(100, 10)),
    "untrained": RNG.normal(size=(100, 10), scale=1e-4),
    "huge": RNG.normal(size=(100, 10), scale=1e300),
    "tie": [0.0, 0.0, 0.0],
    "two ties": [[1.0, 1.0], [2.0, 2.0]],
    "a dead row": np.concatenate([np.zeros((2, 10)), DIGITS[:8]]),
    "a few rows that sum to 1": np.concatenate([asm.softmax(DIGITS[:9]), DIGITS[:91]]),
    "columns that sum to anything": np.abs(DIGITS),
    "ones and zeros": [[1, 1, 0], [1, 0, 1], [0, 1, 1]],
    "sums near 1": 1.05 * asm.softmax(RNG.normal(size=(30, 1000))),
    "a coarse 1": (RELU / RELU.max()).astype(np.float16),
    "sum 1 below 0": [1.5, -0.5],
    "sum 1 and NaN elsewhere": [2.0, -1.0, 0.3],
}


@pytest.mark.parametrize("x", GOOD.values(), ids=GOOD.keys())
def test_logits_have_none(x):
    assert asm.check_logits(x) == []


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("scale", [0.01, 0.3, 1.0, 3.0, 10.0, 100.0])
@pytest.mark.parametrize(
    "shape", [(2,), (3,), (1000,), (2, 2), (3, 3), (50, 2), (500, 3), (10, 10), (4, 5, 6), (3, 999)]
)
def test_drawn_scores_have_none_and_their_softmax_has(shape, scale, dtype):
    rng = np.random.default_rng(1)
    for _ in range(5):
        x = torch.tensor(rng.normal(size=shape, scale=scale)).to(getattr(torch, dtype))
        assert names(x) == []
        assert names(asm.log_softmax(x)) in ([], ["constant"])  # where the dtype rounds all alike
        (once,) = names(asm.softmax(x))
        (twice,) = names(asm.softmax(asm.softmax(x)))
        if scale in {1.0, 3.0}:
            assert once == "probabilities"
        # What small scores have become looks as if it were made twice, what huge ones have, labels.
        assert once in {"probabilities", "softmax-twice" if scale < 1 else "one-hot", "constant"}
        if x.numel() < 30:
            assert twice == "probabilities"
        elif scale >= 0.3 and dtype != "bfloat16":
            assert twice == "softmax-twice"


def test_several_are_told_alike():
    x = np.concatenate([asm.softmax(DIGITS[:20]), [[NAN] * 10, [INF] * 10]])
    found = asm.check_logits(x)
    assert [f.pitfall for f in found] == ["nan", "several-infinities", "probabilities"]
    assert [(f.slices, f.of, f.first) for f in found] == [
        (1, 22, (20,)),
        (1, 22, (21,)),
        (20, 22, (0,)),
    ]


@pytest.mark.parametrize("shape", [(4, 30, 8), (30, 4, 8), (8, 4, 30)])
def test_the_first_slice_is_named_without_the_class_axes(shape):
    axis = shape.index(30)
    x = RNG.normal(size=shape)
    other = [i for i in range(3) if i != axis]
    place = [0, 0, 0]
    place[other[0]], place[other[1]], place[axis] = 2, 3, 17
    x[tuple(place)] = NAN
    (found,) = asm.check_logits(x, axis=axis)
    assert (found.pitfall, found.slices, found.of, found.first) == ("nan", 1, 32, (2, 3))
    (found,) = asm.check_logits(x, axis=(axis, other[0]))
    assert (found.slices, found.first) == (1, (3,))
    (found,) = asm.check_logits(x, axis=None)
    assert (found.slices, found.of, found.first) == (1, 1, ())


def test_axes():
    probs = asm.softmax(DIGITS)
    assert names(probs, axis=0) == ["wrong-axis"]
    assert names(probs.T, axis=0) == names(probs.T, axis=-2) == ["probabilities"]
    assert names(probs.reshape(29, 31, 10), axis=(2,)) == ["probabilities"]
    assert names(probs / 899, axis=None) == names(probs / 899, axis=(0, 1)) == ["probabilities"]
    assert names(DIGITS, axis=()) == ["one-class"]
    # Neither columns of one value nor more axes than two have another axis to be summed along.
    assert names(np.ones((1, 40))) == []
    assert names(asm.softmax(DIGITS).T[None]) == ["sigmoid"]


def test_messages_have_the_numbers():
    (found,) = asm.check_logits(asm.softmax(DIGITS))
    assert f"at most {math.e / (math.e + 9):.3g} of them" in found.message
    (found,) = asm.check_logits(asm.softmax(DIGITS), axis=0)
    assert "along axis 1, not along axis 0" in found.message
    assert "axis=1" in found.advice
    (found,) = asm.check_logits(np.zeros((0, 10)))
    assert "(0, 10)" in found.message
    (found,) = asm.check_logits(np.zeros((5, 10)))
    assert "1/10" in found.message


def test_the_bound_of_a_second_softmax_is_reached():
    """The largest share that the message promises is that of labels."""
    largest = float(asm.softmax(one_hot([0], 10)).max())
    assert f"{largest:.3g}" in asm.check_logits(one_hot([0], 10))[0].message


@pytest.mark.parametrize("examples", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_findings_are_printed_as_one_line(examples):
    for found in asm.check_logits(examples[0]):
        line = str(found)
        assert line.startswith(f"{found.pitfall}: ")
        assert found.message in line
        assert found.advice in line
        assert "\n" not in line
        assert not set(line) & set("{}")


@pytest.mark.parametrize(
    ("x", "where"),
    [
        ([NAN, 1.0], "the only slice"),
        ([[0.0, 1.0], [NAN, 1.0]], "1 of 2 slices, first 1"),
        ([[[0.0, 1.0]], [[NAN, 1.0]]], "1 of 2 slices, first (1, 0)"),
        (np.zeros((0, 2)), "no slice"),
    ],
)
def test_where(x, where):
    (found,) = asm.check_logits(x)
    assert found.where == where


def test_a_finding_is_frozen_comparable_and_plain():
    (found,) = asm.check_logits([[0.0, 1.0], [NAN, 1.0]])
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.slices = 2
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301
    assert hash(found) == hash(asm.check_logits([[0.0, 1.0], [NAN, 1.0]])[0])
    fields = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert Finding(**{**fields, "first": tuple(fields["first"])}) == found
    assert set(fields) == {field.name for field in dataclasses.fields(Finding)}
    assert {type(n) for n in (found.slices, found.of, *found.first)} == {int}


@pytest.mark.parametrize("x", [np.asarray(DIGITS), asm.softmax(asm.softmax(DIGITS)), [[NAN, INF]]])
def test_nothing_is_written_to(x):
    x = np.asarray(x)
    before = x.copy()
    x.flags.writeable = False
    asm.check_logits(x)
    np.testing.assert_array_equal(x, before)


def test_a_tensor_that_requires_a_gradient():
    x = torch.tensor(DIGITS, requires_grad=True)
    assert names(torch.softmax(x, -1)) == ["probabilities"]
    assert x.grad is None


@pytest.mark.parametrize(
    ("x", "error", "says"),
    [
        ("0.5,0.5", TypeError, "str"),
        (None, TypeError, "None"),
        ([1.0, "x"], TypeError, "str"),
        ([[1.0, 2.0], [3.0]], ValueError, "rectangular"),
        ([True, False], TypeError, "logits must be real numbers.*bool"),
        ([1j, 0.0], TypeError, "logits must be real numbers.*complex"),
        (np.ma.array([0.5, 0.5], mask=[0, 1]), TypeError, "where=~x.mask"),
        (dask.array.asarray(SCORES), TypeError, r"check_logits.*x that are lazy.*compute\(\)"),
        (dask.array.zeros((0, 3)), TypeError, "lazy"),
    ],
)
def test_what_is_refused(x, error, says):
    with pytest.raises(error, match=says):
        asm.check_logits(x)


@pytest.mark.parametrize(
    ("axis", "error"),
    [(2, asm.AxisError), (-3, asm.AxisError), (1.0, TypeError), ((0, 0), ValueError)],
)
def test_axes_that_are_refused(axis, error):
    with pytest.raises(error, match="axis"):
        asm.check_logits(DIGITS, axis=axis)


def test_dask_is_never_computed():
    def compute(block):
        raise AssertionError("computed behind the caller's back")

    lazy = dask.array.map_blocks(compute, dask.array.zeros(3), dtype="float64", meta=np.zeros(0))
    with pytest.raises(TypeError, match="lazy"):
        asm.check_logits(lazy)


def test_traced_logits_are_refused():
    with pytest.raises(TypeError, match="check_logits outside jit"):
        jax.jit(lambda x: len(asm.check_logits(x)))(jax.numpy.zeros(3))
    with pytest.raises(TypeError, match="lazy or traced"):
        torch.func.vmap(lambda x: asm.check_logits(x) or x)(torch.zeros(2, 3))


def test_it_is_loaded_for_those_only_who_ask_for_it():
    code = (
        "import sys, anysoftmax as asm; print('anysoftmax.pitfalls' in sys.modules,"
        " asm.check_logits.__name__, 'check_logits' in dir(asm))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False check_logits True\n"
