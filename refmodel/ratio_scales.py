"""Scales with a mantissa: choosing them from the largest magnitude, and dividing by them (NV-Q-a to NV-Q-d).

A power-of-two scale divides without rounding; these do not. Under ``quotient="exact"`` a quotient is
kept as a float64 rounded to odd, so that what is made of it is rounded once (`refmodel.rounding`). The two
other values of that option repeat the Float32 operations of public implementations one by one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refmodel.encoding import encode_exact
from refmodel.formats import FLOAT32, BlockFormat, ElementFormat, ScaleFormat
from refmodel.options import EncodeOptions, QuantizeOptions
from refmodel.rounding import divide_to_odd

_ONE = np.float32(1)
_LARGEST = np.float32(FLOAT32.max_value)


class TensorScale(NamedTuple):
    """The scale that all blocks of an array share.

    Attributes:
        decode: What values are multiplied by (NV-Q-a, s_dec).
        encode: What amax of a block is multiplied by under ``float32_multiply`` (NV-Q-a, s_enc).
    """

    decode: np.float32
    encode: np.float32

    @staticmethod
    def of(decode: np.float32) -> TensorScale:
        """Return a given scale with its reciprocal (NV-Q-g)."""
        with np.errstate(over="ignore"):
            return TensorScale(decode, min(_ONE / decode, _LARGEST))


NO_TENSOR_SCALE = TensorScale(_ONE, _ONE)


def select_tensor_scale(
    amax: float, has_infinity: bool, fmt: BlockFormat, options: QuantizeOptions
) -> TensorScale:
    """Return the tensor scale of an array whose largest finite magnitude is *amax*."""
    if has_infinity and options.tensor_infinity == "one":
        return NO_TENSOR_SCALE
    # A significand of at most 7 bits times one of at most 7 bits: exact.
    bound = np.float64(_element_bound(fmt.element, options) * _scale_bound(fmt.scale, options))
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        if options.quotient == "float32_multiply":
            if np.float32(amax) == 0 and options.tensor_zero == "one":
                return NO_TENSOR_SCALE
            encode = min(np.float32(bound) / np.float32(amax), _LARGEST)
            if encode == 0:
                return NO_TENSOR_SCALE
            return TensorScale(_ONE / encode, encode)
        # Under "exact" a quotient of up to 53 by 14 bits, first rounded to odd.
        significand, exponent = divide_to_odd(np.float64(amax), bound)
        decode = np.float32(np.ldexp(significand, exponent))
    if decode == 0:
        if options.tensor_zero == "one":
            return NO_TENSOR_SCALE
        decode = np.float32(2.0**FLOAT32.quantum_exponent)
    return TensorScale.of(min(decode, _LARGEST))


def select_ratio_scale(
    amax: NDArray[np.float64], fmt: BlockFormat, options: QuantizeOptions, tensor_scale: TensorScale
) -> NDArray[np.int64]:
    """Return the scale code of each block under a scale format with a mantissa.

    Args:
        amax: Largest magnitude of each block, any shape; NaN or infinity where the options let one count.
        fmt: Block format that `check_blocks` has accepted.
        options: The choices the specification leaves open.
        tensor_scale: The scale of the array, or `NO_TENSOR_SCALE`.

    Returns:
        int64 codes, same shape.
    """
    scale, bound = fmt.scale, _element_bound(fmt.element, options)
    finite = np.where(np.isfinite(amax), amax, 0.0)
    nan = scale.max_code if scale.quiet_nan_code is None else scale.quiet_nan_code  # by check_blocks, if asked
    rounding = EncodeOptions(
        rounding=options.scale_rounding,
        overflow="overflow" if options.scale_overflow == "nan" else "saturate",
    )
    exponent: NDArray[np.int32] | int = 0
    with np.errstate(over="ignore", under="ignore"):
        if options.quotient == "float32_multiply":
            factor = tensor_scale.encode * (_ONE / np.float32(bound))
            ratio = np.minimum(finite.astype(np.float32) * factor, _LARGEST).astype(np.float64)
        elif options.quotient == "float32_divide":
            ratio = finite.astype(np.float32) / np.float32(bound) / tensor_scale.decode
            ratio = np.minimum(ratio, _LARGEST).astype(np.float64)
        else:  # bound has at most 7 bits and the tensor scale 24
            ratio, exponent = divide_to_odd(finite, np.float64(bound) * np.float64(tensor_scale.decode))
    code = encode_exact(scale, ratio, rounding, -exponent).astype(np.int64)
    if scale.infinity_code is not None and options.scale_overflow == "nan":
        code = np.where(code == scale.infinity_code, nan, code)
    first_normal = 1 << scale.mantissa_bits if scale.subnormals else 0
    is_zero = (code == 0) & scale.subnormals
    match options.scale_underflow:
        case "clamp":
            code = np.where(is_zero, 1, code)
        case "nan":
            code = np.where(is_zero, nan, code)
        case "min_normal":
            code = np.maximum(code, first_normal)
        case "zero":
            pass
    if options.zero_block in ("one", "negative_emax"):
        value = 0 if options.zero_block == "one" else -fmt.element.emax
        zero_block = int(encode_exact(scale, np.ldexp(np.ones(1), value), EncodeOptions())[0])
    else:
        zero_block = first_normal if options.zero_block == "min_normal" else 0
    code = np.where(finite == 0, zero_block, code)
    infinity = nan if options.inf_in_block == "nan_scale" else scale.max_code
    code = np.where(np.isinf(amax), infinity, code)
    return np.where(np.isnan(amax), nan, code)


def divide_by_scale(
    values: NDArray[np.float64],
    scale_values: NDArray[np.float64],
    options: QuantizeOptions,
    tensor_scale: TensorScale,
) -> tuple[NDArray[np.float64], NDArray[np.int32] | int]:
    """Divide *values* by the scales that apply to them.

    Args:
        values: Any shape.
        scale_values: Finite values of the block scales, broadcast to values.
        options: The choices the specification leaves open.
        tensor_scale: The scale of the array, or `NO_TENSOR_SCALE`.

    Returns:
        Quotients q and exponents e; what is to be encoded is q * 2**e. A number over a zero scale gives zero
        under ``exact``.
    """
    if options.quotient != "exact":
        with np.errstate(all="ignore"):  # what Float32 arithmetic makes of extremes is what is asked for
            scales, given = scale_values.astype(np.float32), values.astype(np.float32)
            if options.quotient == "float32_multiply":
                decode = _ONE / tensor_scale.encode
                factor = np.minimum(_ONE / (scales * decode), _LARGEST)
            else:
                factor = _ONE / tensor_scale.decode / scales
            quotient = (given * factor).astype(np.float64)
        # 0 * infinity and infinity * 0 are NaN, taken as positive; NaNs keep their bits.
        return np.where(np.isnan(quotient), np.where(np.isnan(values), values, np.nan), quotient), 0
    divisor = scale_values * np.float64(tensor_scale.decode)  # at most 8 by 24 bits, or 24 by 1: exact
    by_zero = divisor == 0
    finite = np.isfinite(values)
    numerator = np.where(finite & ~by_zero, values, np.copysign(0.0, values))
    quotient, exponent = divide_to_odd(numerator, np.where(by_zero, 1.0, divisor))
    return np.where(finite, quotient, values), np.where(finite, exponent, 0)


def _element_bound(element: ElementFormat, options: QuantizeOptions) -> float:
    return element.max_value if options.element_bound == "largest" else 2.0**element.emax


def _scale_bound(scale: ScaleFormat, options: QuantizeOptions) -> float:
    return scale.max_value if options.scale_bound == "largest" else 2.0**scale.emax
