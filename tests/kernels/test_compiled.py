"""What the laws do not see of the Numba kernels: which path was taken, memory, threads, disk."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anysoftmax as asm
from anysoftmax import dispatch, kernels
from anysoftmax.admission import admit
from anysoftmax.operations import MOMENTS, SUMMARY
from anysoftmax.testing import backends, laws

pytest.importorskip("numba")

from anysoftmax.kernels.compiled import evaluation, walks

FUNCTIONS = ("softmax", "log_softmax", "logsumexp")
PARTS = {"moments": MOMENTS, "summary": SUMMARY}
BOUND = 8 * 2**20


@pytest.fixture(autouse=True)
def by_numba() -> Iterator[None]:
    with kernels.use("numba"):
        yield


def compute(name: str, x: Any, **options: Any) -> Any:
    """Call a public function, or compute what is a part of some."""
    if name in PARTS:
        return dispatch.compute(PARTS[name], admit(x, **options))
    return getattr(asm, name)(x, **options)


def reference(name: str, x: Any, **options: Any) -> Any:
    with kernels.use("reference"):
        return compute(name, x, **options)


def logits(*shape: int, dtype: str = "float64") -> Any:
    return 4 * np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, ...]]]:
    """The walks that a test has taken, and the shape of what they were given."""
    seen = []
    for name in ("ROWS", "COLUMNS", "TURNED"):
        table = getattr(walks, name)
        for function, walk in table.items():

            def spy(*arguments: Any, walk: Any = walk, name: str = name) -> Any:
                seen.append((name, arguments[3]))
                return walk(*arguments)

            monkeypatch.setitem(table, function, spy)
    return seen


@pytest.mark.parametrize("function", [*FUNCTIONS, "summary"])
@pytest.mark.parametrize(
    ("shape", "axis", "arrange", "walk"),
    [
        ((40, 300), -1, lambda x: x, "ROWS"),
        ((300, 40), 0, lambda x: x, "COLUMNS"),
        ((300, 40), 0, np.asfortranarray, "ROWS"),
        ((40, 300), -1, np.asfortranarray, "COLUMNS"),
        ((1000, 7), 0, lambda x: x, "COLUMNS"),
        ((1000, 7), -1, lambda x: x, "TURNED"),
        ((4, 9, 50), 1, lambda x: x, "COLUMNS"),
        ((40, 9, 5), 1, lambda x: x, "TURNED"),
        ((3, 20, 30), (1, 2), lambda x: x, "ROWS"),
        ((40, 300), -1, lambda x: x[::-1, ::-1], "ROWS"),
        ((40, 600), -1, lambda x: x[:, ::2], "ROWS"),
        ((300, 1), 0, lambda x: np.broadcast_to(x, (300, 40)), "ROWS"),
        ((40, 1), -1, lambda x: x, "TURNED"),
    ],
)
def test_layouts_without_a_copy(  # noqa: PLR0917
    function: str,
    shape: tuple[int, ...],
    axis: Any,
    arrange: Callable[[Any], Any],
    walk: str,
    taken: list[Any],
) -> None:
    if function == "summary" and axis == (1, 2):
        pytest.skip("summaries are of one axis")
    x = arrange(logits(*shape))
    x.flags.writeable = False
    got = compute(function, x, axis=axis)
    np.testing.assert_allclose(got, reference(function, x, axis=axis), rtol=1e-13)
    assert [name for name, _ in taken] == [walk]
    assert int(np.prod(taken[0][1][:3])) == x.size


@pytest.mark.parametrize("shape", [(6, 1000), (40, 3, 7), (40, 1)])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("arrange", [np.ascontiguousarray, np.asfortranarray])
def test_summaries_of_copies(shape: tuple[int, ...], axis: int, arrange: Any) -> None:
    x = arrange(logits(*shape))
    where = np.random.default_rng(0).random(shape) < 0.5
    got = compute("summary", x, axis=axis, where=where)
    expected = reference("summary", x, axis=axis, where=where)
    np.testing.assert_allclose(got, expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((40, 300), 1), ((300, 40), 0), ((1000, 7), 1), ((4, 9, 50), 1), ((3, 5000), 1)],
)
@pytest.mark.parametrize("masked", [False, True])
def test_moments(shape: tuple[int, ...], axis: int, dtype: str, masked: bool, taken: Any) -> None:
    x = logits(*shape, dtype=dtype)
    x[0, 0], x[0, 1], x[1, 2] = -np.inf, -1e30, np.nan
    where = np.random.default_rng(0).random(shape) < 0.9 if masked else None
    options = {"axis": axis, "where": where, "temperature": 1.7}
    got = compute("moments", x, **options)
    assert {walk for walk, _ in taken} == {"ROWS"}
    expected = reference("moments", x.astype(np.float64), **options)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, rtol=64 * np.finfo(dtype).eps)


@pytest.mark.parametrize("function", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", [(40, 300), (300, 7), (7, 300), (5, 6, 70)])
@pytest.mark.parametrize("axis", [0, 1])
def test_in_place(function: str, shape: tuple[int, ...], axis: int) -> None:
    for dtype in ("float32", "float64"):
        x = logits(*shape, dtype=dtype)
        x[0, 0] = np.nan
        expected = getattr(asm, function)(x.copy(), axis=axis)
        assert getattr(asm, function)(x, axis=axis, out=x) is x
        np.testing.assert_allclose(x, expected, rtol=1e-6)


def test_out_that_overlaps_the_logits() -> None:
    memory = logits(41, 300).ravel()
    x, out = memory[:12000].reshape(40, 300), memory[300:].reshape(40, 300)
    expected = reference("softmax", x)
    asm.softmax(x, out=out)
    np.testing.assert_allclose(out, expected, rtol=1e-13)


@pytest.mark.parametrize("function", [*FUNCTIONS, "summary"])
@pytest.mark.parametrize(("shape", "axis"), [((64, 300), 1), ((300, 64), 0), ((64, 5), 1)])
def test_only_special_slices_are_handed_over(
    function: str, shape: tuple[int, ...], axis: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = logits(*shape)
    slices = np.moveaxis(x, axis, -1)
    for i, value in enumerate((np.nan, np.inf, 1e308)):
        slices[10 * i, 2] = value
    slices[40] = -np.inf
    slices[50, 1:] = -np.inf  # stands beside a finite value: ordinary
    expected = reference(function, x, axis=axis)
    handed = []
    compute_special = evaluation._compute_special

    def spy(*arguments: Any) -> None:
        handed.extend(arguments[-1].tolist())
        compute_special(*arguments)

    monkeypatch.setattr(evaluation, "_compute_special", spy)
    np.testing.assert_allclose(compute(function, x, axis=axis), expected, rtol=1e-13)
    assert handed == [0, 10, 20, 40]


@pytest.mark.parametrize(
    ("shape", "axis", "options"),
    [
        ((4000, 1000), -1, {}),
        ((1000, 4000), 0, {}),
        ((400_000, 10), -1, {}),
        ((400_000, 10), -1, {"temperature": 0.5}),
        ((100, 100, 400), (0, 2), {}),
        ((4000, 1000), -1, {"precision": "highest", "dtype": "float32"}),
        ((4000, 1000), -1, {"where": np.arange(1000) % 3 > 0}),
    ],
)
def test_extra_memory_is_bounded(
    shape: tuple[int, ...], axis: Any, options: dict[str, Any]
) -> None:
    x = np.zeros(shape, np.float32)
    out = np.empty_like(x)
    asm.softmax(x[:1], axis=axis, **options)  # compiles
    tracemalloc.start()
    try:
        asm.softmax(x, axis=axis, out=out, **options)
        assert tracemalloc.get_traced_memory()[1] < BOUND
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("options", [{}, {"where": np.arange(1000) % 3 > 0}])
def test_workers_share_the_blocks(options: dict[str, Any]) -> None:
    x = logits(3000, 1000)
    x[::100, 0] = np.nan
    expected = asm.softmax(x, **options)
    with asm.workers(4):
        np.testing.assert_array_equal(asm.softmax(x, **options), expected)
        np.testing.assert_array_equal(asm.softmax(x.T, axis=0, **transposed(options)), expected.T)


def transposed(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value[:, None] for name, value in options.items()}


def test_a_second_process_does_not_compile(tmp_path: Path) -> None:
    script = """
