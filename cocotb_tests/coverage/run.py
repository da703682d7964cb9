"""Count what the vectors meet: `python -m cocotb_tests.coverage.run --help`.

Every chosen configuration is built with Verilator's counters of code coverage and played in bulk: all vectors at full
rate, all under random stalls, samples under every pattern, and for each bin of the model's handshake crosses an item
under every pattern and alone after a reset. Exit code 0: every reachable bin is met and every result right; 1:
otherwise; 2: could not run, one line says why.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocotb_tests import run, simulators
from cocotb_tests.bulk import plan
from cocotb_tests.bulk.plan import Segment
from cocotb_tests.bulk.program import build
from cocotb_tests.bulk.sets import judge
from cocotb_tests.coverage import code, report
from cocotb_tests.coverage.facts import facts_in
from cocotb_tests.coverage.model import HANDSHAKE, Coverpoint, Facts, Hits, count, read_model
from cocotb_tests.coverage.reach import Mask, reachable
from cocotb_tests.jobs import ROOT, Outcome, build_name
from cocotb_tests.operations import FAMILIES
from cocotb_tests.patterns import STALLS
from cocotb_tests.port_values import port_values
from cocotb_tests.report import make_console
from cocotb_tests.selection import Selection
from cocotb_tests.vector_sets import obtain_vectors
from refmodel.errors import MxError
from refmodel.writing import write_json

EVIDENCE = ROOT / "evidence" / "coverage.json"

# With counters in it Verilator cannot order some of the logic without repetition, and would stop for that.
_COUNTERS = ("--coverage-line", "--coverage-toggle", "-Wno-UNOPTFLAT")


@dataclass(frozen=True)
class Covered:
    """A coverpoint of one configuration.

    Attributes:
        coverpoint: What was counted.
        hits: By bin.
        reachable: By bin.
    """

    coverpoint: Coverpoint
    hits: Hits
    reachable: Mask

    @property
    def bins(self) -> int:
        """Number of bins that can be met."""
        return int(self.reachable.sum())

    @property
    def hit(self) -> int:
        """Number of those that were met."""
        return int((self.reachable & (self.hits > 0)).sum())

    @property
    def missed(self) -> list[str]:
        """Names of those that were not."""
        return [self.coverpoint.name_of(index) for index in np.argwhere(self.reachable & (self.hits == 0)).tolist()]

    @property
    def impossible(self) -> list[str]:
        """Names of bins that were met although the enumeration says that they cannot be."""
        return [self.coverpoint.name_of(index) for index in np.argwhere(~self.reachable & (self.hits > 0)).tolist()]


@dataclass(frozen=True)
class Job:
    """What a configuration met.

    Attributes:
        outcome: What was compared.
        covered: Its coverpoints.
        counts: Its points of code coverage.
    """

    outcome: Outcome
    covered: Sequence[Covered]
    counts: Mapping[code.Point, int]


def main(argv: Sequence[str] | None = None, root: Path = ROOT / "build" / "coverage") -> int:
    """Run the command and return its exit code."""
    parser = run.Parser("make coverage", "python -m cocotb_tests.coverage.run", "Count what the vectors meet.")
    run.add_options(parser)
    given = parser.parse_args(argv)
    done: dict[tuple[str, str], Job] = {}
    try:
        request = run.make_request(given, "verilator")
        version = simulators.prepare(request.sim)
        model, exclusions = read_model(), code.read_exclusions()

        def job(selection: Selection) -> Outcome:
            found = done[_names(selection)] = cover(request, selection, version, model, root)
            return found.outcome

        outcomes = run.run_jobs(request, job)
    except (MxError, OSError) as error:
        print(f"make coverage: {' '.join(str(error).split())}", file=sys.stderr)
        return run.CANNOT_RUN
    except KeyboardInterrupt:
        return run.INTERRUPTED
    jobs = [done[_names(selection)] for selection in request.chosen]
    status = run.conclude(request, outcomes, "coverage")
    counts = code.add(each.counts for each in jobs)
    console = make_console()
    report.print_functional(console, jobs)
    report.print_code(console, counts, exclusions)
    if not any((given.unit, given.formats, given.dut, given.config, given.count, given.rule, given.all)):
        write_json(EVIDENCE, report.as_json(version, request.seed, jobs, counts, exclusions))
    return status or int(any(each.missed or each.impossible for job in jobs for each in job.covered))


def _names(selection: Selection) -> tuple[str, str]:
    return selection.description.name, selection.configuration.name


def cover(request: run.Request, selection: Selection, version: str, model: Sequence[Coverpoint], root: Path) -> Job:
    """Play the vectors of a configuration and count what they meet.

    Args:
        request: What is asked for.
        selection: The configuration.
        version: What `simulators.prepare` returned for Verilator.
        model: The coverpoints.
        root: Directory for builds and vector sets.

    Raises:
        MxError: If a tool fails.
    """
    description, configuration = selection.description, selection.configuration
    operation = description.operation.name
    directory = root / build_name(description, description.parameter_values(configuration))
    program = build(version, description, configuration, directory, further=_COUNTERS)
    vectors = obtain_vectors(description, configuration, request.vectors_for(selection), root / "vectors")
    items = FAMILIES[operation].read(configuration, vectors)
    of, facts = facts_in(vectors, operation, configuration)
    chosen = [each for each in model if each.of == of and set(each.axes) - {HANDSHAKE} <= set(facts[0].axes)]
    everything = np.arange(items.count)
    rare = representatives(chosen, facts)
    further = [Segment(everything, STALLS[0]), *(Segment(rare, each) for each in STALLS[1:])]
    further += [Segment(rare[i : i + 1]) for i in range(len(rare))]
    values = port_values(items, description, configuration, program.widths)
    with tempfile.TemporaryDirectory(prefix="mx-coverage-") as name:
        replay = request.replay_command(selection)
        outcome = judge(program, values, request.seed, replay, Path(name), further)
        counts = code.read_counts(Path(name) / plan.COUNTERS)
    covered = [
        Covered(
            each,
            np.sum([count(each, part, outcome.met) for part in facts], axis=0),
            reachable(each, configuration, multi_block=operation != "dot"),
        )
        for each in chosen
    ]
    return Job(outcome, covered, counts)


def representatives(model: Sequence[Coverpoint], facts: Sequence[Facts]) -> NDArray[np.int64]:
    """Return an item for each bin of the crosses with the handshake, to be played in every situation."""
    chosen: set[int] = set()
    for each in model:
        if HANDSHAKE not in each.axes:
            continue
        axes = [axis for axis in each.axes if axis != HANDSHAKE]
        for part in facts:
            columns, items = part.over(axes)
            played = items >= 0
            bins = np.ravel_multi_index([column[played] for column in columns], each.shape[: len(axes)])
            first: NDArray[np.int64] = np.unique(bins, return_index=True)[1]
            chosen.update(items[played][first].tolist())
    return np.array(sorted(chosen), np.int64)


if __name__ == "__main__":
    sys.exit(main())
