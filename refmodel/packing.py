"""Bit layouts in memory: element codes <-> bytes, blocks <-> bytes, scales <-> the 128x4 swizzle.

MX prescribes no layout (MX-5.1-e), so every layout here has a name and a source. A layout says where
each bit of each code goes: bit k of code i of a unit is stored at a bit position of the unit's bytes,
position 0 being the least significant bit of byte 0, position 8 that of byte 1. A unit is the smallest
group of codes that fills whole bytes. Within a code the sign is the most significant bit (MX-5.3-c).

| layout | bits | where code i of a unit goes | source |
|---|---|---|---|
| `le` | 2-8 | little-endian bit stream: code 0 in the lowest bits of byte 0 | zarr "packbits" |
| `be` | 2-8 | big-endian bit stream: code 0 in the highest bits of byte 0 | written order of the bits |
| `byte` | 2-8 | a byte each, low bits, the others 0 | ml_dtypes; PTX `cvt`, FP6 (NV-CVT-a) |
| `byte_high` | 2-8 | a byte each, high bits, the others 0 | tt-llk and tt-metal, FP6 (A-25) |
| `ptx` | 4, 6, 8 | a byte each: 4 bits in 5:2, 6 bits in 5:0, the others 0 | PTX `f8f6f4` kinds (NV-MM-d) |
| `low_first` | 4 | code 0 in bits 3:0, code 1 in 7:4; the same as `le` | most, see A-24 |
| `high_first` | 4 | code 0 in bits 7:4, code 1 in 3:0; the same as `be` | PTX `cvt` operand order (NV-CVT-a) |
| `ggml` | 4 | byte j: code j in bits 3:0, code j + n/2 in 7:4, n codes in all | ggml MXFP4 (A-24) |
| `le24` | 6 | four codes in 24 bits, code 0 in bits 5:0; the same as `le` | Quark `Pack_fp6`, rocRoller (A-25) |
| `quark_mxfp6` | 6 | byte 0: bits 5:4 of codes 0, 1, 2, 3, in 7:6, 5:4, 3:2, 1:0; \
byte 1: bits 3:0 of code 0 in 7:4, of code 1 in 3:0; byte 2: codes 2 and 3 likewise | Quark `Pack_mxfp6` (A-25) |
| `torchao_uint6` | 6 | byte j < 3n/4: code j in bits 5:0; bits 7:6 of bytes j, j + n/4, j + n/2 hold \
bits 1:0, 3:2, 5:4 of code j + 3n/4 | torchao CPU kernels, `uint6.h` (A-25) |
| `torchao_uintx` | 6 | a plane of n/2 bytes: bits 3:0 of code j in 3:0 and of code j + n/2 in 7:4; then one \
of n/4 bytes: bits 5:4 of codes j, j + n/4, j + n/2, j + 3n/4 in 1:0, 3:2, 5:4, 7:6 | torchao `uintx/bitpacking.py` |

The layouts with n in their description take the whole last axis as one group of n codes: give them one
block per row, as `pack_blocks` does. The others may be cut anywhere between two units.

A unit is never padded: a number of codes that does not fill it is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmodel.blocks import Blocks
from refmodel.elements import as_codes
from refmodel.errors import (
    CodeRangeError,
    ShapeError,
)
from refmodel.formats import BlockFormat, NumberFormat, get_format

if TYPE_CHECKING:
    from bitstring import Bits

Layout: TypeAlias = Literal[
    "le",
    "be",
    "byte",
    "byte_high",
    "ptx",
    "low_first",
    "high_first",
    "ggml",
    "le24",
    "quark_mxfp6",
    "torchao_uint6",
    "torchao_uintx",
]
"""Names of the element layouts; the table above describes them."""

ScalePosition: TypeAlias = Literal["apart", "first", "last"]
"""Where the scale of a block is stored (MX-5.1-g, A-26): in a second array, or before or after the elements."""

SCALE_POSITIONS: tuple[ScalePosition, ...] = ("apart", "first", "last")

# Bytes of codes worked on at a time: their temporaries stay within a level-2 cache.
_TILE_BYTES = 1 << 16

# 128 rows x 4 columns of scales make one swizzle tile of 512 bytes (NV-LAY-a).
_TILE_ROWS, _TILE_COLUMNS = 128, 4


def _stream_le(bits: int, code: int, bit: int) -> int:
    return bits * code + bit


def _stream_be(bits: int, code: int, bit: int) -> int:
    from_top = bits * code + bits - 1 - bit
    return from_top // 8 * 8 + 7 - from_top % 8


def _quark_mxfp6(bits: int, code: int, bit: int) -> int:
    if bit >= 4:
        return 6 - 2 * code + bit - 4
    return 8 * (1 + code // 2) + 4 * (1 - code % 2) + bit


def _torchao_uint6(bits: int, code: int, bit: int) -> int:
    return 8 * code + bit if code < 3 else 8 * (bit // 2) + 6 + bit % 2


def _torchao_uintx(bits: int, code: int, bit: int) -> int:
    if bit >= 4:
        return 8 * 2 + 2 * code + bit - 4
    return 8 * (code % 2) + 4 * (code // 2) + bit


@dataclass(frozen=True, slots=True)
class _Description:
    """A layout.

    Attributes:
        position: (code width, code of the unit, bit of the code) -> bit position in the unit's bytes.
        widths: The code widths it is defined for.
        dense: Whether every bit of every byte is used; otherwise each code has a byte of its own.
        planar: Whether code i of a unit comes from the i-th of equal contiguous parts of the last axis
            (and byte i goes to the i-th of equal parts of the bytes), instead of from neighbours.
    """

    position: Callable[[int, int, int], int]
    widths: tuple[int, ...]
    dense: bool = True
    planar: bool = False


_ANY_WIDTH = tuple(range(2, 9))

_LAYOUTS: dict[str, _Description] = {
    "le": _Description(_stream_le, _ANY_WIDTH),
    "be": _Description(_stream_be, _ANY_WIDTH),
    "byte": _Description(lambda bits, code, bit: bit, _ANY_WIDTH, dense=False),
    "byte_high": _Description(lambda bits, code, bit: 8 - bits + bit, _ANY_WIDTH, dense=False),
    "ptx": _Description(lambda bits, code, bit: bit + (2 if bits == 4 else 0), (4, 6, 8), dense=False),
    "low_first": _Description(_stream_le, (4,)),
    "high_first": _Description(_stream_be, (4,)),
    "ggml": _Description(_stream_le, (4,), planar=True),
    "le24": _Description(_stream_le, (6,)),
    "quark_mxfp6": _Description(_quark_mxfp6, (6,)),
    "torchao_uint6": _Description(_torchao_uint6, (6,), planar=True),
    "torchao_uintx": _Description(_torchao_uintx, (6,), planar=True),
}


def list_layouts(element: int | str | NumberFormat | None = None) -> tuple[str, ...]:
    """Return the names of the element layouts, all or those that can hold *element*.

    Args:
        element: Code width in bits, or a format by name or description.

    Raises:
        UnknownNameError: If there is no such format.
        DefinitionError: If the width is not 2 to 8 bits.
    """
    if element is None:
        return tuple(_LAYOUTS)
    bits = _as_number_format(element).bits
    return tuple(name for name, layout in _LAYOUTS.items() if bits in layout.widths)


def pack(codes: ArrayLike, element: int | str | NumberFormat, layout: Layout = "le") -> NDArray[np.uint8]:
    """Pack element codes along the last axis into bytes (A-24, A-25).

    The default layout is `low_first` for 4-bit codes, `le24` for 6-bit codes, and one byte each for
    8-bit codes.

    Args:
        codes: Integer array [..., n], one code to an item, any strides.
        element: Code width in bits, 2 to 8, or a format by name or description.
        layout: Where the bits go, see the table at the top of the module.

    Returns:
        New uint8 array [..., n_bytes]. n_bytes is n * bits / 8, or n for the layouts with a byte each.

    Raises:
        UnknownNameError: If there is no such format or layout.
        DefinitionError: If the layout is not defined for this width, or the width is not 2 to 8 bits.
        DtypeError: If codes is not an integer array.
        CodeRangeError: If a code does not fit the width.
        ShapeError: If codes has no axis, or n does not fill whole units.
    """
    number_format = _as_number_format(element)
    plan = _plan(layout, number_format.bits)
    array = np.asarray(codes)
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
    return _from_units(packed, array.shape[:-1], plan.planar)


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
    bits = _as_number_format(element).bits
    plan = _plan(layout, bits)
    array = _as_bytes(packed, "packed codes")
    units = _to_units(array, plan.unit_bytes, plan.planar, layout, bits, "bytes")
    if plan.unused and (stray := array & plan.unused).any():
        index = tuple(int(i) for i in np.argwhere(stray)[0])
        raise CodeRangeError(
            f"byte {int(array[index]):#04x} at index {list(index)} has bits set outside "
            f"{~plan.unused & 0xFF:#04x}; layout {layout!r} of {bits}-bit codes keeps them 0"
        )
    words = np.empty(len(units), plan.word)
    for tile in _tiles(len(units), plan.unit):
        joined = units[tile, 0].astype(plan.word)
        for byte in range(1, plan.unit_bytes):
            joined |= units[tile, byte].astype(plan.word) << plan.word.type(8 * byte)
        words[tile] = _move(joined, plan.unpack_moves)
    codes = words.view(np.uint8).reshape(len(units), plan.unit)
    return _from_units(codes, array.shape[:-1], plan.planar)


@overload
def pack_blocks(
    blocks: Blocks, layout: Layout = ..., scale_position: Literal["apart"] = ...
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]: ...
@overload
def pack_blocks(
    blocks: Blocks, layout: Layout = ..., *, scale_position: Literal["first", "last"]
) -> NDArray[np.uint8]: ...
@overload
def pack_blocks(
    blocks: Blocks, layout: Layout, scale_position: Literal["first", "last"]
) -> NDArray[np.uint8]: ...
def pack_blocks(
    blocks: Blocks, layout: Layout = "le", scale_position: ScalePosition = "apart"
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
    scale_position: ScalePosition = "apart",
    *,
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
        elements, scales = (
            (joined[..., 1:], joined[..., 0])
            if scale_position == "first"
            else (joined[..., :-1], joined[..., -1])
        )
    element, size = block_format.element, block_format.block_size
    plan = _plan(layout, element.bits)
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
    tiles = np.zeros((*lead, *_tile_axes(rows, columns)), np.uint8)
    padded = np.zeros((*lead, _round_up(rows, _TILE_ROWS), _round_up(columns, _TILE_COLUMNS)), np.uint8)
    padded[..., :rows, :columns] = array
    tile_rows, tile_columns, _, _, _ = _tile_axes(rows, columns)
    # [tile row, row // 32, row % 32, tile column, column] -> [tile row, tile column, row % 32, row // 32, column]
    split = padded.reshape(*lead, tile_rows, 4, 32, tile_columns, 4)
    tiles[...] = np.moveaxis(split, (-2, -3), (-4, -3))
    return tiles.reshape(*lead, -1)


def unswizzle_scales(swizzled: ArrayLike, rows: int, columns: int) -> NDArray[np.uint8]:
    """Return the matrix of scale codes that `swizzle_scales` stored.

    What the padding holds is ignored: cuBLAS says that nothing may be assumed about it.

    Args:
        swizzled: uint8 array [..., ceil(rows / 128) * ceil(columns / 4) * 512].
        rows: Rows of the matrix without padding.
        columns: Columns of the matrix without padding.

    Returns:
        New uint8 array [..., rows, columns].

    Raises:
        DtypeError: If swizzled is not a uint8 array.
        ShapeError: If the last axis has another length, or rows or columns is negative.
    """
    raise NotImplementedError


def block_bitstring(blocks: Blocks, index: int | tuple[int, ...], scale_first: bool = True) -> Bits:
    raise NotImplementedError
