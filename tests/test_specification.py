"""The model gives what MX v1.0 and OFP8 Rev 1.0 print: one test a group of clauses, none of them by the model's means.

Format parameters, codes and limits are typed from the tables of the specifications, values follow from their
formulas in exact arithmetic, nearest values from a search over all of them. The docstring of a test names the
clauses that it exercises; `refmodel/conformance/clauses.toml` has the same links from the other side.
"""

from __future__ import annotations

import itertools
import math
import random
from bisect import bisect_left
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

import refmodel as mx

# Exponent bits, mantissa bits, bias: MX v1.0 tables 2, 4 and 5, OFP8 table 1.
FLOATS = {"e5m2": (5, 2, 15), "e4m3": (4, 3, 7), "e3m2": (3, 2, 3), "e2m3": (2, 3, 1), "e2m1": (2, 1, 1)}
LARGEST = {"e5m2": 57344, "e4m3": 448, "e3m2": 28, "e2m3": 7.5, "e2m1": 6, "int8": 127 / 64}
LARGEST_POWER = {"e5m2": 15, "e4m3": 8, "e3m2": 4, "e2m3": 2, "e2m1": 2, "int8": 0}
ELEMENTS = [*FLOATS, "int8"]
BLOCKS = {
    "e5m2": "mxfp8_e5m2",
    "e4m3": "mxfp8_e4m3",
    "e3m2": "mxfp6_e3m2",
    "e2m3": "mxfp6_e2m3",
    "e2m1": "mxfp4_e2m1",
    "int8": "mxint8",
}
INFINITY, NAN = math.inf, math.nan

# The codes that are no numbers, both signs: MX v1.0 table 2. FP6, FP4 and INT8 have none.
SPECIAL_CODES = {
    "e5m2": {0x7C: INFINITY, 0xFC: -INFINITY} | dict.fromkeys((0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF), NAN),
    "e4m3": dict.fromkeys((0x7F, 0xFF), NAN),
}


def width(element: str) -> int:
    return 8 if element == "int8" else 1 + sum(FLOATS[element][:2])


@cache
def value_of(element: str, code: int) -> float:
    """Return the value of a code by the formulas of sections 5.3 and 5.3.4; exact."""
    if code in SPECIAL_CODES.get(element, {}):
        return SPECIAL_CODES[element][code]
    if element == "int8":
        return (code - 256 if code >= 128 else code) / 64
    exponent_bits, mantissa_bits, bias = FLOATS[element]
    digits = f"{code:0{width(element)}b}"
    sign = -1.0 if digits[0] == "1" else 1.0
    exponent, mantissa = int(digits[1 : 1 + exponent_bits], 2), int(digits[1 + exponent_bits :], 2)
    fraction = mantissa / 2**mantissa_bits
    return sign * (math.ldexp(1 + fraction, exponent - bias) if exponent else math.ldexp(fraction, 1 - bias))


def values_of(element: str) -> np.ndarray:
    return np.array([value_of(element, code) for code in range(1 << width(element))])


