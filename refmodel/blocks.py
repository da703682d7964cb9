"""Arrays -> MX blocks -> arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from refmodel.elements import Overflow, as_codes, as_float, check_encoding, decode_table, encode_exact, widen
from refmodel.errors import DtypeError, ShapeError
from refmodel.formats import BlockFormat, get_format
from refmodel.rounding import Rounding
from refmodel.scales import ScaleRule, check_scale_rule, select_scale

# Elements worked on at a time: their float64 temporaries stay within a level-2 cache.
_TILE_ELEMENTS = 1 << 15


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """The choices that MX leaves open when an array becomes blocks.

    Attributes:
        scale_rule: How the scale follows from the largest magnitude (A-1).
        rounding: Rounding mode of the elements (A-16).
        overflow: What becomes of elements beyond the element's range (A-14).

    Raises:
        UnknownNameError: If a value is not one of its type's.
    """

    scale_rule: ScaleRule = "floor"
    rounding: Rounding = "rne"
    overflow: Overflow = "saturate"

    def __post_init__(self) -> None:
        check_scale_rule(self.scale_rule)


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """An array of MX blocks: element codes and one scale code per block.

    Attributes:
        format: The block format.
        codes: uint8 [..., n_blocks, block_size] element codes.
        scales: uint8 [..., n_blocks] scale codes.
        shape: Shape of the array that the blocks stand for, without padding.
        axis: The axis of that array along which blocks run.

    Blocks made from raw codes stand for an array of shape [..., n_blocks * block_size], blocked along
    its last axis.

    Raises:
        UnknownNameError: If there is no such format.
        DtypeError: If codes or scales are not integer arrays.
        CodeRangeError: If a code does not fit its format.
        ShapeError: If the shapes do not fit each other or the block size.
    """

    format: BlockFormat
    codes: NDArray[np.uint8] = field(repr=False)
    scales: NDArray[np.uint8] = field(repr=False)
    shape: tuple[int, ...] = ()
    axis: int = -1

    def __init__(
        self,
        format: str | BlockFormat,
        codes: ArrayLike,
        scales: ArrayLike,
        shape: tuple[int, ...] | None = None,
        axis: int = -1,
    ) -> None:
        block_format = get_format(format)
        element_codes = as_codes(block_format.element, codes, "element codes")
        scale_codes = as_codes(block_format.scale, scales, "scale codes")
        size = block_format.block_size
        if element_codes.ndim < 2 or element_codes.shape[-1] != size:
            raise ShapeError(
                f"element codes of {block_format.name} have shape {element_codes.shape}; "
                f"they must be [..., n_blocks, {size}]"
            )
        if scale_codes.shape != element_codes.shape[:-1]:
            raise ShapeError(
                f"scale codes have shape {scale_codes.shape}; element codes of shape {element_codes.shape} "
                f"need one scale per block, shape {element_codes.shape[:-1]}"
            )
        *lead, n_blocks, _ = element_codes.shape
        if shape is None:
            shape = (*lead, n_blocks * size)
        else:
            position = check_axis(shape, axis)
            if [*shape[:position], *shape[position + 1 :]] != lead or -(-shape[position] // size) != n_blocks:
                raise ShapeError(
                    f"shape {shape} and axis {axis} do not fit element codes of shape {element_codes.shape}"
                )
        for name, value in (
            ("format", block_format),
            ("codes", element_codes),
            ("scales", scale_codes),
            ("shape", tuple(shape)),
            ("axis", axis),
        ):
            object.__setattr__(self, name, value)

    @property
    def n_blocks(self) -> int:
        """Number of blocks along the blocked axis."""
        return int(self.scales.shape[-1])


def quantize(
    x: ArrayLike,
    format: str | BlockFormat,
    axis: int = -1,
    options: QuantizeOptions | None = None,
) -> Blocks:
    """Convert an array to MX blocks along one axis (MX-6.3).

    The last block of a row is padded with +0 when the axis is not a multiple of the block size (A-9).
    A block that holds NaN or Inf gets a NaN scale, which makes every value of it NaN; its element
    codes, which mean nothing then (MX-4-d), are 0.

    Args:
        x: float16, float32 or float64 array of at least one dimension; any strides.
        format: Block format, by name or description.
        axis: The axis along which blocks run (A-10).
        options: The choices MX leaves open; the defaults when None.

    Returns:
        `Blocks` with codes [..., n_blocks, block_size]: the blocked axis comes last, the others keep
        their order.

    Raises:
        UnknownNameError: If there is no such format.
        DtypeError: If x is not float16, float32 or float64.
        ShapeError: If x has no such axis.
        DefinitionError: If the element format cannot express the overflow option.
    """
    options = QuantizeOptions() if options is None else options
    block_format = get_format(format)
    element, size = block_format.element, block_format.block_size
    check_encoding(element, options.rounding, options.overflow)
    array = as_float(x, "x")
    position = check_axis(array.shape, axis)
    rows = np.moveaxis(array, position, -1)
    *lead, length = rows.shape
    n_blocks = -(-length // size)
    codes = np.zeros((*lead, n_blocks, size), np.uint8)
    scales = np.empty((*lead, n_blocks), np.uint8)
    for index, block_range in _tiles(tuple(lead), n_blocks, size):
        columns = slice(block_range.start * size, min(block_range.stop * size, length))
        values = _as_blocks(rows[(*index, columns)], size)
        scale = select_scale(np.abs(values).max(axis=-1), element, block_format.scale)
        exponent = np.where(
            scale == block_format.scale.nan_codes[0], 0, block_format.scale.bias - scale.astype(np.int32)
        )
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.ldexp(values, exponent[..., None])
        values[scale == block_format.scale.nan_codes[0]] = 0.0
        codes[(*index, block_range)] = encode_exact(element, values, options.rounding, options.overflow)
        scales[(*index, block_range)] = scale
    return Blocks(block_format, codes, scales, array.shape, axis)


def dequantize(blocks: Blocks, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return the values that *blocks* stand for, in the original shape (MX-5.1-h to MX-5.1-k).

    Every value is exact in float64 and, unless it overflows, in float32 (D-7); conversion to *dtype*
    rounds once, to nearest even, and overflows to infinity (A-23). NaN is 0x7FC00000 in float32 (A-12).

    Args:
        blocks: The blocks.
        dtype: float16, float32 or float64.

    Raises:
        DtypeError: If dtype is not one of the three.
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.float16, np.float32, np.float64):
        raise DtypeError(f"dtype {dtype} is not one of float16, float32, float64")
    size = blocks.format.block_size
    out = np.empty(blocks.shape, dtype)
    rows = np.moveaxis(out, blocks.axis, -1)
    length = rows.shape[-1]
    for index, block_range in _tiles(blocks.scales.shape[:-1], blocks.n_blocks, size):
        columns = slice(block_range.start * size, min(block_range.stop * size, length))
        values = block_values(
            blocks.format, blocks.codes[(*index, block_range)], blocks.scales[(*index, block_range)]
        )
        with np.errstate(over="ignore"):
            rows[(*index, columns)] = values.reshape(*values.shape[:-2], -1)[
                ..., : columns.stop - columns.start
            ]
    return out


def block_values(
    format: BlockFormat, codes: NDArray[np.uint8], scales: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return the exact values scale * element of codes [..., block_size] and scales [...] as float64.

    Exact: an element has at most 8 significant bits and the scale is a power of two between 2**-127 and
    2**127. A NaN scale makes the block NaN; NaN and Inf elements pass through (MX-5.1-i).
    """
    scale_values = decode_table(format.scale)[scales][..., None]
    return np.multiply(decode_table(format.element)[codes], scale_values)


