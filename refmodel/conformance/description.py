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
from refmodel.conformance.operations import Operation, Shape, number_format, shape
from refmodel.formats import FloatFormat

Value = int | str
Order = Literal["first_low", "first_high"]
Protocol = Literal[
    "valid_ready", "axi4_stream", "valid", "fixed_latency", "combinational", "start_done", "byte_serial"
]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
Field = Literal["sign", "exponent", "fraction", "significand"]
FIELDS: tuple[Field, ...] = get_args(Field)
ResultField = Literal["acc_format", "out_format"]

VHDL_SUFFIXES = (".vhd", ".vhdl")

_SIDES = {"a_format": "a", "b_format": "b", "format": "a"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What is compiled.

    Attributes:
        top: Name of the top module.
        sources: Files in the order of compilation, libraries resolved.
        include_dirs: Directories searched for `include` files.
        defines: Macros; an empty text for one without a value.
        flags: By simulator, words for the tool that compiles.
    """

    top: str
    sources: tuple[Path, ...]
    include_dirs: tuple[Path, ...] = ()
    defines: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_vhdl(self) -> bool:
        """Whether the sources are VHDL."""
        return any(path.suffix in VHDL_SUFFIXES for path in self.sources)


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
        protocol: One of those of docs/dut.md.
        in_valid, in_ready, out_valid, out_ready: Ports, empty where the protocol or the design has none. Of
            ``start_done``, in_valid is start and out_valid is done.
        in_data, out_data: The narrow buses of ``byte_serial``: the roles that [ports] has there are sent in parts.
        bits: Width of those.
        order: Which part of a frame comes first.
        full_rate: Whether the design promises to take a beat in every cycle while results are taken at once.
        latency: Cycles from the last beat of an item to its result in an idle design; None for no promise.
        capacity: Beats that an idle design takes, whatever the gaps between them, while no result is taken; None for no
            promise.
        interval: Cycles from one beat to the next that a design without ready needs.
        timeout: Cycles without any transfer after which the design hangs.
    """

    protocol: Protocol
    in_valid: str = ""
    in_ready: str = ""
    out_valid: str = ""
    out_ready: str = ""
    in_data: str = ""
    out_data: str = ""
    bits: int = 8
    order: Order = "first_low"
    full_rate: bool = True
    latency: int | Parameter | None = None
    capacity: int | Parameter | None = None
    interval: int = 1
    timeout: int = 1000

    @property
    def pins(self) -> dict[str, str]:
        """The ports by what they are, of those that there are."""
        pins = {
            "in valid": self.in_valid, "in ready": self.in_ready,
            "out valid": self.out_valid, "out ready": self.out_ready,
        }  # fmt: skip
        return {use: port for use, port in pins.items() if port}

    @property
    def is_stream(self) -> bool:
        """Whether both sides have valid and ready."""
        return self.protocol in ("valid_ready", "axi4_stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Where a role is found.

    Attributes:
        role: A role of the operation.
        port: Name of the port; empty if there are several.
        ports: One port for each item: their names, or one text with ``{}`` for the number of the item.
        fields: One port for each field of a floating-point number; ``significand`` is the fraction below its
            leading bit.
        low: Bit of the port at which the role begins; several roles may share a port.
        after: In place of low, the role of the same port that ends where this one begins.
        width: Bits that belong to the role, None for as many as it needs. Bits above those are 0.
        item_bits: Bits from one item to the next, None for no gaps; items stand in the low bits of theirs.
        signed: Whether the bits of a place above its item repeat the item's highest.
        order: Whether item 0 is in the lowest bits or in the highest.
        map: Numbers for the names that a role of names carries (run-time formats).
    """

    role: str
    port: str = ""
    ports: str | tuple[str, ...] = ()
    fields: Mapping[Field, str] = field(default_factory=dict)
    low: int = 0
    after: str | None = None
    width: int | None = None
    item_bits: int | None = None
    signed: bool = False
    order: Order = "first_low"
    map: Mapping[str, int] | None = None

    def names(self, count: int) -> list[str]:
        """Return the names of all its ports, where it carries so many items."""
        if isinstance(self.ports, str):
            return [self.ports.replace("{}", str(item)) for item in range(count)]
        return [*self.ports, *self.fields.values()] or [self.port]


@dataclass(frozen=True, slots=True)
class Piece:
    """Bits of a role that stand side by side in a port.

    Attributes:
        port: The port.
        low: Its bit at which they begin.
        bits: Which bits of the role's code; behind those of all its places comes the leading bit of each number.
    """

    port: str
    low: int
    bits: tuple[int, ...]

    @property
    def end(self) -> int:
        """The bit of the port behind the last."""
        return self.low + len(self.bits)


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
        clock: The clock port; empty for a combinational design.
        reset: The reset, None for a design without.
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
    reset: Reset | None
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

    def pieces(self, role: str, configuration: Configuration) -> list[Piece]:
        """Return where the bits of *role* are; of a role of which nothing matters, nothing."""
        port, found = self.ports[role], self.shape(role, configuration)
        if found is None:
            return []
        place, count = port.item_bits or found.bits, found.count
        if port.ports:
            names = port.names(count)
            return [Piece(name, 0, tuple(range(i * place, (i + 1) * place))) for i, name in enumerate(names)]
        if port.fields:
            fields = _field_bits(number_format(self.operation, role, configuration), place, count)
            return [Piece(name, 0, fields[each]) for each, name in port.fields.items()]
        return [Piece(port.port, self.low(role, configuration), tuple(range(count * place)))]

    def port_names(self, role: str, configuration: Configuration) -> list[str]:
        """Return the names of the ports of *role*."""
        found = self.shape(role, configuration)
        return self.ports[role].names(found.count if found else 1)

    def port_widths(self, configuration: Configuration) -> dict[str, int | None]:
        """Return the width that each port must have; None for one that may have any."""
        widths = self.frame_widths(configuration)
        buses = (self.handshake.in_data, self.handshake.out_data)
        return {port: self.handshake.bits if port in buses else width for port, width in widths.items()}

    def frame_widths(self, configuration: Configuration) -> dict[str, int | None]:
        """Return the same, but of a narrow bus the width of all that is sent over it, in whole transfers."""
        widths: dict[str, int | None] = {}
        for role, port in self.ports.items():
            if port.port:
                width = self.width(role, configuration)
                ends = {port.port: None if width is None else self.low(role, configuration) + width}
            elif self.shape(role, configuration) is None:
                ends = dict.fromkeys(self.port_names(role, configuration))
            else:
                ends = {piece.port: piece.end for piece in self.pieces(role, configuration)}
            for name, end in ends.items():
                before = widths.get(name, 0)
                widths[name] = None if end is None or before is None else max(before, end)
        for name in (self.handshake.in_data, self.handshake.out_data):
            if (width := widths.get(name)) is not None:
                widths[name] = -(-width // self.handshake.bits) * self.handshake.bits
        return widths

    def transfers(self, port: str, configuration: Configuration) -> int:
        """Return in how many transfers the frame of a narrow bus is sent; 1 for any other port."""
        if not port:
            return 1
        return (self.frame_widths(configuration)[port] or 0) // self.handshake.bits


def _field_bits(fmt: FloatFormat, place: int, count: int) -> dict[Field, tuple[int, ...]]:
    """Return which bits each field of *count* numbers is made of, number after number."""
    fraction, exponent = range(fmt.mantissa_bits), range(fmt.mantissa_bits, fmt.bits - 1)
    items = range(count)
    return {
        "sign": tuple(i * place + fmt.bits - 1 for i in items),
        "exponent": tuple(i * place + bit for i in items for bit in exponent),
        "fraction": tuple(i * place + bit for i in items for bit in fraction),
        "significand": tuple(
            bit for i in items for bit in (*(i * place + bit for bit in fraction), count * place + i)
        ),
    }


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
