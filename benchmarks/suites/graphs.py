"""How large the graphs are that Dask is given: linear in the chunks, and small per chunk."""

from __future__ import annotations

from . import harness


class Tasks:
    """Tasks of a result on logits in `chunks` chunks, along the classes or along the slices."""

    param_names = ["function", "chunked", "chunks"]
    params = [harness.FUNCTIONS, ["classes", "slices"], [1, 4, 16, 64]]
    unit = "tasks"

    def setup(self, function, chunked, chunks):
        dask_array = harness.require("dask.array")
        sizes = (-1, 1024 // chunks) if chunked == "classes" else (1024 // chunks, -1)
        self.x = dask_array.zeros((1024, 1024), dtype="float32", chunks=sizes)
        self.function = getattr(harness.require("anysoftmax"), function)

    def track_tasks(self, *_):
        graph = self.function(self.x, axis=-1).__dask_graph__()
        return len(dict(graph)) - len(dict(self.x.__dask_graph__()))
