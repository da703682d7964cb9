"""One group of a dot product under any `AccumulationRule`: steps 4 to 6 of its docstring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from refmodel.accumulate.rule import MULTIPLIES_SUM, AccumulationRule
from refmodel.errors import DefinitionError
from refmodel.oracle.fixed import (
    FP32,
    NAN,
    ONE,
    TARGETS,
    UNIT,
    ZERO,
    Mode,
    Value,
    exponent,
    finite,
    floor_log2,
    infinite,
    round_to,
    round_to_grid,
    special_sum,
    times,
)


class Element(NamedTuple):
    """An element after step 1: its value and e(x), and the scale of its block with e(scale)."""

    value: Value
    exponent: int
    scale: Value = ONE
    scale_exponent: int = 0


class Pair(NamedTuple):
    """Element i of both operands, and the number of its block (-1 where there are none, or for filling)."""

    a: Element
    b: Element
    block: int = -1


class Term(NamedTuple):
    """A number to be aligned, and the exponent it counts with; None for a zero term, which does not."""

    value: Value
    exponent: int | None


FILLING = Pair(Element(ZERO, 0), Element(ZERO, 0))


def next_value(rule: AccumulationRule, group: Sequence[Pair], running: Value) -> Value:
    """Return the running value after one group (steps 4 to 6)."""
    products = [_product(rule, pair) for pair in group]
    if rule.order == "fused":
        terms = _scale_terms(rule, group, products) if rule.term_exponent == "scale_only" else products
        terms = [Term(_shifted(term.value, rule.dot_shift), term.exponent) for term in terms]
        if rule.acc_in_align:
            of_c = exponent(running, TARGETS[rule.acc_format].emin) if running.units else None
            return rounded(rule, _sum(rule, [*terms, Term(running, of_c)]))
        if rule.stage2 is not None:
            return rounded(rule, _second_alignment(rule, terms, running))
        group_sum = _sum(rule, terms)
    else:
        group_sum = _ordered(rule, [term.value for term in products], running)
        if rule.acc_in_align:
            return rounded(rule, group_sum)
    return rounded(rule, total([running, _addend(rule, group, group_sum)], rule.acc_round))


def rounded(rule: AccumulationRule, value: Value, mode: Mode | None = None, to: str | None = None) -> Value:
    """Return *value* rounded by acc_round to acc_format, or by *mode* to *to*.

    With ftz, overflow and zero_sign.
    """
    target = TARGETS[to or rule.acc_format]
    overflow = rule.overflow if rule.overflow in ("saturate", "ieee") else "inf"
    result = round_to(target, value, mode or rule.acc_round, overflow)
    if rule.ftz:
        result = flush(result, target.emin, rule.ftz_sign)
    return ZERO if result.is_zero and rule.zero_sign == "always_plus" else result


def total(terms: Sequence[Value], mode: Mode = "RNE") -> Value:
    """Return the exact sum. A zero sum is -0 if all terms are -0, under RD unless all are +0."""
    special = special_sum(terms)
    if special is not None:
        return special
    if mode == "RD":
        negative_zero = any(term.negative or term.units for term in terms)
    else:
        negative_zero = bool(terms) and all(term.negative and not term.units for term in terms)
    return finite(sum(term.signed for term in terms), negative_zero)


def _product(rule: AccumulationRule, pair: Pair) -> Term:
    """The product of two elements, and its exponent E_i."""
    a, b = pair.a, pair.b
    scale = times(a.scale, b.scale)
    value = times(a.value, b.value)
    if rule.scale_apply == "product_exponent":
        value = times(value, scale)
    if scale.kind == "nan":
        value = NAN
    if rule.product != "exact":
        mode: Mode = "RTO" if "rto" in rule.product else "RNE"
        value = round_to(FP32, value, mode)
        if rule.product.endswith("ftz"):
            value = flush(value, FP32.emin, "keep")
    if rule.overflow == "product_inf_at_2^128" and value.kind == "finite" and value.units >> 128 - UNIT:
        value = infinite(value.negative)
    if value.kind != "finite" or not value.units:
        return Term(value, None)
    match rule.term_exponent:
        case "clamped_sum":
            e = a.exponent + b.exponent
        case "normalised_inputs":
            e = floor_log2(a.value) + floor_log2(b.value)
        case "normalised_product":
            e = floor_log2(times(a.value, b.value))
        case _:
            e = 0
    if rule.scale_apply == "product_exponent":
        e += a.scale_exponent + b.scale_exponent
    return Term(value, e)


def _scale_terms(rule: AccumulationRule, group: Sequence[Pair], products: Sequence[Term]) -> list[Term]:
    """Exact sums of inner_group products times their common scale, whose exponent alone counts.

    A sum of zero products, or under a zero scale, is a zero term; one that cancels is not.
    """
    terms = []
    for i in range(0, len(group), rule.inner_group):
        own = products[i : i + rule.inner_group]
        a, b = group[i].a, group[i].b
        scale = times(a.scale, b.scale)
        value = times(total([term.value for term in own], rule.acc_round), scale)
        is_zero = scale.is_zero or all(term.value.is_zero for term in own)
        terms.append(Term(value, None if is_zero else a.scale_exponent + b.scale_exponent))
    return terms


def _sum(rule: AccumulationRule, terms: Sequence[Term]) -> Value:
    """Return the exact sum of *terms*, aligned first if the rule aligns."""
    values = [term.value for term in terms]
    if rule.align_bits is not None:
        values = _aligned(rule, terms, _largest_exponent(rule, terms))
    return _products_sum(rule, values)


def _products_sum(rule: AccumulationRule, values: Sequence[Value]) -> Value:
    """Return the exact sum, from +0 with ``from_plus``."""
    return total([ZERO, *values] if rule.zero_sign == "from_plus" else values, rule.acc_round)


def _largest_exponent(rule: AccumulationRule, terms: Sequence[Term]) -> int | None:
    """Return E; None where no term counts."""
    counting = [term.exponent for term in terms if term.exponent is not None]
    if not counting:
        return None
    if rule.exp_floor is not None and (rule.floor_when == "always" or len(counting) < len(terms)):
        return max(*counting, rule.exp_floor)
    return max(counting)


def _aligned(rule: AccumulationRule, terms: Sequence[Term], largest: int | None) -> list[Value]:
    if largest is None or rule.align_bits is None:
        return [term.value for term in terms]
    return [round_to_grid(term.value, largest - rule.align_bits, rule.align_round) for term in terms]


def _shifted(value: Value, shift: int) -> Value:
    """Return value * 2**-shift."""
    if shift <= 0:
        return value._replace(units=value.units << -shift)
    if value.units & ((1 << shift) - 1):
        raise ArithmeticError(f"{value} * 2**-{shift} is no multiple of 2**{UNIT}")
    return value._replace(units=value.units >> shift)


def _deal(rule: AccumulationRule, count: int) -> list[list[int]]:
    """Return the places of the elements of each partial sum."""
    match rule.layout:
        case "contiguous":
            return [list(range(count))]
        case "pairs":
            return [list(range(i, min(i + 2, count))) for i in range(0, count, 2)]
        case _:
            ways = 2 if rule.layout == "even_odd" else 4
            return [list(range(i, count, ways)) for i in range(ways)]


def _second_alignment(rule: AccumulationRule, products: Sequence[Term], c: Value) -> Value:
    """stage2: the partial sums and c cut off once more."""
    stage = rule.stage2
    assert stage is not None
    special = special_sum([*(term.value for term in products), c])
    if special is not None:
        return special
    parts, exponents = [], []
    for places in filter(None, _deal(rule, len(products))):
        terms = [products[i] for i in places]
        largest = _largest_exponent(rule, terms)
        parts.append(_products_sum(rule, _aligned(rule, terms, largest)))
        if largest is not None:
            exponents.append(largest)
    parts = parts or [ZERO]  # of an empty group
    acc_emin = TARGETS[rule.acc_format].emin
    of_c = exponent(c, acc_emin)
    of_dot = max(exponents, default=None)
    if stage.part_bits is not None and of_dot is not None:
        parts = [round_to_grid(part, of_dot - stage.part_bits, stage.part_round) for part in parts]
    if stage.reference == "grid":
        grid = of_c - stage.c_bits
        if of_dot is not None:
            grid = max(grid, of_dot - stage.dot_bits)
        terms_left = [round_to_grid(part, grid, stage.dot_round) for part in parts]
        terms_left.append(round_to_grid(c, grid, stage.c_round))
    else:
        e = of_c if of_dot is None else max(of_c, of_dot)
        if stage.c_drop is not None and of_c < e - stage.c_drop:
            c = Value("finite", c.negative, 0)
        dot_sum = _products_sum(rule, parts)
        terms_left = [
            round_to_grid(dot_sum, e - stage.dot_bits, stage.dot_round),
            round_to_grid(c, e - stage.c_bits, stage.c_round),
        ]
    result = total(terms_left, rule.acc_round)
    if stage.post_bits is not None:
        result = round_to_grid(result, exponent(result, -126) - stage.post_bits, stage.post_round)
    return result


def _ordered(rule: AccumulationRule, products: Sequence[Value], running: Value) -> Value:
    """The orders that round as they go."""

    def add(x: Value, y: Value) -> Value:
        return rounded(rule, total([x, y], rule.acc_round))

    if rule.order.startswith("tree"):
        leaves = list(products)
        if rule.inner_group > 1:
            parts = [products[i : i + rule.inner_group] for i in range(0, len(products), rule.inner_group)]
            leaves = [rounded(rule, total(part, rule.acc_round)) for part in parts]
        if not leaves:
            return ZERO
        result = (adjacent_tree if rule.order == "tree_adjacent" else _halves_tree)(leaves, add)
        return _products_sum(rule, [result])
    steps = list(products)
    if rule.order == "pair_sum_chain":
        pairs = [products[i : i + 2] for i in range(0, len(products), 2)]
        steps = [rounded(rule, total(pair, rule.acc_round)) for pair in pairs]
    chains = []
    for places in _deal(rule, len(steps)):
        s = running if rule.acc_in_align else ZERO
        for i in places:
            s = add(s, steps[i])
        chains.append(s)
    first = len(products) % len(chains)
    return adjacent_tree([*chains[first:], *chains[:first]], add)


def adjacent_tree(values: Sequence[Value], add: Callable[[Value, Value], Value]) -> Value:
    """Neighbours are added, then neighbours among the results; an odd last one moves up."""
    while len(values) > 1:
        values = [
            add(values[i], values[i + 1]) if i + 1 < len(values) else values[i]
            for i in range(0, len(values), 2)
        ]
    return values[0]


def _halves_tree(values: Sequence[Value], add: Callable[[Value, Value], Value]) -> Value:
    """Element i and element i + ceil(n/2) are added, again and again."""
    while len(values) > 1:
        half = -(-len(values) // 2)
        values = [
            add(values[i], values[i + half]) if i + half < len(values) else values[i] for i in range(half)
        ]
    return values[0]


def _addend(rule: AccumulationRule, group: Sequence[Pair], group_sum: Value) -> Value:
    """Step 5: what is added to the running value, for a sum of products without it."""
    if rule.group_round is not None:
        group_sum = rounded(rule, group_sum, rule.group_round, rule.group_format)
    first = group[0] if group else FILLING
    crosses = any(pair.block not in (first.block, -1) for pair in group)
    if crosses and rule.scale_apply in MULTIPLIES_SUM:
        raise DefinitionError(f"rule {rule.name!r}: a group of {rule.group_size} crosses a block")
    scale_a, scale_b = first.a.scale, first.b.scale
    match rule.scale_apply:
        case "fused_exact":
            return times(group_sum, times(scale_a, scale_b))
        case "ldexp_then_add":
            return rounded(rule, times(group_sum, times(scale_a, scale_b)))
        case "fp32_factor":
            factor = rounded(rule, times(rounded(rule, scale_a), rounded(rule, scale_b)))
            addend = times(factor, group_sum)
            return addend if rule.group_round is None else rounded(rule, addend)
        case "two_fp32_factors":
            return rounded(rule, times(rounded(rule, times(group_sum, scale_a)), scale_b))
        case _:
            return group_sum


def flush(value: Value, emin: int, sign: str) -> Value:
    """Return zero for a subnormal number of a format, of its sign for ``keep``, else +0; -0 counts."""
    if value.is_zero or (value.kind == "finite" and floor_log2(value) < emin):
        return Value("finite", value.negative and sign == "keep", 0)
    return value
