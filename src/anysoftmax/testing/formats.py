"""Floating-point formats as numbers: their unit roundoff, range and the size of an ulp.

bfloat16 has no dtype in NumPy; its values travel in float32 arrays, which hold them exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anysoftmax.testing.oracle.exact import PRECISE, Exact

__all__ = ["FORMATS", "Format"]

NumpyArray = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Parameters
    ----------
    name : str
        ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``.
    precision : int
        Bits of the significand, the hidden one included; the unit roundoff is 2**-precision.
    min_exponent, max_exponent : int
        Normal numbers lie in [2**min_exponent, 2**(max_exponent + 1)).

    Examples
    --------
    >>> float32 = FORMATS["float32"]
    >>> float(float32.unit_roundoff) == 2.0**-24
    True
    >>> float(float32.ulp(1.0)) == 2.0**-23
    True
    """

    name: str
    precision: int
    min_exponent: int
    max_exponent: int

    @property
    def carrier(self) -> np.dtype[Any]:
        """The NumPy dtype that holds every value of this format exactly."""
        return np.dtype("float32" if self.name == "bfloat16" else self.name)

    @property
    def is_16_bit(self) -> bool:
        """Whether the work is done in float32 and only the result is rounded to this format."""
        return self.name in {"float16", "bfloat16"}

    @property
    def unit_roundoff(self) -> Exact:
        """The largest relative error of one rounding to nearest, u = 2**-precision."""
        return PRECISE.ldexp(1, -self.precision)

    @property
    def smallest_normal(self) -> Exact:
        """The smallest number with a full significand."""
        return PRECISE.ldexp(1, self.min_exponent)

    @property
    def smallest_subnormal(self) -> Exact:
        """The smallest number above 0."""
        return PRECISE.ldexp(1, self.min_exponent - self.precision + 1)

    @property
    def largest(self) -> Exact:
        """The largest finite number."""
        return (2 - 2 * self.unit_roundoff) * PRECISE.ldexp(1, self.max_exponent)

    def ulp(self, x: Exact) -> Exact:
        """Return the distance between neighbours of this format around `x`."""
        x = abs(PRECISE.mpf(x))
        exponent = PRECISE.frexp(x)[1] - 1 if x else self.min_exponent
        exponent = min(max(exponent, self.min_exponent), self.max_exponent)
        return PRECISE.ldexp(1, exponent - self.precision + 1)

    def round(self, values: Any) -> NumpyArray:
        """Round `values` to nearest in this format; the result's dtype is `carrier`."""
        with np.errstate(over="ignore"):
            rounded = np.asarray(values).astype(self.carrier)
        return _round_to_bfloat16(rounded) if self.name == "bfloat16" else rounded


def _round_to_bfloat16(values: NumpyArray) -> NumpyArray:
    """Keep the upper half of each float32, rounded to nearest, ties to even."""
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    tie_to_even = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    kept = (bits + tie_to_even) & np.uint32(0xFFFF0000)
    return np.where(np.isfinite(values), kept.view(np.float32), values).astype(np.float32)


FORMATS = {
    format_.name: format_
    for format_ in (
        Format("float16", precision=11, min_exponent=-14, max_exponent=15),
        Format("bfloat16", precision=8, min_exponent=-126, max_exponent=127),
        Format("float32", precision=24, min_exponent=-126, max_exponent=127),
        Format("float64", precision=53, min_exponent=-1022, max_exponent=1023),
    )
}
