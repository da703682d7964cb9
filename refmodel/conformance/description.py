"""The DUT description: everything the bench needs to know of a design; nothing else in the bench knows one.

docs/dut.md is the manual of the TOML file that `loading` reads it from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from refmodel.conformance.configuration import (
    Configuration,
    Operand,
    OperandPair,
    element_of,
)
from refmodel.conformance.operations import Operation, Shape, shape

Value = int | str
Order = Literal["first_low", "first_high"]
Protocol = Literal["valid_ready", "axi4_stream"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
ResultField = Literal["acc_format", "out_format"]

_SIDES = {"a_format": "a", "b_format": "b", "format": "a"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What is compiled.

    Attributes:
        top: Name of the top module.
        sources: Files in the order of compilation, libraries resolved.
        include_dirs: Directories searched for `include` files.
        defines: Macros; an empty text for one without a value.
    """

    top: str
    sources: tuple[Path, ...]
    include_dirs: tuple[Path, ...] = ()
    defines: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """The reset: its port, the level that resets, and whether it acts on clock edges only."""

    port: str
    active: Literal["low", "high"] = "low"
    synchronous: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """How transfers are agreed on.

    Attributes:
        protocol: ``valid_ready``, or ``axi4_stream``, which is the same on ports with the names of AXI.
        in_valid, in_ready, out_valid, out_ready: Ports.
        full_rate: Whether the design promises to take a beat in every cycle while results are taken at once.
        latency: Cycles from the last beat of an item to its result in an idle design; None for no promise.
        capacity: Beats that an idle design takes, whatever the gaps between them, while no result is taken; None for no
            promise.
    """

    protocol: Protocol
    in_valid: str
    in_ready: str
    out_valid: str
    out_ready: str
    full_rate: bool = True
    latency: int | Parameter | None = None
    capacity: int | Parameter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Where a role is found.

    Attributes:
        role: A role of the operation.
        port: Name of the port.
        low: Bit of the port at which the role begins; several roles may share a port.
        after: In place of low, the role of the same port that ends where this one begins.
        width: Bits that belong to the role, None for as many as it needs. Bits above those are 0.
        item_bits: Bits from one item to the next, None for no gaps; items stand in the low bits of theirs.
        order: Whether item 0 is in the lowest bits or in the highest.
        map: Numbers for the names that a role of names carries (run-time formats).
    """

    role: str
    port: str
    low: int = 0
    after: str | None = None
    width: int | None = None
    item_bits: int | None = None
    order: Order = "first_low"
    map: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Where the value of a parameter comes from: an axis of the configuration, through a map if there is one."""

    axis: str
    map: Mapping[str, Value] | None = None

    def value(self, configuration: Configuration) -> Value:
        """Return the value for a configuration."""
        given = axis_value(configuration, self.axis)
        if self.map is None:
            return given if isinstance(given, (int, str)) else given.name
        return self.map[map_key(given, self.map)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A described design.

    Attributes:
        file: The TOML file.
        name: Name of the unit in tables and options.
        operation: What it computes.
        design: What is compiled.
        clock: The clock port.
        reset: The reset.
        handshake: How transfers are agreed on.
        ports: By role.
        ties: Input ports that are held at a value.
        parameters: Parameters of the top module: a value, or where it comes from.
        configurations: What is to be simulated.
    """

    file: Path
    name: str
    operation: Operation
    design: Design
    clock: str
    reset: Reset
    handshake: Handshake
    ports: Mapping[str, Port]
    ties: Mapping[str, int]
    parameters: Mapping[str, Value | Parameter]
    configurations: tuple[Configuration, ...]

    def parameter_values(self, configuration: Configuration) -> dict[str, Value]:
        """Return the parameters of the top module for a configuration."""
        values = {
            name: given.value(configuration) if isinstance(given, Parameter) else given
            for name, given in self.parameters.items()
        }
        if configuration.rule is not None:
            values.update(configuration.rule.parameters)
        values.update(configuration.parameters)
        return values

    def latency(self, configuration: Configuration) -> int | None:
        """Return the promised latency in cycles, if there is a promise."""
        return _promised(self.handshake.latency, configuration)

    def capacity(self, configuration: Configuration) -> int:
        """Return how many beats are taken while no result is; 0 without a promise."""
        return _promised(self.handshake.capacity, configuration) or 0

    def shape(self, role: str, configuration: Configuration) -> Shape | None:
        """Return what the port of *role* carries, None if nothing that matters in this configuration."""
        port = self.ports[role]
        found = shape(self.operation, role, configuration)
        if found is None and port.map is not None:
            return Shape(1, port.width or max(1, max(port.map.values()).bit_length()))
        return found

    def width(self, role: str, configuration: Configuration) -> int | None:
        """Return how many bits of its port *role* takes; None if that does not matter."""
        port, found = self.ports[role], self.shape(role, configuration)
        if port.width is not None or found is None:
            return port.width
        return found.count * (port.item_bits or found.bits)

    def low(self, role: str, configuration: Configuration) -> int:
        """Return the bit of its port at which *role* begins."""
        port = self.ports[role]
        if port.after is None:
            return port.low
        return self.low(port.after, configuration) + (self.width(port.after, configuration) or 0)

    def port_widths(self, configuration: Configuration) -> dict[str, int | None]:
        """Return the width that each port must have; None for one that may have any."""
        widths: dict[str, int | None] = {}
        for role, port in self.ports.items():
            width = self.width(role, configuration)
            end = None if width is None else self.low(role, configuration) + width
            before = widths.get(port.port, 0)
            widths[port.port] = None if end is None or before is None else max(before, end)
        return widths


def operand_of(pair: OperandPair, axis: str) -> Operand:
    """Return the format of an operand by its axis: ``a_format``, ``b_format``, or ``format`` where there is one."""
    operand: Operand = getattr(pair, _SIDES[axis])
    return operand


def axis_value(configuration: Configuration, axis: str) -> Value | Operand:
    """Return the value of a configuration along an axis that `Parameter` may name."""
    if axis in _SIDES:
        return operand_of(configuration.pair, axis)
    if axis in dict(configuration.options):
        return dict(configuration.options)[axis]
    value: Value = getattr(configuration, axis)
    return value


def map_key(given: Value | Operand, names: Mapping[str, Any]) -> str:
    """Return the key under which a map holds a value: of a format its own name or that of its element."""
    if isinstance(given, (int, str)):
        return str(given)
    return given.name if given.name in names else element_of(given).name


def _promised(given: int | Parameter | None, configuration: Configuration) -> int | None:
    return int(given.value(configuration)) if isinstance(given, Parameter) else given
