"""One run of a rule: groups of elements, one after the other, onto a running value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import lcm

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import MULTIPLIES_SUM, AccumulationRule
from refmodel.blocks import Blocks
from refmodel.formats import BFLOAT16, FLOAT16, FLOAT32, ElementFormat, ScaleFormat
from refmodel.operands import Operand
from refmodel.summation.aligned import (
    aligned_sum,
    group_scale,
    has_signed_zeros,
    product_terms,
    scaled_group_terms,
)
from refmodel.summation.decoded import decode_operand, scales_elements, sums_exactly
from refmodel.summation.exact import exact_group_sums, float32_group_sums, whole_sums
from refmodel.summation.late import add_second_aligned, addends, empty_group, rounded_group_sum
from refmodel.summation.narrow import narrow_plan
from refmodel.summation.pairs import Pair, with_special, zero_is_negative
from refmodel.summation.rounder import Array, Rounder, add_terms, smallest_normal_exponent
from refmodel.summation.sequential import chain_steps, extend_chain, group_value, rounded_products
from refmodel.summation.single import block_sums, sums_block_in_float64

# Products worked on at a time: their float64 temporaries stay within a level-2 cache.
_BATCH = 1 << 15
# Elements of both operands decoded at a time; more where one contraction may take them all.
_DECODED = 1 << 16
_DECODED_WHOLE = 1 << 19
_DEQUANTISED = {"fp32": FLOAT32, "e8m13": FLOAT32, "fp16": FLOAT16, "bf16": BFLOAT16}


@dataclass(frozen=True, slots=True)
class Run:
    """What a run works on.

    Attributes:
        rule: The rule; its promote_every and split_k are the caller's.
        a, b: Operands [rows, ...].
        rows_a, rows_b: Which rows.
        outer: Whether every row meets every row, or each its own.
    """

    rule: AccumulationRule
    a: Operand
    b: Operand
    rows_a: slice
    rows_b: slice
    outer: bool

    def evaluate(self, start: int, stop: int, running: Array) -> Array:
        """Return the result of elements *start* to *stop* from *running* [*batch], float64 of acc_format."""
        rule, size = self.rule, self._group_size(start, stop)
        if rule.daz_c and (stop > start or rule.group_size == "all"):
            running = _flush(running, rule)
        if rule.group_size == "all" and stop == start:
            return empty_group(running, rule)
        if not self.outer and sums_block_in_float64(rule, self.a, self.b, stop - start):
            return self._single_block(running)
        if rule.group_size == "all" and sums_exactly(rule):
            return self._whole_sum(start, stop, running)
        plan = narrow_plan(rule, self.a, self.b)
        if plan is not None:
            rows = self.rows_a, self.rows_b
            found = plan.evaluate(self.a, self.b, rows, (start, stop), running, self.outer)
            if found is not None:
                return found
        for pair, groups in self._chunks(start, stop, size, _DECODED):
            if rule.acc_in_align:
                running = self._in_align(pair, groups, size, running)
            else:
                running = self._late(pair, groups, size, running)
        return running

    def _single_block(self, running: Array) -> Array:
        """The run is the only block of each row."""
        assert isinstance(self.a, Blocks)
        assert isinstance(self.b, Blocks)
        terms = block_sums(self.a, self.b, self.rows_a)
        if self.rule.group_round is not None:
            terms = [rounded_group_sum(terms, self.rule)]
        return Rounder.of(self.rule).add(running, *terms)

    def _group_size(self, start: int, stop: int) -> int:
        match self.rule.group_size:
            case "all":
                return max(1, stop - start)
            case "block":
                assert isinstance(self.a, Blocks)
                return self.a.format.block_size
            case size:
                return size

    def _chunks(self, start: int, stop: int, size: int, elements: int) -> Iterator[tuple[Pair, int]]:
        """Decode elements in whole groups and blocks; yield a pair and its number of groups."""
        block = self.a.format.block_size if isinstance(self.a, Blocks) else 1
        least = lcm(size, block)
        rows = (self.rows_a.stop - self.rows_a.start) + (self.rows_b.stop - self.rows_b.start)
        scale_elements = scales_elements(self.rule, self.a, self.b)
        step = least * max(1, elements // (least * rows))
        for first in range(start, stop, step):
            columns = slice(first, min(first + step, stop))
            pair = Pair(
                decode_operand(self.a, self.rule, (self.rows_a, columns), size, scale_elements),
                decode_operand(self.b, self.rule, (self.rows_b, columns), size, scale_elements),
                self.outer,
            )
            yield pair, len(pair.a.values) // size

    def _formats(self) -> tuple[tuple[ElementFormat, ElementFormat], tuple[ScaleFormat, ScaleFormat] | None]:
        """Formats that hold all elements, and scale formats where scales enter the products."""
        if self.rule.dequant_format is not None:
            fmt = _DEQUANTISED[self.rule.dequant_format]
            return (fmt, fmt), None
        formats = _element(self.a), _element(self.b)
        if self.rule.scale_apply != "product_exponent":
            return formats, None
        if isinstance(self.a, Blocks) and isinstance(self.b, Blocks):
            return formats, (self.a.format.scale, self.b.format.scale)
        return formats, None

    def _whole_sum(self, start: int, stop: int, running: Array) -> Array:
        """The whole run is one group of exact products."""
        rule = self.rule
        rounder = Rounder.of(rule)
        block = self.a.format.block_size if isinstance(self.a, Blocks) else 32
        terms = [np.full(running.shape, 0.0 if rule.zero_sign == "from_plus" else -0.0)]
        signs = has_signed_zeros(rule)
        same = np.ones(running.shape, np.bool_)  # whether all sums are +0 (under RD) or -0
        left = stop - start
        for pair, groups in self._chunks(start, stop, block, _DECODED_WHOLE):
            portions = _portions(groups, running.size)
            found = whole_sums(pair, *self._formats(), rule, groups, block, left, portions)
            left -= groups * block
            terms = add_terms(terms, found)
            if signs:
                negative = rule.acc_round != "RD"
                same &= np.logical_and.reduce([(t == 0) & (np.signbit(t) == negative) for t in found])
        if signs:  # `add_terms` does not keep the sign of a zero in each row where others need more terms
            zero = np.logical_and.reduce([term == 0 for term in terms])
            minus = ~same if rule.acc_round == "RD" else same
            terms = [np.where(zero, np.where(minus, -0.0, 0.0), term) for term in terms]
        if rule.group_round is not None:
            terms = [rounded_group_sum(terms, rule)]
        return rounder.add(running, *terms)

    def _in_align(self, pair: Pair, groups: int, size: int, running: Array) -> Array:
        rule = self.rule
        rounder = Rounder.of(rule)
        if rule.order == "pair_sum_chain":
            for group in range(groups):
                products = rounded_products(pair.groups(group, 1, size).without_axis(1), rule)
                running = extend_chain(running, chain_steps(products, rule, rounder), rounder)
            return running
        if rule.order == "fma_chain":
            for first, count in _portions(groups * size, running.size):
                part = pair.groups(first, count, 1).without_axis(0)
                running = extend_chain(running, rounded_products(part, rule), rounder)
            return running
        for group in range(groups):
            part = pair.groups(group, 1, size).without_axis(1)
            if rule.align_bits is None:
                terms = exact_group_sums(pair, *self._formats(), rule, group, 1, size)
                terms = [term[0] for term in terms]
                if rule.zero_sign == "from_plus":
                    terms.append(np.zeros(running.shape))
                running = rounder.add(running, *terms)
            else:
                running = self._align_with_running(pair, part, group, size, running, rounder)
        return running

    def _align_with_running(
        self, pair: Pair, part: Pair, group: int, size: int, running: Array, rounder: Rounder
    ) -> Array:
        rule = self.rule
        scale = None
        if rule.term_exponent == "scale_only":
            terms, exponents, special = self._scale_only_terms(pair, group, size)
        else:
            terms, exponents, special = product_terms(part, rule)
            scales = pair.scales_of_group(group, size) if rule.scale_apply == "product_exponent" else None
            scale, special = group_scale(part, scales, special)
        finite = np.isfinite(running)
        if not finite.all():
            special = (0.0 if special is None else special) + np.where(finite, 0.0, running)
            running = np.where(finite, running, 0.0)
        signs = _signs(terms, part, rule)
        total, _ = aligned_sum(terms, exponents, rule, running, scale)
        total = _with_signed_zeros(total, signs, rule, running)
        result = rounder.round(total)
        return result if special is None else np.where(special != 0, special, result)

    def _scale_only_terms(
        self, pair: Pair, group: int, size: int
    ) -> tuple[Array, NDArray[np.int16], Array | None]:
        """Terms, exponents and special values of a group whose terms have the exponents of their scales."""
        inner = self.rule.inner_group
        count = size // inner
        grouped, scales = pair.groups(group * count, count, inner), pair.scales(group * count, count, inner)
        return scaled_group_terms(grouped, scales, self.rule)

    def _late(self, pair: Pair, groups: int, size: int, running: Array) -> Array:
        rule = self.rule
        rounder = Rounder.of(rule)
        if rounder.is_float32 and self._sums_blocks_in_float32():
            return self._float32_blocks(pair, groups, size, running)
        for first, count in _portions(groups, running.size * size):
            part = pair.groups(first, count, size)
            if rule.stage2 is not None:
                running = self._second(pair, part, first, count, running)
                continue
            if rule.order != "fused":
                terms = [group_value(part, rule)]
            elif rule.align_bits is None:
                terms = exact_group_sums(pair, *self._formats(), rule, first, count, size)
            else:
                terms = self._aligned_late(pair, part, first, count, size)
            scales = pair.scales(first, count, size) if rule.scale_apply in MULTIPLIES_SUM else None
            terms = addends(terms, part, scales, rule)
            running = self._add_in_order(running, terms, rounder)
        return running

    def _sums_blocks_in_float32(self) -> bool:
        """Whether groups are exact sums, rounded to Float32 to nearest even and added as that."""
        rule = self.rule
        exact = sums_exactly(rule) and rule.group_round == "RNE" and rule.group_format in (None, "fp32")
        plain = rule.zero_sign == "from_plus" and not rule.dot_shift
        return exact and plain and rule.scale_apply == "product_exponent"

    def _float32_blocks(self, pair: Pair, groups: int, size: int, running: Array) -> Array:
        single = running.astype(np.float32)
        for first, count in _portions(groups, running.size):
            for each in float32_group_sums(pair, *self._formats(), first, count, size):
                single += each
        return single.astype(np.float64)

    def _add_in_order(self, running: Array, terms: list[Array], rounder: Rounder) -> Array:
        """Add the sums of terms [groups, *batch], group after group."""
        rule = self.rule
        is_rounded = rule.group_round is not None
        is_rounded |= rule.order != "fused" and rule.scale_apply != "fp32_factor"
        if is_rounded and rounder.is_float32:
            single, (addend,) = running.astype(np.float32), terms
            for each in addend.astype(np.float32):
                single += each
            return single.astype(np.float64)
        for position in range(len(terms[0])):
            if is_rounded:
                running = rounder.add_rounded(running, terms[0][position])
            else:
                running = rounder.add(running, *(term[position] for term in terms))
        return running

    def _aligned_late(self, pair: Pair, part: Pair, first: int, count: int, size: int) -> list[Array]:
        rule = self.rule
        if rule.term_exponent == "scale_only":
            found = [self._scale_only_terms(pair, first + i, size) for i in range(count)]
            totals = []
            for terms, exponents, _ in found:
                signs = _signs(terms, part, rule)
                totals.append(_with_signed_zeros(aligned_sum(terms, exponents, rule)[0], signs, rule))
            specials = [np.zeros(totals[0].shape) if s is None else s for *_, s in found]
            return with_special([np.stack(totals)], np.stack(specials))
        terms, exponents, special = product_terms(part, rule)
        group_scales = None
        if rule.scale_apply == "product_exponent":
            group_scales = pair.scales(first, count, size)
        scale, special = group_scale(part, group_scales, special)
        signs = _signs(terms, part, rule)
        total, _ = aligned_sum(terms, exponents, rule, scale=scale)
        return with_special([_with_signed_zeros(total, signs, rule)], special)

    def _second(self, pair: Pair, part: Pair, first: int, count: int, running: Array) -> Array:
        rule = self.rule
        terms, exponents, special = product_terms(part, rule)
        scales = pair.scales(first, count, len(terms)) if rule.scale_apply == "product_exponent" else None
        scale, special = group_scale(part, scales, special)
        parts = []
        for lane in _lanes(rule, len(terms)):
            value, exponent = aligned_sum(terms[lane].copy(), exponents[lane], rule, scale=scale)
            value = _with_signed_zeros(value, _signs(terms, part.elements(lane), rule), rule)
            parts.append((value, exponent))
        for position in range(count):
            running = add_second_aligned(
                [(value[position], exponent[position]) for value, exponent in parts],
                np.zeros(running.shape) if special is None else special[position],
                running,
                rule,
            )
        return running


def _lanes(rule: AccumulationRule, size: int) -> list[slice]:
    """The positions of each partial sum of a group."""
    lanes = {
        "contiguous": [slice(None)],
        "even_odd": [slice(i, None, 2) for i in range(2)],
        "round_robin_4": [slice(i, None, 4) for i in range(4)],
        "pairs": [slice(i, i + 2) for i in range(0, size, 2)],
    }[rule.layout]
    return [lane for lane in lanes if range(size)[lane]]


def _signs(terms: Array, part: Pair, rule: AccumulationRule) -> Callable[[], NDArray[np.bool_]]:
    """Return what gives the signs of the terms of a sum, zeros included; products may have been made +0."""
    if rule.term_exponent != "scale_only":
        return part.signs
    signs = np.signbit(terms)
    return lambda: signs


def _with_signed_zeros(
    total: Array, signs: Callable[[], NDArray[np.bool_]], rule: AccumulationRule, running: Array | None = None
) -> Array:
    """Give exactly zero sums of terms of such signs, and *running*, the sign that zero_sign wants."""
    if not has_signed_zeros(rule) or not (total == 0).any():
        return total
    minus = zero_is_negative(signs(), rule.acc_round, running)
    return np.where(total == 0, np.where(minus, -0.0, 0.0), total)


def _element(operand: Operand) -> ElementFormat:
    return operand.format.element if isinstance(operand, Blocks) else operand.format


def _portions(groups: int, products: int) -> Iterator[tuple[int, int]]:
    """Split a number of groups of so many products each into portions of about _BATCH products."""
    step = max(1, _BATCH // max(1, products))
    for first in range(0, groups, step):
        yield first, min(step, groups - first)


def _flush(running: Array, rule: AccumulationRule) -> Array:
    """Count subnormal initial values as zero (daz_c)."""
    tiny = np.abs(running) < 2.0 ** smallest_normal_exponent(rule.acc_format)
    return np.where(tiny, np.copysign(0.0, running) if rule.daz_sign == "keep" else 0.0, running)
