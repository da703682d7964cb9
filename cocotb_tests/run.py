"""Simulate designs against the reference model: `python -m cocotb_tests.run --help`.

For each chosen configuration of each described design: make vectors, build, play them, compare. Ends with one table
and exit code 0 (all right), 1 (a mismatch or another failure of a DUT), or 2 (could not run; one line says why).
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cocotb_tests import report, simulators
from cocotb_tests.jobs import ROOT, Bench, Outcome, described_units
from cocotb_tests.operations import FAMILIES
from cocotb_tests.operations.base import VectorRequest
from cocotb_tests.parallel import run_all
from cocotb_tests.selection import Filters, Selection, select_configurations
from cocotb_tests.vector_sets import obtain_vectors
from refmodel.conformance import load_description
from refmodel.errors import DefinitionError, MxError, unknown_name
from refmodel.vectors.pairs import TensorPair, load_pairs

CANNOT_RUN = 2
INTERRUPTED = 130

LEAST_COUNT = 1_000
"""Vectors of a set by default, however slow the design; fewer where the default is lower in any case."""

DEFAULT_INPUT = ROOT / "vectors" / "real" / "minilm.safetensors"


@dataclass(frozen=True, slots=True)
class Request:
    """A checked command line."""

    sim: str
    chosen: tuple[Selection, ...]
    count: int | None
    seed: int
    tensors: Sequence[TensorPair]
    words: tuple[str, ...]
    vector: int | None
    show_classes: bool
    jobs: int

    def vectors_for(self, selection: Selection) -> VectorRequest:
        """Return what vector sets for a configuration are made from."""
        count = self.count
        if count is None:
            count = FAMILIES[selection.description.operation.name].default_count[self.sim]
            # A block that comes in many beats takes as many cycles.
            count = max(min(count, LEAST_COUNT), count // selection.configuration.beats)
        return VectorRequest(count, self.seed, self.tensors)

    def replay_command(self, selection: Selection) -> str:
        """Return the shell command that repeats the simulation of one configuration."""
        words = ["make", "sim", f"SIM={self.sim}", f"UNIT={selection.description.name}"]
        words += [f"CONFIG={selection.configuration.name}"]
        words += [f"COUNT={self.vectors_for(selection).count}", f"SEED={self.seed}", *self.words]
        return shlex.join(words)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    try:
        request = parse(argv)
        outcomes = simulate(request)
    except (MxError, OSError) as error:
        print(f"make sim: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        return INTERRUPTED
    return conclude(request, outcomes, request.sim)


def conclude(request: Request, outcomes: Sequence[Outcome], title: str) -> int:
    """Print what was found, under a title for the table, and return the exit code."""
    console = report.make_console()
    report.print_problems(console, outcomes)
    if request.show_classes:
        report.print_classes(console, outcomes)
    report.print_table(console, outcomes, title)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def simulate(request: Request) -> list[Outcome]:
    """Run every job of *request*, several at a time, showing progress; return their outcomes in order.

    Raises:
        MxError: If a job could not run.
    """
    bench = Bench(request.sim, simulators.prepare(request.sim), ROOT / "build")
    return run_jobs(request, lambda selection: _simulate_one(request, bench, selection))


def run_jobs(request: Request, job: Callable[[Selection], Outcome]) -> list[Outcome]:
    """Run *job* for every choice of *request*, several at a time, showing progress; return the outcomes in order.

    Raises:
        MxError: If a job could not run.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"{request.sim}: build and simulate", total=len(request.chosen))

        def timed(selection: Selection) -> Outcome:
            outcome = job(selection)
            progress.advance(bar)
            if not console.is_terminal:
                verdict = "ok" if outcome.passed else "FAILED"
                name = f"{selection.description.name} {selection.configuration.name}"
                print(f"[{time.monotonic() - began:5.0f} s] {name}: {verdict}", file=sys.stderr, flush=True)
            return outcome

        return run_all(timed, request.chosen, request.jobs)


def _simulate_one(request: Request, bench: Bench, selection: Selection) -> Outcome:
    description, configuration = selection.description, selection.configuration
    directory = obtain_vectors(description, configuration, request.vectors_for(selection), bench.build_root / "vectors")
    if request.vector is not None:
        count = FAMILIES[description.operation.name].read(configuration, directory).count
        if not 0 <= request.vector < count:
            raise DefinitionError(f"VECTOR={request.vector}: the set has vectors 0 to {count - 1}")
    return bench.simulate(
        description, configuration, directory, seed=request.seed, replay=request.replay_command(selection),
        vector=request.vector,
    )  # fmt: skip


