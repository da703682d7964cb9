"""Choosing the scale of a block from its largest magnitude (MX-6.3-b, A-1 to A-7)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.errors import DefinitionError
from refmodel.formats import BlockFormat, ElementFormat, IntegerFormat, ScaleFormat
from refmodel.options import QuantizeOptions, ScaleRule
from refmodel.rounding import floor_log2


def check_blocks(fmt: BlockFormat, options: QuantizeOptions) -> None:
    """Raise DefinitionError unless blocks of *fmt* can be made with these options."""
    element, scale = fmt.element, fmt.scale
    if element.bits > 8:
        raise DefinitionError(f"element format {element.name!r} has {element.bits} bits; 8 is the most")
    if scale.bits > 32:
        raise DefinitionError(f"scale format {scale.name!r} has {scale.bits} bits; 32 is the most")
    if scale.nan_codes:
        return
    for name, other in _WITHOUT_NAN.items():
        if "nan" in getattr(options, name).split("_"):
            raise DefinitionError(
                f"{name}={getattr(options, name)!r}: scale format {scale.name!r} has no NaN; use {other!r}"
            )


# What to ask for where the scale has no NaN, by option.
_WITHOUT_NAN = {
    "nan_in_block": "per_element",
    "inf_in_block": "max_scale",
    "scale_underflow": "clamp",
    "scale_overflow": "clamp",
}


def select_scale(
    amax: NDArray[np.float64], element: ElementFormat, scale: ScaleFormat, options: QuantizeOptions
) -> NDArray[np.int64]:
    """Return the power-of-two scale code of each block.

    Args:
        amax: Largest magnitude of each block, any shape; NaN or infinity where the options let one count.
        element: Element format of the blocks.
        scale: Scale format of powers of two.
        options: The choices the specification leaves open.

    Returns:
        int64 codes, same shape.
    """
    if options.inf_in_block == "power":
        amax = np.where(np.isinf(amax), 2.0**128, amax)
    if options.scale_arithmetic == "exact" or options.scale_rule in ("even", "midmax"):
        exponent = floor_log2(amax)
        significand = np.ldexp(amax, -exponent)
        exponent += rounds_up(significand, element, options.scale_rule) - element.emax
    else:
        exponent = float32_exponent(amax, element, options)
    zero_block = {
        "minimum": scale.emin,
        "min_normal": scale.emin,
        "one": 0,
        "negative_emax": -element.emax,
    }[options.zero_block]
    exponent = np.where(amax == 0, zero_block, exponent)
    code = np.clip(exponent, scale.emin, scale.emax) + scale.bias
    nan = scale.max_code if scale.quiet_nan_code is None else scale.quiet_nan_code  # by check_blocks, if asked
    if options.scale_underflow == "nan":
        code = np.where(exponent < scale.emin, nan, code)
    if options.scale_overflow == "nan":
        code = np.where(exponent > scale.emax, nan, code)
    code = np.where(np.isinf(amax), nan if options.inf_in_block == "nan_scale" else scale.max_code, code)
    return np.where(np.isnan(amax), nan, code).astype(np.int64)


def rounds_up(significand: NDArray[np.float64], element: ElementFormat, rule: ScaleRule) -> NDArray[np.bool_]:
    """Return where *rule* takes twice the scale of ``floor``, given amax / 2**floor(log2 amax)."""
    mantissa_bits = element.bits - 2 if isinstance(element, IntegerFormat) else element.mantissa_bits
    half_step = 2.0 ** -(mantissa_bits + 1)
    largest = element.max_value / 2.0**element.emax
    match rule:
        case "floor":
            return np.zeros(significand.shape, np.bool_)
        case "ceil":
            return significand > 1
        case "rceil":
            return significand > largest
        case "even":
            return significand >= 2 - half_step
        case "midmax":
            # Half a step above the largest element is the midpoint to 2**(emax + 1) where that would be
            # the next value of the grid, and to 480 for E4M3.
            return significand > largest + half_step


# Exponent that stands for that of zero, and negated for that of infinity: beyond those of every format.
_NO_EXPONENT = -(1 << 20)


def float32_exponent(
    amax: NDArray[np.float64], element: ElementFormat, options: QuantizeOptions
) -> NDArray[np.int32]:
    """Return the exponent of the scale as Float32 arithmetic gives it (A-2).

    The logarithm is that of float64, rounded: no Float32 has a logarithm within 2**-27 of a number at which
    rounding to Float32 begins to give an integer, and float64 errs by less than 2**-44.
    """
    rule, arithmetic = options.scale_rule, options.scale_arithmetic
    with np.errstate(all="ignore"):  # what overflows is infinite, what underflows zero
        in_float32 = amax.astype(np.float32)
        quotient = in_float32
        if rule == "rceil":
            largest = np.float32(element.max_value)
            quotient = (
                in_float32 * (1 / largest) if arithmetic == "float32_multiply" else in_float32 / largest
            )
        # Only a float64 amax can be out of the range of Float32; it stays so whatever it is divided by.
        quotient = np.where((in_float32 == 0) | np.isinf(in_float32), in_float32, quotient)
        fraction, exponent = np.frexp(quotient)  # 0.5 <= fraction < 1
        exponent = exponent - 1 + ((rule != "floor") & (fraction > 0.5))
        if arithmetic == "float32_log2":
            log2 = np.log2(quotient.astype(np.float64)).astype(np.float32)
            whole = np.floor(log2) if rule == "floor" else np.ceil(log2)
            exponent = np.where(np.isfinite(log2), whole, 0).astype(np.int32)
    exponent = np.where(quotient == 0, _NO_EXPONENT, np.where(np.isinf(quotient), -_NO_EXPONENT, exponent))
    return exponent - (0 if rule == "rceil" else element.emax)


def divisor_exponents(
    codes: NDArray[np.integer[Any]], scale: ScaleFormat, options: QuantizeOptions
) -> NDArray[np.int32]:
    """Return log2 of what elements are divided by, from power-of-two scale *codes*; NaN gives any number."""
    exponents = codes.astype(np.int32) - scale.bias
    lowest = {"scale": -scale.bias, "double": 1 - scale.bias, "one": 0}[options.lowest_divisor]
    return np.where(codes == 0, np.int32(lowest), exponents)
