"""Bit layouts in memory: element codes <-> bytes, blocks <-> bytes, scales <-> the 128x4 swizzle.

Which bit goes where is described in `refmodel.layouts`. Nothing is padded silently: a number of codes
that does not fill whole bytes is refused, and a set bit that a layout leaves 0 is refused on the way back.

>>> import numpy as np
>>> codes = np.array([0x1, 0x2, 0x3, 0xF], np.uint8)
>>> pack(codes, "e2m1").tobytes().hex(), pack(codes, "e2m1", "high_first").tobytes().hex()
('21f3', '123f')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmodel.blocks import Blocks
from refmodel.elements import as_codes
from refmodel.errors import (
    CodeRangeError,
    DefinitionError,
    DtypeError,
    MissingPackageError,
    ShapeError,
    unknown_name,
)
from refmodel.formats import BlockFormat, NumberFormat, get_format
from refmodel.inputs import as_array
from refmodel.layouts import Layout, as_packed_format, get_plan

if TYPE_CHECKING:
    from bitstring import Bits

ScalePosition: TypeAlias = Literal["apart", "first", "last"]
"""Where a block's scale is stored (MX-5.1-g, A-26): in a second array, or before or after the elements."""

SCALE_POSITIONS: tuple[ScalePosition, ...] = ("apart", "first", "last")

# Bytes of codes worked on at a time: their temporaries stay within a level-2 cache.
_TILE_BYTES = 1 << 16


def pack(codes: ArrayLike, element: int | str | NumberFormat, layout: Layout = "le") -> NDArray[np.uint8]:
    """Pack element codes along the last axis into bytes (A-24, A-25).

    The default layout is `low_first` for 4-bit codes, `le24` for 6-bit codes, and one byte each for
    8-bit codes.

    Args:
        codes: Integer array [..., n], one code to an item, any strides.
        element: Code width in bits, 2 to 8, or a format by name or description.
        layout: Where the bits go, see `refmodel.layouts`.

    Returns:
        New uint8 array [..., n_bytes]. n_bytes is n * bits / 8, or n for the layouts with a byte each.

    Raises:
        UnknownNameError: If there is no such format or layout.
        DefinitionError: If the layout is not defined for this width, or the width is not 2 to 8 bits.
        DtypeError: If codes is not an integer array.
        CodeRangeError: If a code does not fit the width.
        ShapeError: If codes has no axis, or n does not fill whole units.
    """
    number_format = as_packed_format(element)
    plan = get_plan(layout, number_format.bits)
    array = as_array(codes, "codes to pack")
    # The maximum is many times faster than the full check, which then only has to find the index.
    if array.dtype != np.uint8 or (array.size and int(array.max()) >> number_format.bits):
        array = as_codes(number_format, codes, "codes to pack")
    units = _to_units(array, plan.unit, plan.planar, layout, number_format.bits, "codes")
    words = units.view(plan.word).reshape(-1)
    packed = np.empty((len(units), plan.unit_bytes), np.uint8)
    for tile in _tiles(len(units), plan.unit):
        moved = _move(words[tile], plan.pack_moves)
        for byte in range(plan.unit_bytes):
            packed[tile, byte] = moved >> plan.word.type(8 * byte)  # assignment keeps the low 8 bits
    return _from_units(packed, array.shape, plan.unit, plan.planar)


def unpack(packed: ArrayLike, element: int | str | NumberFormat, layout: Layout = "le") -> NDArray[np.uint8]:
    """Return the element codes that `pack` stored, with the same *element* and *layout*.

    Args:
        packed: uint8 array [..., n_bytes], any strides.
        element: Code width in bits, 2 to 8, or a format by name or description.
        layout: Where the bits are.

    Returns:
        New uint8 array [..., n] of codes.

    Raises:
        UnknownNameError: If there is no such format or layout.
        DefinitionError: If the layout is not defined for this width, or the width is not 2 to 8 bits.
        DtypeError: If packed is not a uint8 array.
        ShapeError: If packed has no axis, or n_bytes is not a whole number of units.
        CodeRangeError: If a bit that the layout leaves 0 is set.
    """
    bits = as_packed_format(element).bits
    plan = get_plan(layout, bits)
    array = _as_bytes(packed, "packed codes")
    units = _to_units(array, plan.unit_bytes, plan.planar, layout, bits, "bytes")
    if plan.unused and (stray := array & plan.unused).any():
        index = tuple(int(i) for i in np.argwhere(stray)[0])
        raise CodeRangeError(
            f"element byte {int(array[index]):#04x} at index {list(index)} has bits set outside the mask "
            f"{~plan.unused & 0xFF:#04x} of layout {layout!r} for {bits}-bit codes; they must be 0"
        )
    words = np.empty(len(units), plan.word)
    for tile in _tiles(len(units), plan.unit):
        joined = units[tile, 0].astype(plan.word)
        for byte in range(1, plan.unit_bytes):
            joined |= units[tile, byte].astype(plan.word) << plan.word.type(8 * byte)
        words[tile] = _move(joined, plan.unpack_moves)
    codes = words.view(np.uint8).reshape(len(units), plan.unit)
    return _from_units(codes, array.shape, plan.unit_bytes, plan.planar)


