"""The operations that a design can claim, and the role that each of its ports plays in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from refmodel.conformance.configuration import (
    NUMBER_BITS,
    Configuration,
    Operand,
    element_of,
    scale_of,
)
from refmodel.formats import BFLOAT16, FLOAT16, FLOAT32, FloatFormat

NUMBERS = {"fp32": FLOAT32, "bf16": BFLOAT16, "fp16": FLOAT16}
"""The number formats of `NUMBER_BITS`."""

NUMBER_ROLES = ("c", "result", "values")
"""Roles that carry floating-point numbers."""

Axis = Literal["rules", "results", "inputs", "lanes", "rows", "columns", "options"]
"""Keys of a [[configurations]] table beside ``formats`` and ``depth``, which every operation has."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a port carries.

    Attributes:
        direction: Seen from the design.
        meaning: A sentence for documentation and messages.
        optional: Whether a design may do without.
    """

    direction: Literal["in", "out"]
    meaning: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What a role carries in one beat: *count* items of *bits* bits."""

    count: int
    bits: int


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: which axes its configurations have, and which ports its designs."""

    name: str
    summary: str
    axes: tuple[Axis, ...]
    roles: dict[str, Role]

    @property
    def inputs(self) -> list[str]:
        """Names of the roles that the bench drives."""
        return [name for name, role in self.roles.items() if role.direction == "in"]

    @property
    def outputs(self) -> list[str]:
        """Names of the roles that the design drives."""
        return [name for name, role in self.roles.items() if role.direction == "out"]


def _operand(side: str, of: str = "the block") -> dict[str, Role]:
    name = side.upper()
    return {
        f"{side}_elements": Role("in", f"element codes of {of} of {name}"),
        f"{side}_scale": Role("in", f"scale code of {of} of {name}", optional=True),
    }


_RUN_TIME_FORMATS = {
    f"{side}_format": Role("in", f"format of {side.upper()}, by the numbers of a map", optional=True)
    for side in ("a", "b")
}
_INITIAL = {"c": Role("in", "Float32 value that the sum starts at; +0 for a design without", optional=True)}
_PACKET_END = {
    "packet_end": Role("in", "end of a packet of blocks, at random: comes out with its block", optional=True),
}
_RESULT_END = {"result_packet_end": Role("out", "end of a packet of results", optional=True)}
_RESULT = {"result": Role("out", "the result, in the result format of the configuration")}
_MARKS = {
    "first": Role("in", "1 on the blocks that begin a dot product", optional=True),
    "last": Role("in", "1 on the blocks that end a dot product"),
}

OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation(
            "dot",
            "one block of A with one of B",
            ("rules", "results", "lanes"),
            _operand("a") | _operand("b") | _RUN_TIME_FORMATS | _INITIAL | _RESULT | _PACKET_END | _RESULT_END,
        ),
        Operation(
            "dot_general",
            "a run of blocks of A with one of B, marked by last",
            ("rules", "results", "lanes"),
            _operand("a") | _operand("b") | _RUN_TIME_FORMATS | _INITIAL | _MARKS | _RESULT | _RESULT_END,
        ),
        Operation(
            "matmul_tile",
            "rows of A with columns of B, each a run of blocks, marked by last",
            ("rules", "results", "lanes", "rows", "columns"),
            _operand("a", "a block of every row")
            | _operand("b", "a block of every column")
            | _RUN_TIME_FORMATS | _INITIAL | _MARKS | _RESULT | _RESULT_END,
        ),
        Operation(
            "quantize",
            "numbers to one block: element codes and their scale",
            ("inputs", "options"),
            {
                "values": Role("in", "the numbers of a block, in the input format of the configuration"),
                "elements": Role("out", "element codes of the block"),
                "scale": Role("out", "scale code of the block"),
            }
            | _PACKET_END | _RESULT_END,
        ),
        Operation(
            "dequantize",
            "one block to numbers",
            ("results", "options"),
            {
                "elements": Role("in", "element codes of the block"),
                "scale": Role("in", "scale code of the block"),
                "values": Role("out", "the numbers of the block, in the result format of the configuration"),
            }
            | _PACKET_END | _RESULT_END,
        ),
    )
}  # fmt: skip


def shape(operation: Operation, role: str, configuration: Configuration) -> Shape | None:
    """Return what *role* carries in one beat; None for a role that this configuration has no use for.

    Of a run-time format the width is for the description to say, and None too.
    """
    if role in ("first", "last", "packet_end", "result_packet_end"):
        return Shape(1, 1)
    if role == "c":
        return Shape(configuration.rows * configuration.columns, 32)
    if role == "result":
        return Shape(configuration.rows * configuration.columns, NUMBER_BITS[configuration.result])
    if role == "values":
        width = configuration.input if operation.name == "quantize" else configuration.result
        return Shape(configuration.pair.block_size, NUMBER_BITS[width])
    if role.endswith("_format"):
        return None
    if role.startswith("a_"):
        return _of_operand(role, [pair.a for pair in configuration.pairs], configuration.lanes, configuration.rows)
    operands = [pair.b for pair in configuration.pairs]
    return _of_operand(role, operands, configuration.lanes, configuration.columns)


def number_format(operation: Operation, role: str, configuration: Configuration) -> FloatFormat:
    """Return the format of the numbers that *role* carries."""
    if role == "c":
        return FLOAT32
    takes_numbers = role == "values" and operation.name == "quantize"
    return NUMBERS[configuration.input if takes_numbers else configuration.result]


def _of_operand(role: str, operands: list[Operand], lanes: int, copies: int) -> Shape | None:
    if role.endswith("elements"):
        return Shape(lanes * copies, max(element_of(operand).bits for operand in operands))
    scales = [scale for operand in operands if (scale := scale_of(operand)) is not None]
    return Shape(copies, max(scale.bits for scale in scales)) if scales else None
