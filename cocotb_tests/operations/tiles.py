"""Tiles of matrix products: rows of A with columns of B."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cocotb_tests.operations.base import Family, Items, Part, Planes, VectorRequest, class_indices, whole
from cocotb_tests.operations.dots import on_first_blocks, rule_call, run_time_formats
from refmodel.conformance import Configuration, Description
from refmodel.conformance.explanation import explain_vector
from refmodel.vectors.files import read_vectors, write_vectors
from refmodel.vectors.selection import select_vectors
from refmodel.vectors.tiles import TileVectors, make_tile_vectors


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

    def parts(self) -> list[Part]:
        return whole(self._vectors)

    def explain(self, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
        return explain_vector(self._vectors, item, seen, full=full)


def _thinned(vectors: TileVectors, count: int) -> TileVectors:
    """Return about *count* tiles, an even choice with some of each class: what a set holds at least is made for
    single dot products, and takes a slow simulator minutes as tiles."""
    if vectors.vectors <= count:
        return vectors
    firsts = [each.first for each in vectors.classes if each.count]
    return select_vectors(vectors, np.unique([*firsts, *np.linspace(0, vectors.vectors - 1, count).astype(int)]))


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
