"""The short way of narrow elements (`refmodel.summation.narrow`) against the general one, and when it is taken."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

import refmodel as mx
from refmodel.accumulate import get_rule
from refmodel.operands import OPERAND_FORMATS, Elements
from refmodel.summation import chain, narrow

PLAIN = ("nv_ada_fp8", "nv_hopper_fp8_fast", "nv_hopper_fp8_slow128", "nv_blackwell_f8f6f4", "gaudi3_fp8")
ELEMENTS = ("e5m2", "e4m3", "e3m2", "e2m3", "e2m1")


def operand(name: str, rows: int, length: int, scaled: bool, rng: np.random.Generator) -> mx.Blocks | Elements:
    """Return finite codes, zeros and the extremes more often than chance has it, scales within 60 exponents."""
    element = OPERAND_FORMATS[name]
    magnitudes = rng.integers(0, element.max_code + 1, (rows, length))
    magnitudes[rng.random(magnitudes.shape) < 0.2] = 0
    magnitudes[rng.random(magnitudes.shape) < 0.05] = element.max_code
    small = rng.random(rows) < 0.3  # rows of subnormals and of zeros only, for running values that drop out
    magnitudes[small] &= 3
    magnitudes[rng.random(rows) < 0.1] = 0
    codes = (magnitudes | rng.integers(0, 2, magnitudes.shape) << (element.bits - 1)).astype(np.uint8)
    if not scaled:
        return Elements(name, codes)
    scales = rng.integers(97, 157, (rows, length // 32))
    scales[rng.random(scales.shape) < 0.1] = 127
    return mx.Blocks(f"mx{'fp8' if element.bits == 8 else 'fp6' if element.bits == 6 else 'fp4'}_{name}",
                     codes.reshape(rows, -1, 32), scales.astype(np.uint8))  # fmt: skip


def both_ways(monkeypatch: pytest.MonkeyPatch, function, a, b, rule, c):
    """Return the bits of the general way, of the short one, and how often the latter was open."""
    taken = []
    evaluate = narrow.Plan.evaluate

    def seen(self, *arguments):
        found = evaluate(self, *arguments)
        taken.append(found is not None)
        return found

    monkeypatch.setattr(narrow.Plan, "evaluate", seen)
    short = function(a, b, rule, c).view(np.uint32)
    monkeypatch.setattr(chain, "narrow_plan", lambda *_: None)
    general = function(a, b, rule, c).view(np.uint32)
    monkeypatch.undo()
    return general, short, taken


def initial(rng: np.random.Generator, shape: tuple[int, ...], rule: mx.AccumulationRule) -> np.ndarray:
    """Return initial values that leave the short way open: zeros, and numbers about as large as sums are."""
    c = rng.standard_normal(shape) * 2.0 ** rng.integers(-30, 30, shape)
    c[rng.random(shape) < 0.3] = 0.0
    c[rng.random(shape) < 0.1] = -0.0
    return c.astype(np.float32)


@pytest.mark.parametrize("name", [*PLAIN, "nv_mxf8f6f4"])
@pytest.mark.parametrize("function", [mx.dot, mx.matmul], ids=lambda f: f.__name__)
def test_the_short_way_gives_the_bits_of_the_general_one(name, function, monkeypatch):
    rng = np.random.default_rng(5)
    rule, scaled = get_rule(name), name == "nv_mxf8f6f4"
    taken = 0
    for x, y in itertools.product(rule.elements, repeat=2):
        for changed in (
            rule,
            replace(rule, align_bits=int(rng.integers(1, 29))),
            replace(rule, acc_format="e8m13" if rule.acc_format == "fp32" else "fp32"),
            replace(rule, group_size=int(rng.choice([4, 8, 16, 32])), exp_floor=None),
            replace(rule, group_size=int(rng.choice([1, 2, 16, 32] if scaled else [1, 3, 7, 24, 64])), exp_floor=None),
        ):
            length = int(rng.choice([32, 96] if scaled else [1, 5, 31, 100]))
            a, b = (operand(each, 60, length, scaled, rng) for each in (x, y))
            c = initial(rng, (60,) if function is mx.dot else (60, 60), changed)
            general, short, ways = both_ways(monkeypatch, function, a, b, changed, c)
            assert np.array_equal(general, short), changed
            taken += any(ways)
    assert taken > len(rule.elements) ** 2  # of five each


def test_the_short_way_is_closed_where_it_could_go_wrong(monkeypatch):
    rng = np.random.default_rng(6)
    rule = get_rule("nv_mxf8f6f4")
    good = operand("e4m3", 40, 64, True, rng)
    copies = (mx.Blocks(good.format, good.codes.copy(), good.scales.copy()) for _ in range(4))
    nan_element, nan_scale, far, near = copies
    nan_element.codes[3, 1, 5] = 0x7F
    nan_scale.scales[4, 1] = 0xFF
    far.scales[5, 1] = 0xFE
    near.scales[6, 0] = 0
    c = initial(rng, (40,), rule)
    for bad in (nan_element, nan_scale, far, near):
        general, short, ways = both_ways(monkeypatch, mx.dot, bad, good, rule, c)
        assert ways == [False]
        assert np.array_equal(general, short)
    for value in (np.inf, np.nan, 1e-40, 2.0**-120, 1e38):
        start = c.copy()
        start[7] = value
        general, short, ways = both_ways(monkeypatch, mx.dot, good, good, rule, start)
        assert ways == [False]
        assert np.array_equal(general, short)
    assert both_ways(monkeypatch, mx.dot, good, good, rule, c)[2] == [True]


def test_scales_that_are_all_nan_and_zeros_that_are_all_negative(monkeypatch):
    rule = get_rule("nv_mxf8f6f4")
    one, minus_zero = np.full((1, 1, 32), 0x38, np.uint8), np.full((1, 1, 32), 0x80, np.uint8)
    nan, low, unit = (np.full((1, 1), code, np.uint8) for code in (0xFF, 127 - 100, 127))
    c = np.full(1, -0.0, np.float32)
    for codes, scales, expected in ((one, (nan, low), 0x7FFFFFFF), (minus_zero, (unit, unit), 0)):
        a, b = mx.Blocks("mxfp8_e4m3", codes, scales[0]), mx.Blocks("mxfp8_e4m3", one, scales[1])
        for function in (mx.dot, mx.matmul):
            general, short, _ = both_ways(monkeypatch, function, a, b, rule, c)
            assert general.item() == short.item() == expected


def test_a_floor_above_some_products_closes_the_short_way(monkeypatch):
    rng = np.random.default_rng(7)
    rule = get_rule("nv_blackwell_f8f6f4")
    a, b = (operand("e5m2", 200, 64, False, rng) for _ in "ab")
    for floor, open_way in ((-133, True), (-20, False), (0, False)):
        changed = replace(rule, exp_floor=floor)
        general, short, ways = both_ways(monkeypatch, mx.dot, a, b, changed, np.zeros(200, np.float32))
        assert all(ways) == open_way
        assert np.array_equal(general, short)


@pytest.mark.parametrize(
    "change",
    [
        {"align_round": "RD"}, {"acc_round": "RNE"}, {"acc_format": "fp16", "nan_pattern": 0x7FFF}, {"ftz": True},
        {"daz": True}, {"zero_sign": "ieee"}, {"overflow": "saturate"}, {"term_exponent": "normalised_product"},
        {"input_emin": -3}, {"group_size": 128}, {"input_drop_bits": 1},
    ],
)  # fmt: skip
def test_other_rules_have_no_short_way(change):
    rule = get_rule("nv_hopper_fp8_fast")
    a = Elements("e4m3", np.zeros((1, 128), np.uint8))
    assert narrow.narrow_plan(rule, a, a) is not None
    assert narrow.narrow_plan(replace(rule, **change), a, a) is None
