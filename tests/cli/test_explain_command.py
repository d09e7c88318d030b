"""`anysoftmax explain`: negative scores are scores, and every mistake is one line."""

from __future__ import annotations

import json
import math

import pytest

import anysoftmax.explanation


def test_the_classic_example(command):
    outcome = command("explain", "3.2", "1.3", "0.2", "--labels", "Cat,Dog,Bird")
    assert outcome.status == 0
    assert outcome.err == ""
    expected = anysoftmax.explanation.explain([3.2, 1.3, 0.2], ["Cat", "Dog", "Bird"])
    assert outcome.out == f"{expected}\n"
    for share in ("0.834", "0.125", "0.042"):
        assert share in outcome.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["-3e-1", "-inf", "-1", "--labels", "a,b,c", "--temperature", "2"],
        ["--labels", "a,b,c", "-3e-1", "-inf", "--temperature", "2", "-1"],
        ["--labels=a,b,c", "--temperature=2", "-3e-1", "-inf", "-1"],
        ["-3e-1", "--temperature", "2", "-inf", "--labels", "a, b, c", "-1"],
        ["--temperature", "2", "--labels", "a,b,c", "--", "-3e-1", "-inf", "-1"],
        ["-.3", "-Infinity", "-1.", "--labels", "a,b,c", "--temperature", "2"],
    ],
)
def test_negative_scores_anywhere(command, arguments):
    outcome = (
        command("explain", *arguments, "--json")
        if "--" not in arguments
        else command("explain", "--json", *arguments)
    )
    assert outcome.status == 0, outcome
    result = json.loads(outcome.out)
    assert result["logits"] == [-0.3, None, -1.0]
    assert result["labels"] == ["a", "b", "c"]
    assert result["temperature"] == 2.0


def test_json_is_the_dict_of_the_explanation(command):
    outcome = command("explain", "3.2", "-1.3", "nan", "--json")
    expected = anysoftmax.explanation.explain([3.2, -1.3, math.nan]).to_dict()
    assert json.loads(outcome.out) == expected
    assert outcome.out.count("\n") == 1


def test_labels_may_be_quoted(command):
    outcome = command("explain", "1", "2", "--labels", '"Cats, all of them",Dog', "--json")
    assert json.loads(outcome.out)["labels"] == ["Cats, all of them", "Dog"]


@pytest.mark.parametrize("temperature", ["0", "inf", "1e-3"])
def test_temperatures_at_the_limits(command, temperature):
    assert command("explain", "1", "2", "--temperature", temperature).status == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Missing argument 'SCORES'"),
        (["1", "two"], "'two' is not a number"),
        (["1", "--temprature", "2"], "'--temprature' is not a number, and there is no such option"),
        (["1", "-x"], "'-x' is not a number, and there is no such option"),
        (["1", "2", "--labels", "Cat"], "1 labels for 2 scores"),
        (["1", "2", "--labels", ""], "0 labels for 2 scores"),
        (["1", "--temperature", "-1"], "temperature must be 0 or more"),
        (["1", "--temperature", "nan"], "temperature must be 0 or more"),
        (["1", "--temperature", "hot"], "'hot' is not a number"),
        (["1", "--temperature"], "--temperature"),
        (["1", "--plot"], "no such option"),
    ],
)
def test_mistakes(command, arguments, says):
    command("explain", *arguments).assert_fails(2, says)


def test_output_that_takes_no_blocks(real_command):
    outcome = real_command(
        "explain", "3.2", "1.3", "--labels", "Kätzchen,Dog", env={"PYTHONIOENCODING": "ascii"}
    )
    assert outcome.status == 0
    assert outcome.out.isascii()
    assert "####" in outcome.out
    assert r"K\xe4tzchen" in outcome.out
