"""`anysoftmax.files.apply`: its time over that of copying the file, and the memory it takes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from . import harness

LEAST = 2.0  # MiB: what allocators take and keep as it comes; less is no news
ELEMENTS = 32_000_000  # of float32: 128 MB
LAYOUTS = {  # how many classes there are, along which axis
    "rows of 10": (10, -1),
    "rows of 1000": (1000, -1),
    "columns of 10": (10, 0),
    "10 long columns": (ELEMENTS // 10, 0),
}


class File:
    """A file of logits in a folder of its own, and where the result goes."""

    def setup(self, layout, *_):
        self.np = harness.require("numpy")
        self.apply = getattr(harness.require("anysoftmax.files"), "apply", None)
        if self.apply is None:
            raise NotImplementedError
        classes, self.axis = LAYOUTS[layout]
        slices = ELEMENTS // classes
        shape = (slices, classes) if self.axis == -1 else (classes, slices)
        self.folder = Path(tempfile.mkdtemp())
        self.source, self.target = self.folder / "logits.npy", self.folder / "probs.npy"
        sample = harness.logits((200_000,), "float32")
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        with self.source.open("wb") as stream:  # no map, whose pages would count as memory
            self.np.lib.format.write_array_header_1_0(stream, header)
            for _ in range(ELEMENTS // len(sample)):
                stream.write(sample)

    def teardown(self, *_):
        shutil.rmtree(self.folder)

    def softmax(self):
        self.target.unlink(missing_ok=True)
        self.apply(self.source, self.target, axis=self.axis)

    def copy(self):
        """Copy from map to map, in NumPy's usual way."""
        self.target.unlink(missing_ok=True)
        source = self.np.load(self.source, mmap_mode="r")
        target = self.np.lib.format.open_memmap(self.target, "w+", source.dtype, source.shape)
        self.np.copyto(target, source)


class Ratio(File):
    """Our time over that of `np.copyto` from one map to another, by the wall clock."""

    param_names = ["layout", "kernel", "workers"]
    params = [list(LAYOUTS), ["reference", "numba"], [1, 2]]
    unit = "apply / np.copyto"

    def track_ratio(self, _layout, kernel, workers):
        harness.use_all_cores()
        with harness.using(kernel), harness.workers(workers):
            return harness.ratio(self.softmax, self.copy, rounds=5, clock=harness.wall_clock)


class Extra(File):
    """What a call holds at its peak of the 128 MB: a few blocks."""

    param_names = ["layout", "workers"]
    params = [list(LAYOUTS), [1, 2]]
    unit = "MiB"

    def track_extra(self, _layout, workers):
        with harness.using("reference"), harness.workers(workers):
            return max(harness.extra_bytes(self.softmax, 0) / 2**20, LEAST)
