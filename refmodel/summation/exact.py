"""Exact sums of products, as few float64 terms whose exact sum they are.

Element values are integers on the grid 2**quantum_exponent of their format. A sum of k products of a p-bit and an
r-bit integer has at most p + r + ceil(log2 k) bits; where that is 53 or less every partial sum is a float64, so
the order does not matter and a BLAS product gives the exact sum. Wider pairs (E5M2 with an FP8 format, D-11)
are split into bands of exponents narrow enough; formats too wide for that are added product by product.
"""

from __future__ import annotations

from itertools import product as pairs_of
from math import gcd

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import AccumulationRule
from refmodel.formats import ElementFormat, IntegerFormat, ScaleFormat
from refmodel.rounding import exact_sum
from refmodel.summation.decoded import Decoded
from refmodel.summation.pairs import Pair, with_special
from refmodel.summation.rounder import Array, multiply_exactly

_DIGITS = 53
_TABLE_BITS = 16


def exact_group_sums(
    pair: Pair, formats: tuple[ElementFormat, ElementFormat], scale_formats: tuple[ScaleFormat, ScaleFormat] | None,
    rule: AccumulationRule, first: int, count: int, size: int,
) -> list[Array]:  # fmt: skip
    """Return terms [count, *batch] whose sum is the exact sum of products of each group, NaN and Inf included.

    Args:
        pair: Operands [K, rows], unscaled.
        formats: Element formats.
        scale_formats: Scale formats if scales enter the products, else None.
        rule: Its zero_sign, dot_shift and rounding direction count.
        first, count, size: Groups: from which on, how many, and how many elements each.
    """
    unit = size if scale_formats is None or pair.a.block == 0 else gcd(size, pair.a.block)
    per_group = size // unit
    units = pair.groups(first * per_group, count * per_group, unit)
    scales = None if scale_formats is None else pair.scales(first * per_group, count * per_group, unit)
    factors: tuple[Array, ...] | None = None if scales is None else (scales[0].value, scales[1].value)
    special = None
    if not units.is_finite or (factors is not None and not all(np.isfinite(f).all() for f in factors)):
        special = _special_sums(units, factors)
        units, factors = _finite(units), None if factors is None else tuple(map(_zero_special, factors))
    terms = _unit_sums(units, formats, scale_formats, factors)
    if per_group > 1:
        stacked = np.concatenate([t.reshape(count, per_group, *t.shape[1:]) for t in terms], axis=1)
        terms = exact_sum(np.moveaxis(stacked, 1, 0))
        if special is not None:
            special = special.reshape(count, per_group, *special.shape[1:]).sum(axis=1)
    if rule.dot_shift:
        terms = [term * 2.0**-rule.dot_shift for term in terms]
    return with_special(_signed_zeros(terms, pair.groups(first, count, size), rule), special)


def _unit_sums(
    units: Pair,
    formats: tuple[ElementFormat, ElementFormat],
    scale_formats: tuple[ScaleFormat, ScaleFormat] | None,
    factors: tuple[Array, ...] | None,
) -> list[Array]:
    """Exact sums over the first axis of finite [k, units, rows] operands, times their factors [units, rows]."""
    k = len(units.a.values)
    bands = _bands(formats, k)
    if bands is None or len(bands[0]) * len(bands[1]) > max(k, 4):
        return _sums_by_product(units, factors)
    fold = factors is not None and scale_formats is not None and _fits(formats, scale_formats, k)
    split_a, split_b = (
        [_band(values, low, high) for low, high in limits] if len(limits) > 1 else [values]
        for values, limits in ((units.a.values, bands[0]), (units.b.values, bands[1]))
    )
    if fold:
        assert factors is not None
        split_a = [values * factors[0] for values in split_a]
        split_b = [values * factors[1] for values in split_b]
    terms = [units.contract(x, y) for x, y in pairs_of(split_a, split_b)]
    if factors is None or fold:
        return terms
    factor = units.join(np.multiply, factors[0], factors[1])
    return [part for term in terms for part in multiply_exactly(term, factor)]


def _sums_by_product(units: Pair, factors: tuple[Array, ...] | None) -> list[Array]:
    """Exact sums of wide products: each is two float64 terms at most (MX-6.1-a)."""
    a, b = units.a.values, units.b.values
    if factors is not None:
        a, b = a * factors[0], b * factors[1]
    high = units.join(np.multiply, a, b)
    if factors is None:
        return exact_sum(high)  # at most 24 + 24 bits
    if units.outer:
        shape = high.shape
        a, b = np.broadcast_to(a[..., :, None], shape), np.broadcast_to(b[..., None, :], shape)
    return exact_sum(np.concatenate(multiply_exactly(a, b)))


