"""Stimulus drawn at random, and stimulus taken from the user's tensors."""

from __future__ import annotations

from math import gcd, lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.elements import decode_table
from refmodel.formats import BlockFormat, IntegerFormat
from refmodel.quantization import quantize
from refmodel.vectors.construct import one_code
from refmodel.vectors.draws import Draws
from refmodel.vectors.pairs import TensorPair
from refmodel.vectors.stimulus import Request, Stimulus, join

MAX_RANDOM_BLOCKS = 16
"""Longest dot product of random blocks."""

# Blocks of tensor rows in a multi-block set, per dot asked for: rows of 4096 are taken without a limit.
_ROW_BLOCKS_PER_DOT = 128

# Share of the kinds of random block, in eighths.
_ANY_CODE, _FINITE, _BAND = range(0, 1), range(1, 3), range(3, 5)


def random(request: Request) -> Stimulus:
    """Random blocks: uniform codes, codes of a narrow band of exponents, and wide-spread data quantized;
    scales near 1.0, anywhere, and at times NaN. Multi-block sets have dots of 1 to 16 blocks."""
    draws = request.draws
    if request.multi_block:
        lengths = draws.integers(1, MAX_RANDOM_BLOCKS + 1, request.count)
    else:
        lengths = np.ones(request.count, np.int64)
    n = int(lengths.sum())
    last = np.zeros(n, bool)
    last[np.cumsum(lengths) - 1] = True
    a, b = (_random_blocks(block_format, n, draws) for block_format in (request.a_format, request.b_format))
    return Stimulus(a, b, last)


def _random_blocks(block_format: BlockFormat, n: int, draws: Draws) -> Blocks:
    lanes = block_format.block_size
    n_codes = 1 << block_format.element.bits
    kind = draws.integers(0, 8, n)
    is_quantized = kind > _BAND[-1]
    quantized = _quantize(wide_spread(n, lanes, draws, is_quantized), block_format)
    codes = np.zeros((n, lanes), np.uint8)
    codes[is_quantized] = quantized.codes.reshape(-1, lanes)
    is_any, is_finite, is_band = (np.isin(kind, kinds) for kinds in (_ANY_CODE, _FINITE, _BAND))
    codes[is_any] = draws.integers(0, n_codes, (int(is_any.sum()), lanes))
    finite_codes = np.flatnonzero(np.isfinite(decode_table(block_format.element)))
    codes[is_finite] = finite_codes[draws.integers(0, finite_codes.size, (int(is_finite.sum()), lanes))]
    codes[is_band] = _band_codes(block_format, int(is_band.sum()), draws)
    scale = block_format.scale
    unit = one_code(scale)
    near, anywhere = draws.integers(unit - 8, unit + 9, n), draws.integers(0, scale.max_code + 1, n)
    scales = np.where(draws.integers(0, 4, n) == 0, anywhere, near)
    scales[is_quantized] = quantized.scales.reshape(-1)
    scales[draws.integers(0, 64, n) == 0] = scale.nan_codes[0]
    if scale.ignored_bits:
        scales |= draws.integers(0, 2, n) * (scale.magnitude_mask + 1)
    return Blocks(block_format, codes, scales.astype(np.uint8))


def _quantize(values: NDArray[Any], block_format: BlockFormat) -> Blocks:
    """Quantize rows; each with a tensor scale of 1 where the format has one."""
    return quantize(values, block_format, tensor_scale=None if block_format.tensor_scale is None else 1.0)