def code_of(element: str, value: float) -> int:
    """Return the code of a value that the element has; of zero the one without sign."""
    return next(code for code in range(1 << width(element)) if value_of(element, code) == value)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal, NaN where NaN, and zeros of the same sign."""
    both_nan = np.isnan(a) & np.isnan(b)
    return bool(((a == b) & (np.signbit(a) == np.signbit(b)) | both_nan).all())


@cache
def magnitudes(element: str) -> list[tuple[Fraction, int]]:
    """Return (value, code) of all finite codes that are not negative, in the order of the values."""
    positive = range(1 << width(element) - 1)
    return sorted((Fraction(value_of(element, c)), c) for c in positive if math.isfinite(value_of(element, c)))


def negated(element: str, code: int) -> int:
    return -code & 0xFF if element == "int8" else code | 1 << width(element) - 1


def nearest(element: str, value: Fraction) -> int:
    """Return the code of the nearest value, of two the one whose last digit is even; beyond the largest the largest."""
    known = magnitudes(element)
    place = bisect_left(known, (abs(value), -1))
    if place == len(known):
        code = known[-1][1]
    elif place == 0:
        code = known[0][1]
    else:
        (low, low_code), (high, high_code) = known[place - 1 : place + 1]
        below, above = abs(value) - low, high - abs(value)
        code = low_code if below < above or (below == above and low_code % 2 == 0) else high_code
    return negated(element, code) if value < 0 else code


def single_blocks(element: str, codes: np.ndarray, scales: np.ndarray) -> mx.Blocks:
    """Return blocks [N] of 32 codes each."""
    return mx.Blocks(mx.get_format(BLOCKS[element]), np.asarray(codes, np.uint8), np.asarray(scales, np.uint8))


def rows_of_codes(element: str) -> np.ndarray:
    """Return rows of 32 in which every code occurs."""
    codes = np.arange(1 << width(element))
    return np.resize(codes, (max(1, codes.size // 32), 32))


# ---------------------------------------------------------------------------------------------------------
# Elements and scales
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("element", FLOATS)
def test_every_code_has_the_value_of_the_formulas(element: str) -> None:
    """MX-5.3-a, MX-5.3-b, MX-5.3-c, MX-5.3.1-a, MX-5.3.1-d, MX-5.3.2-a, MX-5.3.3-a, OFP8-5.1-a, OFP8-5.1-b,
    OFP8-5.1-c: fields from the left are sign, exponent, mantissa."""
    assert same(mx.decode(element, np.arange(1 << width(element))), values_of(element))


# Smallest subnormal, largest subnormal, smallest normal, largest normal, each (code, value).
LIMITS = {
    "e5m2": [(0x01, 2.0**-16), (0x03, 0.75 * 2.0**-14), (0x04, 2.0**-14), (0x7B, 57344)],
    "e4m3": [(0x01, 2.0**-9), (0x07, 0.875 * 2.0**-6), (0x08, 2.0**-6), (0x7E, 448)],
    "e3m2": [(0x01, 0.0625), (0x03, 0.1875), (0x04, 0.25), (0x1F, 28)],
    "e2m3": [(0x01, 0.125), (0x07, 0.875), (0x08, 1.0), (0x1F, 7.5)],
    "e2m1": [(0x1, 0.5), (0x1, 0.5), (0x2, 1.0), (0x7, 6.0)],
}


@pytest.mark.parametrize("element", FLOATS)
def test_limits_are_those_of_the_tables(element: str) -> None:
    """MX-4.1-d, MX-4.1-e, MX-5.3.1-d, MX-5.3.2-a, MX-5.3.3-a, OFP8-4.2-b, OFP8-5.1-f."""
    for code, value in LIMITS[element]:
        assert mx.decode(element, [code, negated(element, code)]).tolist() == [value, -value]
    zeros = mx.decode(element, [0, negated(element, 0)])
    assert same(zeros, np.array([0.0, -0.0]))
    if element in SPECIAL_CODES:
        binades = {"e4m3": 18, "e5m2": 32}
        (_, smallest), *_, (_, largest) = LIMITS[element]
        assert math.frexp(largest)[1] - math.frexp(smallest)[1] + 1 == binades[element]


def test_fp8_has_these_special_codes_and_no_others() -> None:
    """MX-4.1-f, MX-5.3.1-d, OFP8-5.1-d, OFP8-5.1-e: E5M2 two Inf and six NaN, E4M3 two NaN."""
    for element, specials in SPECIAL_CODES.items():
        values = mx.decode(element, np.arange(256))
        assert {code: values[code] for code in np.flatnonzero(np.isinf(values))} == {
            code: value for code, value in specials.items() if math.isinf(value)
        }
        assert set(np.flatnonzero(np.isnan(values))) == {c for c, value in specials.items() if math.isnan(value)}


@pytest.mark.parametrize("element", ["e3m2", "e2m3", "e2m1", "int8"])
def test_fp6_fp4_and_int8_have_finite_codes_only(element: str) -> None:
    """MX-5.3.2-b, MX-5.3.3-b, MX-5.3.4-b."""
    assert np.isfinite(mx.decode(element, np.arange(1 << width(element)))).all()


def test_int8_is_twos_complement_with_six_fraction_bits() -> None:
    """MX-5.3.4-a, MX-5.3.4-g, MX-5.3.4-h: table 6, and all codes as signed integers over 64."""
    codes = [0x00, 0x01, 0x40, 0x7F, 0x80, 0x81, 0xC0, 0xFF]
    values = [0, 0.015625, 1.0, 1.984375, -2.0, -1.984375, -1.0, -0.015625]
    assert mx.decode("int8", codes).tolist() == values
    assert (mx.decode("int8", np.arange(256)) * 64).tolist() == [*range(128), *range(-128, 0)]
    assert not np.signbit(mx.decode("int8", [0])).any()


def test_scale_codes_are_biased_exponents() -> None:
    """MX-5.4.1-a, MX-5.4.1-b, MX-5.4.1-c, MX-5.4.1-d, MX-5.1-m: 2**-127 to 2**127, one NaN, neither zero nor Inf."""
    values = mx.decode(mx.get_scale("e8m0"), np.arange(256))
    assert values[:255].tolist() == [math.ldexp(1.0, exponent) for exponent in range(-127, 128)]
    assert math.isnan(values[255])
    float32_fields = values[1:255].astype(np.float32).view(np.uint32) >> 23
    assert float32_fields.tolist() == list(range(1, 255))


# ---------------------------------------------------------------------------------------------------------
# Blocks
# ---------------------------------------------------------------------------------------------------------


def test_concrete_formats_have_the_parameters_of_table_1() -> None:
    """MX-5.1-d, MX-5.2-a, MX-5.2-b, MX-5.2.1-b, MX-5.2.1-c."""
    table = {
        "mxfp8_e5m2": (8, 264),
        "mxfp8_e4m3": (8, 264),
        "mxfp6_e3m2": (6, 200),
        "mxfp6_e2m3": (6, 200),
        "mxfp4_e2m1": (4, 136),
        "mxint8": (8, 264),
    }
    assert set(mx.OCP_FORMATS) == set(table)
    for name, (element_bits, block_bits) in table.items():
        fmt = mx.get_format(name)
        assert (fmt.block_size, fmt.element.bits, fmt.scale.name, fmt.scale.bits) == (32, element_bits, "e8m0", 8)
        assert fmt.block_bits == block_bits


@pytest.mark.parametrize("element", ELEMENTS)
def test_every_value_is_the_product_of_the_scale_of_its_block_and_its_element(element: str) -> None:
    """MX-5.1-b, MX-5.1-k: all codes in one block layout under every scale; the product is exact in float64."""
    rows = rows_of_codes(element)
    exponents = np.arange(-127, 128)
    codes = np.broadcast_to(rows, (exponents.size, *rows.shape)).reshape(-1, 32)
    scales = np.repeat(exponents + 127, len(rows))
    got = mx.dequantize(single_blocks(element, codes[:, None], scales[:, None]), dtype=np.float64)
    want = np.ldexp(values_of(element)[rows], exponents[:, None, None]).reshape(-1, 32)
    assert same(got, want)
    # In Float32 too, unless beyond its largest number (MX-5.1-j).
    single = mx.dequantize(single_blocks(element, codes[:, None], scales[:, None]))
    within = ~(np.abs(want) > float(np.finfo(np.float32).max)) | np.isinf(want)
    assert same(single[within].astype(np.float64), want[within])


@pytest.mark.parametrize("element", ELEMENTS)
def test_a_nan_scale_makes_every_value_nan(element: str) -> None:
    """MX-4-d, MX-5.1-h: whatever the codes are."""
    rows = rows_of_codes(element)
    assert np.isnan(mx.dequantize(single_blocks(element, rows, np.full(len(rows), 0xFF)))).all()


def test_special_elements_are_not_touched_by_a_scale() -> None:
    """MX-5.1-i, and MX-5.1-k only after it: Inf keeps its sign, NaN stays, under all scales but NaN."""
    for element, specials in SPECIAL_CODES.items():
        codes = np.resize(np.array(list(specials)), 32)
        got = mx.dequantize(single_blocks(element, np.tile(codes, (255, 1))[:, None], np.arange(255)[:, None]))
        want = np.array([specials[code] for code in codes.tolist()])
        assert all(np.array_equal(row, want, equal_nan=True) for row in got)


def test_a_product_beyond_float32_is_the_choice_that_is_made() -> None:
    """MX-4.1-b, MX-5.1-j: Inf or the largest Float32, with the sign of the product."""
    blocks = single_blocks("e5m2", np.resize([0x7B, 0xFB], (1, 32)), [0xFE])
    assert mx.dequantize(blocks)[:2].tolist() == [INFINITY, -INFINITY]
    limit = np.array([0x7F7FFFFF, 0xFF7FFFFF], np.uint32)
    assert mx.dequantize(blocks, overflow="saturate")[:2].view(np.uint32).tolist() == limit.tolist()


# ---------------------------------------------------------------------------------------------------------
# Conversion of numbers to elements
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("element", ELEMENTS)
def test_ties_go_to_the_even_code_and_all_else_to_the_nearest(element: str) -> None:
    """MX-4.1-g, MX-5.3.2-c, MX-5.3.3-c, MX-5.3.4-c, OFP8-5.2.1-c, OFP8-5.2.1-g, OFP8-5.2.1-i, MX-6.3-g: at every
    value, at every midpoint of two, and at the Float32 numbers on either side of both."""
    known = [value for value, _ in magnitudes(element)]
    points = {*known, *((low + high) / 2 for low, high in itertools.pairwise(known))}
    singles = np.array(sorted(map(float, points)), np.float32)
    assert set(map(Fraction, singles.tolist())) == points, "all are Float32 numbers"
    near = np.concatenate([singles, np.nextafter(singles, np.float32(np.inf)), np.nextafter(singles, np.float32(0))])
    inputs = np.concatenate([near, -near])
    got = mx.encode(element, inputs)
    for number, code in zip(inputs.tolist(), got.tolist(), strict=True):
        want = nearest(element, Fraction(number))
        if number == 0 or (want == 0 and number < 0):
            want = negated(element, 0) if math.copysign(1, number) < 0 else 0
        assert code == want, f"{number.hex()}: {code:#x}, not {want:#x}"


# Midpoint between the largest value and the next one that the grid would have: MX v1.0 tables 2, 4, 5, 6.
MIDPOINT = {"e5m2": 61440, "e4m3": 464, "e3m2": 30, "e2m3": 7.75, "e2m1": 7, "int8": 127.5 / 64}


@pytest.mark.parametrize("element", ELEMENTS)
def test_beyond_the_range_lies_the_largest_magnitude_with_its_sign(element: str) -> None:
    """MX-5.3.1-b, MX-5.3.1-e, MX-5.3.2-e, MX-5.3.2-g, MX-5.3.3-e, MX-5.3.3-g, MX-5.3.4-e, OFP8-5.2.1-b,
    OFP8-5.2.1-f, OFP8-5.2.1-h, OFP8-5.2.1-k, OFP8-5.2.1-l: saturation, of large numbers and of Inf."""
    largest = np.float32(LARGEST[element])
    above = np.float32(MIDPOINT[element])
    around = [np.nextafter(above, np.float32(0)), above, np.nextafter(above, np.float32(np.inf))]
    inputs = np.array([largest, *around, 3e38, np.inf], np.float32)
    for sign in (1, -1):
        codes = mx.encode(element, sign * inputs, overflow="saturate")
        assert codes.tolist() == [code_of(element, sign * float(largest))] * inputs.size


def test_fp8_without_saturation_overflows_after_rounding() -> None:
    """MX-5.3.1-b, MX-5.3.1-e, OFP8-5.2.1-b, OFP8-5.2.1-f, OFP8-5.2.1-g, OFP8-5.2.1-h, OFP8-5.2.1-l: E4M3 to NaN,
    but not at 464, which rounds to 448; E5M2 to Inf, from 61440 on, which rounds to 65536."""
    just = np.nextafter
    e4m3 = np.array([448, 464, just(np.float32(464), np.float32(465)), 480, 3e38, np.inf], np.float32)
    assert mx.encode("e4m3", e4m3, overflow="overflow").tolist() == [0x7E, 0x7E, 0x7F, 0x7F, 0x7F, 0x7F]
    assert np.isnan(mx.decode("e4m3", mx.encode("e4m3", -e4m3[2:], overflow="overflow"))).all()
    e5m2 = np.array([57344, just(np.float32(61440), np.float32(0)), 61440, 65536, 3e38, np.inf], np.float32)
    assert mx.encode("e5m2", e5m2, overflow="overflow").tolist() == [0x7B, 0x7B, 0x7C, 0x7C, 0x7C, 0x7C]
    assert mx.encode("e5m2", -e5m2, overflow="overflow").tolist() == [0xFB, 0xFB, 0xFC, 0xFC, 0xFC, 0xFC]


@pytest.mark.parametrize("overflow", ["saturate", "overflow"])
def test_nan_becomes_a_nan_of_fp8(overflow: str) -> None:
    """MX-5.3.1-e, OFP8-5.2.1-e, OFP8-5.2.1-k, OFP8-5.2.1-l: in both modes, quiet or not, of either sign."""
    patterns = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    for element in SPECIAL_CODES:
        assert np.isnan(mx.decode(element, mx.encode(element, patterns, overflow=overflow))).all()


@pytest.mark.parametrize("element", ["e3m2", "e2m3", "e2m1", "int8"])
def test_nan_becomes_what_is_chosen_where_there_is_none(element: str) -> None:
    """MX-5.3.2-i, MX-5.3.3-i, MX-5.3.4-i."""
    nan = np.float32([np.nan])
    assert mx.decode(element, mx.encode(element, nan)).tolist() == [LARGEST[element]]
    zero = mx.EncodeOptions(nan_to_finite="positive_zero")
    assert mx.decode(element, mx.encode(element, nan, options=zero)).tolist() == [0]


@pytest.mark.parametrize("element", ELEMENTS)
def test_what_rounds_below_the_smallest_magnitude_is_zero(element: str) -> None:
    """MX-5.3.2-h, MX-5.3.3-h, MX-5.3.4-j, OFP8-5.2.1-j, OFP8-5.2.1-k, OFP8-5.2.1-l: half of it is a tie and goes to
    zero, with its sign where there is a zero of that sign; one Float32 step more goes to the smallest magnitude."""
    smallest = np.float32(min(value for value, _ in magnitudes(element) if value))
    half = smallest / 2
    tiny = np.float32(2.0**-149)
    inputs = np.array([0, tiny, np.nextafter(half, np.float32(0)), half], np.float32)
    beyond = np.nextafter(half, np.float32(1))
    assert mx.encode(element, inputs).tolist() == [0] * 4
    assert mx.encode(element, -inputs).tolist() == [negated(element, 0)] * 4
    assert mx.decode(element, mx.encode(element, [beyond, -beyond])).tolist() == [smallest, -smallest]


# ---------------------------------------------------------------------------------------------------------
# Conversion of vectors to blocks
# ---------------------------------------------------------------------------------------------------------


def random_vectors(seed: str, count: int) -> np.ndarray:
    """Return Float32 numbers [count, 32] whose exponents differ by up to 16, over the range of scales."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        top = rng.randint(-135, 127)
        signed = [rng.choice((-1, 0, 1, 1, -1)) * (1 + rng.getrandbits(23) / 2**23) for _ in range(32)]
        rows.append([math.ldexp(number, top - rng.randrange(17)) for number in signed])
    return np.array(rows, np.float64).astype(np.float32)


