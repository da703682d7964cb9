"""Encoding and quantizing Float32 by table: what `refmodel.encoding` gives, several times faster.

Rounding to a mantissa of up to 6 bits, and choosing a scale, look at the sign, the exponent, 7 mantissa
bits and at whether anything below them is set. Folding the lower 16 bits into one sticky bit leaves 17
bits, so tables of 2**17 codes, made by the exact encoder, hold the whole behaviour.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from refmodel.encoding import encode_exact
from refmodel.formats import BlockFormat, FloatFormat, IntegerFormat, NumberFormat
from refmodel.options import EncodeOptions, QuantizeOptions
from refmodel.scales import divisor_exponents, select_scale

_LOW_MASK = np.uint32(0x7FFF)
_LOW_BITS = np.uint32(15)
_MAGNITUDE = np.uint32(0x7FFFFFFF)


def has_encode_table(fmt: NumberFormat, options: EncodeOptions) -> bool:
    """Return whether `encode_by_table` gives what the exact encoder gives, also for scaled values.

    A Float32 product by a power of two is exact unless it falls below 2**-126, and becomes another number
    below that, or zero, then. A format whose steps are far larger does not see the difference under the
    modes that take such values to zero, if it has a zero and takes numbers of both signs.
    """
    return (
        (isinstance(fmt, IntegerFormat) or (fmt.signed and fmt.subnormals))
        and options.rounding in ("rne", "rna", "rnz", "rtz")
        and options.intermediate == "exact"
        and options.subnormal_input == "keep"
        and options.nan_to_finite != "error"
        and fmt.bits <= 8  # so that a mantissa has 6 at most
        and fmt.quantum_exponent > -100
    )


def has_quantize_table(fmt: BlockFormat, options: QuantizeOptions) -> bool:
    """Return whether `quantize_by_table` gives what the exact encoder gives.

    The upper 17 bits of amax give its exponent and 7 mantissa bits exactly if it is normal, and 6 if it is
    at least 2**-127; the scale of a smaller one must be the same whatever they are. The rules ``even`` and
    ``midmax`` compare one bit more than the mantissa has. Reciprocals of the scales must be Float32 values,
    and quotients must not overflow: that takes a scale of at least 1, and quotients of the largest number
    of a block below 2**64.
    """
    element, scale = fmt.element, fmt.scale
    if not scale.is_power_of_two or not scale.nan_codes:
        return False
    compared = _mantissa_bits(element) + (options.scale_rule in ("even", "midmax"))
    # Below 2**decides the scale is the smallest one or, if that is asked for, NaN: a rule may round up.
    decides = scale.emin + element.emax - (options.scale_underflow == "nan")
    return (
        has_encode_table(element, options)
        and compared <= 6
        and decides >= -127
        and element.emax < 64
        and scale.emin >= -127
        and 0 <= scale.emax <= 127
        and options.scale_arithmetic == "exact"
        and (options.lowest_divisor == "scale" or scale.emin < 0)
    )


def _mantissa_bits(fmt: NumberFormat) -> int:
    """Bits of the significand of the largest value below its leading one."""
    return fmt.mantissa_bits if isinstance(fmt, FloatFormat) else fmt.bits - 2


def encode_by_table(
    fmt: NumberFormat, values: NDArray[np.float32], options: EncodeOptions
) -> NDArray[np.uint8]:
    """Encode float32 *values*, any shape, under options that `has_encode_table` has accepted."""
    contiguous = np.ascontiguousarray(values)
    return np.take(_encode_table(fmt, options), _fold(contiguous.view(np.uint32)), mode="wrap")


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
    amax = np.maximum.reduceat(magnitude, np.arange(0, flat.size, fmt.block_size))
    amax = amax.reshape(values.shape[:-1])
    scales = np.take(_scale_table(fmt, options), _fold(amax), mode="wrap")
    with np.errstate(invalid="ignore"):  # infinity times the 0 of a NaN scale; a signalling NaN
        scaled = np.multiply(values, _reciprocals(fmt, options)[scales][..., None])
    np.take(_encode_table(fmt.element, options), _fold(scaled.view(np.uint32)), mode="wrap", out=codes)
    is_nan = scales == fmt.scale.nan_codes[0]
    if is_nan.any():
        codes[is_nan] = 0
    return scales


def _fold(bits: NDArray[np.uint32]) -> NDArray[np.intp]:
    """Return the upper 17 bits, the last of them or-ed with everything below."""
    # Adding 0x7FFF to the low 15 bits carries into bit 15 exactly when one of them is set.
    folded = bits & _LOW_MASK
    folded += _LOW_MASK
    folded |= bits
    index = np.empty(bits.shape, np.intp)
    np.right_shift(folded, _LOW_BITS, out=index, casting="unsafe")
    return index


def _representatives(count: int) -> NDArray[np.float64]:
    """A Float32 for each of the first *count* folded patterns, widened."""
    with np.errstate(invalid="ignore"):  # widening a signalling NaN quietens it
        return (np.arange(count, dtype=np.uint32) << _LOW_BITS).view(np.float32).astype(np.float64)


@lru_cache(maxsize=64)
def _encode_table(fmt: NumberFormat, options: EncodeOptions) -> NDArray[np.uint8]:
    return encode_exact(fmt, _representatives(1 << 17), options)


@lru_cache(maxsize=64)
def _scale_table(fmt: BlockFormat, options: QuantizeOptions) -> NDArray[np.uint8]:
    return select_scale(_representatives(1 << 16), fmt.element, fmt.scale, options).astype(np.uint8)


@lru_cache(maxsize=64)
def _reciprocals(fmt: BlockFormat, options: QuantizeOptions) -> NDArray[np.float32]:
    """Float32 reciprocal of what elements are divided by, by scale code; 0 for NaN."""
    reciprocals = np.ldexp(
        np.float32(1), -divisor_exponents(np.arange(1 << fmt.scale.bits), fmt.scale, options)
    )
    reciprocals[fmt.scale.nan_codes[0]] = 0
    return reciprocals
