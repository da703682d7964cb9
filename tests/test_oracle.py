"""The oracle gives the specification's own figures, and its fast path gives what its readable one gives.

Expected values are typed from the number tables of MX v1.0 and OFP8 Rev 1.0, from the arithmetic facts D-1 to
D-14 and from the anchor vectors; Float32 rounding is checked against the C compiler's through `struct`.
"""

from __future__ import annotations

import ast
import math
import random
import struct
from fractions import Fraction
from pathlib import Path

import pytest
from oracle_inputs import breakpoints

from refmodel import oracle
from refmodel.errors import CodeRangeError, DefinitionError, ShapeError, UnknownNameError
from refmodel.formats import (
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    E8M0,
    FLOAT32,
    INT8,
    OCP_FORMATS,
    BlockFormat,
    FloatFormat,
    IntegerFormat,
    get_format,
)
from refmodel.oracle import Block, Number, fast
from refmodel.oracle.exact import floor_log2, power_of_two, product, total

FLOATS = [E5M2, E4M3, E3M2, E2M3, E2M1]
ELEMENTS = [*FLOATS, INT8]
BLOCKS = [get_format(name) for name in OCP_FORMATS]
BLOCK_OF = {block.element.name: block for block in BLOCKS}

# Formats that no table names, to show that nothing depends on the six: no mantissa, no subnormal
# but zero, one exponent bit, specials of both kinds, wide and narrow integers.
MADE_UP_ELEMENTS = [
    FloatFormat("e3m0", 3, 0, 3),
    FloatFormat("e5m0fn", 5, 0, 15, specials="fn"),
    FloatFormat("e1m2", 1, 2, 1),
    FloatFormat("e2m2ieee", 2, 2, 1, specials="ieee"),
    FloatFormat("e4m3b11fn", 4, 3, 11, specials="fn"),
    FloatFormat("e4m6ieee", 4, 6, 7, specials="ieee"),
    IntegerFormat("int4", 4, 2),
    IntegerFormat("int12", 12, 0),
]
MADE_UP_BLOCKS = [BlockFormat(f"mx_{e.name}", e, E8M0, block_size=8) for e in MADE_UP_ELEMENTS]
RULES = list(oracle.RULES)

INFINITY, NAN = math.inf, math.nan


def name(thing):
    return thing.name


def as_float(fmt, code):
    return oracle.to_float(oracle.decode(fmt, code))


def same_float(a, b):
    """Equal, the sign of zero included; NaN equals NaN."""
    return struct.pack("<d", a) == struct.pack("<d", b) or (a != a and b != b)


