"""Numbers as plain integers: multiples of one tiny unit, wide enough for every product, scale and sum.

A finite number is its magnitude in units of 2**UNIT and a sign, so zeros keep theirs. The smallest number
that a rule can form is the product of two of the smallest Float32 numbers, 2**-298, or of two E5M2 numbers
under two of the smallest scales, 2**-(32+254), shifted down by an LSCALE of at most 127 bits: all above
2**UNIT, so nothing here is ever rounded unless a function is named for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from refmodel.formats import IntegerFormat, NumberFormat
from refmodel.oracle.codes import decode
from refmodel.oracle.exact import Number, power_of_two

UNIT = -640


class Value(NamedTuple):
    """A number, a signed zero, a signed infinity, or NaN; `units` is the magnitude of a finite one."""

    kind: Literal["finite", "infinite", "nan"]
    negative: bool
    units: int

    @property
    def signed(self) -> int:
        """The signed value of a finite number in units; the sign of zero is lost."""
        return -self.units if self.negative else self.units

    @property
    def is_zero(self) -> bool:
        """Whether this is +0 or -0."""
        return self.kind == "finite" and self.units == 0


ZERO = Value("finite", False, 0)
ONE = Value("finite", False, 1 << -UNIT)
NAN = Value("nan", False, 0)


def infinite(negative: bool) -> Value:
    """Return +Inf or -Inf."""
    return Value("infinite", negative, 0)


def finite(signed: int, negative_zero: bool = False) -> Value:
    """Return a number of *signed* units; if it is zero, of the sign asked for."""
    return Value("finite", signed < 0 or (signed == 0 and negative_zero), abs(signed))


def value_of(number: Number) -> Value:
    """Return an exact number in units."""
    if number.kind != "finite":
        return Value(number.kind, number.negative, 0)
    units = number.magnitude / power_of_two(UNIT)
    if units.denominator != 1:
        raise ArithmeticError(f"{number} is no multiple of 2**{UNIT}")
    return Value("finite", number.negative, units.numerator)


@lru_cache(maxsize=1 << 16)
def decoded(fmt: NumberFormat, code: int) -> Value:
    """Return the number that *code* stands for."""
    return value_of(decode(fmt, code))


def floor_log2(value: Value) -> int:
    """Return the exponent of a finite number other than zero."""
    return value.units.bit_length() - 1 + UNIT


def smallest_normal(fmt: NumberFormat) -> int:
    """Return the exponent that subnormals of *fmt* share; of an integer, that of its spacing."""
    return fmt.quantum_exponent if isinstance(fmt, IntegerFormat) else fmt.emin


def exponent(value: Value, emin: int) -> int:
    """Return e(x): floor(log2 |x|), not below *emin*, which is also that of zero."""
    return max(floor_log2(value), emin) if value.units else emin


def times(a: Value, b: Value) -> Value:
    """Return a * b exactly; Inf * 0 is NaN."""
    if a.kind == "nan" or b.kind == "nan":
        return NAN
    negative = a.negative != b.negative
    if a.kind == "infinite" or b.kind == "infinite":
        return NAN if a.is_zero or b.is_zero else infinite(negative)
    units = a.units * b.units
    if units & ((1 << -UNIT) - 1):
        raise ArithmeticError(f"a product is no multiple of 2**{UNIT}")
    return Value("finite", negative, units >> -UNIT)


def special_sum(terms: Iterable[Value]) -> Value | None:
    """Return the sum of terms if it is NaN or infinite, else None: Inf - Inf is NaN."""
    kinds = {(term.kind, term.negative) for term in terms if term.kind != "finite"}
    if not kinds:
        return None
    return NAN if len(kinds) > 1 or any(kind == "nan" for kind, _ in kinds) else infinite(kinds.pop()[1])


# --------------------------------------------------------------------------------------------------
# Rounding
# --------------------------------------------------------------------------------------------------

Mode = Literal["RNE", "RNA", "RZ", "RD", "RU", "RTO"]


def round_to_grid(value: Value, grid: int, mode: Mode) -> Value:
    """Return a finite number rounded to a multiple of 2**grid; a zero keeps the sign of *value*.

    RZ cuts the magnitude off, RD goes toward -inf, RU toward +inf, RNE and RNA to the nearest (ties to even,
    away from zero), RTO cuts off and sets the last bit kept if anything was lost.
    """
    shift = grid - UNIT
    if value.kind != "finite" or shift <= 0:
        return value
    kept, lost = value.units >> shift, value.units & ((1 << shift) - 1)
    half = 1 << (shift - 1)
    match mode:
        case "RZ":
            up = False
        case "RD":
            up = lost > 0 and value.negative
        case "RU":
            up = lost > 0 and not value.negative
        case "RNE":
            up = lost > half or (lost == half and kept & 1 == 1)
        case "RNA":
            up = lost >= half
        case "RTO":
            up = lost > 0 and kept & 1 == 0
    return Value("finite", value.negative, kept + up << shift)


@dataclass(frozen=True, slots=True)
class Binary:
    """A floating-point format that results are rounded to: fraction bits, smallest and largest exponent."""

    fraction_bits: int
    emin: int
    emax: int

    @property
    def bits(self) -> int:
        """Width of a code: sign, exponent field, fraction."""
        return 1 + (2 * self.emax + 1).bit_length() + self.fraction_bits

    @property
    def largest(self) -> int:
        """The largest finite magnitude, in units."""
        return (2 << self.fraction_bits) - 1 << self.emax - self.fraction_bits - UNIT


FP32 = Binary(23, -126, 127)
E8M13 = Binary(13, -126, 127)
FP16 = Binary(10, -14, 15)
BF16 = Binary(7, -126, 127)
TARGETS = {"fp32": FP32, "e8m13": E8M13, "fp16": FP16, "bf16": BF16}


def round_to(target: Binary, value: Value, mode: Mode, overflow: str = "inf") -> Value:
    """Return *value* rounded once to *target*, subnormals on their own grid.

    What rounds to beyond the largest number becomes Inf (``inf``), that number (``saturate``), or either by
    the direction of rounding (``ieee``).
    """
    if value.kind != "finite" or value.units == 0:
        return value
    rounded = round_to_grid(value, exponent(value, target.emin) - target.fraction_bits, mode)
    if rounded.units <= target.largest:
        return rounded
    stays = mode in ("RZ", "RTO") or mode == ("RU" if value.negative else "RD")
    if overflow == "saturate" or (overflow == "ieee" and stays):
        return Value("finite", value.negative, target.largest)
    return infinite(value.negative)


def float32_bits(value: Value, nan: int = 0x7FC00000) -> int:
    """Return the Float32 bits of a Float32 number (IEEE 754 3.4)."""
    if value.kind == "nan":
        return nan
    sign = 0x80000000 if value.negative else 0
    if value.kind == "infinite":
        return sign | 0x7F800000
    if round_to_grid(value, -149, "RZ") != value or value.units > FP32.largest:
        raise ArithmeticError(f"{value} is no Float32")
    if value.units == 0:
        return sign
    e = exponent(value, -126)
    significand = value.units >> e - 23 - UNIT  # at most 24 bits, the hidden one included
    return sign + (e + 126 << 23) + significand
