"""The formats as numbers, against NumPy and ml_dtypes."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anysoftmax.testing import FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_limits(name: str) -> None:
    format_ = FORMATS[name]
    info = ml_dtypes.finfo(name)
    assert float(format_.largest) == float(info.max)
    assert float(format_.smallest_normal) == float(info.smallest_normal)
    assert float(format_.smallest_subnormal) == float(info.smallest_subnormal)
    assert float(2 * format_.unit_roundoff) == float(info.eps)


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
@given(x=st.floats(-6e4, 6e4))
def test_ulp_is_the_spacing(name: str, x: float) -> None:
    number = np.asarray(x).astype(name)
    assert float(FORMATS[name].ulp(float(number))) == float(np.spacing(np.abs(number)))


@given(x=st.floats(width=32))
def test_rounding_to_bfloat16(x: float) -> None:
    got = FORMATS["bfloat16"].round(x)
    with np.errstate(all="ignore"):
        known = np.asarray(x, np.float32).astype(ml_dtypes.bfloat16).astype(np.float32)
    assert np.array_equal(got, known, equal_nan=True)
