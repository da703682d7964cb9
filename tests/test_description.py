"""The DUT description: the units' own files, every mistake a sentence with file, table and key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refmodel.accumulate import get_rule
from refmodel.conformance import Description, load_description
from refmodel.errors import DescriptionError

RTL = Path(__file__).resolve().parent.parent / "rtl"

SOUND = """
version = 1
name = "mine"
operation = "dot_general"
[design]
top = "mine"
sources = ["mine.sv"]
[clock]
port = "clk"
[reset]
port = "rst"
active = "high"
[handshake]
protocol = "valid_ready"
in = { valid = "iv", ready = "ir" }
out = { valid = "ov", ready = "or" }
latency = { from = "depth" }
[ports]
a_elements = "a"
a_scale = { port = "scales", low = 0 }
b_elements = { port = "b", item_bits = 8, order = "first_high" }
b_scale = { port = "scales", after = "a_scale" }
c = "c"
last = "last"
result = { port = "y", width = 32 }
[maps.element]
e4m3 = 1
e2m1 = 4
[parameters]
A = { from = "a_format", map = "element" }
Lanes = { from = "lanes" }
Depth = { from = "depth" }
Mode = "fast"
[rules.block32_fp32_add]
result_field = "out_format"
parameters = { Rule = 1 }
[rules.odd]
rule = { base = "exact_fp32", nan_pattern = 0x7FFFFFFF, acc_round = "RZ" }
parameters = { Rule = 7 }
[[configurations]]
formats = ["mxfp8_e4m3", "mxfp4_e2m1*mxfp8_e4m3"]
rules = ["block32_fp32_add", "odd"]
lanes = [8, 32]
depth = 3
quick = true
[[configurations]]
formats = "mxfp8_e4m3"
rules = ["block32_fp32_add"]
results = ["bf16", "fp16"]
depth = [0, 1]
parameters = { Extra = true }
"""


def load(directory: Path, text: str) -> Description:
    (directory / "mine.sv").write_text("module mine; endmodule\n")
    path = directory / "mine.toml"
    path.write_text(text)
    return load_description(path)


@pytest.mark.parametrize("path", sorted(RTL.glob("*.toml")), ids=lambda path: path.stem)
def test_the_units_are_described(path):
    description = load_description(path)
    assert description.name == path.stem == description.design.top
    assert any(configuration.quick for configuration in description.configurations)
    assert description.design.sources[-1].name == f"{path.stem}.sv"


def test_every_unit_is_described():
    """A file of rtl/ that no other needs is a unit."""
    needed = {source.name for path in RTL.glob("*.toml") for source in load_description(path).design.sources}
    assert {path.name for path in RTL.glob("*.sv")} == needed


def test_the_example_of_the_manual_is_a_description(tmp_path):
    manual = (RTL.parent / "docs" / "dut.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", manual, re.DOTALL)
    (example,) = (block for block in blocks if "[design]" in block and "version" in block)
    (tmp_path / "mx_dot.sv").write_text("module mx_dot; endmodule\n")
    path = tmp_path / "mx_dot.toml"
    path.write_text(example.replace("e4m3 = 1", "e4m3 = 1\ne3m2 = 2\ne2m3 = 3\ne2m1 = 4\nint8 = 5"))
    description = load_description(path)
    assert len(description.configurations) == 7 + 2 * 3 * 2


def test_what_a_description_says(tmp_path):
    described = load(tmp_path, SOUND)
    assert [each.name for each in described.configurations if each.quick] == [
        f"{formats} {rule} fp32 lanes {lanes} depth 3"
        for formats in ("mxfp8_e4m3", "mxfp4_e2m1*mxfp8_e4m3")
        for rule in ("block32_fp32_add", "odd")
        for lanes in (8, 32)
    ]
    mixed = next(each for each in described.configurations if each.format_name.startswith("mxfp4") and each.lanes == 8)
    assert described.parameter_values(mixed) == {"A": 4, "Lanes": 8, "Depth": 3, "Mode": "fast", "Rule": 1}
    assert described.port_widths(mixed) == {"a": 32, "scales": 16, "b": 64, "c": 32, "last": 1, "y": 32}
    assert described.low("b_scale", mixed) == 8
    assert described.latency(mixed) == 3
    narrow = described.configurations[-1]
    assert (narrow.result, narrow.depth, narrow.rule.rule.out_format) == ("fp16", 1, "fp16")
    assert narrow.rule.rule.nan_pattern == 0x7E00
    assert described.parameter_values(narrow)["Extra"] == 1
    odd = next(each.rule.rule for each in described.configurations if each.rule.name == "odd")
    assert (odd.nan_pattern, odd.acc_round, odd.group_size) == (0x7FFFFFFF, "RZ", get_rule("exact_fp32").group_size)


MISTAKES = {
    # what is changed: (by what, what must be said)
    "version = 1": ("version = 2", "key 'version': is 2; expected an integer from 1 to 1"),
    'name = "mine"': ('name = "a b"', "key 'name'"),
    'operation = "dot_general"': ('operation = "dott"', 'key \'operation\': is "dott"; expected one of "dot"'),
    'top = "mine"': ('topp = "mine"', "[design] key 'top': is missing; expected the name of the top module; is 'topp'"),
    'sources = ["mine.sv"]': ('sources = ["yours.sv"]', "[design] key 'sources': \"yours.sv\" names no file in"),
    '[clock]\nport = "clk"': ("", "key 'clock': is missing; expected a table [clock]"),
    'port = "clk"': ('port = "clk"\nedge = "rising"', "[clock] key 'edge': is unknown; the keys here are: port"),
    'active = "high"': ("active = 1", '[reset] key \'active\': is 1; expected one of "low", "high"'),
    'protocol = "valid_ready"': ('protocol = "req_ack"', "[handshake] key 'protocol': is \"req_ack\"; expected one of"),
    'in = { valid = "iv", ready = "ir" }': (
        'in = { valid = "iv" }',
        "[handshake.in] key 'ready': is missing; expected the name of the ready port",
    ),
    'valid = "ov", ready = "or"': ('valid = "ov", ready = "clk"', 'port "clk" is named twice, by [clock] port'),
    'latency = { from = "depth" }': ("latency = -1", "[handshake] key 'latency': is -1"),
    'a_elements = "a"': (
        "",
        "[ports] key 'a_elements': is missing; expected the port of the design for: element codes of the block of A",
    ),
    "b_scale = {": ("b_scales = {", "[ports] key 'b_scales': unknown role of operation dot_general: 'b_scales'"),
    'b_scale = { port = "scales", after = "a_scale" }': ("", "mxfp8_e4m3 has scales; expected a port for them"),
    'after = "a_scale"': ('after = "c"', "comes after c, which is not in port scales"),
    'port = "scales", after = "a_scale"': (
        'port = "scales", low = 4',
        "takes bits 11:4 of scales, where a_scale has 7:0",
    ),
    "item_bits = 8": ("item_bits = 3", "has item_bits = 3, but an item of"),
    'order = "first_high"': (
        'order = "big"',
        '[ports.b_elements] key \'order\': is "big"; expected one of "first_low"',
    ),
    "width = 32": ("width = 16", "[ports] key 'result': has width = 16, but"),
    "e4m3 = 1": ("e5m2 = 0", "[parameters] key 'A': has no value for e4m3; its map has: e5m2, e2m1"),
    'map = "element"': ('map = "elements"', "key 'map': names no table of [maps]; there are: element"),
    'A = { from = "a_format"': ('A = { from = "aformat"', "[parameters.A] key 'from': is \"aformat\"; expected one of"),
    'Mode = "fast"': ("Mode = 1.5", "[parameters] key 'Mode': is 1.5; expected an integer or a string"),
    'rule = { base = "exact_fp32"': (
        'rule = { base = "exakt"',
        "[rules.odd] key 'rule': \"exakt\" is no accumulation rule",
    ),
    'acc_round = "RZ"': (
        'acc_round = "RX"',
        "[rules.odd] key 'rule': a table is no accumulation rule: unknown acc_round",
    ),
    "nan_pattern = 0x7FFFFFFF": ("nan = 1", "[rules.odd] key 'rule': a table is no accumulation rule"),
    'formats = ["mxfp8_e4m3",': (
        'formats = ["mxfp9",',
        "[[configurations]] number 1 key 'formats': \"mxfp9\" is no format",
    ),
    "lanes = [8, 32]": ("lanes = [8, 12]", "[[configurations]] number 1 key 'lanes': holds 12; a block of"),
    "lanes = [8,": ("lanes = [32,", "[[configurations]] number 1 key 'lanes': holds 32 twice"),
    'results = ["bf16", "fp16"]': (
        'results = "fp8"',
        "[[configurations]] number 2 key 'results': holds \"fp8\"; expected of",
    ),
    'result_field = "out_format"': ("", "key 'results': holds \"bf16\", but rule block32_fp32_add gives fp32"),
    'rules = ["block32_fp32_add"]': ("rules = []", "[[configurations]] number 2 key 'rules': is an empty list"),
    "depth = [0, 1]": ("depht = 1", "[[configurations]] number 2 key 'depht': is unknown (did you mean 'depth'?)"),
    "quick = true": ('quick = "yes"', "key 'quick': is \"yes\"; expected true or false"),
    "Extra = true": ("Extra = []", "key 'Extra': is []; expected an integer or a string"),
}


@pytest.mark.parametrize("old", MISTAKES)
def test_a_mistake_is_named(old, tmp_path):
    new, sentence = MISTAKES[old]
    assert SOUND.count(old) >= 1
    with pytest.raises(DescriptionError) as caught:
        load(tmp_path, SOUND.replace(old, new, 1))
    text = str(caught.value)
    assert text.startswith(str(tmp_path / "mine.toml"))
    assert sentence in text
    assert "\n" not in text


@pytest.mark.parametrize("data", [b"\xff", b"version = ", b"a = " + b"[" * 5000, b"x = " + b"9" * 5000])
def test_what_is_no_toml_is_said(data, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_bytes(data)
    with pytest.raises(DescriptionError, match=r"not valid TOML|not UTF-8"):
        load_description(path)


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path, "a\0b"):
        with pytest.raises(DescriptionError, match=r"cannot be read|not a path"):
            load_description(path)


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 70), st.floats(allow_nan=False), st.text(max_size=3),
    st.sampled_from(["all", "all_pairs", "depth", "a_elements", "mxfp8_e4m3", "e4m3", "nvfp4", "low", "clk"]),
    st.lists(st.integers(0, 33), max_size=2), st.builds(dict),
    st.fixed_dictionaries({"port": st.just("a")}), st.fixed_dictionaries({"from": st.just("depth")}),
)  # fmt: skip


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    return repr(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_]+", key) else _toml(key)


def _places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [found for key, each in inner for found in [(*path, key), *_places(each, (*path, key))]]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_description_is_refused_or_means_something(data, tmp_path):
    """One to three values are replaced, removed or put beside others: an error in a line, or a description."""
    tree = tomllib.loads(SOUND)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(_places(tree)))
        inner = tree
        for key in place[:-1]:
            inner = inner[key]
        value = data.draw(_VALUES)
        if value is None:
            del inner[place[-1]]
        elif data.draw(st.booleans()) and isinstance(inner, dict):
            inner[data.draw(st.text("abclowporta_", min_size=1, max_size=5))] = value
        else:
            inner[place[-1]] = value
        if not tree:
            break
    text = "\n".join(f"{_key(key)} = {_toml(value)}" for key, value in tree.items())
    described, error = None, ""
    try:
        described = load(tmp_path, text)
    except DescriptionError as refused:
        error = str(refused)
    if described is None:
        assert error.startswith(str(tmp_path / "mine.toml"))
        assert "\n" not in error
        return
    for configuration in described.configurations:
        described.parameter_values(configuration)
        described.port_widths(configuration)
        described.latency(configuration)
