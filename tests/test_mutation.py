"""Mutants are told apart: those that change a result, those that change nothing, and those that touch the stream."""

from __future__ import annotations

import dataclasses
import shutil

import pytest

pytest.importorskip("bitwuzla", reason="mutation needs the extra formal: pip install -e '.[formal]'")

from test_bench import SOUND, STUB, STUB_TOML

from cocotb_tests.selection import Selection
from flows import rtl
from flows.mutation import equivalence, netlist, taint
from flows.mutation.kill import Kill
from flows.mutation.netlist import Mutant, Unit
from flows.mutation.results import Evidence, State, entry_of
from flows.synthesis.yosys import ToolError, find_yosys
from refmodel.conformance import load_description

CONTROL = ("ready_o", "valid_o")


@pytest.fixture(scope="module")
def unit():
    """The stub of the bench, a register behind exclusive ors; it counts what it gives, and nothing reads that."""
    try:
        yosys = find_yosys()
    except ToolError as error:
        pytest.skip(str(error))
    directory = rtl.ROOT / "build" / "test_mutation"
    directory.mkdir(parents=True, exist_ok=True)
    text = "\n  ".join(f"assign {port} = {value};" for port, value in SOUND.items())
    # The sum of a bit with what is 0 only if the bit is: an adder whose carry nothing needs.
    text = text.replace("core_result;", "core_result ^ {31'd0, core_result[3] & ~(core_result[3] | core_result[4])};")
    stub = STUB.read_text().replace("@FAULT@", text)
    stub = stub.replace("if (ready_o) data_o <= data_i;", "if (ready_o && valid_i) data_o <= data_i;")
    (directory / "stream_stub.sv").write_text(stub)
    (directory / "stream_stub.toml").write_text(STUB_TOML.read_text())
    description = load_description(directory / "stream_stub.toml")
    made = Unit(Selection(description, description.configurations[0]), directory, yosys)
    netlist.flatten(made)
    yield made
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def graph(unit):
    return taint.read_graph(unit.base.with_suffix(".json"), unit.top)


def planted(graph, kind, port, bit, mode, number=1):
    """Return a mutant at a port of the cells of a kind: of the widest one."""
    name = max((name for name, cell in graph.cells.items() if cell["type"] == kind),
               key=lambda name: max(map(len, graph.cells[name]["connections"].values())))  # fmt: skip
    return Mutant(number, f"mutate -mode {mode} -module stream_stub -cell {name} -port {port} -portbit {bit}")


def test_what_controls_the_stream_is_told_from_data(graph):
    register = planted(graph, "$dffe", "D", 0, "inv")
    assert taint.reaches_data_alone(graph, register.cell, "D", CONTROL)
    assert not taint.reaches_data_alone(graph, register.cell, "EN", CONTROL)
    valid = next(name for name, cell in graph.cells.items() if cell["type"].startswith("$dff") and name in graph.cut)
    assert not taint.reaches_data_alone(graph, valid, "D", CONTROL)


def enable_of(graph, register):
    """Return the cell that gives the enable of a register."""
    (bit,) = graph.cells[register.cell]["connections"]["EN"]
    return next(name for name, cell in graph.cells.items() if bit in cell["connections"].get("Y", ()))


def test_a_solver_decides_what_a_mutant_changes(unit, graph):
    mutants = [
        planted(graph, "$dffe", "D", 5, "inv", 1),  # a bit of every result
        planted(graph, "$and", "Y", 0, "const0", 2),  # what is 0 anyway
        planted(graph, "$xor", "B", 7, "const0", 3),  # a bit of an operand
        planted(graph, "$dffe", "EN", 0, "const1", 4),  # loads under back-pressure
    ]
    enable = enable_of(graph, mutants[0])  # the register is ready, and something comes
    mutants.append(Mutant(5, f"mutate -mode const1 -module stream_stub -cell {enable} -port B -portbit 0"))
    mutants.append(Mutant(6, f"mutate -mode const1 -module stream_stub -cell {enable} -port A -portbit 0"))
    found = {mutant.number: decision for mutant, decision in equivalence.decide(unit, graph, mutants, 30)}
    assert [found[number].verdict for number in (1, 2, 3, 4)] == ["differs", "equivalent", "differs", "undecided"]
    assert [found[number].verdict for number in (5, 6)] == ["equivalent", "undecided"]
    assert found[1].way == found[3].way == "flow"
    assert found[5].way == "guard"
    operand = next(port for port in ("a_elements_i", "b_elements_i", "a_scale_i", "b_scale_i") if found[3].inputs[port])
    assert int(found[3].inputs[operand], 16) >= 0


def test_rates_count_what_is_not_proven_equivalent(tmp_path):
    state = State(tmp_path / "state.json")
    for number in range(1, 8):
        state.kills[number] = Kill("smoke" if number < 6 else "sim", 0, number, "")
    state.survivors |= {8, 9}
    state.decisions[8] = equivalence.Decision("equivalent", "state", 0.1)
    state.decisions[9] = equivalence.Decision("differs", "flow", 0.1, {"c_i": "1"})
    state.save()
    mutants = [Mutant(number, f"mutate -mode inv -cell x -port Y -portbit {number}") for number in range(1, 10)]
    entry = entry_of("u", "c", 1, mutants, State(tmp_path / "state.json"), vectors={}, tools=["t"], digest="d")
    assert (entry.smoke, entry.sim, entry.sign_off, entry.equivalent, len(entry.escapes)) == (5, 2, 0, 1, 1)
    assert entry.rate(["smoke"]) == 5 / 8
    evidence = Evidence(tmp_path / "mutation.json")
    evidence.put(entry)
    evidence.put(dataclasses.replace(entry, digest="e"))
    assert [each.digest for each in evidence.entries()] == ["e"]
    assert evidence.entries()[0].escapes == entry.escapes
