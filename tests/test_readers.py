"""Generated readers: each is compiled in its language, reads a real set and counts what the model counts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cocotb_tests.simulators import prepare
from refmodel import cli
from refmodel.errors import DefinitionError, FileError, MissingPackageError, UnknownNameError
from refmodel.vectors import readers
from refmodel.vectors.conversions import make_quantize_vectors
from refmodel.vectors.dotset import make_dot_vectors
from refmodel.vectors.files import write_vectors
from refmodel.vectors.packings import UnpackVectors, make_pack_vectors
from refmodel.vectors.readers import write_readers
from refmodel.vectors.singles import make_decode_vectors
from refmodel.vectors.vectorset import VectorSet

NAME = "mx_vectors"
SETS: dict[str, Callable[[], VectorSet]] = {
    "dot": lambda: make_dot_vectors(
        "mxfp6_e3m2", "mxfp4_e2m1", rule="exact_fp32", multi_block=True, initial_values=True, count=1, seed=1
    ),
    "quantize": lambda: make_quantize_vectors("nvfp4", input_format="bf16", count=1, seed=1),
    "decode": lambda: make_decode_vectors("e2m3", count=1, seed=1),
    "unpack": lambda: make_pack_vectors("mxfp6_e2m3", scale_position="last", count=1, seed=1, kind=UnpackVectors),
}
OF_PLANE, OF_CLASS = "plane", "class"


def expected(vectors: VectorSet) -> list[str]:
    """Return what the programs print: rows and sum of codes modulo 2**32 of each plane, vectors of each class."""
    lines = [
        f"plane {plane.name} {len(plane.codes)} {int(plane.codes.astype(np.uint64).sum()) % (1 << 32)}"
        for plane in vectors.planes()
    ]
    return lines + [f"class {i} {each.count}" for i, each in enumerate(vectors.classes)]


@pytest.fixture(params=SETS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[VectorSet, Path]:
    """A set, and the folder that has it in `set` and its readers."""
    vectors = SETS[request.param]()
    write_vectors(vectors, tmp_path / "set", ["hex", "bin"])
    write_readers(tmp_path / "set", tmp_path, ["sv", "vhdl", "c"])
    return vectors, tmp_path


def run(*command: str | Path, cwd: Path) -> str:
    result = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def printed(output: str) -> list[str]:
    """Return the lines of an output that count something."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    return [line for line in lines if line.startswith((OF_PLANE, OF_CLASS))]


def sv_bench(vectors: VectorSet) -> str:
    counting = "\n".join(
        f"""    sum = 0;
    for (int row = 0; row < {plane.name.upper()}_ROWS; row = row + 1)
      for (int i = 0; i < {plane.name.upper()}_CODES; i = i + 1)
        sum = sum + 32'({plane.name}_code(row, i));
    $display("plane {plane.name} %0d %0d", {plane.name.upper()}_ROWS, sum);"""
        for plane in vectors.planes()
    )
    return f"""module counter;
  import {NAME}::*;
  logic [31:0] sum;
  int of_class [0:CLASSES-1];
  initial begin
    load("set");
{counting}
    for (int i = 0; i < CLASSES; i = i + 1) of_class[i] = 0;
    for (int i = 0; i < {vectors.vectors}; i = i + 1) of_class[class_of(i)] = of_class[class_of(i)] + 1;
    for (int i = 0; i < CLASSES; i = i + 1) $display("class %0d %0d", i, of_class[i]);
    $finish;
  end
endmodule
"""


def test_icarus_reads_the_package(made: tuple[VectorSet, Path]) -> None:
    vectors, folder = made
    if shutil.which("iverilog") is None:
        pytest.skip("iverilog is not on PATH: apt-get install iverilog")
    (folder / "counter.sv").write_text(sv_bench(vectors))
    run("iverilog", "-g2012", "-Wall", "-o", "counter", f"{NAME}.sv", "counter.sv", cwd=folder)
    assert printed(run("vvp", "-n", "counter", cwd=folder)) == expected(vectors)


