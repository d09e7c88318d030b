"""The figures beside those of SciPy, JAX and PyTorch are what is measured, ours and theirs."""

from __future__ import annotations

import math
import re
from itertools import chain

import peer_errors as peers
import pytest
from make_table import BEGIN, END, EXPLANATION, peer_section
from measurement import FUNCTIONS
from test_accuracy_table import GRAIN, TABLE

# JAX compiles a program for each family: those that show most must do.
COMPILED = ("digits", "at 0")
RUNS = [(name, d) for name, found in peers.IMPLEMENTATIONS.items() for d in found.dtypes]

PAGE = EXPLANATION.read_text()
# What stands below the tables, and where it comes from.
SAID = {
    "was 56 ulp off": "jax.nn/softmax/float32/T",
    "ours 81": "anysoftmax, JAX/softmax/float32/T",
    "up to 3.8 ulp": "anysoftmax, highest/softmax/float64/T",
    "0.1 ulp in": "anysoftmax, NumPy/softmax/float32/many",
    "`jax.nn` 1.1": "jax.nn/softmax/float32/many",
    "15 ulp on the digits": "anysoftmax, NumPy/log_softmax, winners/float32/digits",
    "are 7 off": "jax.nn/softmax/float16/digits",
    "`jax.nn` 53": "jax.nn/softmax/bfloat16/far",
    "PyTorch is 16": "torch/softmax/float16/T",
    "and 44 off": "torch/softmax/bfloat16/T",
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("name", "dtype"), RUNS)
def test_peers_are_as_published(name: str, dtype: str, function: str) -> None:
    compiled = peers.IMPLEMENTATIONS[name].backend.startswith("jax")
    for family in COMPILED if compiled else peers.families_of(function):
        for part, error in peers.measure(name, function, family, dtype).items():
            published = TABLE["peers"][f"{name}/{part}/{dtype}/{family}"]
            what = f"{part}, {family}: {error} ulp, published {published}"
            if name.startswith("anysoftmax"):
                assert error <= (math.floor(published / GRAIN) + 1) * GRAIN, what
            else:  # half a decade is another processor; more is mended, and the page must say so
                moved = math.log10(max(error, GRAIN) / max(published, GRAIN))
                assert abs(moved) < 0.5, what


def test_the_page_shows_the_figures() -> None:
    shown = PAGE.partition(BEGIN)[2].partition(END)[0]
    for part in chain(*peers.PARTS.values()):
        assert peer_section(part, TABLE["peers"]) in shown


@pytest.mark.parametrize(("said", "key"), SAID.items())
def test_the_page_says_what_the_table_has(said: str, key: str) -> None:
    prose = " ".join(PAGE.partition(END)[2].split())
    (number,) = re.findall(r"\d+(?:\.\d+)?", said)
    digits = len(number.partition(".")[2])
    assert said in prose
    assert f"{TABLE['peers'][key]:.{digits}f}" == number


def test_every_figure_is_one_that_is_measured() -> None:
    measured = {
        f"{name}/{part}/{dtype}/{family}"
        for name, implementation in peers.IMPLEMENTATIONS.items()
        for dtype in implementation.dtypes
        for function in FUNCTIONS
        for part in peers.PARTS[function]
        for family in peers.families_of(function)
    }
    assert TABLE["peers"].keys() == measured
