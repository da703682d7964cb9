"""The JSON Schema of the DUT description, for editors and for programs that write descriptions.

It is made from the same tables that `loading` reads by, and published as docs/dut.schema.json. It holds kinds, words
and names of keys; what no single key shows, such as widths and files, is for `loading` alone to judge.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, get_args

from refmodel.conformance.configuration import NUMBER_BITS
from refmodel.conformance.description import FIELDS, PROTOCOLS, Order, Protocol
from refmodel.conformance.loading import PINS, SIMULATORS, VERSION
from refmodel.conformance.operations import NUMBER_ROLES, OPERATIONS, Operation
from refmodel.options import QuantizeOptions, choices

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_SCALAR: Schema = {"oneOf": [_TEXT, {"type": "integer"}, {"type": "boolean"}]}
_SCALARS: Schema = {"type": "object", "additionalProperties": _SCALAR}
_MAP: Schema = {"oneOf": [_TEXT, _SCALARS]}


def dut_schema() -> Schema:
    """Return the schema of the TOML file as JSON values."""
    names = "number of elements of a beat", "rows of a tile", "columns of a tile"
    axes: Schema = {
        "rules": _list({"anyOf": [_TEXT, {"type": "object", "required": ["base"]}]}),
        "results": _list({"enum": [*NUMBER_BITS]}),
        "inputs": _list({"enum": [*NUMBER_BITS]}),
        **{key: _list(_integer(1, 64), about) for key, about in zip(("lanes", "rows", "columns"), names, strict=True)},
        "options": _object({name: _list({"enum": [*values]}) for name, values in choices(QuantizeOptions).items()}),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "DUT description of mx-refmodel",
        "description": "docs/dut.md is the manual.",
        **_object(
            {
                "version": {"const": VERSION},
                "name": {"type": "string", "pattern": r"^[\w.-]+$"},
                "operation": {"enum": [*OPERATIONS]}, "profile": _TEXT,
                "design": _object(
                    {
                        "top": _TEXT, "sources": _list(_TEXT), "libraries": _list(_TEXT), "include_dirs": _list(_TEXT),
                        "defines": {"type": "object", "additionalProperties": {"type": ["string", "integer"]}},
                        "flags": _object({name: _list(_TEXT) for name in SIMULATORS}),
                    },
                    ["top", "sources"],
                ),
                "clock": _object({"port": _TEXT}, ["port"]),
                "reset": _object(
                    {"port": _TEXT, "active": {"enum": ["low", "high"]}, "synchronous": {"type": "boolean"}},
                    ["port", "active"],
                ),
                "handshake": {"oneOf": [_handshake(protocol) for protocol in PROTOCOLS]},
                "ports": {"type": "object"},
                "ties": {"type": "object", "additionalProperties": _integer(0, (1 << 63) - 1)},
                "maps": {"type": "object", "additionalProperties": _SCALARS},
                "parameters": {
                    "type": "object",
                    "additionalProperties": {
                        "oneOf": [*_SCALAR["oneOf"], _object({"from": _TEXT, "map": _MAP}, ["from"])]
                    },
                },
                "rules": {
                    "type": "object",
                    "additionalProperties": _object(
                        {
                            "rule": {"anyOf": [_TEXT, {"type": "object", "required": ["base"]}]},
                            "result_field": {"enum": ["acc_format", "out_format"]}, "parameters": _SCALARS,
                        }
                    ),
                },
                "configurations": {"type": "array", "minItems": 1, "items": {"type": "object"}},
            },
            ["version", "name", "operation", "design", "handshake", "ports", "configurations"],
        ),
        "allOf": [*_clocks(), *(_of_operation(operation, axes) for operation in OPERATIONS.values())],
    }  # fmt: skip


def _clocks() -> list[Schema]:
    """Return which protocols have a clock and a reset."""

    def protocols(*names: str) -> Schema:
        return {"properties": {"handshake": {"properties": {"protocol": {"enum": [*names]}}}}}

    return [
        {
            "if": protocols("combinational"),
            "then": {"properties": {"clock": False, "reset": False}},
            "else": {"required": ["clock"]},
        },
        {"if": protocols("valid_ready", "axi4_stream"), "then": {"required": ["reset"]}},
    ]


def _of_operation(operation: Operation, axes: Schema) -> Schema:
    """Return the ports and the configurations of an operation."""
    required = [name for name, role in operation.roles.items() if not role.optional]
    ports = {name: _role(name) | {"description": role.meaning} for name, role in operation.roles.items()}
    configuration: Schema = {
        "formats": _list(_TEXT), "mixed": {"type": "boolean"}, "depth": _list(_integer(0, 64)),
        "parameters": _SCALARS, "quick": {"type": "boolean"}, **{key: axes[key] for key in operation.axes},
    }  # fmt: skip
    needs = ["formats", "rules"] if "rules" in operation.axes else ["formats"]
    return {
        "if": {"properties": {"operation": {"const": operation.name}}},
        "then": {
            "properties": {
                "ports": _object(ports, required),
                "configurations": {"items": _object(configuration, needs)},
            }
        },
    }


def _role(name: str) -> Schema:
    """Return where a role may be: a whole port, a part of one, a port an item, a port a field."""
    item_bits, order = {"item_bits": _integer(1, 4096)}, {"order": {"enum": [*get_args(Order)]}}
    part: Schema = {
        "port": _TEXT, "low": _integer(0, 1 << 20), "after": _TEXT, "width": _integer(1, 1 << 20), **item_bits, **order,
    }  # fmt: skip
    if name.endswith("elements"):
        item_bits["signed"] = part["signed"] = {"type": "boolean"}
    if name.endswith("_format"):
        return _object({**part, "map": _MAP}, ["port", "map"])
    forms: list[Schema] = [
        _TEXT,
        {**_object(part, ["port"]), "not": {"required": ["low", "after"]}},
        _object({"ports": _list(_TEXT), **item_bits}, ["ports"]),
    ]
    if name in NUMBER_ROLES:
        for last in ("fraction", "significand"):
            fields = [each for each in FIELDS if each in ("sign", "exponent", last)]
            forms.append(_object(dict.fromkeys(fields, _TEXT), fields))
    return {"oneOf": forms}


def _handshake(protocol: Protocol) -> Schema:
    """Return the table of a protocol."""
    keys: Schema = {"protocol": {"const": protocol}}
    needed = ["protocol"]
    for side, required, optional in PINS[protocol]:
        keys[side] = _object(dict.fromkeys((*required, *optional), _TEXT), list(required))
        needed += [side] if required else []
    if protocol != "combinational":
        keys["latency"] = {"oneOf": [_integer(0, 1 << 20), _object({"from": _TEXT, "map": _MAP}, ["from"])]}
        keys["timeout"] = _integer(1, 1 << 20)
    if protocol == "fixed_latency":
        needed.append("latency")
    if protocol in ("valid", "fixed_latency"):
        keys["interval"] = _integer(1, 1 << 20)
    if protocol in ("valid_ready", "axi4_stream"):
        keys |= {"full_rate": {"type": "boolean"}, "capacity": keys["latency"]}
    if protocol == "byte_serial":
        keys |= {"bits": _integer(1, 1024), "order": {"enum": [*get_args(Order)]}}
    return _object(keys, needed)


def _object(properties: Schema, required: Sequence[str] = ()) -> Schema:
    closed = {"type": "object", "properties": properties, "additionalProperties": False}
    return closed | ({"required": [*required]} if required else {})


def _list(item: Schema, description: str = "") -> Schema:
    """Return one value, or a list of different ones."""
    both: Schema = {"anyOf": [item, {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}]}
    return both | ({"description": description} if description else {})


def _integer(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


if __name__ == "__main__":
    print(json.dumps(dut_schema(), indent=1))
