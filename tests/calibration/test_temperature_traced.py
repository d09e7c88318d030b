"""Fits of arrays without values, or with derivatives: what traces, and what is computed when."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anysoftmax.calibration import TemperatureFit, fit_temperature

INF, NAN = np.inf, np.nan
ROWS = np.asarray([[3.0, 1.0, 0.5], [2.0, 1.0, -1.0], [0.25, 4.0, 2.0], [1.0, 2.0, 2.5]], "f4")
LABELS = np.asarray([0, 1, 1, 2])
PLAIN = fit_temperature(ROWS.astype(np.float64), LABELS)

compiled = jax.jit(fit_temperature)


def test_a_fit_is_a_pytree() -> None:
    fit = compiled(ROWS, LABELS)
    assert isinstance(fit, TemperatureFit)
    assert fit.status == "converged"
    assert len(jax.tree.leaves(fit)) == 6
    np.testing.assert_allclose(fit.temperature, PLAIN.temperature, rtol=1e-5)

    @jax.jit
    def scaled(logits: Any, labels: Any) -> Any:
        found = fit_temperature(logits, labels)
        return jnp.where(found.status_code == 0, logits / found.temperature, logits)

    np.testing.assert_allclose(scaled(ROWS, LABELS), ROWS / PLAIN.temperature, rtol=1e-5)


def test_one_program_serves_all_values() -> None:
    traced = []

    def fit(logits: Any, labels: Any) -> Any:
        traced.append(None)
        return fit_temperature(logits, labels)

    program = jax.jit(fit)
    statuses = [
        program(ROWS, LABELS).status,
        program(ROWS, ROWS.argmax(1)).status,
        program(ROWS, ROWS.argmin(1)).status,
        program(ROWS * 0, LABELS).status,
        program(ROWS * NAN, LABELS).status,
    ]
    expected = ["converged", "separable", "uninformative", "uninformative", "undefined"]
    assert statuses == expected
    assert len(traced) == 1


@pytest.mark.parametrize(
    ("logits", "labels", "weights"),
    [
        (np.where(ROWS == 4, NAN, ROWS), LABELS, np.ones(4)),
        (np.where(ROWS > 0.3, INF, ROWS), LABELS, np.ones(4)),
        (ROWS, LABELS + 1, np.ones(4)),
        (ROWS, LABELS - 1, np.ones(4)),
        (ROWS, LABELS, np.zeros(4)),
        (ROWS, LABELS, np.asarray([1, 1, NAN, 1])),
        (ROWS, LABELS, np.asarray([1, 1, INF, 1])),
        (ROWS, LABELS, np.asarray([1, 1, -1, 1])),
        (np.where(np.eye(3)[LABELS] == 1, -INF, ROWS), LABELS, np.ones(4)),
        (np.asarray([[2e38, -2e38, 0]] * 4, "f4"), LABELS, np.ones(4)),
    ],
)
def test_what_nobody_can_be_told_of(logits: Any, labels: Any, weights: Any) -> None:
    fit = jax.jit(lambda x, y, w: fit_temperature(x, y, sample_weights=w))(logits, labels, weights)
    assert fit.status == "undefined"
    assert np.isnan(fit.temperature)
    assert np.isnan(fit.nll_after)


def test_many_fits_side_by_side() -> None:
    logits = np.stack([ROWS, 2 * ROWS, -ROWS])
    labels = np.stack([LABELS, LABELS, LABELS])
    fits = jax.jit(jax.vmap(fit_temperature))(logits, labels)
    for i in range(3):
        one = fit_temperature(logits[i].astype(np.float64), labels[i])
        np.testing.assert_allclose(fits.temperature[i], one.temperature, rtol=1e-5)
        np.testing.assert_allclose(fits.nll_after[i], one.nll_after, rtol=1e-5)
        assert fits.status_code[i] == one.status_code


def test_the_temperature_is_a_constant_to_differentiation() -> None:
    def of_logits(x: Any) -> Any:
        return fit_temperature(x, jnp.asarray(LABELS)).temperature * x[0, 0]

    slope = jax.grad(of_logits)(jnp.asarray(ROWS))
    np.testing.assert_allclose(slope[0, 0], PLAIN.temperature, rtol=1e-5)
    assert (np.asarray(slope).ravel()[1:] == 0).all()
    leaf = torch.tensor(ROWS, requires_grad=True)
    fit = fit_temperature(leaf, torch.tensor(LABELS))
    assert not fit.temperature.requires_grad
    np.testing.assert_allclose(fit.temperature, PLAIN.temperature, rtol=1e-5)


def test_chunks_are_read_once_a_step() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(600, 7))
    labels = np.argmax(logits / 2 + rng.gumbel(size=logits.shape), axis=1)
    reads = []

    def read(block: Any, block_info: Any = None) -> Any:
        if block_info:
            reads.append(block_info[0]["chunk-location"])
        return block

    lazy = da.from_array(logits, chunks=(100, 7)).map_blocks(read, dtype=logits.dtype)
    with dask.config.set(scheduler="synchronous"):
        fit = fit_temperature(lazy, da.from_array(labels, chunks=100))
        steps = int(fit.iterations)
        np.testing.assert_allclose(
            float(fit.temperature), fit_temperature(logits, labels).temperature, rtol=1e-10
        )
    assert isinstance(fit.temperature, da.Array)
    # Two looks beside the steps: at the temperature 1, where the gaps are kept, and at the end.
    assert len(reads) == 6 * (steps + 2)


def test_chunks_of_any_shape() -> None:
    for chunks in [(1, 3), (4, 1), (3, 2)]:
        fit = fit_temperature(da.from_array(ROWS, chunks=chunks), da.from_array(LABELS, chunks=2))
        np.testing.assert_allclose(float(fit.temperature), PLAIN.temperature, rtol=1e-5)
        assert fit.status == "converged"


def test_lazy_bad_input_is_refused() -> None:
    """A fit computes, so that it knows."""
    labels = da.from_array(LABELS)
    with pytest.raises(ValueError, match="logits must not be NaN"):
        fit_temperature(da.from_array(ROWS * NAN), labels)
    weights = da.from_array(np.asarray([1.0, -1.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="0 or more"):
        fit_temperature(da.from_array(ROWS), labels, sample_weights=weights)
    logits = da.from_array(ROWS)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        fit_temperature(logits[logits[:, 0] > 0], labels)
    with pytest.raises(IndexError, match="a label is out of range for 3 classes"):
        fit_temperature(da.from_array(ROWS), labels + 1)
    weights = da.from_array(np.asarray([1.0, 1.0, 1.0, 0.0]))
    assert fit_temperature(da.from_array(ROWS), labels + 1, sample_weights=weights).status
    with pytest.raises(ValueError, match="sample_weights are zero"):
        fit_temperature(da.from_array(ROWS), labels, sample_weights=da.zeros(4))
