"""Conversions: numbers to a block, and a block to numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from cocotb_tests.operations.base import Family, Items, Part, Planes, VectorRequest, class_indices, whole
from refmodel.conformance import Configuration, Description
from refmodel.conformance.explanation import explain_vector
from refmodel.formats import BlockFormat
from refmodel.options import QuantizeOptions
from refmodel.vectors.conversions import (
    DequantizeVectors,
    QuantizeVectors,
    make_dequantize_vectors,
    make_quantize_vectors,
)
from refmodel.vectors.files import read_vectors, write_vectors
from refmodel.vectors.numbers import InputFormat


class QuantizeItems(Items):
    """Blocks of numbers, and what they become."""

    def __init__(self, vectors: QuantizeVectors) -> None:
        self._vectors = vectors
        self.classes = [each.name for each in vectors.classes]
        self.class_of = class_indices([each.dots for each in vectors.classes])

    def planes(self, description: Description, configuration: Configuration) -> Planes:
        vectors = self._vectors
        return Planes(
            {"values": vectors.values},
            np.arange(vectors.vectors + 1),
            {"elements": vectors.elements, "scale": vectors.scales[:, None]},
        )

    def parts(self) -> list[Part]:
        return whole(self._vectors)

    def explain(self, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
        return explain_vector(self._vectors, item, seen, full=full)


class DequantizeItems(Items):
    """Blocks, and the numbers that they stand for."""

    def __init__(self, vectors: DequantizeVectors) -> None:
        self._vectors = vectors
        self.classes = [each.name for each in vectors.classes]
        self.class_of = class_indices([each.dots for each in vectors.classes])

    def planes(self, description: Description, configuration: Configuration) -> Planes:
        vectors = self._vectors
        return Planes(
            {"elements": vectors.elements, "scale": vectors.scales[:, None]},
            np.arange(vectors.vectors + 1),
            {"values": vectors.values},
        )

    def parts(self) -> list[Part]:
        return whole(self._vectors)

    def explain(self, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
        return explain_vector(self._vectors, item, seen, full=full)


class QuantizeFamily(Family):
    """Sets of conversions to blocks."""

    default_count: Mapping[str, int] = {"verilator": 10_000, "icarus": 500, "ghdl": 500}

    def call(self, description: Description, configuration: Configuration) -> list[object]:
        return [configuration.pair.name, configuration.input, list(configuration.options)]

    def make(
        self, description: Description, configuration: Configuration, request: VectorRequest, directory: Path
    ) -> None:
        options = QuantizeOptions(**cast(Any, dict(configuration.options)))
        vectors = make_quantize_vectors(
            _block_format(configuration), input_format=cast(InputFormat, configuration.input), options=options,
            count=request.count, seed=request.seed, tensors=request.tensors,
        )  # fmt: skip
        write_vectors(vectors, directory / "0")

    def read(self, configuration: Configuration, directory: Path) -> Items:
        vectors = read_vectors(directory / "0")
        assert isinstance(vectors, QuantizeVectors), "the directory is of this operation"
        return QuantizeItems(vectors)


class DequantizeFamily(Family):
    """Sets of conversions to numbers."""

    default_count: Mapping[str, int] = {"verilator": 4_000, "icarus": 500, "ghdl": 500}

    def call(self, description: Description, configuration: Configuration) -> list[object]:
        return [configuration.pair.name]

    def make(
        self, description: Description, configuration: Configuration, request: VectorRequest, directory: Path
    ) -> None:
        vectors = make_dequantize_vectors(_block_format(configuration), count=request.count, seed=request.seed)
        write_vectors(vectors, directory / "0")

    def read(self, configuration: Configuration, directory: Path) -> Items:
        vectors = read_vectors(directory / "0")
        assert isinstance(vectors, DequantizeVectors), "the directory is of this operation"
        return DequantizeItems(vectors)


def _block_format(configuration: Configuration) -> BlockFormat:
    fmt = configuration.pair.a
    assert isinstance(fmt, BlockFormat), "conversions are of blocks"
    return fmt


QUANTIZE = QuantizeFamily()
DEQUANTIZE = DequantizeFamily()
