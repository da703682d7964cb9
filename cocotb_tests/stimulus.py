"""Vectors as the driver plays them: every port value of every block made before the simulation starts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from cocotb.types import LogicArray
from numpy.typing import NDArray

from refmodel.vectors.dotset import DotVectors


class Stimulus:
    """The blocks of a vector set as port values, and which blocks make up which dot product.

    Making the values of whole planes at once keeps the per-cycle loop of the driver free of arithmetic.

    Attributes:
        a_elements: One value per block for port a_elements_i; b_elements, a_scale and b_scale likewise.
        first: Per block, whether it begins a dot product; last likewise for its end.
        bounds: Dot i is made of blocks bounds[i] ... bounds[i + 1] - 1.
        dots: Number of dot products.
    """

    def __init__(self, vectors: DotVectors) -> None:
        self.a_elements = _port_values(vectors.a.codes, vectors.a.format.element.bits)
        self.b_elements = _port_values(vectors.b.codes, vectors.b.format.element.bits)
        scale_values = [LogicArray.from_unsigned(code, 8) for code in range(256)]
        self.a_scale = [scale_values[code] for code in vectors.a.scales.tolist()]
        self.b_scale = [scale_values[code] for code in vectors.b.scales.tolist()]
        self.last: list[bool] = vectors.last.tolist()
        self.first: list[bool] = [True, *self.last[:-1]]
        self.bounds = vectors.bounds
        self.dots = vectors.dots

    def blocks_of(self, dots: Sequence[int] | NDArray[np.int64]) -> list[int]:
        """Return the indices of the blocks of *dots*, in order."""
        bounds = self.bounds.tolist()
        return [block for dot in dots for block in range(bounds[dot], bounds[dot + 1])]

    def dot_of(self, block: int) -> int:
        """Return the dot product that *block* belongs to."""
        return int(np.searchsorted(self.bounds, block, side="right")) - 1


def _port_values(codes: NDArray[np.uint8], bits: int) -> list[LogicArray]:
    """Pack codes [blocks, 32] of *bits* bits into a value a block, element 0 in the lowest bits."""
    lsb_first = (codes[:, :, None] >> np.arange(bits, dtype=np.uint8)) & 1
    digits = lsb_first.reshape(len(codes), -1)[:, ::-1] + np.uint8(ord("0"))
    return [LogicArray(row.tobytes().decode("ascii")) for row in digits]
