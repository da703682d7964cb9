"""Sets of tiles of matrix products: rows of A with columns of B, several blocks deep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule
from refmodel.blocks import Blocks
from refmodel.errors import DefinitionError
from refmodel.formats import BlockFormat, ElementFormat
from refmodel.vectors.dotset import DotVectors, dot_results, make_dot_vectors, oracle_result, rule_value
from refmodel.vectors.pairs import TensorPair
from refmodel.vectors.target import result_width
from refmodel.vectors.vectorset import MAX_COUNT, Plane, StimulusClassRange, VectorSet, parts_of

MAX_EXTENT = 256
"""Largest number of rows, and of columns, of a tile."""

_CHUNK_ENTRIES = 1 << 14


@dataclass(frozen=True, eq=False)
class TileVectors(VectorSet):
    """Operands and expected results of M tiles over N steps; in a step each row and column has a block.

    Attributes:
        a: `Blocks` [N, rows] of A, tile after tile.
        b: `Blocks` [N, columns] of B.
        last: bool [N], true on the last step of each tile.
        results: [M, rows * columns] results, row after row: uint32, Float32 bits, or uint16.
        rule: The accumulation rule of the results.
        classes: The stimulus classes, in order, covering all tiles.
        call: What made the set, as JSON values.
        c: uint32 [M, rows * columns], Float32 bits of the initial values; None where all start at +0.
        scaled: As in `DotVectors`.
    """

    operation: ClassVar[str] = "matmul_tile"

    a: Blocks
    b: Blocks
    last: NDArray[np.bool_]
    results: NDArray[np.unsignedinteger]
    rule: AccumulationRule
    classes: tuple[StimulusClassRange, ...]
    call: dict[str, object]
    c: NDArray[np.uint32] | None = None
    scaled: bool = True

    @property
    def rows(self) -> int:
        """Rows of a tile."""
        return int(self.a.scales.shape[1])

    @property
    def columns(self) -> int:
        """Columns of a tile."""
        return int(self.b.scales.shape[1])

    @property
    def vectors(self) -> int:
        """Number of tiles."""
        return len(self.results)

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """int64 [M + 1]: tile i is made of steps bounds[i] ... bounds[i + 1] - 1."""
        return np.concatenate([[0], np.flatnonzero(self.last) + 1]).astype(np.int64)

    def planes(self) -> tuple[Plane, ...]:
        """Return a_elements, a_scale, b_elements, b_scale, last, c and result, as of dot products; a word has
        the codes of all rows, or columns, or entries, the first in the lowest bits."""
        planes = []
        steps = len(self.last)
        for side, blocks in (("a", self.a), ("b", self.b)):
            codes = blocks.codes.reshape(steps, -1)
            planes.append(Plane(f"{side}_elements", "input", codes, blocks.format.element.bits))
            if self.scaled:
                planes.append(Plane(f"{side}_scale", "input", blocks.scales, blocks.format.scale.bits))
        planes.append(Plane("last", "input", self.last[:, None].astype(np.uint8), 1))
        if self.c is not None:
            planes.append(Plane("c", "input", self.c, 32))
        planes.append(Plane("result", "output", self.results, result_width(self.rule)))
        return tuple(planes)

    def parameters(self) -> dict[str, object]:
        """Return the formats, the elements of a block, the extents, and the rule."""
        a, b = (fmt.name if self.scaled else fmt.element.name for fmt in (self.a.format, self.b.format))
        return {
            "a_format": a,
            "b_format": b,
            "lanes": self.a.format.block_size,
            "rows": self.rows,
            "columns": self.columns,
            "rule": rule_value(self.rule),
        }

    def counts(self) -> dict[str, int]:
        """Return the number of steps and of tiles."""
        return {"steps": len(self.last), "tiles": self.vectors}

    def rows_of(self, i: int) -> slice:
        """Return the steps that tile *i* is made of."""
        return slice(int(self.bounds[i]), int(self.bounds[i + 1]))

    def by_model(self) -> dict[str, NDArray[Any]]:
        """Return the results computed again."""
        return {"result": tile_results(self.a, self.b, self.last, self.rule, self.c, self.scaled)}

    def by_oracle(self, i: int) -> dict[str, list[int]]:
        """Return the results of tile *i* by the oracle."""
        steps = self.rows_of(i)
        results = []
        for entry in range(self.rows * self.columns):
            row, column = divmod(entry, self.columns)
            a, b = (
                Blocks(x.format, x.codes[steps, n], x.scales[steps, n]) for x, n in ((self.a, row), (self.b, column))
            )
            c = 0 if self.c is None else int(self.c[i, entry])
            results.append(oracle_result(self.rule, a, b, c, self.scaled))
        return {"result": results}

    @property
    def oracle_vectors(self) -> int:
        """How many tiles the oracle judges in about a second."""
        return max(1, 4_000 * self.vectors // (len(self.last) * self.rows * self.columns))

    @property
    def number_formats(self) -> tuple[str, ...]:
        """Names of the element and scale formats."""
        return (*parts_of(self.a.format), *parts_of(self.b.format))

    @property
    def title(self) -> str:
        """Formats, extents and rule, for one line."""
        names = self.parameters()
        return f"{names['a_format']} x {names['b_format']}, tiles of {self.rows} x {self.columns}, {self.rule.name}"


def make_tile_vectors(
    a_format: str | BlockFormat | ElementFormat,
    b_format: str | BlockFormat | ElementFormat,
    *,
    rule: str | AccumulationRule,
    rows: int,
    columns: int,
    initial_values: bool = False,
    count: int,
    seed: int,
    tensors: Sequence[TensorPair] = (),
    progress: Callable[[str], None] = lambda step: None,
) -> TileVectors:
    """Make a set of at least *count* tiles from the dot products of all stimulus classes.

    A tile is made of dot products of one class and of one length: row i has the blocks of A of the i-th, column
    i those of B. So what a class aims at is on the diagonal, and the other entries are mixtures.

    Args:
        a_format, b_format, rule, initial_values, tensors, progress: As `make_dot_vectors`.
        rows, columns: Extents of a tile, 1 to MAX_EXTENT.
        count: Tiles wanted, 1 to MAX_COUNT; MAX_COUNT dot products are the most that they are made of.
        seed: Non-negative.

    Raises:
        DefinitionError: If an extent is out of range, and as `make_dot_vectors`.
        UnknownNameError, ShapeError, DtypeError: As `make_dot_vectors`.
    """
    check_extents(rows, columns)
    side = max(rows, columns)
    if count > MAX_COUNT // side:
        raise DefinitionError(f"count {count} of tiles of {rows} x {columns} is above {MAX_COUNT // side}")
    dots = make_dot_vectors(
        a_format,
        b_format,
        rule=rule,
        multi_block=True,
        initial_values=initial_values,
        count=max(count, 0) * side,
        seed=seed,
        tensors=tensors,
        progress=progress,
    )
    progress("tiles")
    return tiles_of(dots, rows, columns, count)


def check_extents(rows: int, columns: int) -> None:
    """Refuse extents of a tile that are out of range.

    Raises:
        DefinitionError: If so.
    """
    if not (1 <= rows <= MAX_EXTENT and 1 <= columns <= MAX_EXTENT):
        raise DefinitionError(f"a tile of {rows} x {columns}: rows and columns must be from 1 to {MAX_EXTENT}")


def tiles_of(dots: DotVectors, rows: int, columns: int, count: int) -> TileVectors:
    """Return the tiles that a set of dot products gives."""
    side = max(rows, columns)
    chosen, classes = _choose_dots(dots, side)
    lengths = np.diff(dots.bounds)[chosen[:, 0]]
    tile = np.repeat(np.arange(len(chosen)), lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    step = np.arange(starts[-1]) - starts[tile]
    blocks = dots.bounds[chosen[tile]] + step[:, None]
    a, b = (
        Blocks(x.format, x.codes[blocks[:, :extent]], x.scales[blocks[:, :extent]], tensor_scale=x.tensor_scale)
        for x, extent in ((dots.a, rows), (dots.b, columns))
    )
    last = step == lengths[tile] - 1
    c = None
    if dots.c is not None:
        row, column = np.divmod(np.arange(rows * columns), columns)
        # On the diagonal that of the dot product; elsewhere those of tiles that follow, each another one.
        source = (np.arange(len(chosen))[:, None] + (column - row) % side) % len(chosen)
        c = dots.c[chosen[source, row]]
    return TileVectors(
        a=a,
        b=b,
        last=last,
        results=tile_results(a, b, last, dots.rule, c, dots.scaled),
        rule=dots.rule,
        classes=classes,
        call={
            "seed": dots.call["seed"],
            "count": count,
            "initial_values": dots.call["initial_values"],
            "inputs": dots.call["inputs"],
            "shard": [0, 1],
        },
        c=c,
        scaled=dots.scaled,
    )


def _choose_dots(dots: DotVectors, side: int) -> tuple[NDArray[np.int64], tuple[StimulusClassRange, ...]]:
    """Return the dot products [tiles, side] of each tile, and the classes of the tiles."""
    lengths = np.diff(dots.bounds)
    parts, classes, made = [], [], 0
    for each in dots.classes:
        of_class = np.arange(each.first, each.first + each.count)
        tiles = []
        for length in np.unique(lengths[of_class]):
            same = of_class[lengths[of_class] == length]
            # The last tile of a length is filled up from the first dot products of that length.
            tiles.append(np.resize(same, (-(-len(same) // side), side)))
        joined = np.concatenate(tiles)
        parts.append(joined[np.argsort(joined[:, 0], kind="stable")])
        classes.append(StimulusClassRange(each.name, each.description, made, len(joined)))
        made += len(joined)
    return np.concatenate(parts), tuple(classes)


def tile_results(
    a: Blocks,
    b: Blocks,
    last: NDArray[np.bool_],
    rule: AccumulationRule,
    c: NDArray[np.uint32] | None = None,
    scaled: bool = True,
) -> NDArray[np.unsignedinteger]:
    """Return the results [tiles, rows * columns] of tiles, in bits of the result format.

    Args:
        a: Blocks [N, rows].
        b: Blocks [N, columns].
        last: bool [N], true on the last step of each tile.
        rule: Accumulation rule.
        c: uint32 [tiles, rows * columns], Float32 bits of the initial values; +0 when None.
        scaled: False if the operands are the elements without their scales.
    """
    rows, columns = a.scales.shape[1], b.scales.shape[1]
    row, column = np.divmod(np.arange(rows * columns), columns)
    bounds = np.concatenate([[0], np.flatnonzero(last) + 1])
    results = np.empty((len(bounds) - 1, rows * columns), f"u{result_width(rule) // 8}")
    chunk = max(1, _CHUNK_ENTRIES // (rows * columns))
    for first in range(0, len(results), chunk):
        end = min(first + chunk, len(results))
        steps = slice(int(bounds[first]), int(bounds[end]))
        # Entry after entry of all steps, each a dot product of as many blocks as its tile has steps.
        operands = []
        for x, place in ((a, row), (b, column)):
            codes, scales = x.codes[steps][:, place].swapaxes(0, 1), x.scales[steps][:, place].swapaxes(0, 1)
            operands.append(
                Blocks(x.format, codes.reshape(-1, codes.shape[-1]), scales.reshape(-1), tensor_scale=x.tensor_scale)
            )
        initial = None if c is None else c[first:end].T.ravel()
        marks = np.tile(last[steps], rows * columns)
        made = dot_results(operands[0], operands[1], marks, rule, initial, scaled)
        results[first:end] = made.reshape(rows * columns, end - first).T
    return results
