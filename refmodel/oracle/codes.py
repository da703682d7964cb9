"""Element and scale codes <-> exact numbers, for any described format."""

from __future__ import annotations

from fractions import Fraction
from functools import cache, lru_cache

from refmodel.errors import CodeRangeError, DefinitionError, unknown_name
from refmodel.formats import ElementFormat, FloatFormat, IntegerFormat, NumberFormat
from refmodel.oracle.exact import NAN, Number, floor_log2, infinity, number, power_of_two

OVERFLOW_MODES = ("saturate", "overflow")
"""SAT and OVF of MX-5.3.1-b, the SAT and NONSAT of OFP8-5.2.1-b."""


def decode(fmt: NumberFormat, code: int) -> Number:
    """Return the number that *code* stands for.

    Raises:
        CodeRangeError: If the code does not fit the format.
    """
    check_code(fmt, code)
    return _decode_integer(fmt, code) if isinstance(fmt, IntegerFormat) else _decode_float(fmt, code)


def check_code(fmt: NumberFormat, code: int) -> None:
    """Refuse a code that does not fit the width of *fmt*."""
    if not 0 <= code < 1 << fmt.bits:
        raise CodeRangeError(
            f"{fmt.name} code {code:#x} does not fit {fmt.bits} bits; use 0 to {(1 << fmt.bits) - 1:#x}"
        )


@lru_cache(maxsize=1 << 16)
def _decode_float(fmt: FloatFormat, code: int) -> Number:
    """MX-5.3-a, MX-5.3-b and the special codes of OFP8-5.1-d, OFP8-5.1-e, MX-5.4.1-c."""
    negative = bool(code & fmt.sign_mask)
    magnitude = code & fmt.magnitude_mask
    if magnitude in fmt.nan_codes or (fmt.specials == "fnuz" and code == fmt.sign_mask):
        return NAN
    if magnitude == fmt.infinity_code:
        return infinity(negative=negative)
    exponent, mantissa = divmod(magnitude, 1 << fmt.mantissa_bits)
    fraction = Fraction(mantissa, 1 << fmt.mantissa_bits)
    if exponent == 0 and fmt.subnormals:
        return Number(
            "finite", negative, power_of_two(1 - fmt.bias) * fraction
        )  # MX-5.3-b, signed zero included
    return Number(
        "finite", negative, power_of_two(exponent - fmt.bias) * (1 + fraction)
    )  # MX-5.3-a, MX-5.4.1-d


def _decode_integer(fmt: IntegerFormat, code: int) -> Number:
    """MX-5.3.4-h: a two's-complement integer with an implicit scale; there is no negative zero."""
    integer = code - (1 << fmt.bits) if code & fmt.min_code else code
    return number(integer * power_of_two(-fmt.fraction_bits))


def encode(fmt: ElementFormat, value: float | Fraction | Number, overflow: str = "saturate") -> int:
    """Return the code of the element nearest to *value*: one roundTiesToEven from the exact value (A-17).

    The range test follows the rounding (OFP8-5.2.1-g, OFP8-5.2.1-h). Under "saturate" whatever is out of
    range becomes the largest magnitude, sign kept (MX-5.3.1-e SAT, MX-5.3.2-e, MX-5.3.3-e, MX-5.3.4-e); the
    most negative integer code is never produced (A-21 symmetric). Under "overflow" it becomes Inf, or NaN
    where the format has no Inf (MX-5.3.1-e OVF), sign kept. What rounds to zero keeps its sign
    (OFP8-5.2.1-j, A-19). NaN becomes `canonical_nan`, or the largest positive value in a format without
    NaN (A-13).

    Raises:
        UnknownNameError: If *overflow* is neither "saturate" nor "overflow".
        DefinitionError: If *overflow* asks for Inf or NaN and the format has neither, or if it is a scale
            format.
    """
    if overflow not in OVERFLOW_MODES:
        raise unknown_name("overflow", overflow, OVERFLOW_MODES)
    if overflow == "overflow" and (isinstance(fmt, IntegerFormat) or not fmt.nan_codes):
        raise DefinitionError(
            f"format {fmt.name!r} has no NaN and no infinity to overflow to; use overflow='saturate'"
        )
    exact = number(value)
    if isinstance(fmt, IntegerFormat):
        return _encode_integer(fmt, exact)
    need_element_format(fmt)
    return _encode_float(fmt, exact, overflow)


def need_element_format(fmt: FloatFormat) -> None:
    """Refuse a format that lacks a sign or a zero, such as a scale format: MX-5.3 makes no such elements."""
    if not (fmt.signed and fmt.subnormals):
        raise DefinitionError(
            f"format {fmt.name!r} has no sign or no zero, so it is no element format; decode it only"
        )


def _encode_integer(fmt: IntegerFormat, exact: Number) -> int:
    """MX-5.3.4: the nearest multiple of 2**-fraction_bits in two's complement."""
    if exact.kind == "nan":
        return fmt.max_code
    if exact.kind == "infinite":
        magnitude = fmt.max_code
    else:
        magnitude = min(round_half_even(exact.magnitude / power_of_two(-fmt.fraction_bits)), fmt.max_code)
    return (-magnitude if exact.negative else magnitude) & ((1 << fmt.bits) - 1)


def _encode_float(fmt: FloatFormat, exact: Number, overflow: str) -> int:
    if exact.kind == "nan":
        return canonical_nan(fmt) if fmt.nan_codes else fmt.max_code
    sign = fmt.sign_mask if exact.negative else 0
    if exact.kind == "finite":
        code = _codes_by_magnitude(fmt).get(nearest_magnitude(fmt, exact.magnitude))
        if code is not None:
            return sign | code
    if overflow == "saturate":
        return sign | fmt.max_code
    return sign | (canonical_nan(fmt) if fmt.infinity_code is None else fmt.infinity_code)


def nearest_magnitude(fmt: FloatFormat, magnitude: Fraction) -> Fraction:
    """Return the nearest value of *fmt* to *magnitude*, as if its exponents had no upper end (OFP8-5.2.1-g).

    Subnormals are rounded on their own grid, not first on that of a normal number (A-18).
    """
    if magnitude == 0:
        return magnitude
    spacing = power_of_two(max(floor_log2(magnitude), fmt.emin) - fmt.mantissa_bits)
    return round_half_even(magnitude / spacing) * spacing


def round_half_even(value: Fraction) -> int:
    """Return the integer nearest to *value* >= 0, the even one of two (MX-4.1-g)."""
    below, rest = divmod(value.numerator, value.denominator)
    twice = 2 * rest
    if twice > value.denominator or (twice == value.denominator and below % 2 == 1):
        return below + 1
    return below


def canonical_nan(fmt: FloatFormat) -> int:
    """Return the NaN code that encoding produces, sign cleared (A-15).

    That is the only one of a format without Inf, else the one with just the first mantissa bit set.
    """
    if fmt.infinity_code is None:
        return fmt.nan_codes[0]
    return fmt.infinity_code | 1 << (fmt.mantissa_bits - 1)


@cache
def _codes_by_magnitude(fmt: FloatFormat) -> dict[Fraction, int]:
    """Every finite magnitude of the format and its code: encoding is the inverse of decoding, literally."""
    return {decode(fmt, code).magnitude: code for code in range(fmt.max_code + 1)}
