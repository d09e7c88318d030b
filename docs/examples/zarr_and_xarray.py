"""Softmax of a zarr store that need not fit in memory, and of an xarray whose axes have names.

Run it with a folder for the stores, or without one: ``python zarr_and_xarray.py [FOLDER]``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
import zarr

import anysoftmax as asm


def zarr_to_zarr(logits: str, probabilities: str) -> None:
    """Write the probabilities of the logits in a store to another one, chunk by chunk."""
    lazy = da.from_zarr(logits)
    asm.softmax(lazy).to_zarr(probabilities, mode="w")


def softmax_of_named(logits: xr.DataArray, classes: str, **options: Any) -> xr.DataArray:
    """Return the softmax along the dimension of the classes, lazy if the logits are."""
    return xr.apply_ufunc(
        asm.softmax,
        logits,
        kwargs={"axis": -1, **options},  # xarray puts the core dimension last
        input_core_dims=[[classes]],
        output_core_dims=[[classes]],
        dask="allowed",  # not "parallelized", which would refuse chunked classes
        keep_attrs=True,
    ).transpose(*logits.dims)


def main(folder: Path) -> None:
    """Make a store of logits, normalise it, and do the same with names."""
    rng = np.random.default_rng(0)
    store, result = str(folder / "logits.zarr"), str(folder / "probabilities.zarr")
    values = rng.normal(scale=4, size=(1000, 60)).astype(np.float32)
    zarr.create_array(store, data=values, chunks=(250, 20), overwrite=True)

    zarr_to_zarr(store, result)
    probabilities = zarr.open_array(result, mode="r")
    print("zarr:", probabilities.shape, probabilities.dtype, "in chunks of", probabilities.chunks)
    print("as of NumPy:", np.allclose(probabilities[:], asm.softmax(values), rtol=1e-6))

    named = xr.DataArray(
        da.from_zarr(store),
        dims=("sample", "word"),
        coords={"sample": np.arange(1000)},
        attrs={"model": "drawn at random"},
    )
    shares = softmax_of_named(named, "word", temperature=2.0)
    print("xarray:", shares.dims, "lazy" if shares.chunks else "computed", shares.attrs)
    print(
        "sums:", float(shares.sum("word").min().round(6)), float(shares.sum("word").max().round(6))
    )
    by_sample = softmax_of_named(named, "sample")
    print("along the samples:", by_sample.dims, float(by_sample.sum("sample").mean().round(6)))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
