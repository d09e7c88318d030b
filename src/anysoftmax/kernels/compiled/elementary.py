"""exp and log1p for vectors, float32 and float64, each within 1 ulp.

Both are for the numbers that a slice needs: ``exp`` of 0 and below, ``log1p`` of 0 and above. They
have no branches and no table, so that a loop over them becomes vector instructions.

``exp`` splits z into n log 2 + r with abs(r) <= log(2) / 2 and multiplies a polynomial of r by
2**n. The polynomials are minimax fits of ``(exp(r) - 1 - r) / r**2``, relative to exp. To reach
subnormal results the power is made 2**BIAS times too large, and taken back at the end.

``log1p`` is the classical one of FreeBSD's msun, with selection in place of branches.

References
----------
.. [1] J.-M. Muller, "Elementary Functions: Algorithms and Implementation", 3rd ed. (2016).
.. [2] FreeBSD msun, s_log1p.c, s_log1pf.c.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from anysoftmax.kernels.compiled.instructions import (
    exponent,
    fused,
    larger,
    power_of_two,
    select,
    significand,
)

__all__ = ["exp", "log1p"]

# Nothing may be reordered here; only the sign of zero is free.
INLINE = {"forceinline": True, "fastmath": {"nsz"}}

S = np.float32
LOWEST_S = S(-104.0)  # exp of it and below rounds to 0
LOG2E_S = S(1.44269504088896341)
LN2_HIGH_S, LN2_LOW_S = S(0.693147180559945309), S(-1.90465429995776804e-09)
ROUNDER_S = S(1.5 * 2.0**23 + 127 + 32)  # adding it leaves n + 127 + 32 in the lowest bits
UNBIAS_S = S(2.0**-32)
E6_S, E5_S, E4_S, E3_S, E2_S = (
    S(0.0013814595295116305),
    S(0.008368716575205326),
    S(0.04166838899254799),
    S(0.1666652113199234),
    S(0.4999999403953552),
)
ONE_S, HALF_S, TWO_S = S(1.0), S(0.5), S(2.0)
LOG_HIGH_S, LOG_LOW_S = S(6.9313812256e-01), S(9.0580006145e-06)
L1_S, L2_S, L3_S, L4_S = (
    S(0.66666662693),
    S(0.40000972152),
    S(0.28498786688),
    S(0.24279078841),
)

LOWEST_D = -746.0
LOG2E_D = 1.4426950408889634
LN2_HIGH_D, LN2_LOW_D = 0.6931471805599453, 2.3190468138462996e-17
ROUNDER_D = 1.5 * 2.0**52 + 1023 + 64
UNBIAS_D = 2.0**-64
(E11_D, E10_D, E9_D, E8_D, E7_D, E6_D, E5_D, E4_D, E3_D, E2_D) = (
    2.5110049895858716e-08,
    2.763265575933203e-07,
    2.7557242336680357e-06,
    2.4801487326012337e-05,
    0.00019841269886591,
    0.0013888888947820891,
    0.008333333333322207,
    0.04166666666652199,
    0.16666666666666674,
    0.500000000000001,
)
LOG_HIGH_D, LOG_LOW_D = 6.93147180369123816490e-01, 1.90821492927058770002e-10
L1_D, L2_D, L3_D, L4_D, L5_D, L6_D, L7_D = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)


def exp(z: Any) -> Any:
    """Return exp(z) for z <= 0, -inf included."""
    raise NotImplementedError("only in compiled code")


def log1p(r: Any) -> Any:
    """Return log(1 + r) for finite r >= 0."""
    raise NotImplementedError("only in compiled code")


@overload(exp, jit_options=INLINE)
def _exp(z):
    return _exp_single if z == types.float32 else _exp_double


@overload(log1p, jit_options=INLINE)
def _log1p(r):
    return _log1p_single if r == types.float32 else _log1p_double


def _exp_single(z):
    z = larger(z, LOWEST_S)
    t = fused(z, LOG2E_S, ROUNDER_S)
    n = t - ROUNDER_S
    r = fused(n, -LN2_LOW_S, fused(n, -LN2_HIGH_S, z))
    p = fused(r, E6_S, E5_S)
    p = fused(p, r, E4_S)
    p = fused(p, r, E3_S)
    p = fused(p, r, E2_S)
    p = fused(p, r, ONE_S)
    p = fused(p, r, ONE_S)
    return (p * power_of_two(t)) * UNBIAS_S


def _exp_double(z):
    z = larger(z, LOWEST_D)
    t = fused(z, LOG2E_D, ROUNDER_D)
    n = t - ROUNDER_D
    r = fused(n, -LN2_LOW_D, fused(n, -LN2_HIGH_D, z))
    p = fused(r, E11_D, E10_D)
    p = fused(p, r, E9_D)
    p = fused(p, r, E8_D)
    p = fused(p, r, E7_D)
    p = fused(p, r, E6_D)
    p = fused(p, r, E5_D)
    p = fused(p, r, E4_D)
    p = fused(p, r, E3_D)
    p = fused(p, r, E2_D)
    p = fused(p, r, 1.0)
    p = fused(p, r, 1.0)
    return (p * power_of_two(t)) * UNBIAS_D


def _log1p_single(r):
    u = ONE_S + r
    lost = select(r > ONE_S, ONE_S - (u - r), r - (u - ONE_S)) / u
    k = exponent(u)
    f = significand(u) - ONE_S
    s = f / (TWO_S + f)
    z = s * s
    w = z * z
    series = z * (L1_S + w * L3_S) + w * (L2_S + w * L4_S)
    half = HALF_S * f * f
    return s * (half + series) + (k * LOG_LOW_S + lost) - half + f + k * LOG_HIGH_S


def _log1p_double(r):
    u = 1.0 + r
    lost = select(r > 1.0, 1.0 - (u - r), r - (u - 1.0)) / u
    k = exponent(u)
    f = significand(u) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    series = z * (L1_D + w * (L3_D + w * (L5_D + w * L7_D))) + w * (L2_D + w * (L4_D + w * L6_D))
    half = 0.5 * f * f
    return s * (half + series) + (k * LOG_LOW_D + lost) - half + f + k * LOG_HIGH_D
