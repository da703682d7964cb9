"""Numbers -> codes: the arithmetic of `refmodel.encode`.

Everything works on float64 magnitudes divided by the spacing of their binade in the target format, which
is exact, so each value is rounded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmodel.errors import CodeRangeError, DefinitionError, DtypeError, ShapeError, ValueRefusedError
from refmodel.formats import FloatFormat, IntegerFormat, NumberFormat
from refmodel.inputs import as_array
from refmodel.options import EncodeOptions
from refmodel.rounding import floor_log2, round_to_integer


def code_dtype(fmt: NumberFormat) -> np.dtype[Any]:
    """Return the unsigned dtype that holds one code of *fmt* an item: uint8, uint16 or uint32."""
    return np.min_scalar_type((1 << fmt.bits) - 1)


def check_encoding(fmt: NumberFormat, options: EncodeOptions) -> None:
    """Raise DefinitionError unless *fmt* can be encoded with these options."""
    if options.overflow == "overflow" and (isinstance(fmt, IntegerFormat) or fmt.specials == "none"):
        raise DefinitionError(
            f"overflow='overflow': {fmt.name} has neither NaN nor infinity to overflow to; use 'saturate'"
        )
    if isinstance(fmt, FloatFormat) and fmt.specials == "fnuz":
        raise DefinitionError(f"{fmt.name}: formats without -0 are operands of a rule only; none is encoded")
    if fmt.bits > 32:
        raise DefinitionError(f"{fmt.name}: codes of {fmt.bits} bits cannot be encoded; 32 is the most")


def as_random(
    random: ArrayLike | None, shape: tuple[int, ...], options: EncodeOptions
) -> NDArray[np.float64] | None:
    """Return the caller's random integers as float64 of *shape*, or None where rounding takes none.

    Raises:
        DefinitionError: If they are missing under stochastic rounding or present under another mode.
        DtypeError: If they are not integers.
        CodeRangeError: If one needs more than options.random_bits bits.
        ShapeError: If they cannot be broadcast to *shape*.
    """
    if (random is None) != (options.rounding != "stochastic"):
        raise DefinitionError(
            f"rounding={options.rounding!r} {'needs' if random is None else 'takes no'} random integers"
        )
    if random is None:
        return None
    drawn = as_array(random, "random")
    if drawn.dtype.kind not in "ui":
        raise DtypeError(f"random: dtype {drawn.dtype} is not an integer type")
    bits = options.random_bits
    if drawn.size and (drawn.min() < 0 or drawn.max() >> bits):
        raise CodeRangeError(f"random: integers must be from 0 to 2**{bits} - 1 (random_bits={bits})")
    try:
        return np.broadcast_to(drawn, shape).astype(np.float64)
    except ValueError:
        raise ShapeError(f"random has shape {drawn.shape}; it must broadcast to {shape}") from None


def prepare_input(values: NDArray[Any], options: EncodeOptions) -> NDArray[np.float64]:
    """Widen *values* to float64 after what options do to an input before it is rounded (A-17, A-20)."""
    with np.errstate(over="ignore", invalid="ignore"):  # a signalling NaN becomes quiet
        if options.subnormal_input == "flush":
            is_subnormal = np.abs(values) < np.finfo(values.dtype).tiny
            values = np.where(is_subnormal, np.copysign(values.dtype.type(0), values), values)
        if options.intermediate != "exact":
            values = values.astype(options.intermediate)
        return values.astype(np.float64)


def encode_exact(
    fmt: NumberFormat,
    values: NDArray[np.float64],
    options: EncodeOptions,
    exponent: NDArray[np.integer[Any]] | int = 0,
    random: NDArray[np.float64] | None = None,
) -> NDArray[np.unsignedinteger[Any]]:
    """Encode values * 2**-exponent under options that `check_encoding` has accepted.

    Args:
        fmt: Element or scale format.
        values: float64, at least one axis.
        options: The choices the specifications leave open.
        exponent: int32, broadcast to values; the scale of a block is divided out exactly.
        random: From `as_random`.

    Returns:
        Codes of `code_dtype`, same shape as values.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # invalid: a signalling NaN
        if isinstance(fmt, FloatFormat):
            values = _without_what_has_no_code(fmt, values, options)
        is_nan, negative = np.isnan(values), np.signbit(values)
        magnitude = np.abs(values)
        if isinstance(fmt, IntegerFormat):
            code = _encode_integer(fmt, magnitude, negative, options, exponent, random)
        else:
            code = _encode_float(fmt, magnitude, negative, options, exponent, random)
    if is_nan.any():
        code[is_nan] = _encode_nan(fmt, values[is_nan], options)
    return code.astype(code_dtype(fmt))


