"""Numbers without rounding: a Fraction with what Fraction lacks, the sign of zero, Inf and NaN."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number, a signed zero, a signed infinity, or NaN (one NaN only, MX-4.1-f).

    Attributes:
        kind: Which of the three it is.
        negative: The sign; kept for zeros and infinities, False for NaN.
        magnitude: Absolute value of a finite number, 0 otherwise.
    """

    kind: Literal["finite", "infinite", "nan"]
    negative: bool = False
    magnitude: Fraction = Fraction(0)

    @property
    def is_zero(self) -> bool:
        """Whether this is +0 or -0."""
        return self.kind == "finite" and self.magnitude == 0

    @property
    def value(self) -> Fraction:
        """The signed value of a finite number; the sign of zero is lost."""
        if self.kind != "finite":
            raise ValueError(f"{self} has no value")
        return -self.magnitude if self.negative else self.magnitude


NAN = Number("nan")


def infinity(*, negative: bool = False) -> Number:
    """Return +Inf or -Inf."""
    return Number("infinite", negative)


def number(value: float | Fraction | Number) -> Number:
    """Return *value* as an exact number; a float keeps the sign of its zero.

    >>> number(-0.1).magnitude == Fraction(-0.1) * -1
    True
    """
    if isinstance(value, Number):
        return value
    if isinstance(value, Fraction):
        return Number("finite", value < 0, abs(value))
    if math.isnan(value):
        return NAN
    negative = math.copysign(1.0, value) < 0
    if math.isinf(value):
        return infinity(negative=negative)
    return Number("finite", negative, abs(Fraction(value)))


def to_float(value: Number) -> float:
    """Return *value* as a Python float.

    Raises:
        ValueError: If a float cannot hold the value exactly.
    """
    if value.kind == "nan":
        return math.nan
    magnitude = math.inf if value.kind == "infinite" else float(value.magnitude)
    if value.kind == "finite" and Fraction(magnitude) != value.magnitude:
        raise ValueError(f"{value.magnitude} is not a float64 value")
    return -magnitude if value.negative else magnitude


@lru_cache(maxsize=1 << 12)
def power_of_two(exponent: int) -> Fraction:
    """Return 2**exponent, for any integer exponent (MX-6.3-c)."""
    return Fraction(2) ** exponent


def floor_log2(magnitude: Fraction) -> int:
    """Return the exponent of the largest power of two that is at most *magnitude* (> 0).

    >>> floor_log2(Fraction(8)), floor_log2(Fraction(8) - Fraction(1, 10**9)), floor_log2(Fraction(3, 16))
    (3, 2, -3)
    """
    # numerator in [2^p, 2^(p+1)), denominator in [2^q, 2^(q+1)): quotient in (2^(p-q-1), 2^(p-q+1))
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    return exponent if magnitude >= power_of_two(exponent) else exponent - 1


def product(a: Number, b: Number) -> Number:
    """Return a * b exactly, with the IEEE rules for what is not a number (A-29): Inf * 0 is NaN."""
    if "nan" in (a.kind, b.kind):
        return NAN
    negative = a.negative != b.negative
    if "infinite" in (a.kind, b.kind):
        return NAN if a.is_zero or b.is_zero else infinity(negative=negative)
    return Number("finite", negative, a.magnitude * b.magnitude)


def total(terms: Iterable[Number]) -> Number:
    """Return the exact sum of *terms*; a zero sum is +0 (A-30), Inf - Inf is NaN (A-29)."""
    terms = list(terms)
    infinite_signs = {term.negative for term in terms if term.kind == "infinite"}
    if any(term.kind == "nan" for term in terms) or len(infinite_signs) == 2:
        return NAN
    if infinite_signs:
        return infinity(negative=infinite_signs.pop())
    return number(sum((term.value for term in terms), Fraction(0)))
