"""Classes that JAX can look into: their objects may be arguments and results of its programs."""

from __future__ import annotations

import sys
from threading import Lock

_registering = Lock()
_registered: set[type] = set()


def register(kind: type) -> None:
    """Make a class with `tree_flatten` and `tree_unflatten` a pytree, as soon as JAX is there."""
    jax = sys.modules.get("jax")
    if kind in _registered or not hasattr(jax, "tree_util"):
        return
    with _registering:
        if kind not in _registered:
            sys.modules["jax"].tree_util.register_pytree_node_class(kind)
            _registered.add(kind)
