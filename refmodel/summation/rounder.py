"""Rounding of float64 arrays, which hold exact or odd-rounded sums, to accumulator formats and grids.

A float64 that was rounded to odd (`refmodel.rounding.round_to_odd`) rounds again to at most 51 significant
bits, in any mode, as the exact number would; every accumulator format has at most 24.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import AccumulationRule, AccumulatorFormat, Rounding
from refmodel.rounding import add_exactly, exact_sum, round_to_odd, two_sum

Array: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.integer[Any]]

_EXPONENT_BIAS = 1023
_FRACTION_BITS = 52


def power_of_two(exponent: Integers) -> Array:
    """Return 2.0**exponent for integers from -1022 to 1023."""
    return ((exponent.astype(np.int64) + _EXPONENT_BIAS) << _FRACTION_BITS).view(np.float64)


def exponent_of(x: Array) -> NDArray[np.int64]:
    """Return floor(log2 |x|) of normal float64 numbers; at most -1023 for zero, 1024 for Inf and NaN."""
    exponent: NDArray[np.int64] = (x.view(np.int64) >> _FRACTION_BITS & 0x7FF) - _EXPONENT_BIAS
    return exponent


def to_integer(y: Array, mode: Rounding) -> Array:
    """Round to integers; the sign of a zero result is that of *y*, Inf and NaN pass through."""
    match mode:
        case "RNE":
            return np.rint(y)
        case "RZ":
            return np.trunc(y)
        case "RD":
            return np.floor(y)
        case "RU":
            return np.ceil(y)
        case "RNA":
            # Not floor(|y| + 0.5): that addition rounds, 0.5 - 2**-54 to 1.
            cut = np.trunc(y)
            away = np.abs(y - cut) >= 0.5
            return np.where(away, cut + np.copysign(1.0, y), cut)
        case "RTO":
            cut = np.trunc(y)
            is_even = np.trunc(cut * 0.5) * 2.0 == cut
            return np.where((cut != y) & is_even, cut + np.copysign(1.0, y), cut)


def to_grid(x: Array, grid: Integers, mode: Rounding) -> Array:
    """Round finite x to multiples of 2**grid, grid from -1000 to 1000, of the shape of x."""
    return to_integer(x * power_of_two(-grid), mode) * power_of_two(grid)


@dataclass(frozen=True, slots=True)
class _Format:
    fraction_bits: int
    emin: int
    emax: int

    @property
    def largest(self) -> float:
        return (2.0 - 2.0**-self.fraction_bits) * 2.0**self.emax


_FORMATS: dict[AccumulatorFormat, _Format] = {
    "fp32": _Format(23, -126, 127),
    "e8m13": _Format(13, -126, 127),
    "fp16": _Format(10, -14, 15),
    "bf16": _Format(7, -126, 127),
}


def smallest_normal_exponent(fmt: AccumulatorFormat) -> int:
    """Return the exponent of the smallest normal number of an accumulator format."""
    return _FORMATS[fmt].emin


@dataclass(frozen=True, slots=True)
class Rounder:
    """Rounds float64 arrays to an accumulator format; the results are float64 again.

    Attributes:
        format: Accumulator format.
        mode: Rounding.
        ftz, ftz_sign, overflow, zero_sign: As in `AccumulationRule`.
    """

    format: AccumulatorFormat
    mode: Rounding
    ftz: bool = False
    ftz_sign: str = "keep"
    overflow: str = "inf"
    zero_sign: str = "ieee"

    @staticmethod
    def of(
        rule: AccumulationRule, format: AccumulatorFormat | None = None, mode: Rounding | None = None
    ) -> Rounder:
        """Return the rounding to acc_format by acc_round, or to another format or by another mode."""
        return Rounder(
            format or rule.acc_format, mode or rule.acc_round, rule.ftz, rule.ftz_sign, rule.overflow,
            rule.zero_sign,
        )  # fmt: skip

    def round(self, x: Array) -> Array:
        """Round exact or odd-rounded numbers; Inf and NaN pass through."""
        fmt = _FORMATS[self.format]
        if self.format == "fp32" and self.mode == "RNE":
            result: Array = x.astype(np.float32).astype(np.float64)
        else:
            # Inf and NaN have exponent 1024, whose grid still has a power of two.
            grid = np.maximum(exponent_of(x), fmt.emin) - fmt.fraction_bits
            result = to_grid(x, grid, self.mode)
            too_large = np.abs(result) > fmt.largest
            if too_large.any():
                result[too_large] = np.copysign(np.inf, result[too_large])
        if self.overflow not in ("inf", "product_inf_at_2^128"):
            overflown = np.isinf(result) & np.isfinite(x)
            if overflown.any():
                result[overflown] = np.where(
                    self._saturates(x[overflown]), np.copysign(fmt.largest, x[overflown]), result[overflown]
                )
        if self.ftz:
            tiny = np.abs(result) < 2.0**fmt.emin
            zero = np.copysign(0.0, result) if self.ftz_sign == "keep" else 0.0
            result = np.where(tiny, zero, result)
        if self.zero_sign == "always_plus":
            result = result + 0.0
        return result

    def _saturates(self, x: Array) -> NDArray[np.bool_]:
        if self.overflow == "saturate" or self.mode in ("RZ", "RTO"):
            return np.ones(x.shape, np.bool_)
        return {"RD": x > 0, "RU": x < 0}.get(self.mode, np.zeros(x.shape, np.bool_))

    @property
    def is_float32(self) -> bool:
        """Whether this is plain Float32 arithmetic to nearest even, as numpy does it."""
        plain = self.format == "fp32" and self.mode == "RNE" and not self.ftz
        return plain and self.overflow in ("inf", "ieee") and self.zero_sign != "always_plus"

    def add_rounded(self, x: Array, y: Array) -> Array:
        """Return `add` of two numbers of accumulator formats."""
        if self.mode == "RNE":
            # float64 has at least 2p + 2 bits for p = 24, so rounding twice is rounding once (Figueroa,
            # 1995).
            return self.round(x + y)
        return self.add(x, y)

    def add(self, *terms: Array) -> Array:
        """Return the exact sum of the terms, rounded once, with the zero sign of IEEE 754 addition.

        The terms may be infinite or NaN. An exact zero is -0 if all terms are -0, under RD unless all are +0.
        """
        return self.round(self.total(*terms))

    def total(self, *terms: Array) -> Array:
        """Return the exact sum of the terms, rounded to odd, with the zero sign of `add`."""
        total = odd_sum(terms)
        if self.mode == "RD" and self.zero_sign != "always_plus":
            # float64 addition gives +0 for x - x, RD gives -0.
            plus = np.logical_and.reduce([(t == 0) & ~np.signbit(t) for t in terms])
            total = np.where((total == 0) & ~plus, -0.0, total)
        return total


def odd_sum(terms: Sequence[Array]) -> Array:
    """Return the exact sum of terms rounded to odd; IEEE 754 rules for Inf and NaN and the sign of zero."""
    first = terms[0]
    if len(terms) == 1:
        return first
    # Sums of two terms dominate; two_sum and one correction are all they need.
    if len(terms) == 2:
        total, error = two_sum(first, terms[1])
        if not np.isfinite(total).all():
            error = np.where(np.isfinite(total), error, 0.0)
        inexact = error != 0
        if not inexact.any():
            return total
        # An even last bit that is not exact moves to the odd neighbour on the side of the error; the bits of
        # a float64 grow with its magnitude.
        whole = total.view(np.int64)
        away = (error > 0) == (total > 0)
        step = np.where(away, np.int64(1), np.int64(-1))
        step *= inexact & (whole & 1 == 0)
        return (whole + step).view(np.float64)
    plain = first
    for term in terms[1:]:
        plain = plain + term
    special = ~np.isfinite(plain)
    partials: list[Array] = []
    for term in terms:
        partials = add_exactly(partials, np.where(special, 0.0, term))
    exact = round_to_odd(partials)
    # A zero keeps the sign that plain addition gives it, unless that was not exact.
    return np.where(special | ((exact == 0) & (plain == 0)), plain, exact)


def to_float32(terms: Sequence[Array]) -> NDArray[np.float32]:
    """Return the exact sum of finite terms, rounded to Float32 to nearest even; an exact zero is +0."""
    if len(terms) != 2:
        return (odd_sum(terms) + 0.0).astype(np.float32)
    # Rounding the float64 sum again is wrong only where it lies half-way between two Float32 numbers, which
    # have 29 bits less, or where Float32 is subnormal and has fewer.
    total = terms[0] + terms[1] + 0.0
    doubtful = (total.view(np.int64) & 0x1FFFFFFF) == 0x10000000
    doubtful |= np.abs(total) < 2.0**-126
    result = total.astype(np.float32)
    if doubtful.any():
        result[doubtful] = (odd_sum([term[doubtful] for term in terms]) + 0.0).astype(np.float32)
    return result


def add_terms(terms: Sequence[Array], more: Sequence[Array]) -> list[Array]:
    """Return few terms with the exact sum of all; IEEE 754 rules for Inf, NaN and the sign of zero."""
    stacked = np.stack([*terms, *more])
    finite = np.isfinite(stacked)
    if finite.all():
        return exact_sum(stacked)
    special = np.where(finite, 0.0, stacked).sum(axis=0)
    first, *rest = exact_sum(np.where(finite, stacked, 0.0))
    return [np.where(special != 0, special, first), *(np.where(special != 0, 0.0, t) for t in rest)]


def multiply_exactly(x: Array, y: Array) -> list[Array]:
    """Return terms whose exact sum is x * y (Dekker, Numer. Math. 18, 1971); Inf and NaN by IEEE 754.

    Exact where no product of parts leaves the normal range of float64.
    """
    product: Array = x * y
    (x_high, x_low), (y_high, y_low) = _split(x), _split(y)
    error = x_low * y_low - (((product - x_high * y_high) - x_low * y_high) - x_high * y_low)
    # A zero of the product's sign leaves the sign of a zero sum as the product alone has it, under RD, too.
    return [product, np.where(np.isfinite(product) & (error != 0), error, np.copysign(0.0, product))]


def _split(x: Array) -> tuple[Array, Array]:
    """Split into two parts of at most 26 bits (Veltkamp)."""
    scaled = x * 134217729.0  # 2**27 + 1
    high = scaled - (scaled - x)
    return high, x - high
