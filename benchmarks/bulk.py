"""Time bulk mode: `python -m benchmarks.bulk --help`.

The same vectors through the same unit, three ways: by the driver of bulk mode with every check, by a loop in C++ that
sets the ports, evaluates and reads the result, a vector a clock cycle, in the same program, and by the per-cycle
cocotb bench. The first two take turns; a ratio is the median over the rounds of two times of one round. Times are
processor times of one thread; what is done once before and after a stream (making vectors, packing, comparing) is
given beside them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from cocotb_tests import simulators
from cocotb_tests.bulk import plan
from cocotb_tests.bulk.program import build
from cocotb_tests.jobs import ROOT, Bench, build_name
from cocotb_tests.operations import FAMILIES
from cocotb_tests.port_values import port_values
from cocotb_tests.run import Request, parse
from cocotb_tests.selection import Selection
from cocotb_tests.vector_sets import obtain_vectors
from refmodel.cli.common import print_table

UNIT = "mx_dot"

Result = TypeVar("Result")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description="Time bulk mode.")
    parser.add_argument("--count", type=int, default=100_000, metavar="N", help="vectors (default 100000)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds (default 7)")
    parser.add_argument("--formats", default="mxfp8_e4m3", metavar="LIST", help="formats (default mxfp8_e4m3)")
    parser.add_argument("--depth", default="3", metavar="N", help="pipeline registers (default 3)")
    given = parser.parse_args(argv)
    words = ["--unit", UNIT, "--formats", given.formats, "--depth", given.depth, "--rule", "exact_fp32"]
    words += ["--result", "fp32", "--lanes", "32", "--count", str(given.count)]
    request = parse(words)
    version = simulators.prepare("verilator")
    print(f"{version}, vectors a second of processor time")
    print_table(
        ("formats", "depth", "vectors", "bulk", "bare C++ loop", "bulk over bare", "cocotb", "make", "pack", "compare"),
        [row(request, selection, version, given.rounds) for selection in request.chosen],
    )


def row(request: Request, selection: Selection, version: str, rounds: int) -> tuple[str, ...]:
    """Time one configuration; the last three are vectors a second of what is done once."""
    description, configuration = selection.description, selection.configuration
    program = build(
        version, description, configuration,
        ROOT / "build" / "bulk" / build_name(description, description.parameter_values(configuration)),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        call = request.vectors_for(selection)
        made, directory = timed(lambda: obtain_vectors(description, configuration, call, folder / "vectors"))
        items = FAMILIES[description.operation.name].read(configuration, directory)
        packed, values = timed(lambda: port_values(items, description, configuration, program.widths))
        files = plan.write_plan(program, values, [plan.Segment(np.arange(items.count))], 1, folder)
        bulk, bare = [], []
        for _ in range(rounds):
            (report,) = plan.play(program, files, folder)
            assert not report.failure, report.failure
            compared, right = timed(partial(np.array_equal, report.results, values.expected))
            assert right, "results differ from the expected ones"
            bulk.append(report.seconds)
            (loop,) = plan.run_driver(program, ["bare", files.beats, 1])
            bare.append(loop["seconds"])
        bench = Bench("verilator", version, ROOT / "build")
        outcome = bench.simulate(description, configuration, directory, seed=1, replay="")
        assert outcome.passed, outcome.failures
    rates = [items.count / statistics.median(times) for times in (bulk, bare)]
    ratio = statistics.median(b / a for a, b in zip(bulk, bare, strict=True))
    once = [f"{items.count / seconds:,.0f}" for seconds in (made, packed, max(compared, 1e-9))]
    cocotb = outcome.comparisons / outcome.seconds
    return (
        configuration.format_name, str(configuration.depth), f"{items.count:,}", *(f"{each:,.0f}" for each in rates),
        f"{ratio:.2f}", f"{cocotb:,.0f}", *once,
    )  # fmt: skip


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the processor seconds that *work* takes, and what it returns."""
    began = time.process_time()
    done = work()
    return time.process_time() - began, done


if __name__ == "__main__":
    main()
