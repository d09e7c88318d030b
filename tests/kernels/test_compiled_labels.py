"""The Numba kernels of labels' derivatives, beside the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax import kernels

pytest.importorskip("numba")

ARRANGEMENTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.stack([x, x], -1)[..., 0],
    "first axis last": lambda x: np.moveaxis(np.moveaxis(x, 0, -1).copy(), -1, 0),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "temperature": {"temperature": 0.75},
    "temperatures": {"temperature": (0.5, 0.0, np.inf, 2.0)},
    "masked": {"where": 0.8},
}


def derivatives(kernel: str, x: Any, labels: Any, **options: Any) -> Any:
    with kernels.use(kernel):
        return asm.cross_entropy_grad(x, labels, **options)


@pytest.mark.parametrize("arrange", ARRANGEMENTS.values(), ids=ARRANGEMENTS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((40, 300), 1),
        ((300, 40), 0),
        ((1000, 7), 1),
        ((7, 600), 0),
        ((5, 1), 1),
        ((4, 9, 50), 1),
        ((40, 9, 5), 1),
        ((9,), 0),
    ],
)
def test_the_same_as_the_reference(
    shape: tuple[int, ...], axis: int, arrange: Any, options: dict[str, Any], dtype: str
) -> None:
    generator = np.random.default_rng(0)
    x = 4 * generator.standard_normal(shape).astype(dtype)
    x.flat[0], x.flat[x.size // 2], x.flat[-1] = -np.inf, np.nan, 40
    slices = np.delete(shape, axis)
    labels = generator.integers(0, shape[axis], slices)
    labels = np.where(generator.random(slices) < 0.5, np.argmax(x, axis), labels)
    kept = [1 if i == axis else n for i, n in enumerate(shape)]
    options = dict(options)
    if isinstance(options.get("temperature"), tuple):
        options["temperature"] = generator.choice(options["temperature"], kept)
    if "where" in options:
        options["where"] = generator.random(shape) < options["where"]
    options |= {"axis": axis, "reduction": "sum"}
    options["sample_weights"] = generator.choice([0.0, 0.5, 1.0], slices)
    expected = derivatives("reference", x, labels, **options)
    got = derivatives("numba", arrange(x), labels, **options)
    close = {"float16": (1e-3, 1e-3), "float32": (1e-4, 1e-6), "float64": (1e-12, 1e-14)}[dtype]
    np.testing.assert_allclose(got, expected, rtol=close[0], atol=close[1])


@pytest.mark.parametrize(("shape", "axis"), [((3000, 200), 1), ((200, 3000), 0), ((90_000, 5), 1)])
def test_workers_share_the_blocks(shape: tuple[int, ...], axis: int) -> None:
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    labels = np.zeros(np.delete(shape, axis), int)
    alone = derivatives("numba", x, labels, axis=axis)
    with asm.workers(3):
        np.testing.assert_array_equal(derivatives("numba", x, labels, axis=axis), alone)


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    labels = torch.arange(40)
    options = {"sample_weights": labels % 3}  # their mean makes cotangents of float64
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(40, 300).to(dtype)
        expected = derivatives("reference", x, labels, **options)
        got = derivatives("numba", x, labels, **options)
        torch.testing.assert_close(got, expected, atol=1e-8, rtol=4 * torch.finfo(dtype).eps)
    x.requires_grad_()
    with pytest.raises(asm.KernelError, match="no derivative of cross_entropy_grad by logits"):
        derivatives("numba", x, labels)
