"""The same samples in every format of tables: the same temperature, the same measures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

DATA = Path(__file__).parent.parent / "data"
LOGITS = np.load(DATA / "digits_logits.npy")[:50]
LABELS = np.load(DATA / "digits_labels.npy")[:50]


@pytest.fixture
def samples(command, digits_csv):
    """Write the samples of the digits table in each format; return the arguments that name them."""
    np.save("logits.npy", LOGITS)
    np.save("labels.npy", LABELS)
    columns = {f"digit_{k}": LOGITS[:, k].copy() for k in range(10)}
    parquet.write_table(pa.table({**columns, "label": LABELS}), "digits.parquet")
    parquet.write_table(pa.table({"logits": LOGITS.tolist(), "label": LABELS}), "lists.parquet")
    names = pa.array([f"digit_{k}" for k in LABELS])
    parquet.write_table(pa.table({"name": names}), "names.parquet")
    Path("digits.tsv").write_text(digits_csv.read_text().replace(",", "\t"))
    return {
        "npy": ["logits.npy", "labels.npy"],
        "csv": [digits_csv, digits_csv],
        "tsv": ["digits.tsv", "digits.tsv"],
        "parquet": ["digits.parquet", "digits.parquet"],
        "lists": ["lists.parquet", "lists.parquet"],
        "mixed": ["digits.tsv", "names.parquet"],
    }


@pytest.mark.parametrize("name", ["fit-temperature", "report"])
def test_numbers_are_the_same(command, samples, name):
    found = {}
    for kind, arguments in samples.items():
        outcome = command(name, *arguments, "--json")
        assert (outcome.status, outcome.err) == (0, "")
        found[kind] = json.loads(outcome.out)
    assert found["tsv"] == found["csv"] == found["mixed"]
    measure = "temperature" if name == "fit-temperature" else "ece_before"
    for kind, numbers in found.items():
        assert numbers.keys() == found["npy"].keys()
        assert numbers[measure] == pytest.approx(found["npy"][measure], 1e-5), kind


def test_faults_are_one_line(command, samples):
    parquet.write_table(pa.table({"label": [0, 12]}), "two.parquet")
    command("report", "digits.parquet", "two.parquet").assert_fails(1, "has 2 labels for the 50")
    table = pa.table({"a": [np.nan, 1.0], "b": [0.0, 0.0], "label": [0, 1]})
    parquet.write_table(table, "nan.parquet")
    for name in ("report", "fit-temperature"):
        outcome = command(name, "nan.parquet", "nan.parquet")
        outcome.assert_fails(1, "nan.parquet: row 0 (from 0): the logit of class 0 is NaN")


@pytest.mark.parametrize("text", ["", "\n", "Cat,Dog\n"])
def test_nothing_on_standard_input(real_command, tmp_path, text):
    outcome = real_command("apply", "-", "-o", "p.csv", text_input=text)
    outcome.assert_fails(1, "<stdin>: ")
    assert not list(tmp_path.iterdir())