@pytest.mark.parametrize("element", ELEMENTS)
def test_a_vector_becomes_a_scale_and_elements_by_the_two_steps(element: str) -> None:
    """MX-6.3-a, MX-6.3-b, MX-6.3-c, MX-6.3-d, MX-6.3-e, MX-6.3-g: exact logarithms, quotients and nearest values."""
    numbers = random_vectors(f"vectors {element}", 150)
    blocks = mx.quantize(numbers, BLOCKS[element])
    assert blocks.codes.shape == (150, 1, 32)
    made = zip(blocks.codes[:, 0].tolist(), blocks.scales[:, 0].tolist(), strict=True)
    for row, (codes, scale) in zip(numbers.tolist(), made, strict=True):
        largest = max(map(abs, row))
        exponent = math.frexp(largest)[1] - 1 - LARGEST_POWER[element]
        assert scale == min(max(exponent, -127), 127) + 127
        for number, code in zip(row, codes, strict=True):
            want = nearest(element, Fraction(number) / Fraction(2) ** (scale - 127))
            if want == 0 and math.copysign(1, number) < 0:
                want = negated(element, 0)
            assert code == want, f"{number.hex()} under scale {scale:#04x}"


@pytest.mark.parametrize("element", ELEMENTS)
def test_scaled_numbers_beyond_the_largest_element_are_clamped(element: str) -> None:
    """MX-6.3-b, MX-6.3-e: from the largest element up to the next power of two, at which the scale steps."""
    largest, end = np.float32(LARGEST[element]), np.float32(2.0 ** (LARGEST_POWER[element] + 1))
    for top in (largest, np.nextafter(largest, end), np.nextafter(end, np.float32(0))):
        blocks = mx.quantize(np.float32([[top, -top] + [0] * 30]), BLOCKS[element])
        assert blocks.scales.tolist() == [[0x7F]]
        assert mx.dequantize(blocks)[0, :2].tolist() == [largest, -largest]
    assert mx.quantize(np.float32([[end] + [0] * 31]), BLOCKS[element]).scales.tolist() == [[0x80]]


