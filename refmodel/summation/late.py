"""A group's sum on its way to the running value: rounding, scale, second alignment, addition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import MULTIPLIES_SUM, AccumulationRule, SecondAlignment
from refmodel.summation.aligned import running_exponent
from refmodel.summation.decoded import NO_TERM, ZERO, Scales
from refmodel.summation.pairs import Pair
from refmodel.summation.rounder import (
    Array,
    Rounder,
    exponent_of,
    multiply_exactly,
    odd_sum,
    to_grid,
)


def addends(
    terms: list[Array], pair: Pair, scales: tuple[Scales, Scales] | None, rule: AccumulationRule
) -> list[Array]:
    """Return terms whose exact sum is added to the running value, from terms of a group's exact sum.

    Args:
        terms: Arrays [groups, *batch]; one rounded array for chains and trees.
        pair: For the shape of the batch.
        scales: Scales of the groups, [groups, rows] each.
        rule: Its group_round and scale_apply count.
    """
    if rule.group_round is not None:
        terms = [rounded_group_sum(terms, rule)]
    if scales is None or rule.scale_apply not in MULTIPLIES_SUM:
        return terms
    rounder = Rounder.of(rule)
    a, b = scales[0].value, scales[1].value
    if rule.scale_apply == "two_fp32_factors":
        first, second = (pair.join(_left, a, b), pair.join(_right, a, b))
        return [_rounded_product(_rounded_product(terms[0], first, rounder), second, rounder)]
    if rule.scale_apply == "fp32_factor":
        factor = rounder.round(pair.join(np.multiply, rounder.round(a), rounder.round(b)))
        if rule.group_round is not None:
            return [_rounded_product(terms[0], factor, rounder)]
        return _exact_products(terms, factor)
    factor = pair.join(np.multiply, a, b)
    if rule.scale_apply == "ldexp_then_add":
        return [_rounded_product(terms[0], factor, rounder)]
    return _exact_products(terms, factor)


def rounded_group_sum(terms: list[Array], rule: AccumulationRule) -> Array:
    """Return the sum of *terms*, whose zero sign acc_round decides, rounded by group_round to group_format."""
    return Rounder.of(rule, rule.group_format, rule.group_round).round(Rounder.of(rule).total(*terms))


def _left(a: Array, b: Array) -> Array:
    return np.broadcast_to(a, np.broadcast_shapes(a.shape, b.shape))


def _right(a: Array, b: Array) -> Array:
    return np.broadcast_to(b, np.broadcast_shapes(a.shape, b.shape))


def _rounded_product(x: Array, factor: Array, rounder: Rounder) -> Array:
    """x * factor, rounded once; x has at most 24 bits, factor at most 48."""
    return rounder.round(odd_sum(multiply_exactly(x, factor)))


def _exact_products(terms: list[Array], factor: Array) -> list[Array]:
    """Terms whose sum is factor times the sum of *terms*; Inf and NaN as for that one product.

    The first term of an infinite or NaN sum is that, the others are 0; so an infinite factor multiplies a
    whole sum and not its terms, and so does a zero one, to which their signs matter.
    """
    ordinary = np.isfinite(factor) & (factor != 0)
    if ordinary.all():
        return [part for term in terms for part in multiply_exactly(term, factor)]
    whole = odd_sum(terms) * factor
    parts = [part for term in terms for part in multiply_exactly(term, np.where(ordinary, factor, 0.0))]
    zero = np.copysign(0.0, whole)  # adds nothing, nor changes the sign of a zero
    return [np.where(ordinary, parts[0], whole), *(np.where(ordinary, part, zero) for part in parts[1:])]


def empty_group(running: Array, rule: AccumulationRule) -> Array:
    """Return the running value after the one group, without elements, of a run without elements."""
    rounder = Rounder.of(rule)
    if rule.stage2 is not None:
        no_products = np.zeros(running.shape), np.full(running.shape, ZERO, np.int64)
        return add_second_aligned([no_products], np.zeros(running.shape), running, rule)
    if not rule.acc_in_align:
        return rounder.add(running, np.zeros(running.shape))
    if rule.align_bits is not None:
        finite = np.isfinite(running)
        exponent = running_exponent(np.where(finite, running, 0.0), rule, zero=0)
        if rule.exp_floor is not None and rule.floor_when == "always":
            exponent = np.maximum(exponent, rule.exp_floor)
        running = np.where(finite, to_grid(running, exponent - rule.align_bits, rule.align_round), running)
    if rule.zero_sign == "from_plus" and rule.order == "fused":
        return rounder.add(running, np.zeros(running.shape))
    return rounder.round(running)


def add_second_aligned(
    parts: list[tuple[Array, NDArray[np.int64]]],
    special: Array,
    running: Array,
    rule: AccumulationRule,
) -> Array:
    """Add partial sums to the running value as stage2 says.

    Args:
        parts: Finite partial sums [*batch] and their largest exponents.
        special: NaN or infinity of the products, else 0.
        running: Running values.
        rule: A rule with stage2.
    """
    stage = rule.stage2
    assert stage is not None
    special = special + np.where(np.isfinite(running), 0.0, running)
    finite = np.where(np.isfinite(running), running, 0.0)
    total = _second_aligned_sum(parts, finite, rule, stage)
    return np.where(special != 0, special, Rounder.of(rule).round(total))


def _second_aligned_sum(
    parts: list[tuple[Array, NDArray[np.int64]]],
    running: Array,
    rule: AccumulationRule,
    stage: SecondAlignment,
) -> Array:
    smallest = running_exponent(running, rule, zero=running_floor(rule))
    products = parts[0][1]
    for _, exponent in parts[1:]:
        products = np.maximum(products, exponent)
    no_products = products < NO_TERM
    sums = [part for part, _ in parts]
    if stage.part_bits is not None:
        grid = np.where(no_products, 0, products) - stage.part_bits
        sums = [to_grid(part, grid, stage.part_round) for part in sums]
    if stage.reference == "grid":
        grid = np.maximum(products - stage.dot_bits, smallest - stage.c_bits)
        terms = [
            to_grid(running, grid, stage.c_round),
            *(to_grid(part, grid, stage.dot_round) for part in sums),
        ]
    else:
        exponent = np.maximum(products, smallest)
        if stage.c_drop is not None:
            running = np.where(smallest < exponent - stage.c_drop, np.copysign(0.0, running), running)
        whole = Rounder.of(rule).total(*sums)  # parts on grids of their own may need more than 53 bits
        terms = [
            to_grid(running, exponent - stage.c_bits, stage.c_round),
            to_grid(whole, exponent - stage.dot_bits, stage.dot_round),
        ]
    total = _plain_sum(terms, rule)
    if stage.post_bits is not None:
        total = to_grid(total, np.maximum(exponent_of(total), -126) - stage.post_bits, stage.post_round)
    return total


def _plain_sum(terms: list[Array], rule: AccumulationRule) -> Array:
    """Add terms that float64 adds exactly; under RD a zero is -0 unless all terms are +0."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    if rule.acc_round == "RD" and rule.zero_sign != "always_plus":
        plus = np.logical_and.reduce([(t == 0) & ~np.signbit(t) for t in terms])
        total = np.where((total == 0) & ~plus, -0.0, total)
    return total


def running_floor(rule: AccumulationRule) -> int:
    """Return the exponent that a zero running value has in the second alignment."""
    return int(running_exponent(np.array([2.0**-1000]), rule)[0])
