"""Into which bin of each axis the rows of a vector set fall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cocotb_tests.coverage.classes import number_bins, scale_bins
from cocotb_tests.coverage.model import Facts
from cocotb_tests.coverage.rounding import (
    ABOVE_TIE,
    BELOW_TIE,
    EXACT,
    NONE,
    RULES,
    TIE_DOWN,
    TIE_UP,
    rounding_bins,
)
from refmodel.blocks import Blocks
from refmodel.conformance import Configuration
from refmodel.elements import decode_table
from refmodel.formats import BFLOAT16, FLOAT16, FLOAT32
from refmodel.vectors.conversions import DequantizeVectors, QuantizeVectors
from refmodel.vectors.dotset import DotVectors
from refmodel.vectors.files import read_vectors
from refmodel.vectors.numbers import NUMBER_FORMATS
from refmodel.vectors.tiles import TileVectors

_FORMATS = {"fp32": FLOAT32, "bf16": BFLOAT16, "fp16": FLOAT16}


def dot_facts(vectors: DotVectors, configuration: Configuration) -> Facts:
    """Return the facts of dot products: operands, results, and rounding where the rule has one rounding to Float32."""
    return _facts_of_dots(
        vectors.a, vectors.b, vectors.bounds, vectors.c, vectors.results, vectors.scaled, configuration
    )


def tile_facts(vectors: TileVectors, configuration: Configuration) -> Iterator[Facts]:
    """Return the facts of the entries of tiles, an entry after the other: each is a dot product."""
    for row in range(vectors.rows):
        for column in range(vectors.columns):
            entry = row * vectors.columns + column
            yield _facts_of_dots(
                Blocks(vectors.a.format, vectors.a.codes[:, row], vectors.a.scales[:, row]),
                Blocks(vectors.b.format, vectors.b.codes[:, column], vectors.b.scales[:, column]),
                vectors.bounds,
                None if vectors.c is None else vectors.c[:, entry],
                vectors.results[:, entry],
                vectors.scaled,
                configuration,
            )


def _facts_of_dots(
    a: Blocks, b: Blocks, bounds: NDArray[np.int64], c: NDArray[np.uint32] | None, results: NDArray[Any], scaled: bool,
    configuration: Configuration,
) -> Facts:  # fmt: skip
    axes = {
        "a_element": number_bins(a.format.element, a.codes),
        "b_element": number_bins(b.format.element, b.codes),
        "result": number_bins(_FORMATS[configuration.result], results),
    }
    if scaled:
        axes |= {"a_scale": scale_bins(a.format.scale, a.scales), "b_scale": scale_bins(b.format.scale, b.scales)}
    if configuration.rule_name in RULES and configuration.result == "fp32":
        axes["rounding"] = rounding_bins(configuration.rule_name, a, b, bounds, c)
    dots = np.arange(len(results))
    return Facts(axes, np.repeat(dots, np.diff(bounds)), dots)


def quantize_facts(vectors: QuantizeVectors) -> Facts:
    """Return the facts of numbers and the elements that they become."""
    element, scale = vectors.format.element, vectors.format.scale
    with np.errstate(invalid="ignore"):  # of signalling NaN
        numbers = NUMBER_FORMATS[vectors.input_format].values(vectors.values.astype(np.uint32)).astype(np.float64)
    # Products of an element or a tie with a scale have few bits: exact in float64.
    scales = decode_table(scale)[vectors.scales][:, None]
    known = np.isfinite(scales) & np.isfinite(numbers)
    magnitude = np.where(known, np.abs(numbers), 0)
    scales = np.where(np.isfinite(scales), scales, 1)
    steps = decode_table(element)[: element.max_code + 1]
    steps = np.append(steps, 2 * steps[-1] - steps[-2])
    below = np.zeros(numbers.shape, np.int64)
    for step in steps[1:-1]:
        below += magnitude >= step * scales
    low, high = steps[below] * scales, steps[below + 1] * scales
    tie = (low + high) / 2
    rounding = np.select(
        [~known, magnitude == low, magnitude < tie, magnitude > tie, below % 2 == 0],
        [NONE, EXACT, BELOW_TIE, ABOVE_TIE, TIE_DOWN],
        TIE_UP,
    )
    blocks = np.arange(vectors.vectors)
    axes = {
        "value": number_bins(_FORMATS[vectors.input_format], vectors.values),
        "element": number_bins(element, vectors.elements),
        "scale": scale_bins(scale, vectors.scales),
        "rounding": np.asarray(rounding, np.int64),
    }
    return Facts(axes, blocks, blocks)


def dequantize_facts(vectors: DequantizeVectors) -> Facts:
    """Return the facts of blocks and their numbers."""
    blocks = np.arange(vectors.vectors)
    axes = {
        "element": number_bins(vectors.format.element, vectors.elements),
        "scale": scale_bins(vectors.format.scale, vectors.scales),
        "result": number_bins(FLOAT32, vectors.values),
    }
    return Facts(axes, blocks, blocks)


def facts_in(directory: Path, operation: str, configuration: Configuration) -> tuple[str, list[Facts]]:
    """Return what the set in *directory* is a set of, as the model names it, and its facts.

    Of several formats in one set the facts come a pair after the other; `item` counts items as they are played.
    """
    if operation in ("quantize", "dequantize"):
        vectors = read_vectors(directory / "0")
        if isinstance(vectors, QuantizeVectors):
            return "quantize", [quantize_facts(vectors)]
        return "dequantize", [dequantize_facts(cast(DequantizeVectors, vectors))]
    if operation == "matmul_tile":
        return "dot", list(tile_facts(cast(TileVectors, read_vectors(directory / "0")), configuration))
    pairs = len(configuration.pairs)
    facts = [dot_facts(cast(DotVectors, read_vectors(directory / str(i))), configuration) for i in range(pairs)]
    if pairs == 1:
        return "dot", facts
    # The order names the dots of all sets that are played; the others get the number -1.
    order = np.load(directory / "order.npy")
    item = np.full(sum(len(each.item) for each in facts), -1)
    item[order] = np.arange(len(order))
    ends = np.cumsum([len(each.item) for each in facts])
    return "dot", [replace(each, item=part) for each, part in zip(facts, np.split(item, ends[:-1]), strict=True)]
