"""MX blocks: element codes with their scales, and the values they stand for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from refmodel.elements import as_codes, decode, decode_table_as
from refmodel.errors import DefinitionError, DtypeError, ShapeError, unknown_name
from refmodel.formats import BlockFormat, get_format
from refmodel.options import DequantizeOverflow
from refmodel.tiles import Tile, for_each_tile


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """An array of MX blocks: element codes and one scale code per block.

    Attributes:
        format: The block format.
        codes: uint8 [..., n_blocks, block_size] element codes.
        scales: Scale codes [..., n_blocks], uint8; uint16 or uint32 for a scale of more than 8 or 16 bits.
        shape: Shape of the array that the blocks stand for, without padding.
        axis: The axis of that array along which blocks run; None if they run through all of it in C order.
        tensor_scale: The Float32 scale that all blocks share (NV-FMT-d), or None in a format without it.

    Blocks made from raw codes stand for an array of shape [..., n_blocks * block_size], blocked along
    its last axis.

    Raises:
        UnknownNameError: If there is no such format.
        DtypeError: If codes or scales are not integer arrays.
        CodeRangeError: If a code does not fit its format.
        ShapeError: If the shapes do not fit each other or the block size.
        DefinitionError: If there is a tensor scale and the format has none, or it is not a positive finite
            number. In a format that has one it is 1 unless given.
    """

    format: BlockFormat
    codes: NDArray[np.uint8] = field(repr=False)
    scales: NDArray[Any] = field(repr=False)
    shape: tuple[int, ...] = ()
    axis: int | None = -1
    tensor_scale: np.float32 | None = None

    def __init__(
        self,
        format: str | BlockFormat,
        codes: ArrayLike,
        scales: ArrayLike,
        shape: tuple[int, ...] | None = None,
        axis: int | None = -1,
        tensor_scale: float | np.float32 | None = None,
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
            row_shape, length = rows_of(shape, axis)
            if [*row_shape] != lead or -(-length // size) != n_blocks:
                raise ShapeError(
                    f"shape {shape} and axis {axis} do not fit element codes of shape {element_codes.shape}"
                )
        for name, value in (
            ("format", block_format),
            ("codes", element_codes),
            ("scales", scale_codes),
            ("shape", tuple(shape)),
            ("axis", axis),
            ("tensor_scale", check_tensor_scale(block_format, tensor_scale)),
        ):
            object.__setattr__(self, name, value)

    @property
    def n_blocks(self) -> int:
        """Number of blocks along the blocked axis."""
        return int(self.scales.shape[-1])


def dequantize(
    blocks: Blocks,
    dtype: DTypeLike = np.float32,
    *,
    overflow: DequantizeOverflow = "infinity",
    threads: int = 1,
) -> NDArray[Any]:
    """Return the values that *blocks* stand for, in the original shape (MX-5.1-h to MX-5.1-k).

    A value is scale times element, times the tensor scale if there is one, exactly, rounded once to *dtype*,
    to nearest even; float32 holds every value of the OCP formats that does not overflow (D-7). NaN is
    0x7FC00000 in float32 (A-12).

    Args:
        blocks: The blocks.
        dtype: float16, float32 or float64.
        overflow: A finite value beyond the range of dtype (A-23): infinity, or the largest finite number.
        threads: How many threads share the work.

    Raises:
        DtypeError: If dtype is not one of the three.
        UnknownNameError: If overflow is not known.
        DefinitionError: If threads is below 1.
    """
    try:
        dtype = np.dtype(dtype)
    except (TypeError, ValueError) as error:
        raise DtypeError(f"dtype {dtype!r} is not one of float16, float32, float64") from error
    if dtype not in (np.float16, np.float32, np.float64):
        raise DtypeError(f"dtype {dtype} is not one of float16, float32, float64")
    if overflow not in get_args(DequantizeOverflow):
        raise unknown_name("overflow", overflow, get_args(DequantizeOverflow))
    # The product of element, scale and tensor scale has at most 7 + 8 + 24 or 7 + 24 bits, so it is exact in
    # float64 and rounded once.
    in_float32 = dtype != np.float64 and overflow == "infinity" and _is_exact_in_float32(blocks.format)
    exact = np.dtype(np.float32 if in_float32 else np.float64)
    limit = float(np.finfo(dtype).max)
    out = np.empty(blocks.shape, dtype)
    rows = out.reshape(-1) if blocks.axis is None else np.moveaxis(out, blocks.axis, -1)

    def fill(tile: Tile) -> None:
        codes, scales = blocks.codes[tile.codes], blocks.scales[tile.scales]
        values = block_values(blocks.format, codes, scales, exact, blocks.tensor_scale)
        if overflow == "saturate":
            values = np.where(np.isfinite(values), np.clip(values, -limit, limit), values)
        flat = values.reshape(*values.shape[:-2], -1)
        columns = rows[tile.columns]
        with np.errstate(over="ignore"):
            columns[...] = flat[..., : columns.shape[-1]]

    for_each_tile(blocks.scales.shape, blocks.format.block_size, rows.shape[-1], fill, threads)
    return out


def block_values(
    format: BlockFormat,
    codes: NDArray[np.uint8],
    scales: NDArray[Any],
    dtype: np.dtype[Any],
    tensor_scale: np.float32 | None = None,
) -> NDArray[Any]:
    """Return the values scale * element of codes [..., any] and scales [...], times the tensor scale.

    A NaN scale makes the block NaN; NaN and Inf elements pass through (MX-5.1-i), also under a zero scale.
    """
    scale_values = decode(format.scale, scales).astype(dtype)[..., None]
    if tensor_scale is not None:
        scale_values = scale_values * np.float64(tensor_scale)
    values: NDArray[Any] = np.take(decode_table_as(format.element, dtype), codes, mode="wrap")
    with np.errstate(over="ignore", invalid="ignore"):
        if format.scale.subnormals and not np.isfinite(values).all():
            return np.where(np.isfinite(values) | np.isnan(scale_values), values * scale_values, values)
        values *= scale_values
    return values


def _is_exact_in_float32(format: BlockFormat) -> bool:
    """Return whether float32 holds every scale, element and product exactly that does not overflow it."""
    scale, element = format.scale, format.element
    lowest = scale.quantum_exponent + element.quantum_exponent
    each_fits = all(f.quantum_exponent >= -149 and f.emax <= 127 for f in (scale, element))
    return scale.is_power_of_two and each_fits and lowest >= -149


def rows_of(shape: tuple[int, ...], axis: int | None) -> tuple[tuple[int, ...], int]:
    """Return the shape of the rows along *axis* and their length; all is one row where axis is None.

    Raises:
        ShapeError: If there is no such axis.
    """
    if axis is None:
        return (), math.prod(shape)
    position = check_axis(shape, axis)
    return (*shape[:position], *shape[position + 1 :]), shape[position]


def check_tensor_scale(format: BlockFormat, tensor_scale: float | np.float32 | None) -> np.float32 | None:
    """Return *tensor_scale* as Float32, or 1 if it is None and the format has one.

    Raises:
        DefinitionError: If the format has none, or it is not a positive finite Float32.
    """
    if format.tensor_scale is None:
        if tensor_scale is not None:
            raise DefinitionError(f"tensor_scale={tensor_scale}: {format.name} has no tensor scale")
        return None
    if tensor_scale is None:
        return np.float32(1)
    return as_tensor_scale(tensor_scale)


def as_tensor_scale(tensor_scale: float | np.float32) -> np.float32:
    """Return *tensor_scale* as Float32.

    Raises:
        DefinitionError: If it is not a positive finite Float32.
    """
    try:
        given = math.nan if isinstance(tensor_scale, str) else float(tensor_scale)
    except (TypeError, ValueError, OverflowError):
        given = math.nan
    with np.errstate(over="ignore"):
        scale = np.float32(given)
    if float(scale) != given or not 0 < scale < np.inf:
        raise DefinitionError(f"tensor_scale={tensor_scale!r} must be a positive finite Float32 number")
    return scale


def check_axis(shape: tuple[int, ...], axis: int) -> int:
    """Return *axis* as a non-negative index into *shape*.

    Raises:
        ShapeError: If there is no such axis.
    """
    if not isinstance(axis, (int, np.integer)) or not -len(shape) <= axis < len(shape):
        raise ShapeError(f"axis {axis} does not exist in an array of shape {shape}")
    return int(axis) % len(shape)
