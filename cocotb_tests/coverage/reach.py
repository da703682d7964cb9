"""Which bins can be met at all: by enumeration of everything that they depend on, never by hand.

* Elements and scales of a dot product: every code of each; a dot product holds any pair.
* Blocks of numbers: the scale depends on the exponent of the largest number, seven bits below and whether there are
  more; an element on its number's place among the elements and the ties between them, times the scale. One number of
  every such kind is converted by the model.
* Blocks to numbers: every code under every scale.
* Rounding of a sum: what is cut off matters through its first bit, whether there are more, the digit above and the
  place. Sums are multiples of the lowest unit of any term, and no farther from some initial value, any Float32, than
  the largest block sum. A sum of every such kind is rounded.
* Signs of an exact zero: every combination of zero products and initial values, by the model.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cocotb_tests.coverage.classes import INF, NAN, SCALE_NAN, SCALE_ZERO, ZERO, number_bins, scale_bins
from cocotb_tests.coverage.facts import dequantize_facts, quantize_facts
from cocotb_tests.coverage.model import HANDSHAKE, Coverpoint, Facts, count
from cocotb_tests.coverage.rounding import (
    DIGITS,
    EXACT,
    INFINITY_BITS,
    NONE,
    QUANTUM,
    SIGN_BIT,
    float32_term,
    situation,
)
from refmodel.accumulate import get_rule
from refmodel.blocks import Blocks
from refmodel.conformance import Configuration, OperandPair
from refmodel.conformance.configuration import element_of
from refmodel.elements import decode_table
from refmodel.formats import FLOAT32, BlockFormat
from refmodel.options import QuantizeOptions
from refmodel.oracle.fast import float32_bits
from refmodel.vectors.construct import negate_code, one_code
from refmodel.vectors.conversions import DequantizeVectors, QuantizeVectors, dequantize_results, quantize_results
from refmodel.vectors.dotset import dot_results
from refmodel.vectors.numbers import NUMBER_FORMATS, InputFormat, as_numbers

Mask = NDArray[np.bool_]

NUMBER_BINS, SCALE_BINS, ROUNDING_BINS = 11, 7, 6
MINUS_ZERO = ZERO + 1
_LARGEST_FLOAT32 = 0x7F7FFFFF


def reachable(coverpoint: Coverpoint, configuration: Configuration, *, multi_block: bool) -> Mask:
    """Return which bins of *coverpoint* a design can meet in a configuration.

    Args:
        coverpoint: What is counted.
        configuration: Formats and rule.
        multi_block: Whether other blocks, under other scales, can be part of a result.
    """
    axes = tuple(axis for axis in coverpoint.axes if axis != HANDSHAKE)
    if coverpoint.of == "dot":
        mask = np.zeros(coverpoint.shape[: len(axes)], bool)
        for pair in configuration.pairs:
            mask |= _dot_mask(axes, pair, configuration, multi_block)
    else:
        fmt = block_format_of(configuration)
        enumerated = _dequantized(fmt)
        if coverpoint.of == "quantize":
            enumerated = _quantized(fmt, cast(InputFormat, configuration.input), configuration.options)
        handshake = np.full(len(enumerated.item), 1, np.uint8)
        size = len(axes)
        mask = count(Coverpoint("", coverpoint.of, axes, coverpoint.bins[:size]), enumerated, handshake) > 0
    if HANDSHAKE in coverpoint.axes:  # a design that takes an item takes it in every situation
        mask = np.repeat(mask[..., None], coverpoint.shape[-1], axis=-1)
    return mask


##################
# Dot products   #
##################


def _dot_mask(axes: tuple[str, ...], pair: OperandPair, configuration: Configuration, multi_block: bool) -> Mask:
    a, b = pair.a, pair.b
    alone = {}
    for side, fmt in (("a", a), ("b", b)):
        element = element_of(fmt)
        alone[f"{side}_element"] = _met(number_bins(element, np.arange(1 << element.bits)), NUMBER_BINS)
        if isinstance(fmt, BlockFormat):
            alone[f"{side}_scale"] = _met(scale_bins(fmt.scale, np.arange(1 << fmt.scale.bits)), SCALE_BINS)
    if not {"result", "rounding"} & set(axes):
        mask = np.ones((), bool)
        for axis in axes:
            mask = np.multiply.outer(mask, alone[axis])
        return mask
    assert isinstance(a, BlockFormat), "results are modelled of operands with scales"
    assert isinstance(b, BlockFormat), "results are modelled of operands with scales"
    results = result_rounding(a, b, configuration.rule_name)
    if axes == ("result", "rounding"):
        return results
    if axes == ("a_element", "b_element", "rounding"):
        # Without an Inf or NaN among the elements every rounding; with one none.
        pairs = np.multiply.outer(alone["a_element"], alone["b_element"])
        finite = np.arange(NUMBER_BINS) < INF
        mask = np.multiply.outer(pairs & np.multiply.outer(finite, finite), results.any(axis=0))
        mask[..., NONE] = pairs
        return mask
    if axes in (("a_scale", "result"), ("b_scale", "result")):
        mask = np.multiply.outer(alone[axes[0]], results.any(axis=1))
        for i in np.flatnonzero(alone[axes[0]][:SCALE_NAN]).tolist():
            with_scale: Mask = np.any(result_rounding(a, b, configuration.rule_name, axes[0][0], i), axis=1)
            if not multi_block:
                mask[i] = with_scale
            elif configuration.rule_name == "block32_fp32_add":  # -0 only of blocks that all are -0
                mask[i, MINUS_ZERO] = with_scale[MINUS_ZERO]
        mask[SCALE_NAN] &= np.arange(NUMBER_BINS) == NAN
        return mask
    raise NotImplementedError(f"no enumeration for the cross of {', '.join(axes)}")


def _met(bins: NDArray[np.int64], size: int) -> Mask:
    return np.bincount(bins, minlength=size) > 0


@cache
def result_rounding(a: BlockFormat, b: BlockFormat, rule: str, side: str = "", scale: int = 0) -> Mask:
    """Return which results [11] go with which rounding [6] where there is an initial value.

    Args:
        a, b: The formats.
        rule: Name of the rule.
        side, scale: The operand, "a" or "b", of which the scales are only those of this bin; empty for none.
    """
    lowest, largest = _block_range(a, b, side, scale)
    if rule == "block32_fp32_add":
        lowest = QUANTUM  # blocks are Float32 when they are added
    mask = np.zeros((NUMBER_BINS, ROUNDING_BINS), bool)
    for bits in (INFINITY_BITS, INFINITY_BITS | SIGN_BIT, 0x7FC00000):  # of the initial value, and so of the result
        mask[number_bins(FLOAT32, np.array([bits])), NONE] = True
    unit = min(lowest, QUANTUM)
    for n in _kinds_of_sums(unit):
        if _distance_from_float32(n, unit) <= largest[0] << max(0, largest[1] - unit):
            for signed in (n, -n):
                result = number_bins(FLOAT32, np.array([float32_bits(signed, unit)]))
                mask[result, situation(signed, unit)] = True
    mask[ZERO : ZERO + 2, EXACT] = _exact_zeros(a, b, rule, side, scale)
    if get_rule(rule).zero_sign == "always_plus":
        mask[MINUS_ZERO] = False
    return mask


def _block_range(a: BlockFormat, b: BlockFormat, side: str, scale: int) -> tuple[int, tuple[int, int]]:
    """Return the exponent of the unit of block sums, and a bound (n, e) on their magnitude."""
    lowest, bits = 0, a.block_size.bit_length() - 1
    for name, fmt in (("a", a), ("b", b)):
        lowest += fmt.element.quantum_exponent
        bits += int(np.ceil(np.log2(np.nanmax(np.abs(_finite(decode_table(fmt.element)))))))
        scales = decode_table(fmt.scale)
        if name == side:
            scales = scales[scale_bins(fmt.scale, np.arange(scales.size)) == scale]
        scales = _finite(scales)
        if not scales.any():  # only the scale 0, and so only the initial value
            return QUANTUM, (0, QUANTUM)
        lowest += int(np.log2(scales[scales > 0].min()))
        bits += int(np.ceil(np.log2(scales.max())))
    return lowest, (1, max(bits, lowest))


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def _kinds_of_sums(unit: int) -> list[int]:
    """Return positive integers, in units of 2**unit, of every kind that rounding tells apart."""
    kinds = set()
    for place in range(unit, 130):  # exponent of the leading digit
        cut = max(place - DIGITS + 1, QUANTUM) - unit
        kept = place - unit + 1 - cut
        heads = {1} if kept <= 0 else {1 << kept - 1, (1 << kept - 1) + 1, (1 << kept) - 2, (1 << kept) - 1}
        if cut <= 0:
            kinds |= {1 << place - unit, (1 << place - unit + 1) - 1}
            continue
        tails = _below(1 << cut)
        if kept <= 0:  # below the smallest subnormal
            kinds |= {1 << place - unit, (1 << place - unit) + 1, (1 << place - unit + 1) - 1}
            continue
        kinds |= {head << cut | tail for head in heads for tail in tails}
    return sorted(kind for kind in kinds if kind > 0)


def _below(limit: int) -> set[int]:
    """Return the numbers of interest below a power of two that are really below it."""
    half = limit >> 1
    return {each for each in (0, 1, half - 1, half, half + 1, limit - 1) if 0 <= each < limit}


def _distance_from_float32(n: int, unit: int) -> int:
    """Return the distance, in units, of a positive number from the nearest finite Float32."""
    bits = min(float32_bits(n, unit), _LARGEST_FLOAT32)
    value, e = float32_term(bits)
    return abs(n - (value << e - unit))


def _exact_zeros(a: BlockFormat, b: BlockFormat, rule: str, side: str, scale: int) -> list[bool]:
    """Return whether +0 and -0 come of products that cancel or are zero, or that vanish before the last addition."""
    one = [one_code(fmt.element) for fmt in (a, b)]
    minus_one, minus_zero = negate_code(a.element, one[0]), negate_code(a.element, 0)
    scale_one = one_code(a.scale)
    least = [_least_scale(fmt, scale if name == side else None) for name, fmt in (("a", a), ("b", b))]
    rows = [
        ((0, 0), (0, 0), False),  # all products +0
        ((minus_zero,) * 2, (0, 0), False),  # all -0, where there is one
        ((one[0], minus_one), (one[1], one[1]), False),
        ((negate_code(a.element, 1), 0), (1, 0), True),  # the smallest product, negative
        ((1, 0), (1, 0), True),
    ]
    a_codes, b_codes = (np.zeros((2 * len(rows), fmt.block_size), np.uint8) for fmt in (a, b))
    a_scales, b_scales = (np.zeros(2 * len(rows), np.uint8) for _ in range(2))
    c = np.array([0, SIGN_BIT] * len(rows), np.uint32)
    for i in range(2 * len(rows)):
        of_a, of_b, small = rows[i // 2]
        a_codes[i] = minus_zero if of_a[0] == minus_zero else 0
        a_codes[i, :2], b_codes[i, :2] = of_a, of_b
        a_scales[i], b_scales[i] = least if small else (scale_one, one_code(b.scale))
    operands = Blocks(a, a_codes, a_scales), Blocks(b, b_codes, b_scales)
    results = dot_results(*operands, np.ones(len(c), bool), rule, c)
    if rule != "block32_fp32_add":  # there the last two sums are not exactly zero
        results = results[: 2 * len(rows) - 4]
    return [bool((results == bits).any()) for bits in (0, SIGN_BIT)]


def _least_scale(fmt: BlockFormat, scale: int | None) -> int:
    """Return the smallest scale that is not zero, of those in a bin."""
    values = decode_table(fmt.scale)
    if scale not in (None, SCALE_ZERO):
        values = np.where(scale_bins(fmt.scale, np.arange(values.size)) == scale, values, np.nan)
    return int(np.nanargmin(np.where(values > 0, values, np.inf)))


#################
# Conversions   #
#################


@cache
def _dequantized(fmt: BlockFormat) -> Facts:
    """Return the facts of every code under every scale."""
    codes, scales = (np.arange(1 << each.bits) for each in (fmt.element, fmt.scale))
    rows = codes.reshape(-1, fmt.block_size) if codes.size > fmt.block_size else np.resize(codes, (1, fmt.block_size))
    elements = np.tile(rows, (scales.size, 1)).astype(np.uint8)
    of_rows = np.repeat(scales, len(rows)).astype(np.uint8)
    values = dequantize_results(Blocks(fmt, elements, of_rows))
    return dequantize_facts(DequantizeVectors(elements, of_rows, values, fmt, (), {}))


@cache
def _quantized(fmt: BlockFormat, input_format: InputFormat, options: tuple[tuple[str, str], ...]) -> Facts:
    """Return the facts of a block of every kind that the conversion tells apart."""
    source, chosen = NUMBER_FORMATS[input_format], QuantizeOptions(**cast(Any, dict(options)))

    def converted(bits: NDArray[np.uint32]) -> QuantizeVectors:
        numbers = as_numbers(bits, input_format)
        blocks = quantize_results(numbers, fmt, input_format, chosen)
        return QuantizeVectors(numbers, blocks.codes, blocks.scales, fmt, input_format, chosen, (), {})

    sign = np.uint32(source.sign)
    largest = np.unique(_largest_numbers(source.infinity, source.fraction_bits))
    alone = np.zeros((largest.size, fmt.block_size), np.uint32)
    alone[:, 0] = largest
    scales = converted(alone).scales
    steps = decode_table(fmt.element)[: fmt.element.max_code + 1]
    steps = np.append(steps, 2 * steps[-1] - steps[-2])
    ties = (steps[:-1] + steps[1:]) / 2
    points = np.unique([steps[:-1], ties, (steps[:-1] + ties) / 2, (ties + steps[1:]) / 2])
    values = decode_table(fmt.scale)
    parts = [alone, alone ^ sign]
    ends = (source.infinity, source.infinity + 1)
    others = fmt.block_size - 1
    for scale in np.unique(scales):
        top = largest[scales == scale].max()
        numbers = source.nearest(points * (values[scale] if np.isfinite(values[scale]) else 1))
        numbers = np.unique(numbers[numbers <= top])
        if np.isnan(values[scale]):  # then elements are what they are, whatever the numbers
            numbers = np.array([0, 1, source.infinity >> 1, source.infinity - 1, *ends], np.uint32)
        signed = np.concatenate([numbers, numbers ^ sign])
        rows = np.resize(signed, (-(-signed.size // others), others))
        parts.append(np.concatenate([np.full((len(rows), 1), top, np.uint32), rows], axis=1))
    return quantize_facts(converted(np.concatenate(parts)))


def _largest_numbers(infinity: int, fraction_bits: int) -> NDArray[np.uint32]:
    """Return magnitudes of every exponent, the seven bits below it, and none or one more; Inf and NaN among them."""
    more = fraction_bits - 7
    tops = np.arange(0, (infinity >> fraction_bits) + 1 << 7, dtype=np.uint32) << np.uint32(more)
    ends = [infinity - 1, infinity, infinity + 1]
    return np.concatenate([tops, tops | 1 if more else tops, np.array(ends, np.uint32)]).astype(np.uint32)


def block_format_of(configuration: Configuration) -> BlockFormat:
    """Return the format of a conversion."""
    fmt = configuration.pair.a
    assert isinstance(fmt, BlockFormat), "conversions are of blocks"
    return fmt
