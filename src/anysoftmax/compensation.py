"""The rounding errors of a difference and of a quotient, computed exactly or nearly so.

They let the highest precision be reached where no wider dtype is at hand. Compilers may contract
a multiplication and an addition into one operation (FMA); every product below that meets an
addition is exact, or may be rounded either way, so that contraction does no harm.

References
----------
.. [1] D. E. Knuth, "The Art of Computer Programming", vol. 2, section 4.2.2 (the two-sum).
.. [2] T. J. Dekker, "A floating-point technique for extending the available precision",
   Numer. Math. 18 (1971). https://doi.org/10.1007/BF01397083
"""

from __future__ import annotations

from anysoftmax.arrays import Array, Namespace


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the rounded sum of two arrays and, exactly, what rounding has taken from it."""
    total = a + b
    return total, difference_residual(a, -b, total)


def difference_residual(a: Array, b: Array, difference: Array) -> Array:
    """Return ``(a - b) - difference`` exactly, where `difference` is the rounded one."""
    b_part = difference - a
    a_part = difference - b_part
    return (a - a_part) - (b + b_part)


def quotient_residual(
    xp: Namespace, numerator: Array, residual: Array, denominator: Array, quotient: Array
) -> Array:
    """Return ``(numerator + residual) / denominator - quotient`` to a few units of `quotient`.

    It is 0 where the quotient is so low that its exponential vanishes, or the denominator so
    large that its parts would overflow: the quotient's own rounding is harmless there.
    """
    limits = xp.finfo(quotient.dtype)
    single = limits.bits == 32
    lowest, split = (-128.0, 2.0**8) if single else (-1024.0, 2.0**12)
    useful = (quotient > lowest) & (denominator < float(limits.max) / 2 / split)
    quotient = xp.where(useful, quotient, 0.0)
    numerator = xp.where(useful, numerator, 0.0)
    denominator = xp.where(denominator < float(limits.max) / 2 / split, denominator, 1.0)

    upper = (denominator + denominator * split) - denominator * split
    lower = denominator - upper
    whole = xp.round(quotient)  # few enough bits for an exact product with `upper` and `lower`
    fraction = quotient - whole
    remainder = ((numerator - whole * upper) - whole * lower) - fraction * denominator
    return xp.where(useful, (remainder + residual) / denominator, 0.0)