def check_axis(shape: tuple[int, ...], axis: int) -> int:
    """Return *axis* as a non-negative index into *shape*.

    Raises:
        ShapeError: If there is no such axis.
    """
    if not isinstance(axis, (int, np.integer)) or not -len(shape) <= axis < len(shape):
        raise ShapeError(f"axis {axis} does not exist in an array of shape {shape}")
    return int(axis) % len(shape)


def _as_blocks(values: NDArray[Any], size: int) -> NDArray[np.float64]:
    """Widen [..., length] to float64 [..., n_blocks, size], padding the last block with +0."""
    *lead, length = values.shape
    n_blocks = -(-length // size)
    blocks = np.zeros((*lead, n_blocks * size), np.float64)
    blocks[..., :length] = widen(values)
    return blocks.reshape(*lead, n_blocks, size)


def _tiles(lead: tuple[int, ...], n_blocks: int, size: int) -> Iterator[tuple[tuple[slice, ...], slice]]:
    """Cover [*lead, n_blocks] with tiles of about _TILE_ELEMENTS elements.

    Yields slices for the leading axes and one for the blocks. Slices leave the strides alone, so an
    array in any layout is worked on without being copied as a whole.
    """
    per_tile = max(1, _TILE_ELEMENTS // size)
    shape = (*lead, n_blocks)
    steps = []
    for extent in reversed(shape):
        step = max(1, min(extent, per_tile))
        steps.append(step)
        per_tile //= step
    steps.reverse()
    counts = [-(-extent // step) for extent, step in zip(shape, steps, strict=True)]
    for position in np.ndindex(*counts):
        *index, blocks = (
            slice(p * s, min((p + 1) * s, n)) for p, s, n in zip(position, steps, shape, strict=True)
        )
        yield tuple(index), blocks
