"""The coverage model, and how often its bins are hit."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.errors import DefinitionError

FILE = Path(__file__).with_suffix(".toml")
HANDSHAKE = "handshake"

Hits: TypeAlias = NDArray[np.int64]
"""Hits by bin, an axis of the array for each axis of the coverpoint."""


@dataclass(frozen=True, slots=True)
class Coverpoint:
    """A cross of axes.

    Attributes:
        name: For reports.
        of: What it is counted of: "dot", "quantize" or "dequantize".
        axes: Names of the axes.
        bins: Names of the bins of each.
    """

    name: str
    of: str
    axes: tuple[str, ...]
    bins: tuple[tuple[str, ...], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of bins along each axis."""
        return tuple(len(each) for each in self.bins)

    def name_of(self, index: Sequence[int]) -> str:
        """Name a bin."""
        return ", ".join(f"{axis} {bins[i]}" for axis, bins, i in zip(self.axes, self.bins, index, strict=True))


@dataclass(frozen=True)
class Facts:
    """Into which bin of each axis the rows of a set fall.

    Attributes:
        axes: int64 bins by axis: of results [M], of blocks [N], or of lanes [N, L].
        block_result: int64 [N], the result that a block belongs to.
        item: int64 [M], the item that a result belongs to.
    """

    axes: Mapping[str, NDArray[np.int64]]
    block_result: NDArray[np.int64]
    item: NDArray[np.int64]

    def over(self, axes: Sequence[str]) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
        """Return the bins of *axes* and the item, each of as many rows as the finest of them has."""
        depth = max(self._depth(axis) for axis in axes)
        columns = [self._expand(self.axes[axis], self._depth(axis), depth) for axis in axes]
        items = self._expand(self.item, 0, depth)
        shape = np.broadcast_shapes(*(each.shape for each in (*columns, items)))
        return [np.broadcast_to(each, shape).ravel() for each in columns], np.broadcast_to(items, shape).ravel()

    def _depth(self, axis: str) -> int:
        """0 for an axis of results, 1 of blocks, 2 of lanes."""
        values = self.axes[axis]
        if values.ndim == 2:
            return 2
        return 0 if len(values) == len(self.item) else 1

    def _expand(self, values: NDArray[np.int64], depth: int, wanted: int) -> NDArray[np.int64]:
        if depth == 0 and wanted > 0:
            values, depth = values[self.block_result], 1
        return values[:, None] if depth == 1 and wanted == 2 else values


def read_model(path: Path = FILE) -> list[Coverpoint]:
    """Return the coverpoints of the file.

    Raises:
        DefinitionError: If the file is not a model.
    """
    with open(path, "rb") as stream:
        try:
            data: dict[str, Any] = tomllib.load(stream)
            return [
                Coverpoint(
                    each["name"],
                    each["of"],
                    tuple(each["axes"]),
                    tuple(tuple(data["bins"][data["axes"][axis]]) for axis in each["axes"]),
                )
                for each in data["coverpoint"]
            ]
        except (tomllib.TOMLDecodeError, KeyError) as error:
            raise DefinitionError(f"{path.name}: {error}") from None


def count(coverpoint: Coverpoint, facts: Facts, handshake: NDArray[np.uint8]) -> Hits:
    """Return how often each bin was hit by an item that was compared.

    Args:
        coverpoint: What is counted.
        facts: The rows.
        handshake: uint8 [items], the bins of the axis `handshake` that an item met while its result was compared, as
            bits; 0 for an item that was not compared.
    """
    axes = [axis for axis in coverpoint.axes if axis != HANDSHAKE]
    columns, items = facts.over(axes)
    sizes = [size for size, axis in zip(coverpoint.shape, coverpoint.axes, strict=True) if axis != HANDSHAKE]
    bins = np.ravel_multi_index(columns, sizes)
    met = np.append(handshake, np.uint8(0))[items]  # -1, of what is not played, is the last
    if HANDSHAKE not in coverpoint.axes:
        return np.bincount(bins[met != 0], minlength=int(np.prod(sizes))).reshape(sizes)
    assert coverpoint.axes[-1] == HANDSHAKE, "the handshake is the last axis of a cross"
    parts = [np.bincount(bins[met >> i & 1 != 0], minlength=int(np.prod(sizes))) for i in range(coverpoint.shape[-1])]
    return np.stack(parts, axis=-1).reshape(coverpoint.shape)