def test_verilator_reads_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        monkeypatch.setenv(name, os.environ[name])  # what the simulator needs is set for this test only
    prepare("verilator")
    vectors = SETS["dot"]()
    write_vectors(vectors, tmp_path / "set")
    write_readers(tmp_path / "set", tmp_path, ["sv"])
    (tmp_path / "counter.sv").write_text(sv_bench(vectors))
    command = ["verilator", "--binary", "-Wall", "-Wno-UNUSED", "--output-split", "0", "-CFLAGS", "-O0"]
    run(*command, "--top-module", "counter", "-Mdir", "build", f"{NAME}.sv", "counter.sv", cwd=tmp_path)
    assert printed(run(tmp_path / "build" / "Vcounter", cwd=tmp_path)) == expected(vectors)


def vhdl_bench(vectors: VectorSet) -> str:
    reading = "\n".join(
        f"""    {plane.name}_data := {plane.name}_read("set");
    total := (others => '0');
    for row in {plane.name}_data'range loop
      for i in 0 to {plane.name}_codes - 1 loop
        total := total + resize(unsigned({plane.name}_data(row)(
          (i + 1) * {plane.name}_code_bits - 1 downto i * {plane.name}_code_bits)), 32);
      end loop;
    end loop;
    write(text_line, string'("plane {plane.name} ") & integer'image({plane.name}_rows) & " x" & to_hstring(total));
    writeline(output, text_line);"""
        for plane in vectors.planes()
    )
    data = "\n".join(f"    variable {plane.name}_data : {plane.name}_words;" for plane in vectors.planes())
    return f"""library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use std.textio.all;
use work.{NAME}.all;
entity counter is end entity;
architecture test of counter is
begin
  process
    type counts is array (0 to class_count - 1) of natural;
    variable of_class : counts := (others => 0);
    variable total : unsigned(31 downto 0);
    variable text_line : line;
{data}
  begin
{reading}
    for i in 0 to {vectors.vectors} - 1 loop
      of_class(class_of(i)) := of_class(class_of(i)) + 1;
    end loop;
    for i in counts'range loop
      write(text_line, string'("class ") & integer'image(i) & " " & integer'image(of_class(i)));
      writeline(output, text_line);
    end loop;
    wait;
  end process;
end architecture;
"""


def test_ghdl_reads_the_package(made: tuple[VectorSet, Path]) -> None:
    vectors, folder = made
    if shutil.which("ghdl") is None:
        pytest.skip("ghdl is not on PATH: apt-get install ghdl")
    (folder / "counter.vhd").write_text(vhdl_bench(vectors))
    run("ghdl", "-a", "--std=08", f"{NAME}.vhd", "counter.vhd", cwd=folder)
    run("ghdl", "-e", "--std=08", "counter", cwd=folder)
    lines = printed(run("ghdl", "-r", "--std=08", "counter", cwd=folder))
    in_decimal = [
        " ".join([*line.split()[:3], str(int(line.split()[3][1:], 16))]) if line.startswith(OF_PLANE) else line
        for line in lines
    ]
    assert in_decimal == expected(vectors)


def c_program(vectors: VectorSet) -> str:
    counting = "\n".join(
        f"""    sum = 0;
    for (size_t row = 0; row < {NAME.upper()}_{plane.name.upper()}_ROWS; row++)
        for (unsigned i = 0; i < {NAME.upper()}_{plane.name.upper()}_CODES; i++)
            sum += {NAME}_{plane.name}(&vectors, row, i);
    printf("plane {plane.name} %u %u\\n", {NAME.upper()}_{plane.name.upper()}_ROWS, (unsigned)sum);"""
        for plane in vectors.planes()
    )
    return f"""#include "{NAME}.h"

int main(int argc, char **argv) {{
    {NAME} vectors;
    unsigned of_class[{NAME.upper()}_CLASSES] = {{0}};
    uint32_t sum;
    if (argc != 2 || {NAME}_load(&vectors, argv[1]) != 0) return 1;
{counting}
    for (uint64_t i = 0; i < {vectors.vectors}u; i++) of_class[{NAME}_class_of(i)]++;
    for (unsigned i = 0; i < {NAME.upper()}_CLASSES; i++) printf("class %u %u\\n", i, of_class[i]);
    {NAME}_free(&vectors);
    return 0;
}}
"""


