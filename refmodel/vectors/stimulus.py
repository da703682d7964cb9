"""What a stimulus class is given and what it returns."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule
from refmodel.blocks import Blocks
from refmodel.formats import BlockFormat
from refmodel.vectors.construct import BlockPair, Operands, operands
from refmodel.vectors.draws import Draws
from refmodel.vectors.pairs import TensorPair
from refmodel.vectors.target import FLOAT32, Target


class Stimulus(NamedTuple):
    """Operands of dot products: block pairs in order, and which of them end a dot.

    Attributes:
        a, b: `Blocks` [N].
        last: bool [N], true on the last block of each dot product.
        c: uint32 [M], Float32 bits of the initial value of each dot product; None where the generator leaves
            them open.
    """

    a: Blocks
    b: Blocks
    last: NDArray[np.bool_]
    c: NDArray[np.uint32] | None = None

    @property
    def dots(self) -> int:
        """Number of dot products."""
        return int(np.count_nonzero(self.last))


def join(parts: Sequence[Stimulus]) -> Stimulus:
    """Return the dots of all *parts*, at least one, in order."""

    def joined(operands: list[Blocks]) -> Blocks:
        codes, scales = (np.concatenate([getattr(blocks, name) for blocks in operands]) for name in ("codes", "scales"))
        return Blocks(operands[0].format, codes, scales)

    initial = [part.c for part in parts if part.c is not None]
    return Stimulus(
        joined([part.a for part in parts]),
        joined([part.b for part in parts]),
        np.concatenate([part.last for part in parts]),
        np.concatenate(initial) if len(initial) == len(parts) else None,
    )


@dataclass(frozen=True)
class Request:
    """What a stimulus class is asked for.

    Attributes:
        draws: Its stream of random draws, which belongs to no other class.
        a_format, b_format: Formats of the operands.
        count: Dot products wanted. A class may return fewer where it has no more to say, and more where
            its promise takes more.
        multi_block: False if every dot must be one block.
        tensors: The user's matrices.
        target: The format of results.
        rule: The accumulation rule of the results, for the classes that are made for one family of rules.
        scaled: False if the operands are elements without block scales: blocks of which the scales, then all
            to be 1, are dropped.
        initial_values: Whether dots may have initial values.
    """

    draws: Draws
    a_format: BlockFormat
    b_format: BlockFormat
    count: int
    multi_block: bool
    tensors: Sequence[TensorPair] = ()
    target: Target = FLOAT32
    rule: AccumulationRule | None = None
    scaled: bool = True
    initial_values: bool = False

    @cached_property
    def operands(self) -> Operands:
        """Tables of the pair of formats."""
        return operands(self.a_format, self.b_format, self.scaled)

    def cases(self, n: int, always: int = 0) -> list[int]:
        """Return *count* of *n* numbered cases: all of them, over and over, or where they are too many the
        first *always* and a random choice of the others."""
        if n == 0:
            return []
        if self.count >= n:
            return [i % n for i in range(self.count)]
        chosen = always + self.draws.permutation(n - always)[: max(0, self.count - always)]
        return [*range(always), *sorted(chosen.tolist())]

    def stack(self, dots: Iterable[list[BlockPair]]) -> Stimulus:
        """Return the stimulus whose dots are these lists of block pairs."""
        return self.stack_cases((blocks, 0) for blocks in dots)._replace(c=None)

    def stack_blocks(self, pairs: Iterable[BlockPair]) -> Stimulus:
        """Return the stimulus in which each block pair is a dot."""
        return self.stack([pair] for pair in pairs)

    def stack_cases(self, cases: Iterable[tuple[list[BlockPair], int]]) -> Stimulus:
        """Return the stimulus whose dots are these block pairs with the bits of their initial values.

        The cases are taken as they come and kept as bytes, so that many of them take little memory.
        """
        a_codes, b_codes, a_scales, b_scales, last = (bytearray() for _ in range(5))
        c = array("I")
        for blocks, bits in cases:
            for pair in blocks:
                a_codes += bytes(pair.a_codes)
                b_codes += bytes(pair.b_codes)
                a_scales.append(pair.a_scale)
                b_scales.append(pair.b_scale)
                last.append(0)
            last[-1] = 1
            c.append(bits)
        lanes = self.operands.lanes
        codes = [np.frombuffer(each, np.uint8).reshape(-1, lanes) for each in (a_codes, b_codes)]
        scales = [np.frombuffer(each, np.uint8) for each in (a_scales, b_scales)]
        return Stimulus(
            Blocks(self.a_format, codes[0], scales[0]),
            Blocks(self.b_format, codes[1], scales[1]),
            np.frombuffer(last, np.uint8).astype(bool),
            np.array(c, np.uint32),
        )


Generator = Callable[[Request], Stimulus]
