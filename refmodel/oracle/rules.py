"""Dot products under any `AccumulationRule`, in plain integers, following the steps its docstring numbers.

One number at a time, exact until a step names a rounding; written from the description of the fields and from
nothing that evaluates them. `machines` holds the algorithms of real machines once more, without fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from refmodel.accumulate.rule import AccumulationRule
from refmodel.errors import DefinitionError, ShapeError
from refmodel.formats import FLOAT32, IntegerFormat, NumberFormat, ScaleFormat
from refmodel.oracle.codes import check_code
from refmodel.oracle.fixed import (
    E8M13,
    FP32,
    ONE,
    TARGETS,
    ZERO,
    Value,
    decoded,
    exponent,
    float32_bits,
    round_to,
    smallest_normal,
    times,
)
from refmodel.oracle.groups import FILLING, Element, Pair, adjacent_tree, flush, next_value, total


class Vector(NamedTuple):
    """One operand: element codes, block scales if it has any (one for each *block* elements), a tensor scale.

    The tensor scale is Float32 bits, or None.
    """

    element: NumberFormat
    codes: Sequence[int]
    scale: ScaleFormat | None = None
    scales: Sequence[int] = ()
    block: int = 0
    tensor_scale: int | None = None


def dot(rule: AccumulationRule, a: Vector, b: Vector, c: int = 0) -> int:
    """Return the Float32 bits of the dot product of *a* and *b* under *rule*.

    *c* are the Float32 bits that the running value starts at. A result of a narrower format is the Float32
    of the same value; NaN is the rule's pattern, widened.

    Raises:
        ShapeError: If operands or blocks have different sizes.
        CodeRangeError: If a code does not fit its format.
        DefinitionError: If the rule cannot take such operands.
    """
    check_code(FLOAT32, c)
    pairs = _pairs(rule, a, b)
    result = _split(rule, pairs, decoded(FLOAT32, c))
    target = TARGETS[rule.out_format or ("fp32" if rule.acc_format == "e8m13" else rule.acc_format)]
    if a.tensor_scale is not None or b.tensor_scale is not None:  # step 7
        of_a, of_b = (ONE if x is None else decoded(FLOAT32, x) for x in (a.tensor_scale, b.tensor_scale))
        alpha = round_to(FP32, times(of_a, of_b), "RNE")
        result = _add_float32(round_to(FP32, times(result, alpha), "RNE"), ZERO)
        result = round_to(target, result, rule.out_round)
    elif rule.out_format is not None:
        result = round_to(target, result, rule.out_round)
    return float32_bits(result, _widened_nan(rule))


def _widened_nan(rule: AccumulationRule) -> int:
    """Return nan_pattern as a Float32: the same sign and the same first bits of payload, then zeros."""
    target = TARGETS[rule.out_format or rule.acc_format]
    if target is E8M13:  # kept in a Float32
        return rule.nan_pattern
    sign = rule.nan_pattern >> target.bits - 1
    payload = rule.nan_pattern & (1 << target.fraction_bits) - 1
    return sign << 31 | 0x7F800000 | payload << 23 - target.fraction_bits


# --------------------------------------------------------------------------------------------------
# Step 1: elements
# --------------------------------------------------------------------------------------------------


def _pairs(rule: AccumulationRule, a: Vector, b: Vector) -> list[Pair]:
    if len(a.codes) != len(b.codes) or a.block != b.block:
        raise ShapeError(
            f"operands of {len(a.codes)} and {len(b.codes)} elements in blocks of {a.block} and {b.block}; "
            "both must be equal"
        )
    if rule.scale_apply == "epilogue_tensor" and a.block:
        raise DefinitionError(f"rule {rule.name!r} takes operands without block scales")
    block = a.block or len(a.codes) + 1
    return [
        Pair(x, y, i // block if a.block else -1)
        for i, (x, y) in enumerate(zip(_elements(rule, a), _elements(rule, b), strict=True))
    ]


def _elements(rule: AccumulationRule, vector: Vector) -> list[Element]:
    """input_drop_bits, daz, dequant_inputs; and the exponents e(x)."""
    fmt = vector.element
    emin = smallest_normal(fmt) if rule.input_emin is None else rule.input_emin
    elements = []
    for i, code in enumerate(vector.codes):
        value = decoded(fmt, code)
        if rule.input_drop_bits and value.kind != "nan":
            value = decoded(fmt, code >> rule.input_drop_bits << rule.input_drop_bits)
        if rule.daz and not isinstance(fmt, IntegerFormat):
            value = flush(value, smallest_normal(fmt), rule.daz_sign)
        scale, scale_exponent = ONE, 0
        if vector.scale is not None:
            scale = decoded(vector.scale, vector.scales[i // vector.block])
            scale_exponent = exponent(scale, vector.scale.emin) if scale.kind == "finite" else 0
        if rule.dequant_format is not None:
            target = TARGETS[rule.dequant_format]
            value, emin = round_to(target, times(value, scale), "RNE"), target.emin
            scale, scale_exponent = ONE, 0
        elements.append(Element(value, exponent(value, emin), scale, scale_exponent))
    return elements


# --------------------------------------------------------------------------------------------------
# Steps 2 and 3: runs and groups
# --------------------------------------------------------------------------------------------------


def _split(rule: AccumulationRule, pairs: Sequence[Pair], c: Value) -> Value:
    """split_k: parts from +0, combined in Float32."""
    split = rule.split_k
    if split is None:
        return _promote(rule, pairs, c)
    tiles = [pairs[i : i + split.tile] for i in range(0, len(pairs), split.tile)]
    share = -(-len(tiles) // split.splits)
    parts = []
    for s in range(split.splits):
        own = tiles[s * share : (s + 1) * share] if split.deal == "contiguous" else tiles[s :: split.splits]
        if own:
            parts.append(_promote(rule, [pair for tile in own for pair in tile], ZERO))
    if split.combine == "pairwise" and parts:
        parts = [adjacent_tree(parts, _add_float32)]
    running = c
    for part in parts:
        running = _add_float32(running, part)
    return running


def _promote(rule: AccumulationRule, pairs: Sequence[Pair], c: Value) -> Value:
    """promote_every: runs from +0, added in Float32."""
    if rule.promote_every is None:
        return _run(rule, pairs, c)
    running = c
    for i in range(0, len(pairs), rule.promote_every):
        running = _add_float32(running, _run(rule, pairs[i : i + rule.promote_every], ZERO))
    return running


def _add_float32(x: Value, y: Value) -> Value:
    return round_to(FP32, total([x, y]), "RNE")


def _run(rule: AccumulationRule, pairs: Sequence[Pair], c: Value) -> Value:
    """Group after group; the last one filled up."""
    groups = _groups(rule, pairs)
    running = c
    if rule.daz_c and groups:
        running = flush(running, TARGETS[rule.acc_format].emin, rule.daz_sign)
    for group in groups:
        running = next_value(rule, group, running)
    return running


def _groups(rule: AccumulationRule, pairs: Sequence[Pair]) -> list[list[Pair]]:
    if rule.group_size == "all":
        return [list(pairs)]
    if rule.group_size == "block":
        if any(pair.block < 0 for pair in pairs):
            raise DefinitionError(f"rule {rule.name!r} needs operands with block scales")
        blocks: dict[int, list[Pair]] = {}
        for pair in pairs:
            blocks.setdefault(pair.block, []).append(pair)
        return list(blocks.values())
    size = rule.group_size
    groups = [list(pairs[i : i + size]) for i in range(0, len(pairs), size)]
    for group in groups:
        group.extend([FILLING] * (size - len(group)))
    return groups