def compile_c(folder: Path, vectors: VectorSet) -> None:
    if shutil.which("cc") is None:
        pytest.skip("cc is not on PATH: apt-get install gcc")
    (folder / "counter.c").write_text(c_program(vectors))
    run("cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-o", "counter", "counter.c", cwd=folder)


def test_c_reads_the_header(made: tuple[VectorSet, Path]) -> None:
    vectors, folder = made
    compile_c(folder, vectors)
    assert printed(run(folder / "counter", "set", cwd=folder)) == expected(vectors)


def test_damaged_planes_are_named(tmp_path: Path) -> None:
    """A reader is no judge of digests, but it never goes on with a plane of another size."""
    vectors = SETS["decode"]()
    write_vectors(vectors, tmp_path / "set", ["hex", "bin"])
    write_readers(tmp_path / "set", tmp_path, ["vhdl", "c"])
    compile_c(tmp_path, vectors)
    plane = tmp_path / "set" / "value.bin"
    for data in (plane.read_bytes()[:-1], plane.read_bytes() + b"0", None):
        if data is None:
            plane.unlink()
        else:
            plane.write_bytes(data)
        command = [tmp_path / "counter", "set"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 1
        assert "set/value.bin: cannot be read, or is not of 256 bytes" in result.stderr
    if shutil.which("ghdl") is not None:
        (tmp_path / "counter.vhd").write_text(vhdl_bench(vectors))
        run("ghdl", "-a", "--std=08", f"{NAME}.vhd", "counter.vhd", cwd=tmp_path)
        run("ghdl", "-e", "--std=08", "counter", cwd=tmp_path)
        hex_plane = tmp_path / "set" / "value.hex"
        for text, message in (("00000000\n", "ends before word 2"), ("00000000\nwrong\n", "word 2 is not in hex")):
            hex_plane.write_text(text)
            result = subprocess.run(
                ["ghdl", "-r", "--std=08", "counter"], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert result.returncode != 0
            assert message in result.stdout + result.stderr


def test_the_command_and_what_it_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_vectors(SETS["decode"](), tmp_path / "set")
    out = tmp_path / "out"
    assert cli.main(["readers", str(path), "--language", "sv,vhdl", "--output", str(out), "--name", "mx_e2m3"]) == 0
    assert capsys.readouterr().out.split() == [str(out / "mx_e2m3.sv"), str(out / "mx_e2m3.vhd")]
    assert sorted(each.name for each in out.iterdir()) == ["mx_e2m3.sv", "mx_e2m3.vhd"]
    with pytest.raises(FileError, match="has no planes in form 'bin', which a reader in c needs"):
        write_readers(path, tmp_path / "no", ["sv", "c"])
    with pytest.raises(UnknownNameError, match="language 'ada'"):
        write_readers(path, tmp_path / "no", ["ada"])
    for name in ("1x_y", "module", "a__b", "A_b", "a_"):
        with pytest.raises(DefinitionError, match="single underscores"):
            write_readers(path, tmp_path / "no", ["sv"], name)

    def missing() -> None:
        raise MissingPackageError("readers need the package jinja2")

    monkeypatch.setattr(readers, "_environment", missing)
    with pytest.raises(MissingPackageError):
        write_readers(path, tmp_path / "no", ["sv"])
    assert not (tmp_path / "no").exists()
    assert cli.main(["readers", str(tmp_path / "none"), "--output", str(out)]) == 2
    assert "manifest.json: cannot be read" in capsys.readouterr().err
