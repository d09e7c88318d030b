"""Dask's arrays made once more, by tasks of their own.

What is read twice would else stay in memory from the first reading to the second. Dask's own
`clone` leaves tasks with keys that contradict each other
(https://github.com/dask/dask/issues/12455).
"""

from __future__ import annotations

from collections.abc import Hashable
from importlib import import_module
from typing import Any

from anysoftmax.arrays import Array

SEED = "anysoftmax reads twice"


def made_anew(array: Array) -> Array:
    """Return an array of Dask's that other tasks make, with the annotations of those that did.

    What a cluster holds already is not made again.
    """
    specification = import_module("dask._task_spec")
    of_layers = import_module("dask.highlevelgraph")
    graph = array.__dask_graph__()
    names = {key: _renamed(key) for key in graph}
    layers, dependencies = dict(graph.layers), dict(graph.dependencies)
    for name, layer in graph.layers.items():
        tasks = dict(layer)
        held = {key for key, task in tasks.items() if hasattr(task, "release")}
        nodes = specification.convert_legacy_graph(
            {key: task for key, task in tasks.items() if key not in held}, names
        )
        anew = {names[key]: node.substitute(names, key=names[key]) for key, node in nodes.items()}
        anew |= {names[key]: specification.Alias(names[key], key) for key in held}
        layers[_renamed(name)] = of_layers.MaterializedLayer(anew, layer.annotations)
        dependencies[_renamed(name)] = {_renamed(other) for other in graph.dependencies[name]}
        if held:
            dependencies[_renamed(name)].add(name)
    graph = of_layers.HighLevelGraph(layers, dependencies)
    return type(array)(graph, _renamed(array.name), array.chunks, meta=array._meta)  # noqa: SLF001


def _renamed(key: Any) -> Any:
    """Return another name for a key, the same one each time."""
    first: Hashable = key[0] if isinstance(key, tuple) and key else key
    clone_key = import_module("dask.base").clone_key
    return clone_key(key if isinstance(first, str) else str(key), seed=SEED)