# ---------------------------------------------------------------------------------------------------------
# Dot products
# ---------------------------------------------------------------------------------------------------------


def narrow_codes(rng: random.Random, element: str, count: int) -> list[int]:
    """Return codes of values with few bits, so that sums of 32 products are Float32 numbers in any order."""
    values = [v for v in values_of(element).tolist() if math.isfinite(v) and (v * 8).is_integer() and abs(v) <= 8]
    if element in ("e5m2", "e4m3"):
        return [code_of(element, rng.choice(values)) for _ in range(count)]
    return [rng.randrange(1 << width(element)) for _ in range(count)]


@pytest.mark.parametrize(("a", "b"), list(itertools.product(ELEMENTS, repeat=2)), ids="-".join)
def test_a_block_dot_product_is_the_product_of_the_scales_times_the_sum_of_the_products(a: str, b: str) -> None:
    """MX-6.1-a, MX-6.1-b, MX-6.2-a: a Float32 scalar, whose exact value needs no rounding here."""
    rng = random.Random(f"dot {a} {b}")
    for _ in range(8):
        codes_a, codes_b = narrow_codes(rng, a, 32), narrow_codes(rng, b, 32)
        scale_a, scale_b = rng.randint(100, 150), rng.randint(100, 150)
        got = mx.dot(single_blocks(a, [codes_a], [scale_a]), single_blocks(b, [codes_b], [scale_b]))
        products = (Fraction(value_of(a, x)) * Fraction(value_of(b, y)) for x, y in zip(codes_a, codes_b, strict=True))
        exact = sum(products) * Fraction(2) ** (scale_a - 127) * Fraction(2) ** (scale_b - 127)
        assert got.dtype == np.float32
        assert got.shape == ()
        assert Fraction(float(got)) == exact


