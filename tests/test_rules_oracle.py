"""The model against the oracle under accumulation rules: presets, rules drawn at random, directed inputs.

The oracle judges twice: `refmodel.oracle.rules` follows the fields of a rule, `refmodel.oracle.machines` the
source of a machine, with its numbers typed again, so that a preset with a wrong field is found, too. With
MXREF_FULL=1 in the environment, many more dot products.
"""

from __future__ import annotations

import itertools
import os
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import test_rules
from numpy.typing import NDArray
from rule_inputs import random_rule

import refmodel as mx
from refmodel.accumulate import AccumulationRule, SecondAlignment, get_rule, list_rules
from refmodel.accumulate.presets.riscv import riscv_ime
from refmodel.blocks import Blocks
from refmodel.errors import CodeRangeError, DefinitionError, ShapeError
from refmodel.formats import E2M1, E4M3, E5M2, E8M0, FLOAT16, FloatFormat, IntegerFormat
from refmodel.operands import OPERAND_FORMATS, Elements, Operand
from refmodel.oracle import machines, rules
from refmodel.oracle.codes import encode
from refmodel.oracle.fixed import FP16, FP32, UNIT, Value, decoded, round_to, round_to_grid
from refmodel.oracle.rules import Vector
from silicon.against_oracle import compare, describe, model_bits, oracle_bits
from silicon.cases import Cases, draw, formats_of

FULL = os.environ.get("MXREF_FULL") == "1"
PRESETS = [get_rule(name) for name in list_rules()]


@pytest.mark.parametrize("name", list_rules())
def test_model_and_both_oracles_agree_on_every_preset(name):
    found = compare(get_rule(name), 20_000 if FULL else 40)
    assert not found.mismatches, found.first
    assert not found.oracles_differ


def test_the_oracle_knows_every_preset_as_a_machine():
    assert set(machines.MACHINES) == set(list_rules())


@pytest.mark.parametrize("seed", range(2000 if FULL else 50))
def test_model_and_oracle_agree_on_rules_drawn_at_random(seed):
    """Where the model refuses a rule or operands, another rule is drawn."""
    for attempt in range(20):
        rule = random_rule(random.Random(1000 * seed + attempt))
        rng = np.random.default_rng([seed, attempt])
        formats = formats_of(rule)
        a, b = formats[rng.integers(len(formats))]
        block = 1 if rule.scale_apply == "epilogue_tensor" else rule.block or 32
        k = int(rng.choice([1, 7, 32, 64, 96, 160])) // block * block
        cases = draw(rng, rule, 20, k, a, b)
        try:
            got = model_bits(rule, cases)
        except DefinitionError:
            continue
        expected = oracle_bits(cases, lambda x, y, c, rule=rule: rules.dot(rule, x, y, c))
        wrong = np.flatnonzero(got != expected)
        assert not len(wrong), f"{rule}\n" + describe(
            rule, cases, int(wrong[0]), int(expected[wrong[0]]), int(got[wrong[0]])
        )
        return
    pytest.fail("every rule drawn was refused")


# --------------------------------------------------------------------------------------------------
# The discriminating inputs of test_rules, judged by the oracle in the model's place
# --------------------------------------------------------------------------------------------------


def oracle_dot(a: Operand, b: Operand, rule: str | AccumulationRule, c: Any = None) -> NDArray[np.float32]:
    """Return what `refmodel.dot` should for one pair of rows; both oracles must give it."""
    rule = get_rule(rule)
    start = np.zeros(1, np.float32) if c is None else np.asarray(c)
    x, y = (
        Vector(v.format.element, v.codes.reshape(-1).tolist(), v.format.scale, v.scales.reshape(-1).tolist(),
               v.format.block_size)
        if isinstance(v, Blocks)
        else Vector(v.format, v.codes.reshape(-1).tolist())
        for v in (a, b)
    )  # fmt: skip
    initial = int(start.view(np.uint32)[0])
    expected = rules.dot(rule, x, y, initial)
    if rule in PRESETS and (x.block or rule.scale_apply == "epilogue_tensor"):
        assert machines.dot(rule.name, x, y, initial) == expected
    return np.array([expected], np.uint32).view(np.float32)


LONG = ("test_m15", *(() if FULL else ("test_d8",)))
"""Inputs too long for the oracle: thousands of rows, and 32768 elements."""


