"""Sums of products that are cut off at a common exponent first: T-FDPA and its relatives.

Why float64 is enough: an aligned term is an integer below 2**(align_bits + 2) in units of its grid, or, for
    groups of
small products that share a scale, below 2**(align_bits + 12); `check_bounds` holds the sum of all of them to
53 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import AccumulationRule, Rounding
from refmodel.errors import DefinitionError
from refmodel.summation.decoded import NO_TERM, ZERO, Scales
from refmodel.summation.pairs import Pair, split_special
from refmodel.summation.rounder import Array, exponent_of, power_of_two, smallest_normal_exponent, to_integer


def check_bounds(rule: AccumulationRule, size: int, largest_product: float) -> None:
    """Refuse a rule whose aligned sums do not fit 53 bits.

    Args:
        rule: A rule that aligns.
        size: Elements of a group.
        largest_product: The largest product of two elements; matters to scale_only.
    """
    assert rule.align_bits is not None
    if rule.term_exponent == "scale_only":
        bits = rule.align_bits + int(np.log2(max(1, size) * largest_product * 4)) + 2
    else:
        bits = rule.align_bits + 2 + (size + 1).bit_length()
        if rule.stage2 is not None:  # whose sum is rounded to odd first: two bits more
            stage = rule.stage2
            bits = max(bits, max(stage.part_bits or 0, stage.dot_bits, stage.c_bits) + 4 + (size + 1).bit_length())
    if bits > 53:
        raise DefinitionError(
            f"rule {rule.name!r}: aligned sums of {size} products need {bits} bits, 53 is the most; "
            f"lower align_bits{', the bits of stage2' if rule.stage2 else ''} or group_size"
        )


def running_exponent(running: Array, rule: AccumulationRule, zero: int = ZERO) -> NDArray[np.int64]:
    """Return e(c) of finite running values, and *zero* for zeros."""
    exponent = np.maximum(exponent_of(running), smallest_normal_exponent(rule.acc_format))
    return np.where(running == 0, zero, exponent)


def group_scale(
    pair: Pair, scales: tuple[Scales, Scales] | None, special: Array | None
) -> tuple[tuple[Array, NDArray[np.int16]] | None, Array | None]:
    """Return factor and exponent of groups that have one scale each, and *special* with their NaN scales."""
    if scales is None:
        return None, special
    value = pair.join(np.multiply, scales[0].value, scales[1].value)
    exponent = pair.join(np.add, scales[0].exponent, scales[1].exponent)
    nan = np.isnan(value)
    if nan.any():
        special = np.where(nan, np.nan, 0.0 if special is None else special)
        value = np.where(nan, 1.0, value)
    return (value, exponent), special


def product_terms(pair: Pair, rule: AccumulationRule) -> tuple[Array, NDArray[np.int16], Array | None]:
    """Return the products [k, ..., *batch], their exponents, and the sum of infinite or NaN ones."""
    terms = pair.join(np.multiply, pair.a.values, pair.b.values)
    special = None
    if rule.overflow == "product_inf_at_2^128":
        infinite = np.abs(terms) >= 2.0**128
        if infinite.any():
            terms[infinite] = np.copysign(np.inf, terms[infinite])
            terms, special = split_special(terms)
    if special is None and not pair.is_finite:
        terms, special = split_special(terms)
    assert pair.a.exponents is not None
    assert pair.b.exponents is not None
    if rule.term_exponent == "normalised_product":
        exponents = np.where(terms == 0, ZERO, exponent_of(terms)).astype(np.int16)
    else:
        exponents = pair.join(np.add, pair.a.exponents, pair.b.exponents)
        if special is not None:
            exponents = np.where(terms == 0, np.int16(ZERO), exponents)
    return terms, exponents, special


def scaled_group_terms(
    pair: Pair, scales: tuple[Scales, Scales] | None, rule: AccumulationRule
) -> tuple[Array, NDArray[np.int16], Array | None]:
    """Return the terms of ``scale_only``: exact sums of inner groups times scales, with their exponents.

    Args:
        pair: Operands as arrays [inner_group, inner groups, rows].
        scales: Scales of the inner groups, [inner groups, rows] each.
        rule: Its acc_round decides the sign of a zero sum, where that matters.
    """
    products = pair.join(np.multiply, pair.a.values, pair.b.values)
    special = None
    if not pair.is_finite:
        products, special = split_special(products)
        special = special.sum(axis=0)
    sums = products.sum(axis=0)
    if has_signed_zeros(rule) and not sums.all():
        sums = np.where(sums == 0, np.where(pair.zero_is_negative(rule.acc_round), -0.0, 0.0), sums)
    is_zero = ~products.any(axis=0)
    if scales is None:
        return sums, np.where(is_zero, ZERO, 0).astype(np.int16), special
    factor = pair.join(np.multiply, scales[0].significand, scales[1].significand)
    exponents = pair.join(np.add, scales[0].exponent, scales[1].exponent)
    if not np.isfinite(factor).all():
        poison = np.where(np.isfinite(factor), 0.0, np.nan).sum(axis=0)
        special = poison if special is None else special + poison
        factor = np.where(np.isfinite(factor), factor, 0.0)
    is_zero |= exponents < NO_TERM
    exponents = np.where(is_zero, np.int16(ZERO), exponents)
    terms = sums * factor * power_of_two(np.where(is_zero, 0, exponents))
    return terms, exponents, special


def has_signed_zeros(rule: AccumulationRule) -> bool:
    """Return whether an exactly zero sum of products may be -0."""
    return rule.zero_sign == "ieee" or (rule.zero_sign == "from_plus" and rule.acc_round == "RD")


def aligned_sum(
    terms: Array,
    exponents: NDArray[np.int16],
    rule: AccumulationRule,
    running: Array | None = None,
    scale: tuple[Array, NDArray[np.int16]] | None = None,
) -> tuple[Array, NDArray[np.int64]]:
    """Return the exact sum of the aligned terms, and the exponent they are aligned to, `ZERO` without terms.

    Args:
        terms: Finite terms [k, *batch]; overwritten.
        exponents: Their exponents, `ZERO` for zero terms.
        rule: Its align_bits, align_round, exp_floor and floor_when count.
        running: Finite running values [*batch], a term if given.
        scale: Finite factor of all terms [*batch], and its exponent, `ZERO` for zero.
    """
    assert rule.align_bits is not None
    largest = exponents.max(axis=0).astype(np.int64)
    if scale is not None:
        largest += scale[1]
    if running is not None:
        largest = np.maximum(largest, running_exponent(running, rule))
    exponent = largest
    if rule.exp_floor is not None and (largest < rule.exp_floor).any():
        floored = np.maximum(largest, rule.exp_floor)
        if rule.floor_when == "any_zero_term":
            smallest = exponents.min(axis=0)
            has_zero = (smallest if scale is None else smallest + scale[1]) < NO_TERM
            if running is not None:
                has_zero |= running == 0
            floored = np.where(has_zero, floored, largest)
        exponent = floored
    exponent = np.where(exponent < NO_TERM, 0, exponent)
    unit = power_of_two(rule.align_bits - exponent)
    np.multiply(terms, unit if scale is None else unit * scale[0], out=terms)
    total: Array = _round_in_place(terms, rule.align_round).sum(axis=0)
    if running is not None:
        total += to_integer(running * unit, rule.align_round)
    return total * power_of_two(exponent - rule.align_bits), np.where(largest < NO_TERM, ZERO, exponent)


def _round_in_place(terms: Array, mode: Rounding) -> Array:
    if mode == "RZ":
        return np.trunc(terms, out=terms)
    return to_integer(terms, mode)
