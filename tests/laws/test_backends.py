"""The backends themselves: faithful carriers of numbers, and never missing in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anysoftmax.testing import BACKENDS, FORMATS, LAWS, Backend, backends


@pytest.mark.parametrize("backend", BACKENDS, indirect=True)
def test_numbers_come_back_as_they_went_in(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    with backend.context():
        for dtype in backend.dtypes:
            for layout in backend.layouts:
                for shape in ((3, 4), (0, 2), (), (1, 2, 3)):
                    values = FORMATS[dtype].round(rng.normal(size=shape))
                    array = backend.array(values, dtype=dtype, layout=layout)
                    assert backend.owns(array)
                    assert backend.dtype_name(array) == dtype
                    assert tuple(array.shape) == shape
                    back = backend.call(lambda x: x + 0, array)
                    assert back.shape == shape
                    assert np.array_equal(back, values)
        for name in backend.integers:
            values = np.asarray([0, 1, np.iinfo(name).max], dtype=name)
            assert np.array_equal(backend.call(lambda x: x, values), values)


def test_traits_are_true() -> None:
    """A subnormal result tells who flushes."""
    for name in ("numpy", "torch", "jax-32", "jax-jit-32"):
        backend = BACKENDS[name]
        if backend.available():
            with backend.context():
                halved = backend.call(lambda x: x * 0.5, np.asarray(2.0**-126, np.float32))
            assert (halved == 0) == backend.flushes_subnormals, name


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="array-api-strict"):
        backends.get("nunpy")


def test_required_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYSOFTMAX_REQUIRED_BACKENDS", "numpy, jax")
    required = {name for name, backend in BACKENDS.items() if backends.is_required(backend)}
    assert required == {
        *("numpy", "numpy-readonly"),
        *("jax", "jax-32", "jax-jit", "jax-jit-32"),
    }
    monkeypatch.setenv("ANYSOFTMAX_REQUIRED_BACKENDS", "")
    assert not any(backends.is_required(backend) for backend in BACKENDS.values())
    monkeypatch.setenv("ANYSOFTMAX_REQUIRED_BACKENDS", "jaxx")
    with pytest.raises(ValueError, match="jaxx"):
        backends.is_required(BACKENDS["numpy"])


def test_a_required_backend_that_is_missing_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest((pytest_root() / "tests" / "conftest.py").read_text())
    pytester.makepyfile(
        """
        import pytest
        from anysoftmax.testing import BACKENDS

        BACKENDS["cupy"].library = "a_library_that_nobody_wrote"

        @pytest.mark.parametrize("backend", ["cupy"], indirect=True)
        def test_on(backend):
            pass
        """
    )
    monkeypatch.setenv("ANYSOFTMAX_REQUIRED_BACKENDS", "numpy")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(skipped=1)
    monkeypatch.setenv("ANYSOFTMAX_REQUIRED_BACKENDS", "cupy")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(errors=1)


def pytest_root() -> Any:
    from pathlib import Path

    return Path(__file__).parents[2]


def test_laws_have_names_of_their_own() -> None:
    names = [law.name for law in LAWS]
    assert len(set(names)) == len(names)
    assert all(law.fault for law in LAWS)
    for law in LAWS:
        assert any(law.applies(backend) for backend in BACKENDS.values()), law.name
