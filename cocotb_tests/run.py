"""Simulate the units against the reference model: `python -m cocotb_tests.run --help`.

For each unit and format pair: make vectors, build, play them, compare. Ends with one table and exit code 0
(all right), 1 (a mismatch or another failure of a DUT), or 2 (could not run; one line says why).
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cocotb_tests import report, simulators
from cocotb_tests.jobs import ROOT, Bench, Outcome, rtl_sources
from cocotb_tests.units import DEFAULT_PAIRS, UNITS, FormatPair, Unit, get_unit, parse_pair
from cocotb_tests.vector_sets import VectorRequest, obtain_vectors
from refmodel.errors import DefinitionError, MxError, unknown_name
from refmodel.formats import OCP_FORMATS
from refmodel.vectors.pairs import TensorPair, load_pairs

CANNOT_RUN = 2
INTERRUPTED = 130
DEFAULT_COUNT = {"verilator": {False: 20_000, True: 5_000}, "icarus": {False: 500, True: 500}}
"""Vectors a set by default: by simulator, and by whether vectors are of several blocks (about 5)."""

DEFAULT_INPUT = ROOT / "vectors" / "real" / "minilm.safetensors"
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Request:
    """A checked command line."""

    sim: str
    units: tuple[Unit, ...]
    pairs: tuple[FormatPair, ...]
    count: int | None
    seed: int
    tensors: Sequence[TensorPair]
    input_words: tuple[str, ...]
    vector: int | None
    show_classes: bool

    def vectors_for(self, unit: Unit) -> VectorRequest:
        """Return what vector sets for *unit* are made from."""
        count = DEFAULT_COUNT[self.sim][unit.marks_blocks] if self.count is None else self.count
        return VectorRequest(count, self.seed, self.tensors)

    def replay_command(self, unit: Unit, pair: FormatPair) -> str:
        """Return the shell command that repeats the simulation of *unit* for *pair*."""
        words = ["make", "sim", f"SIM={self.sim}", f"UNIT={unit.name}", f"FORMATS={pair.name}"]
        words += [f"COUNT={self.vectors_for(unit).count}", f"SEED={self.seed}", *self.input_words]
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
    console = report.make_console()
    report.print_problems(console, outcomes)
    if request.show_classes:
        report.print_classes(console, outcomes)
    report.print_table(console, outcomes, request.sim)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def simulate(request: Request) -> list[Outcome]:
    """Run every job of *request*, two at a time, showing progress; return their outcomes in order.

    Raises:
        MxError: If a job could not run.
    """
    bench = Bench(request.sim, simulators.prepare(request.sim), rtl_sources(), ROOT / "build")
    chosen = [(unit, pair) for unit in request.units for pair in request.pairs]
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    began = time.monotonic()
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
        ThreadPoolExecutor(WORKERS) as pool,
    ):
        bar = progress.add_task(f"{request.sim}: build and simulate", total=len(chosen))

        def job(unit: Unit, pair: FormatPair) -> Outcome:
            outcome = _simulate_one(request, bench, unit, pair)
            progress.advance(bar)
            if not console.is_terminal:
                verdict = "ok" if outcome.passed else "FAILED"
                print(
                    f"[{time.monotonic() - began:5.0f} s] {unit.name} {pair.name}: {verdict}",
                    file=sys.stderr,
                    flush=True,
                )
            return outcome

        futures = [pool.submit(job, unit, pair) for unit, pair in chosen]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        failed = [future for future in futures if not future.cancelled() and future.exception()]
        return [future.result() for future in failed or futures]


def _simulate_one(request: Request, bench: Bench, unit: Unit, pair: FormatPair) -> Outcome:
    directory = bench.build_root / "vectors" / f"{unit.name}-{pair.slug}-{request.sim}"
    vectors = obtain_vectors(unit, pair, request.vectors_for(unit), directory)
    if request.vector is not None and not 0 <= request.vector < vectors.dots:
        raise DefinitionError(f"VECTOR={request.vector}: the set has vectors 0 to {vectors.dots - 1}")
    return bench.simulate(
        unit, pair, vectors, directory, seed=request.seed, replay=request.replay_command(unit, pair),
        vector=request.vector,
    )  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """Reports bad usage as every other error: one line, exit 2."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(CANNOT_RUN, f"make sim: {message}\n")


def parse(argv: Sequence[str] | None) -> Request:
    """Return the request that the command line makes.

    Raises:
        MxError: If it is not one that can be met.
    """
    parser = _Parser(
        prog="python -m cocotb_tests.run",
        description="Simulate the RTL units against the model, bit for bit.",
    )
    parser.add_argument(
        "--sim",
        default="verilator",
        metavar="SIM",
        help=f"{' or '.join(simulators.SIMULATORS)} (default verilator)",
    )
    parser.add_argument(
        "--unit", default=",".join(UNITS), metavar="LIST", help="units (default all: %(default)s)"
    )
    parser.add_argument(
        "--formats", default=",".join(pair.name for pair in DEFAULT_PAIRS), metavar="LIST",
        help=f"of {', '.join(OCP_FORMATS)}, or mixed pairs A*B (default: %(default)s)",
    )  # fmt: skip
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
        help="dot products a set at least (default 20000, of several blocks 5000; under icarus 500)",
    )
    parser.add_argument("--seed", type=_integer, default=1, metavar="S", help="0 or more (default 1)")
    parser.add_argument("--vector", type=_integer, metavar="N", help="play this dot product of the set alone")
    parser.add_argument(
        "--classes", action="store_true", help="print the vectors of each stimulus class, too"
    )
    given = parser.parse_args(argv)
    if given.sim not in simulators.SIMULATORS:
        raise unknown_name("simulator", given.sim, simulators.SIMULATORS)
    units = tuple(get_unit(name.strip()) for name in given.unit.split(","))
    pairs = tuple(parse_pair(text) for text in given.formats.split(","))
    if given.vector is not None and len(units) * len(pairs) != 1:
        raise DefinitionError("VECTOR= names a vector of one set; give UNIT= and FORMATS= with one name each")
    if given.input_b is not None and given.input is None:
        raise DefinitionError("INPUT_B= gives the tensors of B and needs INPUT= for those of A")
    tensors = load_pairs(given.input or str(DEFAULT_INPUT), given.input_b)
    words = [f"INPUT={given.input}"] if given.input else []
    words += [f"INPUT_B={given.input_b}"] if given.input_b else []
    return Request(
        given.sim, units, pairs, given.count, given.seed, tensors, tuple(words), given.vector, given.classes
    )


def _integer(text: str) -> int:
    """Return the integer that *text* is; its range is judged later."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None


if __name__ == "__main__":
    sys.exit(main())
