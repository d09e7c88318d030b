"""Whatever happens, a file is whole or not there, and nothing else changes."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax.files import FileError, FileRequestError, application, apply, conversion, npy


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
    monkeypatch.setattr(conversion, "BLOCK_BYTES", 4000)


@pytest.fixture(params=["nameless", "hidden", "copied"])
def each_system(request, monkeypatch):
    """Give new files in each way that there is; return whether a hidden one is ever seen."""
    if request.param == "nameless" and not hasattr(os, "O_TMPFILE"):
        pytest.skip("files without a name are Linux's")
    if request.param == "hidden":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    if request.param == "copied":  # by a system that lets no file without a name have one

        def refused(*_arguments, **_options):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refused)
    return request.param == "hidden"


@pytest.fixture
def umask():
    """Set the umask to a value that shows, and back."""
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_usual_mode(tmp_path, logits, umask, each_system):
    apply(logits, tmp_path / "probs.npy")
    assert mode(tmp_path / "probs.npy") == 0o666 & ~umask


def test_a_replaced_file_keeps_its_mode(tmp_path, logits, each_system):
    target = tmp_path / "probs.npy"
    target.write_bytes(b"")
    target.chmod(0o600)
    apply(logits, target, overwrite=True)
    assert mode(target) == 0o600
    assert np.load(target).shape == (899, 10)
    assert {path.name for path in tmp_path.iterdir()} == {"logits.npy", "probs.npy"}


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
@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"workers": 2}], ids="".join)
@pytest.mark.usefixtures("small_blocks")
def test_any_failure_leaves_everything_as_it_was(
    logits, folder_state, failure, options, each_system
):
    target = logits.with_stem("probs")
    if "overwrite" in options:
        target.write_bytes(b"precious")
    before = folder_state()

    def interrupt(done, total):
        assert len(folder_state()) == len(before) + each_system  # the new file is being written
        if done > 0.5 * total:
            raise failure

    with pytest.raises(failure):
        apply(logits, target, progress=interrupt, **options)
    assert folder_state() == before


def test_a_target_that_appears_meanwhile_is_not_destroyed(tmp_path, logits, each_system):
    target = tmp_path / "probs.npy"
    with pytest.raises(FileRequestError, match="exists already"):
        apply(logits, target, progress=lambda done, total: target.write_bytes(b"another's"))
    assert target.read_bytes() == b"another's"
    assert {path.name for path in tmp_path.iterdir()} == {"logits.npy", "probs.npy"}


def test_a_source_replaced_meanwhile_is_read_to_its_end(tmp_path, logits, digits, monkeypatch):
    monkeypatch.setattr(conversion, "BLOCK_BYTES", 400)

    def replace_source(done, total):
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


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of one megabyte."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    root = shutil.which("mount") and os.geteuid() == 0
    if not root or subprocess.run(mount, check=False).returncode:  # nor may root everywhere
        pytest.skip("only root may mount a disk")
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv"])
@pytest.mark.usefixtures("small_blocks")
def test_a_disk_that_is_really_full(tmp_path, small_disk, suffix):
    logits = np.random.default_rng(0).normal(size=(200_000, 2)).astype(np.float32)
    source = tmp_path / f"logits.{suffix}"
    if suffix == "csv":
        source.write_text("0.5,1.5\n" * 200_000)
    else:
        {"npy": np.save, "npz": np.savez_compressed}[suffix](source, logits)
    told = []
    with pytest.raises(FileError, match=r"probs\.\w+: cannot be written: No space left on device"):
        apply(source, small_disk / f"probs.{suffix}", progress=lambda *args: told.append(args))
    assert list(small_disk.iterdir()) == []
    assert suffix != "npy" or not told  # it was found out before the work


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.usefixtures("small_blocks", "each_system")
def test_two_runs_on_one_target(logits, digits, folder_state, overwrite):
    """One is begun while the other is at work."""
    target = logits.with_stem("probs")
    begun = []

    def begin_another(done, total):
        if not begun:
            begun.append(True)
            apply(logits, target, log=True, overwrite=overwrite)

    if overwrite:
        apply(logits, target, overwrite=True, progress=begin_another)
    else:
        with pytest.raises(FileRequestError, match=r"probs\.npy: exists already"):
            apply(logits, target, progress=begin_another)
    last = asm.softmax if overwrite else asm.log_softmax
    np.testing.assert_allclose(np.load(target), last(digits), rtol=2e-6)
    assert {str(path) for path in folder_state()} == {"logits.npy", "probs.npy"}


@pytest.mark.parametrize("left", [100_000 * 8, 100_000 * 8 - 3])  # whole rows, and a half number
def test_a_table_that_is_cut_short_meanwhile(tmp_path, folder_state, left):
    """The rows that were left once passed for all."""
    source = tmp_path / "logits.csv"
    source.write_text("1.5,2.5\n" * 200_000)
    with pytest.raises(FileError, match=r"logits\.csv: was cut short while it was read"):
        apply(source, tmp_path / "probs.csv", progress=lambda *_: os.truncate(source, left))
    assert {str(path) for path in folder_state()} == {"logits.csv"}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.usefixtures("small_blocks")
def test_a_source_that_is_cut_short_meanwhile(tmp_path, logits, folder_state, workers):
    def cut(done, total):
        os.truncate(logits, 5000)

    with pytest.raises(FileError, match=r"logits\.npy: was cut short while it was read"):
        apply(logits, tmp_path / "probs.npy", workers=workers, progress=cut)
    assert {str(path) for path in folder_state()} == {"logits.npy"}


@pytest.mark.usefixtures("small_blocks")
def test_a_source_that_vanishes_meanwhile_is_read_to_its_end(tmp_path, logits, digits):
    apply(
        logits, tmp_path / "probs.npy", progress=lambda done, total: logits.unlink(missing_ok=True)
    )
    np.testing.assert_allclose(np.load(tmp_path / "probs.npy"), asm.softmax(digits), rtol=2e-6)


def test_a_source_whose_name_is_too_long(tmp_path):
    with pytest.raises(FileError, match="cannot be read: File name too long"):
        apply(tmp_path / ("a" * 300 + ".npy"), tmp_path / "probs.npy")


def test_an_appeared_target_is_named_as_it_was_given(tmp_path, logits, each_system, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileRequestError, match=r"^probs\.npy: exists already"):
        apply(
            logits, "probs.npy", progress=lambda *_: (tmp_path / "probs.npy").write_bytes(b"other")
        )


def test_a_source_that_vanishes_before_it_is_opened(tmp_path, logits, monkeypatch):
    monkeypatch.setattr(application, "require_file", lambda path: path.unlink())
    with pytest.raises(FileError, match=r"logits\.npy: (no such file|is not a regular file)"):
        apply(logits, tmp_path / "probs.npy")


@pytest.mark.usefixtures("small_blocks")
def test_a_folder_that_vanishes_meanwhile(tmp_path, logits, each_system):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match=r"probs\.npy: cannot be written: No such file"):
        apply(
            logits,
            tmp_path / "folder" / "probs.npy",
            progress=lambda done, total: shutil.rmtree(tmp_path / "folder", ignore_errors=True),
        )


@pytest.mark.parametrize("method", ["read", "readinto"])  # of the header, and of the numbers
def test_a_disk_that_cannot_be_read(tmp_path, logits, monkeypatch, folder_state, method):
    before = folder_state()

    def broken(*_arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(npy, "opened", type("Broken", (io.FileIO,), {method: broken}))
    with pytest.raises(FileError, match=r"logits\.npy: cannot be read: Input/output error"):
        apply(logits, tmp_path / "probs.npy")
    assert folder_state() == before


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