import numpy as np, anysoftmax as asm
from anysoftmax import kernels
from anysoftmax.kernels.compiled import walks
with kernels.use("numba"):
    for shape in ((40, 300), (300, 40), (300, 4)):
        asm.softmax(np.zeros(shape))
    asm.logsumexp(np.zeros((4, 300)), axis=1)
used = [walks.ROWS["softmax"], walks.TURNED["softmax"], walks.ROWS["logsumexp"]]
print(sum(sum(w.stats.cache_hits.values()) for w in used),
      sum(sum(w.stats.cache_misses.values()) for w in used))
"""
    source = Path(asm.__file__).parents[1]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(source)}
    printed = [
        subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert printed == [[b"0", b"3"], [b"3", b"0"]]


def test_importing_does_not_import_numba() -> None:
    script = "import sys, anysoftmax; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        (lambda: asm.logsumexp(logits(3, 4), weights=np.ones(4)), "weights"),
        (lambda: asm.softmax(logits(3, 4), precision="highest"), "compensated"),
        (lambda: asm.softmax(logits(3, 4).astype(np.longdouble)), "float32 or float64"),
        (lambda: asm.entropy(logits(3, 4)), "computes no entropy: use 'reference'"),
    ],
)
def test_what_it_is_not_able_to_do(call: Callable[[], Any], fault: str) -> None:
    if np.dtype(np.longdouble).itemsize == 8 and "float" in fault:
        pytest.skip("long double is float64 here")
    with pytest.raises(asm.KernelError, match=fault):
        call()


def test_a_slice_too_long_to_copy_is_refused() -> None:
    x = np.zeros((2, 10**6))
    with pytest.raises(asm.KernelError, match="copy slices"):
        asm.softmax(x, where=x == 0)


@pytest.mark.parametrize("name", ["numpy-numba", "torch-numba"])
def test_the_backends_do_use_the_kernels(name: str) -> None:
    backend = backends.get(name)
    if not backend.available():
        pytest.skip(f"backend {name} is not installed")
    before = backend.served
    laws.get("unit-interval").check(backend)
    assert backend.served > before


@pytest.mark.parametrize(
    ("law", "walk"), [("default-accuracy", "TURNED"), ("million-classes", "ROWS")]
)
def test_a_wrong_kernel_is_caught(law: str, walk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = getattr(walks, walk)
    right = table["softmax"]

    def wrong(x: Any, out: Any, t: Any, *others: Any) -> Any:
        found = right(x, out, t, *others)
        first = np.ctypeslib.as_array(
            (np.ctypeslib.ctypes.c_uint8 * 4).from_address(out[0] + out[2])
        )
        first[2] ^= 16  # one bit in the significand of one probability
        return found

    monkeypatch.setitem(table, "softmax", wrong)
    with pytest.raises(AssertionError):
        laws.get(law).check(backends.get("numpy-numba"))


def test_without_a_place_for_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core.caching import CacheImpl

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    walk = walks.bind(walks.by_rows, walks.rows.softmax_row)
    monkeypatch.setitem(walks.ROWS, "softmax", walk)
    np.testing.assert_allclose(asm.softmax(np.zeros((2, 300))), 1 / 300)
