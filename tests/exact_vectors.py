"""Exact values of vectors, worked out from the codes by integers; no code of model or stimulus is used.

The numbers of the formats are typed here once more, from MX v1.0 sections 5.3 and 5.4 and OFP8 section 5.1.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from refmodel.vectors.stimulus import Stimulus

# name: exponent bits, mantissa bits, bias, has Inf, number of NaN codes per sign
FLOATS = {
    "mxfp8_e5m2": (5, 2, 15, True, 3),
    "mxfp8_e4m3": (4, 3, 7, False, 1),
    "mxfp6_e3m2": (3, 2, 3, False, 0),
    "mxfp6_e2m3": (2, 3, 1, False, 0),
    "mxfp4_e2m1": (2, 1, 1, False, 0),
}
FORMATS = (*FLOATS, "mxint8")
PAIRS = [(name, name) for name in FORMATS] + [
    ("mxfp8_e4m3", "mxfp4_e2m1"),
    ("mxfp8_e5m2", "mxfp8_e4m3"),
    ("mxint8", "mxfp8_e5m2"),
    ("mxfp6_e2m3", "mxint8"),
]

NAN, POSITIVE_INF, NEGATIVE_INF = "nan", "+inf", "-inf"
NAN_BITS, INF_BITS, SIGN_BIT = 0x7FC00000, 0x7F800000, 0x80000000


@cache
def code_bits(name: str) -> int:
    """Return the width of an element code."""
    return 8 if name == "mxint8" else 1 + sum(FLOATS[name][:2])


@cache
def grid_exponent(name: str) -> int:
    """Return q such that every finite element is an integer times 2**q."""
    if name == "mxint8":
        return -6
    _, mantissa_bits, bias, _, _ = FLOATS[name]
    return 1 - bias - mantissa_bits


@cache
def element(name: str, code: int) -> int | str:
    """Return the element's value in units of 2**grid_exponent, or NAN, POSITIVE_INF, NEGATIVE_INF."""
    if name == "mxint8":
        return code - 256 if code >= 128 else code
    exponent_bits, mantissa_bits, _, has_inf, nans = FLOATS[name]
    magnitude = code % (1 << (exponent_bits + mantissa_bits))
    negative = code >= 1 << (exponent_bits + mantissa_bits)
    last = (1 << (exponent_bits + mantissa_bits)) - 1
    if magnitude > last - nans:
        return NAN
    if has_inf and magnitude == last - nans:
        return NEGATIVE_INF if negative else POSITIVE_INF
    field, mantissa = divmod(magnitude, 1 << mantissa_bits)
    value = mantissa if field == 0 else (mantissa + (1 << mantissa_bits)) << (field - 1)
    return -value if negative else value


@cache
def largest_sum(a_name: str, b_name: str) -> int:
    """Return the largest sum of 32 products of finite elements, in units of the two grids' product."""
    a_max, b_max = (
        max(v for c in range(1 << code_bits(n)) if isinstance(v := element(n, c), int))
        for n in (a_name, b_name)
    )
    return 32 * a_max * b_max


class Exact(NamedTuple):
    """total * 2**exponent."""

    total: int
    exponent: int


def block_value(
    a_name: str, a: list[int], a_scale: int, b_name: str, b: list[int], b_scale: int
) -> Exact | str:
    """Return the exact value of a block pair, or NAN or an infinity (MX-5.1, IEEE 754 rules)."""
    values = [(element(a_name, x), element(b_name, y)) for x, y in zip(a, b, strict=True)]
    if 0xFF in (a_scale, b_scale) or any(NAN in pair for pair in values):
        return NAN
    total, infinities = 0, set()
    for x, y in values:
        if isinstance(x, int) and isinstance(y, int):
            total += x * y
        elif 0 in (x, y):
            return NAN
        else:
            infinities.add(_is_negative(x) != _is_negative(y))
    if infinities:
        return NAN if len(infinities) == 2 else (NEGATIVE_INF if infinities.pop() else POSITIVE_INF)
    return Exact(total, a_scale + b_scale - 254 + grid_exponent(a_name) + grid_exponent(b_name))


def _is_negative(value: int | str) -> bool:
    return value < 0 if isinstance(value, int) else value == NEGATIVE_INF


def float32(value: Exact | str) -> int:
    """Return the bits of the Float32 nearest to a value, ties to even; an exact zero is +0."""
    if isinstance(value, str):
        return {NAN: NAN_BITS, POSITIVE_INF: INF_BITS, NEGATIVE_INF: INF_BITS | SIGN_BIT}[value]
    if value.total == 0:
        return 0
    magnitude = abs(value.total)
    # In units of the last place: 2**-149 for subnormals, 24 bits of significand above.
    last_place = max(magnitude.bit_length() + value.exponent - 24, -149)
    shift = value.exponent - last_place
    if shift >= 0:
        units = magnitude << shift
    else:
        units, rest = divmod(magnitude, 1 << -shift)
        half = 1 << (-shift - 1)
        units += rest > half or (rest == half and units % 2 == 1)
    # Consecutive bit patterns are consecutive values, so the carry of rounding needs no care.
    bits = min(units + ((last_place + 149) << 23), INF_BITS)
    return bits | (SIGN_BIT if value.total < 0 else 0)


def from_float32(bits: int) -> Exact | str:
    """Return the value of Float32 bits; -0 counts as 0."""
    field, mantissa = divmod(bits & 0x7FFFFFFF, 1 << 23)
    if field == 255:
        return NAN if mantissa else (NEGATIVE_INF if bits & SIGN_BIT else POSITIVE_INF)
    value = mantissa if field == 0 else mantissa | 1 << 23
    return Exact(-value if bits & SIGN_BIT else value, max(field, 1) - 150)


def add(x: Exact | str, y: Exact | str) -> Exact | str:
    """Return the exact sum."""
    if isinstance(x, str) or isinstance(y, str):
        specials = {value for value in (x, y) if isinstance(value, str)}
        return specials.pop() if len(specials) == 1 else NAN
    low = min(x.exponent, y.exponent)
    return Exact((x.total << (x.exponent - low)) + (y.total << (y.exponent - low)), low)


def running_values(blocks: list[Exact | str]) -> list[int]:
    """Return the Float32 bits of the running value after each block, starting at +0 (block32_fp32_add)."""
    running, bits = Exact(0, 0), []
    for block in blocks:
        running = from_float32(float32(add(running, from_float32(float32(block)))))
        bits.append(float32(running))
    return bits


def block_values(stimulus: Stimulus) -> list[Exact | str]:
    """Return the exact value of every block pair."""
    a, b = stimulus.a, stimulus.b
    return [
        block_value(a.format.name, *operand_a, b.format.name, *operand_b)
        for operand_a, operand_b in zip(
            zip(a.codes.tolist(), a.scales.tolist(), strict=True),
            zip(b.codes.tolist(), b.scales.tolist(), strict=True),
            strict=True,
        )
    ]


def dots(stimulus: Stimulus) -> list[list[Exact | str]]:
    """Return the exact values of the blocks of every dot."""
    result: list[list[Exact | str]] = [[]]
    for value, is_last in zip(block_values(stimulus), stimulus.last.tolist(), strict=True):
        result[-1].append(value)
        if is_last:
            result.append([])
    assert result.pop() == [], "the last block ends a dot"
    return result
