"""Arrays -> MX blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmodel.block_encoding import block_amax, choose_scales, encode_blocks, encode_float32_blocks
from refmodel.blocks import Blocks, check_tensor_scale, rows_of
from refmodel.elements import as_float
from refmodel.encoding import as_random, check_encoding, code_dtype, prepare_input
from refmodel.errors import ShapeError
from refmodel.formats import BlockFormat, get_format
from refmodel.options import QuantizeOptions
from refmodel.ratio_scales import NO_TENSOR_SCALE, TensorScale, select_tensor_scale
from refmodel.scales import check_blocks
from refmodel.tables import has_encode_table, has_quantize_table, quantize_by_table
from refmodel.tiles import TILE_ELEMENTS, Tile, for_each_tile


def quantize(
    x: ArrayLike,
    format: str | BlockFormat,
    axis: int | None = -1,
    options: QuantizeOptions | None = None,
    *,
    random: ArrayLike | None = None,
    tensor_scale: float | np.float32 | None = None,
    threads: int = 1,
) -> Blocks:
    """Convert an array to MX blocks along one axis (MX-6.3).

    By default the last block of a row is padded with +0 when the axis is not a multiple of the block
    size, and a block that holds NaN or Inf gets a NaN scale, which makes every value of it NaN; the
    element codes of a block whose scale is NaN mean nothing (MX-4-d) and are 0.

    Args:
        x: float16, bfloat16, float32 or float64 array of at least one dimension; any strides.
        format: Block format, by name or description.
        axis: The axis along which blocks run (A-10); None runs them through all of x in C order.
        options: The choices MX leaves open; the defaults when None.
        random: For stochastic rounding, integers in [0, 2**options.random_bits), broadcast to x.
        tensor_scale: In a format that has one, the Float32 scale of the array (NV-FMT-d); from the largest
            finite magnitude of x when None (NV-Q-a).
        threads: How many threads share the work; the result does not depend on it.

    Returns:
        `Blocks` with codes [..., n_blocks, block_size]: the blocked axis comes last, the others keep
        their order.

    Raises:
        UnknownNameError: If there is no such format.
        DtypeError: If x has another dtype.
        ShapeError: If x has no such axis, or options refuse a partial block and there is one.
        DefinitionError: If the element format cannot express the overflow option, or the scale format the
            NaN that options ask for; random is missing under stochastic rounding or present under another;
            tensor_scale is no positive Float32 or the format has none; threads is below 1.
        ValueRefusedError: If options refuse NaN and there is one to encode.
    """
    options = QuantizeOptions() if options is None else options
    block_format = get_format(format)
    check_encoding(block_format.element, options)
    check_blocks(block_format, options)
    array = as_float(x, "x")
    lead, length = rows_of(array.shape, axis)
    size = block_format.block_size
    if options.partial_block == "refuse" and length % size:
        raise ShapeError(
            f"axis {axis} has {length} elements, not a multiple of {size} (partial_block='refuse')"
        )
    rows = _rows(array, axis)
    drawn = as_random(random, array.shape, options)
    randoms = None if drawn is None else _rows(drawn, axis)
    codes = np.zeros((*lead, -(-length // size), size), np.uint8)
    scales = np.empty(codes.shape[:-1], code_dtype(block_format.scale))
    shared = check_tensor_scale(block_format, tensor_scale)
    if shared is None:
        of_array = NO_TENSOR_SCALE
    elif tensor_scale is not None:
        of_array = TensorScale.of(shared)
    else:
        of_array = find_tensor_scale(rows, block_format, options)

    is_float32 = array.dtype != np.float64 and has_encode_table(block_format.element, options)
    work = _Work(block_format, options, rows, randoms, codes, scales, of_array, is_float32)
    if size <= TILE_ELEMENTS:
        by_table = is_float32 and has_quantize_table(block_format, options)
        quantize_tile = work.quantize_by_table if by_table else work.quantize
        for_each_tile(scales.shape, size, length, quantize_tile, threads)
    else:
        amax = np.zeros(scales.shape)
        for_each_tile(scales.shape, size, length, lambda tile: work.update_amax(tile, amax))
        scales[...] = choose_scales(amax, block_format, options, of_array)
        for_each_tile(scales.shape, size, length, work.encode, threads)
    return Blocks(block_format, codes, scales, array.shape, axis, None if shared is None else of_array.decode)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is done with a tile; the arguments and results of `quantize`, with the blocked axis last."""

    format: BlockFormat
    options: QuantizeOptions
    rows: NDArray[Any]
    randoms: NDArray[np.float64] | None
    codes: NDArray[np.uint8]
    scales: NDArray[Any]
    tensor_scale: TensorScale
    is_float32: bool  # and encoded by table

    def quantize_by_table(self, tile: Tile) -> None:
        """Choose the scales of Float32 blocks, and encode the elements."""
        shape = self.codes[tile.codes].shape
        values = _as_blocks(self.rows[tile.columns], shape, np.float32)
        tile_codes = np.empty(shape, np.uint8)
        self.scales[tile.scales] = quantize_by_table(values, self.format, self.options, tile_codes)
        self.codes[tile.codes] = tile_codes

    def quantize(self, tile: Tile) -> None:
        """Choose the scales of whole blocks, and encode the elements."""
        values = self._values(tile)
        amax = block_amax(values, self.options)
        self.scales[tile.scales] = choose_scales(amax, self.format, self.options, self.tensor_scale)
        self._encode(tile, values)

    def update_amax(self, tile: Tile, amax: NDArray[np.float64]) -> None:
        """Take the largest magnitude of parts of blocks into account."""
        so_far = amax[tile.scales]
        np.maximum(so_far, block_amax(self._values(tile), self.options), out=so_far)

    def encode(self, tile: Tile) -> None:
        """Encode elements whose scales are there."""
        self._encode(tile, self._values(tile))

    def _encode(self, tile: Tile, values: NDArray[Any]) -> None:
        if self.is_float32:
            self.codes[tile.codes] = encode_float32_blocks(
                values, self.scales[tile.scales], self.format, self.options, self.tensor_scale
            )
            return
        randoms = None
        if self.randoms is not None:
            randoms = _as_blocks(self.randoms[tile.columns], values.shape, np.float64)
        self.codes[tile.codes] = encode_blocks(
            values, self.scales[tile.scales], self.format, self.options, randoms, self.tensor_scale
        )

    def _values(self, tile: Tile) -> NDArray[Any]:
        if self.is_float32:
            return _as_blocks(self.rows[tile.columns], self.codes[tile.codes].shape, np.float32)
        prepared = prepare_input(self.rows[tile.columns], self.options)
        return _as_blocks(prepared, self.codes[tile.codes].shape, np.float64)


