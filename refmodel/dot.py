"""Dot products and matrix products of blocks under an accumulation rule (MX-6.1, MX-6.2).

Why float64 arithmetic is exact here. Element values are integers on the grid 2**quantum_exponent of
their format, and the two scales of a block pair multiply all its products by one power of two. A sum of k
products of a p-bit and an r-bit integer has at most p + r + ceil(log2 k) bits; where that is 53 or less
every partial sum is a float64, so the order does not matter and a BLAS product gives the exact sum. Wider
pairs (E5M2 with an FP8 format, D-11) are split into bands of exponents narrow enough, and the few exact
sums of a block are combined by `refmodel.rounding`. Scaled elements lie between 2**-143 and 2**143 in
magnitude, so neither products nor sums come near the ends of the float64 range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmodel.accumulate import AccumulationRule, get_rule
from refmodel.blocks import Blocks
from refmodel.elements import decode_table
from refmodel.errors import DtypeError, ShapeError
from refmodel.formats import ElementFormat, IntegerFormat
from refmodel.inputs import as_array
from refmodel.rounding import add_exactly, exact_sum, round_to_odd

Array: TypeAlias = NDArray[np.float64]
Contraction: TypeAlias = Callable[[Array, Array], Array]

CANONICAL_NAN = np.uint32(0x7FC00000)
"""Float32 bits of every NaN result (A-29)."""

# What is worked on at a time: elements of one operand in `dot`, rows and columns of a tile in `matmul`.
_DOT_TILE_ELEMENTS = 1 << 15
_MATMUL_TILE = 256


def dot(
    a: Blocks, b: Blocks, rule: str | AccumulationRule = "block32_fp32_add", c: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Return the dot product of each row of blocks of *a* with the same row of *b*.

    Args:
        a: Blocks [..., n_blocks].
        b: Blocks of the same shape and block size; the element format may differ (MX-6.1-b).
        rule: Accumulation rule, by name or description.
        c: Initial value, float32, broadcast to [...]; +0 when None.

    Returns:
        float32 [...], whose bits are normative for the rule. NaN is always 0x7FC00000.

    Raises:
        UnknownNameError: If there is no such rule.
        ShapeError: If shapes or block sizes differ, or c cannot be broadcast.
        DtypeError: If c is not float32.
    """
    rule = get_rule(rule)
    if a.scales.shape != b.scales.shape:
        raise ShapeError(
            f"operands have blocks {list(a.scales.shape)} and {list(b.scales.shape)}; dot needs equal shapes"
        )
    size = _common_block_size(a, b)
    *lead, n_blocks = a.scales.shape
    rows = int(np.prod(lead))
    running = _initial_value(c, tuple(lead)).reshape(rows)
    result = np.empty(rows, np.float32)
    a, b = (
        Blocks(x.format, x.codes.reshape(rows, n_blocks, size), x.scales.reshape(rows, n_blocks))
        for x in (a, b)
    )
    block_step = max(1, min(n_blocks, _DOT_TILE_ELEMENTS // size))
    row_step = max(1, _DOT_TILE_ELEMENTS // (size * block_step))
    for i in range(0, rows, row_step):
        chosen = slice(i, i + row_step)
        tiles = [(chosen, slice(j, j + block_step)) for j in range(0, n_blocks, block_step)]
        sums = (_block_sums(_Tile.of(a, tile), _Tile.of(b, tile), _contract_rows) for tile in tiles)
        result[chosen] = _accumulate(sums, rule, running[chosen])
    return result.reshape(lead)


def matmul(
    a: Blocks, b: Blocks, rule: str | AccumulationRule = "block32_fp32_add", c: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Return the dot product of every row of blocks of *a* with every row of *b*.

    Args:
        a: Blocks [M, n_blocks].
        b: Blocks [N, n_blocks] of the same block size; the element format may differ (MX-6.1-b).
        rule: Accumulation rule, by name or description.
        c: Initial values, float32, broadcast to [M, N]; +0 when None.

    Returns:
        float32 [M, N], each entry with the bits that `dot` gives for its two rows.

    Raises:
        UnknownNameError: If there is no such rule.
        ShapeError: If an operand is not [rows, n_blocks], the numbers of blocks or the block sizes
            differ, or c cannot be broadcast.
        DtypeError: If c is not float32.
    """
    rule = get_rule(rule)
    if a.scales.ndim != 2 or b.scales.ndim != 2 or a.n_blocks != b.n_blocks:
        raise ShapeError(
            f"operands have blocks {list(a.scales.shape)} and {list(b.scales.shape)}; "
            "matmul needs [M, n_blocks] and [N, n_blocks] with the same n_blocks"
        )
    _common_block_size(a, b)
    m, n = a.scales.shape[0], b.scales.shape[0]
    running = _initial_value(c, (m, n))
    result = np.empty((m, n), np.float32)
    for i, j in product(range(0, m, _MATMUL_TILE), range(0, n, _MATMUL_TILE)):
        rows, columns = slice(i, i + _MATMUL_TILE), slice(j, j + _MATMUL_TILE)
        blocks = range(a.n_blocks)
        sums = (_block_sums(_Tile.of(a, (rows, k)), _Tile.of(b, (columns, k)), _contract_all) for k in blocks)
        result[rows, columns] = _accumulate(sums, rule, running[rows, columns])
    return result


def _contract_rows(a: Array, b: Array) -> Array:
    """[rows, blocks, k] and [rows, blocks, k] -> [blocks, rows]."""
    sums: Array = np.einsum("rbk,rbk->br", a, b)
    return sums


def _contract_all(a: Array, b: Array) -> Array:
    """[M, k] and [N, k] -> [1, M, N]."""
    sums: Array = np.matmul(a, b.T)
    return sums[None]


def _common_block_size(a: Blocks, b: Blocks) -> int:
    size = a.format.block_size
    if size != b.format.block_size:
        raise ShapeError(
            f"{a.format.name} has blocks of {size} elements and {b.format.name} of {b.format.block_size}"
        )
    return size


def _initial_value(c: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if c is None:
        return np.zeros(shape, np.float32)
    value = as_array(c, "c")
    if value.dtype != np.float32:
        raise DtypeError(
            f"c: dtype {value.dtype} is not float32; the initial value is a Float32, convert explicitly"
        )
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise ShapeError(f"c has shape {value.shape}; it must broadcast to {shape}") from None


@dataclass(frozen=True, slots=True)
class _Tile:
    """A part of one operand.

    Attributes:
        element: Element format.
        codes: Element codes [..., block_size].
        values: Element values, without scale.
        scales: Scale values [..., 1].
        is_finite: False if any element is NaN or infinite, or any scale NaN.
    """

    element: ElementFormat
    codes: NDArray[np.uint8]
    values: Array
    scales: Array
    is_finite: bool

    @staticmethod
    def of(blocks: Blocks, index: tuple[slice | int, slice | int]) -> _Tile:
        codes = blocks.codes[index]
        values = decode_table(blocks.format.element)[codes]
        scales = decode_table(blocks.format.scale)[blocks.scales[index]][..., None]
        is_finite = bool(np.isfinite(values).all() and np.isfinite(scales).all())
        return _Tile(blocks.format.element, codes, values, scales, is_finite)


@dataclass(frozen=True, slots=True)
class _BlockSums:
    """Exact sums of block pairs, arrays [blocks, ...].

    Attributes:
        finite: Arrays whose sum is the exact sum of the products of finite elements, scales applied.
        special: NaN or infinity where the result is that whatever the finite elements are, else 0;
            None stands for 0 everywhere.
    """

    finite: list[Array]
    special: Array | None


def _block_sums(a: _Tile, b: _Tile, contract: Contraction) -> _BlockSums:
    special = None if a.is_finite and b.is_finite else _special_sums(a, b, contract)
    tables_a, tables_b = _band_tables(a.element, b.element, a.codes.shape[-1])
    scaled_a, scaled_b = (
        [table[x.codes] * np.where(np.isnan(x.scales), 0.0, x.scales) for table in tables]
        for x, tables in ((a, tables_a), (b, tables_b))
    )
    return _BlockSums([contract(x, y) for x, y in product(scaled_a, scaled_b)], special)


def _special_sums(a: _Tile, b: _Tile, contract: Contraction) -> Array:
    """Return NaN or infinity where IEEE 754 arithmetic on the elements gives it, else 0.

    Works by counting the products that are NaN, +Inf and -Inf, so that it needs no BLAS that keeps to
    IEEE 754 for them. A NaN scale makes every element of its block NaN (MX-5.1-h); any other scale
    leaves NaN and infinity as they are (MX-5.1-i).
    """
    x, y = (np.where(np.isnan(t.scales), np.nan, t.values) for t in (a, b))
    (nan_x, inf_x, zero_x, sign_x), (nan_y, inf_y, zero_y, sign_y) = (
        (
            np.isnan(v).astype(np.float64),
            np.isinf(v).astype(np.float64),
            (v == 0).astype(np.float64),
            np.sign(np.nan_to_num(v)),
        )
        for v in (x, y)
    )
    nans = contract(nan_x, np.ones_like(y)) + contract(np.ones_like(x), nan_y)
    nans += contract(inf_x, zero_y) + contract(zero_x, inf_y)
    infinities = contract(inf_x, np.abs(sign_y)) + contract(np.abs(sign_x), inf_y)
    balance = contract(inf_x * sign_x, sign_y) + contract(
        sign_x, inf_y * sign_y
    )  # positive minus negative ones
    positive, negative = infinities + balance > 0, infinities - balance > 0
    special = np.where(positive, np.inf, np.where(negative, -np.inf, 0.0))
    return np.where((nans > 0) | (positive & negative), np.nan, special)


@lru_cache(maxsize=256)
def _band_tables(a: ElementFormat, b: ElementFormat, block_size: int) -> tuple[list[Array], list[Array]]:
    """Return decode tables of *a* and *b*, split into bands whose block sums are exact in float64."""
    limit = 53 - (block_size - 1).bit_length()
    width_a, width_b = _integer_bits(a), _integer_bits(b)
    if width_a + width_b > limit:
        width_a, width_b = (
            min(own, max(limit // 2, limit - other))
            for own, other in ((width_a, width_b), (width_b, width_a))
        )
    return _split_table(a, width_a), _split_table(b, width_b)


def _integer_bits(element: ElementFormat) -> int:
    """Bits of the largest finite magnitude as an integer on the format's grid."""
    table = decode_table(element)
    largest = np.max(np.abs(table[np.isfinite(table)]))
    return int(np.ldexp(largest, -element.quantum_exponent)).bit_length()


def _split_table(element: ElementFormat, bits: int) -> list[Array]:
    """Split the finite values of a decode table into bands, each of *bits*-bit integers on a grid of its own.

    The first band is everything below 2**bits on the format's grid. A value of at least 2**low there is a
    multiple of 2**(low - mantissa_bits), so the next band reaches mantissa_bits less far, and so on.
    """
    table = decode_table(element)
    table = np.where(np.isfinite(table), table, 0.0)
    magnitude = np.ldexp(np.abs(table), -element.quantum_exponent)
    mantissa_bits = 0 if isinstance(element, IntegerFormat) else element.mantissa_bits
    bands = []
    low, high = 0.0, 2.0**bits
    while low <= magnitude.max():
        bands.append(np.where((low <= magnitude) & (magnitude < high), table, 0.0))
        low, high = high, high * 2.0 ** (bits - mantissa_bits)
    return bands


def _accumulate(
    sums: Iterable[_BlockSums], rule: AccumulationRule, initial: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Add up block sums, in order, onto the *initial* value under *rule*."""
    accumulate = _accumulate_per_block if rule.rounds_per_block else _accumulate_exactly
    with np.errstate(over="ignore", invalid="ignore"):
        result = accumulate(sums, initial)
    result[np.isnan(result)] = CANONICAL_NAN.view(np.float32)
    return result


def _accumulate_per_block(sums: Iterable[_BlockSums], initial: NDArray[np.float32]) -> NDArray[np.float32]:
    running = initial.copy()
    for block in sums:
        rounded = _round_to_float32(block.finite)
        if block.special is not None:
            rounded = np.where(block.special == 0, rounded, block.special.astype(np.float32))
        # ufunc.accumulate adds strictly one after the other, unlike sum.
        running = np.add.accumulate(np.concatenate([running[None], rounded]))[-1]
    return running


def _accumulate_exactly(sums: Iterable[_BlockSums], initial: NDArray[np.float32]) -> NDArray[np.float32]:
    special = np.where(np.isfinite(initial), 0.0, initial)
    partials = [np.where(np.isfinite(initial), initial, 0.0).astype(np.float64)]
    for block in sums:
        for term in exact_sum(np.concatenate(block.finite)):
            partials = add_exactly(partials, term)
        if block.special is not None:
            special = special + block.special.sum(axis=0)
    return np.where(special == 0, _round_to_float32(partials), special.astype(np.float32))


def _round_to_float32(terms: list[Array]) -> NDArray[np.float32]:
    """Round the exact sum of *terms* to Float32 once; an exact zero is +0."""
    if len(terms) > 1:
        terms = exact_sum(np.stack(terms))
    # Adding +0 makes a sum of negative zeros +0 and changes nothing else.
    return (round_to_odd(terms) + 0.0).astype(np.float32)
