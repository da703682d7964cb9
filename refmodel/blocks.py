"""Arrays -> MX blocks -> arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from refmodel.elements import as_codes, as_float, decode_table_as
from refmodel.encoding import as_random, check_encoding, prepare_input, quantize_exact
from refmodel.errors import DtypeError, ShapeError, unknown_name
from refmodel.formats import BlockFormat, get_format
from refmodel.options import DequantizeOverflow, QuantizeOptions
from refmodel.scales import check_scale
from refmodel.tables import has_quantize_table, quantize_by_table

# Elements worked on at a time: their float64 temporaries stay within a level-2 cache.
_TILE_ELEMENTS = 1 << 16


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
    *,
    random: ArrayLike | None = None,
) -> Blocks:
    """Convert an array to MX blocks along one axis (MX-6.3).

    By default the last block of a row is padded with +0 when the axis is not a multiple of the block
    size, and a block that holds NaN or Inf gets a NaN scale, which makes every value of it NaN; the
    element codes of a block whose scale is NaN mean nothing (MX-4-d) and are 0.

    Args:
        x: float16, bfloat16, float32 or float64 array of at least one dimension; any strides.
        format: Block format, by name or description.
        axis: The axis along which blocks run (A-10).
        options: The choices MX leaves open; the defaults when None.
        random: For stochastic rounding, integers in [0, 2**options.random_bits), broadcast to x.

    Returns:
        `Blocks` with codes [..., n_blocks, block_size]: the blocked axis comes last, the others keep
        their order.

    Raises:
        UnknownNameError: If there is no such format.
        DtypeError: If x has another dtype.
        ShapeError: If x has no such axis, or options refuse a partial block and there is one.
        DefinitionError: If the element format cannot express the overflow option, the scale format is not
            a power of two, or random is missing under stochastic rounding or present under another.
        ValueRefusedError: If options refuse NaN and there is one to encode.
    """
    options = QuantizeOptions() if options is None else options
    block_format = get_format(format)
    element, size = block_format.element, block_format.block_size
    check_encoding(element, options)
    check_scale(block_format.scale)
    array = as_float(x, "x")
    position = check_axis(array.shape, axis)
    rows = np.moveaxis(array, position, -1)
    drawn = as_random(random, array.shape, options)
    drawn_rows = None if drawn is None else np.moveaxis(drawn, position, -1)
    *lead, length = rows.shape
    n_blocks = -(-length // size)
    if options.partial_block == "refuse" and length % size:
        raise ShapeError(
            f"axis {axis} has {length} elements, not a multiple of {size} (partial_block='refuse')"
        )
    codes = np.zeros((*lead, n_blocks, size), np.uint8)
    scales = np.empty((*lead, n_blocks), np.uint8)
    by_table = array.dtype != np.float64 and has_quantize_table(block_format, options)
    for index, block_range in _tiles(tuple(lead), n_blocks, size):
        columns = (*index, slice(block_range.start * size, min(block_range.stop * size, length)))
        tile = (*index, block_range)
        if by_table:
            values = _as_blocks(rows[columns], size, np.float32)
            tile_codes = np.empty(values.shape, np.uint8)
            scales[tile] = quantize_by_table(values, block_format, options, tile_codes)
            codes[tile] = tile_codes
        else:
            values = _as_blocks(prepare_input(rows[columns], options), size, np.float64)
            randoms = None if drawn_rows is None else _as_blocks(drawn_rows[columns], size, np.float64)
            codes[tile], scales[tile] = quantize_exact(values, block_format, options, randoms)
    return Blocks(block_format, codes, scales, array.shape, axis)


def dequantize(
    blocks: Blocks, dtype: DTypeLike = np.float32, *, overflow: DequantizeOverflow = "infinity"
) -> NDArray[Any]:
    """Return the values that *blocks* stand for, in the original shape (MX-5.1-h to MX-5.1-k).

    A value is scale times element, exactly, rounded once to *dtype*, to nearest even; float32 holds every
    value of the OCP formats that does not overflow (D-7). NaN is 0x7FC00000 in float32 (A-12).

    Args:
        blocks: The blocks.
        dtype: float16, float32 or float64.
        overflow: A finite value beyond the range of dtype (A-23): infinity, or the largest finite number.

    Raises:
        DtypeError: If dtype is not one of the three.
        UnknownNameError: If overflow is not known.
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.float16, np.float32, np.float64):
        raise DtypeError(f"dtype {dtype} is not one of float16, float32, float64")
    if overflow not in get_args(DequantizeOverflow):
        raise unknown_name("overflow", overflow, get_args(DequantizeOverflow))
    size = blocks.format.block_size
    in_float32 = dtype != np.float64 and overflow == "infinity" and _is_exact_in_float32(blocks.format)
    exact = np.dtype(np.float32 if in_float32 else np.float64)
    out = np.empty(blocks.shape, dtype)
    rows = np.moveaxis(out, blocks.axis, -1)
    length = rows.shape[-1]
    for index, block_range in _tiles(blocks.scales.shape[:-1], blocks.n_blocks, size):
        columns = slice(block_range.start * size, min(block_range.stop * size, length))
        tile = (*index, block_range)
        values = block_values(blocks.format, blocks.codes[tile], blocks.scales[tile], exact)
        if overflow == "saturate":
            limit = float(np.finfo(dtype).max)
            values = np.where(np.isfinite(values), np.clip(values, -limit, limit), values)
        flat = values.reshape(*values.shape[:-2], -1)
        with np.errstate(over="ignore"):
            rows[(*index, columns)] = flat[..., : columns.stop - columns.start]
    return out


def block_values(
    format: BlockFormat, codes: NDArray[np.uint8], scales: NDArray[np.uint8], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return the values scale * element of codes [..., block_size] and scales [...].

    A NaN scale makes the block NaN; NaN and Inf elements pass through (MX-5.1-i).
    """
    scale_values = decode_table_as(format.scale, dtype)[scales][..., None]
    values: NDArray[Any] = np.take(decode_table_as(format.element, dtype), codes, mode="wrap")
    with np.errstate(over="ignore"):
        values *= scale_values
    return values


def _is_exact_in_float32(format: BlockFormat) -> bool:
    """Return whether float32 holds every scale, element and product exactly that does not overflow it."""
    scale, element = format.scale, format.element
    lowest = scale.quantum_exponent + element.quantum_exponent
    each_fits = all(f.quantum_exponent >= -149 and f.emax <= 127 for f in (scale, element))
    return scale.mantissa_bits == 0 and each_fits and lowest >= -149


def check_axis(shape: tuple[int, ...], axis: int) -> int:
    """Return *axis* as a non-negative index into *shape*.

    Raises:
        ShapeError: If there is no such axis.
    """
    if not isinstance(axis, (int, np.integer)) or not -len(shape) <= axis < len(shape):
        raise ShapeError(f"axis {axis} does not exist in an array of shape {shape}")
    return int(axis) % len(shape)


def _as_blocks(values: NDArray[Any], size: int, dtype: type[np.floating[Any]]) -> NDArray[Any]:
    """Return [..., length] as contiguous [..., n_blocks, size], the last block padded with +0."""
    *lead, length = values.shape
    n_blocks = -(-length // size)
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes quiet
        if length == n_blocks * size:
            return np.ascontiguousarray(values, dtype).reshape(*lead, n_blocks, size)
        blocks = np.zeros((*lead, n_blocks * size), dtype)
        blocks[..., :length] = values
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
