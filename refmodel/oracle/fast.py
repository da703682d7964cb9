"""`quantize_block` and `dot` on plain integers: the answers of blocks.py and dots.py, many times as fast.

Every finite value is an integer times a power of two. The integer of an element is looked up per code in
a table made by `codes.decode`; what is left is one integer sum and one rounding by shifting. The readable
definitions are the reference: tests/test_oracle.py holds these to them at every breakpoint of every
format, on all special values and on random blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import copysign, frexp, isfinite
from operator import mul
from typing import NamedTuple, TypeAlias

from refmodel.errors import ShapeError, unknown_name
from refmodel.formats import FLOAT32, BlockFormat, ElementFormat, IntegerFormat
from refmodel.oracle.blocks import Block, need_power_of_two_scale
from refmodel.oracle.codes import canonical_nan, check_code, decode, need_element_format
from refmodel.oracle.dots import BlockPairs, need_same_size
from refmodel.oracle.exact import Number, power_of_two
from refmodel.oracle.float32 import INFINITY_BITS, NAN_BITS, SIGN_BIT

FLOAT_DIGITS = 53
"""A finite Python float is an integer below 2**53 in magnitude, times a power of two."""

Scaled: TypeAlias = tuple[int, int]
"""(n, e) stands for n * 2**e."""


# --------------------------------------------------------------------------------------------------
# Rounding
# --------------------------------------------------------------------------------------------------


def shift_half_even(n: int, shift: int) -> int:
    """Return the integer nearest to n / 2**shift, the even one of two (MX-4.1-g); n >= 0.

    Just less than a half is added, and one unit more where the quotient is odd: then a tie carries.
    """
    if shift <= 0:
        return n << -shift
    return (n + (1 << shift - 1) - 1 + (n >> shift & 1)) >> shift


@cache
def magnitude_rounder(fmt: ElementFormat) -> Callable[[int, int], int]:
    """Return a function (n, e) -> code of the magnitude nearest to n * 2**e, for n > 0, roundTiesToEven.

    Beyond max_code the codes count on upwards, as if the exponent field had no end: the range test is the
    caller's (OFP8-5.2.1-g). In a binary format consecutive codes are consecutive values, also across the
    carry out of a binade and the step up from the subnormals (MX-5.3-a, MX-5.3-b). So the significand,
    hidden bit included, rounded in binade k above the lowest, plus k * 2**mantissa_bits, is the code.
    """
    if isinstance(fmt, IntegerFormat):
        fraction_bits = fmt.fraction_bits
        return lambda n, e: shift_half_even(n, -fraction_bits - e)

    need_element_format(fmt)
    emin, mantissa_bits = fmt.emin, fmt.mantissa_bits

    def nearest_code(n: int, e: int) -> int:
        binade = n.bit_length() - 1 + e - emin
        if binade < 0:
            binade = 0
        return shift_half_even(n, emin + binade - mantissa_bits - e) + (binade << mantissa_bits)

    return nearest_code


_nearest_float32 = magnitude_rounder(FLOAT32)


def float32_bits(n: int, e: int) -> int:
    """Return the Float32 bits nearest to n * 2**e, +0 for n = 0 (`float32.to_float32`)."""
    if n > 0:
        return min(_nearest_float32(n, e), INFINITY_BITS)
    return SIGN_BIT | min(_nearest_float32(-n, e), INFINITY_BITS) if n else 0


# --------------------------------------------------------------------------------------------------
# Conversion to a block (MX-6.3)
# --------------------------------------------------------------------------------------------------


class _Quantizer(NamedTuple):
    """What `quantize_block` needs of a format; negative[code of m] is the code of -m."""

    block_size: int
    emax: int
    scale_emin: int
    scale_emax: int
    scale_bias: int
    nan_scale: int
    nearest_code: Callable[[int, int], int]
    max_code: int
    negative: list[int]


@cache
def _quantizer(fmt: BlockFormat) -> _Quantizer:
    need_power_of_two_scale(fmt.scale)
    element, scale = fmt.element, fmt.scale
    magnitudes = range(element.max_code + 1)
    if isinstance(element, IntegerFormat):
        negative = [-code & ((1 << element.bits) - 1) for code in magnitudes]
    else:
        negative = [code | element.sign_mask for code in magnitudes]
    return _Quantizer(
        block_size=fmt.block_size,
        emax=element.emax,
        scale_emin=scale.emin,
        scale_emax=scale.emax,
        scale_bias=scale.bias,
        nan_scale=canonical_nan(scale),
        nearest_code=magnitude_rounder(element),
        max_code=element.max_code,
        negative=negative,
    )


def quantize_block(fmt: BlockFormat, values: Sequence[float]) -> Block:
    """Return what `blocks.quantize_block` returns, for a full block of Python floats.

    Raises:
        ShapeError: If there are not block_size values.
        DefinitionError: As `blocks.select_scale`.
    """
    block_size, emax, scale_emin, scale_emax, scale_bias, nan_scale, nearest_code, max_code, negative = (
        _quantizer(fmt)
    )
    if len(values) != block_size:
        raise ShapeError(f"{len(values)} values for a block of {fmt.name}; give {block_size}")
    if not all(map(isfinite, values)):
        return Block(fmt, nan_scale, (0,) * block_size)
    amax = max(map(abs, values))
    # frexp gives a fraction in [1/2, 1), so its exponent is floor(log2) + 1, exactly
    scale_exponent = min(max(frexp(amax)[1] - 1 - emax, scale_emin), scale_emax) if amax else scale_emin
    offset = FLOAT_DIGITS + scale_exponent
    codes = []
    for value in values:
        fraction, exponent = frexp(value)
        integer = int(fraction * 9007199254740992.0)  # 2**53: exact
        if integer > 0:
            code = nearest_code(integer, exponent - offset)
            codes.append(code if code < max_code else max_code)
        elif integer:
            code = nearest_code(-integer, exponent - offset)
            codes.append(negative[code if code < max_code else max_code])
        else:
            codes.append(negative[0] if copysign(1.0, value) < 0 else 0)
    return Block(fmt, scale_exponent + scale_bias, tuple(codes))


# --------------------------------------------------------------------------------------------------
# Dot products (MX-6.1, MX-6.2)
# --------------------------------------------------------------------------------------------------


class _Tables(NamedTuple):
    """A block format by code.

    Elements are in units of 2**unit_exponent (0 for Inf and NaN); infinities hold the sign of each Inf
    code; scales are (n, e), or None for NaN.
    """

    block_size: int
    elements: dict[int, int]
    unit_exponent: int
    infinities: dict[int, int]
    nans: frozenset[int]
    scales: dict[int, Scaled | None]


@cache
def _tables(fmt: BlockFormat) -> _Tables:
    element, scale = fmt.element, fmt.scale
    numbers = {code: decode(element, code) for code in range(1 << element.bits)}
    unit = power_of_two(element.quantum_exponent)
    return _Tables(
        block_size=fmt.block_size,
        elements={code: int(n.value / unit) if n.kind == "finite" else 0 for code, n in numbers.items()},
        unit_exponent=element.quantum_exponent,
        infinities={code: -1 if n.negative else 1 for code, n in numbers.items() if n.kind == "infinite"},
        nans=frozenset(code for code, n in numbers.items() if n.kind == "nan"),
        scales={code: _scaled(decode(scale, code)) for code in range(1 << scale.bits)},
    )


def _scaled(exact: Number) -> Scaled | None:
    """Return a finite number as (n, e) with n odd or zero, None for NaN."""
    if exact.kind == "nan":
        return None
    n, e = exact.value.numerator, 1 - exact.value.denominator.bit_length()
    trailing_zeros = (n & -n).bit_length() - 1 if n else 0
    return n >> trailing_zeros, e + trailing_zeros


def _block_term(a: Block, b: Block) -> Scaled | int:
    """Return X(A) * X(B) * sum of P_i(A) * P_i(B) (MX-6.1-a) as (n, e), or the Float32 bits of Inf or NaN."""
    of_a, of_b = _tables(a.format), _tables(b.format)
    if not len(a.codes) == of_a.block_size == of_b.block_size == len(b.codes):
        need_same_size(a, b)
    try:
        scale_a, scale_b = of_a.scales[a.scale], of_b.scales[b.scale]
        values_a, values_b = map(of_a.elements.__getitem__, a.codes), map(of_b.elements.__getitem__, b.codes)
        element_sum = sum(map(mul, values_a, values_b))
    except KeyError:
        _need_codes_in_range(a)
        _need_codes_in_range(b)
        raise
    if scale_a is None or scale_b is None:
        return NAN_BITS  # MX-5.1-h
    if (of_a.nans and not of_a.nans.isdisjoint(a.codes)) or (of_b.nans and not of_b.nans.isdisjoint(b.codes)):
        return NAN_BITS  # MX-5.1-i
    if of_a.infinities or of_b.infinities:
        special = _infinite_products(of_a, of_b, a.codes, b.codes)
        if special is not None:
            return special
    (n_a, e_a), (n_b, e_b) = scale_a, scale_b
    return element_sum * n_a * n_b, e_a + e_b + of_a.unit_exponent + of_b.unit_exponent  # D-13: exponent sum


def _need_codes_in_range(block: Block) -> None:
    """Raise CodeRangeError if a code of *block* does not fit."""
    check_code(block.format.scale, block.scale)
    for code in block.codes:
        check_code(block.format.element, code)


def _infinite_products(of_a: _Tables, of_b: _Tables, a: Sequence[int], b: Sequence[int]) -> int | None:
    """Return the Float32 bits of the sum of the infinite products (A-29), None where there are none."""
    if of_a.infinities.keys().isdisjoint(a) and of_b.infinities.keys().isdisjoint(b):
        return None
    specials = set()
    for code_a, code_b in zip(a, b, strict=True):
        if code_a in of_a.infinities or code_b in of_b.infinities:
            factor_a = of_a.infinities.get(code_a) or of_a.elements[code_a]
            factor_b = of_b.infinities.get(code_b) or of_b.elements[code_b]
            if not factor_a or not factor_b:
                return NAN_BITS  # 0 * Inf
            specials.add(INFINITY_BITS if (factor_a > 0) == (factor_b > 0) else INFINITY_BITS | SIGN_BIT)
    return _special_sum(specials)


def _special_sum(specials: set[int]) -> int:
    """Return the sum of Infs and NaNs, at least one, all as Float32 bits (A-29)."""
    return NAN_BITS if NAN_BITS in specials or len(specials) > 1 else next(iter(specials))


def _float32_term(bits: int) -> Scaled | int:
    """Return Float32 *bits* as (n, e), or the bits of an Inf or of the NaN of results."""
    magnitude = bits & ~SIGN_BIT
    if magnitude >= INFINITY_BITS:
        return bits if magnitude == INFINITY_BITS else NAN_BITS
    field, n = divmod(magnitude, 1 << FLOAT32.mantissa_bits)
    if field:
        n |= 1 << FLOAT32.mantissa_bits  # the hidden bit
    return -n if bits & SIGN_BIT else n, max(field, 1) - FLOAT32.bias - FLOAT32.mantissa_bits


def _rounded_sum(terms: Sequence[Scaled | int]) -> int:
    """Return the Float32 bits of the exact sum of *terms*, rounded once; a zero sum is +0."""
    specials = {term for term in terms if isinstance(term, int)}
    if specials:
        return _special_sum(specials)
    finite = [term for term in terms if not isinstance(term, int)]
    unit = min(e for _, e in finite)
    return float32_bits(sum(n << e - unit for n, e in finite), unit)


def add_float32(a: int, b: int) -> int:
    """Return the bits of the Float32 sum of two bit patterns (`float32.add_float32`)."""
    if a == b == SIGN_BIT:
        return SIGN_BIT
    return _rounded_sum((_float32_term(a), _float32_term(b)))


def _exact_fp32(pairs: BlockPairs, c: int) -> int:
    return _rounded_sum([_float32_term(c), *(_block_term(a, b) for a, b in pairs)])


def _block32_fp32_add(pairs: BlockPairs, c: int) -> int:
    running = NAN_BITS if c & ~SIGN_BIT > INFINITY_BITS else c
    for a, b in pairs:
        term = _block_term(a, b)
        running = add_float32(running, term if isinstance(term, int) else float32_bits(*term))
    return running


_RULES: dict[str, Callable[[BlockPairs, int], int]] = {
    "exact_fp32": _exact_fp32,
    "block32_fp32_add": _block32_fp32_add,
}


def dot(pairs: BlockPairs, rule: str, c: int | None = None) -> int:
    """Return what `dots.dot` returns.

    Raises:
        UnknownNameError, ShapeError, CodeRangeError: As `dots.dot`.
    """
    if rule not in _RULES:
        raise unknown_name("rule", rule, _RULES)
    start = 0 if c is None else c
    check_code(FLOAT32, start)
    return _RULES[rule](pairs, start)
