"""Encoding and quantizing Float32 by table: what `refmodel.encoding` gives, several times faster.

Rounding to a mantissa of up to 6 bits looks at the sign, the exponent, 7 mantissa bits and at whether
anything below them is set. Folding the lower 16 bits into one sticky bit leaves 17 bits, so tables of 2**17
codes, made by the exact encoder, hold the whole behaviour. Choosing a scale looks at one mantissa bit more,
but at no sign, which makes 17 bits again.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from refmodel.encoding import encode_exact
from refmodel.formats import BlockFormat, FloatFormat, IntegerFormat, NumberFormat
from refmodel.options import EncodeOptions, QuantizeOptions
from refmodel.scales import divisor_exponents, select_scale

_VALUE_DROPS = 15
_AMAX_DROPS = 14
_QUOTIENT_DROPS = 44
_QUOTIENT_MASK = (1 << (64 - _QUOTIENT_DROPS)) - 1
"""Low bits of which only the sticky bit above them is left."""

_MAGNITUDE = np.uint32(0x7FFFFFFF)


def has_encode_table(fmt: NumberFormat, options: EncodeOptions) -> bool:
    """Return whether `encode_by_table` gives what the exact encoder gives.

    Of a normal Float32 folding keeps 7 mantissa bits exactly, of a subnormal one everything down to 2**-133;
    below that it tells zero from any other number. Rounding in any mode asks for the bit below the last kept
    one, which is at least half a step of the format's finest grid, and for whether more follows. What the
    options make of zeros, signs, infinities and the mantissa of a NaN needs no other bits. Not so a
    conversion that rounds or flushes beforehand, takes random bits, or refuses a NaN only if there is one.
    """
    return (
        options.rounding != "stochastic"
        and options.intermediate == "exact"
        and options.subnormal_input == "keep"
        and options.nan_to_finite != "error"
        and fmt.bits <= 8
        and _mantissa_bits(fmt) <= 6
        and fmt.quantum_exponent > -133
    )


def has_quantize_table(fmt: BlockFormat, options: QuantizeOptions) -> bool:
    """Return whether `quantize_by_table` gives what the exact encoder gives.

    The folded amax gives its exponent and 8 mantissa bits exactly if it is normal, and 7 if it is at least
    2**-127; the scale of a smaller one must be the same whatever they are. The rules ``even`` and ``midmax``
    compare one bit more than the mantissa has. Reciprocals of the scales must be Float32 values, and
    quotients must not overflow: that takes a scale of at least 1, and quotients of the largest number of a
    block below 2**64.
    """
    element, scale = fmt.element, fmt.scale
    if not scale.is_power_of_two or not scale.nan_codes:
        return False
    compared = _mantissa_bits(element) + (options.scale_rule in ("even", "midmax"))
    # Below 2**decides the scale is the smallest one or, if that is asked for, NaN: a rule may round up.
    decides = scale.emin + element.emax - (options.scale_underflow == "nan")
    return (
        has_encode_table(element, options)
        and _hides_underflow(element, options)
        and compared <= 7
        and decides >= -127
        and element.emax < 64
        and scale.emin >= -127
        and 0 <= scale.emax <= 127
        and options.scale_arithmetic == "exact"
        and (options.lowest_divisor == "scale" or scale.emin < 0)
    )


def _hides_underflow(fmt: NumberFormat, options: EncodeOptions) -> bool:
    """Return whether a number far below the steps of *fmt* may become another such number, or zero.

    A Float32 product by a power of two is exact unless it falls below 2**-126, where that happens. The modes
    that take such values to zero do not see it, if the format has a zero and takes numbers of both signs.
    """
    return (
        (isinstance(fmt, IntegerFormat) or (fmt.signed and fmt.subnormals))
        and options.rounding in ("rne", "rna", "rnz", "rtz")
        and fmt.quantum_exponent > -100
    )


def _mantissa_bits(fmt: NumberFormat) -> int:
    """Bits of the significand of the largest value below its leading one."""
    return fmt.mantissa_bits if isinstance(fmt, FloatFormat) else fmt.bits - 2


def encode_by_table(
    fmt: NumberFormat, values: NDArray[np.float32], options: EncodeOptions
) -> NDArray[np.uint8]:
    """Encode float32 *values*, any shape, under options that `has_encode_table` has accepted."""
    contiguous = np.ascontiguousarray(values)
    return np.take(_encode_table(fmt, options), _fold(contiguous.view(np.uint32), _VALUE_DROPS), mode="wrap")


def quantize_by_table(
    values: NDArray[np.float32],
    fmt: BlockFormat,
    options: QuantizeOptions,
    codes: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Quantize contiguous float32 blocks [..., block_size] under options `has_quantize_table` accepts.

    Writes the element codes into *codes* [..., block_size] and returns the scale codes [...].
    """
    flat = values.reshape(-1)
    magnitude = flat.view(np.uint32) & _MAGNITUDE
    infinity = np.uint32(0x7F800000)
    if options.nan_in_block == "per_element":
        magnitude[magnitude > infinity] = 0
    if options.inf_in_block == "ignore":
        magnitude[magnitude == infinity] = 0
    # Float32 magnitudes order as their bits do, with NaN above infinity.
    if fmt.block_size > 1:  # reduceat takes its time on blocks of one
        magnitude = np.maximum.reduceat(magnitude, np.arange(0, flat.size, fmt.block_size))
    amax = magnitude.reshape(values.shape[:-1])
    scales = np.take(_scale_table(fmt, options), _fold(amax, _AMAX_DROPS), mode="wrap")
    with np.errstate(invalid="ignore"):  # infinity times the 0 of a NaN scale; a signalling NaN
        scaled = np.multiply(values, _reciprocals(fmt, options)[scales][..., None])
    index = _fold(scaled.view(np.uint32), _VALUE_DROPS)
    np.take(_encode_table(fmt.element, options), index, mode="wrap", out=codes)
    is_nan = scales == fmt.scale.nan_codes[0]
    if is_nan.any():
        codes[is_nan] = 0
    return scales


