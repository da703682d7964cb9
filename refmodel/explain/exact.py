"""Exact numbers and their text; codes of any format, and the numbers that programs hold, as exact numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmodel.elements import as_float
from refmodel.errors import CodeRangeError, DtypeError, ShapeError, unknown_name
from refmodel.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, FloatFormat, IntegerFormat, NumberFormat
from refmodel.inputs import as_array

INPUT_FORMATS = {fmt.name: fmt for fmt in (FLOAT16, BFLOAT16, FLOAT32, FLOAT64)}
"""The formats that inputs come in, described like any other (IEEE 754 section 3.4)."""

_LONGEST_DECIMAL = 12
_LONGEST_BINARY = 64
_ENDLESS_BINARY = 24


@dataclass(frozen=True, slots=True)
class Exact:
    """A number without rounding.

    Attributes:
        kind: What it is.
        negative: Its sign; zeros and NaNs have one.
        magnitude: Its absolute value if it is finite.
    """

    kind: Literal["finite", "infinite", "nan"]
    negative: bool
    magnitude: Fraction = Fraction(0)

    @staticmethod
    def of(value: Fraction) -> Exact:
        """Return a finite number; zero is positive."""
        return Exact("finite", value < 0, abs(value))

    @property
    def is_finite(self) -> bool:
        return self.kind == "finite"

    @property
    def is_zero(self) -> bool:
        return self.is_finite and not self.magnitude

    @property
    def signed(self) -> Fraction:
        """The value of a finite number; zero has no sign any more."""
        return -self.magnitude if self.negative else self.magnitude

    def times(self, factor: Fraction) -> Exact:
        """Return the number times a factor that is not negative; an infinity stays one."""
        return Exact(self.kind, self.negative, self.magnitude * factor)

    def __str__(self) -> str:
        magnitude = {"finite": number_text(self.magnitude), "infinite": "Inf", "nan": "NaN"}[self.kind]
        return "-" + magnitude if self.negative else magnitude


NAN = Exact("nan", False)


@dataclass(frozen=True, slots=True)
class FloatBits:
    """A number given by its bits.

    Attributes:
        format: "float16", "bfloat16", "float32" or "float64".
        bits: The bit pattern.

    Raises:
        UnknownNameError: If there is no such format.
        CodeRangeError: If the pattern does not fit its width.
    """

    format: str
    bits: int

    def __post_init__(self) -> None:
        if self.format not in INPUT_FORMATS:
            raise unknown_name("input format", self.format, INPUT_FORMATS)
        width = self.fmt.bits
        if not 0 <= self.bits < 1 << width:
            raise CodeRangeError(f"{self.bits:#x} does not fit the {width} bits of {self.format}")

    @property
    def fmt(self) -> FloatFormat:
        """The format, described."""
        return INPUT_FORMATS[self.format]

    @property
    def exact(self) -> Exact:
        """The number that the bits stand for."""
        return decode_exact(self.fmt, self.bits)

    def __str__(self) -> str:
        """Return the shortest decimal that reads back as the same number."""
        array = to_array([self])[0]
        return ("-NaN" if self.exact.negative else "NaN") if np.isnan(array) else str(array)


def as_bits(values: ArrayLike | FloatBits | Sequence[FloatBits]) -> list[FloatBits]:
    """Return a number, or numbers along one axis, by their bits.

    Raises:
        DtypeError: If they are not all of one format that an input may have.
        ShapeError: If they have more than one axis.
    """
    given = [values] if isinstance(values, FloatBits) else values
    if isinstance(given, list | tuple) and any(isinstance(each, FloatBits) for each in given):
        if len({each.format if isinstance(each, FloatBits) else None for each in given}) > 1:
            raise DtypeError("values: bit patterns must all be of one format")
        return list(given)
    array = as_array(cast(ArrayLike, given), "values")
    if array.ndim > 1:
        raise ShapeError(f"values have shape {array.shape}; give them along one axis")
    if array.dtype.name == "bfloat16":
        name, patterns = "bfloat16", array.view(np.uint16)
    else:
        array = as_float(array)
        name, patterns = array.dtype.name, array.view(f"u{array.dtype.itemsize}")
    return [FloatBits(name, int(pattern)) for pattern in np.atleast_1d(patterns)]


def to_array(values: Sequence[FloatBits]) -> NDArray[Any]:
    """Return numbers of one format as the array that the model takes; bfloat16 widened to float32."""
    fmt = values[0].fmt if values else FLOAT32
    patterns = [value.bits << 16 if fmt is BFLOAT16 else value.bits for value in values]
    width = 32 if fmt is BFLOAT16 else fmt.bits
    return np.array(patterns, f"u{width // 8}").view(f"f{width // 8}")


def decode_exact(fmt: NumberFormat, code: int) -> Exact:
    """Return the number that *code* stands for (MX-5.3-a, MX-5.3-b, MX-5.3.4-h, MX-5.4.1-d)."""
    if isinstance(fmt, IntegerFormat):
        integer = code - (1 << fmt.bits) if code & fmt.min_code else code
        return Exact.of(integer * power_of_two(-fmt.fraction_bits))
    negative, magnitude = bool(code & fmt.sign_mask), code & fmt.magnitude_mask
    if magnitude > fmt.max_code:
        return Exact("infinite" if magnitude == fmt.infinity_code else "nan", negative)
    field, mantissa = divmod(magnitude, 1 << fmt.mantissa_bits)
    if field == 0 and fmt.subnormals:
        return Exact("finite", negative, mantissa * power_of_two(fmt.quantum_exponent))
    significand = mantissa + (1 << fmt.mantissa_bits)
    return Exact("finite", negative, significand * power_of_two(field - fmt.bias - fmt.mantissa_bits))


def multiplied(x: Exact, y: Exact) -> Exact:
    """Return x * y as IEEE 754 has it, exact; NaN has no sign here."""
    negative = x.negative != y.negative
    if "nan" in (x.kind, y.kind):
        return NAN
    if "infinite" in (x.kind, y.kind):
        return NAN if x.is_zero or y.is_zero else Exact("infinite", negative)
    return Exact("finite", negative, x.magnitude * y.magnitude)


def divided(x: Exact, y: Exact) -> Exact:
    """Return x / y as IEEE 754 has it, exact; NaN has no sign here."""
    if y.is_zero:
        return NAN if x.is_zero or x.kind == "nan" else Exact("infinite", x.negative != y.negative)
    if y.kind == "infinite":
        return NAN if not x.is_finite else Exact("finite", x.negative != y.negative)
    return multiplied(x, Exact(y.kind, y.negative, 1 / y.magnitude if y.is_finite else Fraction(0)))


def power_of_two(exponent: int) -> Fraction:
    """Return 2**exponent."""
    return Fraction(2) ** exponent


def floor_log2(value: Fraction) -> int:
    """Return floor(log2 value) of a positive value, exactly."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return exponent if value >= power_of_two(exponent) else exponent - 1


