"""Bulk mode finds what the per-cycle bench finds: wrong values, broken streams, designs that hang or do not fit."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

pytest.importorskip("cocotb", reason="the bench needs the extra sim: pip install -e '.[sim]'")

from test_bench import SOUND, STUB, STUB_TOML, Fault, vectors  # noqa: F401 (a fixture)

from cocotb_tests import simulators
from cocotb_tests.bulk import __main__ as command
from cocotb_tests.bulk.program import build
from cocotb_tests.bulk.sets import judge
from cocotb_tests.operations import FAMILIES
from cocotb_tests.port_values import port_values
from refmodel.conformance import load_description
from refmodel.errors import DescriptionError
from refmodel.vectors.files import write_vectors

FAULTS = {
    "never_ready": Fault(
        {"ready_o": "1'b0", "open": "1'b0"},
        r"hung: no transfer .* ready_o is 0.* 0 of \d+ beats accepted; .* waiting for the result of vector 0 ",
    ),
    "early": Fault(
        {"valid_o": "core_valid || fresh", "ready_o": "core_ready && !fresh", "open": "!fresh"},
        r"a result came before the last beat of its item",
        "logic was, fresh; always_ff @(posedge clk_i) was <= !rst_ni;\n  assign fresh = was && rst_ni;",
    ),
}


@pytest.fixture
def play(tmp_path):
    """Return a function that plays vectors through the stub, with a fault or sound."""
    try:
        version = simulators.prepare("verilator")
    except simulators.ToolError as error:
        pytest.skip(str(error))

    def run(vectors, fault=None, change=("", "")):  # noqa: F811
        fault = fault or Fault({}, "")
        assigns = [f"assign {port} = {value};" for port, value in (SOUND | fault.connections).items()]
        text = STUB.read_text().replace("@FAULT@", "\n  ".join([fault.statements, *assigns]))
        (tmp_path / "stream_stub.sv").write_text(text)
        (tmp_path / "stream_stub.toml").write_text(STUB_TOML.read_text().replace(*change))
        description = load_description(tmp_path / "stream_stub.toml")
        configuration = description.configurations[0]
        program = build(version, description, configuration, tmp_path / "builds" / "stub")
        write_vectors(vectors, tmp_path / "vectors" / "0")
        items = FAMILIES["dot"].read(configuration, tmp_path / "vectors")
        values = port_values(items, description, configuration, program.widths)
        return judge(program, values, 1, "make sim ...", tmp_path)

    return run


def test_values_and_streams_are_judged(vectors, play):  # noqa: F811
    outcome = play(vectors)
    assert outcome.passed, outcome
    assert sum(outcome.classes.values()) == vectors.dots
    assert outcome.comparisons > vectors.dots  # those under stalls come on top
    results = vectors.results.copy()
    results[123] ^= 1 << 7
    outcome = play(dataclasses.replace(vectors, results=results))
    assert outcome.mismatches == [123]
    assert f"seen     0x{vectors.results[123]:08x}" in outcome.reports[0]
    assert "replay: make sim ... VECTOR=123" in outcome.reports[0]
    outcome = play(vectors, change=("latency = 1", "latency = 2"))
    assert re.search(r"came 1 cycles after its last beat; the description promises 2", outcome.failures[0])
    assert play(vectors, change=("latency = 1", "capacity = 1")).passed
    outcome = play(vectors, change=("latency = 1", "capacity = 2"))
    assert re.search(r"1 beats were taken while no result was; the description promises 2", outcome.failures[0])
    with pytest.raises(DescriptionError, match="stream_stub has no port results_o"):
        play(vectors, change=('result = "result_o"', 'result = "results_o"'))


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_stream_is_reported(name, vectors, play):  # noqa: F811
    failures = play(vectors, FAULTS[name]).failures
    assert re.search(FAULTS[name].sentence, "\n".join(failures)), failures


def test_a_record_keeps_sets_from_being_played_again(tmp_path, capsys):
    record = tmp_path / "record.jsonl"
    words = ["--unit", "mx_dequantize", "--formats", "mxfp4_e2m1", "--depth", "0", "--count", "21000"]
    words += ["--record", str(record)]
    assert command.main(words) == 0
    entries = [json.loads(line) for line in record.read_text().splitlines()]
    assert [(each["seed"], each["mismatches"]) for each in entries] == [(1, 0), (2, 0)]
    assert sum(each["vectors"] for each in entries) >= 21_000
    before = record.read_bytes()
    assert command.main(words) == 0
    assert record.read_bytes() == before
    assert f"{sum(each['vectors'] for each in entries):,}" in capsys.readouterr().out
    record.write_text("{}\n")
    assert command.main(words) == 2
    assert "is no record of sets" in capsys.readouterr().err