def encode_quotients_by_table(
    values: NDArray[np.float32], divisors: NDArray[np.float64], fmt: NumberFormat, options: EncodeOptions
) -> NDArray[np.uint8]:
    """Encode contiguous float32 values / divisors under options that `has_encode_table` has accepted.

    Divisors have at most 32 bits: a scale of 8 times a tensor scale of 24, or a scale of 24 alone. What an
    encoder compares a quotient with has 8 bits at most. Value and divisor times threshold are then integers
    of at most 40 bits on one grid, so a quotient that is not the threshold itself is off by more than 2**-41
    of it, and rounding to float64 neither reaches nor passes it.
    """
    with np.errstate(all="ignore"):  # infinity over infinity; a signalling NaN
        quotients = np.divide(values, divisors)
    bits = quotients.view(np.int64)
    ones = (1 << _QUOTIENT_DROPS) - 1
    folded = bits & ones
    folded += ones
    folded |= bits
    folded >>= _QUOTIENT_DROPS
    return np.take(_quotient_table(fmt, options), folded & _QUOTIENT_MASK, mode="wrap")


def _fold(bits: NDArray[np.uint32], drops: int) -> NDArray[np.intp]:
    """Return *bits* without the low *drops*, the last of what is left or-ed with everything below."""
    # Adding ones to the low bits carries into the bit above exactly when one of them is set.
    ones = np.uint32((1 << drops) - 1)
    folded = bits & ones
    folded += ones
    folded |= bits
    index = np.empty(bits.shape, np.intp)
    np.right_shift(folded, np.uint32(drops), out=index, casting="unsafe")
    return index


def _representatives(drops: int, top: int) -> NDArray[np.float64]:
    """A Float32 for each folded pattern of the bits below bit *top*, widened."""
    with np.errstate(invalid="ignore"):  # widening a signalling NaN quietens it
        patterns = np.arange(1 << (top - drops), dtype=np.uint32) << np.uint32(drops)
        return patterns.view(np.float32).astype(np.float64)


@lru_cache(maxsize=64)
def _encode_table(fmt: NumberFormat, options: EncodeOptions) -> NDArray[np.uint8]:
    return encode_exact(fmt, _representatives(_VALUE_DROPS, 32), options)


@lru_cache(maxsize=16)
def _quotient_table(fmt: NumberFormat, options: EncodeOptions) -> NDArray[np.uint8]:
    patterns = np.arange(_QUOTIENT_MASK + 1, dtype=np.int64) << _QUOTIENT_DROPS
    return encode_exact(fmt, patterns.view(np.float64), options)


@lru_cache(maxsize=64)
def _scale_table(fmt: BlockFormat, options: QuantizeOptions) -> NDArray[np.uint8]:
    return select_scale(_representatives(_AMAX_DROPS, 31), fmt.element, fmt.scale, options).astype(np.uint8)


@lru_cache(maxsize=64)
def _reciprocals(fmt: BlockFormat, options: QuantizeOptions) -> NDArray[np.float32]:
    """Float32 reciprocal of what elements are divided by, by scale code; 0 for NaN."""
    reciprocals = np.ldexp(
        np.float32(1), -divisor_exponents(np.arange(1 << fmt.scale.bits), fmt.scale, options)
    )
    reciprocals[fmt.scale.nan_codes[0]] = 0
    return reciprocals
