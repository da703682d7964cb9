"""Element and scale codes <-> values, for any described format.

A code is an unsigned integer, one to an array item, in the low bits. A value is a float; every value
of every format of up to 16 bits is exact in float64.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmodel.encoding import as_random, check_encoding, code_dtype, encode_exact, prepare_input
from refmodel.errors import CodeRangeError, DtypeError
from refmodel.formats import IntegerFormat, NumberFormat, get_number_format
from refmodel.inputs import as_array
from refmodel.options import EncodeOptions, Overflow, Rounding
from refmodel.tables import encode_by_table, has_encode_table

# Formats up to this width are decoded by a table of all their codes.
_MAX_TABLE_BITS = 16


def decode(fmt: str | NumberFormat, codes: ArrayLike) -> NDArray[np.float64]:
    """Return the exact values of *codes* as float64, same shape.

    Args:
        fmt: Element or scale format, by name or description.
        codes: Integer array of any shape, each item a code of the format.

    Returns:
        float64 values; a NaN code gives the positive quiet NaN, the sign of zero and infinity is kept
        (MX-5.3-a, MX-5.3-b, MX-5.3.4-h, MX-5.4.1-d).

    Raises:
        UnknownNameError: If there is no such format.
        DtypeError: If codes is not an integer array.
        CodeRangeError: If a code does not fit the format's width.
    """
    number_format = get_number_format(fmt)
    known = as_codes(number_format, codes)
    if number_format.bits > _MAX_TABLE_BITS:
        return _values(number_format, known)
    values: NDArray[np.float64] = decode_table(number_format)[known]
    return values


def encode(
    fmt: str | NumberFormat,
    values: ArrayLike,
    rounding: Rounding | None = None,
    overflow: Overflow | None = None,
    *,
    options: EncodeOptions | None = None,
    random: ArrayLike | None = None,
) -> NDArray[Any]:
    """Round *values* to codes, once, from the exact input (A-17).

    The value is rounded on the format's grid, subnormals included (A-18), and then compared with the
    range (OFP8-5.2.1-g). By default a NaN becomes the format's positive quiet NaN, 0x7F for E4M3 and
    0x7E for E5M2, or the largest positive value where there is no NaN; -0 keeps its sign, an integer
    element has no -0 and is clamped to the symmetric range.

    Args:
        fmt: Element or scale format, by name or description.
        values: float16, bfloat16, float32 or float64 array of any shape.
        rounding: Shorthand for that field of options; "rne" by default.
        overflow: Shorthand for that field of options; "saturate" by default.
        options: The choices the specifications leave open; the defaults when None.
        random: For stochastic rounding, integers in [0, 2**options.random_bits), broadcast to values.

    Returns:
        Codes, same shape: uint8, or uint16 or uint32 for a format of more than 8 or 16 bits.

    Raises:
        UnknownNameError: If the format, rounding or overflow is not known.
        DtypeError: If values has another dtype.
        DefinitionError: If overflow is "overflow" and the format has neither NaN nor infinity, or random
            is missing under stochastic rounding, or present under another.
        ValueRefusedError: If options refuse NaN and there is one.
    """
    number_format = get_number_format(fmt)
    options = EncodeOptions() if options is None else options
    if rounding is not None:
        options = replace(options, rounding=rounding)
    if overflow is not None:
        options = replace(options, overflow=overflow)
    check_encoding(number_format, options)
    array = as_float(values)
    drawn = as_random(random, array.shape, options)
    if array.dtype != np.float64 and has_encode_table(number_format, options) and array.size > 1 << 12:
        with np.errstate(invalid="ignore"):  # a signalling float16 NaN becomes quiet
            return encode_by_table(number_format, array.astype(np.float32, copy=False), options)
    prepared = prepare_input(array, options).reshape(-1)
    if drawn is not None:
        drawn = drawn.reshape(-1)
    return encode_exact(number_format, prepared, options, random=drawn).reshape(array.shape)


@lru_cache(maxsize=64)
def decode_table(fmt: NumberFormat) -> NDArray[np.float64]:
    """Return the values of all codes of *fmt* in code order, read-only."""
    table = _values(fmt, np.arange(1 << fmt.bits))
    table.flags.writeable = False
    return table


def _values(fmt: NumberFormat, codes: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return the values of *codes* by arithmetic on their fields."""
    codes = codes.astype(np.int64)
    if isinstance(fmt, IntegerFormat):
        signed = codes - ((codes & fmt.min_code) << 1)
        table = np.ldexp(signed.astype(np.float64), -fmt.fraction_bits)
    else:
        magnitude = codes & fmt.magnitude_mask
        field = magnitude >> fmt.mantissa_bits
        mantissa = magnitude & ((1 << fmt.mantissa_bits) - 1)
        subnormal = (field == 0) & fmt.subnormals
        significand = mantissa + np.where(subnormal, 0, 1 << fmt.mantissa_bits)
        exponent = np.where(subnormal, fmt.emin, field - fmt.bias)
        table = np.ldexp(significand.astype(np.float64), (exponent - fmt.mantissa_bits).astype(np.int32))
        table = np.where(magnitude > fmt.max_code, np.nan, table)
        if fmt.specials == "fnuz":
            table = np.where(codes == fmt.sign_mask, np.nan, table)
        if fmt.infinity_code is not None:
            table = np.where(magnitude == fmt.infinity_code, np.inf, table)
        # NaN stays positive whatever its sign bit: one pattern in Float32, 0x7FC00000.
        table = np.where((codes & fmt.sign_mask != 0) & ~np.isnan(table), -table, table)
    return table


@lru_cache(maxsize=64)
def decode_table_as(fmt: NumberFormat, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return `decode_table` converted to *dtype*, read-only."""
    table = decode_table(fmt).astype(dtype)
    table.flags.writeable = False
    return table


def as_codes(fmt: NumberFormat, codes: ArrayLike, what: str = "codes") -> NDArray[Any]:
    """Return *codes* as an array of `code_dtype` after checking dtype and range.

    Raises:
        DtypeError: If codes is not an integer array.
        CodeRangeError: If a code does not fit the format's width; the message gives the first one.
    """
    array = as_array(codes, what)
    dtype = code_dtype(fmt)
    if array.dtype.kind not in "ui":
        if array.size == 0 and not isinstance(codes, np.ndarray):
            return array.astype(dtype)  # an empty list has no dtype of its own
        raise DtypeError(
            f"{what} of {fmt.name}: dtype {array.dtype} is not an integer type; use {dtype} codes"
        )
    if array.dtype != dtype or fmt.bits < 8 * dtype.itemsize:
        bad = (array < 0) | (array >> fmt.bits != 0)
        if bad.any():
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            raise CodeRangeError(
                f"{what} of {fmt.name}: {int(array[index])} at index {list(index)} exceeds {fmt.bits} bits; "
                f"codes run from 0 to {(1 << fmt.bits) - 1:#x}"
            )
    return array.astype(dtype, copy=False)


def as_float(values: ArrayLike, what: str = "values") -> NDArray[Any]:
    """Return *values* as a float16, float32 or float64 array in native byte order; bfloat16 becomes float32.

    Raises:
        DtypeError: If values has any other dtype.
    """
    array = as_array(values, what)
    if array.dtype.name == "bfloat16":  # the type that ml_dtypes registers: the upper half of a Float32
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise DtypeError(
            f"{what}: dtype {array.dtype} is not float16, bfloat16, float32 or float64; convert explicitly"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)
