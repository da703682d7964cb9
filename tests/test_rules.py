"""Accumulation rules: their text forms, what is refused, and the inputs that tell machines apart.

The expected values of the discriminating inputs D1 to D15 and M1 to M15 are typed from the table of the
reference on accumulation rules, not computed by the model.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import rule_pictures
from rule_document import FAMILIES, documents

import refmodel as mx
from refmodel.accumulate import (
    AccumulationRule,
    SplitK,
    from_json,
    from_toml,
    get_rule,
    list_rules,
    list_unverified_rules,
    to_json,
    to_toml,
)
from refmodel.elements import decode_table
from refmodel.operands import OPERAND_FORMATS, Elements

NAN, INF = 0x7FC00000, 0x7F800000

FORMATS = ("e5m2", "e5m2fnuz", "float16", "bfloat16", "float32")
"""In the order in which an input is written where a rule takes several; E5M2 for its range."""


@lru_cache
def code_of_value(fmt: str) -> dict[tuple[float, bool], int]:
    table = decode_table(OPERAND_FORMATS[fmt])
    return {(float(v), bool(np.signbit(v))): code for code, v in enumerate(table) if not np.isnan(v)}


def code(fmt: str, value: float) -> int:
    if fmt == "float32":
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    return code_of_value(fmt)[value, bool(np.signbit(value))]


def factors(product: float | tuple[float, float]) -> tuple[float, float]:
    """Split s * 2**e or s * 1.5 * 2**e into two elements with about half of e each; pairs pass through."""
    if isinstance(product, tuple):
        return product
    if product == 0:
        return (0.0, 0.0)
    fraction, exponent = np.frexp(product)
    low = (int(exponent) - 1) // 2
    return float(np.ldexp(fraction * 2, int(exponent) - 1 - low)), 2.0**low


def rule_of(rule: str | AccumulationRule) -> AccumulationRule:
    return get_rule(rule, allow_unverified=True)


def result(
    rule: str | AccumulationRule,
    products: Sequence[float | tuple[float, float]],
    c: float = 0.0,
    length: int = 32,
    fmt: str | None = None,
) -> int:
    """Return the Float32 bits of a dot with scales of 1 whose first products are given, the others 0."""
    rule = rule_of(rule)
    fmt = fmt or next(f for f in FORMATS if not rule.elements or f in rule.elements)
    pairs = [factors(p) for p in products]
    pairs += [(0.0, 0.0)] * (length - len(pairs))
    a, b = (np.array([[code(fmt, pair[side]) for pair in pairs]]) for side in (0, 1))
    start = np.array([c], np.float32)
    if rule.group_size == "block" or rule.scale_format is not None:
        scales = np.full((1, length // 32), 127)
        block_format = mx.BlockFormat("blocks", OPERAND_FORMATS[fmt], mx.get_scale("e8m0"))
        x, y = (mx.Blocks(block_format, codes.reshape(1, -1, 32), scales) for codes in (a, b))
        return int(mx.dot(x, y, rule, start).view(np.uint32)[0])
    return int(mx.dot(Elements(fmt, a), Elements(fmt, b), rule, start).view(np.uint32)[0])


def bits(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


def check(expected: float | int, *args: object, **kwargs: object) -> None:
    want = expected if isinstance(expected, int) else bits(expected)
    got = result(*args, **kwargs)  # type: ignore[arg-type]
    assert got == want, f"{args}: got {got:#010x}, want {want:#010x}"


F13 = ("nv_ada_fp8", "nv_hopper_fp8_fast", "nv_hopper_fp8_slow128", "nv_hopper_mx_emulated")
F24 = ("nv_ampere_fp16", "nv_ampere_bf16", "nv_turing_fp16", "nv_ada_fp16", "gaudi3_fp8", "gaudi3_bf16")
F25 = ("nv_hopper_fp16", "nv_hopper_bf16", "nv_blackwell_fp16", "nv_blackwell_f8f6f4", "nv_mxf8f6f4")
EXACT_IN_GROUP = (
    "exact_fp32", "block32_fp32_add", "block32_exact_fused", "seq_fma_fp32", "pairwise_fp32",
    "amd_cdna1_fp16", "amd_cdna2_fp16", "arm_fp8_dot4", "arm_fp8_dot8", "amx_bf16", "riscv_ime32_exact_frm",
)  # fmt: skip
WIDE = (*F24, *F25, "nv_volta_fp16", "gaudi2_fp8", "amd_cdna3_fp16", "amd_cdna3_fp8", "amd_rdna4_fp16")


@pytest.mark.parametrize(
    ("bits_kept", "rules"),
    [
        (13, F13),
        (23, ("nv_volta_fp16",)),
        (24, (*F24, "gaudi2_fp8", "amd_cdna3_fp16", "amd_cdna3_fp8", "amd_rdna4_fp16")),
        (25, F25),
    ],
)
def test_d1_the_smallest_product_beside_two_that_cancel_shows_align_bits(bits_kept, rules):
    for rule in rules:
        check(2.0**-bits_kept, rule, [1, -1, 2.0**-bits_kept])
        check(0.0, rule, [1, -1, 2.0 ** -(bits_kept + 1)])


def test_d1_exact_rules_keep_the_smallest_product_and_bulk_normalisation_jams_it():
    for rule in EXACT_IN_GROUP:
        # As BF16 where 2**-15 would be a flushed FP16 subnormal.
        if rule != "amx_bf16":  # its even lane rounds 1 + 2**-30
            check(2.0**-30, rule, [1, -1, 2.0**-30], fmt="bfloat16" if rule == "amd_cdna2_fp16" else None)
    check(2.0**-27, "rvbna16", [1, -1, 2.0**-30])
    check(2.0**-28, "rvbna32", [1, -1, 2.0**-30])


def test_d2_a_negative_product_below_the_grid_shows_the_alignment_rounding():
    products = [1, -1, -1.5 * 2.0**-14]
    for rule in F13:
        check(0.0, rule, products)
        for rounding in ("RD", "RNE", "RTO"):
            check(-(2.0**-13), replace(get_rule(rule), align_round=rounding), products)
    for rule in (*WIDE, *EXACT_IN_GROUP):
        check(-1.5 * 2.0**-14, rule, products)


@pytest.mark.parametrize(("bits_kept", "rules"), [(13, F13), (24, F24), (25, F25)])
def test_d3_a_product_above_two_keeps_the_exponent_of_its_factors(bits_kept, rules):
    products = [(1.5, 1.5), (1.5, -1.5), 2.0**-bits_kept]
    for rule in rules:
        check(2.0**-bits_kept, rule, products)
        check(0.0, replace(get_rule(rule), term_exponent="normalised_product"), products)


def test_d4_the_running_value_among_the_aligned_terms_at_13_bits():
    for rule in ("nv_ada_fp8", "nv_hopper_fp8_fast"):
        check(1.0, rule, [2.0**-14] * 32, c=1.0)
    for rule in (*WIDE, *EXACT_IN_GROUP, "rvbna16", "arm_bf16_std", "amd_cdna4_rocjitsu", "gaudi1_bf16"):
        check(1 + 2.0**-9, rule, [2.0**-14] * 32, c=1.0)


def test_d4b_the_running_value_among_the_aligned_terms_or_added_later():
    for rule in (
        "nv_blackwell_f8f6f4",
        "nv_mxf8f6f4",
        "gaudi3_fp8",
        "gaudi3_bf16",
        "seq_fma_fp32",
        "arm_fp8_dot4",
    ):
        check(1.0, rule, [2.0**-26] * 32, c=1.0)
    for rule in (
        "gaudi2_fp8", "gaudi2_bf16", "amd_cdna3_fp16", "amd_cdna3_fp8", "arm_fp8_dot8", "rvbna16",
        "rvbna32", "exact_fp32", "block32_fp32_add", "block32_exact_fused", "pairwise_fp32",
    ):  # fmt: skip
        check(0x3F800004, rule, [2.0**-26] * 32, c=1.0)


def test_d5_the_accumulator_has_13_fraction_bits_and_cuts():
    products = [1, 1, 1.5 * 2.0**-12]
    for rule in ("nv_ada_fp8", "nv_hopper_fp8_fast", "nv_hopper_fp8_slow128", "nv_hopper_mx_emulated"):
        check(0x40000400, rule, products)
    for rule, size in (("nv_ada_fp8", 16), ("nv_hopper_fp8_fast", 32)):
        check(0x40000800, replace(get_rule(rule), acc_round="RNE"), products, length=size)
        check(0x40000600, replace(get_rule(rule), acc_format="fp32"), products, length=size)


def test_d5b_the_rounding_to_float32():
    products = [1, 1, 1.5 * 2.0**-22]
    for rule in (*F25, *F24, "rvbna16"):
        check(0x40000001, rule, products)
    for rule in ("exact_fp32", "gaudi2_fp8", "amd_cdna3_fp16", "amd_cdna1_fp16", "arm_fp8_dot8"):
        check(0x40000002, rule, products)
    check(0x40000000, "nv_hopper_fp8_fast", products)


def test_d6_two_ones_between_numbers_that_cancel_show_the_order():
    products = [2.0**24, 1, 1, -(2.0**24)]
    for rule in (*F24, *F25, "exact_fp32", "gaudi2_fp8", "amd_cdna1_fp16"):
        check(2.0, rule, products)
    for rule in ("pairwise_fp32", "amd_cdna2_fp16", "amx_bf16", "amx_fp16", "amx_fp8"):
        check(1.0, rule, products)
    for rule in ("seq_fma_fp32", "nv_volta_fp16"):
        check(0.0, rule, products)


def test_d6b_even_and_odd_lanes():
    products = [2.0**24, 1, -(2.0**24), 1]
    for rule in ("amx_bf16", "amx_fp16", "nv_hopper_fp16", "exact_fp32"):
        check(2.0, rule, products)
    for rule in ("seq_fma_fp32", "pairwise_fp32", "amd_cdna2_fp16"):
        check(1.0, rule, products)


def ones_with(position: int, sign: int = 1) -> list[float | tuple[float, float]]:
    products: list[float | tuple[float, float]] = [float(sign)] * 128
    products[0], products[position] = sign * 2.0**30, -sign * 2.0**30
    return products


@pytest.mark.parametrize(
    ("position", "expected", "rules"),
    [
        (1, 112.0, ("nv_ada_fp8",)),
        (1, 96.0, ("nv_hopper_fp8_fast", "nv_blackwell_f8f6f4", "nv_mxf8f6f4")),
        (1, 120.0, ("gaudi3_fp8",)),
        (1, 126.0, ("exact_fp32", "seq_fma_fp32")),
        (2, 125.0, ("seq_fma_fp32",)),
        (2, 124.0, ("pairwise_fp32",)),
        (32, 80.0, ("nv_ada_fp8",)),
        (32, 64.0, ("nv_hopper_fp8_fast", "nv_blackwell_f8f6f4", "nv_mxf8f6f4", "block32_fp32_add")),
        (32, 88.0, ("gaudi3_fp8",)),
        (32, 95.0, ("arm_fp8_dot4", "arm_fp8_dot8")),
        (32, 126.0, ("exact_fp32",)),
    ],
)
def test_d7_group_size_and_chaining(position, expected, rules):
    for rule in rules:
        check(expected, rule, ones_with(position), length=128)


def test_d7_negated_signs_show_rounding_down():
    check(-176.0, "amd_cdna3_fp8", ones_with(2, -1), length=128)


def test_d8_a_narrow_accumulator_sticks():
    products = [2.0**-8] * 32768
    for rule in ("nv_ada_fp8", "nv_hopper_fp8_fast"):
        check(64.0, rule, products, length=32768)
    for rule in ("nv_hopper_fp8_slow128", "nv_mxf8f6f4", "exact_fp32", "gaudi3_fp8"):
        check(128.0, rule, products, length=32768)


def test_d9_rounding_to_float16_directly_or_after_float32():
    products = [1, 2.0**-11, 2.0**-24]
    for rule in ("nv_ampere_fp16_acc16", "nv_hopper_fp16_acc16", "nv_blackwell_f8f6f4_acc16"):
        check(1 + 2.0**-10, rule, products)
    check(1.0, "nv_volta_fp16_acc16", products)
    for rule in ("nv_ampere_fp16", "nv_hopper_fp16"):
        check(1.0, replace(get_rule(rule), out_format="fp16", nan_pattern=0x7FFF), products)


def test_d10_the_second_alignment_of_cdna3():
    check(0x3F7F0001, "amd_cdna3_fp16", [-(2.0**-8), 2.0**-25, 2.0**-32], c=1.0)


def test_d11_even_and_odd_products_are_aligned_apart_and_rounded_down():
    at_1 = [2.0**20, -(2.0**-10), -(2.0**20)]
    at_4 = [2.0**20, 0.0, -(2.0**20), 0.0, -(2.0**-10)]
    check(-0.0625, "amd_cdna3_fp8", at_1)
    check(0.0, "amd_cdna3_fp8", at_4)
    for products in (at_1, at_4):
        check(0.0, "nv_blackwell_f8f6f4", products)
        check(-(2.0**-10), "exact_fp32", products)


def test_d12_products_beyond_float32():
    products = [(2.0**64, 2.0**64), (2.0**64, -(2.0**64))]
    for rule in ("nv_ampere_bf16", "nv_hopper_bf16", "nv_blackwell_bf16"):
        check(0.0, rule, products)
    check(NAN, "amd_cdna3_fp16", products, fmt="bfloat16")
    check(INF, "seq_fma_fp32", products, fmt="bfloat16")


def test_d13_zero_terms_bound_the_exponent_from_below():
    hopper = get_rule("nv_hopper_bf16")
    first = ((2 - 2.0**-7) * 2.0**-75, 2.0**-75)
    four = [first, *[(2.0**-80, 2.0**-79)] * 4]
    two = [first, *[(2.0**-79, 2.0**-79)] * 2]
    check(0.0, hopper, four, length=16)
    check(2.0**-149, replace(hopper, exp_floor=-134), four, length=16)
    check(2.0**-149, replace(hopper, exp_floor=None), four, length=16)
    check(2.0**-149, hopper, two, length=16)
    for floor, expected in ((-132, 0.0), (-133, 0.0), (-134, 2.0**-149)):
        check(expected, replace(hopper, align_bits=24, exp_floor=floor), two, length=16)


def test_d14_a_subnormal_running_value():
    for rule in (
        *F24,
        *F25,
        *(r for r in EXACT_IN_GROUP if r not in ("amd_cdna2_fp16", "amx_bf16")),
        "rvbna16",
    ):
        check(0x00000001, rule, [0.0], c=2.0**-149)
    for rule in (
        "amd_cdna2_fp16",
        "amx_bf16",
        "gaudi2_fp8",
        "arm_bf16_std",
        "nv_ada_fp8",
        "nv_hopper_fp8_fast",
    ):
        check(0x00000000, rule, [0.0], c=2.0**-149)


def test_d15_the_sign_of_zero():
    zeros = [(-0.0, 1.0)] * 32
    for rule in (*F24, *F25, "nv_ada_fp8", "rvbna16", "amd_rdna4_fp16", "amx_bf16"):
        check(0x00000000, rule, zeros, c=-0.0)
    for rule in ("arm_fp8_dot4", "arm_fp8_dot8", "seq_fma_fp32"):
        check(0x80000000, rule, zeros, c=-0.0)
    for name in list_rules():
        if set(get_rule(name).elements or FORMATS) & set(FORMATS):
            check(0x00000000, name, [1, -1])


# MX-specific inputs: blocks of E4M3 under E8M0 scales.

DEQUANT = "dequant_seq_fma_fp32"
FACTOR = "riscv_ime32_exact_frm"
ST = "nv_mxf8f6f4"


def scaled(
    rule: str | AccumulationRule,
    blocks: Sequence[tuple[Sequence[float | tuple[float, float]], int, int]],
    c: float = 0.0,
    fmt: str = "mxfp8_e4m3",
    codes: bool = False,
) -> int:
    """Return the bits of a dot of blocks (products, xa, xb); with *codes*, xa and xb are scale codes."""
    block_format = mx.get_format(fmt)
    size, element = block_format.block_size, block_format.element.name
    bias = 0 if codes else block_format.scale.bias
    a, b = np.zeros((2, 1, len(blocks), size), int)
    for block, (products, _, _) in enumerate(blocks):
        for position, pair in enumerate(map(factors, products)):
            a[0, block, position], b[0, block, position] = (code(element, value) for value in pair)
    scales_a, scales_b = ([[block[side] + bias for block in blocks]] for side in (1, 2))
    x, y = (mx.Blocks(block_format, v, s) for v, s in ((a, scales_a), (b, scales_b)))
    return int(mx.dot(x, y, rule_of(rule), np.array([c], np.float32)).view(np.uint32)[0])


def test_m1_dequantising_first_overflows():
    for rule in (ST, "exact_fp32", "block32_fp32_add", "seq_fma_fp32", FACTOR):
        assert scaled(rule, [([(4.0, 1.0)], 127, -127)]) == bits(4.0)
    assert scaled(DEQUANT, [([(4.0, 1.0)], 127, -127)]) == INF


def test_m2_a_scale_far_above_the_running_value():
    block = [([(448.0, 448.0), (-448.0, 448.0)], 127, 127)]
    assert scaled(ST, block, c=3.0) == bits(0.0)
    assert scaled("exact_fp32", block, c=3.0) == bits(3.0)
    assert scaled(FACTOR, block, c=3.0) == NAN


def test_m3_a_block_of_zeros_under_that_scale():
    assert scaled(ST, [([], 127, 127)], c=3.0) == bits(3.0)
    assert scaled(FACTOR, [([], 127, 127)], c=3.0) == NAN


def test_m4_a_scale_below_float32():
    block = [([(256.0, 256.0)] * 32, -80, -80)]
    for rule in (ST, "exact_fp32", "block32_fp32_add"):
        assert scaled(rule, block) == 0x00000400
    assert scaled(FACTOR, block) == 0
    assert scaled(replace(get_rule("block32_fp32_add"), ftz=True), block) == 0


def test_m5_a_scale_that_is_a_float32_subnormal():
    block = [([(256.0, 256.0)] * 32, -70, -70)]
    for rule in (ST, "exact_fp32", FACTOR):
        assert scaled(rule, block) == bits(2.0**-119)
    assert scaled(replace(get_rule(FACTOR), ftz=True), block) == 0


def test_m6_overflow():
    for rule in (ST, "exact_fp32", "block32_fp32_add", "seq_fma_fp32"):
        assert scaled(rule, [([(2.0**-9, 2.0**-9)], 127, 127)]) == INF


def test_m7_underflow():
    for scales, expected in (((-74, -74), 2.0**-148), ((-75, -74), 2.0**-149), ((-75, -75), 0.0)):
        for rule in (ST, "exact_fp32", "block32_fp32_add"):
            assert scaled(rule, [([1], *scales)]) == bits(expected)
    up = replace(get_rule("exact_fp32"), acc_round="RU")
    assert scaled(up, [([1], -75, -75)]) == bits(2.0**-149)


def test_m8_the_running_value_in_the_alignment():
    products = [(2.0**-8, 2.0**-8)] * 32
    assert scaled(ST, [(products, -10, 0)], c=1.0) == bits(1.0)
    assert scaled("block32_fp32_add", [(products, -10, 0)], c=1.0) == 0x3F800004
    assert scaled(ST, [(products, -9, 0)], c=1.0) == 0x3F800008


def test_m9_subnormal_elements_keep_the_smallest_exponent():
    tiny = [(2.0**-9, 2.0**-9), (-(2.0**-9), 2.0**-9)]
    blocks = [([1], -38, 0), (tiny, 0, 0)]
    assert scaled(ST, blocks) == bits(0.0)
    assert scaled(ST, [([1], -37, 0), (tiny, 0, 0)]) == bits(2.0**-37)
    for rule in (replace(get_rule(ST), term_exponent="normalised_inputs"), "exact_fp32"):
        assert scaled(rule, blocks) == bits(2.0**-38)


@pytest.mark.parametrize(("xa", "xb"), [(0xFF, 127), (127, 0xFF)])
def test_m10_a_nan_scale_poisons_a_block_of_zeros(xa, xb):
    for rule, fmt, expected in (
        (ST, "mxfp8_e4m3", 0x7FFFFFFF), ("nv_mxf4", "mxfp4_e2m1", 0x7FFFFFFF), (FACTOR, "mxfp8_e4m3", NAN),
        ("block32_fp32_add", "mxfp8_e4m3", NAN), ("seq_fma_fp32", "mxfp8_e4m3", NAN),
    ):  # fmt: skip
        assert scaled(rule, [([], xa, xb)], codes=True, fmt=fmt) == expected


def test_m11_a_group_that_cancels_keeps_the_exponent_of_its_scale():
    assert scaled("nv_mxf4", [([1, -1], 20, 20)], c=1.0, fmt="mxfp4_e2m1") == bits(0.0)
    assert scaled("nv_mxf4", [([], 20, 20)], c=1.0, fmt="mxfp4_e2m1") == bits(1.0)
    assert scaled("exact_fp32", [([1, -1], 20, 20)], c=1.0, fmt="mxfp4_e2m1") == bits(1.0)


def test_m12_the_exponent_of_a_group_does_not_see_the_size_of_its_sum():
    large = [(6.0, 6.0)] * 16 + [(6.0, -6.0)] * 16
    for k, kept in ((33, True), (34, False)):
        got = scaled("nv_mxf4", [(large, 0, 0), ([(0.5, 0.5)], -k, 0)], fmt="mxfp4_e2m1")
        assert got == bits(0.25 * 2.0**-k if kept else 0.0)


def test_m13_35_bits_are_kept():
    for k, kept in ((35, True), (36, False)):
        got = scaled("nv_mxf4", [([1], 0, 0), ([1], -k, 0)], c=-1.0, fmt="mxfp4_e2m1")
        assert got == bits(2.0**-k if kept else 0.0)


def test_m14_the_sign_of_a_ue4m3_scale_is_ignored():
    for sign in (0x38, 0xB8):
        assert scaled("nv_nvf4", [([1], sign, 0x38)], fmt="nvfp4", codes=True) == bits(1.0)


@pytest.mark.parametrize("fmt", ["mxfp6_e3m2", "mxfp6_e2m3", "mxfp4_e2m1", "mxint8"])
def test_m15_rules_with_float32_in_the_block_agree_on_narrow_formats(fmt):
    block_format = mx.get_format(fmt)
    rng = np.random.default_rng(20260722)
    codes = rng.integers(0, 1 << block_format.element.bits, (2, 4000, 1, 32))
    x, y = (mx.Blocks(block_format, c, np.full((4000, 1), 127)) for c in codes)
    rules = ("exact_fp32", "block32_fp32_add", "block32_exact_fused", "seq_fma_fp32", "pairwise_fp32", FACTOR)
    results = [mx.dot(x, y, rule).view(np.uint32) for rule in rules]
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


@pytest.mark.parametrize("fmt", ["mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e2m3"])
def test_a_block_that_underflows_below_zero_keeps_its_sign(fmt):
    for rule in ("exact_fp32", "block32_fp32_add"):
        assert scaled(rule, [([(1.0, -1.0)], -100, -100)], c=-0.0, fmt=fmt) == 0x80000000
        assert scaled(rule, [([(1.0, -1.0), (1.0, 1.0)], -100, -100)], c=-0.0, fmt=fmt) == 0x00000000


def test_every_rule_survives_toml_and_json():
    for name in (*list_rules(), *list_unverified_rules()):
        rule = rule_of(name)
        assert from_toml(to_toml(rule)) == rule
        assert from_json(to_json(rule)) == rule
    split = replace(get_rule("nv_hopper_fp8_fast"), split_k=SplitK(splits=3, tile=64, combine="pairwise"))
    assert from_toml(to_toml(split)) == split


def test_every_rule_is_a_sentence():
    sentences = {rule_of(name).summary for name in list_rules()}
    assert all(text[0].isupper() and text.endswith(".") for text in sentences)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"align_bits": None}, "term_exponent needs align_bits"),
        ({"term_exponent": "none"}, "align_bits needs a term_exponent"),
        ({"order": "fma_chain"}, "align_bits=25 needs order 'fused'"),
        ({"layout": "even_odd"}, "needs stage2"),
        ({"product": "fp32_rne"}, "aligned products are exact"),
        ({"group_round": "RNE"}, "group_round rounds a sum before it meets the running value"),
        ({"inner_group": 4}, "inner_group is for"),
        ({"group_size": 0}, "group_size=0 must be at least 1"),
        ({"group_size": True}, "group_size=True must be an integer"),
        ({"term_exponent": "scale_only"}, "go together"),
        ({"scale_apply": "ldexp_then_add"}, "acc_in_align must be False"),
        ({"scale_apply": "dequant_inputs"}, "dequant_format go together"),
        ({"nan_pattern": 0x7F800000}, "is not a NaN of fp32"),
        ({"nan_pattern": 0x1_7FC0_0000}, "is not a NaN of fp32"),
        ({"acc_format": "fp16"}, "is not a NaN of fp16"),
        ({"align_round": "up"}, "unknown align_round of rule 'nv_mxf8f6f4': 'up'"),
        ({"confidence": "E"}, "unknown confidence"),
        ({"align_bits": 99}, "align_bits must be from 1 to 48"),
        ({"split_k": SplitK(splits=0, tile=64)}, "splits and tile must be at least 1"),
    ],
)
def test_contradictions_are_refused_with_the_reason(changes, message):
    with pytest.raises((mx.DefinitionError, mx.UnknownNameError)) as caught:
        replace(get_rule("nv_mxf8f6f4"), **changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_second_alignment_needs_products_aligned_by_their_own_exponents():
    changes = {"term_exponent": "scale_only", "scale_apply": "group_exponent", "overflow": "ieee"}
    with pytest.raises(mx.DefinitionError, match="not 'scale_only'"):
        replace(get_rule("amd_cdna3_fp16"), **changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\nsource = "s"\nconfidence = "D"\nwidth = 3\n', "unknown field 'width'"),
        ('name = "x"\nconfidence = "D"\n', "missing field 'source'"),
        ("name = ", "not TOML"),
    ],
)
def test_damaged_rule_files_are_refused(text, message):
    with pytest.raises(mx.DefinitionError, match=message):
        from_toml(text)


def test_machines_without_public_numerics_need_permission():
    for name in list_unverified_rules():
        assert name not in list_rules()
        with pytest.raises(mx.UnknownNameError, match="not public"):
            get_rule(name)
        assert get_rule(name, allow_unverified=True).confidence == "U"


@pytest.mark.parametrize(
    ("rule", "operand", "message"),
    [
        ("nv_hopper_fp8_fast", "mxfp8_e4m3", "takes no block scales"),
        ("nv_mxf4", "mxfp8_e4m3", "takes elements e2m1, not e4m3"),
        ("nv_mxf4", "nvfp4", "takes scales e8m0, not ue4m3"),
        ("nv_nvf4", "mxfp4_e2m1", "takes scales ue4m3, not e8m0"),
        ("riscv_ime32_exact_frm", "nvfp4", "blocks of 16 are not whole groups of 32"),
        ("amd_cdna3_fp16", "e5m2", "takes elements float16, bfloat16, not e5m2"),
        ("block32_fp32_add", "e4m3", "elements without scales have no blocks"),
    ],
)
def test_operands_a_rule_does_not_take_are_refused(rule, operand, message):
    if operand in mx.list_formats():
        size = mx.get_format(operand).block_size
        x: mx.Blocks | Elements = mx.Blocks(operand, np.zeros((1, 1, size), int), np.zeros((1, 1), int))
    else:
        x = Elements(operand, np.zeros((1, 32), int))
    for function, y in ((mx.dot, x), (mx.matmul, x)):
        with pytest.raises(mx.DefinitionError, match=message):
            function(x, y, rule)


def test_tensor_scales_multiply_the_result_after_the_sum():
    rng = np.random.default_rng(20260722)
    codes, scales = rng.integers(0, 16, (2, 5, 4, 16)), rng.integers(0, 0x7E, (2, 5, 4))
    alpha = np.float32(0.1) * np.float32(3e5)
    for rule in ("nv_nvf4", "exact_fp32", "seq_fma_fp32"):
        plain, scaled_ = (
            mx.dot(*(mx.Blocks("nvfp4", codes[i], scales[i], tensor_scale=t[i]) for i in (0, 1)), rule)
            for t in ((1.0, 1.0), (np.float32(0.1), 3e5))
        )
        np.testing.assert_array_equal(scaled_, plain * alpha)
    # A product of Float32 numbers, the sum +0 keeps no minus sign.
    x = Elements("e4m3", [[0xB8]], tensor_scale=2.0**-140)
    y = Elements("e4m3", [[0x00]])
    assert mx.dot(x, y, "seq_fma_fp32", np.array([-0.0], np.float32)).view(np.uint32)[0] == 0


@pytest.mark.parametrize("name", list_rules())
def test_a_matrix_product_has_the_bits_of_its_dot_products(name):
    rule = get_rule(name)
    fmt = rule.elements[0] if rule.elements else "e4m3"
    element = OPERAND_FORMATS[fmt]
    rng = np.random.default_rng([20260722, *name.encode()])
    shapes = (70, 128), (67, 128)  # beyond one tile of most rules
    drawn = [rng.integers(0, 1 << element.bits, shape) for shape in shapes]
    if rule.scale_apply == "epilogue_tensor":
        a, b = (Elements(fmt, codes) for codes in drawn)
        rows = [Elements(fmt, codes.codes[:67]) for codes in (a, b)]
    else:
        size = rule.block or 32
        block_format = mx.BlockFormat("any", element, mx.get_scale(rule.scale_format or "e8m0"), size)
        blocks = [codes.reshape(len(codes), -1, size) for codes in drawn]
        scales = [rng.integers(100, 126, codes.shape[:2]) for codes in blocks]
        a, b = (mx.Blocks(block_format, *pair) for pair in zip(blocks, scales, strict=True))
        rows = [mx.Blocks(block_format, x.codes[:67], x.scales[:67]) for x in (a, b)]
    c = rng.normal(size=(70, 67)).astype(np.float32)
    product = mx.matmul(a, b, rule, c)
    diagonal = mx.dot(*rows, rule, c[:67].diagonal())
    np.testing.assert_array_equal(product[:67].diagonal().view(np.uint32), diagonal.view(np.uint32))
    assert product.shape == (70, 67)


def test_split_k_adds_parts_of_their_own():
    rng = np.random.default_rng(20260722)
    a, b = (Elements("e4m3", rng.integers(0, 0x7F, (9, 448))) for _ in "ab")
    rule = get_rule("nv_hopper_fp8_fast")
    tiles = [(s, min(s + 64, 448)) for s in range(0, 448, 64)]
    for deal, parts in (
        ("contiguous", [tiles[0:3], tiles[3:6], tiles[6:7]]),
        ("interleaved", [tiles[0::3], tiles[1::3], tiles[2::3]]),
    ):
        columns = [np.concatenate([np.arange(*tile) for tile in part]) for part in parts]
        p = [mx.dot(Elements("e4m3", a.codes[:, k]), Elements("e4m3", b.codes[:, k]), rule) for k in columns]
        c = np.float32(0.37)
        sums = {"serial": ((c + p[0]) + p[1]) + p[2], "pairwise": c + ((p[0] + p[1]) + p[2])}
        for combine, want in sums.items():
            split = SplitK(splits=3, tile=64, deal=deal, combine=combine)
            got = mx.dot(a, b, replace(rule, split_k=split), np.full(9, c))
            np.testing.assert_array_equal(got.view(np.uint32), want.view(np.uint32))


def test_promotion_adds_chains_of_128_in_float32():
    rng = np.random.default_rng(20260722)
    a, b = (Elements("e4m3", rng.integers(0, 0x7F, (9, 300))) for _ in "ab")
    cut = [slice(0, 128), slice(128, 256), slice(256, 300)]
    fast = "nv_hopper_fp8_fast"
    parts = [mx.dot(Elements("e4m3", a.codes[:, k]), Elements("e4m3", b.codes[:, k]), fast) for k in cut]
    got = mx.dot(a, b, "nv_hopper_fp8_slow128")
    np.testing.assert_array_equal(got, (parts[0] + parts[1]) + parts[2])


def test_an_exact_sum_is_free_of_order_also_over_many_blocks():
    rng = np.random.default_rng(20260722)
    for fmt, scales in (("mxfp8_e5m2", (0, 255)), ("mxfp8_e4m3", (100, 150)), ("mxfp4_e2m1", (120, 124))):
        element = mx.get_format(fmt).element
        codes = rng.integers(0, element.max_code, (2, 3, 9000, 32))
        exponents = rng.integers(*scales, (2, 3, 9000))
        order = rng.permutation(9000)
        forward, shuffled = (
            mx.dot(*(mx.Blocks(fmt, codes[i][:, k], exponents[i][:, k]) for i in (0, 1)), "exact_fp32")
            for k in (slice(None), order)
        )
        np.testing.assert_array_equal(forward, shuffled)


def test_every_rule_belongs_to_one_family_of_the_document():
    for name in list_rules():
        assert sum(family.holds(get_rule(name)) for family in FAMILIES) == 1, name


def test_the_documents_are_those_of_the_presets():
    docs = Path(__file__).parents[1] / "docs"
    texts = documents()
    for name, text in texts.items():
        assert (docs / name).read_text(encoding="utf-8") == text, f"{name}: run python tests/rule_document.py"
    assert {f"rules/{path.name}" for path in (docs / "rules").iterdir()} == set(texts) - {"rules.md"}


PICTURES = [
    (rule_pictures.aligned, "nv_hopper_fp8_fast"), (rule_pictures.aligned, "nv_mxf8f6f4"),
    (rule_pictures.late, "gaudi2_fp8"), (rule_pictures.late, "rvbna16"), (rule_pictures.twice, "amd_cdna3_fp16"),
    (rule_pictures.exact, "exact_fp32"), (rule_pictures.chain, "seq_fma_fp32"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "name"), PICTURES, ids=lambda x: x if isinstance(x, str) else "")
def test_a_picture_adds_up_to_what_the_model_gives(make, name):
    pictured, given = rule_pictures.check(make(name))
    assert pictured == given