@pytest.mark.parametrize("rule", ["exact_fp32", "block32_fp32_add"])
def test_a_general_dot_product_is_the_sum_of_those_of_its_blocks(rule: str) -> None:
    """MX-6.2-a, MX-6.2-c: a Float32 scalar, for several blocks under scales of their own."""
    rng = random.Random("general")
    for _ in range(20):
        count = rng.randint(2, 5)
        codes_a, codes_b = ([narrow_codes(rng, "int8", 32) for _ in range(count)] for _ in "ab")
        scales_a, scales_b = ([rng.randint(126, 128) for _ in range(count)] for _ in "ab")
        a, b = single_blocks("int8", codes_a, scales_a), single_blocks("int8", codes_b, scales_b)
        exact = sum(
            sum(Fraction(value_of("int8", x)) * Fraction(value_of("int8", y)) for x, y in zip(xs, ys, strict=True))
            * Fraction(2) ** (s + t - 254)
            for xs, ys, s, t in zip(codes_a, codes_b, scales_a, scales_b, strict=True)
        )
        got = mx.dot(a, b, rule=rule)
        assert (got.dtype, got.shape) == (np.float32, ())
        assert Fraction(float(got)) == exact


def test_vectors_are_padded_to_whole_blocks_with_zeros() -> None:
    """MX-6.2-b: 33 numbers are two blocks, and the dot product that of 33 numbers."""
    ones = mx.quantize(np.ones(33, np.float32), "mxfp8_e4m3")
    assert ones.codes.shape == (2, 32)
    assert ones.codes[1, 1:].tolist() == [0] * 31
    assert float(mx.dot(ones, ones)) == 33