def discriminators() -> Iterator[Any]:
    """Yield every test of test_rules named for a discriminating input, with each of its parameter sets."""
    for name, function in vars(test_rules).items():
        if re.match("test_[dm][0-9]", name) is None or name.startswith(LONG):
            continue
        mark = next((m for m in getattr(function, "pytestmark", ()) if m.name == "parametrize"), None)
        if mark is None:
            yield pytest.param(function, {}, id=name)
            continue
        names = [mark.args[0]] if isinstance(mark.args[0], str) else mark.args[0]
        for i, row in enumerate(mark.args[1]):
            values = (row,) if len(names) == 1 else row
            yield pytest.param(function, dict(zip(names, values, strict=True)), id=f"{name}-{i}")


@pytest.mark.parametrize(("function", "arguments"), list(discriminators()))
def test_the_oracle_tells_rules_apart_as_the_reference_does(
    function: Callable[..., None], arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mx, "dot", oracle_dot)
    function(**arguments)


# --------------------------------------------------------------------------------------------------
# The comparison can fail
# --------------------------------------------------------------------------------------------------

CHANGES = [
    ("nv_hopper_fp8_fast", {"align_bits": 12}),
    ("nv_hopper_fp8_fast", {"align_round": "RD"}),
    ("nv_hopper_fp8_fast", {"acc_round": "RNE"}),
    ("nv_hopper_fp8_fast", {"group_size": 16}),
    ("nv_hopper_fp8_fast", {"acc_format": "fp32"}),
    ("nv_hopper_fp8_fast", {"nan_pattern": 0x7FC00000}),
    ("nv_mxf8f6f4", {"term_exponent": "normalised_inputs"}),
    ("nv_mxf4", {"align_bits": 34}),
    ("gaudi3_fp8", {"term_exponent": "clamped_sum"}),
    ("gaudi2_fp8", {"zero_sign": "always_plus"}),
    ("gaudi2_bf16", {"daz_c": False}),
    ("amd_cdna3_fp8", {"layout": "contiguous"}),
    ("amd_cdna2_bf16", {"ftz": False}),
    ("riscv_ime32_exact_frm", {"scale_apply": "ldexp_then_add"}),
    ("riscv_ime32_exact_xct", {"group_round": "RNE"}),
    ("arm_fp8_dot4_fp16", {"overflow": "saturate"}),
    ("pairwise_fp32", {"order": "tree_halves"}),
]


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=lambda x: str(x))
def test_a_rule_with_one_field_changed_is_noticed(name, change):
    """The model under a changed preset differs from what the source of the preset gives."""
    rule, rng = get_rule(name), np.random.default_rng(3)
    changed = replace(rule, **change)
    for _ in range(60):
        formats = formats_of(rule)
        a, b = formats[rng.integers(len(formats))]
        cases = draw(rng, rule, 50, 64, a, b)
        expected = oracle_bits(cases, lambda x, y, c: machines.dot(name, x, y, c))
        if not np.array_equal(model_bits(changed, cases), expected):
            return
    pytest.fail("no difference")


# --------------------------------------------------------------------------------------------------
# Directed
# --------------------------------------------------------------------------------------------------

SPECIAL_INITIALS = [0x00000000, 0x80000000, 1, 0x80000001, 0x7F800000, 0xFF800000, 0x7F800001, 0xFFFFFFFF]


