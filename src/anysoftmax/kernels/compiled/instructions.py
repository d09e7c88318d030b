"""Single machine instructions that Numba has no name for, and memory by its address.

Each of them works lane by lane, so that LLVM can use it on whole vectors; what Numba makes of the
same thing in Python (``max``, ``if``) does not vectorise or mistreats NaN.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "SQUARE",
    "address_of",
    "exponent",
    "fused",
    "larger",
    "one",
    "power_of_two",
    "select",
    "significand",
    "size_of",
    "transpose_square",
    "zero",
]

Typed = tuple[Any, Any]  # a signature, and what writes the instruction

SQUARE = 8  # rows and columns that `transpose_square` takes
# How it mixes pairs of rows that are 1, 2 and 4 apart.
MIXES = (
    ((0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15)),
    ((0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)),
    ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)),
)
HALF_ROOT = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}  # the bits of sqrt(1/2)
FRACTION_BITS = {32: 23, 64: 52}


@intrinsic
def address_of(context: Any, address: Any, like: Any) -> Typed:
    """Return an address as a pointer to numbers of the dtype of `like`."""
    pointer = types.CPointer(like)

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(pointer))

    return pointer(types.intp, like), write


@intrinsic
def size_of(context: Any, like: Any) -> Typed:
    """Return the bytes of a number."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.intp, like.bitwidth // 8)

    return types.intp(like), write


@intrinsic
def zero(context: Any, like: Any) -> Typed:
    """Return 0 in the dtype of `like`: with 0 as Python writes it float32 would become float64."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(arguments[0].type, 0.0)

    return like(like), write


@intrinsic
def one(context: Any, like: Any) -> Typed:
    """Return 1 in the dtype of `like`."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(arguments[0].type, 1.0)

    return like(like), write


@intrinsic
def fused(context: Any, a: Any, b: Any, c: Any) -> Typed:
    """Return ``a * b + c``, rounded once."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return a(a, a, a), write


@intrinsic
def larger(context: Any, a: Any, b: Any) -> Typed:
    """Return the larger of two numbers, NaN if one of them is."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(kind, [kind, kind]),
            f"llvm.maximum.f{signature.return_type.bitwidth}",
        )
        return builder.call(function, arguments)

    return a(a, a), write


@intrinsic
def select(context: Any, condition: Any, a: Any, b: Any) -> Typed:
    """Return `a` where the condition holds, else `b`, without a branch."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return a(types.boolean, a, a), write


@intrinsic
def power_of_two(context: Any, shifted: Any) -> Typed:
    """Return the number whose biased exponent stands in the lowest bits of `shifted`."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = ir.IntType(shifted.bitwidth)
        exponent = builder.bitcast(arguments[0], bits)
        return builder.bitcast(
            builder.shl(exponent, bits(FRACTION_BITS[shifted.bitwidth])), arguments[0].type
        )

    return shifted(shifted), write


@intrinsic
def exponent(context: Any, x: Any) -> Typed:
    """Return k of ``x = 2**k * s`` with s from sqrt(1/2) to sqrt(2), for normal x > 0."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sitofp(_exponent_bits(builder, arguments[0], x.bitwidth), arguments[0].type)

    return x(x), write


@intrinsic
def significand(context: Any, x: Any) -> Typed:
    """Return s of ``x = 2**k * s`` with s from sqrt(1/2) to sqrt(2), for normal x > 0."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = ir.IntType(x.bitwidth)
        k = _exponent_bits(builder, arguments[0], x.bitwidth)
        shifted = builder.shl(k, bits(FRACTION_BITS[x.bitwidth]))
        rest = builder.sub(builder.bitcast(arguments[0], bits), shifted)
        return builder.bitcast(rest, arguments[0].type)

    return x(x), write


@intrinsic
def transpose_square(
    context: Any, source: Any, source_step: Any, target: Any, target_step: Any, like: Any
) -> Typed:
    """Transpose SQUARE rows of SQUARE numbers; the steps are bytes from row to row."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read_from, read_step, write_to, write_step, _ = arguments
        size = like.bitwidth // 8
        row = ir.VectorType(context.get_value_type(like), SQUARE)

        def place(address: Any, step: Any, i: int) -> Any:
            offset = builder.mul(step, ir.Constant(step.type, i))
            return builder.inttoptr(builder.add(address, offset), row.as_pointer())

        rows = [builder.load(place(read_from, read_step, i), align=size) for i in range(SQUARE)]
        for distance, masks in zip((1, 2, 4), MIXES, strict=True):
            first, second = (ir.Constant(ir.VectorType(ir.IntType(32), SQUARE), m) for m in masks)
            for i in range(SQUARE):
                if not i & distance:
                    a, b = rows[i], rows[i + distance]
                    rows[i] = builder.shuffle_vector(a, b, first)
                    rows[i + distance] = builder.shuffle_vector(a, b, second)
        for i in range(SQUARE):
            builder.store(rows[i], place(write_to, write_step, i), align=size)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp, like), write


def _exponent_bits(builder: Any, x: Any, width: int) -> Any:
    bits = ir.IntType(width)
    above = builder.sub(builder.bitcast(x, bits), bits(HALF_ROOT[width]))
    return builder.ashr(above, bits(FRACTION_BITS[width]))