# ---------------------------------------------------------------------------------------------------------
# NVFP4
# ---------------------------------------------------------------------------------------------------------


def test_nvfp4_is_blocks_of_16_under_an_unsigned_scale_with_a_mantissa() -> None:
    """NV-FMT-a, NV-FMT-b, NV-FMT-c, NV-FMT-f."""
    fmt = mx.get_format("nvfp4")
    assert (fmt.element.name, fmt.block_size, fmt.scale.bits, fmt.block_bits) == ("e2m1", 16, 8, 16 * 4 + 8)
    scales = mx.decode(fmt.scale, np.arange(128))
    assert scales[:127].tolist() == [value_of("e4m3", code) for code in range(127)]
    assert math.isnan(scales[127])


def test_nvfp4_values_are_element_times_block_scale_times_tensor_scale() -> None:
    """NV-FMT-d, NV-FMT-e: every element under every block scale, the tensor scale a power of two."""
    codes = np.tile(np.arange(16, dtype=np.uint8), (127, 1))[:, None]
    scales = np.arange(127, dtype=np.uint8)[:, None]
    blocks = mx.Blocks(mx.get_format("nvfp4"), codes, scales, tensor_scale=0.25)
    elements, block_scales = values_of("e2m1"), np.array([value_of("e4m3", code) for code in range(127)])
    assert (mx.dequantize(blocks) == (elements * block_scales[:, None] * 0.25)).all()
