"""Sets of dot products: operands of all stimulus classes and the results of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule, get_rule
from refmodel.blocks import Blocks
from refmodel.dot import dot
from refmodel.errors import DefinitionError
from refmodel.formats import E8M0, BlockFormat, get_format
from refmodel.vectors.construct import operands
from refmodel.vectors.draws import Draws
from refmodel.vectors.pairs import TensorPair
from refmodel.vectors.stimulus import Request, Stimulus, join
from refmodel.vectors.suite import FILLER, plan

MAX_COUNT = 10_000_000
"""Largest number of dot products in one set."""


@dataclass(frozen=True, slots=True)
class StimulusClassRange:
    """The dot products of a set that belong to one stimulus class: *count* of them from *first* on."""

    name: str
    description: str
    first: int
    count: int

    @property
    def dots(self) -> range:
        """Numbers of the dot products."""
        return range(self.first, self.first + self.count)


@dataclass(frozen=True, eq=False)
class DotVectors:
    """Operands and expected results of M dot products over N blocks.

    Attributes:
        a, b: `Blocks` [N] of A and B, dot after dot.
        last: bool [N], true on the last block of each dot product.
        results: uint32 [M], Float32 bits.
        rule: Name of the accumulation rule of the results.
        classes: The stimulus classes, in order, covering all dots.
        call: What made the set, as JSON values: seed, count, multi_block, inputs.
    """

    a: Blocks
    b: Blocks
    last: NDArray[np.bool_]
    results: NDArray[np.uint32]
    rule: str
    classes: tuple[StimulusClassRange, ...]
    call: dict[str, object]

    @property
    def dots(self) -> int:
        """Number of dot products."""
        return int(self.results.size)

    @property
    def blocks(self) -> int:
        """Number of block pairs."""
        return int(self.last.size)

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """int64 [M + 1]: dot i is made of blocks bounds[i] ... bounds[i + 1] - 1."""
        return np.concatenate([[0], np.flatnonzero(self.last) + 1]).astype(np.int64)

    def dot_slice(self, i: int) -> slice:
        """Return the slice of the blocks that dot *i* is made of."""
        return slice(int(self.bounds[i]), int(self.bounds[i + 1]))

    def blocks_of(self, stimulus_class: StimulusClassRange) -> int:
        """Return the number of block pairs in the dots of a class."""
        end = stimulus_class.first + stimulus_class.count
        return int(self.bounds[end] - self.bounds[stimulus_class.first])

    def class_of(self, i: int) -> StimulusClassRange:
        """Return the stimulus class that dot *i* belongs to."""
        return next(each for each in self.classes if i in each.dots)


def get_vector_format(fmt: str | BlockFormat) -> BlockFormat:
    """Return the block format of that name if the stimulus classes are made for it.

    Raises:
        UnknownNameError: If there is no such format.
        DefinitionError: If it is not blocks of 32 that share an E8M0 scale, as those of MX v1.0 are.
    """
    block_format = get_format(fmt)
    if block_format.block_size != 32 or block_format.scale != E8M0 or block_format.tensor_scale is not None:
        raise DefinitionError(
            f"{block_format.name}: vector sets are of blocks of 32 elements that share one E8M0 scale"
        )
    return block_format


def make_dot_vectors(
    a_format: str | BlockFormat,
    b_format: str | BlockFormat,
    *,
    rule: str | AccumulationRule,
    multi_block: bool = False,
    count: int,
    seed: int,
    tensors: Sequence[TensorPair] = (),
    progress: Callable[[str], None] = lambda step: None,
) -> DotVectors:
    """Make a set of at least *count* dot products from all stimulus classes.

    The set is a function of the arguments: the same call gives the same bits on every machine.

    Args:
        a_format, b_format: Block formats; they may differ (MX-6.1-b).
        rule: Accumulation rule of the results.
        multi_block: False makes every dot one block (MX-6.1); True adds dots of several (MX-6.2).
        count: Dot products wanted, 1 to MAX_COUNT. What every class must hold may take more.
        seed: Non-negative.
        tensors: Pairs of matrices from which the class ``tensor`` is made.
        progress: Called with the name of each step before it starts.

    Raises:
        UnknownNameError: If a format or the rule does not exist.
        DefinitionError: If count or seed is out of range, or as `get_vector_format`.
        ShapeError: If the formats differ in block size.
        DtypeError: If a tensor is not float16, float32 or float64.
    """
    a_block, b_block, chosen_rule = get_format(a_format), get_format(b_format), get_rule(rule)
    operands(a_block, b_block)
    for each in (a_block, b_block):
        get_vector_format(each)
    if not 1 <= count <= MAX_COUNT:
        raise DefinitionError(
            f"count {count} is not between 1 and {MAX_COUNT}; make several sets of different seeds for more"
        )
    if seed < 0:
        raise DefinitionError(f"seed {seed} is negative; use 0 or more")
    parts: list[Stimulus] = []
    classes: list[StimulusClassRange] = []
    made = 0
    for stimulus_class, share in plan(count, multi_block=multi_block, has_tensors=bool(tensors)):
        progress(stimulus_class.name)
        if stimulus_class.name == FILLER:
            share = max(share, count - made)
        draws = Draws(seed, stimulus_class.name, a_block.name, b_block.name, multi_block)
        part = stimulus_class.generate(Request(draws, a_block, b_block, share, multi_block, tensors))
        parts.append(part)
        classes.append(StimulusClassRange(stimulus_class.name, stimulus_class.description, made, part.dots))
        made += part.dots
    progress("results")
    stimulus = join(parts)
    return DotVectors(
        a=stimulus.a,
        b=stimulus.b,
        last=stimulus.last,
        results=dot_results(stimulus.a, stimulus.b, stimulus.last, chosen_rule),
        rule=chosen_rule.name,
        classes=tuple(classes),
        call={
            "seed": seed,
            "count": count,
            "multi_block": multi_block,
            "inputs": [pair.describe() for pair in tensors],
        },
    )


def dot_results(
    a: Blocks, b: Blocks, last: NDArray[np.bool_], rule: str | AccumulationRule
) -> NDArray[np.uint32]:
    """Return the Float32 bits of the dots that *last* divides the blocks [N] into, uint32 [M]."""
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    lengths = ends - starts + 1
    results = np.empty(ends.size, np.uint32)
    for length in np.unique(lengths):
        chosen = np.flatnonzero(lengths == length)
        index = starts[chosen, None] + np.arange(length)
        operand_a, operand_b = (Blocks(x.format, x.codes[index], x.scales[index]) for x in (a, b))
        results[chosen] = dot(operand_a, operand_b, rule).view(np.uint32)
    return results
