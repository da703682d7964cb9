"""Numbers -> codes under every option of `EncodeOptions`, for any described format.

`codes.encode` is the same for the default options, in fewer words; tests/test_options.py holds the two to
each other. Here a number arrives as the bits of a source format, because some options ask for what its
value does not tell: whether it was subnormal there, and the sign and mantissa of a NaN.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from refmodel.errors import DefinitionError, ValueRefusedError
from refmodel.formats import FLOAT16, FLOAT32, FloatFormat, IntegerFormat, NumberFormat
from refmodel.options import EncodeOptions
from refmodel.oracle.codes import decode, nearest_magnitude
from refmodel.oracle.exact import Number, infinity, number, power_of_two
from refmodel.oracle.rounding import code_of, round_magnitude

_INTERMEDIATE = {"float32": FLOAT32, "float16": FLOAT16}


class Input(NamedTuple):
    """A number as a conversion receives it.

    Attributes:
        exact: Its value.
        negative: Its sign bit, of a NaN too.
        nan_fraction: The mantissa field of a NaN as a fraction of 2**mantissa_bits, else 0.
    """

    exact: Number
    negative: bool
    nan_fraction: Fraction = Fraction(0)


def read(source: FloatFormat, bits: int, options: EncodeOptions) -> Input:
    """Return the number that *bits* of a *source* format stand for, after A-20 and A-17."""
    exact = decode(source, bits)
    negative = bool(bits & source.sign_mask)
    if exact.kind == "nan":
        mantissa = bits % 2**source.mantissa_bits
        return Input(exact, negative, Fraction(mantissa, 2**source.mantissa_bits))
    if options.subnormal_input == "flush" and exact.magnitude < power_of_two(source.emin):
        exact = Number(exact.kind, negative)  # an infinity has magnitude 0, too, and stays one
    if options.intermediate != "exact" and exact.kind == "finite":
        between = _INTERMEDIATE[options.intermediate]
        rounded = nearest_magnitude(between, exact.magnitude)
        in_range = rounded < power_of_two(between.emax + 1)
        exact = Number("finite", negative, rounded) if in_range else infinity(negative=negative)
    return Input(exact, negative)


def convert(
    fmt: NumberFormat, source: FloatFormat, bits: int, options: EncodeOptions, random: int = 0
) -> int:
    """Return the code that *bits* of a *source* format become in *fmt*.

    Raises:
        DefinitionError: If overflow is "overflow" and the format has neither NaN nor infinity.
        ValueRefusedError: If options refuse NaN and this is one.
    """
    return encode_input(fmt, read(source, bits, options), options, random)


def encode_input(fmt: NumberFormat, given: Input, options: EncodeOptions, random: int = 0) -> int:
    """Return the code of *given* in *fmt*; *random* is below 2**random_bits.

    Raises:
        DefinitionError, ValueRefusedError: As `convert`.
    """
    if options.overflow == "overflow" and (isinstance(fmt, IntegerFormat) or not fmt.nan_codes):
        raise DefinitionError(f"format {fmt.name!r} has no NaN and no infinity to overflow to")
    if given.exact.kind == "nan":
        return nan_code(fmt, given, options)
    if isinstance(fmt, IntegerFormat):
        return _encode_integer(fmt, given.exact, options, random)
    return _encode_float(fmt, given.exact, options, random)


def nan_code(fmt: NumberFormat, nan: Input, options: EncodeOptions) -> int:
    """Return the code of a NaN: A-15 if the format has NaN (OFP8-5.2.1-e, OFP8-5.2.1-k), A-13 if not."""
    if isinstance(fmt, IntegerFormat) or not fmt.nan_codes:
        return _nan_to_finite(fmt, nan.negative, options)
    if fmt.infinity_code is None:
        code = fmt.nan_codes[0]  # the only one (OFP8-5.1-e, MX-5.4.1-c)
    else:
        first_bit = 2 ** (fmt.mantissa_bits - 1)
        mantissa = {
            "quiet": first_bit,
            "keep": first_bit | int(nan.nan_fraction * 2**fmt.mantissa_bits),
            "ones": 2**fmt.mantissa_bits - 1,
        }[options.nan_payload]
        code = fmt.infinity_code + mantissa
    negative = {"positive": False, "keep": nan.negative, "negative": True}[options.nan_sign]
    return code | fmt.sign_mask if negative else code


def _nan_to_finite(fmt: NumberFormat, negative: bool, options: EncodeOptions) -> int:
    """A-13: MX-5.3.2-i, MX-5.3.3-i and MX-5.3.4-i leave it open."""
    match options.nan_to_finite:
        case "positive_max":
            return fmt.max_code
        case "signed_max":
            if isinstance(fmt, IntegerFormat):
                return _twos_complement(fmt, -_largest(fmt, True, options) if negative else fmt.max_code)
            return fmt.max_code | (fmt.sign_mask if negative else 0)
        case "positive_zero":
            return 0
        case "inverted_zero":
            return 0 if negative or isinstance(fmt, IntegerFormat) else fmt.sign_mask
        case "error":
            raise ValueRefusedError(f"a NaN, and format {fmt.name!r} has none")


def _encode_integer(fmt: IntegerFormat, exact: Number, options: EncodeOptions, random: int) -> int:
    """MX-5.3.4: rounded, then clamped (MX-5.3.4-e), to the symmetric or to the full range (MX-5.3.4-g)."""
    largest = _largest(fmt, exact.negative, options)
    if exact.kind == "infinite":
        steps = largest
    else:
        rounded = round_magnitude(fmt, exact.magnitude, exact.negative, options, random)
        steps = min(code_of(fmt, rounded), largest)
    return _twos_complement(fmt, -steps if exact.negative else steps)


def _largest(fmt: IntegerFormat, negative: bool, options: EncodeOptions) -> int:
    """The largest magnitude of that sign, in steps of the format (A-21)."""
    return (1 << fmt.bits - 1) - (0 if negative and options.integer_minimum == "full" else 1)


def _twos_complement(fmt: IntegerFormat, steps: int) -> int:
    return steps % (1 << fmt.bits)


def _encode_float(fmt: FloatFormat, exact: Number, options: EncodeOptions, random: int) -> int:
    if exact.negative and not exact.is_zero and not fmt.signed:
        if options.unsigned_negative == "minimum":
            return 0
        if options.unsigned_negative == "nan":
            return nan_code(fmt, Input(exact, True), options)
        exact = Number(exact.kind, False, exact.magnitude)
    if exact.is_zero and not fmt.subnormals and options.unsigned_zero == "nan":
        return nan_code(fmt, Input(exact, exact.negative), options)
    if _underflows(fmt, exact, options, random):
        return nan_code(fmt, Input(exact, exact.negative), options)
    sign = fmt.sign_mask if exact.negative else 0
    if exact.kind == "infinite":
        return sign | _beyond_range(fmt, exact, options)
    rounded = round_magnitude(fmt, exact.magnitude, exact.negative, options, random)
    if rounded > decode(fmt, fmt.max_code).magnitude:  # after rounding: OFP8-5.2.1-h, MX-5.3.1-e
        return sign | _beyond_range(fmt, exact, options)
    if rounded == 0 and options.negative_zero == "positive":
        return 0
    return sign | code_of(fmt, rounded)


def _underflows(fmt: FloatFormat, exact: Number, options: EncodeOptions, random: int) -> bool:
    """Whether a number becomes NaN because it rounds below the smallest value of a format without zero (A-4).

    The exponents are continued downward by one bit more of the same code, which leaves its parity alone.
    """
    if fmt.subnormals or options.unsigned_underflow == "minimum" or exact.kind != "finite" or exact.is_zero:
        return False
    continued = replace(fmt, exponent_bits=fmt.exponent_bits + 1, bias=fmt.bias + 2**fmt.exponent_bits)
    rounded = round_magnitude(continued, exact.magnitude, exact.negative, options, random)
    return rounded < power_of_two(fmt.emin)


def _beyond_range(fmt: FloatFormat, exact: Number, options: EncodeOptions) -> int:
    """Magnitude code of an infinity, or of a finite number above the largest after rounding."""
    finite = exact.kind == "finite"
    if options.overflow == "saturate":  # MX-5.3.1-e SAT, MX-5.3.2-e, MX-5.3.3-e
        keeps_infinity = options.infinity == "keep" and not finite
        return fmt.infinity_code if keeps_infinity and fmt.infinity_code is not None else fmt.max_code
    if finite and options.directed_overflow == "ieee" and _never_reaches_infinity(exact.negative, options):
        return fmt.max_code  # A-32, IEEE 754-2019 7.4
    return fmt.nan_codes[0] if fmt.infinity_code is None else fmt.infinity_code  # MX-5.3.1-e OVF


def _never_reaches_infinity(negative: bool, options: EncodeOptions) -> bool:
    """Whether the mode takes finite numbers of that sign beyond the largest value back to it."""
    return options.rounding in ("rtz", "rto") or options.rounding == ("rup" if negative else "rdn")


def to_bits(target: FloatFormat, exact: Number, overflow: str = "infinity") -> int:
    """Return the bits of a signed IEEE *target* format nearest to *exact*, NaN as the quiet positive one.

    A-23: beyond the range that is infinity, or under "saturate" the largest finite number (MX-5.1-j).
    """
    ieee = EncodeOptions(overflow="overflow")
    if overflow == "saturate" and exact.kind == "finite":
        largest = decode(target, target.max_code).magnitude
        exact = number(Number("finite", exact.negative, min(exact.magnitude, largest)))
    return encode_input(target, Input(exact, exact.negative), ieee)
