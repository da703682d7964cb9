"""Sets of dot products: operands of all stimulus classes and the results of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refmodel import oracle
from refmodel.accumulate import AccumulationRule, get_rule, list_rules, to_dict
from refmodel.blocks import Blocks
from refmodel.dot import dot
from refmodel.errors import DefinitionError
from refmodel.formats import E8M0, UE4M3, BlockFormat, ElementFormat, get_format
from refmodel.operands import OPERAND_FORMATS, Elements, Operand
from refmodel.oracle import fast
from refmodel.oracle.rules import Vector
from refmodel.oracle.rules import dot as oracle_dot
from refmodel.vectors.construct import one_code, operands
from refmodel.vectors.draws import Draws
from refmodel.vectors.initial import draw_initial
from refmodel.vectors.pairs import TensorPair
from refmodel.vectors.stimulus import Request, Stimulus, join
from refmodel.vectors.suite import FILLER, SCALES, plan
from refmodel.vectors.target import result_codes, result_width, target_of
from refmodel.vectors.vectorset import MAX_COUNT, Plane, StimulusClassRange, VectorSet, parts_of

__all__ = ["MAX_COUNT", "DotVectors", "StimulusClassRange", "dot_results", "get_vector_format", "make_dot_vectors"]

LANES_WITHOUT_SCALE = 32
"""Elements of a block where blocks have no scale."""

_FAST_RULES = ("exact_fp32", "block32_fp32_add")


@dataclass(frozen=True, eq=False)
class DotVectors(VectorSet):
    """Operands and expected results of M dot products over N blocks.

    Attributes:
        a, b: `Blocks` [N] of A and B, dot after dot.
        last: bool [N], true on the last block of each dot product.
        results: uint32 [M], Float32 bits; uint16 where the rule's results are BF16 or Float16.
        rule: The accumulation rule of the results.
        classes: The stimulus classes, in order, covering all dots.
        call: What made the set, as JSON values: seed, count, multi_block, initial_values, inputs, shard.
        c: uint32 [M], Float32 bits of the initial values; None where all start at +0.
        scaled: False where the operands are elements without block scales; the scales of a and b are all 1
            then, and no part of the set.
    """

    operation: ClassVar[str] = "dot"

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
    def dots(self) -> int:
        """Number of dot products."""
        return int(self.results.size)

    @property
    def vectors(self) -> int:
        """Number of dot products."""
        return self.dots

    @property
    def blocks(self) -> int:
        """Number of block pairs."""
        return int(self.last.size)

    @property
    def lanes(self) -> int:
        """Elements of a block."""
        return int(self.a.codes.shape[-1])

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """int64 [M + 1]: dot i is made of blocks bounds[i] ... bounds[i + 1] - 1."""
        return np.concatenate([[0], np.flatnonzero(self.last) + 1]).astype(np.int64)

    def dot_slice(self, i: int) -> slice:
        """Return the slice of the blocks that dot *i* is made of."""
        return slice(int(self.bounds[i]), int(self.bounds[i + 1]))

    def rows_of(self, i: int) -> slice:
        """Return the slice of the blocks that dot *i* is made of."""
        return self.dot_slice(i)

    def blocks_of(self, stimulus_class: StimulusClassRange) -> int:
        """Return the number of block pairs in the dots of a class."""
        end = stimulus_class.first + stimulus_class.count
        return int(self.bounds[end] - self.bounds[stimulus_class.first])

    def planes(self) -> tuple[Plane, ...]:
        """Return a_elements, a_scale, b_elements, b_scale, last, c and result; no scale of plain elements, and
        no c where all start at +0."""
        planes = []
        for side, blocks in (("a", self.a), ("b", self.b)):
            planes.append(Plane(f"{side}_elements", "input", blocks.codes, blocks.format.element.bits))
            if self.scaled:
                planes.append(Plane(f"{side}_scale", "input", blocks.scales[:, None], blocks.format.scale.bits))
        planes.append(Plane("last", "input", self.last[:, None].astype(np.uint8), 1))
        if self.c is not None:
            planes.append(Plane("c", "input", self.c[:, None], 32))
        planes.append(Plane("result", "output", self.results[:, None], result_width(self.rule)))
        return tuple(planes)

    def parameters(self) -> dict[str, object]:
        """Return the formats, the elements of a block, and the rule: its name, or its fields if it has none."""
        return {
            "a_format": self.a_name,
            "b_format": self.b_name,
            "lanes": self.lanes,
            "rule": rule_value(self.rule),
        }

    def counts(self) -> dict[str, int]:
        """Return the number of blocks and of dot products."""
        return {"blocks": self.blocks, "dots": self.dots}

    def by_model(self) -> dict[str, NDArray[Any]]:
        """Return the results computed again."""
        return {"result": dot_results(self.a, self.b, self.last, self.rule, self.c, self.scaled)[:, None]}

    def by_oracle(self, i: int) -> dict[str, list[int]]:
        """Return the result of dot *i* by the oracle."""
        chosen = self.dot_slice(i)
        c = 0 if self.c is None else int(self.c[i])
        if self._is_fast:
            pairs = zip(*(_oracle_blocks(x, chosen) for x in (self.a, self.b)), strict=True)
            return {"result": [fast.dot(list(pairs), self.rule.name, c)]}
        a, b = (Blocks(x.format, x.codes[chosen], x.scales[chosen]) for x in (self.a, self.b))
        return {"result": [oracle_result(self.rule, a, b, c, self.scaled)]}

    @property
    def oracle_vectors(self) -> int:
        """How many dot products the oracle judges in about a second."""
        blocks = 100_000 if self._is_fast else 4_000
        return max(1, blocks * self.dots // self.blocks)

    @property
    def _is_fast(self) -> bool:
        named = self.rule.name in _FAST_RULES and self.rule == get_rule(self.rule.name)
        return named and self.scaled and self.a.format.scale == E8M0

    @property
    def number_formats(self) -> tuple[str, ...]:
        """Names of the element and scale formats."""
        return (*parts_of(self.a.format), *parts_of(self.b.format))

    @property
    def title(self) -> str:
        """Formats and rule, for one line."""
        return f"{self.a_name} x {self.b_name}, {self.rule.name}"

    @property
    def a_name(self) -> str:
        """Name of the format of A: of its blocks, or of elements without scales."""
        return self.a.format.name if self.scaled else self.a.format.element.name

    @property
    def b_name(self) -> str:
        """The same of B."""
        return self.b.format.name if self.scaled else self.b.format.element.name


def unscaled_format(element: ElementFormat) -> BlockFormat:
    """Return the blocks in which elements without block scales are kept; all scales are 1 then."""
    return BlockFormat(element.name, element, E8M0, LANES_WITHOUT_SCALE)


def unscaled_blocks(element: ElementFormat, codes: NDArray[np.uint8]) -> Blocks:
    """Return such blocks of element codes [..., lanes]."""
    return Blocks(unscaled_format(element), codes, np.full(codes.shape[:-1], one_code(E8M0), np.uint8))


def _oracle_blocks(blocks: Blocks, chosen: slice) -> list[oracle.Block]:
    codes, scales = blocks.codes[chosen].tolist(), blocks.scales[chosen].tolist()
    return [oracle.Block(blocks.format, scale, tuple(row)) for row, scale in zip(codes, scales, strict=True)]


def rule_value(rule: AccumulationRule) -> str | dict[str, object]:
    """Return a rule as a JSON value: its name, or its fields if it has no name of its own."""
    named = rule.name in list_rules() and get_rule(rule.name) == rule
    return rule.name if named else to_dict(rule)


def oracle_result(rule: AccumulationRule, a: Blocks, b: Blocks, c: int, scaled: bool) -> int:
    """Return the bits of one dot product of all blocks of a and b, by the oracle."""
    bits = oracle_dot(rule, _oracle_vector(a, scaled), _oracle_vector(b, scaled), c)
    return int(result_codes(np.array([bits], np.uint32).view(np.float32), rule)[0])


def _oracle_vector(blocks: Blocks, scaled: bool) -> Vector:
    codes = blocks.codes.ravel().tolist()
    if not scaled:
        return Vector(blocks.format.element, codes)
    shared = None if blocks.tensor_scale is None else int(np.float32(blocks.tensor_scale).view(np.uint32))
    fmt = blocks.format
    return Vector(fmt.element, codes, fmt.scale, blocks.scales.tolist(), fmt.block_size, shared)


def get_vector_format(fmt: str | BlockFormat) -> BlockFormat:
    """Return the block format of that name if the stimulus classes are made for it.

    Raises:
        UnknownNameError: If there is no such format.
        DefinitionError: If it is not blocks of 32 or 16 elements of at most 8 bits that share an E8M0 or a
            UE4M3 scale.
    """
    block_format = get_format(fmt)
    if block_format.block_size not in (16, 32) or block_format.scale not in (E8M0, UE4M3):
        raise DefinitionError(
            f"{block_format.name}: vector sets are of blocks of 32 or 16 elements that share one E8M0 or UE4M3 scale"
        )
    return block_format


def get_operand_format(fmt: str | BlockFormat | ElementFormat) -> BlockFormat | ElementFormat:
    """Return the format of an operand of that name: blocks, or elements of at most 8 bits without scales.

    Raises:
        UnknownNameError, DefinitionError: As `get_vector_format`.
    """
    if isinstance(fmt, str) and fmt in OPERAND_FORMATS:
        fmt = OPERAND_FORMATS[fmt]
    if isinstance(fmt, str | BlockFormat):
        return get_vector_format(fmt)
    if fmt.bits > 8:
        raise DefinitionError(f"{fmt.name}: vector sets are of elements of at most 8 bits")
    return fmt


def make_dot_vectors(
    a_format: str | BlockFormat | ElementFormat,
    b_format: str | BlockFormat | ElementFormat,
    *,
    rule: str | AccumulationRule,
    multi_block: bool = False,
    initial_values: bool = False,
    count: int,
    seed: int,
    tensors: Sequence[TensorPair] = (),
    progress: Callable[[str], None] = lambda step: None,
) -> DotVectors:
    """Make a set of at least *count* dot products from all stimulus classes.

    The set is a function of the arguments: the same call gives the same bits on every machine.

    Args:
        a_format, b_format: Block formats; they may differ (MX-6.1-b). Both may be element formats, for rules
            that take no block scales; a block is then 32 elements.
        rule: Accumulation rule of the results. Its result format is what ties and range ends aim at.
        multi_block: False makes every dot one block (MX-6.1); True adds dots of several (MX-6.2).
        initial_values: Whether each dot has an initial value c; all start at +0 if not.
        count: Dot products wanted, 1 to MAX_COUNT. What every class must hold may take more.
        seed: Non-negative.
        tensors: Pairs of matrices from which the class ``tensor`` is made.
        progress: Called with the name of each step before it starts.

    Raises:
        UnknownNameError: If a format or the rule does not exist.
        DefinitionError: If count or seed is out of range, or as `get_operand_format`, or the rule does not take
            such operands.
        ShapeError: If the formats differ in block size.
        DtypeError: If a tensor is not float16, float32 or float64.
    """
    a_operand, b_operand = get_operand_format(a_format), get_operand_format(b_format)
    chosen_rule = get_rule(rule)
    scaled = isinstance(a_operand, BlockFormat)
    if scaled != isinstance(b_operand, BlockFormat):
        raise DefinitionError(f"{a_operand.name} and {b_operand.name}: either both have block scales or neither")
    a_block, b_block = (fmt if isinstance(fmt, BlockFormat) else unscaled_format(fmt) for fmt in (a_operand, b_operand))
    operands(a_block, b_block)
    check_request(count, seed)
    target = target_of(chosen_rule)
    parts: list[Stimulus] = []
    classes: list[StimulusClassRange] = []
    made = 0
    for stimulus_class, share in plan(
        count, chosen_rule, multi_block=multi_block, has_tensors=bool(tensors), has_c=initial_values
    ):
        if stimulus_class.name == SCALES and not scaled:
            continue
        progress(stimulus_class.name)
        if stimulus_class.name == FILLER:
            share = max(share, count - made)
        key = (stimulus_class.name, a_block.name, b_block.name, multi_block)
        draws = Draws(seed, *key)
        request = Request(
            draws, a_block, b_block, share, multi_block, tensors, target, chosen_rule, scaled, initial_values
        )
        part = stimulus_class.generate(request)
        if not part.dots:  # these formats express nothing of it
            continue
        if not initial_values:
            part = part._replace(c=None)
        elif part.c is None:
            part = part._replace(c=draw_initial(part, stimulus_class.name, Draws(seed, "c", *key), scaled))
        parts.append(part)
        classes.append(StimulusClassRange(stimulus_class.name, stimulus_class.description, made, part.dots))
        made += part.dots
    progress("results")
    stimulus = join(parts)
    a, b = stimulus.a, stimulus.b
    if not scaled:  # the classes make blocks, of which the scales are dropped
        a, b = (unscaled_blocks(blocks.format.element, blocks.codes) for blocks in (a, b))
    return DotVectors(
        a=a,
        b=b,
        last=stimulus.last,
        results=dot_results(a, b, stimulus.last, chosen_rule, stimulus.c, scaled),
        rule=chosen_rule,
        classes=tuple(classes),
        call={
            "seed": seed,
            "count": count,
            "multi_block": multi_block,
            "initial_values": initial_values,
            "inputs": [pair.describe() for pair in tensors],
            "shard": [0, 1],
        },
        c=stimulus.c,
        scaled=scaled,
    )


def check_request(count: int, seed: int) -> None:
    """Refuse a count or a seed that is out of range.

    Raises:
        DefinitionError: If so.
    """
    if not 1 <= count <= MAX_COUNT:
        raise DefinitionError(
            f"count {count} is not between 1 and {MAX_COUNT}; make several sets of different seeds for more"
        )
    if seed < 0:
        raise DefinitionError(f"seed {seed} is negative; use 0 or more")


def dot_results(
    a: Blocks,
    b: Blocks,
    last: NDArray[np.bool_],
    rule: str | AccumulationRule,
    c: NDArray[np.uint32] | None = None,
    scaled: bool = True,
) -> NDArray[np.unsignedinteger]:
    """Return the results of the dots that *last* divides the blocks [N] into, in bits of the result format.

    Args:
        a, b: Blocks [N].
        last: bool [N], true on the last block of each dot.
        rule: Accumulation rule.
        c: uint32 [M], Float32 bits of the initial values; +0 when None.
        scaled: False if the operands are the elements without their scales.

    Returns:
        uint32 [M], or uint16 for BF16 and Float16.
    """
    rule = get_rule(rule)
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    lengths = ends - starts + 1
    results = np.empty(ends.size, f"u{result_width(rule) // 8}")
    for length in np.unique(lengths):
        chosen = np.flatnonzero(lengths == length)
        index = starts[chosen, None] + np.arange(length)
        operand_a, operand_b = (_rows(blocks, index, scaled) for blocks in (a, b))
        initial = None if c is None else c[chosen].view(np.float32)
        results[chosen] = result_codes(dot(operand_a, operand_b, rule, initial), rule)
    return results


def _rows(blocks: Blocks, index: NDArray[np.int64], scaled: bool) -> Operand:
    """Return the dots made of blocks index [M, length]."""
    codes = blocks.codes[index]
    if not scaled:
        return Elements(blocks.format.element, codes.reshape(len(index), -1))
    return Blocks(blocks.format, codes, blocks.scales[index], tensor_scale=blocks.tensor_scale)
