"""LogSumExp in the hands of its users: pickled, scanned, reduced by Dask, and misused."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest

import anysoftmax as asm

X = np.random.default_rng(6).normal(scale=4, size=(5, 12))


def merged(streams):
    return functools.reduce(asm.LogSumExp.merge, streams, asm.LogSumExp(axis=1))


def test_peak_and_rest_are_of_all_blocks():
    stream = asm.LogSumExp(axis=1)
    assert stream.peak is None
    assert stream.rest is None
    for start in range(0, 12, 5):
        stream.update(X[:, start : start + 5])
    assert np.array_equal(stream.peak, X.max(axis=1))
    assert np.allclose(1 + stream.rest, np.exp(X - X.max(axis=1)[:, None]).sum(axis=1), rtol=1e-14)


def test_several_axes_and_more_than_a_block():
    x = np.random.default_rng(0).normal(size=(300, 4, 50))
    stream = asm.LogSumExp(axis=(2, 0)).update(x[:200]).update(x[200:])
    assert np.allclose(stream.result(), asm.logsumexp(x, axis=(0, 2)), rtol=1e-14)


def sent(stream: asm.LogSumExp) -> asm.LogSumExp:
    return pickle.loads(pickle.dumps(stream))  # noqa: S301 - it is our own


def test_pickled_streams_go_on():
    stream = sent(asm.LogSumExp(axis=1).update(X[:, :7]))
    assert np.allclose(stream.update(X[:, 7:]).result(), asm.logsumexp(X, axis=1), rtol=1e-15)
    assert sent(asm.LogSumExp()).update([1.0]).result() == 1


def test_merging_leaves_the_other_as_it_is():
    one, two = (asm.LogSumExp(axis=1).update(part) for part in (X[:, :3], X[:, 3:]))
    before = two.result()
    one.merge(two).update(X)
    assert np.array_equal(two.result(), before)
    fresh = asm.LogSumExp(axis=1).merge(two)
    fresh.update(X)
    assert np.array_equal(two.result(), before)


def test_a_stream_without_blocks_is_the_identity():
    nothing = asm.LogSumExp(axis=1)
    stream = asm.LogSumExp(axis=1).update(X)
    assert np.array_equal(stream.merge(nothing).result(), asm.logsumexp(X, axis=1))
    assert np.array_equal(nothing.merge(stream).result(), asm.logsumexp(X, axis=1))
    with pytest.raises(ValueError, match="there was no block"):
        asm.LogSumExp(axis=1).result()


def test_dtypes_of_blocks_are_promoted():
    stream = asm.LogSumExp().update(np.float16([1, 2]))
    assert stream.result().dtype == np.float16
    assert stream.update(np.float32([3])).result().dtype == np.float32
    assert stream.update([1]).result().dtype == np.float64
    assert stream.result() == pytest.approx(asm.logsumexp([1, 2, 3, 1]), rel=1e-7)


@pytest.mark.parametrize(
    ("block", "error", "message"),
    [
        (np.zeros((4, 3)), ValueError, r"slices of shape \(5,\): got slices of shape \(4,\)"),
        (np.zeros(3), ValueError, "axis 1 is out of range"),
        ("logits", TypeError, "must be an array"),
    ],
)
def test_blocks_that_do_not_fit_change_nothing(block, error, message):
    stream = asm.LogSumExp(axis=1).update(X)
    with pytest.raises(error, match=message):
        stream.update(block)
    assert np.array_equal(stream.result(), asm.logsumexp(X, axis=1))


def test_other_libraries_and_objects_are_refused():
    torch = pytest.importorskip("torch")
    stream = asm.LogSumExp(axis=1).update(X)
    with pytest.raises(TypeError, match="is of numpy: got one of torch"):
        stream.update(torch.asarray(X))
    with pytest.raises(TypeError, match="lies on cpu: got one on meta"):
        asm.LogSumExp().update(torch.ones(2)).update(torch.ones(2, device="meta"))
    with pytest.raises(TypeError, match="merges with another one"):
        stream.merge(X)


def test_it_says_what_it_is_of():
    assert repr(asm.LogSumExp(axis=1)) == "<LogSumExp over axis 1: no block so far>"
    assert repr(asm.LogSumExp(axis=1).update(X)).endswith("slices of shape (5,), numpy>")


def test_scan_with_derivatives():
    jax = pytest.importorskip("jax")

    @jax.jit
    def scanned(x):
        blocks = x.reshape(5, 4, 3).swapaxes(0, 1)
        start = asm.LogSumExp(axis=1).update(x[:, :0])  # tells shape and dtype
        end, _ = jax.lax.scan(lambda s, block: (s.update(block), None), start, blocks)
        return end.result()

    with jax.enable_x64(True):
        x = jax.numpy.asarray(X)
        assert np.allclose(scanned(x), asm.logsumexp(X, axis=1), rtol=1e-15)
        gradient = jax.grad(lambda x: scanned(x).sum())(x)
        assert np.allclose(gradient, asm.softmax(X, axis=1), rtol=1e-13)
        ties = jax.numpy.zeros((5, 12))
        hessian = jax.hessian(lambda x: scanned(x).sum())(ties)[0, :, 0, :]
        assert np.allclose(hessian, np.eye(12) / 12 - 1 / 144, atol=1e-15)


def test_a_long_scan_stays_accurate():
    jax = pytest.importorskip("jax")
    x = np.arange(100_000, dtype=np.float32) * np.float32(1e-4)
    start = asm.LogSumExp().update(jax.numpy.zeros(0, dtype=np.float32))
    end, _ = jax.lax.scan(lambda s, value: (s.update(value), None), start, x)
    expected = asm.logsumexp(x.astype(np.float64))
    assert abs(end.result() - expected) <= 2 * np.spacing(np.float32(expected))


def test_derivatives_of_torch():
    torch = pytest.importorskip("torch")
    x = torch.asarray(X, requires_grad=True)
    streams = [asm.LogSumExp(axis=1).update(part) for part in (x[:, :5], x[:, 5:6], x[:, 6:])]
    merged(streams).result().sum().backward()
    assert np.allclose(x.grad, asm.softmax(X, axis=1), rtol=1e-13)


def test_as_a_reduction_of_dask():
    da = pytest.importorskip("dask.array")

    def summed(block, axis, keepdims, computing_meta=False):
        return block if computing_meta else asm.LogSumExp(axis=axis).update(block)

    def joined(streams, axis, keepdims):
        while isinstance(streams, list) and isinstance(streams[0], list):
            streams = [one for part in streams for one in part]
        return merged(streams)

    y = da.reduction(
        da.from_array(X, chunks=(2, 3)),
        chunk=summed,
        combine=joined,
        aggregate=lambda streams, axis, keepdims: joined(streams, axis, keepdims).result(),
        axis=1,
        concatenate=False,
        dtype=X.dtype,
    )
    y = y.compute(scheduler="synchronous")
    assert np.allclose(y, asm.logsumexp(X, axis=1), rtol=1e-15)