def bits_of(value):
    """Float32 bits of a Python float that is a Float32 value."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    assert math.isnan(value) or struct.unpack("<f", struct.pack("<f", value))[0] == value
    return bits


def code_of(fmt, value):
    """The code of an exact value, by search."""
    return next(code for code in range(1 << fmt.bits) if same_float(as_float(fmt, code), value))


def block(fmt, values, scale=0x7F):
    """A block that starts with the given element values, zeros after them."""
    codes = [code_of(fmt.element, float(value)) for value in values]
    return Block(fmt, scale, codes + [0] * (fmt.block_size - len(codes)))


# --------------------------------------------------------------------------------------------------
# Decoding: the tables of chapter 5 of MX v1.0 and 5.1 of OFP8
# --------------------------------------------------------------------------------------------------

# fmt: off
POSITIVE_VALUES = {
    "e2m1": [0, 0.5, 1, 1.5, 2, 3, 4, 6],
    "e2m3": [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875,
             2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5],
    "e3m2": [0, 0.0625, 0.125, 0.1875, 0.25, 0.3125, 0.375, 0.4375, 0.5, 0.625, 0.75, 0.875, 1, 1.25, 1.5,
             1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28],
}

# name: min subnormal, max subnormal, min normal, largest power of two, max normal, each (code, value)
LIMITS = {
    "e5m2": [(0x01, 1.52587890625e-05), (0x03, 4.57763671875e-05), (0x04, 6.103515625e-05), (0x78, 32768),
             (0x7B, 57344)],
    "e4m3": [(0x01, 0.001953125), (0x07, 0.013671875), (0x08, 0.015625), (0x78, 256), (0x7E, 448)],
    "e3m2": [(0x01, 0.0625), (0x03, 0.1875), (0x04, 0.25), (0x1C, 16), (0x1F, 28)],
    "e2m3": [(0x01, 0.125), (0x07, 0.875), (0x08, 1), (0x18, 4), (0x1F, 7.5)],
    "e2m1": [(0x1, 0.5), (0x1, 0.5), (0x2, 1), (0x6, 4), (0x7, 6)],
}
SIGN_BIT = {"e5m2": 0x80, "e4m3": 0x80, "e3m2": 0x20, "e2m3": 0x20, "e2m1": 0x8}
CODE_COUNTS = {"e5m2": (248, 2, 6), "e4m3": (254, 0, 2), "e3m2": (64, 0, 0), "e2m3": (64, 0, 0),
               "e2m1": (16, 0, 0)}
INFINITIES = {"e5m2": {0x7C: INFINITY, 0xFC: -INFINITY}}
NANS = {"e5m2": {0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF}, "e4m3": {0x7F, 0xFF}}
# fmt: on


@pytest.mark.parametrize("fmt", [E2M1, E2M3, E3M2], ids=name)
def test_every_positive_value_is_the_one_the_table_lists(fmt):
    values = [as_float(fmt, code) for code in range(1 << fmt.bits - 1)]
    assert values == POSITIVE_VALUES[fmt.name]


@pytest.mark.parametrize("fmt", FLOATS, ids=name)
def test_limits_have_the_codes_and_values_of_the_tables(fmt):
    for code, value in LIMITS[fmt.name]:
        assert as_float(fmt, code) == value, f"{fmt.name} {code:#04x}"
        assert as_float(fmt, code | SIGN_BIT[fmt.name]) == -value, f"{fmt.name} -{code:#04x}"
    assert same_float(as_float(fmt, 0), 0.0)
    assert same_float(as_float(fmt, SIGN_BIT[fmt.name]), -0.0)


@pytest.mark.parametrize("fmt", FLOATS, ids=name)
def test_the_codes_of_inf_and_nan_are_those_of_the_tables_and_no_others(fmt):
    values = {code: as_float(fmt, code) for code in range(1 << fmt.bits)}
    nans = {code for code, value in values.items() if math.isnan(value)}
    infinities = {code: value for code, value in values.items() if math.isinf(value)}
    assert nans == NANS.get(fmt.name, set())
    assert infinities == INFINITIES.get(fmt.name, {})
    assert (len(values) - len(infinities) - len(nans), len(infinities), len(nans)) == CODE_COUNTS[fmt.name]


def test_e5m2_is_the_upper_byte_of_float16():
    for code in range(256):
        (want,) = struct.unpack("<e", bytes([0, code]))
        assert same_float(as_float(E5M2, code), want), f"{code:#04x}"


def test_int8_is_a_twos_complement_integer_over_64():
    table = {
        0x00: 0.0,
        0x01: 0.015625,
        0xFF: -0.015625,
        0x40: 1.0,
        0xC0: -1.0,
        0x7F: 1.984375,
        0x81: -1.984375,
        0x80: -2.0,
    }
    for code, value in table.items():
        assert same_float(as_float(INT8, code), value), f"{code:#04x}"
    for code in range(256):
        assert as_float(INT8, code) * 64 == int.from_bytes([code], signed=True), f"{code:#04x}"


def test_e8m0_codes_are_powers_of_two_without_zero_or_infinity_and_one_nan():
    bits = {0x00: 0x0040_0000, 0x01: 0x0080_0000, 0x7F: 0x3F80_0000, 0xFE: 0x7F00_0000}
    for code, want in bits.items():
        assert oracle.to_float32(oracle.decode(E8M0, code)) == want, f"{code:#04x}"
    for code in range(255):
        assert oracle.decode(E8M0, code) == Number("finite", False, Fraction(2) ** (code - 127)), (
            f"{code:#04x}"
        )
    assert oracle.decode(E8M0, 0xFF).kind == "nan"


@pytest.mark.parametrize(
    ("fmt", "emax"),
    list(zip(ELEMENTS, [15, 8, 4, 2, 2, 0], strict=True)),
    ids=lambda x: getattr(x, "name", x),
)
def test_emax_is_the_exponent_of_the_largest_power_of_two_among_the_codes(fmt, emax):
    """D-1 and D-3: 8 for E4M3 although its exponent field ends in a NaN."""
    magnitudes = [oracle.decode(fmt, code).magnitude for code in range(fmt.max_code + 1)]
    powers = [m for m in magnitudes if m and m == power_of_two(floor_log2(m))]
    assert max(powers) == Fraction(2) ** emax
    assert fmt.emax == emax


# --------------------------------------------------------------------------------------------------
# Encoding
# --------------------------------------------------------------------------------------------------

# name: half of the smallest magnitude; the midpoint above the largest; the code of the largest
ROUNDING_BOUNDARIES = {
    "e5m2": (2.0**-17, 61440, 0x7B),
    "e4m3": (2.0**-10, 464, 0x7E),
    "e3m2": (2.0**-5, 30, 0x1F),
    "e2m3": (2.0**-4, 7.75, 0x1F),
    "e2m1": (0.25, 7, 0x7),
    "int8": (2.0**-7, 1.9921875, 0x7F),
}


def negative_code(fmt, code):
    return -code & 0xFF if isinstance(fmt, IntegerFormat) else code | SIGN_BIT[fmt.name]


@pytest.mark.parametrize("fmt", ELEMENTS, ids=name)
def test_half_of_the_smallest_magnitude_is_a_tie_that_goes_to_zero_of_its_sign(fmt):
    half, _, _ = ROUNDING_BOUNDARIES[fmt.name]
    for value, code in ((half, 0), (math.nextafter(half, 0), 0), (math.nextafter(half, 1), 1), (half * 3, 2)):
        assert oracle.encode(fmt, value) == code, f"{fmt.name} {value.hex()}"
        assert oracle.encode(fmt, -value) == negative_code(fmt, code), f"{fmt.name} {(-value).hex()}"


@pytest.mark.parametrize("fmt", ELEMENTS, ids=name)
def test_whatever_lies_above_the_largest_magnitude_saturates_with_its_sign(fmt):
    """D-4: at, below and above the midpoint, up to Inf."""
    _, midpoint, largest = ROUNDING_BOUNDARIES[fmt.name]
    for value in (math.nextafter(midpoint, 0), midpoint, math.nextafter(midpoint, INFINITY), 1e300, INFINITY):
        assert oracle.encode(fmt, float(value)) == largest, f"{fmt.name} {value}"
        assert oracle.encode(fmt, -float(value)) == negative_code(fmt, largest), f"{fmt.name} {-value}"


@pytest.mark.parametrize(
    ("fmt", "value", "code"),
    [
        (E5M2, math.nextafter(61440, 0), 0x7B),
        (E5M2, 61440.0, 0x7C),
        (E5M2, 1e300, 0x7C),
        (E5M2, INFINITY, 0x7C),
        (E4M3, 448.0, 0x7E),
        (E4M3, 464.0, 0x7E),
        (E4M3, math.nextafter(464, 500), 0x7F),
        (E4M3, 480.0, 0x7F),
        (E4M3, 1e300, 0x7F),
        (E4M3, INFINITY, 0x7F),
    ],
)
def test_the_range_test_follows_the_rounding_in_overflow_mode(fmt, value, code):
    """OFP8-5.2.1-h; 464 is the one tie that stays in range, since 448 has an even mantissa."""
    assert oracle.encode(fmt, value, "overflow") == code
    assert oracle.encode(fmt, -value, "overflow") == code | 0x80


def test_nan_becomes_the_canonical_nan_or_the_largest_positive_value():
    """A-13 and A-15; the sign is dropped in both modes."""
    want = {"e5m2": 0x7E, "e4m3": 0x7F, "e3m2": 0x1F, "e2m3": 0x1F, "e2m1": 0x7, "int8": 0x7F}
    for fmt in ELEMENTS:
        assert oracle.encode(fmt, NAN) == oracle.encode(fmt, -NAN) == want[fmt.name], fmt.name
    for fmt in (E5M2, E4M3):
        assert oracle.encode(fmt, NAN, "overflow") == want[fmt.name], fmt.name


def test_e2m1_ties_go_to_the_even_code():
    for value, want in ((0.25, 0), (0.75, 1), (1.25, 1), (1.75, 2), (2.5, 2), (3.5, 4), (5.0, 4)):
        assert as_float(E2M1, oracle.encode(E2M1, value)) == want, value


# Scalar conversions of the anchor list where the specification settles them: input -> E4M3 and E5M2 in
# overflow mode, E3M2, E2M3 and E2M1 saturating.
ANCHORS = [
    (464.0, 0x7E, 0x5F, 0x1F, 0x1F, 0x7),
    (465.0, 0x7F, 0x5F, 0x1F, 0x1F, 0x7),
    (61439.0, 0x7F, 0x7B, 0x1F, 0x1F, 0x7),
    (61440.0, 0x7F, 0x7C, 0x1F, 0x1F, 0x7),
    (INFINITY, 0x7F, 0x7C, 0x1F, 0x1F, 0x7),
    (-INFINITY, 0xFF, 0xFC, 0x3F, 0x3F, 0xF),
    (0.0, 0x00, 0x00, 0x00, 0x00, 0x0),
    (-0.0, 0x80, 0x80, 0x20, 0x20, 0x8),
    (-1.0, 0xB8, 0xBC, 0x2C, 0x28, 0xA),
    (1.5, 0x3C, 0x3E, 0x0E, 0x0C, 0x3),
    (3.0, 0x44, 0x42, 0x12, 0x14, 0x5),
    (6.0, 0x4C, 0x46, 0x16, 0x1C, 0x7),
    (2.5, 0x42, 0x41, 0x11, 0x12, 0x4),
    (5.0, 0x4A, 0x45, 0x15, 0x1A, 0x6),
    (0.25, 0x28, 0x34, 0x04, 0x02, 0x0),
    (0.75, 0x34, 0x3A, 0x0A, 0x06, 0x2),
    (2.0**-127, 0x00, 0x00, 0x00, 0x00, 0x0),
]


@pytest.mark.parametrize(("value", "e4m3", "e5m2", "e3m2", "e2m3", "e2m1"), ANCHORS, ids=lambda x: str(x))
def test_scalar_conversions_give_the_anchor_codes(value, e4m3, e5m2, e3m2, e2m3, e2m1):
    assert oracle.encode(E4M3, value, "overflow") == e4m3
    assert oracle.encode(E5M2, value, "overflow") == e5m2
    assert [oracle.encode(fmt, value) for fmt in (E3M2, E2M3, E2M1)] == [e3m2, e2m3, e2m1]


@pytest.mark.parametrize("fmt", [*ELEMENTS, *MADE_UP_ELEMENTS], ids=name)
def test_encoding_undoes_decoding_for_every_code_that_encoding_can_give(fmt):
    for code in range(1 << fmt.bits):
        value = oracle.decode(fmt, code)
        if value.kind == "finite" and code != getattr(fmt, "min_code", None):
            assert oracle.encode(fmt, value) == code, f"{fmt.name} {code:#x}"


@pytest.mark.parametrize("fmt", [f for f in (*ELEMENTS, *MADE_UP_ELEMENTS) if f.bits <= 8], ids=name)
def test_encoding_gives_a_nearest_value_and_of_two_the_even_one(fmt):
    """MX-4.1-g judged by distances to all values, not by shifting: a third opinion on both paths.

    A format without mantissa bits has no even significand to choose, and IEEE 754 then takes the larger.
    """
    magnitudes = [oracle.decode(fmt, code).magnitude for code in range(fmt.max_code + 1)]
    for value in breakpoints(fmt):
        if value > magnitudes[-1]:
            continue
        code = oracle.encode(fmt, value)
        best = min(abs(m - value) for m in magnitudes)
        nearest = [c for c, m in enumerate(magnitudes) if abs(m - value) == best]
        if len(nearest) == 1:
            want = nearest[0]
        elif isinstance(fmt, FloatFormat) and fmt.mantissa_bits == 0 and nearest[0] != 0:
            want = nearest[1]
        else:
            want = next(c for c in nearest if c % 2 == 0)
        assert code == want, f"{fmt.name} {value}: got {code:#x}, want {want:#x}"


def test_a_fraction_is_rounded_once():
    """A-17: a third of one bit of a float64 above a tie is above the tie."""
    assert oracle.encode(E2M1, Fraction(5, 2)) == 4
    assert oracle.encode(E2M1, Fraction(5, 2) + Fraction(1, 3 * 2**60)) == 5
    assert as_float(E4M3, oracle.encode(E4M3, Fraction(1, 3))) == 0.34375
    assert oracle.to_float32(oracle.number(Fraction(1, 3))) == 0x3EAAAAAB


# --------------------------------------------------------------------------------------------------
# Blocks
# --------------------------------------------------------------------------------------------------

# element, amax, scale code and the value that the maximum dequantises to, under the floor rule
FLOOR_ANCHORS = [
    (E2M1, 4, 0x7F, 4),
    (E2M1, 5, 0x7F, 4),
    (E2M1, 6, 0x7F, 6),
    (E2M1, 6.5, 0x7F, 6),
    (E2M1, 7, 0x7F, 6),
    (E2M1, 7.5, 0x7F, 6),
    (E4M3, 448, 0x7F, 448),
    (E4M3, 464, 0x7F, 448),
    (E4M3, 465, 0x7F, 448),
    (E4M3, 496, 0x7F, 448),
    (E2M3, 7.6, 0x7F, 7.5),
    (E2M3, 7.75, 0x7F, 7.5),
    (E5M2, 61440, 0x7F, 57344),
    (E5M2, 62000, 0x7F, 57344),
]


@pytest.mark.parametrize(
    ("element", "amax", "scale", "value"), FLOOR_ANCHORS, ids=lambda x: str(getattr(x, "name", x))
)
@pytest.mark.parametrize("quantize_block", [oracle.quantize_block, fast.quantize_block])
def test_the_floor_rule_gives_the_anchor_scales(quantize_block, element, amax, scale, value):
    for position in (0, 15, 31):
        values = [0.0] * 32
        values[position] = -float(amax)
        got = quantize_block(BLOCK_OF[element.name], values)
        assert got.scale == scale
        assert oracle.to_float(oracle.dequantize_block(got)[position]) == -value


@pytest.mark.parametrize("fmt", BLOCKS, ids=name)
def test_the_scale_steps_at_powers_of_two_and_not_just_below_them(fmt):
    """D-1 and D-15: from the exact exponent, where a rounded logarithm would be one too large."""
    for n in range(-140, 128):
        code = min(max(n - fmt.element.emax, -127), 127) + 127
        below = min(max(n - 1 - fmt.element.emax, -127), 127) + 127
        assert oracle.select_scale(fmt, [2.0**n]) == code, f"2^{n}"
        assert oracle.select_scale(fmt, [math.nextafter(2.0**n, 0)]) == below, f"just below 2^{n}"


@pytest.mark.parametrize("fmt", BLOCKS, ids=name)
def test_finite_float32_reaches_the_lowest_scale_but_never_overflows_the_highest(fmt):
    """D-5, with its thresholds; the largest scale exponent is 127 - emax."""
    threshold = {"e5m2": -112, "e4m3": -119, "e3m2": -123, "e2m3": -125, "e2m1": -125, "int8": -127}
    exponent = threshold[fmt.element.name]
    assert oracle.select_scale(fmt, [2.0 ** (exponent + 1)]) == 1
    assert oracle.select_scale(fmt, [2.0**exponent]) == 0
    assert oracle.select_scale(fmt, [2.0 ** (exponent - 1)]) == 0  # clamped
    vmax = (2 - 2.0**-23) * 2.0**127
    assert oracle.select_scale(fmt, [vmax]) == 254 - fmt.element.emax
    assert oracle.select_scale(fmt, [1e308]) == 0xFE  # only float64 gets there


@pytest.mark.parametrize("fmt", BLOCKS, ids=name)
def test_scaled_maxima_between_the_largest_value_and_the_next_power_of_two_are_clamped(fmt):
    """D-2, with its intervals."""
    interval = {
        "e5m2": (57344, 65536),
        "e4m3": (448, 512),
        "e3m2": (28, 32),
        "e2m3": (7.5, 8),
        "e2m1": (6, 8),
        "int8": (127 / 64, 2),
    }
    largest, end = interval[fmt.element.name]
    for value in (largest, math.nextafter(largest, end), math.nextafter(end, 0)):
        got = oracle.quantize_block(fmt, [float(value)])
        assert got.scale == 0x7F
        assert oracle.to_float(oracle.dequantize_block(got)[0]) == largest
    assert oracle.quantize_block(fmt, [float(end)]).scale == 0x80


@pytest.mark.parametrize("fmt", BLOCKS, ids=name)
@pytest.mark.parametrize("quantize_block", [oracle.quantize_block, fast.quantize_block])
def test_special_blocks_follow_the_defaults(quantize_block, fmt):
    """A-3, A-6, A-7, A-19."""
    zeros = [0.0] * 32
    assert quantize_block(fmt, zeros) == Block(fmt, 0x00, (0,) * 32)
    signed_zero = 0 if fmt.element.name == "int8" else SIGN_BIT[fmt.element.name]
    assert quantize_block(fmt, [-0.0] * 32) == Block(fmt, 0x00, (signed_zero,) * 32)
    assert quantize_block(fmt, [-0.0, 1.0] * 16).codes[::2] == (signed_zero,) * 16
    for special in (NAN, -NAN, INFINITY, -INFINITY):
        for position in (0, 31):
            values = [1.0] * 32
            values[position] = special
            assert quantize_block(fmt, values) == Block(fmt, 0xFF, (0,) * 32)


def test_a_short_block_is_padded_with_positive_zeros():
    """A-9."""
    fmt = BLOCK_OF["e2m1"]
    assert oracle.quantize_block(fmt, [6.0]) == Block(fmt, 0x7F, (7, *(0,) * 31))


def test_a_nan_scale_hides_the_elements_and_specials_ignore_the_scale():
    """MX-5.1-h before MX-5.1-i before MX-5.1-j, -k."""
    fmt = BLOCK_OF["e5m2"]
    codes = [0x7C, 0xFC, 0x7E, 0x00, 0x80, 0x3C] + [0] * 26
    assert all(n.kind == "nan" for n in oracle.dequantize_block(Block(fmt, 0xFF, codes)))
    values = [oracle.to_float(n) for n in oracle.dequantize_block(Block(fmt, 0x01, codes))]
    want = [INFINITY, -INFINITY, NAN, 0.0, -0.0, 2.0**-126]
    assert all(same_float(got, value) for got, value in zip(values, want, strict=False)), values


def test_every_finite_value_of_a_block_is_exact_in_float32_unless_it_overflows():
    """D-7, and D-8 with its thresholds for overflow."""
    lowest_overflowing_scale = {"e5m2": 113, "e4m3": 120, "e3m2": 124, "e2m3": 126, "e2m1": 126, "int8": 127}
    for fmt in BLOCKS:
        overflowing = set()
        for scale in (0x00, 0x01, 0x02, *range(0xE0, 0xFF)):
            for first in range(0, 1 << fmt.element.bits, 32):
                codes = [code % (1 << fmt.element.bits) for code in range(first, first + 32)]
                b = Block(fmt, scale, codes)
                for value, bits in zip(
                    oracle.dequantize_block(b), oracle.dequantize_block_float32(b), strict=True
                ):
                    back = oracle.from_float32(bits)
                    if value.kind == "finite" and back.kind == "infinite":
                        overflowing.add(scale - 127)
                        assert value.magnitude > Fraction((2 - 2.0**-23) * 2.0**127)
                        assert back.negative == value.negative
                    else:
                        assert back == value
        assert min(overflowing) == lowest_overflowing_scale[fmt.element.name], fmt.name


# --------------------------------------------------------------------------------------------------
# Float32
# --------------------------------------------------------------------------------------------------


def directed_doubles():
    """Float32 values of every exponent, the ties between them, and what lies just beside both."""
    rng = random.Random(20260923)
    fields = [0, 1, 2, 3, 4, 0x3FFFFF, 0x400000, 0x7FFFFD, 0x7FFFFE, 0x7FFFFF]
    for exponent in range(255):
        for fraction in [*fields, *(rng.getrandbits(23) for _ in range(6))]:
            bits = exponent << 23 | fraction
            value = struct.unpack("<f", struct.pack("<I", bits))[0]
            above = struct.unpack("<f", struct.pack("<I", bits + 1))[0] if bits < 0x7F7FFFFF else 2.0**128
            tie = (value + above) / 2  # exact: one bit more than Float32
            for x in (value, tie):
                yield from (x, math.nextafter(x, 0), math.nextafter(x, INFINITY))


def c_float32_bits(value):
    """The bits the C compiler rounds to, or those of Inf where `struct` refuses an overflow."""
    try:
        return struct.unpack("<I", struct.pack("<f", value))[0]
    except OverflowError:
        return 0x7F80_0000 | (0x8000_0000 if value < 0 else 0)


def scaled(value):
    numerator, denominator = value.as_integer_ratio()
    return numerator, 1 - denominator.bit_length()


def test_float32_rounding_agrees_with_the_c_compiler_on_directed_doubles():
    count = 0
    for magnitude in directed_doubles():
        for value in (magnitude, -magnitude):
            want = c_float32_bits(value)
            assert oracle.to_float32(oracle.number(value)) == want, value.hex()
            if value:
                assert fast.float32_bits(*scaled(value)) == want, value.hex()
            count += 1
    assert count > 48_000


def test_float32_overflow_begins_at_the_midpoint_above_vmax():
    vmax, midpoint = (2 - 2.0**-23) * 2.0**127, (2 - 2.0**-24) * 2.0**127
    for value, want in (
        (vmax, 0x7F7FFFFF),
        (math.nextafter(midpoint, 0), 0x7F7FFFFF),
        (midpoint, 0x7F800000),
    ):
        assert oracle.to_float32(oracle.number(value)) == fast.float32_bits(*scaled(value)) == want
    assert oracle.to_float32(oracle.number(Fraction(10) ** 400)) == 0x7F800000


def test_float32_underflow_is_gradual_and_keeps_the_sign():
    tie = Fraction(1, 2**150)
    for value, want in ((tie, 0), (tie + tie**9, 1), (3 * tie, 2), (Fraction(1, 2**149), 1)):
        assert oracle.to_float32(oracle.number(value)) == want
        assert oracle.to_float32(oracle.number(-value)) == want | 0x80000000


def test_float32_bits_read_back_as_the_values_struct_gives():
    rng = random.Random(1)
    for bits in [
        0,
        1,
        0x7FFFFF,
        0x800000,
        0x7F7FFFFF,
        0x7F800000,
        *(rng.getrandbits(31) for _ in range(20_000)),
    ]:
        for pattern in (bits, bits | 0x80000000):
            (want,) = struct.unpack("<f", struct.pack("<I", pattern))
            assert same_float(oracle.to_float(oracle.from_float32(pattern)), want), f"{pattern:#010x}"


ADDITIONS = [
    (0x00000000, 0x00000000, 0x00000000),
    (0x80000000, 0x80000000, 0x80000000),  # -0 + -0 = -0
    (0x80000000, 0x00000000, 0x00000000),
    (0x3F800000, 0xBF800000, 0x00000000),  # 1 - 1 = +0
    (0x80000000, 0x3F800000, 0x3F800000),
    (0x3F800000, 0x33800000, 0x3F800000),  # 1 + 2^-24: tie to even, down
    (0x3F800001, 0x33800000, 0x3F800002),  # tie to even, up
    (0x3F800000, 0x33800001, 0x3F800001),  # one bit above the tie
    (0x7F7FFFFF, 0x73000000, 0x7F800000),  # Vmax + 2^103 rounds to Inf
    (0x7F7FFFFF, 0x72FFFFFF, 0x7F7FFFFF),
    (0x00800000, 0x80000001, 0x007FFFFF),  # into the subnormals
    (0x7F800000, 0x3F800000, 0x7F800000),
    (0xFF800000, 0x7F7FFFFF, 0xFF800000),
    (0x7F800000, 0xFF800000, 0x7FC00000),
    (0xFFFFFFFF, 0x00000000, 0x7FC00000),
    (0x7F800001, 0x7F800000, 0x7FC00000),
]


@pytest.mark.parametrize(("a", "b", "want"), ADDITIONS, ids=lambda x: f"{x:08x}")
@pytest.mark.parametrize("add_float32", [oracle.add_float32, fast.add_float32], ids=["readable", "fast"])
def test_float32_addition_of_directed_pairs(add_float32, a, b, want):
    assert add_float32(a, b) == want
    assert add_float32(b, a) == want


def test_float32_addition_agrees_with_the_c_compiler_on_random_pairs():
    """A float64 sum rounded to Float32 is the Float32 sum: 53 bits are at least 2 * 24 + 2."""
    rng = random.Random(2)
    for _ in range(30_000):
        a = rng.getrandbits(32)
        near = (a & 0x7FFFFFFF) + rng.randint(-30 << 23, 30 << 23)
        b = rng.choice([rng.getrandbits(32), near & 0x7FFFFFFF | rng.getrandbits(1) << 31])
        x, y = (struct.unpack("<f", struct.pack("<I", bits))[0] for bits in (a, b))
        want = 0x7FC00000 if math.isnan(x + y) else c_float32_bits(x + y)
        assert oracle.add_float32(a, b) == want, f"{a:#010x} + {b:#010x}"
        assert fast.add_float32(a, b) == want, f"{a:#010x} + {b:#010x}"


# --------------------------------------------------------------------------------------------------
# Dot products
# --------------------------------------------------------------------------------------------------

both_paths = pytest.mark.parametrize("dot", [oracle.dot, fast.dot], ids=["readable", "fast"])
both_rules = pytest.mark.parametrize("rule", RULES)


@both_paths
@both_rules
@pytest.mark.parametrize("a", BLOCKS, ids=name)
@pytest.mark.parametrize("b", BLOCKS, ids=name)
def test_ones_times_ones_is_32_for_every_pair_of_formats(dot, rule, a, b):
    assert dot([(block(a, [1] * 32), block(b, [1] * 32))], rule) == bits_of(32.0)
    assert dot([(block(a, [1] * 32), block(b, [-1] * 32, scale=0x7B))], rule) == bits_of(-2.0)


@both_paths
@both_rules
def test_int8_carries_two_implicit_scales(dot, rule):
    """D-14: integer sum * 2^(sexpA + sexpB - 12); -128 * -128, 32 times, is 2^19 * 2^-12."""
    fmt = BLOCK_OF["int8"]
    most_negative = Block(fmt, 0x7F, [0x80] * 32)
    assert dot([(most_negative, most_negative)], rule) == bits_of(128.0)
    assert dot([(most_negative, Block(fmt, 0x80, [0x7F] * 32))], rule) == bits_of(-127 * 128 * 32 * 2.0**-11)


def test_block_sums_need_the_widths_of_d_11():
    """In units of (min subnormal of A) * (min subnormal of B), 32 products of the largest magnitudes."""
    widths = {
        (E5M2, E5M2): 69,
        (E5M2, E4M3): 55,
        (E4M3, E4M3): 41,
        (E4M3, E3M2): 32,
        (E4M3, E2M3): 29,
        (E4M3, E2M1): 27,
        (E3M2, E3M2): 23,
        (E3M2, E2M3): 20,
        (E2M3, E2M3): 17,
        (E2M1, E2M1): 13,
        (INT8, INT8): 19,
    }
    for (a, b), width in widths.items():
        largest = (
            Block(BLOCK_OF[a.name], 0x7F, [a.max_code] * 32),
            Block(BLOCK_OF[b.name], 0x7F, [b.max_code] * 32),
        )
        unit = oracle.decode(a, 1).value * oracle.decode(b, 1).value
        steps = oracle.block_dot(*largest).value / unit
        assert steps.denominator == 1
        assert steps.numerator.bit_length() == width, f"{a.name} x {b.name}"
    most_negative = Block(BLOCK_OF["int8"], 0x7F, [0x80] * 32)
    assert (oracle.block_dot(most_negative, most_negative).value * 2**12).numerator.bit_length() == 20


@both_paths
@both_rules
def test_the_last_of_69_bits_decides_an_e5m2_rounding(dot, rule):
    """D-11: 2^30 + 2^6 is a tie of Float32; a product of 2^-32 more rounds it up, 2^-32 less down."""
    fmt = BLOCK_OF["e5m2"]
    tiny = 2.0**-16
    big = [32768.0, 0.0078125]  # with the partner, 2^30 and 2^6: half of the last place of 2^30
    partner = [32768.0, 8192.0]
    assert dot([(block(fmt, big), block(fmt, partner))], rule) == bits_of(2.0**30)
    up = dot([(block(fmt, [*big, tiny]), block(fmt, [*partner, tiny]))], rule)
    assert up == bits_of(2.0**30 + 2.0**7)
    down = dot([(block(fmt, [*big, tiny]), block(fmt, [*partner, -tiny]))], rule)
    assert down == bits_of(2.0**30)
    assert dot([(block(fmt, [57344.0] * 32), block(fmt, [57344.0] * 32))], rule) == bits_of(32 * 57344.0**2)


@both_paths
@both_rules
def test_scales_act_as_an_exponent_sum(dot, rule):
    """D-13: their product may leave Float32 range while the result stays in it."""
    fmt = BLOCK_OF["e5m2"]
    tiny, huge = block(fmt, [2.0**-16], scale=0x00), block(fmt, [2.0**15], scale=0xFE)
    one = block(fmt, [2.0**-16], scale=0xFE)
    assert dot([(tiny, huge)], rule) == bits_of(0.5)
    assert dot([(one, block(fmt, [2.0**-16], scale=0x9F))], rule) == bits_of(2.0 ** (127 + 32 - 32))
    assert dot([(huge, huge)], rule) == 0x7F800000
    assert dot([(huge, block(fmt, [-(2.0**15)], scale=0xFE))], rule) == 0xFF800000
    assert dot([(block(fmt, [1.0], scale=0x00), block(fmt, [1.0], scale=0x69))], rule) == 1  # 2^-149
    assert (
        dot([(block(fmt, [1.0], scale=0x00), block(fmt, [1.0], scale=0x68))], rule) == 0
    )  # the tie at 2^-150
    assert dot([(block(fmt, [1.25], scale=0x00), block(fmt, [1.0], scale=0x68))], rule) == 1


@both_paths
@both_rules
def test_a_nan_scale_or_element_makes_the_result_nan_even_over_zeros(dot, rule):
    fmt = BLOCK_OF["e4m3"]
    zeros, ones = block(fmt, []), block(fmt, [1.0])
    nan_scale = Block(fmt, 0xFF, [0] * 32)
    nan_element = Block(fmt, 0x7F, [0] * 31 + [0xFF])
    for bad in (nan_scale, nan_element):
        for pair in ((bad, zeros), (zeros, bad), (bad, bad)):
            assert dot([pair], rule) == 0x7FC00000
            assert dot([(ones, ones), pair, (ones, ones)], rule) == 0x7FC00000


@both_paths
@both_rules
def test_infinities_follow_ieee_754(dot, rule):
    fmt = BLOCK_OF["e5m2"]
    inf, one, zero, small = INFINITY, 1.0, 0.0, 2.0**-16
    cases = [
        ([inf], [one], 0x7F800000),
        ([inf], [-small], 0xFF800000),
        ([-inf], [-inf], 0x7F800000),
        ([inf], [zero], 0x7FC00000),
        ([-0.0], [inf], 0x7FC00000),
        ([inf, inf], [one, one], 0x7F800000),
        ([inf, inf], [one, -one], 0x7FC00000),
        ([inf, 57344.0], [one, -57344.0], 0x7F800000),
    ]
    for a, b, want in cases:
        for scale in (0x00, 0x7F, 0xFE):
            assert dot([(block(fmt, a, scale), block(fmt, b))], rule) == want, (a, b, scale)
    assert dot([(block(fmt, [inf]), block(fmt, [one], scale=0xFF))], rule) == 0x7FC00000
    assert dot([(block(fmt, [inf], scale=0xFF), block(fmt, [one]))], rule) == 0x7FC00000
    positive, negative = ((block(fmt, [x]), block(fmt, [one])) for x in (inf, -inf))
    assert dot([positive, negative], rule) == 0x7FC00000
    assert dot([positive, positive], rule) == 0x7F800000
    assert dot([positive], rule, 0xFF800000) == 0x7FC00000
    assert dot([positive], rule, 0xFF7FFFFF) == 0x7F800000


@both_paths
def test_the_sign_of_a_zero_result(dot):
    """A-30: an exact zero is +0, a negative sum that underflows is -0; IEEE 754 addition decides the rest."""
    fmt = BLOCK_OF["e4m3"]
    minus_zeros = (block(fmt, [-0.0] * 32), block(fmt, [1.0] * 32))
    cancelling = (block(fmt, [1.5, -1.5]), block(fmt, [2.0, 2.0]))
    underflow = (block(fmt, [-1.0], scale=0x00), block(fmt, [1.0], scale=0x00))
    minus_zero = 0x80000000
    for rule in RULES:
        assert dot([minus_zeros], rule) == dot([cancelling], rule) == 0
        assert dot([minus_zeros], rule, minus_zero) == dot([cancelling], rule, minus_zero) == 0
    assert dot([underflow], "exact_fp32") == minus_zero
    assert dot([underflow], "exact_fp32", minus_zero) == minus_zero
    assert dot([underflow], "block32_fp32_add") == 0  # +0 + -0
    assert dot([underflow], "block32_fp32_add", minus_zero) == minus_zero


@both_paths
def test_the_rules_round_where_they_say(dot):
    """2^24 + 1 + 1: the exact sum keeps both units, the Float32 running value drops each as a tie."""
    fmt = BLOCK_OF["int8"]
    big = (block(fmt, [1.0], scale=0x7F + 24), block(fmt, [1.0]))
    unit = (block(fmt, [1.0]), block(fmt, [1.0]))
    assert dot([big, unit, unit], "exact_fp32") == bits_of(2.0**24 + 2)
    assert dot([big, unit, unit], "block32_fp32_add") == bits_of(2.0**24)
    assert dot([unit, unit, big], "block32_fp32_add") == bits_of(2.0**24 + 2)
    assert dot([unit, unit], "exact_fp32", bits_of(2.0**24)) == bits_of(2.0**24 + 2)
    assert dot([unit, unit], "block32_fp32_add", bits_of(2.0**24)) == bits_of(2.0**24)


@both_paths
def test_block_results_that_overflow_are_infinite_only_where_each_block_is_rounded(dot):
    fmt = BLOCK_OF["e4m3"]
    huge = (block(fmt, [2.0], scale=0xFE), block(fmt, [1.0]))
    minus_huge = (block(fmt, [-2.0], scale=0xFE), block(fmt, [1.0]))
    assert dot([huge, minus_huge], "exact_fp32") == 0
    assert dot([huge, minus_huge], "block32_fp32_add") == 0x7FC00000  # Inf - Inf


@both_paths
@both_rules
def test_no_blocks_at_all_give_the_start_value(dot, rule):
    assert dot([], rule) == 0
    assert dot([], rule, 0x3F800001) == 0x3F800001
    assert dot([], rule, 0xFF800000) == 0xFF800000
    assert dot([], rule, 0xFFC12345) == 0x7FC00000
    assert dot([], rule, 0x80000000) == (0 if rule == "exact_fp32" else 0x80000000)


# --------------------------------------------------------------------------------------------------
# The fast path against the readable one
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", [*ELEMENTS, *MADE_UP_ELEMENTS], ids=name)
def test_the_fast_rounding_equals_the_readable_one_at_every_breakpoint(fmt):
    """Every value, every tie and what lies just beside them, by a float64 step and by far less."""
    nearest_code = fast.magnitude_rounder(fmt)
    for point in breakpoints(fmt):
        for offset in (Fraction(0), point / 2**52, -point / 2**53, point / 2**200, -point / 2**200):
            value = point + offset
            if not value:
                continue
            n, e = value.numerator, 1 - value.denominator.bit_length()
            got = min(nearest_code(n, e), fmt.max_code)
            assert got == oracle.encode(fmt, value), f"{fmt.name} {value}"


def random_block_values(rng, fmt, count):
    """Floats of close or distant exponents, breakpoints of the element, zeros; rarely NaN or Inf."""
    points = [float(point) for point in breakpoints(fmt.element)]
    kind = rng.randrange(5)
    base = rng.choice([rng.randint(-30, 30), rng.randint(-150, 150), rng.randint(-1074, 1020)])
    values = []
    for _ in range(count):
        if kind == 0:
            (value,) = struct.unpack("<d", rng.randbytes(8))
        elif kind == 1:
            value = math.ldexp(rng.choice(points), base) if base < 900 else rng.choice(points)
            value = rng.choice([value, math.nextafter(value, INFINITY), math.nextafter(value, 0)])
        elif kind == 2:
            value = rng.choice([0.0, 0.0, 1.0]) * math.ldexp(rng.random(), base)
        else:
            value = math.ldexp(1 + rng.random(), min(max(base - rng.randrange(1 << kind * 2), -1074), 1023))
        values.append(-value if rng.random() < 0.5 else value)
    if rng.random() < 0.05:
        values[rng.randrange(count)] = rng.choice([NAN, INFINITY, -INFINITY])
    return values


@pytest.mark.parametrize("fmt", [*BLOCKS, *MADE_UP_BLOCKS], ids=name)
def test_the_fast_conversion_equals_the_readable_one_on_random_blocks(fmt):
    rng = random.Random(f"quantize {fmt.name}")
    scales = set()
    for _ in range(600):
        values = random_block_values(rng, fmt, fmt.block_size)
        want = oracle.quantize_block(fmt, values)
        assert fast.quantize_block(fmt, values) == want, f"{fmt.name} {[v.hex() for v in values]}"
        scales.add(want.scale)
    assert {0x00, 0xFE, 0xFF} <= scales  # the directed ranges were reached


def random_pair(rng, a_format, b_format):
    """Two blocks of codes: random, with specials or without, cancelling in half of the cases."""
    size = a_format.block_size
    blocks = []
    for fmt in (a_format, b_format):
        codes = [rng.randrange(1 << fmt.element.bits) for _ in range(size)]
        if rng.random() < 0.95:
            codes = [c if oracle.decode(fmt.element, c).kind == "finite" else rng.randrange(4) for c in codes]
        middle = rng.randrange(0x100)
        scale = rng.choice([0x7F, middle, 0x00, 0xFE, 0xFF if rng.random() < 0.1 else middle])
        blocks.append(Block(fmt, scale, codes))
    a, b = blocks
    if rng.random() < 0.5:
        half = size // 2
        a.codes[half : 2 * half] = [
            oracle.encode(a_format.element, -oracle.decode(a_format.element, c).value)
            if oracle.decode(a_format.element, c).kind == "finite"
            else c
            for c in a.codes[:half]
        ]
        b.codes[half : 2 * half] = b.codes[:half]
        if rng.random() < 0.7:
            a.codes[rng.randrange(size)] = rng.randrange(1 << a_format.element.bits)
    return a, b


@pytest.mark.parametrize("a_format", [*BLOCKS, *MADE_UP_BLOCKS], ids=name)
def test_the_fast_dot_equals_the_readable_one_on_random_blocks(a_format):
    rng = random.Random(f"dot {a_format.name}")
    partners = [f for f in (*BLOCKS, *MADE_UP_BLOCKS) if f.block_size == a_format.block_size]
    results = set()
    for _ in range(250):
        b_format = rng.choice(partners)
        pairs = [random_pair(rng, a_format, b_format) for _ in range(rng.choice([0, 1, 1, 2, 4]))]
        c = rng.choice([None, 0x80000000, 0xFFC00001, 0xFF800000, rng.getrandbits(32), rng.getrandbits(32)])
        for rule in RULES:
            want = oracle.dot(pairs, rule, c)
            assert fast.dot(pairs, rule, c) == want, f"{rule} c={c} {pairs}"
            results.add(want)
    assert {0x7FC00000, 0x7F800000, 0xFF800000} <= results
    assert len(results) > 60


def test_every_pair_of_e5m2_codes_has_the_same_product_on_both_paths():
    """All specials against all values, in one format that has every kind of code."""
    fmt = BLOCK_OF["e5m2"]
    numbers = [oracle.decode(E5M2, code) for code in range(256)]
    for a in range(256):
        for b in range(256):
            pair = Block(fmt, 0x7F, [a] + [0] * 31), Block(fmt, 0x7F, [b] + [0] * 31)
            want = oracle.to_float32(total([product(numbers[a], numbers[b])]))
            assert fast.dot([pair], "exact_fp32") == want, f"{a:#04x} * {b:#04x}"


# --------------------------------------------------------------------------------------------------
# What is refused, and what the oracle is made of
# --------------------------------------------------------------------------------------------------


def test_bad_input_is_refused_with_the_choice():
    fmt = BLOCK_OF["e2m1"]
    good = block(fmt, [1.0])
    small = BlockFormat("small", E2M1, E8M0, block_size=16)
    with pytest.raises(CodeRangeError, match="0x10 does not fit 4 bits"):
        oracle.decode(E2M1, 16)
    with pytest.raises(CodeRangeError, match="fit 4 bits"):
        oracle.decode(E2M1, -1)
    with pytest.raises(UnknownNameError, match="choose one of: overflow, saturate"):
        oracle.encode(E2M1, 1.0, "wrap")
    for element in (E3M2, E2M3, E2M1, INT8):
        with pytest.raises(DefinitionError, match="use overflow='saturate'"):
            oracle.encode(element, 1.0, "overflow")
    with pytest.raises(DefinitionError, match="decode it only"):
        oracle.encode(E8M0, 1.0)
    with pytest.raises(DefinitionError, match="biased exponent"):
        oracle.quantize_block(BlockFormat("b", E2M1, E4M3), [1.0])
    for dot in (oracle.dot, fast.dot):
        with pytest.raises(UnknownNameError, match="choose one of: block32_fp32_add, exact_fp32"):
            dot([], "fp32")
        with pytest.raises(CodeRangeError, match="does not fit 32 bits"):
            dot([], "exact_fp32", 1 << 32)
        with pytest.raises(ShapeError, match="32 elements against one of 16"):
            dot([(good, Block(small, 0x7F, [0] * 16))], "exact_fp32")
        with pytest.raises(ShapeError, match="31 codes"):
            dot([(good, Block(fmt, 0x7F, [0] * 31))], "exact_fp32")
        for bad in (
            Block(fmt, 0x100, [0] * 32),
            Block(fmt, 0x7F, [16] + [0] * 31),
            Block(fmt, 0x7F, [-1] * 32),
        ):
            with pytest.raises(CodeRangeError):
                dot([(good, bad)], "exact_fp32")
    for quantize_block in (oracle.quantize_block, fast.quantize_block):
        with pytest.raises(ShapeError):
            quantize_block(fmt, [0.0] * 33)


ORACLE_FILES = sorted(Path(oracle.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", ORACLE_FILES, ids=lambda p: p.name)
def test_the_oracle_imports_only_descriptions_from_the_project_and_no_numpy(path):
    """Formats, options and rules are data: what is done with them, the oracle does itself."""
    allowed = {"refmodel.accumulate.rule", "refmodel.formats", "refmodel.errors", "refmodel.options"}
    standard = {
        "__future__",
        "collections",
        "decimal",
        "dataclasses",
        "fractions",
        "functools",
        "math",
        "operator",
        "typing",
    }
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [node.module]
        for module in modules:
            own = module in allowed or module.split(".")[:2] == ["refmodel", "oracle"]
            assert own or module.split(".")[0] in standard, f"{path.name} imports {module}"


@pytest.mark.parametrize("path", ORACLE_FILES, ids=lambda p: p.name)
def test_the_oracle_names_no_format(path):
    names = {*OCP_FORMATS, *(f.name for f in ELEMENTS), E8M0.name}
    strings = {
        n.value.lower()
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    identifiers = {n.id.lower() for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Name)}
    assert not names & (strings | identifiers)
    assert FLOAT32.name not in names
