"""Vectors as the driver plays them: every port value of every beat made before the simulation starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from cocotb.types import LogicArray
from numpy.typing import NDArray

from cocotb_tests.packing import Bits, digits

_FEW_BITS = 8  # the values of a port so narrow are made once each


class Stimulus:
    """The beats of a vector set as port values, and which beats make up which item.

    Making the values of whole planes at once keeps the per-cycle loop of the driver free of arithmetic.

    Attributes:
        ports: Names of the ports.
        beats: Per beat, the values of those ports.
        bounds: Item i is made of beats bounds[i] ... bounds[i + 1] - 1.
    """

    def __init__(self, planes: Mapping[str, Bits], bounds: NDArray[np.int64]) -> None:
        self.ports = list(planes)
        self.beats: list[tuple[LogicArray, ...]] = list(
            zip(*(_port_values(bits) for bits in planes.values()), strict=True)
        )
        self.bounds = bounds
        self._ends = set(bounds[1:].tolist())

    @property
    def items(self) -> int:
        """Number of items."""
        return len(self.bounds) - 1

    def beats_of(self, items: Sequence[int] | NDArray[np.int64]) -> list[int]:
        """Return the indices of the beats of *items*, in order."""
        bounds = self.bounds.tolist()
        return [beat for item in items for beat in range(bounds[item], bounds[item + 1])]

    def ends(self, beat: int) -> bool:
        """Return whether *beat* is the last of its item."""
        return beat + 1 in self._ends

    def item_of(self, beat: int) -> int:
        """Return the item that *beat* belongs to."""
        return int(np.searchsorted(self.bounds, beat, side="right")) - 1

    def place_of(self, beat: int) -> int:
        """Return which beat of its item *beat* is."""
        return beat - int(self.bounds[self.item_of(beat)])


def _port_values(bits: Bits) -> list[LogicArray]:
    if bits.shape[1] > _FEW_BITS:
        return [LogicArray(text) for text in digits(bits)]
    shared = cache(LogicArray)
    return [shared(text) for text in digits(bits)]
