"""Tiles of matrix products: rows of A with columns of B."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cocotb_tests.mismatch import WrongDot, operand_lines, result_lines
from cocotb_tests.operations.base import Family, Items, Planes, VectorRequest, class_indices
from cocotb_tests.operations.dots import on_first_blocks, oracle_blocks, rule_call, run_time_formats
from refmodel.blocks import Blocks
from refmodel.conformance import Configuration, Description
from refmodel.vectors.files import read_vectors, write_vectors
from refmodel.vectors.tiles import TileVectors, make_tile_vectors

_REPORTED_BLOCKS = 4


class TileItems(Items):
    """Tiles of one vector set."""

    def __init__(self, vectors: TileVectors) -> None:
        self._vectors = vectors
        self.classes = [each.name for each in vectors.classes]
        self.class_of = class_indices([each.dots for each in vectors.classes])

    def planes(self, description: Description, configuration: Configuration) -> Planes:
        vectors, beats = self._vectors, configuration.beats
        steps = len(vectors.last)
        inputs = run_time_formats(description, configuration.pair, steps * beats)
        for side, operand in (("a", vectors.a), ("b", vectors.b)):
            copies = operand.scales.shape[1]
            codes = operand.codes.reshape(steps, copies, beats, configuration.lanes).transpose(0, 2, 1, 3)
            inputs[f"{side}_elements"] = codes.reshape(steps * beats, copies * configuration.lanes)
            if vectors.scaled:
                inputs[f"{side}_scale"] = np.repeat(operand.scales, beats, axis=0)
        if vectors.c is not None:
            inputs["c"] = np.repeat(on_first_blocks(vectors.c, vectors.bounds), beats, axis=0)
        first = np.concatenate([[True], vectors.last[:-1]])
        inputs["first"], inputs["last"] = (
            np.repeat(each, beats)[:, None].astype(np.uint8) for each in (first, vectors.last)
        )
        return Planes(inputs, vectors.bounds * beats, {"result": vectors.results})

    def explain(self, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
        vectors, expected = self._vectors, self._vectors.results[item].tolist()
        wrong = [i for i, bits in enumerate(seen["result"]) if bits != expected[i]]
        places = [divmod(i, vectors.columns) for i in wrong]
        lines = [f"  {len(wrong)} of {len(expected)} entries are wrong: {', '.join(map(str, places[:16]))}"]
        if list(seen["result"]) == [expected[i] for i in _transposed(len(expected), vectors.columns)]:
            return [*lines, "  hint: the tile is transposed"]
        row, column = places[0]
        steps = range(int(vectors.bounds[item]), int(vectors.bounds[item + 1]))
        a, b = (
            oracle_blocks(Blocks(operand.format, operand.codes[:, place], operand.scales[:, place]), steps)
            for operand, place in ((vectors.a, row), (vectors.b, column))
        )
        pairs = list(zip(a, b, strict=True))
        c = 0 if vectors.c is None else int(vectors.c[item, wrong[0]])
        first = WrongDot(
            pairs, vectors.rule, expected[wrong[0]], seen["result"][wrong[0]], c=c,
            has_scales=vectors.scaled,
        )  # fmt: skip
        shown = len(pairs) if full else _REPORTED_BLOCKS
        return [*lines, f"  entry {(row, column)}:", *operand_lines(first, shown), *result_lines(first)]


def _transposed(entries: int, columns: int) -> list[int]:
    return np.arange(entries).reshape(-1, columns).T.ravel().tolist()


def _thinned(vectors: TileVectors, count: int) -> TileVectors:
    """Return about *count* tiles, an even choice with some of each class: what a set holds at least is made for
    single dot products, and takes a slow simulator minutes as tiles."""
    if vectors.vectors <= count:
        return vectors
    firsts = [each.first for each in vectors.classes if each.count]
    chosen = np.unique([*firsts, *np.linspace(0, vectors.vectors - 1, count).astype(int)])
    lengths = np.diff(vectors.bounds)[chosen]
    ends = np.cumsum(lengths)
    steps = np.repeat(vectors.bounds[chosen] - (ends - lengths), lengths) + np.arange(ends[-1])
    classes, made = [], 0
    for each in vectors.classes:
        kept = int(np.count_nonzero((chosen >= each.first) & (chosen < each.first + each.count)))
        classes.append(replace(each, first=made, count=kept))
        made += kept
    a, b = (
        Blocks(x.format, x.codes[steps], x.scales[steps], tensor_scale=x.tensor_scale) for x in (vectors.a, vectors.b)
    )
    return replace(
        vectors, a=a, b=b, last=vectors.last[steps], results=vectors.results[chosen],
        c=None if vectors.c is None else vectors.c[chosen], classes=tuple(classes),
    )  # fmt: skip


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
        vectors = make_tile_vectors(
            configuration.pair.a, configuration.pair.b, rule=configuration.rule.rule, rows=configuration.rows,
            columns=configuration.columns, initial_values="c" in description.ports, count=request.count,
            seed=request.seed, tensors=request.tensors,
        )  # fmt: skip
        write_vectors(_thinned(vectors, request.count), directory / "0")

    def read(self, configuration: Configuration, directory: Path) -> Items:
        vectors = read_vectors(directory / "0")
        assert isinstance(vectors, TileVectors), "the directory is of this operation"
        return TileItems(vectors)


MATMUL_TILE = TileFamily()