def find_tensor_scale(rows: NDArray[Any], fmt: BlockFormat, options: QuantizeOptions) -> TensorScale:
    """Return the tensor scale that follows from the largest finite magnitude of floats (NV-Q-a, A-N6)."""
    largest, has_infinity = 0.0, False

    def look_at(tile: Tile) -> None:
        nonlocal largest, has_infinity
        magnitude = np.abs(prepare_input(rows[tile.columns], options))
        has_infinity |= bool(np.isinf(magnitude).any())
        largest = max(largest, float(magnitude.max(initial=0.0, where=np.isfinite(magnitude))))

    for_each_tile(rows.shape, 1, rows.shape[-1], look_at)
    return select_tensor_scale(largest, has_infinity, fmt, options)


def _rows(array: NDArray[Any], axis: int | None) -> NDArray[Any]:
    """Return *array* with the blocked axis last; a copy only if it is None and the array not contiguous."""
    return array.reshape(-1) if axis is None else np.moveaxis(array, axis, -1)


def _as_blocks(values: NDArray[Any], shape: tuple[int, ...], dtype: type[np.floating[Any]]) -> NDArray[Any]:
    """Return [..., length] as contiguous blocks [..., n_blocks, size], filled up with +0 at the end."""
    *lead, n_blocks, size = shape
    length = values.shape[-1]
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes quiet
        if length == n_blocks * size:
            return np.ascontiguousarray(values, dtype).reshape(shape)
        blocks = np.zeros((*lead, n_blocks * size), dtype)
        blocks[..., :length] = values
    return blocks.reshape(shape)
