"""`refmodel.explain`: the right stages in the right words, and never other bits than the model's.

Expected values are the number tables, rounding boundaries and anchor vectors of the clause list, typed
here, or worked out by hand.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

import refmodel as mx
from refmodel import explain
from refmodel.explain import Explanation, FloatBits, explain_block, explain_dot, explain_element
from refmodel.explain.source import read_blocks, read_number
from refmodel.formats import BlockFormat, FloatFormat, IntegerFormat, get_number_format
from refmodel.options import choices

E8M0 = mx.get_scale("e8m0")


def step(explanation: Explanation, name: str) -> explain.Step:
    """Return the only step of that name."""
    (found,) = [each for each in explanation.steps if each.name == name]
    return found


def names(explanation: Explanation) -> list[str]:
    return [each.name for each in explanation.steps]


def row(explanation: Explanation, i: int) -> dict[str, str]:
    table = step(explanation, "elements").table
    assert table is not None
    return dict(zip(table.columns, table.rows[i], strict=True))


# Anchor vectors (clause list, chapter 10)

INF, NAN = float("inf"), float("nan")
# input: codes in e4m3, e5m2, e3m2, e2m3, e2m1, e8m0, as ml_dtypes 0.6.0 gives them
SCALAR_ANCHORS = [
    (NAN, "7F 7E 20 20 8 FF"),
    (-NAN, "FF FE 00 00 0 FF"),
    (INF, "7F 7C 1F 1F 7 FF"),
    (-INF, "FF FC 3F 3F F FF"),
    (464.0, "7E 5F 1F 1F 7 88"),
    (465.0, "7F 5F 1F 1F 7 88"),
    (61439.0, "7F 7B 1F 1F 7 8F"),
    (61440.0, "7F 7C 1F 1F 7 8F"),
    (-0.0, "80 80 20 20 8 FF"),
    (0.0, "00 00 00 00 0 FF"),
    (-1.0, "B8 BC 2C 28 A FF"),
    (1.5, "3C 3E 0E 0C 3 80"),
    (3.0, "44 42 12 14 5 81"),
    (6.0, "4C 46 16 1C 7 82"),
    (2.5, "42 41 11 12 4 80"),
    (5.0, "4A 45 15 1A 6 81"),
    (0.25, "28 34 04 02 0 7D"),
    (0.75, "34 3A 0A 06 2 7F"),
    (2.0**-127, "00 00 00 00 0 00"),
]
ANCHOR_OPTIONS = {
    "e4m3": mx.EncodeOptions(overflow="overflow", nan_sign="keep"),
    "e5m2": mx.EncodeOptions(overflow="overflow", nan_sign="keep"),
    "e3m2": mx.EncodeOptions(nan_to_finite="inverted_zero"),
    "e2m3": mx.EncodeOptions(nan_to_finite="inverted_zero"),
    "e2m1": mx.EncodeOptions(nan_to_finite="inverted_zero"),
    "e8m0": mx.EncodeOptions(overflow="overflow", unsigned_zero="nan", unsigned_negative="nan"),
}


@pytest.mark.parametrize(("value", "codes"), SCALAR_ANCHORS, ids=[str(each[0]) for each in SCALAR_ANCHORS])
def test_scalar_anchors(value: float, codes: str) -> None:
    for fmt, code in zip(ANCHOR_OPTIONS, codes.split(), strict=True):
        explanation = explain_element(fmt, np.float64(value), ANCHOR_OPTIONS[fmt])
        assert int(explanation.result, 16) == int(code, 16), fmt
        assert int(step(explanation, "code").bits.replace(" ", ""), 2) == int(code, 16), fmt


SCALE_ANCHORS = """
e2m1 4     7F 4     7F 4     7F 4     7F 4     7F 4
e2m1 5     7F 4     80 4     7F 4     7F 4     7F 4
e2m1 6     7F 6     80 6     7F 6     7F 6     7F 6
e2m1 6.5   7F 6     80 6     80 6     7F 6     7F 6
e2m1 7     7F 6     80 8     80 8     80 8     7F 6
e2m1 7.5   7F 6     80 8     80 8     80 8     80 8
e4m3 448   7F 448   80 448   7F 448   7F 448   7F 448
e4m3 464   7F 448   80 448   80 448   7F 448   7F 448
e4m3 465   7F 448   80 480   80 480   7F 448   80 480
e4m3 496   7F 448   80 512   80 512   80 512   80 512
e2m3 7.6   7F 7.5   80 7.5   80 7.5   7F 7.5   7F 7.5
e2m3 7.75  7F 7.5   80 8     80 8     80 8     7F 7.5
e5m2 61440 7F 57344 80 65536 80 65536 80 65536 7F 57344
e5m2 62000 7F 57344 80 65536 80 65536 80 65536 80 65536
"""
RULES = ("floor", "ceil", "rceil", "even", "midmax")
BLOCKS = {mx.get_format(name).element.name: name for name in mx.OCP_FORMATS}


@pytest.mark.parametrize("anchor", SCALE_ANCHORS.strip().splitlines(), ids=lambda line: line[:10].strip())
def test_scale_rule_anchors(anchor: str) -> None:
    element, amax, *cells = anchor.split()
    for rule, scale, value in zip(RULES, cells[::2], cells[1::2], strict=True):
        options = mx.QuantizeOptions(scale_rule=rule)  # type: ignore[arg-type]
        explanation = explain_block(np.float32([0, -float(amax)]), BLOCKS[element], options)
        assert int(step(explanation, "scale").bits, 2) == int(scale, 16), rule
        assert row(explanation, 1)["value"] == f"-{value}", rule
        took_more = "one more" in step(explanation, "rule").text
        assert took_more is (scale == "80"), rule
        assert "element 1" in step(explanation, "amax").text


# Rounding boundaries (clause list, 3.2)


@pytest.mark.parametrize(
    ("fmt", "half", "bits"),
    [
        ("e5m2", 2.0**-17, "0.00|1|0|0"),
        ("e4m3", 2.0**-10, "0.000|1|0|0"),
        ("e3m2", 2.0**-5, "0.00|1|0|0"),
        ("e2m3", 2.0**-4, "0.000|1|0|0"),
        ("e2m1", 0.25, "0.0|1|0|0"),
        ("int8", 1 / 128, "0.000000|1|0|0"),
    ],
)
def test_half_of_the_smallest_magnitude_is_a_tie_that_goes_to_zero(fmt: str, half: float, bits: str) -> None:
    for sign in (1, -1):
        tie = explain_element(fmt, sign * half)
        rounding = step(tie, "rounding")
        assert rounding.bits == bits
        assert "tie to even down" in rounding.text
        assert step(tie, "range").text.startswith("rounds to zero")
        above = explain_element(fmt, sign * np.nextafter(half, 1))
        assert "above tie" in step(above, "rounding").text
        assert step(above, "rounding").bits == bits[:-1] + "1"
        assert int(above.result, 16) == (1 if sign > 0 else {"int8": 0xFF}.get(fmt, int(tie.result, 16) + 1))
        assert "below tie" in step(explain_element(fmt, sign * np.nextafter(half, 0)), "rounding").text


@pytest.mark.parametrize(
    ("fmt", "tie", "bits", "words", "carried", "after"),
    [
        ("e5m2", 61440.0, "1.11|1|0|0", "tie to even up", "10.00", "65536 is beyond 57344"),
        ("e4m3", 464.0, "1.110|1|0|0", "tie to even down", None, "not above the largest magnitude, 448"),
        ("e3m2", 30.0, "1.11|1|0|0", "tie to even up", "10.00", "32 is beyond 28"),
        ("e2m3", 7.75, "1.111|1|0|0", "tie to even up", "10.000", "8 is beyond 7.5"),
        ("e2m1", 7.0, "1.1|1|0|0", "tie to even up", "10.0", "8 is beyond 6"),
        ("int8", 1.9921875, "1.111111|1|0|0", "tie to even up", None, "2 is beyond 1.984375"),
    ],
)
def test_the_tie_above_the_largest_magnitude(
    fmt: str, tie: float, bits: str, words: str, carried: str | None, after: str
) -> None:
    explanation = explain_element(fmt, np.float32(tie))
    assert step(explanation, "rounding").bits == bits
    assert words in step(explanation, "rounding").text
    assert [each.bits for each in explanation.steps if each.name == "carry"] == ([carried] if carried else [])
    assert step(explanation, "range").text.startswith(after)


def test_fp8_overflow_follows_the_rounding() -> None:
    overflow = mx.EncodeOptions(overflow="overflow")
    results = {value: explain_element("e4m3", value, overflow).result for value in (464.0, 464.5, -464.5)}
    assert results == {464.0: "0x7e", 464.5: "0x7f", -464.5: "0xff"}
    beyond = step(explain_element("e4m3", 464.5, overflow), "range")
    assert beyond.text == "480 is beyond 448; overflow='overflow': NaN, there is no infinity"
    assert beyond.ids == ("MX-5.3.1-e", "A-14")
    assert explain_element("e5m2", 61439.0, overflow).result == "0x7b"
    assert explain_element("e5m2", -61440.0, overflow).result == "0xfc"


def test_e2m1_ties() -> None:
    for tie, target in ((0.25, 0), (0.75, 1), (1.25, 1), (1.75, 2), (2.5, 2), (3.5, 4), (5, 4)):
        explanation = explain_element("e2m1", float(tie))
        rounding = step(explanation, "rounding")
        assert float(step(explanation, "code").value) == target
        assert rounding.bits.endswith("|1|0|0")
        assert f"tie to even {'up' if target > tie else 'down'}" in rounding.text


@pytest.mark.parametrize(
    ("rounding", "code", "words"),
    [
        ("rne", 0xA, "tie to even down"),
        ("rna", 0xB, "tie away"),
        ("rtz", 0xA, "rtz down"),
        ("rup", 0xA, "rup down"),
        ("rdn", 0xB, "rdn up"),
        ("rto", 0xB, "to odd up"),
    ],
)
def test_every_mode_names_its_reason(rounding: str, code: int, words: str) -> None:
    options = mx.EncodeOptions(rounding=rounding)  # type: ignore[arg-type]
    explanation = explain_element("e2m1", -1.25, options)  # between -1 and -1.5
    assert int(explanation.result, 16) == code
    assert words in step(explanation, "rounding").text


def test_stochastic_rounding_shows_its_sum() -> None:
    options = mx.EncodeOptions(rounding="stochastic", random_bits=4)
    # 1.125 is a quarter of a step above 1: 4/16.
    down, up = (explain_element("e2m1", 1.125, options, random=n) for n in (11, 12))
    assert (down.result, up.result) == ("0x2", "0x3")
    assert "dropped bits 0x4 plus the random 0xb are 0xf, below 0x10" in step(down, "rounding").text
    assert "dropped bits 0x4 plus the random 0xc are 0x10, at least 0x10" in step(up, "rounding").text


def test_int8_minimum() -> None:
    symmetric, full = (
        explain_element("int8", -2.0, mx.EncodeOptions(integer_minimum=choice))  # type: ignore[arg-type]
        for choice in ("symmetric", "full")
    )
    assert (symmetric.result, full.result) == ("0x81", "0x80")
    assert "-2 is beyond 1.984375: clamped" in step(symmetric, "range").text
    assert "code without positive counterpart" in step(full, "range").text
    assert step(explain_element("int8", -0.0), "sign").text == "there is no negative zero"


def test_the_dropped_bits() -> None:
    # Eighths of a step of e2m1, which is 1/2 from 1 on.
    for eighths, bits in enumerate(("0|0|0", "0|0|1", "0|1|0", "0|1|1", "1|0|0", "1|0|1", "1|1|0", "1|1|1")):
        assert step(explain_element("e2m1", 1 + eighths / 16), "rounding").bits == f"1.0|{bits}"
    assert step(explain_element("e2m1", 1 + 1 / 16 + 2.0**-50), "rounding").bits == "1.0|0|0|1"
    assert step(explain_element("e2m1", 0.0), "rounding").bits == "0.0|0|0|0"


def test_what_options_do_to_an_input() -> None:
    flushed = explain_element("e5m2", np.float16(-(2.0**-15)), mx.EncodeOptions(subnormal_input="flush"))
    assert flushed.result == "0x80"
    assert step(flushed, "flush").value == "-0"
    # 1.25 + 2^-20 is above the tie of e2m1, but a tie once it is a float16.
    twice = explain_element("e2m1", np.float32(1.25 + 2.0**-20), mx.EncodeOptions(intermediate="float16"))
    assert twice.result == "0x2"
    assert step(twice, "intermediate").bits == "0 01111 0100000000"
    assert "tie to even down" in step(twice, "rounding").text
    assert explain_element("e2m1", np.float32(1.25 + 2.0**-20)).result == "0x3"


# Blocks


def test_zero_nan_and_infinity_in_blocks() -> None:
    zero = explain_block(np.float32([0, -0.0]), "mxfp8_e4m3")
    assert step(zero, "zero block").value == "-127"
    assert (step(zero, "scale").bits, step(zero, "scale").value) == ("00000000", "2^-127")
    assert zero.result == "000080" + "00" * 30
    nan = explain_block(np.float32([1, np.nan]), "mxint8")
    assert names(nan) == ["nan", "scale", "elements", "packed"]
    assert nan.result == "ff" + "00" * 32
    assert row(nan, 0)["value"] == "NaN"
    options = mx.QuantizeOptions(inf_in_block="max_scale")
    infinite = explain_block(np.float32([1, -np.inf]), "mxfp8_e4m3", options)
    assert (step(infinite, "scale").bits, row(infinite, 1)["code"]) == ("11111110", "1 1111 110")
    assert step(infinite, "overflow").ids == ("MX-5.1-j", "A-23")


def test_a_scale_out_of_range() -> None:
    small = explain_block(np.float64([2.0**-130]), "mxfp8_e4m3")  # -130 - 8 is below -127
    assert (step(small, "sexp").value, step(small, "clamp").value) == ("-138", "-127")
    assert "scale_underflow='clamp'" in step(small, "clamp").text
    large = explain_block(np.float64([2.0**200]), "mxint8", mx.QuantizeOptions(scale_overflow="nan"))
    assert (step(large, "clamp").value, step(large, "scale").bits) == ("NaN", "11111111")


def test_the_exponent_of_a_subnormal_amax() -> None:
    explanation = explain_block(np.float32([3 * 2.0**-149]), "mxint8")
    assert step(explanation, "exponent").value == "-148"
    assert "a subnormal, its leading one stands for 2^-148" in step(explanation, "exponent").text


def test_packed_bytes_of_fp6_and_blocks_of_odd_size() -> None:
    # 1, 2, 4, 8 in e3m2 under scale 2^-1 (amax 8 = 2^3, emax 4): 2, 4, 8, 16 = 0x10, 0x14, 0x18, 0x1c
    explanation = explain_block(np.float32([1, 2, 4, 8]), "mxfp6_e3m2")
    # 0x10 | 0x14 << 6 | 0x18 << 12 | 0x1c << 18 = 0x718510
    assert step(explanation, "packed").bits.startswith("7e 10 85 71 00")
    odd = BlockFormat("odd", mx.get_element("e2m1"), E8M0, 3)
    assert explain_block(np.float32([6, 1, -4]), odd).result == "0x7f 0x7 0x2 0xe"


def test_details_are_whole_elements() -> None:
    explanation = explain_block(np.float32([1, 0.3]), "mxfp4_e2m1", detail=[1])
    (part,) = explanation.parts
    assert names(part) == ["input", "quotient", "binade", "rounding", "range", "code", "value", "error"]
    assert step(part, "quotient").text.endswith("about 1.2")  # the scale is 2^-2
    assert len(explain_block(np.float32([1, 0.3]), "mxfp4_e2m1", detail="all").parts) == 32


# Scales with a mantissa


def test_nvfp4_by_hand() -> None:
    """amax 2688 = 6 * 448 makes the tensor scale 1 and the block scale 448."""
    explanation = explain_block(np.float32([2688, -1344, 224, 0.3, -0.0, 560]), "nvfp4", detail=[5])
    assert step(explanation, "tensor amax").value == "2688"
    assert (step(explanation, "tensor scale").value, step(explanation, "ratio").value) == ("1", "448")
    assert step(explanation, "rounding").bits == "1.110|0|0|0"
    assert (step(explanation, "scale").bits, step(explanation, "divisor").value) == ("0 1111 110", "448")
    # 6, -3, 0.5, next to 0, -0, and 1.25, a tie to the even 1
    assert [row(explanation, i)["code"] for i in range(6)] == [
        *("0 11 1", "1 10 1", "0 00 1"),
        *("0 00 0", "1 00 0", "0 01 0"),
    ]
    assert row(explanation, 5)["kept|g|r|s"] == "1.0|1|0|0"
    assert row(explanation, 5)["value"] == "448"
    assert explanation.result == "7ed70128" + "00" * 5
    assert step(explanation.parts[0], "quotient").value == "1.25"
    assert step(explanation.parts[0], "error").text == "result less input: -0.5 steps of 224"


def test_a_scale_that_is_rounded() -> None:
    """7 / 6 is between 1.125 and 1.25, nearer to 1.125; rounded up it is 1.25 and 7 / 1.25 = 5.6."""
    near = explain_block(np.float32([7, 3]), "nvfp4", tensor_scale=1.0)
    assert (step(near, "tensor scale").text, step(near, "ratio").value) == ("given", "7/6")
    assert step(near, "binade").bits == "1.001010101010101010101010... * 2^0"
    assert (step(near, "rounding").bits, step(near, "scale").value) == ("1.001|0|1|1", "1.125")
    assert (row(near, 0)["kept|g|r|s"], row(near, 0)["value"]) == ("1.1|0|0|1", "6.75")  # 7 / 1.125 = 6.2
    up = explain_block(
        np.float32([7, 3]), "nvfp4", mx.QuantizeOptions(scale_rounding="rup"), tensor_scale=1, detail=[1]
    )
    assert step(up, "scale").value == "1.25"
    assert (row(up, 0)["kept|g|r|s"], row(up, 0)["value"]) == ("1.0|1|1|1", "7.5")
    assert step(up.parts[0], "quotient").value == "12/5"
    small = explain_block(np.float32([6 * 2.0**-12]), "nvfp4", tensor_scale=np.float32(3))
    assert step(small, "ratio").value == "1/12288"
    assert "the smallest positive scale" in step(small, "clamp").text


@pytest.mark.parametrize(
    ("options", "zero_block", "underflow", "overflow"),
    [
        ({}, "0x00", "0x01", "0x7e"),
        ({"zero_block": "min_normal", "scale_underflow": "min_normal"}, "0x08", "0x08", "0x7e"),
        ({"zero_block": "one", "scale_underflow": "zero"}, "0x38", "0x00", "0x7e"),
        (
            {"zero_block": "negative_emax", "scale_underflow": "nan", "scale_overflow": "nan"},
            *("0x28", "0x7f", "0x7f"),
        ),
    ],
)
def test_scales_at_the_ends_of_their_range(
    options: dict[str, str], zero_block: str, underflow: str, overflow: str
) -> None:
    """A-N2, A-N3 and A-N4: half the smallest scale, 2^-10, is a tie to zero; 464 is one to 448, 465 above."""
    chosen = mx.QuantizeOptions(**options)  # type: ignore[arg-type]
    zero, below, tie, beyond = (
        explain_block(np.float32([amax]), "nvfp4", chosen, tensor_scale=1)
        for amax in (0, 6 * 2.0**-10, 6 * 464, 6 * 465)
    )
    assert step(zero, "zero block").ids == ("A-N2",)
    assert step(zero, "scale").text.startswith(zero_block)
    assert "tie to even down" in step(below, "rounding").text
    assert step(below, "clamp").ids == ("A-N3",)
    assert step(below, "scale").text.startswith(underflow)
    assert step(tie, "scale").text.startswith("0x7e")
    assert step(beyond, "clamp").ids == ("NV-Q-b", "A-N4")
    assert step(beyond, "scale").text.startswith(overflow)


def test_float32_operations_one_by_one() -> None:
    """A-N5 by hand, with t = 3: 1 / 3 = 0xaaaaab * 2^-25 and 1 / 6 = 0xaaaaab * 2^-26 in Float32."""
    third, sixth = "11184811*2^-25", "11184811*2^-26"
    multiply = explain_block(
        np.float32([18, 5]),
        "nvfp4",
        mx.QuantizeOptions(quotient="float32_multiply"),
        tensor_scale=3,
        detail=[1],
    )
    assert (step(multiply, "encode scale").value, step(multiply, "reciprocal").value) == (third, sixth)
    assert step(multiply, "encode scale").bits == "0 01111101 01010101010101010101011"
    # 11184811 = (2^25 + 1) / 3, whose square times 2^-51 is 14913081.8 steps of 2^-28
    assert step(multiply, "multiplier").value == "7456541*2^-27"
    # 18 * 7456541 = 134217738 has 28 bits and is 8388608.6 * 16
    assert step(multiply, "ratio").value == "8388609*2^-23"
    assert (step(multiply, "scale").value, step(multiply, "decode scale").value) == ("1", "3")
    assert (step(multiply, "product").value, step(multiply, "factor").value) == ("3", third)
    # 5 * 0xaaaaab = 55924055 has 26 bits; the last two are 11: up
    assert step(multiply.parts[0], "quotient").value == "6990507*2^-22"
    divide = explain_block(
        np.float32([18, 5]), "nvfp4", mx.QuantizeOptions(quotient="float32_divide"), tensor_scale=3
    )
    assert (step(divide, "block scale").value, step(divide, "ratio").value) == ("3", "1")
    assert (step(divide, "tensor reciprocal").value, step(divide, "factor").value) == (third, third)
    assert "above tie" in step(divide, "tensor reciprocal").text


def test_a_float64_is_rounded_before_float32_operations() -> None:
    """1 + 2^-24 + 2^-40 is above a tie of Float32; the largest element, 1, is divided by without rounding."""
    fmt = BlockFormat("b", mx.get_element("int8"), mx.get_scale("float32"), 1)
    for quotient in ("float32_multiply", "float32_divide"):
        options = mx.QuantizeOptions(quotient=quotient, element_bound="power_of_two")  # type: ignore[arg-type]
        explanation = explain_block(np.float64([1 + 2.0**-24 + 2.0**-40]), fmt, options, detail=[0])
        for each in (explanation, explanation.parts[0]):
            assert step(each, "float32").value == "8388609*2^-23"
        assert step(explanation, "ratio").value == "8388609*2^-23"
    exact = explain_block(np.float64([1 + 2.0**-24 + 2.0**-40]), fmt)
    assert "float32" not in names(exact)


def test_extremes_of_float32_arithmetic() -> None:
    zero = mx.QuantizeOptions(quotient="float32_divide", scale_underflow="zero")
    explanation = explain_block(np.float32([2.0**-20, 0]), "nvfp4", zero, tensor_scale=1, detail=[0, 1])
    assert step(explanation, "factor").value == "Inf"
    infinite, nan = explanation.parts
    assert step(infinite, "quotient").value == "Inf"
    assert step(nan, "quotient").value == "NaN"  # 0 * Inf; E2M1 has no NaN: the largest value
    assert (infinite.result, nan.result) == ("0x7", "0x7")
    assert step(infinite, "value").value == "0"
    tiny = mx.QuantizeOptions(quotient="float32_multiply")
    limited = explain_block(np.float32([2.0**-149]), "nvint4", tiny)
    assert step(limited, "encode scale").value == "16777215*2^104"
    assert "the largest Float32 instead" in step(limited, "encode scale").text


def test_zero_and_infinity_in_an_array_with_a_tensor_scale() -> None:
    for choice, value in (("one", "1"), ("smallest", "2^-149")):
        options = mx.QuantizeOptions(tensor_zero=choice)  # type: ignore[arg-type]
        explanation = explain_block(np.float32([0, -0.0]), "nvfp4", options)
        assert [each.value for each in explanation.steps if each.name == "tensor scale"] == ["0", value]
        assert "A-N6" in explanation.steps[2].ids
    for choice, value in (("ignore", "3"), ("one", "1")):
        options = mx.QuantizeOptions(tensor_infinity=choice)  # type: ignore[arg-type]
        explanation = explain_block(np.float32([3 * 2688, np.inf]), "nvfp4", options)
        assert step(explanation, "tensor scale").value == value
        assert step(explanation, "scale").bits == "0 1111 111"
        assert row(explanation, 0)["value"] == "NaN"


def test_one_scale_per_channel() -> None:
    channel = BlockFormat("channel", mx.get_element("int8"), mx.get_scale("float32"), 3)
    explanation = explain_block(np.float32([127, -64, 3]), channel)
    # 127 / (127 / 64) = 64 = 2^(133 - 127)
    assert step(explanation, "scale").bits == "0 10000101 " + "0" * 23
    assert explanation.result == "0x42800000 0x7f 0xc0 0x03"
    assert step(explanation, "packed").text.startswith("a scale of 32 bits is not packed")


# Dot products


def one_block(fmt: str, scale: int, *codes: int) -> mx.Blocks:
    return mx.Blocks(fmt, [[*codes, *[0] * (32 - len(codes))]], [scale])


def test_a_dot_by_hand() -> None:
    # INT8 has two implicit scales (D-14): 1.0 * -1.0 = -4096 * 2^-12, times 2^1 * 2^2
    explanation = explain_dot(one_block("mxint8", 0x80, 0x40), one_block("mxint8", 0x81, 0xC0), "exact_fp32")
    block, result = explanation.parts
    table = step(block, "products").table
    assert table is not None
    assert step(block, "scales").text == "A 0x80 = 2^1, B 0x81 = 2^2"
    assert table.columns[-1] == "product / 2^-12"
    assert table.rows[0] == ("0", "01000000", "1", "11000000", "-1", "-4096")
    assert step(block, "sum").text.startswith("-4096 * 2^-12, an integer of 13 bits")
    assert step(block, "scaled").text.endswith("1 + 2 = 3; exact")
    assert step(block, "scaled").value == "-8"
    assert step(result, "result").bits == "1 10000010 00000000000000000000000"
    assert explanation.result == "0xc1000000"


def test_float32_ties_of_the_sum() -> None:
    one = one_block("mxfp8_e4m3", 0x7F, 0x38)
    for c, result, words in ((0x4B800000, "0x4b800000", "down"), (0x4B800001, "0x4b800002", "up")):
        explanation = explain_dot(one, one, "exact_fp32", FloatBits("float32", c))
        rounding = step(explanation.parts[-1], "rounding")
        assert explanation.result == result
        assert rounding.bits.endswith("|1|0|0")
        assert f"tie to even {words}" in rounding.text
        assert explain_dot(one, one, "block32_fp32_add", FloatBits("float32", c)).result == result


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ((0xFF, 0x3C), (0x7F, 0x3C), "the scale of A is NaN"),
        ((0xFF,), (0xFF,), "the scale of A and B is NaN"),
        ((0x7F, 0x7C), (0x7F, 0x00), "Inf * 0"),
        ((0x7F, 0x7C, 0xFC), (0x7F, 0x3C, 0x3C), "infinities of both signs"),
        ((0x7F, 0x7E), (0x7F, 0x3C), "a NaN element"),
    ],
)
def test_special_values_of_a_dot(a: tuple[int, ...], b: tuple[int, ...], reason: str) -> None:
    explanation = explain_dot(one_block("mxfp8_e5m2", *a), one_block("mxfp8_e5m2", *b))
    assert reason in step(explanation.parts[0], "special").text
    assert explanation.result == "0x7fc00000"


def test_each_addition_of_a_running_value() -> None:
    # 32, 2^24 * 32 and 32: Float32 steps are 64 from 2^29 on, so each 32 is half a step.
    a = mx.Blocks("mxfp8_e4m3", np.full((3, 32), 0x38), [0x7F, 0x97, 0x7F])
    b = mx.Blocks("mxfp8_e4m3", np.full((3, 32), 0x38), [0x7F, 0x7F, 0x7F])
    explanation = explain_dot(a, b)
    assert [step(part, "running").value for part in explanation.parts[:3]] == ["32", "536870912", "536870912"]
    assert step(explanation.parts[1], "add").text == "32 + 536870912"
    assert "tie to even down" in step(explanation.parts[1], "rounding").text
    assert explanation.result == "0x4e000000"
    assert explain_dot(a, b, "exact_fp32").result == "0x4e000001"


# Agreement with the model, and refusal without it

FORMATS = (
    *("e5m2", "e4m3", "e3m2", "e2m3", "e2m1", "int8", "e8m0"),
    FloatFormat("ue4m3", 4, 3, 7, "fn", signed=False),
    FloatFormat("e3m0", 3, 0, 3),
    FloatFormat("e4m3_ieee", 4, 3, 7, "ieee"),
    FloatFormat("e3m2_nosub", 3, 2, 3, "fn", signed=True, subnormals=False),
    IntegerFormat("int4", 4, 2),
    IntegerFormat("int2", 2, 0),
)
DTYPES = ((np.float16, np.uint16), (np.float32, np.uint32), (np.float64, np.uint64))


def draw_options(rng: random.Random, kind: type[mx.EncodeOptions]) -> mx.EncodeOptions:
    chosen = {name: rng.choice(values) for name, values in choices(kind).items() if rng.random() < 0.35}
    return kind(**chosen, random_bits=rng.randint(1, 32))  # type: ignore[arg-type]


def draw_value(
    rng: random.Random, fmt: str | FloatFormat | IntegerFormat, dtype: type, uint: type
) -> np.floating:
    """A bit pattern, a special value, or a value or tie of the format, or one beside it."""
    kind = rng.random()
    if kind < 0.3:
        return np.array(rng.getrandbits(8 * np.dtype(uint).itemsize), uint).view(dtype)[()]
    if kind < 0.4:
        return dtype(rng.choice([0.0, -0.0, INF, -INF, NAN, -NAN]))
    table = mx.decode(fmt, np.arange(1 << get_number_format(fmt).bits))
    first, second = rng.choices(table[np.isfinite(table)].tolist(), k=2)
    value = dtype(rng.choice([first, (first + second) / 2, first * (1 + 2.0 ** -rng.randint(1, 30))]))
    return np.nextafter(value, dtype(rng.choice([INF, -INF]))) if rng.random() < 0.3 else value


@pytest.mark.parametrize("seed", range(4))
def test_elements_agree_with_the_model(seed: int) -> None:
    rng = random.Random(seed)
    agreed = 0
    with np.errstate(all="ignore"):
        for _ in range(500):
            fmt, options = rng.choice(FORMATS), draw_options(rng, mx.EncodeOptions)
            value = draw_value(rng, fmt, *rng.choice(DTYPES))
            drawn = rng.getrandbits(options.random_bits) if options.rounding == "stochastic" else None
            try:
                expected = int(mx.encode(fmt, np.array(value), options=options, random=drawn))
            except mx.MxError as error:
                with pytest.raises(type(error), match=re.escape(str(error))):
                    explain_element(fmt, value, options, random=drawn)
                continue
            assert int(explain_element(fmt, value, options, random=drawn).result, 16) == expected
            agreed += 1
    assert agreed > 300


@pytest.mark.parametrize("seed", range(4))
def test_blocks_agree_with_the_model(seed: int) -> None:
    rng = random.Random(seed)
    agreed = 0
    with np.errstate(all="ignore"):
        for _ in range(80):
            fmt = mx.get_format(rng.choice(mx.OCP_FORMATS))
            options = draw_options(rng, mx.QuantizeOptions)
            assert isinstance(options, mx.QuantizeOptions)
            dtype, uint = rng.choice(DTYPES)
            values = np.array([draw_value(rng, fmt.element, dtype, uint) for _ in range(rng.randint(1, 32))])
            if rng.random() < 0.7:
                values = np.where(np.isfinite(values), values, dtype(1))
            values = np.ldexp(values, rng.choice([0, 0, -120, 110, -140, -1000])).astype(dtype)
            is_stochastic = options.rounding == "stochastic"
            drawn = [rng.getrandbits(options.random_bits) for _ in values] if is_stochastic else None
            try:
                expected = mx.quantize(values, fmt, options=options, random=drawn)
            except mx.MxError as error:
                with pytest.raises(type(error), match=re.escape(str(error))):
                    explain_block(values, fmt, options, random=drawn)
                continue
            explanation = explain_block(values, fmt, options, random=drawn, detail="all")
            packed = mx.pack_blocks(expected, scale_position="first").tobytes()
            assert bytes.fromhex(explanation.result) == packed
            assert [int(part.result, 16) for part in explanation.parts] == expected.codes[0].tolist()
            agreed += 1
    assert agreed > 30


RATIO_FORMATS = (
    *("nvfp4", "nvfp4", "nvint4"),
    *(
        BlockFormat(scale, mx.get_element(element), mx.get_scale(scale), size)
        for element, scale, size in (("int8", "float32", 5), ("e5m2", "bfloat16", 3), ("e4m3", "ue4m3", 4))
    ),
    BlockFormat("no_zero", mx.get_element("e2m3"), FloatFormat("u", 6, 2, 31, "fn", False, False), 4),
    BlockFormat("no_nan", mx.get_element("int4"), FloatFormat("ue5m3", 5, 3, 15, signed=False), 3),
)


def draw_ties(rng: random.Random, fmt: BlockFormat, count: int, tensor_scale: float) -> np.ndarray:
    """Numbers whose quotients are ties but for what is rounded on the way, under a scale drawn at random."""
    scales = mx.decode(fmt.scale, np.array([rng.randrange(1, fmt.scale.max_code) for _ in range(9)]))
    scale = rng.choice(np.where(np.isfinite(scales) & (np.abs(scales) < 2.0**60), scales, 1.0).tolist())
    levels = mx.decode(fmt.element, np.arange(1 << fmt.element.bits))
    levels = np.unique(levels[np.isfinite(levels)]).astype(np.float64)
    ties = ((levels[1:] + levels[:-1]) / 2).tolist()
    return np.array([levels[-1], *rng.choices(ties, k=count - 1)]) * (scale * tensor_scale)


@pytest.mark.parametrize("seed", range(4))
def test_blocks_with_a_ratio_for_scale_agree_with_the_model(seed: int) -> None:
    """The comparison is the one in explain_block, of scale, tensor scale and codes."""
    rng = random.Random(seed)
    agreed = 0
    with np.errstate(all="ignore"):
        for _ in range(80):
            fmt, options = mx.get_format(rng.choice(RATIO_FORMATS)), draw_options(rng, mx.QuantizeOptions)
            quotient = rng.choice(choices(mx.QuantizeOptions)["quotient"])
            options = replace(options, quotient=quotient)  # type: ignore[call-arg]
            dtype, uint = rng.choice(DTYPES)
            given = rng.choice([None, 2.0 ** rng.randint(-20, 20), np.float32(rng.random() + 0.1)])
            count = rng.randint(1, fmt.block_size)
            if rng.random() < 0.5:
                values = draw_ties(rng, fmt, count, 1.0 if given is None else float(given)).astype(dtype)
            else:
                values = np.array([draw_value(rng, fmt.element, dtype, uint) for _ in range(count)])
                if rng.random() < 0.7:
                    values = np.where(np.isfinite(values), values, dtype(1))
                values = np.ldexp(values, rng.choice([0, 0, 0, -120, 110, -140, -1000])).astype(dtype)
            drawn = [rng.getrandbits(options.random_bits) for _ in values]
            calls = {
                "options": options,
                "random": drawn if options.rounding == "stochastic" else None,
                "tensor_scale": None if fmt.tensor_scale is None else given,
            }
            try:
                expected = mx.quantize(values, fmt, **calls)  # type: ignore[arg-type]
            except mx.MxError as error:
                with pytest.raises(type(error), match=re.escape(str(error))):
                    explain_block(values, fmt, **calls)  # type: ignore[arg-type]
                continue
            explanation = explain_block(values, fmt, detail="all", **calls)  # type: ignore[arg-type]
            assert [int(part.result, 16) for part in explanation.parts] == expected.codes[0].tolist()
            assert int(step(explanation, "scale").bits.replace(" ", ""), 2) == expected.scales[0]
            if step(explanation, "scale").value != "NaN":
                shown = [step(part, "value").value for part in explanation.parts[:count]]
                for text, value in zip(shown, mx.dequantize(expected, np.float64).tolist(), strict=True):
                    assert np.isnan(value) if "NaN" in text else value == shown_number(text)
            agreed += 1
    assert agreed > 30


def shown_number(text: str) -> float:
    """Return the number that an explanation shows as a decimal, or as an integer times a power of two."""
    parts = re.fullmatch(r"(-?)(?:(\d+)\*)?2\^(-?\d+)", text)
    if parts is None:
        return float(text)
    return float(np.ldexp(float(f"{parts[1]}{parts[2] or 1}"), int(parts[3])))


@pytest.mark.parametrize("rule", ["exact_fp32", "block32_fp32_add"])
def test_dots_agree_with_the_model(rule: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(150):
        n = int(rng.integers(0, 4))
        operands = []
        for name in rng.choice(mx.OCP_FORMATS, 2):
            fmt = mx.get_format(str(name))
            codes = rng.integers(0, 1 << fmt.element.bits, (n, 32))
            if rng.random() < 0.6:
                codes = np.where(np.isfinite(mx.decode(fmt.element, codes)), codes, 0)
            if rng.random() < 0.2:
                codes = np.where(rng.random((n, 32)) < 0.95, 1 << (fmt.element.bits - 1), codes)
            low, high = [(0, 256), (100, 150), (40, 70), (180, 195)][rng.integers(4)]
            operands.append(mx.Blocks(fmt, codes, rng.integers(low, high, n)))
        c = rng.choice([0, 0x80000000, 0x7F800000, 0xFFC00000, int(rng.integers(1 << 32))])
        expected = mx.dot(*operands, rule, np.uint32(c).view(np.float32))
        result = explain_dot(*operands, rule, FloatBits("float32", int(c))).result
        assert int(result, 16) == int(expected.view(np.uint32))


def test_an_explanation_that_disagrees_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = mx.quantize(np.float32([2]), "mxfp4_e2m1")
    monkeypatch.setattr(explain.element, "encode", lambda *_, **__: np.array([3], np.uint8))
    monkeypatch.setattr(explain.block, "quantize", lambda *_, **__: wrong)
    monkeypatch.setattr(explain.dot, "dot", lambda *_, **__: np.float32(7))
    with pytest.raises(mx.ExplanationError, match="the stages lead to 0x2, the model gives 0x3"):
        explain_element("e2m1", 1.0)
    with pytest.raises(mx.ExplanationError, match="the stages lead to scale 0x7d"):
        explain_block(np.float32([1]), "mxfp4_e2m1")
    with pytest.raises(mx.ExplanationError, match="lead to 0x3f800000, the model gives 0x40e00000"):
        explain_dot(one_block("mxfp8_e4m3", 0x7F, 0x38), one_block("mxfp8_e4m3", 0x7F, 0x38))


# Inputs


def test_inputs_of_every_kind() -> None:
    bfloat16 = explain_element("e4m3", ml_dtypes.bfloat16(1.5))
    assert step(bfloat16, "input").bits == "0 01111111 1000000"
    assert bfloat16 == explain_element("e4m3", FloatBits("bfloat16", 0x3FC0))
    assert step(explain_element("e4m3", np.float16(1.5)), "input").bits == "0 01111 1000000000"
    assert step(explain_element("e4m3", 1.5), "input").bits == "0 01111111111 1" + "0" * 51
    keep = mx.EncodeOptions(nan_payload="keep")
    signalling = explain_element("e5m2", FloatBits("float32", 0xFFA00000), keep)
    assert signalling.result == "0x7f"  # top fraction bits 01, quiet bit set


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: explain_element("e4m3", 1), mx.DtypeError, "int64 is not float16"),
        (lambda: explain_element("e4m3", np.ones(2)), mx.ShapeError, "one element is explained at a time"),
        (lambda: explain_element("e9", 1.0), mx.UnknownNameError, "e9"),
        (lambda: FloatBits("float8", 1), mx.UnknownNameError, "unknown input format 'float8'"),
        (lambda: FloatBits("float16", 1 << 16), mx.CodeRangeError, "0x10000 does not fit the 16 bits"),
        (lambda: explain_block(np.ones(33), "mxint8"), mx.ShapeError, "33 values; .* takes 1 to 32"),
        (lambda: explain_block([], "mxint8"), mx.ShapeError, "0 values"),
        (lambda: explain_block(np.ones((2, 2)), "mxint8"), mx.ShapeError, r"shape \(2, 2\)"),
        (lambda: explain_block(np.ones(2), "mxint8", detail=[32]), mx.ShapeError, "element 32"),
        (
            lambda: explain_block([FloatBits("float16", 0), FloatBits("float32", 0)], "mxint8"),
            mx.DtypeError,
            "one format",
        ),
        (
            lambda: explain_dot(*[mx.quantize(np.ones((2, 32)), "mxint8")] * 2),
            mx.ShapeError,
            "one dot product",
        ),
        (
            lambda: explain_dot(*[mx.quantize(np.ones(16), "nvfp4")] * 2),
            mx.DefinitionError,
            "nvfp4: dot products are explained of blocks whose scale is a power of two, unlike ue4m3",
        ),
        (
            lambda: explain_block(np.ones(2), "mxint8", tensor_scale=1),
            mx.DefinitionError,
            "mxint8 has no tensor scale",
        ),
        (lambda: explain_block(np.ones(2), "nvfp4", tensor_scale=0.1), mx.DefinitionError, "positive finite"),
        (
            lambda: explain_dot(*[mx.quantize(np.ones(32), "mxint8")] * 2, "exact_fp32", 1.0),
            mx.DtypeError,
            "float32",
        ),
    ],
)
def test_bad_input_is_refused(call, error: type[Exception], message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("text", "format", "bits"),
    [
        ("0.3", None, 0x3E99999A),
        ("-0", None, 0x80000000),
        ("1e-999999999", None, 0),
        ("-1e-46", "float32", 0x80000000),
        ("0x1.8p-3", "float16", 0x3200),
        ("-0x.8", "bfloat16", 0xBF00),
        ("0x1p-999999999", "float64", 0),
        ("-INF", "float64", 0xFFF0000000000000),
        ("-nan", None, 0xFFC00000),
        ("0x7fa00001", "float32", 0x7FA00001),
        # 1 + 2^-24 and a little: a tie once it is a Float64, above the tie in truth
        ("1.00000005960464477539062500001", None, 0x3F800001),
        ("65519.99", "float16", 0x7BFF),
    ],
)
def test_numbers_are_read_exactly(text: str, format: str | None, bits: int) -> None:
    assert read_number(text, format) == FloatBits(format or "float32", bits)


@pytest.mark.parametrize("text", ["", "x", "0x", "1.2.3", "0xg", "--1", "0x1", "1e", "snan", "9" * 1001])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(mx.DefinitionError):
        read_number(text)


@pytest.mark.parametrize("text", ["65520", "1e999999999", "-0x1p16", "0x1p999999999"])
def test_a_number_beyond_the_range_is_refused(text: str) -> None:
    with pytest.raises(mx.ValueRefusedError, match="write inf for an infinity"):
        read_number(text, "float16")


def test_blocks_are_read_as_codes_and_as_words() -> None:
    blocks = read_blocks("mxfp6_e3m2", ["7f:01,0x3f", "80:" + "0" * 44 + "0fc1"])
    assert blocks.scales.tolist() == [0x7F, 0x80]
    assert blocks.codes[:, :4].tolist() == [[1, 0x3F, 0, 0], [1, 0x3F, 0, 0]]
    for text in ("7f", "7f:x", ":1", "7f:1,,2", "100:1", "7f:40", "7f:" + ",".join(["1"] * 33)):
        with pytest.raises(mx.MxError):
            read_blocks("mxfp6_e3m2", [text])


# Renderings

GOLDEN_TIE = """\
464.0 (float32) to e4m3: 0x7e
  input     0 10000111 11010000000000000000000 = 464
            float32 0x43e80000, 464.0, normal: exponent field 135 - 127 = 8
            [MX-4.1-d]
  binade    1.1101 * 2^8
            floor(log2) is 8, not below emin = -6: normal, steps of 2^5
            [MX-5.3-a]
  rounding  1.110|1|0|0 = 448
            kept 1.110, guard 1, round 0, sticky 0: tie to even down (rne):
            exactly half a step; the last digit below is 0: down [A-16,
            MX-4.1-g]
  range     not above the largest magnitude, 448 [OFP8-5.2.1-i]
  code      0 1111 110 = 448
            0x7e, normal [MX-5.3-c]
  error     -16
            result less input: -0.5 steps of 32"""

GOLDEN_BLOCK = """\
3 values (float32) to a block of mxfp4_e2m1: scale 0x80
  amax      0 10000001 11000000000000000000000 = 7
            largest magnitude, that of element 1, -7.0; as float32 without its sign [MX-6.3-b]
  exponent  2
            floor(log2 amax) from the bits: exponent field 129 - 127 [A-2, D-15]
  rule      1.11 = 3
            scale_rule='rceil': significand 1.75 is above 1.5, largest element / 2^2: one more [MX-6.3-f,
            A-1]
  sexp      1
            less emax of e2m1: 3 - 2 [D-1, D-3]
  clamp     1
            within -127 to 127, the exponents of e8m0 [MX-5.4.1-b]
  scale     10000000 = 2
            0x80: exponent plus bias 127 [MX-5.4.1-b]
  elements  input / scale rounded to e2m1; value is scale times element; the last row stands for 29 of
            padding, +0 [MX-6.3-d, A-16, MX-5.1-k, A-9]
  i      input  kept|g|r|s  rounding          code    value
  0      1.0    0.1|0|0|0   exact             0 00 1  1
  1      -7.0   1.1|1|0|0   tie to even up    1 11 0  -8
  2      0.5    0.0|1|0|0   tie to even down  0 00 0  0
  3..31  0.0    0.0|0|0|0   exact             0 00 0  0
  packed    80 e1 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
            17 bytes: the scale first, then the elements as a little-endian bit stream, element 0 in the
            low bits (layout 'le') [MX-5.1-d, MX-5.1-e, A-24, A-26]"""

GOLDEN_NAN = """\
NaN (float16) to e2m1: 0x7
  input  0 11111 1000000000 = NaN
         float16 0x7e00, NaN: exponent field all ones, fraction not 0 [MX-4.1-f]
  nan    6
         +NaN, and e2m1 has none (nan_to_finite='positive_max') [MX-5.3.3-i,
         A-13]
  code   0 11 1 = 6
         0x7, normal [MX-5.3-c]"""


def test_golden_texts() -> None:
    assert str(explain_element("e4m3", np.float32(464))) == GOLDEN_TIE
    block = explain_block(np.float32([1, -7, 0.5]), "mxfp4_e2m1", mx.QuantizeOptions(scale_rule="rceil"))
    assert block.to_text(105) == GOLDEN_BLOCK
    assert explain_element("e2m1", np.float16(np.nan)).to_text() == GOLDEN_NAN


def samples() -> list[Explanation]:
    x = np.random.default_rng(0).standard_normal(64).astype(np.float32)
    a, b = mx.quantize(x, "mxfp8_e5m2"), mx.quantize(x[::-1], "mxfp4_e2m1")
    return [
        explain_element("e4m3", 1 / 3),
        explain_element("e8m0", np.float32(-5)),
        explain_element("int8", np.float64(1e300)),
        explain_block(x[:20], "mxfp6_e2m3", detail="all"),
        *(
            explain_block(x[:9].astype(np.float64), "nvfp4", mx.QuantizeOptions(quotient=each), detail="all")
            for each in choices(mx.QuantizeOptions)["quotient"]  # type: ignore[arg-type]
        ),
        explain_block(x[:9], "nvint4", mx.QuantizeOptions(quotient="float32_divide"), tensor_scale=3),
        explain_dot(a, b, "exact_fp32", np.float32(0.1)),
        explain_dot(a, b, "block32_fp32_add"),
    ]


@pytest.mark.parametrize("width", [0, 40, 80, 120])
def test_lines_fit_the_width(width: int) -> None:
    for explanation in samples():
        tables: set[str] = set()
        for each in (explanation, *explanation.parts):
            tables.update("  " + line for s in each.steps if s.table for line in s.table.to_lines())
        for line in explanation.to_text(width).splitlines():
            assert len(line) <= max(width, 40) or (line in tables and len(line) <= 90), line
            assert line == line.rstrip()


def test_json_has_every_key_and_documented_names() -> None:
    listed = explain.__doc__ or ""
    for explanation in samples():
        tree = json.loads(json.dumps(explanation.to_dict()))
        assert tree == explanation.to_dict()
        for part in (tree, *tree["parts"]):
            assert set(part) == {"title", "result", "steps", "parts"}
            for each in part["steps"]:
                assert set(each) == {"name", "text", "bits", "value", "ids", "table"}
                assert f"``{each['name']}``" in listed
                assert all(re.fullmatch(r"(MX-|OFP8-|NV-|D-|A-)[\w.-]+", name) for name in each["ids"])
                if each["table"] is not None:
                    assert {len(r) for r in each["table"]["rows"]} == {len(each["table"]["columns"])}
