"""Choosing the scale of a block from its largest magnitude (MX-6.3-b, A-1 to A-7)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refmodel.errors import DefinitionError
from refmodel.formats import BlockFormat, ElementFormat, IntegerFormat, ScaleFormat
from refmodel.options import QuantizeOptions, ScaleRule
from refmodel.rounding import floor_log2


def check_scale(fmt: BlockFormat, options: QuantizeOptions) -> None:
    """Raise DefinitionError unless scales of *fmt* can be chosen with these options."""
    scale = fmt.scale
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
    exponent = floor_log2(amax)
    significand = np.ldexp(amax, -exponent)
    exponent += rounds_up(significand, element, options.scale_rule) - element.emax
    zero_block = {
        "minimum": scale.emin,
        "min_normal": scale.emin,
        "one": 0,
        "negative_emax": -element.emax,
    }[options.zero_block]
    exponent = np.where(amax == 0, zero_block, exponent)
    code = np.clip(exponent, scale.emin, scale.emax) + scale.bias
    nan = scale.max_code if scale.quiet_nan_code is None else scale.quiet_nan_code  # by check_scale, if asked
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