def _fits(
    formats: tuple[ElementFormat, ElementFormat], scale_formats: tuple[ScaleFormat, ScaleFormat], k: int
) -> bool:
    """Whether elements times scales stay as exact: power-of-two scales move a block as a whole."""
    bits = sum(map(integer_bits, formats)) + (k - 1).bit_length()
    if all(f.mantissa_bits == 0 for f in scale_formats):
        return True
    return bits + sum(f.mantissa_bits + 1 for f in scale_formats) <= _DIGITS


def _bands(
    formats: tuple[ElementFormat, ElementFormat], k: int
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]] | None:
    """Return the limits [low, high) of the bands of magnitudes of both formats; None for formats too wide."""
    if any(f.bits > _TABLE_BITS for f in formats):
        return None
    limit = _DIGITS - (k - 1).bit_length()
    width_a, width_b = map(integer_bits, formats)
    if width_a + width_b > limit:
        width_a, width_b = (
            min(own, max(limit // 2, limit - other))
            for own, other in ((width_a, width_b), (width_b, width_a))
        )
    return _limits(formats[0], width_a), _limits(formats[1], width_b)


def integer_bits(element: ElementFormat) -> int:
    """Bits of the largest finite magnitude as an integer on the format's grid."""
    if isinstance(element, IntegerFormat):
        return element.bits
    return element.emax + 1 - element.quantum_exponent


def _limits(element: ElementFormat, bits: int) -> list[tuple[float, float]]:
    """Split the magnitudes of a format into bands, each of *bits*-bit integers on a grid of its own.

    The first band is everything below 2**bits on the format's grid. A value of at least 2**low there is a
    multiple of 2**(low - mantissa_bits), so the next band reaches mantissa_bits less far, and so on.
    """
    mantissa_bits = 0 if isinstance(element, IntegerFormat) else element.mantissa_bits
    grid = 2.0**element.quantum_exponent
    limits, low, high = [], 0.0, bits
    while True:
        limits.append((low, 2.0**high * grid))
        if high >= integer_bits(element):
            return limits
        low, high = 2.0**high * grid, high + bits - mantissa_bits


def _band(values: Array, low: float, high: float) -> Array:
    magnitude = np.abs(values)
    return np.where((low <= magnitude) & (magnitude < high), values, 0.0)


def _special_sums(units: Pair, factors: tuple[Array, ...] | None) -> Array:
    """NaN or infinity where IEEE 754 arithmetic on the products gives it, else 0; [units, *batch]."""
    a, b = units.a.values, units.b.values
    if factors is not None:
        a, b = a * factors[0], b * factors[1]
    nan = [np.isnan(v) for v in (a, b)]
    sign = [np.where(n, 0.0, np.sign(np.where(n, 0.0, v))) for v, n in zip((a, b), nan, strict=True)]
    infinite = [np.isinf(v).astype(np.float64) for v in (a, b)]
    zero = [(v == 0).astype(np.float64) for v in (a, b)]
    ones = [np.ones_like(v) for v in (a, b)]
    number = [n.astype(np.float64) for n in nan]
    contract = units.contract
    # Counts of products, so that no BLAS has to keep to IEEE 754 for NaN and Inf.
    nans = contract(number[0], ones[1]) + contract(ones[0], number[1])
    nans += contract(infinite[0], zero[1]) + contract(zero[0], infinite[1])
    infinities = contract(infinite[0], np.abs(sign[1])) + contract(np.abs(sign[0]), infinite[1])
    balance = contract(infinite[0] * sign[0], sign[1]) + contract(sign[0], infinite[1] * sign[1])
    positive, negative = infinities + balance > 0, infinities - balance > 0
    special = np.where(positive, np.inf, np.where(negative, -np.inf, 0.0))
    return np.where((nans > 0) | (positive & negative), np.nan, special)


def _finite(pair: Pair) -> Pair:
    def cut(operand: Decoded) -> Decoded:
        return Decoded(_zero_special(operand.values), None, None, operand.block, True)

    return Pair(cut(pair.a), cut(pair.b), pair.outer)


def _zero_special(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)


def _signed_zeros(terms: list[Array], groups: Pair, rule: AccumulationRule) -> list[Array]:
    """Give an exactly zero sum the sign that zero_sign wants.

    A sum of products of one sign is zero only if all of them are, so the signs alone decide.
    """
    if rule.zero_sign != "ieee":
        # Adding +0 makes -0 of a sum +0 and changes nothing else.
        return [term + 0.0 for term in terms]
    zero: NDArray[np.bool_] = np.logical_and.reduce([term == 0 for term in terms])
    if not zero.any():
        return terms
    directed = (rule.group_round or rule.acc_round) == "RD"
    minus = ~groups.all_positive() if directed else groups.all_negative()
    return [np.where(zero, np.where(minus, -0.0, 0.0), term) for term in terms]
