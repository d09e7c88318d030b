"""Whatever happens, a file is whole or not there, and nothing else changes."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.files import FileError, FileRequestError, apply, npy


@pytest.fixture
def logits(tmp_path, digits):
    path = tmp_path / "logits.npy"
    np.save(path, digits)
    return path


@pytest.fixture(params=["npy", "csv"])
def either_logits(request, tmp_path, digits):
    """Return the path of the same logits in each format."""
    path = tmp_path / f"logits.{request.param}"
    if request.param == "npy":
        np.save(path, digits)
    else:
        np.savetxt(path, digits, delimiter=",")
    return path


@pytest.fixture
def small_blocks(monkeypatch):
    """Make blocks so small that the work takes many."""
    monkeypatch.setattr(npy, "BLOCK_BYTES", 4000)


@pytest.fixture
def umask():
    """Set the umask to a value that shows, and back."""
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_usual_mode(tmp_path, logits, umask):
    apply(logits, tmp_path / "probs.npy")
    assert mode(tmp_path / "probs.npy") == 0o666 & ~umask


def test_a_replaced_file_keeps_its_mode(tmp_path, logits):
    target = tmp_path / "probs.npy"
    target.write_bytes(b"")
    target.chmod(0o600)
    apply(logits, target, overwrite=True)
    assert mode(target) == 0o600
    assert np.load(target).shape == (899, 10)


def test_an_existing_target_is_refused(tmp_path, logits, folder_state):
    (tmp_path / "probs.npy").write_bytes(b"precious")
    before = folder_state()
    with pytest.raises(FileRequestError, match=r"probs\.npy: exists already.*--overwrite"):
        apply(logits, tmp_path / "probs.npy")
    assert folder_state() == before


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_the_source_as_target(tmp_path, logits, digits, folder_state, link):
    target = logits if link is None else tmp_path / "link.npy"
    if link:
        link(logits, target)
    before = folder_state()
    with pytest.raises(FileRequestError, match="exists already"):
        apply(logits, target)
    assert folder_state() == before
    apply(logits, target, overwrite=True)
    np.testing.assert_array_equal(np.load(target), asm.softmax(digits))
    if link is os.symlink:
        assert target.is_symlink()
        np.testing.assert_array_equal(np.load(logits), asm.softmax(digits))
    if link is os.link:  # two names of one file: only the one that was given is replaced
        np.testing.assert_array_equal(np.load(logits), digits)


def test_a_symbolic_link_to_nothing_is_followed(tmp_path, logits):
    (tmp_path / "link.npy").symlink_to(tmp_path / "probs.npy")
    with pytest.raises(FileRequestError, match="exists already"):
        apply(logits, tmp_path / "link.npy")
    apply(logits, tmp_path / "link.npy", overwrite=True)
    assert (tmp_path / "link.npy").is_symlink()
    assert np.load(tmp_path / "probs.npy").shape == (899, 10)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SystemExit, MemoryError, ValueError])
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.usefixtures("small_blocks")
def test_any_failure_leaves_everything_as_it_was(
    tmp_path, logits, folder_state, failure, overwrite
):
    if overwrite:
        (tmp_path / "probs.npy").write_bytes(b"precious")
    before = folder_state()

    def interrupt(fraction):
        assert len(folder_state()) == len(before) + 1  # the new file is being written
        if fraction > 0.5:
            raise failure

    with pytest.raises(failure):
        apply(logits, tmp_path / "probs.npy", overwrite=overwrite, progress=interrupt)
    assert folder_state() == before


def test_a_target_that_appears_meanwhile_is_not_destroyed(tmp_path, logits):
    target = tmp_path / "probs.npy"
    with pytest.raises(FileRequestError, match="exists already"):
        apply(logits, target, progress=lambda fraction: target.write_bytes(b"another's"))
    assert target.read_bytes() == b"another's"
    assert {path.name for path in tmp_path.iterdir()} == {"logits.npy", "probs.npy"}


def test_a_source_replaced_meanwhile_is_read_to_its_end(tmp_path, logits, digits, monkeypatch):
    monkeypatch.setattr(npy, "BLOCK_BYTES", 400)

    def replace_source(fraction):
        np.save(tmp_path / "other.npy", np.zeros((1, 2)))
        (tmp_path / "other.npy").replace(logits)

    apply(logits, tmp_path / "probs.npy", progress=replace_source)
    np.testing.assert_allclose(np.load(tmp_path / "probs.npy"), asm.softmax(digits), rtol=1e-6)


def test_a_full_disk_is_an_error_in_one_line(either_logits, folder_state):
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    before = folder_state()
    # A limit on the size of files fails as a full disk does, without the need for one.
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(FileError, match=r"probs\.\w+: cannot be written: File too large"):
            apply(either_logits, either_logits.with_stem("probs"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert folder_state() == before


@pytest.mark.usefixtures("small_blocks")
def test_room_on_the_disk_is_reserved_before_a_map_is_written(tmp_path, logits):
    """Writing through a map over a hole in a full disk would end the process by a signal."""
    blocks = []

    def look(fraction):
        (new,) = tmp_path.glob(".*.tmp")
        blocks.append(new.stat().st_blocks * 512 - new.stat().st_size)

    apply(logits, tmp_path / "probs.npy", progress=look)
    assert blocks[0] >= 0


@pytest.mark.parametrize(
    ("places", "error", "says"),
    [
        (("missing.npy", "probs.npy"), FileError, r"missing\.npy: no such file"),
        (("missing.csv", "probs.csv"), FileError, r"missing\.csv: no such file"),
        (("folder.npy", "probs.npy"), FileError, r"folder\.npy: is a directory"),
        (("logits.npy", "folder.npy"), FileRequestError, r"folder\.npy: is a directory"),
        (("logits.npy", "nowhere/probs.npy"), FileError, r"nowhere/probs\.npy: cannot be written"),
        (("logits.npy", "logits.npy/probs.npy"), FileError, "cannot be written: Not a directory"),
        (("logits.npy", "probs.csv"), FileRequestError, r"probs\.csv: must have the format"),
        (("logits.txt", "probs.npy"), FileRequestError, r"logits\.txt: the suffix '\.txt'.*\.npy"),
        (("logits.npy", "probs"), FileRequestError, "probs: the suffix ''"),
        (("fifo.npy", "probs.npy"), FileError, r"fifo\.npy: is not a regular file"),
        (("logits.npy", "fifo.npy"), FileRequestError, r"fifo\.npy: is not a regular file"),
    ],
)
def test_places_that_cannot_be_used(logits, folder_state, places, error, says):
    tmp_path = logits.parent
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "fifo.npy")
    before = folder_state()
    with pytest.raises(error, match=says) as caught:
        apply(*(tmp_path / place for place in places), overwrite=True)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    assert folder_state() == before


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"axis": 2}, asm.AxisError, r"axis 2.*shape \(899, 10\)|axis 2 is out of range"),
        ({"axis": 1.0}, TypeError, "axis"),
        ({"temperature": -1.0}, ValueError, "temperature"),
        ({"temperature": float("nan")}, ValueError, "temperature"),
        ({"temperature": "warm"}, TypeError, "temperature"),
        ({"temperature": np.ones((899, 1))}, TypeError, "temperature must be one number"),
        ({"dtype": "int8"}, TypeError, "dtype"),
        ({"dtype": "float31"}, TypeError, "dtype"),
    ],
)
def test_options_that_are_wrong(either_logits, folder_state, options, error, says):
    before = folder_state()
    with pytest.raises(error, match=says) as caught:
        apply(either_logits, either_logits.with_stem("probs"), **options)
    assert not isinstance(caught.value, FileError)
    assert folder_state() == before


def test_suffixes_in_capitals(tmp_path, logits):
    logits.rename(tmp_path / "LOGITS.NPY")
    apply(tmp_path / "LOGITS.NPY", tmp_path / "PROBS.NPY")
    assert np.load(tmp_path / "PROBS.NPY").shape == (899, 10)
