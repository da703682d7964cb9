"""The published JSON Schema of the DUT description, held against the loader; handshakes and packings that it has."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from refmodel.conformance import load_description
from refmodel.conformance.schema import dut_schema
from refmodel.errors import DescriptionError

ROOT = Path(__file__).resolve().parent.parent
DESCRIPTIONS = [*sorted((ROOT / "rtl").glob("*.toml")), *sorted((ROOT / "tests" / "wrong_designs").glob("*.toml"))]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(dut_schema())
    return jsonschema.Draft202012Validator(dut_schema())


def test_the_published_schema_is_that_of_the_loader():
    published = json.loads((ROOT / "docs" / "dut.schema.json").read_text())
    assert published == dut_schema(), "python -m refmodel.conformance.schema > docs/dut.schema.json"


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda path: path.stem)
def test_what_the_loader_takes_the_schema_takes(path, validator):
    load_description(path)
    validator.validate(tomllib.loads(path.read_text()))


def _changed(table: dict[str, Any], keys: str, value: Any) -> dict[str, Any]:
    """Return a copy with the value at a path of keys; None removes it."""
    made = copy.deepcopy(table)
    *path, last = keys.split("/")
    inner: Any = made
    for key in path:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return made


MISTAKES = [
    # of which description, what, by what, what the loader says
    ("bias_kept", "operation", "dott", "key 'operation': is \"dott\""),
    ("bias_kept", "handshake/protocol", "req_ack", "[handshake] key 'protocol'"),
    ("bias_kept", "handshake/in", {"valid": "in_valid", "ready": "r"}, "[handshake.in] key 'ready': is unknown"),
    ("bias_kept", "handshake/out", None, "[handshake] key 'out': is missing; expected a table [handshake.out]"),
    ("bias_kept", "handshake/full_rate", True, "[handshake] key 'full_rate': is unknown"),
    ("bias_kept", "handshake/interval", 0, "[handshake] key 'interval': is 0; expected an integer from 1"),
    ("bias_kept", "clock", None, "key 'clock': is missing"),
    ("bias_kept", "ports/result", None, "[ports] key 'result': is missing"),
    ("bias_kept", "ports/results", "y", "[ports] key 'results': unknown role of operation dot: 'results'"),
    ("bias_kept", "ports/result", {"port": "y", "order": "high"}, "[ports.result] key 'order'"),
    ("bias_kept", "ports/result", {"sign": "s", "exponent": "e"}, "expected sign, exponent and fraction, or"),
    ("bias_kept", "ports/a_elements", {"sign": "s", "exponent": "e", "fraction": "f"}, "a_elements carries codes"),
    ("bias_kept", "ports/a_scale", {"port": "scales", "signed": True}, "[ports.a_scale] key 'signed': says how"),
    ("bias_kept", "design/flags", {"questa": ["-x"]}, "[design.flags] key 'questa': is unknown"),
    ("bias_kept", "design/include_dirs", 3, "[design] key 'include_dirs'"),
    ("bias_kept", "configurations/0/lanes", "8", "key 'lanes': holds \"8\"; expected integers"),
    ("bias_kept", "configurations/0/rule", "x", "key 'rule': is unknown (did you mean 'rules'?)"),
    ("nan_scale", "clock", {"port": "clk"}, "key 'clock': is there, but [handshake] protocol = \"combinational\""),
    ("nan_scale", "handshake/latency", 3, "[handshake] key 'latency': is unknown"),
    ("nan_scale", "ports/result/low", 3, "[ports.result] key 'low': says nothing where a role has several ports"),
    ("int8_once", "handshake/latency", None, "[handshake] key 'latency': is missing; expected the cycles from"),
    ("int8_once", "ports/a_elements/ports", "a", "[ports.a_elements] key 'ports': is \"a\"; expected names, one an"),
    ("int8_once", "ports/a_elements/ports", ["a", "b"], "names 2 ports; mxint8 exact_fp32 fp32 lanes 32 has 32 items"),
    ("int8_once", "configurations/0/formats", "mxfp8_e4m3", "has signed = true, but the elements of mxfp8_e4m3"),
    ("int8_once", "configurations/0/lanes", 8, "has no valid, but mxint8 exact_fp32 fp32 lanes 8 takes an item in"),
    ("serial_flush", "handshake/bits", 0, "[handshake] key 'bits': is 0; expected an integer from 1"),
    ("serial_flush", "handshake/in/data", "rxx", "have nothing on rxx, the bus of [handshake] in"),
    ("serial_flush", "ports/result", "y", "have nothing on tx, the bus of [handshake] out"),
]
_OF_THE_LOADER = ("nothing on", "names 2 ports", "has signed = true", "has no valid", '"a"; expected')
"""Sentences on what no single key shows."""


@pytest.mark.parametrize(("name", "keys", "value", "sentence"), MISTAKES, ids=str)
def test_a_mistake_is_one_for_both(name, keys, value, sentence, validator, tmp_path):
    folder = ROOT / "tests" / "wrong_designs"
    table = _changed(tomllib.loads((folder / f"{name}.toml").read_text()), keys, value)
    path = tmp_path / "mine.toml"
    text = _toml(table).replace('sources = ["', f'sources = ["{folder}/')
    path.write_text(text.replace('["include"]', f'["{folder}/include"]'))
    with pytest.raises(DescriptionError) as caught:
        load_description(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert sentence in message
    assert not validator.is_valid(table) or any(words in sentence for words in _OF_THE_LOADER)


def _toml(table: dict[str, Any]) -> str:
    """Return a table as TOML, inner tables inline."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