def _without_what_has_no_code(
    fmt: FloatFormat, values: NDArray[np.float64], options: EncodeOptions
) -> NDArray[np.float64]:
    """Replace numbers below zero in a format without sign, and zeros in one without zero (A-11)."""
    if not fmt.subnormals and options.unsigned_zero == "nan":
        values = np.where(values == 0, np.copysign(np.nan, values), values)
    if not fmt.signed:
        below_zero = values < 0
        if options.unsigned_negative == "magnitude":
            values = np.where(below_zero, -values, values)
        else:
            values = np.where(below_zero, np.nan if options.unsigned_negative == "nan" else 0.0, values)
    return values


def _scaled(magnitude: NDArray[np.float64], exponent: NDArray[np.integer[Any]] | int) -> NDArray[np.float64]:
    """Return magnitude * 2**exponent, but at least 2**-64 unless it is zero.

    Whatever lies strictly between 0 and 2**-64 of a grid step rounds alike in every mode, so a quotient
    that float64 cannot hold is not lost.
    """
    scaled = np.ldexp(magnitude, exponent)
    return np.where(magnitude > 0, np.maximum(scaled, 2.0**-64), scaled)


def _encode_float(
    fmt: FloatFormat,
    magnitude: NDArray[np.float64],
    negative: NDArray[np.bool_],
    options: EncodeOptions,
    shift: NDArray[np.integer[Any]] | int,
    random: NDArray[np.float64] | None,
) -> NDArray[np.int64]:
    finite = np.isfinite(magnitude)
    # frexp gives 0.5 <= fraction < 1, so floor(log2) is one less; below emin the grid stops shrinking.
    lowest = fmt.emin
    if not fmt.subnormals and options.unsigned_underflow == "nan":
        lowest -= 1  # one more binade tells what rounds up to 2**emin; whatever does not has a code below 0
    exponent = np.maximum(floor_log2(magnitude) - shift, lowest)
    exponent = np.where(magnitude == 0, fmt.emin, exponent)
    # Exact: a value of at least 2**emin lands in [2**mantissa_bits, 2**(mantissa_bits + 1)), where its
    # 53 bits still fit, and of a smaller one no more is asked than `_scaled` gives.
    significand = _scaled(magnitude, fmt.mantissa_bits - exponent - shift)
    # The significand includes the hidden bit, which adds one to the exponent field of a normal number;
    # a carry out of rounding moves to the next binade by the same addition.
    base = (exponent.astype(np.int64) - fmt.emin) << fmt.mantissa_bits
    if not fmt.subnormals:
        significand = np.maximum(significand, 1 << fmt.mantissa_bits)
        base -= 1 << fmt.mantissa_bits
    by_code = options.rounding == "rto" or options.tie_without_mantissa == "even_code"
    rounded = round_to_integer(
        np.where(finite, significand, 0.0),
        options.rounding,
        negative,
        (base & 1 == 1) & by_code,
        random,
        options.random_bits,
    )
    code = base + rounded.astype(np.int64)
    code = np.where(~finite | (code > fmt.max_code), _overflow_codes(fmt, finite, negative, options), code)
    underflows = code < 0
    code = np.where(negative, code | fmt.sign_mask, code)
    if underflows.any():
        code[underflows] = _encode_nan(fmt, np.where(negative, -np.nan, np.nan)[underflows], options)
    if options.negative_zero == "positive" and fmt.subnormals:
        code = np.where(code == fmt.sign_mask, 0, code)
    return code