def class_of(fmt: NumberFormat, code: int) -> str:
    """Return "zero", "subnormal", "normal", "infinity" or "NaN"; "number" for an integer that is not 0."""
    exact = decode_exact(fmt, code)
    if not exact.is_finite:
        return "infinity" if exact.kind == "infinite" else "NaN"
    if exact.is_zero:
        return "zero"
    if isinstance(fmt, IntegerFormat):
        return "number"
    return "normal" if exact.magnitude >= power_of_two(fmt.emin) else "subnormal"


def fields(fmt: NumberFormat, code: int) -> str:
    """Return a code in binary, ignored bits, sign, exponent and mantissa apart (MX-5.3-c)."""
    digits = f"{code:0{fmt.bits}b}"
    if isinstance(fmt, IntegerFormat):
        return digits
    exponent = fmt.ignored_bits + int(fmt.signed)
    cuts = (0, fmt.ignored_bits, exponent, exponent + fmt.exponent_bits, fmt.bits)
    return " ".join(filter(None, (digits[a:b] for a, b in pairwise(cuts))))


def code_text(fmt: NumberFormat, code: int) -> str:
    """Return a code in hexadecimal, as many digits as its width takes."""
    return f"0x{code:0{-(-fmt.bits // 4)}x}"


def number_text(value: Fraction, longest: int = _LONGEST_DECIMAL) -> str:
    """Return a decimal of at most so many characters, an integer times 2^n, or n / d with or without 2^n."""
    places = value.denominator.bit_length() - 1
    if value.denominator != 1 << places:
        return _fraction_text(value, longest)
    if places < longest and abs(value) < 10**longest:
        digits = f"{abs(value.numerator) * 5**places:0{places + 1}d}"
        decimal = "-" * (value < 0) + digits[: len(digits) - places] + "." * bool(places)
        decimal += digits[len(digits) - places :]
        if len(decimal) <= longest:
            return decimal
    exponent = _trailing_zeros(value.numerator) - places
    odd = int(value / power_of_two(exponent))
    sign, odd = "-" * (odd < 0), abs(odd)
    return f"{sign}2^{exponent}" if odd == 1 else f"{sign}{odd}*2^{exponent}"


def _fraction_text(value: Fraction, longest: int) -> str:
    """Return a number that is no multiple of a power of two; a power of two of its own where it is long."""
    text = f"{value.numerator}/{value.denominator}"
    if len(text) <= longest:
        return text
    exponent = _trailing_zeros(value.numerator) - _trailing_zeros(value.denominator)
    odd = value / power_of_two(exponent)
    return f"{odd.numerator}/{odd.denominator}" + f"*2^{exponent}" * bool(exponent)


def _trailing_zeros(integer: int) -> int:
    return (integer & -integer).bit_length() - 1


def about(value: Fraction) -> str:
    """Return a number to six digits; Python's float cannot hold every one."""
    magnitude = abs(value)
    if not magnitude or power_of_two(-1000) < magnitude < power_of_two(1000):
        return f"{float(value):.6g}"
    return "-" * (value < 0) + f"2^{floor_log2(magnitude)}"


def binary_text(value: Fraction) -> str:
    """Return a non-negative number below 2 or so in binary, cut where it is very long or has no end."""
    whole, rest = divmod(value, 1)
    places = rest.denominator.bit_length() - 1
    ends = rest.denominator == 1 << places
    shown = min(places, _LONGEST_BINARY) if ends else _ENDLESS_BINARY
    digits = f"{int(rest * (1 << shown)):0{shown}b}" if shown else ""
    if not ends or shown < places:
        digits += "..."
    return f"{whole:b}" + ("." + digits if digits else "")
