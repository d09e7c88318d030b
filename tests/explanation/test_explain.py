"""`explain` records the numbers of the softmax itself and refuses what it cannot show."""

from __future__ import annotations

import dataclasses
import json
import math
import operator
import pickle
import subprocess
import sys

import array_api_strict
import dask.array
import jax
import jax.numpy
import numpy as np
import pytest
import torch

import anysoftmax as asm
from anysoftmax.explanation import Explanation, explain
from anysoftmax.softmax import softmax_steps

ANIMALS = ["Cat", "Dog", "Bird"]
SCORES = [3.2, 1.3, 0.2]


def test_the_classic_example():
    explanation = explain(SCORES, ANIMALS)
    assert [round(p, 3) for p in explanation.shares] == [0.834, 0.125, 0.042]
    assert explanation.labels == ("Cat", "Dog", "Bird")
    assert explanation.logits == (3.2, 1.3, 0.2)
    assert explanation.temperature == 1.0


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0, 0.0, math.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_those_of_softmax_to_the_bit(dtype, temperature):
    scores = np.random.default_rng(0).normal(scale=4.0, size=17).astype(dtype)
    explanation = explain(scores, temperature=temperature)
    shares = asm.softmax(scores, temperature=temperature)
    assert explanation.shares == tuple(shares.tolist())


def test_steps_are_recorded_not_computed_again(monkeypatch):
    """Wrong steps must show up in the explanation: it has no arithmetic of its own."""

    def wrong_steps(x, **options):
        return softmax_steps(x, **options)._replace(shares=np.asarray([7.0, 8.0, 9.0]))

    monkeypatch.setattr("anysoftmax.explanation.recording.softmax_steps", wrong_steps)
    assert explain(SCORES).shares == (7.0, 8.0, 9.0)


def test_steps_follow_from_each_other():
    explanation = explain(SCORES, temperature=2.0)
    for x, z, e, p in zip(
        explanation.logits,
        explanation.shifted,
        explanation.exponentials,
        explanation.shares,
        strict=True,
    ):
        assert z == (x - 3.2) / 2.0
        assert e == pytest.approx(math.exp(z), rel=4e-16)
        assert p == pytest.approx(e / explanation.total, rel=4e-16)
    assert explanation.total == pytest.approx(sum(explanation.exponentials), rel=4e-16)


@pytest.mark.parametrize(
    "scores",
    [
        SCORES,
        tuple(SCORES),
        np.asarray(SCORES),
        np.asarray(SCORES, dtype=">f8"),
        np.asarray([0.2, 1.3, 3.2])[::-1],
        array_api_strict.asarray(SCORES),
        torch.tensor(SCORES, dtype=torch.float64),
        torch.tensor(SCORES, dtype=torch.float64, requires_grad=True),
    ],
    ids=operator.attrgetter("__class__.__name__"),
)
def test_any_library_gives_the_same_plain_floats(scores):
    explanation = explain(scores, ANIMALS)
    assert explanation == explain(SCORES, ANIMALS)
    assert {type(v) for v in explanation.logits + explanation.shares} == {float}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_narrow_scores(dtype):
    scores = jax.numpy.asarray(SCORES, dtype=dtype)
    explanation = explain(scores, ANIMALS)
    assert explanation.logits == tuple(float(x) for x in scores)
    assert explanation.shares == pytest.approx([0.834, 0.125, 0.042], abs=2e-3)


def test_integers_are_promoted():
    assert explain(np.asarray([-128, 127], dtype=np.int8)).shares[1] == 1.0


@pytest.mark.parametrize("temperature", [0.5, np.asarray(0.5), np.asarray([0.5]), np.float32(0.5)])
def test_temperature_is_recorded_as_a_float(temperature):
    explanation = explain(SCORES, temperature=temperature)
    assert (type(explanation.temperature), explanation.temperature) == (float, 0.5)
    assert explanation.shares == explain(SCORES, temperature=0.5).shares


def test_temperature_of_the_scores_own_library():
    scores = torch.tensor(SCORES)
    assert explain(scores, temperature=torch.tensor(0.5, requires_grad=True)).temperature == 0.5


def test_labels_default_to_positions():
    assert explain(SCORES).labels == ("0", "1", "2")


