"""Chunks that are counted when they are made, and for as long as they are in memory."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np


class Source:
    """Makes a Dask array of random chunks, and counts them."""

    def __init__(self) -> None:
        self.made = 0
        self.alive = 0
        self.most_alive = 0

    def array(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Any:
        """Return logits with chunks of these lengths along the two axes."""
        import dask.array as da

        return da.map_blocks(
            self._chunk, chunks=(rows, columns), dtype=np.float64, meta=np.empty((0, 0))
        )

    def _chunk(self, block_info: Any = None) -> Any:
        place = block_info[None]
        generator = np.random.default_rng(place["chunk-location"])
        chunk = generator.normal(scale=4, size=place["chunk-shape"])
        self.made += 1
        self.alive += 1
        self.most_alive = max(self.most_alive, self.alive)
        weakref.finalize(chunk, self._gone)
        return chunk

    def _gone(self) -> None:
        self.alive -= 1

    def __dask_tokenize__(self) -> str:
        return f"source {id(self)}"
