"""The candidates: presets, a grid of rules around them, and every rule that differs from one in a field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, get_args

import numpy as np

from refmodel.accumulate import AccumulationRule, SecondAlignment, SplitK, get_rule, list_rules
from refmodel.accumulate.rule import AccumulatorFormat, Rounding, ScaleApply
from refmodel.errors import MxError
from refmodel.formats import FloatFormat
from refmodel.identify.probes import Interface, Probes, code_type
from refmodel.summation.check import check_operands

Change = dict[str, Any]

ROUNDINGS = get_args(Rounding)
FORMATS = get_args(AccumulatorFormat)
NANS = {"fp32": 0x7FC00000, "e8m13": 0x7FC00000, "fp16": 0x7E00, "bf16": 0x7FC0}

GROUP_SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 128, "block", "all")
ALIGN_BITS = (*range(6, 41), 46)
FLOORS = (None, -149, *range(-140, -129), -126, -24, -23, -22, -21, -20, -19, -18, -14)

DOCUMENTED: frozenset[str] = frozenset({"name", "source", "confidence", "description"})
"""Fields that say nothing of results."""

INTERFACE_FIELDS: frozenset[str] = frozenset({"elements", "scale_format", "block"})
"""Fields that say what is taken, which is given."""


@dataclass(frozen=True, slots=True)
class Family:
    """The candidates of an interface.

    Attributes:
        seeds: Rules to start from, the presets first.
        names: Presets by their canonical rule; several presets may be the same rule here.
    """

    seeds: tuple[AccumulationRule, ...]
    names: Mapping[AccumulationRule, tuple[str, ...]] = field(repr=False)


@lru_cache(maxsize=16)
def family(interface: Interface) -> Family:
    """Return the candidates to start from."""
    names: dict[AccumulationRule, list[str]] = {}
    for name in list_rules():
        preset = get_rule(name)
        if takes(preset, interface):
            names.setdefault(canonical(preset, interface), []).append(name)
    seeds = dict.fromkeys(names)
    seeds.update(dict.fromkeys(_relatives(interface)))
    seeds.update(dict.fromkeys(_grid(interface)))
    return Family(tuple(seeds), {rule: tuple(same) for rule, same in names.items()})


@lru_cache(maxsize=16)
def _no_probe(interface: Interface) -> Probes:
    longest = interface.lengths[-1]
    scales = np.zeros((0, longest // interface.block), np.uint8) if interface.block else None
    a, b = (np.zeros((0, longest), code_type(element)) for element in (interface.a, interface.b))
    return Probes(interface, a, b, np.zeros(0, np.uint32), scales, scales, ())


def takes(rule: AccumulationRule, interface: Interface) -> bool:
    """Return whether *rule* takes such operands."""
    try:
        check_operands(rule, *_no_probe(interface).operands())
    except (MxError, OverflowError):
        return False
    return True


def canonical(rule: AccumulationRule, interface: Interface) -> AccumulationRule:
    """Return *rule* without name, and with fields that mean nothing in it, or here, at one value.

    Also the NaN pattern is put aside: it is read off the answers.
    """
    changes: Change = {
        "name": "candidate",
        "source": "",
        "confidence": "D",
        "description": "",
        "elements": (),
        "scale_format": None,
        "block": None,
    }
    if interface.scale is None and rule.scale_apply == "product_exponent":
        changes["scale_apply"] = "epilogue_tensor"
    elements = (interface.a, interface.b)
    if all(isinstance(each, FloatFormat) and each.emin == rule.input_emin for each in elements):
        changes["input_emin"] = None
    wider = {"fp32": (), "e8m13": ("fp32",), "fp16": ("e8m13", "fp32"), "bf16": ("e8m13", "fp32")}
    if rule.out_format in (rule.acc_format, *wider[rule.acc_format]):  # holds every number of the accumulator
        changes.update(out_format=None, out_round="RNE")
    if not rule.daz and not rule.daz_c:
        changes["daz_sign"] = "keep"
    if not rule.ftz:
        changes["ftz_sign"] = "keep"
    if rule.out_format is None:
        changes["out_round"] = "RNE"
    if rule.align_bits is None:
        changes["align_round"] = "RZ"
    if rule.exp_floor is None:
        changes["floor_when"] = "any_zero_term"
    if rule.group_round is not None and rule.group_format == rule.acc_format:
        changes["group_format"] = None
    changes["nan_pattern"] = NANS[changes.get("out_format", rule.out_format) or rule.acc_format]
    return replace(rule, **changes)


# --------------------------------------------------------------------------------------------------
# Where the search starts
# --------------------------------------------------------------------------------------------------


def _relatives(interface: Interface) -> Iterator[AccumulationRule]:
    """Presets of other machines, as they would be with the scales of this interface."""
    for name in list_rules():
        preset = replace(get_rule(name), elements=(), scale_format=None, block=None)
        ways: list[Change] = [{}]
        if interface.scale is not None:
            ways = [{}, {"scale_apply": "product_exponent"}]
        for way in ways:
            changed = changed_rule(preset, way)
            if changed is not None and takes(changed, interface):
                yield canonical(changed, interface)


def _grid(interface: Interface) -> Iterator[AccumulationRule]:
    """Aligned and exact groups of many sizes and widths; chains and trees."""
    apply: ScaleApply = "epilogue_tensor" if interface.scale is None else "product_exponent"
    plain = AccumulationRule(name="candidate", source="", confidence="D", scale_apply=apply)
    sizes = (1, 2, 4, 8, 16, 32, 64, "block", "all")
    changes: list[Change] = []
    for size in sizes:
        for bits in (7, 10, 13, 16, 20, 22, 23, 24, 25, 26, 28, 30, 35):
            aligned = {"group_size": size, "align_bits": bits, "term_exponent": "clamped_sum"}
            in_align = {**aligned, "acc_round": "RZ", "zero_sign": "always_plus"}
            changes.append(in_align)
            changes.append({**aligned, "acc_in_align": False, "group_round": "RZ"})
            if bits in (7, 10, 13):
                changes.append({**in_align, "acc_format": "e8m13"})
        changes += [{"group_size": size}, {"group_size": size, "acc_in_align": False}]
        changes += [{"group_size": size, "acc_round": "RZ"}]
        changes += [{"group_size": size, "acc_round": "RZ", "acc_format": "e8m13"}]
        changes.append({"group_size": size, "acc_in_align": False, "group_round": "RNE"})
        changes += [{"group_size": size, **structure} for structure in STRUCTURES]
    if interface.scale is not None:
        changes += [{"group_size": size, **way} for way in SCALINGS for size in (8, 16, 32, "block")]
    for change in changes:
        rule = changed_rule(plain, change)
        if rule is not None and takes(rule, interface):
            yield canonical(rule, interface)


_NO_ALIGN: Change = {
    "align_bits": None,
    "term_exponent": "none",
    "exp_floor": None,
    "stage2": None,
    "group_round": None,
    "group_format": None,
}
STRUCTURES: tuple[Change, ...] = tuple(
    {**_NO_ALIGN, **each}
    for each in (
        {"order": "fma_chain", "acc_in_align": True, "layout": "contiguous"},
        {"order": "fma_chain", "acc_in_align": False, "layout": "contiguous"},
        {"order": "fma_chain", "acc_in_align": False, "layout": "even_odd"},
        {"order": "fma_chain", "acc_in_align": False, "layout": "round_robin_4"},
        {"order": "pair_sum_chain", "acc_in_align": True, "layout": "contiguous"},
        {"order": "pair_sum_chain", "acc_in_align": False, "layout": "even_odd"},
        {"order": "tree_adjacent", "acc_in_align": False, "layout": "contiguous"},
        {"order": "tree_halves", "acc_in_align": False, "layout": "contiguous"},
    )
)
"""Orders that round as they go."""

SCALINGS: tuple[Change, ...] = (
    {"scale_apply": "fused_exact", "acc_in_align": False, "group_round": None, "group_format": None},
    {"scale_apply": "ldexp_then_add", "acc_in_align": False, "group_round": "RNE"},
    {"scale_apply": "ldexp_then_add", "acc_in_align": False},
    {"scale_apply": "fp32_factor", "acc_in_align": False, "group_round": "RNE"},
    {"scale_apply": "fp32_factor", "acc_in_align": False},
    {"scale_apply": "two_fp32_factors", "acc_in_align": False, "group_round": "RNE"},
    {"scale_apply": "two_fp32_factors", "acc_in_align": False},
    {"scale_apply": "dequant_inputs", "dequant_format": "fp32"},
    {"scale_apply": "dequant_inputs", "dequant_format": "bf16"},
    {"scale_apply": "dequant_inputs", "dequant_format": "fp16"},
    {"scale_apply": "product_exponent", "dequant_format": None},
)


def with_output(interface: Interface, out_format: AccumulatorFormat) -> list[AccumulationRule]:
    """Return the presets with one more rounding at the end."""
    found = (changed_rule(rule, {"out_format": out_format}) for rule in family(interface).names)
    return [canonical(rule, interface) for rule in found if rule is not None]


# --------------------------------------------------------------------------------------------------
# One change
# --------------------------------------------------------------------------------------------------


def changed_rule(rule: AccumulationRule, change: Change, nan: int | None = None) -> AccumulationRule | None:
    """Return *rule* with some fields changed; None where they then contradict each other.

    Its NaN pattern is *nan*, or an ordinary one of its result format.
    """
    own = dict(change)
    result = own.get("out_format", rule.out_format) or own.get("acc_format", rule.acc_format)
    own["nan_pattern"] = NANS[result] if nan is None else nan
    try:
        return replace(rule, **own)
    except MxError:
        return None


def changes_of(rule: AccumulationRule, interface: Interface) -> list[Change]:
    """Return every change of one field to another of its values, or of fields that go together."""
    values: dict[str, Iterable[Any]] = {
        "group_size": GROUP_SIZES,
        "order": ("fused", "fma_chain", "pair_sum_chain", "tree_adjacent", "tree_halves"),
        "layout": ("contiguous", "even_odd", "pairs", "round_robin_4"),
        "inner_group": (1, 2, 4, 8, 16),
        "product": ("exact", "fp32_rne", "fp32_rto", "fp32_rne_ftz", "fp32_rto_ftz"),
        "acc_in_align": (True, False),
        "group_round": (None, *ROUNDINGS),
        "acc_format": FORMATS,
        "acc_round": ROUNDINGS,
        "promote_every": (None, *(n for n in (32, 64, 128, 256) if n < interface.lengths[-1])),
        "daz": (False, True),
        "daz_c": (False, True),
        "ftz": (False, True),
        "overflow": ("inf", "saturate", "ieee", "product_inf_at_2^128"),
        "zero_sign": ("always_plus", "ieee", "from_plus"),
        "out_format": (None, *FORMATS),
        "input_emin": (None, -14, -126),
    }
    if rule.align_bits is not None:
        values["align_bits"] = ALIGN_BITS
        values["align_round"] = ROUNDINGS
        values["term_exponent"] = ("clamped_sum", "normalised_inputs", "normalised_product")
        values["exp_floor"] = FLOORS
    if rule.exp_floor is not None:
        values["floor_when"] = ("any_zero_term", "always")
    if rule.group_round is not None:
        values["group_format"] = (None, *FORMATS)
    if rule.daz or rule.daz_c:
        values["daz_sign"] = ("keep", "plus")
    if rule.ftz:
        values["ftz_sign"] = ("keep", "plus")
    if rule.out_format is not None:
        values["out_round"] = ROUNDINGS
    if rule.dequant_format is not None:
        values["dequant_format"] = FORMATS
    if max(interface.a.bits, interface.b.bits) > 16:
        values["input_drop_bits"] = (0, 8, 12, 13, 16)
    if rule.order == "fused" and rule.align_bits is None:
        values["dot_shift"] = (0, -12, *(rule.dot_shift + d for d in (-1, 1)))
    changes: list[Change] = [{name: value} for name, options in values.items() for value in options]
    changes += [{**_NO_ALIGN, "order": "fused"}, *STRUCTURES]
    changes += _late_and_early(rule)
    changes += _second_alignments(rule)
    if interface.scale is not None:
        changes += SCALINGS
    changes += [
        {"split_k": None if n == 1 else SplitK(splits=n, tile=tile, deal=deal, combine=combine)}
        for n, tile in ((1, 32), (2, 32), (2, 64), (2, 128), (4, 64), (4, 128))
        for deal in ("contiguous", "interleaved")
        for combine in (("serial", "pairwise") if n > 2 else ("serial",))
        if n * tile <= interface.lengths[-1]
    ]
    return changes


def _late_and_early(rule: AccumulationRule) -> list[Change]:
    """The running value among the aligned terms, or added afterwards, with or without rounding the sum."""
    early: Change = {"acc_in_align": True, "group_round": None, "group_format": None, "stage2": None}
    late = [
        {"acc_in_align": False, "stage2": None, "group_round": a, "acc_round": b}
        for a in (None, *ROUNDINGS)
        for b in ("RNE", "RZ")
    ]
    aligned = [
        {
            "term_exponent": "clamped_sum",
            "align_bits": bits,
            "align_round": way,
            "order": "fused",
            "layout": "contiguous",
        }
        for bits in ((7, 10, 13, *range(20, 36)) if rule.align_bits is None else ())
        for way in ("RZ", "RTO")
    ]
    return [early, *({**early, "acc_round": r} for r in ("RZ", "RNE")), *late, *aligned]


def _second_alignments(rule: AccumulationRule) -> list[Change]:
    stage = rule.stage2
    if stage is None:
        if rule.align_bits is None or rule.term_exponent == "scale_only":
            return []
        known = {get_rule(name).stage2 for name in list_rules()} - {None}
        found = sorted(known, key=repr)
        return [{"stage2": each, "acc_in_align": False, "group_round": None} for each in found]
    changes: list[Change] = [{"stage2": None}]
    for each in fields(SecondAlignment):
        value = getattr(stage, each.name)
        if each.name.endswith("_round"):
            options: Iterable[Any] = ROUNDINGS
        elif each.name == "reference":
            options = ("exponent", "grid")
        else:
            optional = () if each.name in ("dot_bits", "c_bits") else (None,)
            near = (22, 23, 24, 25, 26, 30, 31, 32, 33) if value is None else range(value - 3, value + 4)
            options = (*optional, *near)
        changes += [{"stage2": replace(stage, **{each.name: option})} for option in options]
    return changes


def variants(rule: AccumulationRule, interface: Interface) -> list[AccumulationRule]:
    """Return the rules one change away from *rule*."""
    found: dict[AccumulationRule, None] = {}
    for change in changes_of(rule, interface):
        changed = changed_rule(rule, change)
        if changed is not None:
            changed = canonical(changed, interface)
            if changed != rule and takes(changed, interface):
                found[changed] = None
    return list(found)
