"""Exact sums of products, as few float64 terms whose exact sum they are.

Operands are contracted by BLAS in bands of magnitudes, see `refmodel.summation.bands`; formats too wide for
that are added product by product.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from math import gcd
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import AccumulationRule
from refmodel.formats import ElementFormat, ScaleFormat
from refmodel.rounding import exact_sum
from refmodel.summation.aligned import has_signed_zeros
from refmodel.summation.bands import DIGITS, Span, data_span, format_span, precision, splits
from refmodel.summation.decoded import Decoded, Scales
from refmodel.summation.pairs import Pair, with_special
from refmodel.summation.rounder import Array, multiply_exactly, to_float32

Formats: TypeAlias = tuple[ElementFormat, ElementFormat]
ScaleFormats: TypeAlias = tuple[ScaleFormat, ScaleFormat]

_FLOAT32_DIGITS = 24
# Terms that the exact sum of a block may have.
_TERMS = 64


def exact_group_sums(
    pair: Pair,
    formats: Formats,
    scale_formats: ScaleFormats | None,
    rule: AccumulationRule,
    first: int,
    count: int,
    size: int,
) -> list[Array]:
    """Return terms [count, *batch] whose sum is the exact sum of products of each group, with NaN and Inf.

    Args:
        pair: Operands [K, rows], unscaled.
        formats: Element formats.
        scale_formats: Scale formats if scales enter the products, else None.
        rule: Its zero_sign, dot_shift and rounding direction count.
        first, count, size: Groups: from which on, how many, and how many elements each.
    """
    terms, special = _finite_group_sums(pair, formats, scale_formats, first, count, size)
    if rule.dot_shift:
        terms = [term * 2.0**-rule.dot_shift for term in terms]
    return with_special(_signed_zeros(terms, pair.groups(first, count, size), rule), special)


def float32_group_sums(
    pair: Pair,
    formats: Formats,
    scale_formats: ScaleFormats | None,
    first: int,
    count: int,
    size: int,
) -> NDArray[np.float32]:
    """Return exact sums of the products of each group, rounded to Float32 to nearest even; a zero sum is +0.

    Where an unscaled sum has at most 24 bits, and scales keep away from the ends of Float32's range, Float32
    BLAS gives the exact sum, so nothing is rounded.
    """
    found = _float32_product(pair, formats, scale_formats, first, count, size)
    if found is not None:
        found += np.float32(0)  # makes -0 of a sum +0
        return found
    terms, special = _finite_group_sums(pair, formats, scale_formats, first, count, size)
    found = to_float32(terms)
    return found if special is None else np.where(special != 0, special.astype(np.float32), found)


def _float32_product(
    pair: Pair,
    formats: Formats,
    scale_formats: ScaleFormats | None,
    first: int,
    count: int,
    size: int,
) -> NDArray[np.float32] | None:
    """Return the exact sums if Float32 arithmetic gives them, else None."""
    bits = sum(high - low for low, high in map(format_span, formats)) + (size - 1).bit_length()
    if bits > _FLOAT32_DIGITS or not pair.is_finite:
        return None
    units = pair.groups(first, count, size)
    a, b = units.a.values, units.b.values
    scales = None if scale_formats is None else pair.scales(first, count, size)
    if scales is not None and scale_formats is not None:
        if size > pair.a.block or any(f.mantissa_bits for f in scale_formats):
            return None
        a, b = a * scales[0].value, b * scales[1].value
        spans = [_scaled_span(f, s) for f, s in zip(formats, scales, strict=True)]
    else:
        spans = [format_span(f) for f in formats]
    # Neither a value nor a sum of products may be below the normal numbers or above the largest.
    lowest = min(*(low for low, _ in spans), sum(low for low, _ in spans))
    highest = max(*(high for _, high in spans), sum(high for _, high in spans) + (size - 1).bit_length())
    if lowest < -126 or highest > 127:
        return None
    return units.contract(a.astype(np.float32), b.astype(np.float32))


def _scaled_span(element: ElementFormat, scales: Scales) -> Span:
    """Return the span of elements times power-of-two scales; too wide a one if a scale is NaN."""
    low, high = format_span(element)
    if not np.isfinite(scales.value).all():
        return -1000, 1000
    exponent = scales.exponent
    return low + int(exponent.min(initial=0)), high + int(exponent.max(initial=0))


def _finite_group_sums(
    pair: Pair,
    formats: Formats,
    scale_formats: ScaleFormats | None,
    first: int,
    count: int,
    size: int,
) -> tuple[list[Array], Array | None]:
    """Return terms of the finite products of each group, and the sums of the others, None for none."""
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
    return terms, special


def _unit_sums(
    units: Pair,
    formats: Formats,
    scale_formats: ScaleFormats | None,
    factors: tuple[Array, ...] | None,
) -> list[Array]:
    """Exact sums over the first axis of finite operands [k, units, rows], times factors [units, rows]."""
    a, b = units.a.values, units.b.values
    digits = precision(formats[0]), precision(formats[1])
    most = max(len(a), 4)
    pairs = splits(a, b, (format_span(formats[0]), format_span(formats[1])), digits, most)
    if pairs is None:
        pairs = splits(a, b, (data_span(a, digits[0]), data_span(b, digits[1])), digits, most)
    if pairs is None:
        return _sums_by_product(units, factors)
    if factors is None:
        return [units.contract(x, y) for x, y in pairs]
    if scale_formats is not None and _fits(formats, scale_formats, len(a)):
        return [units.contract(x * factors[0], y * factors[1]) for x, y in pairs]
    factor = units.join(np.multiply, factors[0], factors[1])
    return [part for x, y in pairs for part in multiply_exactly(units.contract(x, y), factor)]


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


def _fits(formats: Formats, scale_formats: ScaleFormats, k: int) -> bool:
    """Whether elements times scales stay as exact: power-of-two scales move a block as a whole."""
    if all(f.mantissa_bits == 0 for f in scale_formats):
        return True
    bits = sum(high - low for low, high in map(format_span, formats)) + (k - 1).bit_length()
    return bits + sum(f.mantissa_bits + 1 for f in scale_formats) <= DIGITS


def whole_sums(
    pair: Pair,
    formats: Formats,
    scale_formats: ScaleFormats | None,
    rule: AccumulationRule,
    blocks: int,
    size: int,
    length: int,
    portions: Iterable[tuple[int, int]],
) -> list[Array]:
    """Return terms [*batch] whose sum is that of all products of a pair, scales included.

    Args:
        pair, formats, scale_formats, rule: As in `exact_group_sums`.
        blocks, size: Number of blocks, and elements of a block.
        length: Number of elements; what follows is filling and has no say in the sign of a zero.
        portions: The blocks in portions (first, count), where they cannot be summed at once.
    """
    scaled, digits = _scaled(pair, formats, scale_formats, blocks, size)
    finite = all(np.isfinite(v.values).all() for v in (scaled.a, scaled.b))
    special = None if finite else _special_sums(scaled, None)[0]
    clean = scaled if finite else _finite(scaled)
    spans = data_span(clean.a.values, digits[0]), data_span(clean.b.values, digits[1])
    pairs = splits(clean.a.values, clean.b.values, spans, digits, most=1)
    if pairs is not None:
        terms = [clean.contract(*pairs[0])[0]]
    else:
        sums = (_block_sums(pair, formats, scale_formats, *portion, size) for portion in portions)
        terms = _binned_sum(chain.from_iterable(sums), spans, blocks, size, _terms(formats, scale_formats, size))
    if rule.dot_shift:
        terms = [term * 2.0**-rule.dot_shift for term in terms]
    # Only elements without scales are filled up; in *scaled* the filling of several blocks lies in between.
    signs = pair.elements(slice(0, length)) if length < blocks * size else scaled
    signed = _signed_zeros([term[None] for term in terms], signs, rule)
    return with_special([term[0] for term in signed], special)


def _block_sums(
    pair: Pair, formats: Formats, scale_formats: ScaleFormats | None, first: int, count: int, size: int
) -> list[Array]:
    """Exact sums of the finite products of blocks, by Float32 BLAS where that is exact."""
    found = _float32_product(pair, formats, scale_formats, first, count, size)
    if found is not None:
        return [found.astype(np.float64)]
    return _finite_group_sums(pair, formats, scale_formats, first, count, size)[0]


def _scaled(
    pair: Pair,
    formats: Formats,
    scale_formats: ScaleFormats | None,
    blocks: int,
    size: int,
) -> tuple[Pair, tuple[int, int]]:
    """Return a pair of scaled values [K, 1, rows], and the significant bits of its operands."""
    whole = pair.groups(0, blocks, size)
    scales = None if scale_formats is None else pair.scales(0, blocks, size)
    a, b = whole.a.values, whole.b.values
    digits = precision(formats[0]), precision(formats[1])
    if scales is not None and scale_formats is not None:
        a, b = a * scales[0].value, b * scales[1].value
        extra = [f.mantissa_bits + (f.mantissa_bits > 0) for f in scale_formats]
        digits = digits[0] + extra[0], digits[1] + extra[1]
    a, b = (np.ascontiguousarray(v).reshape(-1, 1, v.shape[-1]) for v in (a, b))
    return Pair(Decoded(a, None, None, 0, True), Decoded(b, None, None, 0, True), pair.outer), digits


def _terms(formats: Formats, scale_formats: ScaleFormats | None, size: int) -> int:
    """Return how many terms the sum of a block may have: one if a float64 holds it and scales are powers of two."""
    bits = sum(high - low for low, high in map(format_span, formats)) + (size - 1).bit_length()
    shifts = scale_formats is None or all(f.mantissa_bits == 0 for f in scale_formats)
    return 1 if bits <= DIGITS and shifts else _TERMS


def _binned_sum(terms: Iterable[Array], spans: tuple[Span, Span], blocks: int, size: int, most: int) -> list[Array]:
    """Return the exact sum of terms [n, *batch].

    Every term is cut at fixed exponents, and what lies between two of them is added in a float64 of its own: adding
    1.5 * 2**(52 + g) and taking it away again rounds to a multiple of 2**g. A bin of grid 2**g holds all its
    sums as they stay below 2**(g + 53).

    Args:
        terms: Of each block at most *most*, no one larger than the sum of the magnitudes of the block's products.
        spans: Of the operands.
        blocks, size: Number of blocks, and of products of a block.
        most: See *terms*.
    """
    # Terms, and sums of some of them, are below 2**top. What is left of a term after a cut is half a unit of the
    # grid at most, so what is left of all adds up to less than 2**(grid - 1 + bits of their number).
    low = spans[0][0] + spans[1][0]
    top = spans[0][1] + spans[1][1] + (blocks * size * most).bit_length()
    grids = []
    while low < top - DIGITS:
        grids.append(top - DIGITS + 2)
        top = grids[-1] - 1 + (blocks * most).bit_length()
    bins: list[Array] = []
    for term in terms:
        if not bins:
            bins = [np.zeros(term.shape[1:]) for _ in range(len(grids) + 1)]
        for total, grid in zip(bins, grids, strict=False):
            magic = 1.5 * 2.0 ** (52 + grid)
            part = term + magic
            part -= magic
            term = term - part
            total += part.sum(axis=0)
        bins[-1] += term.sum(axis=0)
    return bins


def _special_sums(units: Pair, factors: tuple[Array, ...] | None) -> Array:
    """NaN or infinity where IEEE 754 arithmetic on the products gives it, else 0; [units, *batch]."""
    a, b = units.a.values, units.b.values
    if factors is not None:
        a, b = a * factors[0], b * factors[1]
    if units.outer:
        return _special_products(units, a, b)
    rows = np.flatnonzero(~(np.isfinite(a).all(axis=(0, 1)) & np.isfinite(b).all(axis=(0, 1))))
    special = np.zeros((a.shape[1], a.shape[2]))
    special[:, rows] = _special_products(units, a[..., rows], b[..., rows])
    return special


def _special_products(units: Pair, a: Array, b: Array) -> Array:
    """The same of operands [k, units, rows], scales included."""
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
    """Give an exactly zero sum the sign that zero_sign wants."""
    if not has_signed_zeros(rule):
        # Adding +0 makes -0 of a sum +0 and changes nothing else.
        return [term + 0.0 for term in terms]
    zero = np.logical_and.reduce([term == 0 for term in terms])
    if not zero.any():
        return terms
    minus = groups.zero_is_negative(rule.acc_round)
    return [np.where(zero, np.where(minus, -0.0, 0.0), term) for term in terms]
