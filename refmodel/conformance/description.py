"""The DUT description: one TOML file that says everything the bench needs to know of a design.

docs/dut.md is its manual. `load_description` reads and checks it; nothing else in the bench knows a design.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from refmodel.accumulate import AccumulationRule, from_dict, get_rule, to_dict
from refmodel.conformance.configuration import (
    NUMBER_BITS,
    Configuration,
    NamedRule,
    Operand,
    OperandPair,
    element_of,
    parse_pair,
    scale_of,
)
from refmodel.conformance.operations import OPERATIONS, Operation, Shape, shape
from refmodel.conformance.sources import expand, with_libraries
from refmodel.conformance.tables import REQUIRED, Table, read_toml, show
from refmodel.errors import DefinitionError, unknown_name
from refmodel.formats import OCP_FORMATS
from refmodel.options import QuantizeOptions, choices

VERSION = 1
"""Version of the format of the file, its key ``version``."""

Value = int | str
Order = Literal["first_low", "first_high"]
Protocol = Literal["valid_ready", "axi4_stream"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
ResultField = Literal["acc_format", "out_format"]

_SIDES = {"a_format": "a", "b_format": "b", "format": "a"}
_NARROW_NAN = {"fp32": 0x7FC00000, "bf16": 0x7FC0, "fp16": 0x7E00}


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
    """

    protocol: Protocol
    in_valid: str
    in_ready: str
    out_valid: str
    out_ready: str
    full_rate: bool = True
    latency: int | Parameter | None = None


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
        return self.map[_key(given, self.map)]


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
        given = self.handshake.latency
        return int(given.value(configuration)) if isinstance(given, Parameter) else given

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


def axis_value(configuration: Configuration, axis: str) -> Value | Operand:
    """Return the value of a configuration along an axis that `Parameter` may name."""
    if axis in _SIDES:
        operand: Operand = getattr(configuration.pair, _SIDES[axis])
        return operand
    if axis in dict(configuration.options):
        return dict(configuration.options)[axis]
    value: Value = getattr(configuration, axis)
    return value


def load_description(path: str | os.PathLike[str]) -> Description:
    """Return the design that a TOML file describes.

    Raises:
        DescriptionError: If the file cannot be read, or something in it is unknown, missing, of the wrong kind,
            or contradicts something else; the message names file, table, key, and what would be right.
    """
    return _Loader(read_toml(Path(path))).load()


