"""Exact numbers <-> Float32 (IEEE 754 binary32, MX-4.1-b) bits: one more binary format, with 2**32 codes."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TypeAlias

from refmodel.formats import FLOAT32
from refmodel.oracle.codes import canonical_nan, decode, nearest_magnitude
from refmodel.oracle.exact import Number, floor_log2, number, power_of_two, total

SIGN_BIT = FLOAT32.sign_mask
INFINITY_BITS = FLOAT32.max_code + 1
NAN_BITS = canonical_nan(FLOAT32)
"""The NaN of every result, 0x7fc00000 (A-29)."""


def to_float32(value: Number) -> int:
    """Return the Float32 bits nearest to *value*: ties to even, gradual underflow, overflow to Inf (A-30)."""
    if value.kind == "nan":
        return NAN_BITS
    sign = SIGN_BIT if value.negative else 0
    if value.kind == "infinite":
        return sign | INFINITY_BITS
    rounded = nearest_magnitude(FLOAT32, value.magnitude)
    if rounded >= power_of_two(FLOAT32.emax + 1):
        return sign | INFINITY_BITS
    if rounded < power_of_two(FLOAT32.emin):  # MX-5.3-b: zero or subnormal, exponent field 0
        return sign | int(rounded / power_of_two(FLOAT32.quantum_exponent))
    exponent = floor_log2(rounded)  # MX-5.3-a
    fraction = rounded / power_of_two(exponent) - 1
    return (
        sign | (exponent + FLOAT32.bias) << FLOAT32.mantissa_bits | int(fraction * 2**FLOAT32.mantissa_bits)
    )


def from_float32(bits: int) -> Number:
    """Return the number that Float32 *bits* stand for.

    Raises:
        CodeRangeError: If *bits* does not fit 32 bits.
    """
    return decode(FLOAT32, bits)


def add_float32(a: int, b: int) -> int:
    """Return the bits of the Float32 sum of two Float32 bit patterns (IEEE 754 addition, roundTiesToEven).

    A zero sum is +0 unless both operands are negative zeros.
    """
    x, y = from_float32(a), from_float32(b)
    if x.is_zero and y.is_zero and x.negative and y.negative:
        return SIGN_BIT
    return to_float32(total([x, y]))


Extended: TypeAlias = Fraction | float
"""A magnitude of Float32: a Fraction, or math.inf."""


def in_float32(exact: Fraction) -> Extended:
    """Return the Float32 nearest to a magnitude."""
    rounded = from_float32(to_float32(number(exact)))
    return rounded.magnitude if rounded.kind == "finite" else math.inf


def divided(x: Extended, y: Extended) -> Extended:
    """Return x / y in Float32; zero over zero, and infinity over infinity, must not arise."""
    if isinstance(y, float):
        return Fraction(0)
    return math.inf if isinstance(x, float) or y == 0 else in_float32(x / y)


def multiplied(x: Extended, y: Extended) -> Extended:
    """Return x * y in Float32; zero times infinity must not arise."""
    return math.inf if isinstance(x, float) or isinstance(y, float) else in_float32(x * y)
