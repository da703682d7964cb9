"""Reading a DUT description from its TOML file; docs/dut.md is the manual."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

from refmodel.conformance.axes import DescribedProfile, read_configurations, read_profile, read_rules
from refmodel.conformance.configuration import Configuration
from refmodel.conformance.consistency import check_description
from refmodel.conformance.description import (
    FIELDS,
    PROTOCOLS,
    VHDL_SUFFIXES,
    Description,
    Design,
    Field,
    Handshake,
    Order,
    Parameter,
    Port,
    Protocol,
    Reset,
    Value,
    axis_value,
    map_key,
)
from refmodel.conformance.operations import NUMBER_ROLES, OPERATIONS, Operation
from refmodel.conformance.sources import expand, with_libraries
from refmodel.conformance.tables import Table, read_toml, show
from refmodel.errors import unknown_name
from refmodel.options import QuantizeOptions, choices

SIMULATORS = ("verilator", "icarus", "ghdl")
"""Simulators that a description may have flags for."""

VERSION = 1
"""Version of the format of the file, its key ``version``."""

PINS: dict[Protocol, tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = {
    "valid_ready": (("in", ("valid", "ready"), ()), ("out", ("valid", "ready"), ())),
    "axi4_stream": (("in", ("prefix",), ()), ("out", ("prefix",), ())),
    "valid": (("in", ("valid",), ()), ("out", ("valid",), ())),
    "fixed_latency": (("in", (), ("valid",)),),
    "combinational": (),
    "start_done": (("in", ("start",), ()), ("out", ("done",), ())),
    "byte_serial": (("in", ("data", "valid"), ("ready",)), ("out", ("data", "valid"), ("ready",))),
}
"""Of each protocol the sides that it names ports of, with those that must and those that may be there."""

_MEANINGS = {"start": "valid", "done": "valid"}


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
        maps = top.table("maps", optional=True)
        self._maps = {key: self._entries(maps.table(key)) for key in maps.names()}
        handshake_table = top.table("handshake")
        profile = self._profile(top)
        rules = profile.rules | read_rules(top.table("rules", optional=True))
        configurations = [
            each
            for table in top.tables("configurations")
            for each in read_configurations(self._operation, table, rules, profile.options)
        ]
        handshake = self._handshake(handshake_table, configurations)
        clock = self._clock(top, handshake)
        description = Description(
            file=top.file,
            name=name,
            operation=self._operation,
            design=design,
            clock=clock,
            reset=self._reset(top, handshake),
            handshake=handshake,
            ports=self._ports(top.table("ports")),
            ties=self._ties(top.table("ties", optional=True)),
            parameters=self._parameters(top.table("parameters", optional=True), configurations),
            configurations=tuple(configurations),
        )
        top.finish()
        check_description(description, top)
        return description

    def _profile(self, top: Table) -> DescribedProfile:
        if "profile" not in top:
            return DescribedProfile()
        name = top.text("profile", expected="the file of a profile, relative to this file")
        table = read_toml(self._directory / name)
        table.integer("version", low=VERSION, high=VERSION)
        profile = read_profile(table)
        table.finish()
        return profile

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
            flags=self._flags(table.table("flags", optional=True)),
        )
        if design.is_vhdl and not all(path.suffix in VHDL_SUFFIXES for path in design.sources):
            raise table.error("sources", "mixes VHDL with other languages; no simulator here takes both")
        table.finish()
        return design

    def _flags(self, table: Table) -> dict[str, tuple[str, ...]]:
        found = {name: table.texts(name) for name in SIMULATORS if name in table}
        table.finish()
        return found

    def _clock(self, top: Table, handshake: Handshake) -> str:
        if handshake.protocol == "combinational":
            for key in ("clock", "reset"):
                if key in top:
                    raise top.error(key, 'is there, but [handshake] protocol = "combinational" has none; remove it')
            return ""
        clock = top.table("clock")
        port: str = clock.text("port", expected="the name of the clock port")
        clock.finish()
        return port

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

    def _reset(self, top: Table, handshake: Handshake) -> Reset | None:
        if "reset" not in top and not handshake.is_stream:
            return None
        table = top.table("reset")
        reset = Reset(
            port=table.text("port", expected="the name of the reset port"),
            active=table.choice("active", ("low", "high")),
            synchronous=table.flag("synchronous", True),
        )
        table.finish()
        return reset

    def _handshake(self, table: Table, configurations: list[Configuration]) -> Handshake:
        protocol: Protocol = table.choice("protocol", PROTOCOLS)
        pins: dict[str, Any] = {}
        for key, required, optional in PINS[protocol]:
            side = table.table(key, optional=not required)
            for pin in required:
                if pin == "prefix":
                    prefix = side.text(pin, expected='the beginning of the port names, as "s_axis"')
                    pins |= {f"{key}_{name}": f"{prefix}_t{name}" for name in ("valid", "ready")}
                else:
                    pins[f"{key}_{_MEANINGS.get(pin, pin)}"] = side.text(pin, expected=f"the name of the {pin} port")
            for pin in optional:
                pins[f"{key}_{pin}"] = side.text(pin, "", expected=f"the name of the {pin} port")
            side.finish()
        latency = None
        if protocol != "combinational":
            latency = self._promise(table, "latency", "cycles", configurations)
        if protocol == "fixed_latency" and latency is None:
            table.value("latency", expected="the cycles from the last beat of an item to its result")
        more: dict[str, Any] = {}
        if protocol == "byte_serial":
            more = {
                "bits": table.integer("bits", 8, low=1, high=1024),
                "order": table.choice("order", get_args(Order), "first_low"),
                "full_rate": False,  # a bus does something else while a result goes out
            }
        if protocol in ("valid", "fixed_latency"):
            more["interval"] = table.integer("interval", 1, low=1)
        if protocol in ("valid_ready", "axi4_stream"):
            more["full_rate"] = table.flag("full_rate", True)
            more["capacity"] = self._promise(table, "capacity", "beats", configurations)
        if protocol != "combinational":
            more["timeout"] = table.integer("timeout", 1000, low=1)
        handshake = Handshake(protocol=protocol, latency=latency, **pins, **more)
        table.finish()
        return handshake

    def _promise(
        self, table: Table, key: str, expected: str, configurations: list[Configuration]
    ) -> int | Parameter | None:
        """Return a number, 0 or more, that may depend on the configuration; None if it is not given."""
        if key not in table:
            return None
        given = self._parameter(table, key, configurations)
        for configuration in configurations:
            value = given.value(configuration) if isinstance(given, Parameter) else given
            if not isinstance(value, int) or value < 0:
                raise table.error(key, f"is {show(value)} for {configuration.name}; expected {expected}")
        return given if isinstance(given, Parameter) else int(given)

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
            if not port.port:
                continue
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
        fields = self._fields(inner, role)
        single = not fields and "ports" not in inner
        port = Port(
            role=role,
            port=inner.text("port", expected="the name of the port") if single else "",
            ports=() if single or fields else self._port_per_item(inner),
            fields=fields,
            signed=inner.flag("signed", False),
            low=inner.integer("low", 0),
            after=inner.choice("after", roles, None),
            width=inner.integer("width", None, low=1),
            item_bits=inner.integer("item_bits", None, low=1, high=4096),
            order=inner.choice("order", get_args(Order), "first_low"),
            map=self._numbers(inner, "map") if role.endswith("_format") else None,
        )
        if port.after is not None and "low" in inner:
            raise inner.error("after", "stands beside key 'low'; give one of the two")
        self._check_alone(inner, port)
        inner.finish()
        return port

    def _fields(self, table: Table, role: str) -> dict[Field, str]:
        """Return the ports of the fields of a number, where a role has them."""
        given: list[Field] = [each for each in FIELDS if each in table]
        if not given:
            return {}
        if role not in NUMBER_ROLES:
            raise table.error(given[0], f"divides floating-point numbers; {role} carries codes")
        wanted = {"sign", "exponent", "fraction"}, {"sign", "exponent", "significand"}
        if set(given) not in wanted:
            raise table.error(given[0], f"stands with {', '.join(given)}; expected sign, exponent and fraction, or "
                              "significand in place of fraction")  # fmt: skip
        return {each: table.text(each, expected="the name of the port") for each in given}

    def _port_per_item(self, table: Table) -> str | tuple[str, ...]:
        expected = 'names, one an item from item 0, or one with {} for the number of the item, as "a{}_i" or "a_i[{}]"'
        given = table.value("ports", expected=expected)
        if isinstance(given, str):
            if given.count("{}") != 1:
                raise table.error("ports", f"is {show(given)}; expected {expected}")
            return given
        return table.texts("ports", expected=expected)

    def _check_alone(self, table: Table, port: Port) -> None:
        """Refuse keys that say nothing of a role with several ports, or without a width of its places."""
        if not port.port:
            for key in ("low", "after", "width", "order") + (("item_bits",) if port.fields else ()):
                if key in table and table.value(key) is not None:
                    raise table.error(key, "says nothing where a role has several ports; leave it out")
        if port.signed and (port.item_bits is None or not port.role.endswith("elements")):
            raise table.error("signed", "says how elements fill wider places, whose bits key 'item_bits' gives")

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
        return {name: table.scalar(name) for name in table.names()}

    def _ties(self, table: Table) -> dict[str, int]:
        return {port: table.integer(port, low=0, high=(1 << 63) - 1) for port in table.names()}

    def _parameters(self, table: Table, configurations: list[Configuration]) -> dict[str, Value | Parameter]:
        return {name: self._parameter(table, name, configurations) for name in table.names()}

    def _parameter(self, table: Table, key: str, configurations: list[Configuration]) -> Value | Parameter:
        if not isinstance(table.value(key), dict):
            return table.scalar(key)
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
            if parameter.map is not None and map_key(given, parameter.map) not in parameter.map:
                names = ", ".join(parameter.map)
                raise table.error(key, f"has no value for {map_key(given, parameter.map)}; its map has: {names}")
        return parameter

    def _axis_names(self) -> list[str]:
        axes = ["depth"]
        axes += ["a_format", "b_format"] if "a_elements" in self._operation.roles else ["format"]
        simple = {"results": "result", "inputs": "input", "lanes": "lanes", "rows": "rows", "columns": "columns"}
        axes += [simple[axis] for axis in self._operation.axes if axis in simple]
        return axes + (list(choices(QuantizeOptions)) if "options" in self._operation.axes else [])