def _overflow_codes(
    fmt: FloatFormat, finite: NDArray[np.bool_], negative: NDArray[np.bool_], options: EncodeOptions
) -> NDArray[np.int64]:
    """Magnitude codes of values beyond the range: infinite ones, and finite ones after rounding."""
    beyond = fmt.infinity_code if fmt.infinity_code is not None else fmt.max_code + 1
    if options.overflow == "saturate":
        keeps_infinity = options.infinity == "keep" and fmt.infinity_code is not None
        return np.where(finite, fmt.max_code, beyond if keeps_infinity else fmt.max_code)
    if options.directed_overflow == "table" or options.rounding not in ("rtz", "rto", "rup", "rdn"):
        return np.full(finite.shape, beyond)
    rounds_away = {"rup": ~negative, "rdn": negative}.get(options.rounding, np.False_)
    return np.where(finite & ~rounds_away, fmt.max_code, beyond)


def _encode_integer(
    fmt: IntegerFormat,
    magnitude: NDArray[np.float64],
    negative: NDArray[np.bool_],
    options: EncodeOptions,
    shift: NDArray[np.integer[Any]] | int,
    random: NDArray[np.float64] | None,
) -> NDArray[np.int64]:
    # Clamping first keeps the integers small and changes nothing: the bounds are on the grid (D-4).
    limit = fmt.max_code + (negative if options.integer_minimum == "full" else 0)
    scaled = np.fmin(_scaled(magnitude, fmt.fraction_bits - shift), limit)
    rounded = round_to_integer(scaled, options.rounding, negative, False, random, options.random_bits)
    code = np.where(negative, -rounded, rounded).astype(np.int64)
    return code & ((1 << fmt.bits) - 1)


def _encode_nan(fmt: NumberFormat, nans: NDArray[np.float64], options: EncodeOptions) -> NDArray[np.int64]:
    """Codes of float64 NaNs (A-13, A-15)."""
    negative = np.signbit(nans)
    if isinstance(fmt, IntegerFormat) or not fmt.nan_codes:
        return _nan_to_finite(fmt, negative, options)
    if fmt.infinity_code is None:
        code = np.full(nans.shape, fmt.nan_codes[0])
    else:
        quiet = fmt.infinity_code | (1 << (fmt.mantissa_bits - 1))
        payload = (nans.view(np.int64) >> (52 - fmt.mantissa_bits)) & ((1 << fmt.mantissa_bits) - 1)
        code = {
            "quiet": np.full(nans.shape, quiet),
            "keep": quiet | payload,
            "ones": np.full(nans.shape, fmt.magnitude_mask),
        }[options.nan_payload]
    if options.nan_sign == "positive":
        return code
    return np.where(negative | (options.nan_sign == "negative"), code | fmt.sign_mask, code)


def _nan_to_finite(
    fmt: NumberFormat, negative: NDArray[np.bool_], options: EncodeOptions
) -> NDArray[np.int64]:
    if options.nan_to_finite == "error":
        raise ValueRefusedError(f"NaN cannot become {fmt.name}, which has no NaN (nan_to_finite='error')")
    if isinstance(fmt, IntegerFormat):
        lowest = fmt.min_code if options.integer_minimum == "full" else fmt.min_code + 1
        minus_zero = 0
    else:
        lowest, minus_zero = fmt.max_code | fmt.sign_mask, fmt.sign_mask
    positive_code, negative_code = {
        "positive_max": (fmt.max_code, fmt.max_code),
        "signed_max": (fmt.max_code, lowest),
        "positive_zero": (0, 0),
        "inverted_zero": (minus_zero, 0),
    }[options.nan_to_finite]
    return np.where(negative, negative_code, positive_code)
