"""Tiles of matrix products: rows of A with columns of B."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocotb_tests.mismatch import WrongDot, operand_lines, result_lines
from cocotb_tests.operations.base import Family, Items, Planes, VectorRequest, class_indices
from cocotb_tests.operations.dots import on_first_blocks, oracle_blocks, rule_call, run_time_formats
from refmodel.blocks import Blocks
from refmodel.conformance import Configuration, Description
from refmodel.vectors.dotset import DotVectors, dot_results, make_dot_vectors
from refmodel.vectors.files import read_dot_vectors, write_vectors

_REPORTED_BLOCKS = 4
_ENTRIES = "entries.npz"


class TileItems(Items):
    """Tiles made of the dot products of one vector set.

    Row r of a tile has the blocks of A of one dot product, column r those of B of the same, and all of a tile
    are equally long: so the entries on the diagonal are dot products of the set, and the others mixtures.

    Args:
        vectors: The set.
        dots: int64 [tiles, max(rows, columns)], the dot products of each tile.
        c: uint32 [tiles, entries], initial values.
        results: [tiles, entries], expected results.
        columns: Columns of a tile.
    """

    def __init__(
        self, vectors: DotVectors, dots: NDArray[np.int64], c: NDArray[np.uint32],
        results: NDArray[np.unsignedinteger], columns: int,
    ) -> None:  # fmt: skip
        self._vectors, self._dots, self._c, self._results, self._columns = vectors, dots, c, results, columns
        self.classes = [each.name for each in vectors.classes]
        self.class_of = class_indices([each.dots for each in vectors.classes])[dots[:, 0]]

    def planes(self, description: Description, configuration: Configuration) -> Planes:
        vectors, beats = self._vectors, configuration.beats
        lengths = np.diff(vectors.bounds)[self._dots[:, 0]]
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        tile = np.repeat(np.arange(len(lengths)), lengths)
        step = np.arange(bounds[-1]) - bounds[tile]
        blocks = vectors.bounds[self._dots[tile]] + step[:, None]  # [steps, max(rows, columns)]
        n = len(blocks) * beats
        inputs = run_time_formats(description, configuration.pair, n)
        for side, operand, copies in (
            ("a", vectors.a, configuration.rows),
            ("b", vectors.b, configuration.columns),
        ):
            codes = operand.codes[blocks[:, :copies]].reshape(len(blocks), copies, beats, configuration.lanes)
            inputs[f"{side}_elements"] = codes.transpose(0, 2, 1, 3).reshape(n, copies * configuration.lanes)
            if vectors.scaled:
                inputs[f"{side}_scale"] = np.repeat(operand.scales[blocks[:, :copies]], beats, axis=0)
        inputs["c"] = np.repeat(on_first_blocks(self._c, bounds), beats, axis=0)
        inputs["first"] = np.repeat(step == 0, beats)[:, None].astype(np.uint8)
        inputs["last"] = np.repeat(step == lengths[tile] - 1, beats)[:, None].astype(np.uint8)
        return Planes(inputs, bounds * beats, {"result": self._results})

    def explain(self, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
        vectors, expected = self._vectors, self._results[item].tolist()
        wrong = [i for i, bits in enumerate(seen["result"]) if bits != expected[i]]
        places = [divmod(i, self._columns) for i in wrong]
        lines = [f"  {len(wrong)} of {len(expected)} entries are wrong: {', '.join(map(str, places[:16]))}"]
        if list(seen["result"]) == [expected[i] for i in _transposed(len(expected), self._columns)]:
            return [*lines, "  hint: the tile is transposed"]
        row, column = places[0]
        a, b = (range(vectors.blocks)[vectors.dot_slice(int(self._dots[item, i]))] for i in (row, column))
        pairs = list(zip(oracle_blocks(vectors.a, a), oracle_blocks(vectors.b, b), strict=True))
        first = WrongDot(
            pairs, vectors.rule, expected[wrong[0]], seen["result"][wrong[0]], c=int(self._c[item, wrong[0]]),
            has_scales=vectors.scaled,
        )  # fmt: skip
        shown = len(pairs) if full else _REPORTED_BLOCKS
        return [*lines, f"  entry {(row, column)}:", *operand_lines(first, shown), *result_lines(first)]


def _transposed(entries: int, columns: int) -> list[int]:
    return np.arange(entries).reshape(-1, columns).T.ravel().tolist()


class TileFamily(Family):
    """Sets of tiles."""

    default_count: Mapping[str, int] = {"verilator": 1_000, "icarus": 100}

    def call(self, description: Description, configuration: Configuration) -> list[object]:
        return [
            configuration.rows,
            configuration.columns,
            "c" in description.ports,
            [configuration.pair.a.name, configuration.pair.b.name],
            rule_call(configuration),
        ]

    def make(
        self, description: Description, configuration: Configuration, request: VectorRequest, directory: Path
    ) -> None:
        assert configuration.rule is not None, "tiles have rules"
        rule, pair, side = configuration.rule.rule, configuration.pair, max(configuration.rows, configuration.columns)
        vectors = make_dot_vectors(
            pair.a, pair.b, rule=rule, multi_block=True, initial_values="c" in description.ports,
            count=request.count * side, seed=request.seed, tensors=request.tensors,
        )  # fmt: skip
        write_vectors(vectors, directory / "0")
        lengths = np.diff(vectors.bounds)
        groups = []
        for length in np.unique(lengths):
            dots = np.flatnonzero(lengths == length)
            # The last tile of a length is filled up from the first.
            groups.append(np.resize(dots, (-(-len(dots) // side), side)))
        tiles = np.concatenate(groups)
        tiles = tiles[np.argsort(tiles[:, 0], kind="stable")]
        row, column = np.divmod(np.arange(configuration.rows * configuration.columns), configuration.columns)
        zeros = np.zeros(vectors.dots, np.uint32)
        initial = zeros if vectors.c is None else vectors.c
        # On the diagonal, that of the dot product; elsewhere one of the others of the tile.
        c = initial[tiles[:, np.where(row == column, row, (row + column) % side)]]
        of_tile = lengths[tiles[:, 0]]
        starts_a, starts_b = vectors.bounds[tiles[:, row]].ravel(), vectors.bounds[tiles[:, column]].ravel()
        counts = np.repeat(of_tile, len(row))
        step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        last = step == np.repeat(counts, counts) - 1
        a, b = (
            _rows(operand, np.repeat(starts, counts) + step)
            for operand, starts in ((vectors.a, starts_a), (vectors.b, starts_b))
        )
        results = dot_results(a, b, last, rule, c.ravel(), vectors.scaled).reshape(len(tiles), -1)
        np.savez(directory / _ENTRIES, dots=tiles, c=c, results=results)

    def read(self, configuration: Configuration, directory: Path) -> Items:
        with np.load(directory / _ENTRIES) as entries:
            dots, c, results = (entries[name] for name in ("dots", "c", "results"))
        return TileItems(read_dot_vectors(directory / "0"), dots, c, results, configuration.columns)


def _rows(blocks: Blocks, rows: NDArray[np.int64]) -> Blocks:
    return Blocks(blocks.format, blocks.codes[rows], blocks.scales[rows], tensor_scale=blocks.tensor_scale)


MATMUL_TILE = TileFamily()
