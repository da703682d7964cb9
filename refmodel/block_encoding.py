"""Blocks of numbers -> element and scale codes: the arithmetic of `refmodel.quantize`, for any format."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.elements import decode
from refmodel.encoding import code_dtype, encode_exact
from refmodel.formats import BlockFormat
from refmodel.options import QuantizeOptions
from refmodel.ratio_scales import NO_TENSOR_SCALE, TensorScale, divide_by_scale, select_ratio_scale
from refmodel.scales import divisor_exponents, select_scale
from refmodel.tables import encode_quotients_by_table


def quantize_exact(
    values: NDArray[np.float64],
    fmt: BlockFormat,
    options: QuantizeOptions,
    random: NDArray[np.float64] | None = None,
    tensor_scale: TensorScale = NO_TENSOR_SCALE,
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Quantize blocks [..., block_size] under options that `check_encoding` and `check_blocks` have accepted.

    Returns:
        uint8 element codes [..., block_size] and scale codes [...].
    """
    scales = choose_scales(block_amax(values, options), fmt, options, tensor_scale)
    return encode_blocks(values, scales, fmt, options, random, tensor_scale), scales


def block_amax(values: NDArray[np.floating[Any]], options: QuantizeOptions) -> NDArray[np.float64]:
    """Largest magnitude over the last axis; NaN wins over everything that options do not leave out."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        magnitude = np.abs(values)
        if options.nan_in_block == "per_element":
            magnitude = np.where(np.isnan(magnitude), 0.0, magnitude)
        if options.inf_in_block == "ignore":
            magnitude = np.where(np.isinf(magnitude), 0.0, magnitude)
        amax: NDArray[np.float64] = magnitude.max(axis=-1, initial=0.0).astype(np.float64)
    return amax


def choose_scales(
    amax: NDArray[np.float64], fmt: BlockFormat, options: QuantizeOptions, tensor_scale: TensorScale
) -> NDArray[Any]:
    """Return the scale code of each block of largest magnitude *amax*, same shape."""
    if fmt.scale.is_power_of_two:
        codes = select_scale(amax, fmt.element, fmt.scale, options)
    else:
        codes = select_ratio_scale(amax, fmt, options, tensor_scale)
    return codes.astype(code_dtype(fmt.scale))


def encode_blocks(
    values: NDArray[np.float64],
    scales: NDArray[Any],
    fmt: BlockFormat,
    options: QuantizeOptions,
    random: NDArray[np.float64] | None,
    tensor_scale: TensorScale,
) -> NDArray[np.uint8]:
    """Return the element codes of blocks [..., block_size], given their scale codes [...]."""
    scale_values = decode(fmt.scale, scales)
    is_nan = np.isnan(scale_values)
    values = np.where(is_nan[..., None], 0.0, values)
    exponent: NDArray[np.int32] | int
    if fmt.scale.is_power_of_two:
        exponent = divisor_exponents(scales, fmt.scale, options)[..., None]
    else:
        divisors = np.where(is_nan, 1.0, scale_values)[..., None]
        values, exponent = divide_by_scale(values, divisors, options, tensor_scale)
        exponent = -exponent
    codes = encode_exact(fmt.element, values, options, exponent, random)
    codes[is_nan] = 0  # also where the element has no zero
    return codes


def encode_float32_blocks(
    values: NDArray[np.float32],
    scales: NDArray[Any],
    fmt: BlockFormat,
    options: QuantizeOptions,
    tensor_scale: TensorScale,
) -> NDArray[np.uint8]:
    """Do what `encode_blocks` does, by table, for options that `has_encode_table` accepts."""
    scale_values = decode(fmt.scale, scales)
    is_nan = np.isnan(scale_values)
    by_table = True
    if fmt.scale.is_power_of_two:
        divisors = np.ldexp(1.0, divisor_exponents(scales, fmt.scale, options))
    elif options.quotient == "exact":
        divisors = scale_values * np.float64(tensor_scale.decode)
        # A number over a zero scale gives zero, and so over an infinite one; an infinity over it does not.
        by_table = bool((divisors != 0).all() or np.isfinite(values).all())
        divisors = np.where(divisors == 0, np.inf, divisors)
    else:
        by_table = False
    if not by_table:
        with np.errstate(invalid="ignore"):  # a signalling NaN becomes quiet
            widened = values.astype(np.float64)
        return encode_blocks(widened, scales, fmt, options, None, tensor_scale)
    codes = encode_quotients_by_table(values, divisors[..., None], fmt.element, options)
    codes[is_nan] = 0
    return codes
