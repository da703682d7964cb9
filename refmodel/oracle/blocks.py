"""Blocks <-> exact numbers: the conversion of MX-6.3 and the value rule of MX-5.1."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from refmodel.errors import DefinitionError, ShapeError
from refmodel.formats import BlockFormat, ScaleFormat
from refmodel.oracle.codes import canonical_nan, decode, encode
from refmodel.oracle.exact import NAN, Number, floor_log2, number, product
from refmodel.oracle.float32 import to_float32


class Block(NamedTuple):
    """One encoded block: a scale code and block_size element codes, element 0 first (MX-5.1-a)."""

    format: BlockFormat
    scale: int
    codes: Sequence[int]


def select_scale(fmt: BlockFormat, values: Sequence[float | Fraction]) -> int:
    """Return the scale code for a block of *values*: step 1 of MX-6.3-b, from the exact maximum.

    The exponent is floor(log2(amax)) - emax (A-1 floor, A-2, D-1), clamped to the range of the scale format
    (A-4, A-5). A block of zeros gets the smallest scale (A-3), one with NaN or Inf the NaN scale (A-6, A-7).

    Raises:
        DefinitionError: If the scales of the format are not plain powers of two.
    """
    need_power_of_two_scale(fmt.scale)
    numbers = [number(value) for value in values]
    if any(n.kind != "finite" for n in numbers):
        return canonical_nan(fmt.scale)
    amax = max(n.magnitude for n in numbers)
    if amax == 0:
        return 0
    exponent = floor_log2(amax) - fmt.element.emax
    smallest, largest = fmt.scale.emin, fmt.scale.emax
    return min(max(exponent, smallest), largest) + fmt.scale.bias


def need_power_of_two_scale(scale: ScaleFormat) -> None:
    """Refuse a scale format whose codes are not exponents of two and NaN: MX-6.3-b makes no other scales."""
    if scale.signed or scale.subnormals or scale.mantissa_bits or scale.specials != "fn":
        raise DefinitionError(
            f"scale format {scale.name!r} is not a biased exponent with NaN; MX-6.3 needs one"
        )


def quantize_block(fmt: BlockFormat, values: Sequence[float | Fraction]) -> Block:
    """Return *values* as a block: MX-6.3-b, then MX-6.3-d with roundTiesToEven, saturating (MX-6.3-e, -g).

    Fewer values than block_size are padded with +0 (A-9). Under a NaN scale every element code is 0.

    Raises:
        ShapeError: If there are no values, or more than block_size.
        DefinitionError: As `select_scale`.
    """
    if not 1 <= len(values) <= fmt.block_size:
        raise ShapeError(f"{len(values)} values for a block of {fmt.name}; give 1 to {fmt.block_size}")
    padded = [*values, *[0.0] * (fmt.block_size - len(values))]
    code = select_scale(fmt, padded)
    scale = decode(fmt.scale, code)
    if scale.kind == "nan":
        return Block(fmt, code, (0,) * fmt.block_size)
    return Block(fmt, code, tuple(encode(fmt.element, _quotient(value, scale)) for value in padded))


def _quotient(value: float | Fraction, scale: Number) -> Number:
    """V_i / X of MX-6.3-d, exact; a zero keeps its sign."""
    dividend = number(value)
    return Number("finite", dividend.negative, dividend.magnitude / scale.magnitude)


def dequantize_block(block: Block) -> list[Number]:
    """Return the exact values of a block: MX-5.1-h, -i, -k in that order.

    Nothing overflows here, so MX-5.1-j does not arise.
    """
    need_block_size(block)
    scale = decode(block.format.scale, block.scale)
    elements = [decode(block.format.element, code) for code in block.codes]
    if scale.kind == "nan":
        return [NAN for _ in elements]
    return [product(scale, element) if element.kind == "finite" else element for element in elements]


def dequantize_block_float32(block: Block) -> list[int]:
    """Return the values of a block as Float32 bits; beyond Vmax that is Inf, sign kept (MX-5.1-j, A-23)."""
    return [to_float32(value) for value in dequantize_block(block)]


def need_block_size(block: Block) -> None:
    """Refuse a block with a wrong number of elements."""
    if len(block.codes) != block.format.block_size:
        raise ShapeError(
            f"{len(block.codes)} codes in a block of {block.format.name}; give {block.format.block_size}"
        )
