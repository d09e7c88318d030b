"""A saved temperature is read back, and nothing else is taken for one."""

from __future__ import annotations

import json
import math

import pytest

from anysoftmax.files import FileError, read_temperature


@pytest.mark.parametrize(
    ("saved", "temperature"),
    [
        ({"temperature": 2.5}, 2.5),
        ({"temperature": 0, "status": "separable"}, 0.0),
        ({"temperature": None, "status": "uninformative"}, math.inf),
        ({"temperature": 10**400}, math.inf),
        ({"temperature": 1.0000000000000002, "more": [1]}, 1.0000000000000002),
    ],
)
def test_what_is_saved_is_read(tmp_path, saved, temperature):
    (tmp_path / "t.json").write_text(json.dumps(saved))
    assert read_temperature(tmp_path / "t.json") == temperature


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not JSON"),
        (b"2.5 K", "is not JSON"),
        (b'{"temperature": 2', "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"2.5", 'has no key "temperature"'),
        (b"[1]", 'has no key "temperature"'),
        (b"{}", 'has no key "temperature"'),
        (b'{"temperature": null}', "its temperature is null, not a number from 0"),
        (b'{"temperature": null, "status": "converged"}', "its temperature is null"),
        (b'{"temperature": -1.5}', "its temperature is -1.5"),
        (b'{"temperature": NaN}', "its temperature is NaN"),
        (b'{"temperature": true}', "its temperature is true"),
        (b'{"temperature": "2.5"}', 'its temperature is "2.5"'),
        (b'{"temperature": ["a"]}', r'its temperature is \["a"\]'),
    ],
)
def test_what_is_no_saved_temperature(tmp_path, content, says):
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(FileError, match=says) as caught:
        read_temperature(tmp_path / "t.json")
    assert str(caught.value).startswith(str(tmp_path / "t.json"))
    assert "fit-temperature --save" in str(caught.value)


def test_places_without_one(tmp_path):
    with pytest.raises(FileError, match=r"t\.json: no such file"):
        read_temperature(tmp_path / "t.json")
    with pytest.raises(FileError, match="is a directory"):
        read_temperature(tmp_path)
