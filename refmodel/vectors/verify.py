"""Check the results of a vector set against the model, and against the oracle, which shares no code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.errors import FileError
from refmodel.oracle import Block
from refmodel.oracle.fast import dot as oracle_dot
from refmodel.vectors.dotset import DotVectors, dot_results

ORACLE_BLOCKS = 100_000
"""Block pairs that the oracle is asked about; about a second."""


def check_results(vectors: DotVectors) -> int:
    """Compare every result with the model, and of a large set an even selection with the oracle.

    Returns:
        The number of results that the oracle was asked for.

    Raises:
        FileError: If a result differs; the message names the line of ``result.hex``.
    """
    model = dot_results(vectors.a, vectors.b, vectors.last, vectors.rule)
    everything = np.arange(vectors.dots)
    _compare(vectors, everything, model, "the model")
    asked = max(1, min(vectors.dots, ORACLE_BLOCKS * vectors.dots // vectors.blocks))
    chosen = np.arange(asked) * vectors.dots // asked
    oracle = np.array([_oracle_result(vectors, int(i)) for i in chosen], np.uint32)
    _compare(vectors, chosen, oracle, "the oracle")
    return int(chosen.size)


def _compare(vectors: DotVectors, dots: NDArray[np.int64], expected: NDArray[np.uint32], judge: str) -> None:
    wrong = np.flatnonzero(vectors.results[dots] != expected)
    if wrong.size:
        first = int(dots[wrong[0]])
        blocks = vectors.dot_slice(first)
        raise FileError(
            f"result.hex: line {first + 1} is {vectors.results[first]:08x}, {judge} gives "
            f"{expected[wrong[0]]:08x} under {vectors.rule} (class {vectors.class_of(first).name}, blocks on "
            f"lines {blocks.start + 1} to {blocks.stop}); {wrong.size} of {dots.size} differ"
        )


def _oracle_result(vectors: DotVectors, i: int) -> int:
    chosen = vectors.dot_slice(i)
    a, b = (_oracle_blocks(blocks, chosen) for blocks in (vectors.a, vectors.b))
    return oracle_dot(list(zip(a, b, strict=True)), vectors.rule)


def _oracle_blocks(blocks: Blocks, chosen: slice) -> list[Block]:
    codes, scales = blocks.codes[chosen].tolist(), blocks.scales[chosen].tolist()
    return [Block(blocks.format, scale, tuple(row)) for row, scale in zip(codes, scales, strict=True)]