class _Loader:
    """Turns the tables of one file into a `Description`."""

    def __init__(self, top: Table) -> None:
        self._top = top
        self._directory = top.file.parent

    def load(self) -> Description:
        top = self._top
        top.integer("version", low=VERSION, high=VERSION)
        name = top.text("name")
        if not all(character.isalnum() or character in "_-." for character in name):
            raise top.error("name", f"is {show(name)}; use letters, digits, '_', '-' and '.'")
        self._operation: Operation = OPERATIONS[top.choice("operation", OPERATIONS)]
        design = self._design(top.table("design"))
        clock = top.table("clock")
        clock_port = clock.text("port", expected="the name of the clock port")
        clock.finish()
        maps = top.table("maps", optional=True)
        self._maps = {key: self._entries(maps.table(key)) for key in maps.names()}
        handshake_table = top.table("handshake")
        rules = self._rules(top.table("rules", optional=True))
        configurations = [each for table in top.tables("configurations") for each in self._configurations(table, rules)]
        description = Description(
            file=top.file,
            name=name,
            operation=self._operation,
            design=design,
            clock=clock_port,
            reset=self._reset(top.table("reset")),
            handshake=self._handshake(handshake_table, configurations),
            ports=self._ports(top.table("ports")),
            ties=self._ties(top.table("ties", optional=True)),
            parameters=self._parameters(top.table("parameters", optional=True), configurations),
            configurations=tuple(configurations),
        )
        top.finish()
        self._check_names(description)
        for configuration in configurations:
            self._check_ports(description, configuration)
        return description

    def _design(self, table: Table) -> Design:
        patterns = table.texts("sources", expected="a list of files or patterns, relative to this file")
        files, missing = expand(self._directory, patterns)
        if missing is not None:
            raise table.error("sources", f"{show(missing)} names no file in {self._directory or '.'}")
        libraries = self._directories(table, "libraries")
        design = Design(
            top=table.text("top", expected="the name of the top module"),
            sources=tuple(with_libraries(files, libraries)),
            include_dirs=tuple(self._directories(table, "include_dirs")),
            defines=self._defines(table.table("defines", optional=True)),
        )
        table.finish()
        return design

    def _directories(self, table: Table, key: str) -> list[Path]:
        directories = []
        if key in table:
            for name in table.texts(key, expected="a list of directories, relative to this file"):
                directories.append((self._directory / name).resolve())
                if not directories[-1].is_dir():
                    raise table.error(key, f"{show(name)} is no directory in {self._directory or '.'}")
        return directories

    def _defines(self, table: Table) -> dict[str, str]:
        found = {}
        for key in table.names():
            value = table.value(key)
            if isinstance(value, bool) or not isinstance(value, (int, str)):
                raise table.error(key, f"is {show(value)}; expected a string or an integer")
            found[key] = str(value)
        return found

    def _reset(self, table: Table) -> Reset:
        reset = Reset(
            port=table.text("port", expected="the name of the reset port"),
            active=table.choice("active", ("low", "high")),
            synchronous=table.flag("synchronous", True),
        )
        table.finish()
        return reset

    def _handshake(self, table: Table, configurations: list[Configuration]) -> Handshake:
        protocol: Protocol = table.choice("protocol", PROTOCOLS)
        sides: list[str] = []
        for key in ("in", "out"):
            side = table.table(key)
            if protocol == "axi4_stream":
                prefix = side.text("prefix", expected='the beginning of the port names, as "s_axis"')
                sides += [f"{prefix}_tvalid", f"{prefix}_tready"]
            else:
                sides += [side.text(name, expected=f"the name of the {name} port") for name in ("valid", "ready")]
            side.finish()
        latency: int | Parameter | None = None
        if "latency" in table:
            given = self._parameter(table, "latency", configurations)
            for configuration in configurations:
                value = given.value(configuration) if isinstance(given, Parameter) else given
                if not isinstance(value, int) or value < 0:
                    raise table.error("latency", f"is {show(value)} for {configuration.name}; expected cycles")
            latency = given if isinstance(given, Parameter) else int(given)
        handshake = Handshake(
            protocol=protocol, in_valid=sides[0], in_ready=sides[1], out_valid=sides[2], out_ready=sides[3],
            full_rate=table.flag("full_rate", True), latency=latency,
        )  # fmt: skip
        table.finish()
        return handshake

    def _ports(self, table: Table) -> dict[str, Port]:
        roles, ports = self._operation.roles, {}
        for name, role in roles.items():
            if name in table:
                ports[name] = self._port(table, name)
            elif not role.optional:
                table.value(name, expected=f"the port of the design for: {role.meaning}")
        for key in table.names():
            if key not in roles:
                error = unknown_name(f"role of operation {self._operation.name}:", key, roles)
                raise table.error(key, str(error))
        for name, port in ports.items():
            chain = [name]
            while (after := ports[chain[-1]].after) is not None:
                if after not in ports or ports[after].port != port.port:
                    raise table.error(chain[-1], f"comes after {after}, which is not in port {port.port}")
                if after in chain:
                    raise table.error(name, f"comes after itself: {' after '.join([*chain, after])}")
                chain.append(after)
        return ports

    def _port(self, table: Table, role: str) -> Port:
        if isinstance(table.value(role), str):
            if role.endswith("_format"):
                raise table.error(role, f"needs a map: {role} = {{ port = ..., map = ... }}")
            return Port(role=role, port=table.text(role))
        inner = table.table(role)
        roles = [other for other in self._operation.roles if other != role]
        port = Port(
            role=role,
            port=inner.text("port", expected="the name of the port"),
            low=inner.integer("low", 0),
            after=inner.choice("after", roles, None),
            width=inner.integer("width", None, low=1),
            item_bits=inner.integer("item_bits", None, low=1, high=4096),
            order=inner.choice("order", get_args(Order), "first_low"),
            map=self._numbers(inner, "map") if role.endswith("_format") else None,
        )
        if port.after is not None and "low" in inner:
            raise inner.error("after", "stands beside key 'low'; give one of the two")
        inner.finish()
        return port

    def _numbers(self, table: Table, key: str) -> dict[str, int]:
        given = self._map(table, key)
        for name, value in given.items():
            if not isinstance(value, int):
                raise table.error(key, f"gives {show(value)} for {show(name)}; a port takes integers")
        return {name: int(value) for name, value in given.items()}

    def _map(self, table: Table, key: str) -> dict[str, Value]:
        """Return a table of names and values: written here, or the name of one under [maps]."""
        given = table.value(key, expected="a table of names and values, or the name of one under [maps]")
        if isinstance(given, str):
            if given not in self._maps:
                raise table.error(key, f"names no table of [maps]; there are: {', '.join(self._maps) or 'none'}")
            return self._maps[given]
        return self._entries(table.table(key))

    def _entries(self, table: Table) -> dict[str, Value]:
        return {name: _value(table, name) for name in table.names()}

    def _ties(self, table: Table) -> dict[str, int]:
        return {port: table.integer(port, low=0, high=(1 << 63) - 1) for port in table.names()}

    def _parameters(self, table: Table, configurations: list[Configuration]) -> dict[str, Value | Parameter]:
        return {name: self._parameter(table, name, configurations) for name in table.names()}

    def _parameter(self, table: Table, key: str, configurations: list[Configuration]) -> Value | Parameter:
        if not isinstance(table.value(key), dict):
            return _value(table, key)
        inner = table.table(key)
        parameter = Parameter(
            axis=inner.choice("from", self._axis_names()),
            map=self._map(inner, "map") if "map" in inner else None,
        )
        inner.finish()
        for configuration in configurations:
            given = axis_value(configuration, parameter.axis)
            if given is None:
                raise table.error(key, f"comes from {parameter.axis}, but a configuration gives no {parameter.axis}")
            if parameter.map is not None and _key(given, parameter.map) not in parameter.map:
                names = ", ".join(parameter.map)
                raise table.error(key, f"has no value for {_key(given, parameter.map)}; its map has: {names}")
        return parameter

    def _axis_names(self) -> list[str]:
        axes = ["depth"]
        axes += ["a_format", "b_format"] if "a_elements" in self._operation.roles else ["format"]
        simple = {"results": "result", "inputs": "input", "lanes": "lanes", "rows": "rows", "columns": "columns"}
        axes += [simple[axis] for axis in self._operation.axes if axis in simple]
        return axes + (list(choices(QuantizeOptions)) if "options" in self._operation.axes else [])

    def _rules(self, table: Table) -> dict[str, tuple[AccumulationRule, ResultField | None, dict[str, Value]]]:
        rules = {}
        for name in table.names():
            inner = table.table(name)
            given = inner.value("rule", name)
            rule = self._rule(inner, "rule", given, name)
            result_field = inner.choice("result_field", get_args(ResultField), None)
            parameters = inner.table("parameters", optional=True)
            rules[name] = (rule, result_field, {key: _value(parameters, key) for key in parameters.names()})
            inner.finish()
        return rules

    def _rule(self, table: Table, key: str, given: Any, name: str | None) -> AccumulationRule:
        """Return the rule that a name or a table with ``base`` stands for."""
        if isinstance(given, str):
            found = table.named(key, "accumulation rule", get_rule, given)
            return found if name is None else replace(found, name=name)
        if not isinstance(given, dict) or not isinstance(given.get("base"), str):
            raise table.error(key, f'is {show(given)}; expected a rule\'s name, or a table {{ base = "NAME", ... }}')
        base = table.named(key, "accumulation rule", get_rule, given["base"])
        changes = {field: value for field, value in given.items() if field != "base"}
        fields = to_dict(base) | {"name": name or f"{base.name}_changed", "description": ""} | changes
        # TOML has no value for "none"; a field is removed by the word.
        fields = {field: value for field, value in fields.items() if value != "absent"}
        return table.named(key, "accumulation rule", from_dict, fields)

    def _configurations(
        self,
        table: Table,
        rules: Mapping[str, tuple[AccumulationRule, ResultField | None, dict[str, Value]]],
    ) -> Iterator[Configuration]:
        axes = self._operation.axes
        formats = self._formats(table)
        mixed = table.flag("mixed", False)
        groups = [tuple(formats)] if mixed else [(pair,) for pair in formats]
        size = formats[0].block_size
        for pair in formats:
            if mixed and (pair.block_size != size or (scale_of(pair.a) is None) != (scale_of(formats[0].a) is None)):
                raise table.error("formats", f"{pair.name} cannot be mixed with {formats[0].name}: other blocks")
        lanes = table.integers("lanes", None, low=1, high=64) if "lanes" in axes and "lanes" in table else (None,)
        depths = table.integers("depth", None, high=64) if "depth" in table else (None,)
        results = self._numbers_axis(table, "results", "results" in axes)
        inputs = self._numbers_axis(table, "inputs", "inputs" in axes)
        extents = [table.integers(key, 1, low=1, high=64) if key in axes else (1,) for key in ("rows", "columns")]
        options = self._options(table.table("options", optional=True)) if "options" in axes else [()]
        chosen_rules = self._chosen_rules(table, rules) if "rules" in axes else [None]
        parameters = table.table("parameters", optional=True)
        fixed = {key: _value(parameters, key) for key in parameters.names()}
        quick = table.flag("quick", False)
        table.finish()
        for pairs, rule, result, number, lane, depth, rows, columns, option in product(
            groups, chosen_rules, results, inputs, lanes, depths, *extents, options
        ):
            block = pairs[0].block_size
            if lane is not None and block % lane:
                raise table.error("lanes", f"holds {lane}; a block of {pairs[0].name} has {block} elements")
            named = None
            if rule is not None:
                name, (base, result_field, rule_parameters) = rule
                shaped = self._with_result(table, base, result_field, result)
                named = NamedRule(name, shaped, rule_parameters)
            yield Configuration(
                pairs=pairs, rule=named, result=result or (named.rule.result_format if named else "fp32"),
                input=number or "fp32", lanes=lane or block, depth=depth, rows=rows, columns=columns,
                options=option, parameters=fixed, quick=quick,
            )  # fmt: skip

    def _formats(self, table: Table) -> list[OperandPair]:
        expected = 'block formats, pairs "A*B", "all" or "all_pairs"'
        found: dict[str, OperandPair] = {}
        for text in table.texts("formats", expected=expected):
            if text == "all":
                names = list(OCP_FORMATS)
            elif text == "all_pairs" and "a_elements" in self._operation.roles:
                names = [f"{a}*{b}" for a in OCP_FORMATS for b in OCP_FORMATS]
            else:
                names = [text]
            for name in names:
                pair = table.named("formats", "format or pair of formats", parse_pair, name)
                if pair.a != pair.b and "a_elements" not in self._operation.roles:
                    raise table.error("formats", f"{show(name)}: operation {self._operation.name} has one format")
                found[pair.name] = pair
        return list(found.values())

    def _numbers_axis(self, table: Table, key: str, allowed: bool) -> tuple[str | None, ...]:
        if not allowed or key not in table:
            return (None,)
        expected = f"of {', '.join(NUMBER_BITS)}"
        return table.one_or_more(key, None, expected, lambda value: isinstance(value, str) and value in NUMBER_BITS)

    def _options(self, table: Table) -> list[tuple[tuple[str, str], ...]]:
        known = choices(QuantizeOptions)
        lists = []
        for name in table.names():
            if name not in known:
                raise table.error(name, str(unknown_name("option", name, known)))
            values = table.texts(name)
            for value in values:
                if value not in known[name]:
                    raise table.error(name, str(unknown_name(f"value of {name}:", value, known[name])))
            lists.append([(name, value) for value in values])
        return [tuple(each) for each in product(*lists)]

    def _chosen_rules(self, table: Table, rules: Mapping[str, Any]) -> list[Any]:
        expected = "names of rules, of this file or of the model, or tables with base"
        chosen = []
        for given in table.one_or_more("rules", REQUIRED, expected):
            if isinstance(given, str) and given in rules:
                chosen.append((given, rules[given]))
            else:
                rule = self._rule(table, "rules", given, None)
                chosen.append((rule.name, (rule, None, {})))
        return chosen

    def _with_result(
        self, table: Table, rule: AccumulationRule, result_field: ResultField | None, result: str | None
    ) -> AccumulationRule:
        """Return *rule* giving results of the format *result*."""
        if result is None or result == rule.result_format:
            return rule
        if result_field is None:
            raise table.error(
                "results",
                f"holds {show(result)}, but rule {rule.name} gives {rule.result_format}; say in [rules.{rule.name}] "
                'result_field = "acc_format" (the sum is rounded to it) or "out_format" (the result is, once more)',
            )
        nan = _NARROW_NAN[result] if rule.nan_pattern == _NARROW_NAN[rule.result_format] else rule.nan_pattern
        changes: dict[str, Any] = {result_field: result, "nan_pattern": nan}
        try:
            return replace(rule, **changes)
        except DefinitionError as error:
            raise table.error("results", f"holds {show(result)}: {error}") from error

    def _check_names(self, description: Description) -> None:
        """Refuse a port that is named for two purposes, roles that overlap, and configurations given twice."""
        handshake = description.handshake
        single = {
            description.clock: "[clock] port",
            description.reset.port: "[reset] port",
        }
        pins = {
            "in valid": handshake.in_valid, "in ready": handshake.in_ready,
            "out valid": handshake.out_valid, "out ready": handshake.out_ready,
        }  # fmt: skip
        uses = [(f"[handshake] {key}", port) for key, port in pins.items()]
        uses += [("[ties]", port) for port in description.ties]
        for use, port in uses:
            if port in single:
                raise self._top.error(None, f"port {show(port)} is named twice, by {single[port]} and by {use}")
            single[port] = use
        for role, each in description.ports.items():
            if each.port in single:
                raise self._top.error(
                    None, f"port {show(each.port)} is named twice, by {single[each.port]} and by [ports] {role}"
                )
        names: dict[str, Configuration] = {}
        for configuration in description.configurations:
            if configuration.name in names:
                raise self._top.error("configurations", f"give {configuration.name} twice")
            names[configuration.name] = configuration

    def _check_ports(self, description: Description, configuration: Configuration) -> None:
        """Refuse ports too narrow for what they carry, and formats that need a port that there is not."""
        table = Table(self._top.file, "[ports]", {})
        for role in self._operation.roles:
            side = role[0]
            if role.endswith("_scale") and side in "ab" and role not in description.ports:
                operand = getattr(configuration.pair, side)
                if scale_of(operand) is not None:
                    raise table.error(role, f"is missing, and {operand.name} has scales; expected a port for them")
        taken: dict[str, list[tuple[int, int, str]]] = {}
        for role, port in description.ports.items():
            found = description.shape(role, configuration)
            if found is None:
                continue
            if port.item_bits is not None and port.item_bits < found.bits:
                raise table.error(
                    role, f"has item_bits = {port.item_bits}, but an item of {configuration.name} has {found.bits} bits"
                )
            needed = found.count * (port.item_bits or found.bits)
            if port.width is not None and port.width < needed:
                raise table.error(role, f"has width = {port.width}, but {configuration.name} needs {needed} bits there")
            if port.map is not None:
                self._check_map(table, role, port, configuration)
            begin = description.low(role, configuration)
            end = begin + (port.width or needed)
            for low, high, other in taken.get(port.port, []):
                if begin < high and low < end:
                    raise table.error(
                        role,
                        f"takes bits {end - 1}:{begin} of {port.port}, where {other} has {high - 1}:{low} "
                        f"({configuration.name})",
                    )
            taken.setdefault(port.port, []).append((begin, end, role))

    def _check_map(self, table: Table, role: str, port: Port, configuration: Configuration) -> None:
        assert port.map is not None
        for pair in configuration.pairs:
            operand = getattr(pair, _SIDES[role])
            if _key(operand, port.map) not in port.map:
                raise table.error(role, f"has no number for {operand.name}; its map has: {', '.join(port.map)}")


def _value(table: Table, key: str) -> Value:
    """Return a parameter's value: an integer or a string; true and false are 1 and 0."""
    value = table.value(key, expected="an integer or a string")
    if not isinstance(value, (int, str)) or value == "":
        raise table.error(key, f"is {show(value)}; expected an integer or a string")
    return int(value) if isinstance(value, bool) else value


def _key(given: Value | Operand, names: Mapping[str, Any]) -> str:
    """Return the key under which a map holds a value: of a format its own name or that of its element."""
    if isinstance(given, (int, str)):
        return str(given)
    return given.name if given.name in names else element_of(given).name
