"""One configuration of a described design: everything that decides its build and its expected results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from refmodel.accumulate import AccumulationRule
from refmodel.errors import UnknownNameError
from refmodel.formats import BlockFormat, ElementFormat, ScaleFormat, get_format, list_formats
from refmodel.operands import OPERAND_FORMATS

Operand: TypeAlias = BlockFormat | ElementFormat
"""What an operand is made of: blocks that share a scale, or elements without any scale."""

NUMBER_BITS = {"fp32": 32, "bf16": 16, "fp16": 16}
"""Width of each number format that inputs and results come in."""

ELEMENTS_WITHOUT_SCALE = 32
"""Elements that are sent together where no format says how many share a scale."""


def element_of(operand: Operand) -> ElementFormat:
    """Return the element format of an operand."""
    return operand.element if isinstance(operand, BlockFormat) else operand


def scale_of(operand: Operand) -> ScaleFormat | None:
    """Return the scale format of an operand, None if it has no scales."""
    return operand.scale if isinstance(operand, BlockFormat) else None


def block_size(operand: Operand) -> int:
    """Return how many elements are sent with one scale."""
    return operand.block_size if isinstance(operand, BlockFormat) else ELEMENTS_WITHOUT_SCALE


@dataclass(frozen=True, slots=True)
class OperandPair:
    """The formats of operands A and B; of a unit with one operand, both are its format."""

    a: Operand
    b: Operand

    @property
    def name(self) -> str:
        """The name used in options: ``mxfp8_e4m3``, or ``mxfp8_e4m3*mxfp4_e2m1`` for a mixed pair."""
        return self.a.name if self.a == self.b else f"{self.a.name}*{self.b.name}"

    @property
    def block_size(self) -> int:
        """Elements that are sent together."""
        return block_size(self.a)


def parse_pair(text: str) -> OperandPair:
    """Return the pair that *text* names: a format for both operands, or ``A*B``.

    Raises:
        UnknownNameError: If a format does not exist, there are more than two, or they do not go together.
    """
    names = [name.strip() for name in text.split("*")]
    if len(names) > 2:
        raise UnknownNameError(f"format pair {text!r} names {len(names)} formats; use one format, or two as A*B")
    pair = OperandPair(_operand(names[0]), _operand(names[-1]))
    kinds = [(block_size(each), scale_of(each) is None) for each in (pair.a, pair.b)]
    if kinds[0] != kinds[1]:
        raise UnknownNameError(
            f"format pair {text!r}: the operands differ in block size, or one has scales and the other has not"
        )
    return pair


def _operand(name: str) -> Operand:
    if name in OPERAND_FORMATS:
        return OPERAND_FORMATS[name]
    try:
        return get_format(name)
    except UnknownNameError:
        blocks, elements = (", ".join(sorted(each)) for each in (list_formats(), OPERAND_FORMATS))
        raise UnknownNameError(
            f"unknown block format {name!r}; choose one of: {blocks}; or, without scales: {elements}"
        ) from None


@dataclass(frozen=True, slots=True)
class NamedRule:
    """An accumulation rule as a description names it.

    Attributes:
        name: The name in the description.
        rule: What results are made by; its result format is that of the configuration.
        parameters: The parameters of the design that select it.
    """

    name: str
    rule: AccumulationRule
    parameters: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One choice along every axis of a design.

    Attributes:
        pairs: The formats. More than one if the design takes them at run time and they come mixed.
        rule: The accumulation rule; None for an operation without one.
        result: Number format of results, a key of `NUMBER_BITS`.
        input: Number format of inputs that are numbers.
        lanes: Elements of an operand in one beat; a divisor of the block size.
        depth: Pipeline registers; None if the description does not say.
        rows, columns: Extents of a tile, 1 and 1 for what is none.
        options: Fields of the model's options that differ from their defaults, by name.
        parameters: Parameters of the design set for this configuration alone.
        quick: Whether it belongs to the short run.
    """

    pairs: tuple[OperandPair, ...]
    rule: NamedRule | None = None
    result: str = "fp32"
    input: str = "fp32"
    lanes: int
    depth: int | None = None
    rows: int = 1
    columns: int = 1
    options: tuple[tuple[str, str], ...] = ()
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    quick: bool = False

    @property
    def pair(self) -> OperandPair:
        """The formats of a configuration that has one pair, and the first of one that mixes several."""
        return self.pairs[0]

    @property
    def format_name(self) -> str:
        """Name of the formats in tables and options."""
        return self.pair.name if len(self.pairs) == 1 else "mixed"

    @property
    def rule_name(self) -> str:
        """Name of the rule, or the options of an operation that has none."""
        if self.rule is not None:
            return self.rule.name
        return ", ".join(value for _, value in self.options) or "-"

    @property
    def beats(self) -> int:
        """Beats that a block takes."""
        return self.pair.block_size // self.lanes

    @property
    def name(self) -> str:
        """Every axis in words; no two configurations of a description have the same."""
        words = [self.format_name]
        words += [self.rule.name] if self.rule else [value for _, value in self.options]
        words += [self.result if self.rule else self.input]
        if self.rows * self.columns > 1:
            words.append(f"{self.rows}x{self.columns}")
        words += [f"lanes {self.lanes}"] + ([] if self.depth is None else [f"depth {self.depth}"])
        return " ".join([*words, *(f"{key}={value}" for key, value in self.parameters.items())])

    @property
    def slug(self) -> str:
        """The name as part of a file name."""
        return self.name.replace("*", "-x-").replace(" ", "-").replace("=", "-")