def _band_codes(block_format: BlockFormat, n: int, draws: Draws) -> NDArray[np.int64]:
    """Return codes [n, lanes] whose magnitudes lie, in each block, within an eighth of the code range.

    Codes of a float rise with the magnitude, so that is a band of exponents: products of like size,
    whose sum carries far and whose rounding no single product decides.
    """
    element, lanes = block_format.element, block_format.block_size
    width = max(2, (element.max_code + 1) // 8)
    start = draws.integers(0, element.max_code + 2 - width, (n, 1))
    magnitude = start + draws.integers(0, width, (n, lanes))
    negative = draws.integers(0, 2, (n, lanes)) == 1
    if isinstance(element, IntegerFormat):
        return np.where(negative, -magnitude & ((1 << element.bits) - 1), magnitude)
    return magnitude | np.where(negative, element.sign_mask, 0)


def wide_spread(
    n: int, lanes: int, draws: Draws, chosen: NDArray[np.bool_] | slice = slice(None)
) -> NDArray[np.float64]:
    """Return values [n, lanes] that spread like a lognormal distribution, of a width that varies by row.

    Of the n rows, all of which are drawn, only those *chosen* are computed.

    The exponent is a sum of uniform integers, near to normal, and the significand is uniform: no
    logarithm or exponential, whose last bit differs between machines.
    """
    spread = np.array([1, 3, 10])[draws.integers(0, 3, (n, 1))]
    exponent = -2 * spread + sum(draws.integers(0, spread + 1, (n, lanes)) for _ in range(4))
    centre = np.where(
        draws.integers(0, 4, (n, 1)) == 0, draws.integers(-130, 121, (n, 1)), draws.integers(-8, 9, (n, 1))
    )
    fraction = draws.integers(0, 1 << 24, (n, lanes))[chosen]
    significand = 1 + np.ldexp(fraction.astype(np.float64), -24)
    negative = draws.integers(0, 2, (n, lanes))[chosen] == 1
    values: NDArray[np.float64] = np.ldexp(np.where(negative, -significand, significand), (exponent + centre)[chosen])
    return values


def tensor(request: Request) -> Stimulus:
    """Blocks of the user's tensors: rows of A with rows of B, quantized along the row. Single-block sets
    take a block of a row of A and the block at the same place of a row of B; multi-block sets take the
    whole rows. Where there are more than asked for, an even selection over rows and places."""
    shares = _share_out(request.count, [_affordable(pair, request) for pair in request.tensors])
    return join([_from_pair(request, pair, share) for pair, share in zip(request.tensors, shares, strict=True)])


def _row_blocks(pair: TensorPair, request: Request) -> int:
    return -(-int(pair.a.shape[1]) // request.operands.lanes)


def _available(pair: TensorPair, request: Request) -> int:
    """Return how many dots a pair of matrices gives."""
    rows = int(pair.a.shape[0]) * int(pair.b.shape[0])
    return rows if request.multi_block else rows * _row_blocks(pair, request)


def _affordable(pair: TensorPair, request: Request) -> int:
    """Return how many of them are taken at most: fewer where long rows would swell a multi-block set."""
    if not request.multi_block:
        return _available(pair, request)
    long_rows = _ROW_BLOCKS_PER_DOT * request.count // _row_blocks(pair, request)
    return min(_available(pair, request), max(1, long_rows))


def _share_out(count: int, available: list[int]) -> list[int]:
    """Divide *count* evenly over sources that have so many each; every source gives at least one."""
    shares = [0] * len(available)
    rest = max(count, len(available))
    open_sources = list(range(len(available)))
    while rest and open_sources:
        each = max(1, rest // len(open_sources))
        for source in open_sources:
            more = min(each, available[source] - shares[source], rest)
            shares[source] += more
            rest -= more
        open_sources = [source for source in open_sources if shares[source] < available[source]]
    return shares


def _from_pair(request: Request, pair: TensorPair, share: int) -> Stimulus:
    lanes, row_blocks = request.operands.lanes, _row_blocks(pair, request)
    rows_a, rows_b = int(pair.a.shape[0]), int(pair.b.shape[0])
    if request.multi_block:
        a_row, b_row, _ = even_selection(share, rows_a, rows_b, 1)
        columns = np.arange(row_blocks * lanes)[None]
        length = row_blocks
    else:
        a_row, b_row, place = even_selection(share, rows_a, rows_b, row_blocks)
        columns = place[:, None] * lanes + np.arange(lanes)
        length = 1
    sides = []
    for block_format, matrix, row in ((request.a_format, pair.a, a_row), (request.b_format, pair.b, b_row)):
        k = matrix.shape[1]
        # The last block of a row is padded with +0.
        values = np.where(columns < k, matrix[row[:, None], np.minimum(columns, k - 1)], matrix.dtype.type(0))
        blocks = _quantize(values, block_format)
        sides.append(Blocks(block_format, blocks.codes.reshape(-1, lanes), blocks.scales.reshape(-1)))
    last = np.arange(share * length) % length == length - 1
    return Stimulus(sides[0], sides[1], last)


def even_selection(
    count: int, rows_a: int, rows_b: int, places: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return *count* different triples (row of A, row of B, place), at most all of them.

    Rows of A occur equally often, give or take one; so do rows of B, and the places of each row of A. Fewer
    triples than rows are spread over all of the rows.
    """
    # Walking the diagonal of the table of rows returns to its start after their least common multiple and
    # then goes on one column further: after rows_a * rows_b steps it has met every pair once. The place
    # goes on with every step, by one more (or several) with every pass over A; once all pairs are met, each
    # pass over them is one place further.
    i, passes = np.arange(count) % (rows_a * rows_b), np.arange(count) // (rows_a * rows_b)
    a_row = i % rows_a
    b_row = (i + i // lcm(rows_a, rows_b)) % rows_b
    extra = next(n for n in range(places + 1) if gcd(rows_a + n, places) == 1)
    place = (i + extra * (i // rows_a) + passes) % places
    return (
        a_row * _stride(rows_a) % rows_a,
        b_row * _stride(rows_b) % rows_b,
        place * _stride(places) % places,
    )


def _stride(n: int) -> int:
    """Return a number coprime to *n*, near its golden section: steps of it modulo n spread evenly at once."""
    return next(step for step in range(max(1, round(n * 0.618)), n + 2) if gcd(step, n) == 1)
