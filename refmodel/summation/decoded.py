"""Operands as the evaluation wants them: values and exponents of elements, K first.

Bounds. Finite values of float elements lie on grids from 2**-149 up and below 2**128, scales between 2**-149
and 2**128; scaled elements so lie between 2**-298 and 2**256 and products of two of them between 2**-596 and
2**512, well inside float64. A product of significands of at most 53 bits together is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import AccumulationRule
from refmodel.blocks import Blocks
from refmodel.elements import decode, decode_table
from refmodel.formats import ElementFormat, IntegerFormat, ScaleFormat
from refmodel.operands import Operand
from refmodel.summation.rounder import Array, Rounder, exponent_of, smallest_normal_exponent

ZERO = -8192
"""The exponent of a zero element: below all others, also when a scale is added or two of them are."""

NO_TERM = -4096
"""A sum of exponents below this belongs to a zero product."""

_TABLE_BITS = 16


@dataclass(frozen=True, slots=True)
class Scales:
    """Scales of blocks [n_blocks, rows]: value, clamped exponent (`ZERO` for a zero scale), significand."""

    value: Array
    exponent: NDArray[np.int16]
    significand: Array

    def at(self, index: int | NDArray[np.int64]) -> Scales:
        """Return the scales of one block [rows], or of several [n, rows]."""
        return Scales(self.value[index], self.exponent[index], self.significand[index])


@dataclass(frozen=True, slots=True)
class Decoded:
    """A part of one operand, K first.

    Attributes:
        values: Element values [K, rows], times their scales where the rule wants that.
        exponents: int16 [K, rows], e(x) for the alignment, with the scale's where the rule wants that; `ZERO`
            for zeros; None if the rule does not align.
        scales: Scales of the blocks; None where there are none or the values contain them.
        block: Elements of a block; 0 without scales.
        is_finite: False if any value is NaN or infinite.
    """

    values: Array
    exponents: NDArray[np.int16] | None
    scales: Scales | None
    block: int
    is_finite: bool


def sums_exactly(rule: AccumulationRule) -> bool:
    """Return whether the products of a group are added without dropping anything."""
    return rule.order == "fused" and rule.align_bits is None


def scales_elements(rule: AccumulationRule, *operands: Operand) -> bool:
    """Return whether the scales of the operands are to be multiplied into their elements.

    Not so where a sum is scaled as a whole: exact sums, and aligned groups with one scale each. Signed and
    infinite scales of the latter go into the elements all the same: they decide signs, and Inf * 0 is NaN.
    """
    if rule.scale_apply == "dequant_inputs":
        return True
    if rule.scale_apply == "product_exponent" and rule.overflow == "product_inf_at_2^128":
        return True  # a scaled product decides
    if rule.scale_apply != "product_exponent" or sums_exactly(rule):
        return False
    if rule.align_bits is None:
        return True
    formats = [operand.format for operand in operands if isinstance(operand, Blocks)]
    within = all(rule.group_size == "block" or f.block_size % _whole(rule.group_size) == 0 for f in formats)
    return not within or any(f.scale.signed or f.scale.infinity_code is not None for f in formats)


def _whole(size: int | str) -> int:
    """A group size as a number that divides no block size if groups are not of a fixed size."""
    return size if isinstance(size, int) else 1 << 30


def decode_operand(
    operand: Operand, rule: AccumulationRule, index: tuple[slice, slice], pad: int, scale_elements: bool
) -> Decoded:
    """Decode rows and elements of an operand.

    Args:
        operand: Blocks [rows, n_blocks] or Elements [rows, K].
        rule: What is done to elements and where scales go.
        index: Rows, and elements from a multiple of the block size on.
        pad: Elements +0 are added to the end up to a multiple of this.
        scale_elements: From `scales_elements`.
    """
    rows, columns = index
    if isinstance(operand, Blocks):
        element, size = operand.format.element, operand.format.block_size
        blocks = slice(columns.start // size, -(-columns.stop // size))
        codes = operand.codes[rows, blocks]
        codes = codes.reshape(codes.shape[0], -1)[:, : columns.stop - columns.start]
        scale_codes = operand.scales[rows, blocks].T
    else:
        element, size = operand.format, 0
        codes, scale_codes = operand.codes[rows, columns], None
    finite, codes = _all_finite(element, codes), codes.T
    missing = -len(codes) % pad
    if missing:
        codes = np.concatenate([codes, np.zeros((missing, codes.shape[1]), codes.dtype)])
    with_exponents = rule.term_exponent not in ("none", "scale_only")
    values, exponents = _decode_elements(element, codes, rule, with_exponents)
    scales = None
    if isinstance(operand, Blocks) and scale_codes is not None:
        scales = _decode_scales(operand.format.scale, scale_codes, -(-len(codes) // size))
        if scale_elements:
            values, exponents = _apply(scales, size, values, exponents, rule)
            return Decoded(values, exponents, None, size, bool(np.isfinite(values).all()))
    return Decoded(values, exponents, scales, size, finite)


def _all_finite(element: ElementFormat, codes: NDArray[Any]) -> bool:
    if isinstance(element, IntegerFormat) or element.specials == "none":
        return True
    if element.specials == "fnuz":
        return not (codes == element.sign_mask).any()
    return not ((codes & element.magnitude_mask) > element.max_code).any()


def _decode_elements(
    element: ElementFormat, codes: NDArray[Any], rule: AccumulationRule, with_exponents: bool
) -> tuple[Array, NDArray[np.int16] | None]:
    normalised = rule.term_exponent == "normalised_inputs"
    if element.bits > _TABLE_BITS:
        return _values_and_exponents(element, codes, rule, with_exponents, normalised)
    values_table, exponent_table = _tables(
        element, rule.input_drop_bits, rule.daz, rule.daz_sign, rule.input_emin, normalised
    )
    # K first in memory, too, so that sums over K are sums of long rows; and the index type that take works
    # with.
    positions = codes.astype(np.intp, order="C")
    values = np.empty(positions.shape)
    np.take(values_table, positions, mode="wrap", out=values)
    if not with_exponents:
        return values, None
    exponents = np.empty(positions.shape, np.int16)
    np.take(exponent_table, positions, mode="wrap", out=exponents)
    return values, exponents


def element_tables(element: ElementFormat, *, normalised: bool) -> tuple[Array, NDArray[np.int16]]:
    """Return values and exponents e(x) of all codes of an element format, or floor(log2 |x|) if normalised."""
    return _tables(element, 0, False, "keep", None, normalised)


@lru_cache(maxsize=128)
def _tables(
    element: ElementFormat, drop: int, daz: bool, daz_sign: str, emin: int | None, normalised: bool
) -> tuple[Array, NDArray[np.int16]]:
    """Values and exponents of all codes of an element format."""
    changed = _change(element, np.arange(1 << element.bits), drop, daz, daz_sign)
    return changed, _exponents(element, changed, emin, normalised)


def _values_and_exponents(
    element: ElementFormat,
    codes: NDArray[Any],
    rule: AccumulationRule,
    with_exponents: bool,
    normalised: bool,
) -> tuple[Array, NDArray[np.int16] | None]:
    values = _change(element, np.ascontiguousarray(codes), rule.input_drop_bits, rule.daz, rule.daz_sign)
    return values, _exponents(element, values, rule.input_emin, normalised) if with_exponents else None


def _change(element: ElementFormat, codes: NDArray[Any], drop: int, daz: bool, daz_sign: str) -> Array:
    """Values of codes after dropping low bits and flushing subnormals."""
    values = _decode(element, codes)
    if drop:
        kept = _decode(element, codes.astype(np.int64) >> drop << drop)
        values = np.where(np.isnan(values), values, kept)
    if daz and not isinstance(element, IntegerFormat):
        subnormal = np.abs(values) < 2.0**element.emin
        values = np.where(subnormal, np.copysign(0.0, values) if daz_sign == "keep" else 0.0, values)
    return values


def _decode(element: ElementFormat, codes: NDArray[Any]) -> Array:
    return decode(element, codes) if element.bits > _TABLE_BITS else decode_table(element)[codes]


def _exponents(
    element: ElementFormat, values: Array, emin: int | None, normalised: bool
) -> NDArray[np.int16]:
    """e(x) of every value, or floor(log2 |x|) where normalised or of an integer format."""
    exponent = exponent_of(values)
    if not (normalised or isinstance(element, IntegerFormat)):
        exponent = np.maximum(exponent, element.emin if emin is None else emin)
    exponent = np.where(np.isfinite(values), exponent, 0)
    return np.where(values == 0, ZERO, exponent).astype(np.int16)


def _decode_scales(fmt: ScaleFormat, codes: NDArray[Any], blocks: int) -> Scales:
    """Decode scale codes [n, rows]; blocks beyond them have scale 1."""
    if fmt.bits > _TABLE_BITS:
        scales = _scales_of(fmt, _decode(fmt, np.ascontiguousarray(codes)))
    else:
        scales = _scale_table(fmt).at(codes.astype(np.intp, order="C"))
    missing = blocks - len(codes)
    if missing <= 0:
        return scales
    ones = np.ones((missing, codes.shape[1]))
    return Scales(
        np.concatenate([scales.value, ones]),
        np.concatenate([scales.exponent, np.zeros(ones.shape, np.int16)]),
        np.concatenate([scales.significand, ones]),
    )


@lru_cache(maxsize=32)
def _scale_table(fmt: ScaleFormat) -> Scales:
    return _scales_of(fmt, _decode(fmt, np.arange(1 << fmt.bits)))


def _scales_of(fmt: ScaleFormat, value: Array) -> Scales:
    finite = np.isfinite(value)
    exponent = np.where(finite, np.maximum(exponent_of(value), fmt.emin), 0)
    significand = np.where(finite, np.ldexp(value, -exponent.astype(np.int32)), value)
    return Scales(value, np.where(value == 0, ZERO, exponent).astype(np.int16), significand)


def _apply(
    scales: Scales, size: int, values: Array, exponents: NDArray[np.int16] | None, rule: AccumulationRule
) -> tuple[Array, NDArray[np.int16] | None]:
    """Multiply elements by their scales, exactly, or rounded to dequant_format."""
    rows = values.shape[1]
    whole = len(values) // size * size
    values = values.copy()
    for part, blocks in (
        (slice(0, whole), slice(0, whole // size)),
        (slice(whole, None), slice(whole // size, None)),
    ):
        if not len(values[part]):
            continue
        shape = (-1, min(size, len(values[part])), rows)
        values[part] = (values[part].reshape(shape) * scales.value[blocks, None]).reshape(-1, rows)
        if exponents is not None:
            shifted = exponents[part].reshape(shape) + scales.exponent[blocks, None]
            exponents[part] = np.maximum(shifted, ZERO).reshape(-1, rows)
    if rule.scale_apply == "dequant_inputs":
        assert rule.dequant_format is not None
        values = Rounder(rule.dequant_format, "RNE").round(values)
        if exponents is not None:
            exponent = exponent_of(values)
            if rule.term_exponent != "normalised_inputs":
                exponent = np.maximum(exponent, smallest_normal_exponent(rule.dequant_format))
            exponent = np.where(np.isfinite(values), exponent, 0)
            exponents = np.where(values == 0, ZERO, exponent).astype(np.int16)
    return values, exponents