@pytest.mark.parametrize("name", list_rules())
def test_no_elements_and_special_initial_values(name):
    """K = 0, and one block or 64 elements that are all +0 or all -0."""
    rule = get_rule(name)
    scaled = rule.scale_apply != "epilogue_tensor"
    block = rule.block or 32
    n = len(SPECIAL_INITIALS)
    for element, _ in formats_of(rule):
        minus = 0 if isinstance(element, IntegerFormat) or element.specials == "fnuz" else element.sign_mask
        for k, code in ((0, 0), (64, 0), (64, minus)):
            dtype = np.uint8 if element.bits <= 8 else np.uint16 if element.bits <= 16 else np.uint32
            a, b = np.full((n, k), code, dtype), np.zeros((n, k), dtype)
            c = np.array(SPECIAL_INITIALS, np.uint32)
            if scaled:
                scale = mx.get_scale(rule.scale_format or "e8m0")
                s = np.full((n, k // block), scale.bias << scale.mantissa_bits, np.uint8)
                cases = Cases(element, element, a, b, c, scale, block, s, s)
            else:
                cases = Cases(element, element, a, b, c)
            expected = oracle_bits(cases, lambda x, y, start: rules.dot(rule, x, y, start))
            got = model_bits(rule, cases)
            assert [hex(v) for v in got] == [hex(v) for v in expected], (element.name, k, code)


def test_zero_and_dropped_running_value_in_the_second_alignment_of_cdna3():
    """Products that cancel leave +0, a running value dropped beside them -0; their sum is +0."""
    rule = get_rule("amd_cdna3_fp8")
    element = formats_of(rule)[1][0]
    a = np.zeros((1, 16), np.uint8)
    b = np.zeros((1, 16), np.uint8)
    a[0, 0], a[0, 2], b[0, 0], b[0, 2] = 0x78, 0xF8, 0x78, 0x78
    for c in (0x80000000, 0x80000001, 0xB0000000, 0xB8800000):
        cases = Cases(element, element, a, b, np.array([c], np.uint32))
        expected = oracle_bits(cases, lambda x, y, start: machines.dot(rule.name, x, y, start))
        assert model_bits(rule, cases).tolist() == expected.tolist() == [0]


# --------------------------------------------------------------------------------------------------
# Found by rules drawn at random
# --------------------------------------------------------------------------------------------------


def judged(
    rule: AccumulationRule,
    element: str,
    codes: list[tuple[int, int]],
    c: int = 0,
    scales: tuple[list[int], list[int]] | None = None,
) -> int:
    """Return the bits of the model's dot product of element codes, with E8M0 scales or none; judged, too."""
    fmt = OPERAND_FORMATS[element]
    kind = np.uint8 if fmt.bits <= 8 else np.uint16
    a, b = (np.array([[pair[i] for pair in codes]], kind).reshape(1, len(codes)) for i in range(2))
    cases = Cases(fmt, fmt, a, b, np.array([c], np.uint32))
    if scales is not None:
        of_a, of_b = (np.array([s], np.uint8) for s in scales)
        block = len(codes) // len(scales[0])
        cases = replace(cases, scale=E8M0, block=block, scales_a=of_a, scales_b=of_b)
    got = model_bits(rule, cases)
    assert got.tolist() == oracle_bits(cases, lambda x, y, start: rules.dot(rule, x, y, start)).tolist()
    return int(got[0])


ONE, MINUS_ONE, MINUS_ZERO = 0x38, 0xB8, 0x80  # E4M3
T_FDPA = get_rule("nv_hopper_fp8_fast")


def test_an_empty_group_aligns_the_running_value_alone():
    """K = 0: one empty group under group_size "all", no group under another."""
    whole = replace(T_FDPA, group_size="all", align_bits=7, acc_format="fp32", zero_sign="ieee")
    assert judged(whole, "e4m3", [], 0x00B87E8C) == 0x00B80000
    assert judged(replace(whole, exp_floor=-119), "e4m3", [], 0x00B87E8C) == 0x00B80000  # no term is zero
    assert judged(replace(whole, exp_floor=-119, floor_when="always"), "e4m3", [], 0x00B87E8C) == 0x00800000
    assert judged(replace(whole, group_size=32), "e4m3", [], 0x00B87E8C) == 0x00B87E8C
    assert judged(whole, "e4m3", [], 0x80000000) == 0x80000000
    assert judged(replace(whole, acc_in_align=False), "e4m3", [], 0x80000000) == 0  # c + (+0)
    cdna3 = replace(get_rule("amd_cdna3_fp16"), group_size="all")
    assert judged(cdna3, "float16", [], 0x3F800001) == 0x3F800001
    narrow = replace(get_rule("gaudi1_bf16"), acc_format="bf16", layout="contiguous", nan_pattern=0x7FC0)
    assert judged(replace(narrow, acc_in_align=True), "bfloat16", [], 0x3F810001) == 0x3F810000


def test_only_the_initial_value_is_flushed_to_plus_zero():
    """CDNA2: c = -0 becomes +0, a running value that a group leaves as -0 stays."""
    rule = get_rule("amd_cdna2_bf16")
    tiny = [(0x8001, 0x3F80), (0x8001, 0x3F80)]  # elements that are flushed to +0
    small = [(0x8080, 0x3F00), (0x8080, 0x3F00)]  # products that are flushed to -0
    assert judged(rule, "bfloat16", tiny, 0x80000000) == 0
    assert judged(rule, "bfloat16", small, 0x80000000) == 0
    # -1.5 * 2**-126 + 2**-126 is flushed to -0 by the first group, and the second adds -0
    assert judged(rule, "bfloat16", [(0x0080, 0x3F80), (0, 0), *small], 0x80C00000) == 0x80000000


def test_bulk_normalisation_makes_plus_zero_of_products_that_are_minus_zero():
    """2.6 of the rule's source: zero is +0; so is -0 + (+0)."""
    minus = [(MINUS_ZERO, ONE)] * 32
    scales = ([127], [127])
    assert judged(get_rule("riscv_ime32_rvbna_frm"), "e4m3", minus, 0x80000000, scales) == 0
    assert judged(get_rule("riscv_ime16_rvbna_xct"), "e4m3", minus, 0x80000000, scales) == 0
    assert judged(get_rule("riscv_ime32_exact_frm"), "e4m3", minus, 0x80000000, scales) == 0x80000000
    with pytest.raises(DefinitionError, match="psm=1 with frm='RD'"):
        riscv_ime(32, 1, frm="RD")


def test_a_zero_of_an_exact_sum_under_rounding_down():
    rule = replace(get_rule("exact_fp32"), acc_round="RD")
    scales = ([127], [127])
    assert judged(rule, "e4m3", [(0, 0)] * 32, 0, scales) == 0
    assert judged(rule, "e4m3", [(0, 0)] * 31 + [(MINUS_ZERO, 0)], 0, scales) == 0x80000000
    assert judged(rule, "e4m3", [(ONE, ONE)] * 16 + [(ONE, MINUS_ONE)] * 16, 0, scales) == 0x80000000
    halves = [(ONE, ONE)] * 16 + [(ONE, MINUS_ONE)] * 16
    assert judged(rule, "e4m3", halves, 0, ([127, 127], [127, 127])) == 0x80000000


def test_a_minus_zero_beside_a_row_whose_sum_needs_more_terms():
    rule = replace(get_rule("exact_fp32"), zero_sign="ieee")
    a, b = np.zeros((2, 64), np.uint8), np.full((2, 64), 0x7E, np.uint8)
    a[0], a[1] = MINUS_ZERO, np.arange(64)
    scales = np.array([[127, 127], [200, 30]], np.uint8)
    cases = Cases(E4M3, E4M3, a, b, np.array([0x80000000, 1], np.uint32), E8M0, 32, scales, scales)
    got = model_bits(rule, cases)
    assert got.tolist() == oracle_bits(cases, lambda x, y, start: rules.dot(rule, x, y, start)).tolist()
    assert got[0] == 0x80000000


@pytest.mark.parametrize("k", [1, 31, 33, 65])
def test_filling_of_the_evaluation_has_no_say_in_the_sign_of_zero(k):
    exact = replace(get_rule("exact_fp32"), zero_sign="ieee", scale_apply="epilogue_tensor")
    tree = replace(get_rule("pairwise_fp32"), scale_apply="epilogue_tensor", inner_group=2, group_size="all")
    minus = [(0x8000, 0x3C00)] * k
    for rule in (exact, tree):
        assert judged(rule, "float16", minus, 0x80000000) == 0x80000000
        assert judged(replace(rule, acc_round="RD"), "float16", [(0, 0x3C00)] * k) == 0


def test_a_zero_block_times_a_factor_under_rounding_down():
    rule = replace(get_rule("riscv_ime16_exact_frm"), group_round=None, acc_round="RD")
    assert judged(rule, "e4m3", [(0, 0)] * 32, 0, ([5], [37])) == 0
    assert judged(rule, "e4m3", [(MINUS_ZERO, 0)] * 32, 0, ([5], [37])) == 0x80000000


def test_partial_sums_without_elements_have_no_zero():
    stage = SecondAlignment(reference="grid", dot_bits=24, c_bits=26)
    rule = replace(get_rule("amd_cdna3_fp16"), layout="round_robin_4", group_size=2, stage2=stage)
    assert judged(rule, "float16", [(0x8000, 0x3C00)] * 2, 0x80000000) == 0x80000000
    assert judged(rule, "float16", [(0x8000, 0x3C00)] * 2, 0) == 0


def test_dequantised_elements_far_apart_are_added_exactly():
    """2**100 + 2**-100, to odd: the small one sets the last bit."""
    rule = replace(
        get_rule("exact_fp32"), scale_apply="dequant_inputs", dequant_format="fp32", acc_round="RTO"
    )
    for size in ("all", 32):
        far = judged(
            replace(rule, group_size=size), "e4m3", [(ONE, ONE)] * 32, 0, ([177, 77], [177, 77])
        )
        assert far == 0x73800001


def test_groups_of_dequantised_elements_may_cross_blocks():
    rule = replace(get_rule("exact_fp32"), scale_apply="dequant_inputs", dequant_format="fp32")
    late = replace(rule, group_size=32, acc_in_align=False, group_round="RNE")
    assert judged(late, "e4m3", [(ONE, ONE)] * 32, 0, ([127, 128], [127, 127])) == 0x42400000  # 48


def test_partial_sums_far_apart_keep_what_is_between_them():
    """Even elements sum to -2**60, odd ones to 2**-40: rounded up at 10 bits, that is -2**60 + 2**50."""
    rule = replace(
        get_rule("amd_cdna3_fp8"),
        elements=("bfloat16",),
        stage2=SecondAlignment(dot_bits=10, dot_round="RU", c_bits=24),
    )
    codes = [(0xDD80, 0x3F80), (0x2B80, 0x3F80), *[(0, 0)] * 14]
    assert judged(rule, "bfloat16", codes) == 0xDD7FC000
    with pytest.raises(DefinitionError, match="the bits of stage2"):
        judged(replace(rule, stage2=SecondAlignment(dot_bits=46, c_bits=24)), "bfloat16", codes)


TENSOR_SCALES = [1.0, 0.0078125, 448 / 6, 1e-30, 3e38, 1e-45]


@pytest.mark.parametrize("name", ["nv_hopper_fp8_fast", "nv_ada_fp8_acc16", "gaudi2_fp8", "nv_nvf4"])
def test_tensor_scales_multiply_the_result(name):
    """Step 7: alpha rounded, the product rounded, + (+0), then the result format."""
    rule, rng = get_rule(name), np.random.default_rng(7)
    variants = [rule]
    if rule.acc_format != "fp16":
        variants.append(replace(rule, out_format="bf16", nan_pattern=0x7FFF))
    for each, scale_a, scale_b in itertools.product(variants, TENSOR_SCALES, TENSOR_SCALES):
        cases = draw(rng, rule, 4, 64, *formats_of(rule)[0])
        bits = [int(np.float32(scale).view(np.uint32)) for scale in (scale_a, scale_b)]
        a, b = (
            Blocks("nvfp4", v.codes, v.scales, tensor_scale=np.float32(scale))
            if isinstance(v, Blocks)
            else Elements(v.format, v.codes, np.float32(scale))
            for v, scale in zip(cases.operands(), (scale_a, scale_b), strict=True)
        )

        def judge(x: Vector, y: Vector, c: int, rule: AccumulationRule = each, t: list[int] = bits) -> int:
            return rules.dot(rule, x._replace(tensor_scale=t[0]), y._replace(tensor_scale=t[1]), c)

        got = mx.dot(a, b, each, cases.c.view(np.float32)).view(np.uint32)
        assert got.tolist() == oracle_bits(cases, judge).tolist()


Pairs = list[tuple[float, float]]


def scaled_dot(name: str, element: FloatFormat, block: int, blocks: list[tuple[int, Pairs]]) -> int:
    """Return the bits of a dot of blocks (exponent of the scales, products), from +0; judged, too."""
    a, b = np.zeros((2, 1, len(blocks) * block), np.uint8)
    for i, (_, pairs) in enumerate(blocks):
        for j, (x, y) in enumerate(pairs):
            a[0, i * block + j], b[0, i * block + j] = encode(element, x), encode(element, y)
    scales_a = np.array([[127 + x // 2 for x, _ in blocks]], np.uint8)
    scales_b = np.array([[127 + x - x // 2 for x, _ in blocks]], np.uint8)
    cases = Cases(element, element, a, b, np.zeros(1, np.uint32), E8M0, block, scales_a, scales_b)
    expected = oracle_bits(cases, lambda x, y, c: machines.dot(name, x, y, c))
    got = model_bits(get_rule(name), cases)
    assert got.tolist() == expected.tolist()
    return int(got[0])


def test_the_bound_on_the_exponent_of_scaled_products():
    """D13 with scales: sums that reach 2**-149 only if the lowest bit above the bounded grid is kept.

    ST-FDPA: E is at least -133, the grid 2**-158. GST-FDPA: at least -139, the grid 2**-174.
    """
    falling = [(2.0**-i, 1.0) for i in range(8)]  # 2 - 2**-7
    kept, lost = [(2.0**-8, 1.0)] * 2, [(2.0**-8, 1.0), *[(2.0**-9, 1.0)] * 2]
    assert scaled_dot("nv_mxf8f6f4", E4M3, 32, [(-150, falling + kept)]) == 1
    assert scaled_dot("nv_mxf8f6f4", E4M3, 32, [(-150, falling + lost)]) == 0
    nine_ones = [*[(6.0, 6.0)] * 3, (6.0, 3.0), (1.5, 1.0), (0.5, 0.5)]  # (2**9 - 1) / 4
    eight_ones = [(6.0, 6.0), (6.0, 4.0), (3.0, 1.0), (1.5, 0.5)]  # (2**8 - 1) / 4
    upper = [(-156, nine_ones), (-164, eight_ones)]  # 2**-149 - 2**-166
    kept_groups = [*upper, (-172, eight_ones), (-172, [(0.5, 0.5)])]
    lost_groups = [*upper, (-173, nine_ones), (-173, [(0.5, 0.5)])]
    assert scaled_dot("nv_mxf4nvf4_e8m0", E2M1, 16, kept_groups) == 1
    assert scaled_dot("nv_mxf4nvf4_e8m0", E2M1, 16, lost_groups) == 0


# --------------------------------------------------------------------------------------------------
# The oracle's own arithmetic
# --------------------------------------------------------------------------------------------------


def units(value: float) -> Value:
    numerator, denominator = value.as_integer_ratio()
    return Value("finite", value < 0, (abs(numerator) << -UNIT) // denominator)


@pytest.mark.parametrize(
    ("value", "expected"),
    [  # RNE, RNA, RZ, RD, RU, RTO to integers
        (2.5, (2, 3, 2, 2, 3, 3)),
        (3.5, (4, 4, 3, 3, 4, 3)),
        (-2.5, (-2, -3, -2, -3, -2, -3)),
        (-3.25, (-3, -3, -3, -4, -3, -3)),
        (2.75, (3, 3, 2, 2, 3, 3)),
        (0.25, (0, 0, 0, 0, 1, 1)),
        (-0.25, (0, 0, 0, -1, 0, -1)),
        (4.0, (4, 4, 4, 4, 4, 4)),
    ],
)
def test_rounding_to_a_grid(value, expected):
    for mode, want in zip(("RNE", "RNA", "RZ", "RD", "RU", "RTO"), expected, strict=True):
        got = round_to_grid(units(value), 0, mode)
        assert got.signed == want << -UNIT
        assert got.negative == (value < 0)


def test_rounding_to_a_format():
    assert round_to(FP16, units(65519.0), "RNE") == units(65504.0)
    assert round_to(FP16, units(65520.0), "RNE").kind == "infinite"
    assert round_to(FP16, units(65535.0), "RZ") == units(65504.0)
    assert round_to(FP16, units(65536.0), "RZ").kind == "infinite"
    assert round_to(FP16, units(1e6), "RNE", "saturate") == units(65504.0)
    assert round_to(FP16, units(-1e6), "RU", "ieee") == units(-65504.0)
    assert round_to(FP16, units(1e6), "RU", "ieee").kind == "infinite"
    assert round_to(FP16, units(2.0**-25), "RNE") == units(0.0)
    assert round_to(FP16, units(1.5 * 2.0**-25), "RNE") == units(2.0**-24)
    assert round_to(FP32, units(-(2.0**-200)), "RNE") == Value("finite", True, 0)
    assert round_to(FP32, units(2.0**-200), "RTO") == units(2.0**-149)


def test_results_against_numpy_where_it_has_the_operation():
    """Float16 products and chains of Float32 additions are numpy's, under `seq_fma_fp32`."""
    rng = np.random.default_rng(8)
    a, b = rng.integers(0, 1 << 16, (2, 200, 5)).astype(np.uint16)
    c = rng.integers(0, 1 << 32, 200, dtype=np.uint32)
    for i in range(200):
        with np.errstate(all="ignore"):
            total = c[i : i + 1].view(np.float32)[0]
            for x, y in zip(a[i].view(np.float16), b[i].view(np.float16), strict=True):
                # a product of two Float16 is exact in float64; so is its sum with a Float32, or rounded once
                # more than 29 bits below the result, where only a tie could notice: those are left out
                exact = float(x) * float(y)
                wide = exact + float(total)
                if exact + float(total) - exact != float(total) and np.isfinite(wide):
                    break
                total = np.float32(wide)
            else:
                vectors = Vector(FLOAT16, a[i].tolist()), Vector(FLOAT16, b[i].tolist())
                got = rules.dot(get_rule("seq_fma_fp32"), *vectors, int(c[i]))
                want = int(total.view(np.uint32))
                assert got == want or (np.isnan(total) and got == 0x7FC00000)


def test_what_cannot_be_is_refused():
    one = Vector(E4M3, [0x38])
    rule = get_rule("nv_hopper_fp8_fast")
    with pytest.raises(ShapeError):
        rules.dot(rule, one, Vector(E4M3, [0, 0]))
    with pytest.raises(CodeRangeError):
        rules.dot(rule, one, Vector(E4M3, [256]))
    with pytest.raises(CodeRangeError):
        rules.dot(rule, one, one, 1 << 32)
    with pytest.raises(DefinitionError, match="without block scales"):
        rules.dot(rule, *[Vector(E5M2, [0] * 32, E8M0, [127], 32)] * 2)
    with pytest.raises(DefinitionError, match="with block scales"):
        rules.dot(get_rule("block32_fp32_add"), one, one)
    assert decoded(E5M2, 0x7C).kind == "infinite"


@pytest.mark.parametrize("in_align", [True, False])
def test_a_group_cut_to_zero_has_the_sign_of_its_sum_not_those_of_its_products(in_align):
    """One product is negative, the others +0: the group is a negative term, and -0 once it is cut off."""
    rule = replace(
        get_rule("nv_mxf4"), group_size=16, acc_in_align=in_align, zero_sign="ieee", acc_round="RNE", exp_floor=0,
        floor_when="always", block=16, align_bits=20,
    )  # fmt: skip
    a, b = np.zeros((2, 16), np.uint8), np.zeros((2, 16), np.uint8)
    a[:, 3], b[:, 3] = 0x9, (0x1, 0x9)
    scales = np.full((2, 1), 127 - 30, np.uint8)
    cases = Cases(E2M1, E2M1, a, b, np.array([0x80000000, 0x80000000], np.uint32), E8M0, 16, scales, scales)
    expected = oracle_bits(cases, lambda x, y, c: rules.dot(rule, x, y, c))
    assert expected.tolist() == model_bits(rule, cases).tolist() == [0x80000000, 0]


def test_a_factor_of_zero_leaves_the_sign_of_the_whole_sum():
    """The exact sum of wide products is several terms of either sign; times 0 it is a zero of its own sign."""
    rule = get_rule("riscv_ime32_exact_xct")
    rng = np.random.default_rng(4)
    a, b = (rng.integers(0, 0x7C, (60, 32)) | rng.integers(0, 2, (60, 32)) << 7 for _ in "ab")
    scales = np.full((60, 1), 127 - 84, np.uint8)
    c = np.full(60, 0x80000000, np.uint32)
    cases = Cases(E5M2, E5M2, a.astype(np.uint8), b.astype(np.uint8), c, E8M0, 32, scales, scales)
    expected = oracle_bits(cases, lambda x, y, start: rules.dot(rule, x, y, start))
    assert set(expected.tolist()) == {0, 0x80000000}
    assert np.array_equal(model_bits(rule, cases), expected)
