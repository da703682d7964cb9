"""Accumulation rules drawn at random, field by field, for holding the model to the oracle."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any

from refmodel.accumulate import AccumulationRule, SecondAlignment, SplitK
from refmodel.errors import DefinitionError

ROUNDINGS = ["RNE", "RNA", "RZ", "RD", "RU", "RTO"]
FORMATS = ["fp32", "fp32", "e8m13", "fp16", "bf16"]
SCALED_SUMS = ["fused_exact", "ldexp_then_add", "fp32_factor", "two_fp32_factors"]
ALIGNED = ["clamped_sum", "normalised_inputs", "normalised_product"]

# For each kind of sum, values to choose from; what is listed twice is chosen more often.
_ALIGN: dict[str, list[Any]] = {
    "term_exponent": ALIGNED,
    "align_bits": [1, 7, 10, 13, 14, 23, 24, 25, 26, 35, 40],
    "align_round": ROUNDINGS,
    "exp_floor": [None, None, -133, -21, -10, 0, 5],
    "floor_when": ["any_zero_term", "always"],
}
_LATE: dict[str, list[Any]] = {
    "acc_in_align": [False],
    "group_round": [None, *ROUNDINGS],
    "group_format": [None, *FORMATS],
    "scale_apply": [*SCALED_SUMS, "product_exponent", "epilogue_tensor"],
}
_ROUNDED_PRODUCTS = ["exact", "exact", "fp32_rne", "fp32_rto", "fp32_rne_ftz", "fp32_rto_ftz"]
_SCALE = ["product_exponent", "dequant_inputs", "epilogue_tensor", "epilogue_tensor"]
KINDS: list[dict[str, list[Any]]] = [
    {**_ALIGN, "scale_apply": _SCALE},
    {**_ALIGN, **_LATE, "dot_shift": [0, 0, 20, -12]},
    {
        **_ALIGN,
        "acc_in_align": [False],
        "stage2": [True],
        "layout": ["contiguous", "even_odd", "pairs", "round_robin_4"],
        "scale_apply": _SCALE,
    },
    {
        **_ALIGN,
        "term_exponent": ["scale_only"],
        "scale_apply": ["group_exponent"],
        "inner_group": [1, 2, 4, 16],
        "acc_in_align": [True, True, False],
    },
    {"scale_apply": _SCALE, "dot_shift": [0, 1, 20, 127, -12]},
    {**_LATE, "dot_shift": [0, 0, 20, -12]},
    {
        "order": ["fma_chain", "pair_sum_chain"],
        "product": _ROUNDED_PRODUCTS,
        "acc_in_align": [True, False],
        "layout": ["contiguous", "contiguous", "even_odd", "round_robin_4"],
        "scale_apply": [*_SCALE, "ldexp_then_add", "fp32_factor"],
    },
    {
        "order": ["tree_adjacent", "tree_halves"],
        "product": _ROUNDED_PRODUCTS,
        "acc_in_align": [False],
        "inner_group": [1, 1, 2, 4],
        "scale_apply": [*_SCALE, "ldexp_then_add", "two_fp32_factors"],
    },
]
COMMON: dict[str, list[Any]] = {
    "input_drop_bits": [0, 0, 0, 0, 0, 1],
    "input_emin": [None, None, None, -14, -20],
    "group_size": [1, 2, 3, 4, 8, 16, 16, 32, "block", "all"],
    "acc_format": FORMATS,
    "acc_round": ROUNDINGS,
    "promote_every": [None, None, None, 32, 64, 128],
    "daz": [False, False, True],
    "daz_c": [False, False, True],
    "daz_sign": ["keep", "plus"],
    "ftz": [False, False, True],
    "ftz_sign": ["keep", "plus"],
    "overflow": ["inf", "saturate", "ieee", "product_inf_at_2^128"],
    "zero_sign": ["always_plus", "ieee", "from_plus"],
    "out_format": [None, None, None, "fp16", "bf16", "e8m13"],
    "out_round": ROUNDINGS,
}
NARROW = [("e4m3",), ("e5m2",), ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1"), ("e4m3fnuz", "e5m2fnuz")]
WIDE = [("float16",), ("bfloat16",), ("float32",)]


def _second_alignment(draw: random.Random) -> SecondAlignment:
    return SecondAlignment(
        part_bits=draw.choice([None, 20, 24]),
        part_round=draw.choice(ROUNDINGS),
        reference=draw.choice(["exponent", "grid"]),
        dot_bits=draw.choice([10, 24, 32]),
        dot_round=draw.choice(ROUNDINGS),
        c_bits=draw.choice([10, 24, 26]),
        c_round=draw.choice(ROUNDINGS),
        c_drop=draw.choice([None, 25, 8]),
        post_bits=draw.choice([None, 31, 12]),
        post_round=draw.choice(ROUNDINGS),
    )


def _split(draw: random.Random) -> SplitK:
    return SplitK(
        splits=draw.choice([1, 2, 3, 5]),
        tile=draw.choice([32, 64]),
        deal=draw.choice(["contiguous", "interleaved"]),
        combine=draw.choice(["serial", "pairwise"]),
    )


def random_rule(draw: random.Random) -> AccumulationRule:
    """Return a rule without contradictions: fields are drawn until some fit."""
    while True:
        choices = {**COMMON, **draw.choice(KINDS)}
        chosen = {name: draw.choice(values) for name, values in choices.items()}
        scaled = chosen["scale_apply"] != "epilogue_tensor"
        chosen["elements"] = draw.choice(NARROW if scaled else NARROW + WIDE)
        if chosen.get("stage2"):
            chosen["stage2"] = _second_alignment(draw)
        chosen["split_k"] = _split(draw) if draw.random() < 0.15 else None
        if chosen.get("group_round", 0) is None:
            chosen["group_format"] = None
        if chosen["scale_apply"] == "dequant_inputs":
            chosen["dequant_format"] = draw.choice(FORMATS)
        if scaled:
            chosen["scale_format"] = draw.choice(["e8m0", "e8m0", "ue4m3"])
            chosen["block"] = draw.choice([16, 32])
        result = chosen["out_format"] or chosen["acc_format"]
        chosen["nan_pattern"] = {"fp16": 0x7E01, "bf16": 0xFFC1}.get(result, 0x7FC00001)
        try:
            return AccumulationRule(name="random", source="drawn at random", confidence="D", **chosen)
        except DefinitionError:
            continue


DEFAULTS = {field.name: field.default for field in fields(AccumulationRule)}


def smaller_rules(rule: AccumulationRule) -> list[AccumulationRule]:
    """Return the rules that have one more field at its default than *rule*."""
    found = []
    for name, default in DEFAULTS.items():
        if name not in ("name", "source", "confidence", "elements") and getattr(rule, name) != default:
            try:
                found.append(replace(rule, **{name: default}))
            except DefinitionError:
                continue
    return found
