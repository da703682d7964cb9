"""Dot products on which laws are tried: every kind of element, scale and initial value, in every mixture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.formats import BlockFormat
from refmodel.vectors.draws import Draws
from refmodel.vectors.initial import SPECIAL_BITS

MAX_BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Dots:
    """N dot products of the same number of blocks.

    Attributes:
        a, b: Blocks [N, n_blocks].
        c: float32 [N], initial values.
    """

    a: Blocks
    b: Blocks
    c: NDArray[np.float32]


def draw_dots(a_format: BlockFormat, b_format: BlockFormat, n_blocks: int, count: int, draws: Draws) -> Dots:
    """Return *count* dot products of *n_blocks* blocks.

    A block is made of any codes, of few codes and their negatives (sums cancel), of the lowest codes (zeros and
    subnormals), or of one code among zeros. Scales lie close together, anywhere, or at an end of their range,
    NaN included. Initial values are any bits, near one in exponent, or special.
    """
    shape = (count, n_blocks)
    a, b = (_draw_blocks(fmt, shape, draws) for fmt in (a_format, b_format))
    kind = draws.integers(0, 4, count)
    bits = (draws.integers(0, 1 << 16, count) << 16) | draws.integers(0, 1 << 16, count)
    near = (bits & 0x807FFFFF) | (draws.integers(100, 155, count) << 23)
    special = np.array(SPECIAL_BITS, np.int64)[draws.integers(0, len(SPECIAL_BITS), count)]
    c = np.select([kind == 0, kind == 1], [bits, special], near).astype(np.uint32).view(np.float32)
    return Dots(a, b, c)


def _draw_blocks(fmt: BlockFormat, shape: tuple[int, int], draws: Draws) -> Blocks:
    bits, size = fmt.element.bits, fmt.block_size
    full = (*shape, size)
    codes = draws.integers(0, 1 << bits, full)
    kind = draws.integers(0, 8, (*shape, 1))
    sign = draws.integers(0, 2, full) << (bits - 1)
    one = codes[..., :1] & ((1 << (bits - 1)) - 1)
    lowest = codes & 3 | sign
    alone = np.where(np.arange(size) == draws.integers(0, size, (*shape, 1)), codes, 0)
    # An infinity or a NaN decides a whole result: in most blocks of wide formats there must be none, so the top
    # bit of the exponent is cleared in half of the blocks of any codes.
    modest = codes & ~(1 << (bits - 2))
    codes = np.select([kind < 2, kind < 4, kind < 6, kind == 6], [codes, modest, one | sign, lowest], alone)
    middle = draws.integers(117, 138, shape)
    end = np.array([0, 1, 2, 253, 254, 255])[draws.integers(0, 6, shape)]
    kind = draws.integers(0, 16, shape)
    scales = np.select([kind == 0, kind == 1], [end, draws.integers(0, 255, shape)], middle)
    return Blocks(fmt, codes.astype(np.uint8), scales.astype(np.uint8))
