"""Dot products of one block under rules that sum a block exactly: one or two float64 sums are all they take.

An exact sum of products that fits the 53 bits of a float64 is the same in any order of additions, and IEEE 754 makes
NaN and infinity of it as the rules want them; times two scales it is still exact. Where products spread wider, each is
cut at a fixed exponent, and what lies above and below is summed apart. Same bits as `refmodel.summation.exact`, which
takes any number of blocks and any formats, in fewer passes over less memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import AccumulationRule
from refmodel.blocks import Blocks
from refmodel.elements import decode_table
from refmodel.operands import Operand
from refmodel.summation.aligned import has_signed_zeros
from refmodel.summation.bands import DIGITS, format_span
from refmodel.summation.decoded import sums_exactly
from refmodel.summation.rounder import Array

_ROWS = 1 << 11
"""Blocks at a time: their values stay within a level-2 cache."""


def sums_block_in_float64(rule: AccumulationRule, a: Operand, b: Operand, length: int) -> bool:
    """Return whether `block_sums` gives the sums of dot products of *length* elements under *rule*."""
    if not (isinstance(a, Blocks) and isinstance(b, Blocks) and length == a.format.block_size):
        return False
    plain = sums_exactly(rule) and rule.product == "exact" and rule.scale_apply == "product_exponent"
    plain &= rule.group_size in ("all", "block") and rule.stage2 is None and not rule.dot_shift
    plain &= not rule.input_drop_bits and not rule.daz and rule.overflow != "product_inf_at_2^128"
    if not plain or has_signed_zeros(rule):
        return False
    formats = a.format, b.format
    if any(f.element.bits > 8 or f.scale.bits > 8 or f.scale.signed or f.scale.infinity_code for f in formats):
        return False
    bits = _top(a, b) - _bottom(a, b) + _scale_bits(a, b)
    # Cut in the middle, two sums have half of the bits each, and a little more: see `_cut_sums`.
    return bits <= DIGITS or bits // 2 + length.bit_length() + _scale_bits(a, b) <= DIGITS


def block_sums(a: Blocks, b: Blocks, rows: slice) -> list[Array]:
    """Return one or two terms, float64 [rows], whose exact sum is that of the scaled products of each row's only
    block; a zero is +0. NaN and infinity are in the first."""
    bottom, top = _bottom(a, b), _top(a, b)
    cut = None if top - bottom + _scale_bits(a, b) <= DIGITS else (bottom + top) // 2
    terms = [np.empty(rows.stop - rows.start) for _ in range(1 if cut is None else 2)]
    for first in range(rows.start, rows.stop, _ROWS):
        part = slice(first, min(first + _ROWS, rows.stop))
        values = [_values(x.codes[part, 0], decode_table(x.format.element)) for x in (a, b)]
        scales = [_values(x.scales[part, 0], decode_table(x.format.scale)) for x in (a, b)]
        scale = scales[0] * scales[1]
        sums = [np.einsum("nk,nk->n", *values)] if cut is None else _cut_sums(values[0] * values[1], cut)
        for term, found in zip(terms, sums, strict=True):
            term[part.start - rows.start : part.stop - rows.start] = found * scale + 0.0
    if cut is not None:
        terms[1][~np.isfinite(terms[0])] = 0.0
    return terms


def _cut_sums(products: Array, cut: int) -> list[Array]:
    """Return the sums over the last axis of multiples of 2**cut next to products, and of what is left, at most half of
    that each. Adding 1.5 * 2**(52 + cut) and taking it away again rounds to such a multiple."""
    magic = 1.5 * 2.0 ** (52 + cut)
    high = products + magic
    high -= magic
    with np.errstate(invalid="ignore"):
        products -= high
    return [high.sum(axis=-1), products.sum(axis=-1)]


def _bottom(a: Blocks, b: Blocks) -> int:
    """Products are multiples of 2 to this."""
    return format_span(a.format.element)[0] + format_span(b.format.element)[0]


def _top(a: Blocks, b: Blocks) -> int:
    """Sums of the products of a block are at most 2 to this."""
    spans = format_span(a.format.element), format_span(b.format.element)
    return spans[0][1] + spans[1][1] + (a.format.block_size - 1).bit_length()


def _scale_bits(a: Blocks, b: Blocks) -> int:
    """By how many bits the product of two scales makes a sum longer."""
    return sum(x.format.scale.mantissa_bits + (x.format.scale.mantissa_bits > 0) for x in (a, b))


def _values(codes: NDArray[Any], table: Array) -> Array:
    return np.take(table, codes.astype(np.intp), mode="wrap")
