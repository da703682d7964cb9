"""Many dot products at once: what a large set has beyond its first part, made by operations on whole arrays.

* `pairs`       every pair of element codes, alone in a lane
* `variations`  dot products of the aimed classes again, changed in ways that leave what they aim at: an exact sum does
                not change when lanes trade places, both factors of a product change sign, one scale doubles where the
                other halves, or A and B trade places
* `uniform`     codes uniform within a band of magnitudes, at times any codes

Each makes a piece: a function of the set's key and the number of the piece alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.elements import decode_table
from refmodel.formats import BlockFormat, ElementFormat, IntegerFormat
from refmodel.vectors.codes import one_lane_pairs, scale_stimulus
from refmodel.vectors.construct import negate_code, power_of_two_codes
from refmodel.vectors.draws import Draws
from refmodel.vectors.initial import SIGN
from refmodel.vectors.pieces import PIECE as PIECE
from refmodel.vectors.stimulus import Stimulus
from refmodel.vectors.vectorset import rows_of_runs

MAX_BLOCKS = 16
"""Longest dot product of uniform blocks."""

_GROUP = 512
"""Dot products of a piece that share a permutation of lanes, and whether operands trade places or the sum its sign."""

_MAX_SHIFT = 8
"""Binary orders by which one scale grows and the other shrinks."""

_BYTES = np.uint64(0x0101010101010101)


@dataclass(frozen=True)
class Key:
    """What the pieces of a set depend on: its seed, formats, and whether dots have several blocks."""

    seed: int
    a_format: BlockFormat
    b_format: BlockFormat
    multi_block: bool

    def draws(self, kind: str, piece: int) -> Draws:
        """Return the draws of a piece."""
        return Draws(self.seed, kind, self.a_format.name, self.b_format.name, self.multi_block, piece)


def pairs(key: Key, piece: int) -> Stimulus:
    """Every pair of element codes alone in a lane, all other lanes +0, both scales 1.0: those of a piece."""
    numbers = np.arange(piece * PIECE, min((piece + 1) * PIECE, pair_count(key)))
    return one_lane_pairs(key.a_format, key.b_format, numbers)


def pair_count(key: Key) -> int:
    """Return the number of pairs of element codes."""
    return 1 << key.a_format.element.bits + key.b_format.element.bits


# Variations


def variations(key: Key, source: Stimulus, piece: int, count: int, scaled: bool) -> Stimulus:
    """Return *count* dots of *source*, one after the other and round again from where the piece before ended, with
    lanes, signs, scales and operands changed so that exact sums are the same or negated."""
    draws = key.draws("variations", piece)
    chosen = (piece * PIECE + np.arange(count)) % source.dots
    bounds_of_source = np.concatenate([[0], np.flatnonzero(source.last) + 1])
    lengths = np.diff(bounds_of_source)[chosen]
    first = np.cumsum(lengths) - lengths
    rows = rows_of_runs(bounds_of_source, chosen)
    last = source.last[rows]
    c = None if source.c is None else source.c[chosen]
    codes = [source.a.codes[rows], source.b.codes[rows]]
    scales = [source.a.scales[rows], source.b.scales[rows]]
    bounds = [*first[::_GROUP].tolist(), len(rows)]
    orders = np.argsort(draws.words((len(bounds) - 1, codes[0].shape[1])), axis=1, kind="stable")
    for order, start, end in zip(orders, bounds[:-1], bounds[1:], strict=True):
        for side in codes:
            side[start:end] = side[start:end, order]
    _flip_signs(key, codes, draws)
    if scaled:
        _shift_scales(key, scales, draws)
    kinds = draws.integers(0, 4, len(bounds) - 1)
    same = key.a_format == key.b_format
    elements = key.a_format.element, key.b_format.element
    negated = [(side, sign) for side, sign in zip(codes, map(_sign_bit, elements), strict=True) if sign]
    for number, (kind, start, end) in enumerate(zip(kinds.tolist(), bounds[:-1], bounds[1:], strict=True)):
        if kind & 1 and same:
            for a, b in (codes, scales):
                a[start:end], b[start:end] = b[start:end].copy(), a[start:end].copy()
        if kind & 2 and negated:
            side, sign = negated[0]
            side[start:end] ^= np.uint8(sign)
            if c is not None:
                c[number * _GROUP : (number + 1) * _GROUP] ^= np.uint32(SIGN)
    return Stimulus(Blocks(key.a_format, codes[0], scales[0]), Blocks(key.b_format, codes[1], scales[1]), last, c)


def _flip_signs(key: Key, codes: list[NDArray[np.uint8]], draws: Draws) -> None:
    """Negate both factors of random products, where both have a negative."""
    flips = draws.bytes(codes[0].shape)
    elements = key.a_format.element, key.b_format.element
    signs = [_sign_bit(element) for element in elements]
    if all(signs):
        for side, element, sign in zip(codes, elements, signs, strict=True):
            side ^= flips >> np.uint8(8 - element.bits) & np.uint8(sign)
        return
    chosen = flips >= 128
    for side, element in zip(codes, elements, strict=True):
        chosen &= _has_negative(element)[side]
    for side, element in zip(codes, elements, strict=True):
        side[...] = np.where(chosen, _negated(element)[side], side)


def _sign_bit(element: ElementFormat) -> int:
    """Return the bit that negates every code of a format, 0 if there is none."""
    return 0 if isinstance(element, IntegerFormat) or element.specials == "fnuz" else element.sign_mask


@lru_cache(maxsize=32)
def _negated(element: ElementFormat) -> NDArray[np.uint8]:
    """Return for each code that of the negated value; a code without one stands for itself."""
    values = decode_table(element)
    codes = [negate_code(element, code) for code in range(1 << element.bits)]
    return np.array(
        [code if values[code] == -values[old] or np.isnan(values[code]) else old for old, code in enumerate(codes)],
        np.uint8,
    )


@lru_cache(maxsize=32)
def _has_negative(element: ElementFormat) -> NDArray[np.bool_]:
    values = decode_table(element)
    has: NDArray[np.bool_] = np.isnan(values) | (values[_negated(element)] == -values)
    return has


def _shift_scales(key: Key, scales: list[NDArray[np.uint8]], draws: Draws) -> None:
    """Double scales of A up to _MAX_SHIFT times and halve those of B as often, or the other way round."""
    formats = key.a_format.scale, key.b_format.scale
    if not all(scale.is_power_of_two for scale in formats):
        return
    shift = draws.integers(-_MAX_SHIFT, _MAX_SHIFT + 1, len(scales[0]))
    moved = [scales[0] + shift, scales[1] - shift]
    possible = np.ones(len(shift), np.bool_)
    for old, new, scale in zip(scales, moved, formats, strict=True):
        last = power_of_two_codes(scale)[-1]
        possible &= (old <= last) & (new >= 0) & (new <= last)
    for old, new in zip(scales, moved, strict=True):
        old[possible] = new[possible]


# Uniform blocks


def uniform(key: Key, piece: int, count: int) -> Stimulus:
    """Return *count* dots of blocks with codes uniform within a band of magnitudes, a narrow one or all of them, of any
    sign; every 64th with any codes; scales near 1.0, at times anywhere, at times NaN."""
    draws = key.draws("uniform", piece)
    lengths = draws.integers(1, MAX_BLOCKS + 1, count) if key.multi_block else np.ones(count, np.int64)
    ends = np.cumsum(lengths)
    last = np.zeros(ends[-1], np.bool_)
    last[ends - 1] = True
    a, b = (_uniform_blocks(fmt, len(last), draws) for fmt in (key.a_format, key.b_format))
    return Stimulus(a, b, last)


def _uniform_blocks(block_format: BlockFormat, n: int, draws: Draws) -> Blocks:
    element, lanes = block_format.element, block_format.block_size
    # Eight codes in a word: a magnitude is a low bound plus some random bits, which stays below the sign bit.
    words = draws.words((n, lanes // 8))
    choice = draws.words(n)
    widths = np.array(_bands(element), np.uint64)
    mask = widths[(choice & np.uint64(0xFF)) % np.uint64(len(widths))]
    low = (choice >> np.uint64(8) & np.uint64(0xFF)) % (np.uint64(element.max_code + 1) - mask)
    magnitudes = (words & (mask * _BYTES)[:, None]) + (low * _BYTES)[:, None]
    if isinstance(element, IntegerFormat):
        sign = words >> np.uint64(element.bits - 1) & _BYTES
        codes = magnitudes ^ sign * np.uint64((1 << element.bits) - 1)
    else:
        codes = magnitudes | words & np.uint64(element.sign_mask) * _BYTES
    any_codes = choice >> np.uint64(16) & np.uint64(63) == 0
    codes[any_codes] = words[any_codes] & np.uint64((1 << element.bits) - 1) * _BYTES
    scales = _uniform_scales(block_format, choice >> np.uint64(22))
    return Blocks(block_format, codes.astype("<u8", copy=False).view(np.uint8), scales)


def _bands(element: ElementFormat) -> list[int]:
    """Return masks of random bits of magnitudes: all of them twice, an eighth, a sixteenth."""
    full = (1 << element.max_code.bit_length() - 1) - 1
    return [full, full, *(max(1, full >> shift) for shift in (2, 3))]


def _uniform_scales(block_format: BlockFormat, choice: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return scales from 42 random bits each."""
    scale, one = block_format.scale, scale_stimulus(block_format.scale).one
    near = (choice & np.uint64(15)).astype(np.int64) + (one - 8)
    anywhere = (choice >> np.uint64(4) & np.uint64(0xFFFF)) * np.uint64(scale.max_code + 1) >> np.uint64(16)
    scales = np.where(choice >> np.uint64(20) & np.uint64(3) == 0, anywhere.astype(np.int64), near)
    scales[choice >> np.uint64(22) & np.uint64(127) == 0] = scale_stimulus(scale).nan
    return scales.astype(np.uint8)