class Parser(argparse.ArgumentParser):
    """A parser that reports bad usage as every other error: one line, exit 2.

    Args:
        name: What such a line begins with.
        prog, description: For the help.
    """

    def __init__(self, name: str, prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description)
        self._name = name

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(CANNOT_RUN, f"{self._name}: {message}\n")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose designs, configurations and vectors."""
    parser.add_argument("--dut", metavar="FILE", help="the description of a design (default: every rtl/*.toml)")
    parser.add_argument("--unit", metavar="LIST", help="names of described designs (default: all)")
    parser.add_argument("--formats", metavar="LIST", help="block formats, or pairs A*B")
    parser.add_argument("--rule", metavar="LIST", help="accumulation rules, as the description names them")
    parser.add_argument("--result", metavar="LIST", help="number formats of results")
    parser.add_argument("--lanes", metavar="LIST", help="elements a beat")
    parser.add_argument("--depth", metavar="LIST", help="pipeline registers")
    parser.add_argument("--config", metavar="NAME", help="one configuration, by the name that a run prints")
    parser.add_argument("--all", action="store_true", help="every configuration that is described, not the quick ones")
    parser.add_argument(
        "--input",
        metavar="FILE[:NAME]",
        help=".npy, .npz or .safetensors to take blocks from (default: the shipped tensors)",
    )
    parser.add_argument("--input-b", metavar="FILE[:NAME]", help="the same for operand B")
    parser.add_argument(
        "--count",
        type=_integer,
        metavar="N",
        help="vectors a set at least (default 20000, of several blocks 5000; under icarus 500)",
    )
    parser.add_argument("--seed", type=_integer, default=1, metavar="S", help="0 or more (default 1)")
    parser.add_argument("--classes", action="store_true", help="print the vectors of each stimulus class, too")
    parser.add_argument("--jobs", type=_integer, metavar="N", help="simulations at a time (default: one a core)")


def parse(argv: Sequence[str] | None) -> Request:
    """Return the request that the command line makes.

    Raises:
        MxError: If it is not one that can be met.
    """
    parser = Parser(
        "make sim", "python -m cocotb_tests.run", "Simulate described designs against the model, bit for bit."
    )
    parser.add_argument(
        "--sim",
        default="verilator",
        metavar="SIM",
        help=f"{' or '.join(simulators.SIMULATORS)} (default verilator)",
    )
    add_options(parser)
    parser.add_argument("--vector", type=_integer, metavar="N", help="play this vector of the set alone")
    given = parser.parse_args(argv)
    return make_request(given, given.sim, given.vector)


def make_request(given: argparse.Namespace, sim: str, vector: int | None = None) -> Request:
    """Return the request that is made by the options of `add_options`.

    Raises:
        MxError: If it is not one that can be met.
    """
    if sim not in simulators.SIMULATORS:
        raise unknown_name("simulator", sim, simulators.SIMULATORS)
    jobs = os.cpu_count() or 1 if given.jobs is None else given.jobs
    if jobs < 1:
        raise DefinitionError(f"JOBS={jobs}: at least one simulation must run")
    words = [f"DUT={given.dut}"] if given.dut else []
    if given.dut:
        described = load_description(given.dut)
        descriptions = {described.name: described}
    else:
        descriptions = described_units()
    filters = Filters(
        unit=_list(given.unit), formats=_list(given.formats), rule=_list(given.rule), result=_list(given.result),
        lanes=_list(given.lanes), depth=_list(given.depth), config=given.config,
    )  # fmt: skip
    chosen = select_configurations(descriptions, filters, everything=given.all)
    if vector is not None and len(chosen) != 1:
        raise DefinitionError(
            f"VECTOR= names a vector of one set, and {len(chosen)} are chosen; give UNIT= and CONFIG= of one"
        )
    if given.input_b is not None and given.input is None:
        raise DefinitionError("INPUT_B= gives the tensors of B and needs INPUT= for those of A")
    tensors = load_pairs(given.input or str(DEFAULT_INPUT), given.input_b)
    words += [f"INPUT={given.input}"] if given.input else []
    words += [f"INPUT_B={given.input_b}"] if given.input_b else []
    return Request(sim, chosen, given.count, given.seed, tensors, tuple(words), vector, given.classes, jobs)


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text else ()


def _integer(text: str) -> int:
    """Return the integer that *text* is; its range is judged later."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None


if __name__ == "__main__":
    sys.exit(main())
