"""Element and scale codes <-> values, for any described format.

A code is an unsigned integer, one to an array item, in the low bits. A value is a float; every value
of every format of up to 16 bits is exact in float64.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmodel.errors import CodeRangeError, DefinitionError, DtypeError, unknown_name
from refmodel.formats import (
    ElementFormat,
    FloatFormat,
    IntegerFormat,
    NumberFormat,
    get_element,
    get_number_format,
)
from refmodel.rounding import Rounding, check_rounding, round_to_integer

Overflow: TypeAlias = Literal["saturate", "overflow"]
"""What becomes of a magnitude that is above the largest finite one after rounding (MX-5.3.1-e).

* ``saturate``: the largest finite value, sign kept; infinities too (SAT).
* ``overflow``: infinity, or NaN where the format has no infinity (OVF, NONSAT in OFP8).
"""

OVERFLOWS: tuple[Overflow, ...] = ("saturate", "overflow")


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
    return decode_table(number_format)[as_codes(number_format, codes)]


def encode(
    fmt: str | ElementFormat,
    values: ArrayLike,
    rounding: Rounding = "rne",
    overflow: Overflow = "saturate",
) -> NDArray[np.uint8]:
    """Round *values* to element codes, once, from the exact input (A-17).

    The value is rounded on the format's grid, subnormals included (A-18), and then compared with the
    range (OFP8-5.2.1-g). A NaN becomes the format's positive NaN, 0x7F for E4M3 and 0x7E for E5M2
    (A-15), or the largest positive value where there is no NaN (A-13). -0 keeps its sign (A-19);
    an integer element has no -0 and is clamped to the symmetric range (A-21).

    Args:
        fmt: Element format, by name or description.
        values: float16, float32 or float64 array of any shape.
        rounding: See `Rounding`.
        overflow: See `Overflow`.

    Returns:
        uint8 codes, same shape.

    Raises:
        UnknownNameError: If the format, rounding or overflow is not known.
        DtypeError: If values is not float16, float32 or float64.
        DefinitionError: If overflow is "overflow" and the format has neither NaN nor infinity.
    """
    element = get_element(fmt)
    check_encoding(element, rounding, overflow)
    array = as_float(values)
    return encode_exact(element, widen(array).reshape(-1), rounding, overflow).reshape(array.shape)


def check_encoding(element: ElementFormat, rounding: str, overflow: str) -> None:
    """Raise unless *element* can be encoded with these options; errors as in `encode`."""
    check_rounding(rounding)
    if overflow not in OVERFLOWS:
        raise unknown_name("overflow", overflow, OVERFLOWS)
    if overflow == "overflow" and (isinstance(element, IntegerFormat) or element.specials == "none"):
        raise DefinitionError(
            f"overflow='overflow': {element.name} has neither NaN nor infinity to overflow to; use 'saturate'"
        )


def encode_exact(
    element: ElementFormat, values: NDArray[np.float64], rounding: Rounding, overflow: Overflow
) -> NDArray[np.uint8]:
    """Encode float64 *values* (at least one axis) under options that `check_encoding` has accepted."""
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(element, IntegerFormat):
            return _encode_integer(element, values, rounding)
        return _encode_float(element, values, rounding, overflow)


def _encode_float(
    element: FloatFormat, values: NDArray[np.float64], rounding: Rounding, overflow: Overflow
) -> NDArray[np.uint8]:
    magnitude = np.abs(values)
    # frexp gives 0.5 <= fraction < 1, so floor(log2) is one less; below emin the grid stops shrinking.
    exponent = np.maximum(np.frexp(magnitude)[1] - 1, element.emin)
    exponent = np.where(magnitude == 0, element.emin, exponent)
    # Exact: a value of at least 2**emin lands in [2**mantissa_bits, 2**(mantissa_bits + 1)), where its
    # 53 bits still fit, and a smaller one is only multiplied by a power of two above 1.
    significand = round_to_integer(np.ldexp(magnitude, element.mantissa_bits - exponent), rounding)
    # The significand includes the hidden bit, which adds one to the exponent field of a normal number;
    # a carry out of rounding moves to the next binade by the same addition.
    finite = np.isfinite(values)
    code = np.where(finite, significand, 0.0).astype(np.int64)
    code += (exponent.astype(np.int64) - element.emin) << element.mantissa_bits
    code[~finite | (code > element.max_code)] = _overflow_code(element, overflow)
    code |= np.where(np.signbit(values), element.sign_mask, 0)
    code[np.isnan(values)] = _nan_code(element)
    return code.astype(np.uint8)


def _overflow_code(element: FloatFormat, overflow: Overflow) -> int:
    if overflow == "saturate":
        return element.max_code
    return element.nan_codes[0] if element.infinity_code is None else element.infinity_code


def _nan_code(element: FloatFormat) -> int:
    """The positive NaN with only the top mantissa bit set, or the largest value (A-13, A-15)."""
    if not element.nan_codes:
        return element.max_code
    if element.infinity_code is None:
        return element.nan_codes[0]
    return element.infinity_code | (1 << (element.mantissa_bits - 1))


def _encode_integer(
    element: IntegerFormat, values: NDArray[np.float64], rounding: Rounding
) -> NDArray[np.uint8]:
    magnitude = round_to_integer(np.ldexp(np.abs(values), element.fraction_bits), rounding)
    # fmin ignores NaN, which thereby becomes the largest magnitude; its sign is cleared.
    code = np.fmin(magnitude, element.max_code).astype(np.int64)
    code[np.signbit(values) & ~np.isnan(values)] *= -1
    return (code & ((1 << element.bits) - 1)).astype(np.uint8)


@lru_cache(maxsize=64)
def decode_table(fmt: NumberFormat) -> NDArray[np.float64]:
    """Return the values of all codes of *fmt* in code order, read-only."""
    codes = np.arange(1 << fmt.bits, dtype=np.int64)
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
        table[magnitude > fmt.max_code] = np.nan
        if fmt.infinity_code is not None:
            table[magnitude == fmt.infinity_code] = np.inf
        # NaN stays positive whatever its sign bit: one pattern in Float32, 0x7FC00000.
        table = np.where((codes & fmt.sign_mask != 0) & ~np.isnan(table), -table, table)
    table.flags.writeable = False
    return table


def as_codes(fmt: NumberFormat, codes: ArrayLike, what: str = "codes") -> NDArray[np.uint8]:
    """Return *codes* as a uint8 array after checking dtype and range.

    Raises:
        DtypeError: If codes is not an integer array.
        CodeRangeError: If a code does not fit the format's width; the message gives the first one.
    """
    array = np.asarray(codes)
    if array.dtype.kind not in "ui":
        if array.size == 0 and not isinstance(codes, np.ndarray):
            return array.astype(np.uint8)  # an empty list has no dtype of its own
        raise DtypeError(f"{what} of {fmt.name}: dtype {array.dtype} is not an integer type; use uint8 codes")
    if array.dtype != np.uint8 or fmt.bits < 8:
        bad = (array < 0) | (array >> fmt.bits != 0)
        if bad.any():
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            raise CodeRangeError(
                f"{what} of {fmt.name}: {int(array[index])} at index {list(index)} exceeds {fmt.bits} bits; "
                f"codes run from 0 to {(1 << fmt.bits) - 1:#x}"
            )
    return array.astype(np.uint8, copy=False)


def widen(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return floating *values* as float64, exactly; a signalling NaN becomes quiet without a warning."""
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


def as_float(values: ArrayLike, what: str = "values") -> NDArray[Any]:
    """Return *values* as a float16, float32 or float64 array in native byte order.

    Raises:
        DtypeError: If values has any other dtype.
    """
    array = np.asarray(values)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise DtypeError(
            f"{what}: dtype {array.dtype} is not one of float16, float32, float64; convert explicitly"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)