@overload
def pack_blocks(
    blocks: Blocks, layout: Layout = ..., *, scale_position: Literal["apart"] = ...
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]: ...
@overload
def pack_blocks(
    blocks: Blocks, layout: Layout = ..., *, scale_position: Literal["first", "last"]
) -> NDArray[np.uint8]: ...
def pack_blocks(
    blocks: Blocks, layout: Layout = "le", *, scale_position: ScalePosition = "apart"
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | NDArray[np.uint8]:
    """Pack blocks into bytes, with the scale byte apart, first or last (MX-5.1-g, A-26).

    In a dense layout a block with an 8-bit scale takes block_bits / 8 bytes (MX-5.1-d): 33, 25 and 17
    for MXFP8 and MXINT8, MXFP6, MXFP4. ggml's MXFP4 block is layout "ggml" with the scale first.

    Args:
        blocks: The blocks; padding of a partial last block is stored like any other element.
        layout: Where the bits of the elements go; each block is packed on its own.
        scale_position: "apart" for two arrays, "first" or "last" for one.

    Returns:
        "apart": (elements, scales), new uint8 arrays [..., n_blocks, element_bytes] and
        [..., n_blocks]. "first", "last": one new uint8 array [..., n_blocks, element_bytes + 1].

    Raises:
        UnknownNameError: If there is no such layout or scale position.
        DefinitionError: If the layout is not defined for the element width, or the scale is wider than
            a byte.
        ShapeError: If the block size does not fill whole units.
    """
    _check_scale(blocks.format, scale_position)
    elements = pack(blocks.codes, blocks.format.element, layout)
    if scale_position == "apart":
        return elements, blocks.scales.copy()
    scales = blocks.scales[..., None]
    return np.concatenate((scales, elements) if scale_position == "first" else (elements, scales), axis=-1)


def unpack_blocks(
    packed: ArrayLike | tuple[ArrayLike, ArrayLike],
    format: str | BlockFormat,
    layout: Layout = "le",
    *,
    scale_position: ScalePosition = "apart",
    shape: tuple[int, ...] | None = None,
    axis: int = -1,
) -> Blocks:
    """Return the blocks that `pack_blocks` stored.

    Args:
        packed: What `pack_blocks` returned: the pair (elements, scales) for "apart", else one array.
        format: Block format, by name or description.
        layout: Where the bits of the elements are.
        scale_position: Where the scale is.
        shape: Shape of the array that the blocks stand for, as in `Blocks`.
        axis: The axis of that array along which blocks run.

    Raises:
        UnknownNameError: If there is no such format, layout or scale position.
        DefinitionError: If the layout is not defined for the element width, or the scale is wider than
            a byte.
        DtypeError: If an array is not uint8.
        ShapeError: If the bytes are not [..., n_blocks, bytes of one block], the scales not
            [..., n_blocks], or shape and axis do not fit.
        CodeRangeError: If a bit that the layout leaves 0 is set, or a scale code does not fit its format.
    """
    block_format = get_format(format)
    _check_scale(block_format, scale_position)
    if scale_position == "apart":
        if not isinstance(packed, tuple) or len(packed) != 2:
            raise ShapeError("scale_position='apart' takes a pair (elements, scales)")
        elements = _as_bytes(packed[0], "packed elements")
        scales = _as_bytes(packed[1], "scales")
    else:
        if isinstance(packed, tuple):
            raise ShapeError(f"scale_position={scale_position!r} takes one array, not a tuple")
        joined = _as_bytes(packed, "packed blocks")
        if joined.ndim == 0 or joined.shape[-1] == 0:
            raise ShapeError(f"packed blocks have shape {joined.shape}; there is no scale byte")
        if scale_position == "first":
            elements, scales = joined[..., 1:], joined[..., 0]
        else:
            elements, scales = joined[..., :-1], joined[..., -1]
    element, size = block_format.element, block_format.block_size
    plan = get_plan(layout, element.bits)
    if size % plan.unit:
        raise ShapeError(_unit_message(layout, element.bits, "codes", size, plan.unit))
    expected = size // plan.unit * plan.unit_bytes
    if elements.ndim < 2 or elements.shape[-1] != expected:
        extra = 0 if scale_position == "apart" else 1
        got = (*elements.shape[:-1], elements.shape[-1] + extra) if elements.ndim else ()
        raise ShapeError(
            f"packed blocks have shape {got}; {block_format.name} in layout {layout!r} with the scale "
            f"{scale_position} needs [..., n_blocks, {expected + extra}]"
        )
    return Blocks(block_format, unpack(elements, element, layout), scales, shape, axis)


def swizzle_scales(scales: ArrayLike) -> NDArray[np.uint8]:
    """Store a matrix of scale codes in NVIDIA's tiled 128x4 order (NV-LAY-a, A-26).

    The matrix is padded with code 0x00 to multiples of 128 rows and 4 columns; tiles follow each other
    in row-major order, 512 bytes each; within a tile the code of (row, column) is at offset
    (row % 32) * 16 + (row // 32) * 4 + column. This is cuBLAS's "1D block scaling factors layout",
    cuDNN's F8_128x4 and torchao's `to_blocked`.

    Args:
        scales: uint8 array [..., rows, columns]: a row per row of the matrix product's operand, a
            column per block along its reduced axis. `Blocks.scales` of a matrix has this shape.

    Returns:
        New uint8 array [..., ceil(rows / 128) * ceil(columns / 4) * 512].

    Raises:
        DtypeError: If scales is not a uint8 array.
        ShapeError: If scales has fewer than two axes.
    """
    array = _as_bytes(scales, "scales")
    if array.ndim < 2:
        raise ShapeError(f"scales have shape {array.shape}; they must be [..., rows, columns]")
    *lead, rows, columns = array.shape
    tile_rows, tile_columns = -(-rows // 128), -(-columns // 4)
    padded = np.zeros((*lead, 128 * tile_rows, 4 * tile_columns), np.uint8)
    padded[..., :rows, :columns] = array
    # [..., tile row, row // 32, row % 32, tile column, column]
    #   -> [..., tile row, tile column, row % 32, row // 32, column]
    tiles = padded.reshape(*lead, tile_rows, 4, 32, tile_columns, 4).swapaxes(-4, -2)
    return tiles.reshape(*lead, 512 * tile_rows * tile_columns)


def unswizzle_scales(swizzled: ArrayLike, rows: int, columns: int) -> NDArray[np.uint8]:
    """Return the matrix of scale codes that `swizzle_scales` stored.

    What the padding holds is ignored: cuBLAS warns against any assumption about it.

    Args:
        swizzled: uint8 array [..., ceil(rows / 128) * ceil(columns / 4) * 512].
        rows: Rows of the matrix without padding.
        columns: Columns of the matrix without padding.

    Returns:
        New uint8 array [..., rows, columns].

    Raises:
        DtypeError: If swizzled is not a uint8 array.
        ShapeError: If rows or columns is not an integer of at least 0, or the last axis has another
            length.
    """
    array = _as_bytes(swizzled, "swizzled scales")
    if not all(isinstance(extent, int | np.integer) and extent >= 0 for extent in (rows, columns)):
        raise ShapeError(f"rows={rows} and columns={columns} must be integers of at least 0")
    tile_rows, tile_columns = -(-rows // 128), -(-columns // 4)
    expected = 512 * tile_rows * tile_columns
    if array.ndim == 0 or array.shape[-1] != expected:
        raise ShapeError(
            f"swizzled scales have shape {array.shape}; {rows} x {columns} scales take "
            f"{tile_rows} x {tile_columns} tiles of 512 bytes, shape [..., {expected}]"
        )
    lead = array.shape[:-1]
    tiles = array.reshape(*lead, tile_rows, tile_columns, 32, 4, 4)
    padded = tiles.swapaxes(-4, -2).reshape(*lead, 128 * tile_rows, 4 * tile_columns)
    return padded[..., :rows, :columns].copy()


def block_bitstring(
    blocks: Blocks, index: int | tuple[int, ...], scale_position: Literal["first", "last"] = "first"
) -> Bits:
    """Return one block as a `bitstring.Bits`, for people to read and slice.

    The codes are written one after the other, element 0 first, each most significant bit first, with
    the scale code before or after them; nothing is padded, so the length is block_bits (MX-5.1-d).

    Args:
        blocks: The blocks.
        index: Index of the block into `blocks.scales`; an int where that has one axis.
        scale_position: "first" or "last".

    Raises:
        MissingPackageError: If the package bitstring is not installed.
        UnknownNameError: If there is no such scale position.
        ShapeError: If there is no such block.
    """
    try:
        from bitstring import Bits
    except ImportError as error:
        raise MissingPackageError(
            "block_bitstring needs the package bitstring; run: pip install 'bitstring>=5'"
        ) from error
    if scale_position not in ("first", "last"):
        raise unknown_name("scale position", scale_position, ("first", "last"))
    position = index if isinstance(index, tuple) else (index,)
    shape = blocks.scales.shape
    if len(position) != len(shape) or not all(
        isinstance(i, int | np.integer) and not isinstance(i, bool) and -n <= i < n
        for i, n in zip(position, shape, strict=True)
    ):
        raise ShapeError(f"there is no block {list(position)}; blocks have shape {list(shape)}")
    elements = "".join(f"{code:0{blocks.format.element.bits}b}" for code in blocks.codes[position].tolist())
    scale = f"{int(blocks.scales[position]):0{blocks.format.scale.bits}b}"
    return Bits("0b" + (scale + elements if scale_position == "first" else elements + scale))


def _move(words: NDArray[Any], moves: tuple[tuple[int, int], ...]) -> NDArray[Any]:
    """Return words with each masked group of bits moved up by its shift, all other bits 0."""
    scalar = words.dtype.type
    moved = np.zeros_like(words)
    for mask, shift in moves:
        part = words & scalar(mask)
        if shift > 0:
            part <<= scalar(shift)
        elif shift < 0:
            part >>= scalar(-shift)
        moved |= part
    return moved


def _tiles(n_units: int, unit: int) -> list[slice]:
    """Cover n_units with slices of about _TILE_BYTES of codes."""
    step = _TILE_BYTES // unit
    return [slice(start, start + step) for start in range(0, n_units, step)]


def _to_units(
    array: NDArray[np.uint8], size: int, planar: bool, layout: str, bits: int, what: str
) -> NDArray[np.uint8]:
    """Return [..., n] as contiguous [n_units, size], checking that n is a whole number of units."""
    if array.ndim == 0:
        raise ShapeError(f"{what} have no axis to run along; give an array [..., n]")
    length = array.shape[-1]
    if length % size:
        raise ShapeError(_unit_message(layout, bits, what, length, size))
    if planar:
        array = array.reshape(*array.shape[:-1], size, length // size).swapaxes(-1, -2)
    return np.ascontiguousarray(array.reshape(-1, size))


def _from_units(
    units: NDArray[np.uint8], source_shape: tuple[int, ...], source_size: int, planar: bool
) -> NDArray[np.uint8]:
    """Undo `_to_units`: return [n_units, size] as [..., n], axes as in the source that gave the units."""
    *lead, source_length = source_shape
    per_row, size = source_length // source_size, units.shape[1]
    if planar:
        units = units.reshape(*lead, per_row, size).swapaxes(-1, -2)
    return units.reshape(*lead, per_row * size)


def _unit_message(layout: str, bits: int, what: str, length: int, size: int) -> str:
    return (
        f"{length} {what} along the last axis do not fill whole units of layout {layout!r}: "
        f"{bits}-bit codes need a multiple of {size} {what}"
    )


def _as_bytes(data: ArrayLike, what: str) -> NDArray[np.uint8]:
    """Return *data* as a uint8 array.

    Raises:
        DtypeError: If it has another dtype; bytes are not reinterpreted silently.
    """
    array = as_array(data, what)
    if array.dtype != np.uint8:
        raise DtypeError(
            f"{what}: dtype {array.dtype} is not uint8; "
            "use array.view(np.uint8), or np.frombuffer(data, np.uint8) for bytes"
        )
    return array


def _check_scale(block_format: BlockFormat, scale_position: str) -> None:
    if scale_position not in SCALE_POSITIONS:
        raise unknown_name("scale position", scale_position, SCALE_POSITIONS)
    if block_format.scale.bits > 8:
        raise DefinitionError(
            f"{block_format.name}: a scale of {block_format.scale.bits} bits does not fit the scale byte"
        )