def test_labels_come_from_any_iterable_of_strings():
    for labels in (ANIMALS, tuple(ANIMALS), iter(ANIMALS), np.asarray(ANIMALS)):
        explanation = explain(SCORES, labels)
        assert explanation.labels == tuple(ANIMALS)
        assert {type(label) for label in explanation.labels} == {str}


def test_an_explanation_is_frozen_comparable_and_picklable():
    explanation = explain(SCORES, ANIMALS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanation.total = 1.0
    assert pickle.loads(pickle.dumps(explanation)) == explanation  # noqa: S301
    assert hash(explanation) == hash(explain(SCORES, ANIMALS))


def test_scores_are_not_written_to():
    scores = np.asarray(SCORES)
    scores.flags.writeable = False
    explain(scores)
    assert scores.tolist() == SCORES


def test_dict_survives_strict_json():
    explanation = explain([math.inf, 1.0, -math.inf], ANIMALS, temperature=math.inf)
    text = json.dumps(explanation.to_dict(), allow_nan=False)
    assert json.loads(text) == {
        "temperature": None,
        "labels": ANIMALS,
        "logits": [None, 1.0, None],
        "shifted": explanation.to_dict()["shifted"],
        "exponentials": [1.0, 0.0, 0.0],
        "total": 1.0,
        "shares": [1.0, 0.0, 0.0],
    }


def test_dict_has_the_fields_and_nan_is_null():
    explanation = explain([math.nan, 1.0])
    fields = {field.name for field in dataclasses.fields(Explanation)}
    assert set(explanation.to_dict()) == fields
    assert explanation.to_dict()["shares"] == [None, None]


@pytest.mark.parametrize(
    ("scores", "error", "says"),
    [
        ([[1.0, 2.0]], ValueError, r"one slice.*shape \(1, 2\).*scores\[0\]"),
        (np.zeros((2, 3)), ValueError, r"one slice.*shape \(2, 3\).*scores\[0\]"),
        (np.float64(3.0), ValueError, "one slice.*pass a list"),
        (3.0, ValueError, "one slice.*pass a list"),
        ([], ValueError, "at least one score"),
        ("3.2", TypeError, "str"),
        (None, TypeError, "None"),
        ([1.0, "x"], TypeError, "str"),
        ([True, False], TypeError, "bool"),
        ([1j], TypeError, "complex"),
        (dask.array.asarray(SCORES), TypeError, r"lazy.*compute\(\)"),
    ],
)
def test_scores_that_cannot_be_explained(scores, error, says):
    with pytest.raises(error, match=says):
        explain(scores)


def test_dask_is_never_computed():
    def compute(block):
        raise AssertionError("computed behind the caller's back")

    lazy = dask.array.map_blocks(compute, dask.array.zeros(3), dtype="float64", meta=np.zeros(0))
    with pytest.raises(TypeError, match="lazy"):
        explain(lazy)


def test_traced_scores_are_refused():
    with pytest.raises(TypeError, match="outside jit"):
        jax.jit(lambda x: explain(x).total)(jax.numpy.zeros(3))


@pytest.mark.parametrize(
    ("labels", "error", "says"),
    [
        (["Cat"], ValueError, "1 labels for 3 scores"),
        ([*ANIMALS, "Fish"], ValueError, "4 labels for 3 scores"),
        ([], ValueError, "0 labels for 3 scores"),
        ("Cat,Dog,Bird", TypeError, r"write \['Cat', 'Dog', 'Bird'\]"),
        (["Cat", "Dog", 3], TypeError, "int 3"),
        (["Cat", None, "Bird"], TypeError, "None"),
        (5, TypeError, "list of strings"),
    ],
)
def test_labels_that_do_not_fit(labels, error, says):
    with pytest.raises(error, match=says):
        explain(SCORES, labels)


@pytest.mark.parametrize(
    ("temperature", "error"),
    [(-1.0, ValueError), (math.nan, ValueError), ("1", TypeError), (np.ones(3), ValueError)],
)
def test_temperatures_that_are_none(temperature, error):
    with pytest.raises(error, match="temperature"):
        explain(SCORES, temperature=temperature)


def test_the_record_is_not_imported_before_it_is_needed():
    code = (
        "import sys, anysoftmax.explanation as e; assert 'dataclasses' not in sys.modules;"
        "print(e.Explanation.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Explanation\n"
