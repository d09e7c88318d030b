"""`.parquet`: right results in the columns of logits, the rest as it was, whatever the batches."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

import anysoftmax as asm
from anysoftmax.files import FileError, FileRequestError, apply, parquet, read_samples
from anysoftmax.testing.bounds import expect, judge
from anysoftmax.testing.formats import FORMATS

DATA = Path(__file__).parent.parent / "data"
LABELS = np.load(DATA / "digits_labels.npy")
# Rows that are read a page at a time; of compressed ones pyarrow keeps what it has read.
IN_PAGES = {"use_dictionary": False, "data_page_size": 2**14, "compression": "NONE"}
LISTS = {
    "list": pa.list_(pa.float32()),
    "large_list": pa.large_list(pa.float32()),
    "fixed_size_list": pa.list_(pa.float32(), 10),
}


@pytest.fixture
def run(tmp_path):
    """Write a table, apply the softmax to the file, return the table that results."""

    def run(table, *, options=None, **how):
        pq.write_table(table, tmp_path / "logits.parquet", **how)
        apply(tmp_path / "logits.parquet", tmp_path / "probs.parquet", **(options or {}))
        return pq.read_table(tmp_path / "probs.parquet")

    return run


def in_columns(logits, **others):
    named = {f"digit_{k}": np.ascontiguousarray(logits[:, k]) for k in range(logits.shape[1])}
    return pa.table({**named, **others})


def in_lists(logits, kind, **others):
    return pa.table({"logits": pa.array(list(logits), kind), **others})


def matrix(table):
    if "logits" in table.column_names:
        return np.asarray(table["logits"].to_pylist(), np.float32)
    return np.stack([table[f"digit_{k}"].to_numpy() for k in range(10)], axis=1)


@pytest.fixture(params=["columns", *LISTS])
def digits_table(request, digits):
    digits, labels = digits[:200], LABELS[:200]
    others = {"label": labels, "name": [f"image {i}" for i in range(200)]}
    if request.param == "columns":
        return in_columns(digits, **others)
    return in_lists(digits, LISTS[request.param], **others)


@pytest.mark.parametrize(
    ("function", "axis", "batch_bytes"),
    [("softmax", -1, 2**24), ("log_softmax", -1, 2000), ("softmax", 0, 2000)],
)
def test_digits_match_exact_arithmetic(run, digits_table, function, axis, batch_bytes):
    options = {"log": function == "log_softmax", "axis": axis}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "BATCH_BYTES", batch_bytes)
        result = run(digits_table, options=options, row_group_size=150)
    assert result.schema == digits_table.schema
    for name in ("label", "name"):
        assert result[name] == digits_table[name]
    logits = matrix(digits_table)
    judge(matrix(result), expect(function, FORMATS["float32"], logits, axis=axis))


def test_the_numbers_are_those_of_other_formats(run, tmp_path, digits):
    np.save(tmp_path / "logits.npy", digits)
    apply(tmp_path / "logits.npy", tmp_path / "probs.npy", temperature=0.7)
    result = run(in_columns(digits), options={"temperature": 0.7})
    # Classes lie apart in one file and together in the other: sums are rounded in other places.
    np.testing.assert_allclose(matrix(result), np.load(tmp_path / "probs.npy"), rtol=2e-6)


@pytest.mark.parametrize(
    ("types", "dtype", "becomes"),
    [
        (["float16", "float16"], None, "float16"),
        (["float32", "float32"], None, "float32"),
        (["float16", "float32"], None, "float32"),
        (["float32", "float64"], None, "float64"),
        (["int8", "uint64"], None, "float64"),
        (["int16", "float32"], None, "float64"),
        (["float64", "int32"], "float32", "float32"),
        (["float32", "float32"], "float16", "float16"),
    ],
)
def test_types_of_results(run, types, dtype, becomes):
    columns = {name: np.asarray([3, 120], t) for name, t in zip("ab", types, strict=True)}
    result = run(pa.table(columns), options={"dtype": dtype})
    exact = asm.softmax(np.asarray([[3, 3], [120, 120]], becomes))
    for k, name in enumerate("ab"):
        assert result.schema.field(name).type == pa.from_numpy_dtype(np.dtype(becomes))
        np.testing.assert_array_equal(result[name].to_numpy(), exact[:, k])


def test_everything_else_stays_as_it_was(run, tmp_path):
    schema = pa.schema(
        [
            pa.field("ID", pa.int64(), nullable=False, metadata={"PARQUET:field_id": "7"}),
            pa.field("Cat", pa.float32(), nullable=False),
            pa.field("kind", pa.dictionary(pa.int8(), pa.string())),
            pa.field("Dog", pa.float32()),
            pa.field("seen", pa.timestamp("us", "UTC")),
            pa.field("good", pa.bool_()),
            pa.field("price", pa.struct([("value", pa.float64())])),
            pa.field("Target", pa.decimal128(5, 2)),
            pa.field("notes", pa.list_(pa.string())),
        ],
        metadata={"origin": "a camera"},
    )
    row = {"kind": "a", "seen": 0, "good": None, "price": {"value": 1.5}, "notes": ["x", None]}
    rows = [{**row, "ID": i, "Cat": 0, "Dog": 0, "Target": None} for i in range(3)]
    table = pa.Table.from_pylist(rows, schema)
    result = run(table)
    stored = pq.read_schema(tmp_path / "logits.parquet")
    assert result.schema.equals(stored, check_metadata=True)
    assert result.schema.metadata == {b"origin": b"a camera"}
    half = [{**row, "Cat": 0.5, "Dog": 0.5} for row in table.to_pylist()]
    assert result.to_pylist() == half


def test_notes_of_pandas_are_kept_and_corrected(run):
    """The index is copied, and pandas is told the new dtypes."""
    noted = [
        {"name": n, "field_name": n, "pandas_type": "int64", "numpy_type": "Int64"}
        for n in ("Cat", "Dog", "label", "hour")
    ]
    notes = {"index_columns": ["hour"], "columns": noted, "pandas_version": "3"}
    columns = {name: [1, 1] for name in ("Cat", "Dog", "label", "hour")}
    result = run(pa.table(columns).replace_schema_metadata({"pandas": json.dumps(notes)}))
    assert result["hour"].to_pylist() == [1, 1]
    assert result["Cat"].to_pylist() == [0.5, 0.5]
    for column in noted[:2]:
        column |= {"pandas_type": "float64", "numpy_type": "float64"}
    assert json.loads(result.schema.metadata[b"pandas"]) == notes


@pytest.mark.parametrize(
    "notes",
    [
        "[]",
        "{",
        "[" * 100_000,
        '{"index_columns": 5, "columns": []}',
        '{"index_columns": [], "columns": {"a": 1}}',
        '{"index_columns": [], "columns": [null]}',
        '{"columns": [1]}',
        '{"columns": [{"field_name": ["Cat"]}]}',
    ],
    ids=lambda notes: notes[:50],
)
def test_notes_that_pandas_did_not_write_are_left_alone(run, notes):
    table = pa.table({"Cat": [1.0], "Dog": [1.0]}).replace_schema_metadata({"pandas": notes})
    result = run(table)
    assert result["Cat"].to_pylist() == [0.5]
    assert result.schema.metadata == {b"pandas": notes.encode()}


def test_an_index_that_is_noted_alone_is_kept(run):
    notes = json.dumps({"index_columns": ["hour"]})
    columns = {name: [1.0] for name in ("Cat", "Dog", "hour")}
    result = run(pa.table(columns).replace_schema_metadata({"pandas": notes}))
    assert result.to_pylist() == [{"Cat": 0.5, "Dog": 0.5, "hour": 1.0}]


@pytest.mark.parametrize("codec", ["NONE", "SNAPPY", "ZSTD", "GZIP"])
def test_compression_is_kept(run, tmp_path, digits, codec):
    run(in_columns(digits), compression=codec)
    files = [pq.ParquetFile(tmp_path / f"{name}.parquet") for name in ("logits", "probs")]
    codecs = []
    for file in files:
        with file:
            codecs.append(file.metadata.row_group(0).column(3).compression)
    assert codecs[0] == codecs[1]


def test_one_group_of_rows_is_read_in_parts(tmp_path, digits, monkeypatch):
    """Memory does not grow with the file, even if it has its rows in one group."""
    monkeypatch.setattr(parquet, "BATCH_BYTES", 2**18)
    table = in_columns(np.tile(digits, (100, 1)))
    pq.write_table(table, tmp_path / "logits.parquet", **IN_PAGES)
    seen, allocated = [], []

    def progress(done, total):
        seen.append(done / total)
        allocated.append(pa.total_allocated_bytes())

    del table
    before = pa.total_allocated_bytes()
    apply(tmp_path / "logits.parquet", tmp_path / "probs.parquet", progress=progress)
    assert len(seen) > 10
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert max(allocated) - before < 2**21  # of 3.6 MB
    result = pq.read_table(tmp_path / "probs.parquet")
    np.testing.assert_allclose(matrix(result), np.tile(asm.softmax(digits), (100, 1)), rtol=2e-6)


def test_no_rows_are_none_again(run, digits):
    table = in_columns(digits.astype(np.int32), label=LABELS)[:0]
    result = run(table)
    assert result.num_rows == 0
    assert result.schema.field("digit_3").type == pa.float64()
    assert result.schema.field("label").type == pa.int64()
    lists = in_lists(np.empty((0, 10)), LISTS["list"])
    assert run(lists, options={"overwrite": True}).num_rows == 0


def test_special_values(run):
    result = run(pa.table({"a": [np.nan, np.inf, -np.inf], "b": [0.0, 0.0, 0.0]}))
    np.testing.assert_array_equal(result["a"].to_numpy(), [np.nan, 1.0, 0.0])
    np.testing.assert_array_equal(result["b"].to_numpy(), [np.nan, 0.0, 1.0])


FLOATS = [0.5, 1.5]
REFUSED = [
    ({"a": FLOATS, "b": [0.5, None]}, r"row 1 \(from 0\), column 'b': is null"),
    ({"a": FLOATS, "b": pa.array(["1", "2"]), "id": FLOATS, "c": [None, 1]}, "column 'c': is null"),
    ({"name": ["x", "y"], "label": [0, 1]}, "no column holds numbers"),
    ({"a": [True, False]}, "no column holds numbers"),
    ({"a": FLOATS, "b": pa.array([1, 2], pa.decimal128(5, 2))}, r"'b' holds decimal128\(5, 2\): c"),
    ({"a": FLOATS, "v": [[0.5], [1.5]]}, "not clear: 'v' and 'a' could"),
    ({"u": [[0.5], [0.5]], "v": [[0.5], [1.5]]}, "not clear: 'u' and 'v' could"),
    ({"v": [[0.5, 1.5], [1.5]]}, r"row 1 \(from 0\), column 'v': has 1 numbers, .* have 2"),
    ({"v": [[0.5, 1.5], [1.5, None]]}, r"row 1 \(from 0\), column 'v': holds a null"),
    ({"v": pa.array([[], []], pa.list_(pa.float32()))}, r"row 0 \(from 0\), column 'v': has no"),
    ({"v": [[0.5, 1.5], None]}, r"row 1 \(from 0\), column 'v': is null"),
]


@pytest.mark.parametrize("batch_bytes", [2**24, 1])
@pytest.mark.parametrize(("columns", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_tables_that_are_refused(tmp_path, monkeypatch, columns, says, batch_bytes):
    monkeypatch.setattr(parquet, "BATCH_BYTES", batch_bytes)
    path = tmp_path / "logits.parquet"
    pq.write_table(pa.table(columns), path)
    for work in (
        lambda: apply(path, tmp_path / "probs.parquet"),
        lambda: read_samples(path, DATA / "digits_labels.npy"),
    ):
        with pytest.raises(FileError, match=says) as caught:
            work()
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_columns_of_one_name_are_refused(tmp_path):
    table = pa.table([pa.array(FLOATS)] * 3, names=["a", "b", "a"])
    pq.write_table(table, tmp_path / "logits.parquet")
    with pytest.raises(FileError, match="several columns named 'a': rename all but one"):
        apply(tmp_path / "logits.parquet", tmp_path / "probs.parquet")


def test_damaged_files_never_do_more_than_raise(tmp_path, digits, folder_state):
    target = tmp_path / "probs.parquet"
    path = tmp_path / "logits.parquet"
    pq.write_table(in_columns(digits[:20], label=LABELS[:20]), path)
    good = path.read_bytes()
    random = np.random.default_rng(0)
    cuts = [good[:n] for n in (0, 1, 4, 8, 100, len(good) // 2, len(good) - 4, len(good) - 1)]
    holes = [good[:n] + bytes(200) + good[n + 200 :] for n in range(4, len(good) - 200, 400)]
    noise = []
    for _ in range(100):
        bad = bytearray(good)
        for place in random.integers(0, len(good), size=3):
            bad[place] = random.integers(256)
        noise.append(bytes(bad))
    raised = 0
    for bad in [*cuts, *holes, *noise]:
        path.write_bytes(bad)
        before = folder_state()
        try:
            apply(path, target)
        except FileError as error:
            raised += 1
            assert str(error).startswith(f"{path}: ")  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
            assert folder_state() == before
        else:
            target.unlink()
    assert raised > 50


def test_text_that_is_no_utf8(tmp_path):
    """Copied as it is; but neither a name nor an id."""
    path, target = tmp_path / "logits.parquet", tmp_path / "probs.parquet"
    pq.write_table(pa.table({"Cat": FLOATS, "Dog": FLOATS, "label": ["Dog", "Cow"]}), path)
    good = path.read_bytes()
    path.write_bytes(good.replace(b"Cow", b"C\xf6w"))
    apply(path, target)
    assert b"C\xf6w" in target.read_bytes()
    with pytest.raises(FileError, match="is damaged: 'utf-8' codec can't decode byte 0xf6"):
        read_samples(path, path)
    path.write_bytes(good.replace(b"Cat", b"C\xe4t"))
    with pytest.raises(FileError, match="'utf-8' codec can't decode byte 0xe4"):
        apply(path, target, overwrite=True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not a .parquet file: it is empty"),
        (b"Cat,Dog\n1,2\n", "is not a .parquet file: it is something else, or cut"),
        (b"PAR1 and no more", "is not a .parquet file: it is something else, or cut"),
    ],
)
def test_files_that_are_no_tables(tmp_path, content, says):
    (tmp_path / "logits.parquet").write_bytes(content)
    with pytest.raises(FileError, match=says):
        apply(tmp_path / "logits.parquet", tmp_path / "probs.parquet")


def test_a_file_that_is_cut_while_it_is_read(tmp_path, digits, monkeypatch):
    monkeypatch.setattr(parquet, "BATCH_BYTES", 2**18)
    path, target = tmp_path / "logits.parquet", tmp_path / "probs.parquet"
    pq.write_table(in_columns(np.tile(digits, (100, 1))), path, **IN_PAGES)

    def cut(_done, _total):
        path.write_bytes(b"")

    with pytest.raises(FileError, match=r"logits\.parquet: is damaged: "):
        apply(path, target, progress=cut)
    assert not target.exists()


def test_a_file_that_vanishes_meanwhile_is_read_to_its_end(run, tmp_path, digits, monkeypatch):
    """It was once looked for by its name, and the target blamed that it was not there."""

    def vanished(*arguments, settings=parquet.settings):
        (tmp_path / "logits.parquet").unlink()
        return settings(*arguments)

    monkeypatch.setattr(parquet, "settings", vanished)
    assert run(in_columns(digits)).num_rows == len(digits)


def test_without_pyarrow_one_line_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "logits.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "anysoftmax.files.parquet")
    with pytest.raises(FileRequestError, match=r'needs pyarrow: pip install "anysoftmax\[cli\]"'):
        apply(tmp_path / "logits.parquet", tmp_path / "probs.parquet")


CLASSES = {"Cat": [3.5, 1, 0], "Dog": [1, 4.5, 0], "Bird": [0, 0, 9.5]}


@pytest.mark.parametrize(
    ("columns", "labels"),
    [
        (CLASSES, {"label": [0, 1, 2]}),
        (CLASSES, {"Target": pa.array([0, 1, 2], pa.uint8()), "note": ["x", "y", "z"]}),
        (CLASSES, {"animal": ["Cat", "Dog", "Bird"]}),
        (CLASSES, {"animal": pa.array(["Cat", " Dog", "Bird"]).dictionary_encode()}),
        (CLASSES, {"animal": pa.array(["0", "Dog", "2"], pa.large_string())}),
        (CLASSES, {"label": pa.array([0, 1, 2]).dictionary_encode()}),
        ({"id": [7, 8, 9], **CLASSES}, {"ID": ["7", "8", "9"], "label": [0, 1, 2]}),
        ({"logits": np.eye(3).tolist()}, {"label": [0, 1, 2]}),
        ({"1": [3.5, 1, 0], "2": [1, 4.5, 0], "3": [0, 0, 9.5]}, {"label": [1, 2, 3]}),
    ],
)
def test_labels_as_they_are_meant(tmp_path, monkeypatch, columns, labels):
    monkeypatch.setattr(parquet, "BATCH_BYTES", 1)
    pq.write_table(pa.table(columns), tmp_path / "logits.parquet")
    pq.write_table(pa.table(labels), tmp_path / "labels.parquet")
    found = read_samples(tmp_path / "logits.parquet", tmp_path / "labels.parquet")
    assert found.labels.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(np.argmax(found.logits, axis=-1), [0, 1, 2])


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"label": [0, 1, 3]}, r"row 2 \(from 0\): the label 3 is out of range for 3 classes"),
        ({"label": ["Cat", "Dog", "Cow"]}, r"row 2 \(from 0\): 'Cow' is no class"),
        ({"label": [0, None, 1]}, r"row 1 \(from 0\), column 'label': is null"),
        ({"label": ["Cat", None, "Cat"]}, r"row 1 \(from 0\), column 'label': is null"),
        ({"label": [0.0, 1.0, 2.0]}, "column 'label' holds double: labels must be class numbers"),
        ({"label": [True, True, True]}, "column 'label' holds bool: labels must be class numbers"),
        ({"label": [0, 1]}, "has 2 labels for the 3 samples"),
        ({"a": [0, 1, 2], "b": [0, 1, 2]}, "2 columns, of which none is named label or target"),
        ({"id": [1, 2, 4], "label": [0, 1, 2]}, r"row 2 \(from 0\): has the id '4', where .* '3'"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, labels, says):
    pq.write_table(pa.table({"id": [1, 2, 3], **CLASSES}), tmp_path / "logits.parquet")
    pq.write_table(pa.table(labels), tmp_path / "labels.parquet")
    with pytest.raises(FileError, match=says) as caught:
        read_samples(tmp_path / "logits.parquet", tmp_path / "labels.parquet")
    assert str(caught.value).startswith(f"{tmp_path / 'labels.parquet'}: ")


def test_the_index_of_pandas_is_no_label_but_may_be_an_id(tmp_path):
    """What ``frame.set_index("id")`` and a series without a name of its own are stored as."""
    notes = {"pandas": json.dumps({"index_columns": ["id", "__index_level_1__"], "columns": []})}
    index = {"id": [1, 2, 3], "__index_level_1__": [4, 5, 6]}
    logits = pa.table({**CLASSES, **index}).replace_schema_metadata(notes)
    pq.write_table(logits, tmp_path / "logits.parquet")
    labels = pa.table({"0": [0, 1, 2], **index}).replace_schema_metadata(notes)
    pq.write_table(labels, tmp_path / "labels.parquet")
    found = read_samples(tmp_path / "logits.parquet", tmp_path / "labels.parquet")
    assert found.labels.tolist() == [0, 1, 2]
    assert found.logits.shape == (3, 3)
    pq.write_table(labels.take([0, 2, 1]), tmp_path / "labels.parquet")
    with pytest.raises(FileError, match=r"labels\.parquet: row 1 \(from 0\): has the id '3'"):
        read_samples(tmp_path / "logits.parquet", tmp_path / "labels.parquet")


def test_samples_without_rows_are_refused(tmp_path):
    pq.write_table(pa.table({**CLASSES, "label": [0, 1, 2]})[:0], tmp_path / "none.parquet")
    with pytest.raises(FileError, match=r"holds nothing: its shape is \(0, 3\)"):
        read_samples(tmp_path / "none.parquet", tmp_path / "none.parquet")


def test_a_sample_without_probabilities_is_named(tmp_path):
    table = pa.table({"a": [0.0, np.nan], "b": [1.0, 1.0], "label": [0, 1]})
    pq.write_table(table, tmp_path / "x.parquet")
    found = read_samples(tmp_path / "x.parquet", tmp_path / "x.parquet")
    with pytest.raises(FileError, match=r"x\.parquet: row 1 \(from 0\): the logit of class 0 is"):
        found.refuse_undefined()
