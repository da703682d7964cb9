"""Splitting operands into bands of magnitudes whose products a float64 contraction adds exactly.

Numbers that are multiples of 2**low and below 2**high in magnitude are integers of high - low bits. A sum of
k products of a p-bit and an r-bit integer has at most p + r + ceil(log2 k) bits; where that is 53 or less
every partial sum is a float64, so the order does not matter and a BLAS product gives the exact sum. Wider
operands are split.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from refmodel.formats import ElementFormat, IntegerFormat
from refmodel.summation.rounder import Array, exponent_of

DIGITS = 53

Span = tuple[int, int]
"""(low, high): multiples of 2**low below 2**high."""


def format_span(element: ElementFormat) -> Span:
    """Return the span of all values of a format."""
    if isinstance(element, IntegerFormat):
        return -element.fraction_bits, element.bits - element.fraction_bits
    return element.quantum_exponent, element.emax + 1


def precision(element: ElementFormat) -> int:
    """Return the significant bits of a value."""
    return element.bits if isinstance(element, IntegerFormat) else element.mantissa_bits + 1


def data_span(values: Array, digits: int) -> Span:
    """Return a span of finite values that have *digits* significant bits at most."""
    exponent = exponent_of(values)
    high = int(exponent.max(initial=-1100)) + 1
    low = int(np.where(values == 0, 1100, exponent).min(initial=1100)) - (digits - 1)
    return (0, 0) if high < -1000 else (low, high)


def splits(
    a: Array, b: Array, spans: tuple[Span, Span], digits: tuple[int, int], most: int
) -> list[tuple[Array, Array]] | None:
    """Return pairs of operands, contractions of which add up to that of *a* and *b* and are exact each.

    Args:
        a, b: Finite values [k, ...] each.
        spans: Of their values.
        digits: Significant bits of their values.
        most: None is returned if more pairs were needed.
    """
    limit = DIGITS - (len(a) - 1).bit_length()
    width_a, width_b = (high - low for low, high in spans)
    if width_a + width_b <= limit:
        return [(a, b)]
    width_a, width_b = (
        min(own, max(limit // 2, limit - other)) for own, other in ((width_a, width_b), (width_b, width_a))
    )
    cuts_a, cuts_b = (
        _cuts(span, width, own) for span, width, own in zip(spans, (width_a, width_b), digits, strict=True)
    )
    if cuts_a is None or cuts_b is None or (len(cuts_a) + 1) * (len(cuts_b) + 1) > most:
        return None
    bands_a, bands_b = _split(a, cuts_a), _split(b, cuts_b)
    if len(bands_a) == len(bands_b) == 2:
        # What has a high factor is a multiple of the lower of the two grids times the other's lowest bit, and
        # one contraction adds it all if it is narrow enough from there.
        grid = min(cuts_a[0] - digits[0] + 1 - spans[0][0], cuts_b[0] - digits[1] + 1 - spans[1][0])
        if sum(high - low for low, high in spans) - grid <= limit:
            high = np.concatenate([bands_a[1], bands_a[0]]), np.concatenate([b, bands_b[1]])
            return [high, (bands_a[0], bands_b[0])]
    return list(product(bands_a, bands_b))


def _cuts(span: Span, width: int, digits: int) -> list[int] | None:
    """Return the exponents at which to cut a span into bands of integers of *width* bits.

    The first band is everything below 2**width on the span's grid. A value of at least 2**cut is a
    multiple of 2**(cut - digits + 1), so the next band reaches digits - 1 less far, and so on.
    """
    if width < digits:
        return None
    low, high = span
    cuts, top = [], low + width
    while top < high:
        cuts.append(top)
        top += width - digits + 1
    return cuts


def _split(values: Array, cuts: list[int]) -> list[Array]:
    if not cuts:
        return [values]
    magnitude, bands, rest = np.abs(values), [], values
    for cut in cuts:
        below = np.where(magnitude < 2.0**cut, rest, 0.0)
        bands.append(below)
        rest = rest - below
    return [*bands, rest]
