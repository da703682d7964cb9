"""Plant every fault and see it caught: `python -m cocotb_tests.museum.run --help`.

Exit code 0: the sound designs pass and every fault is caught; 1: otherwise; 2: could not run, one line says why.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from cocotb_tests import simulators
from cocotb_tests.jobs import ROOT, Outcome
from cocotb_tests.museum.faults import FILE, Fault, read_faults, unit_named
from cocotb_tests.museum.judge import Museum, Verdict
from cocotb_tests.report import make_console
from cocotb_tests.run import CANNOT_RUN, DEFAULT_INPUT, Parser, Request
from refmodel.errors import DefinitionError, MxError
from refmodel.vectors.pairs import load_pairs

EVIDENCE = ROOT / "evidence" / "museum.json"

_SHOWN_CHARACTERS = 60

_Result = TypeVar("_Result")


def main(argv: Sequence[str] | None = None, file: Path = FILE, root: Path = ROOT / "build" / "museum") -> int:
    """Run the command and return its exit code."""
    try:
        given = _parser().parse_args(argv)
        faults = selected(read_faults(file), given.only, quick=given.quick)
        version = simulators.prepare("verilator")
        tensors = load_pairs(str(DEFAULT_INPUT))
        request = Request("verilator", (), given.count, given.seed, tensors, (), None, False, given.jobs)
        museum = Museum(version, root, request)
        sound = _sound_outcomes(museum, faults, given.jobs)
        verdicts = _each(lambda fault: _said(museum.show(fault)), faults, given.jobs)
    except (MxError, OSError) as error:
        print(f"make museum: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    console = make_console()
    unsound = [f"{each.description.name} {each.configuration.name}" for each in sound if not each.passed]
    print_table(console, faults, verdicts)
    for name in unsound:
        console.print(f"UNSOUND {name}: fails without a fault, so its verdicts mean nothing", style="red")
    uncaught = [each.fault for each in verdicts if not each.caught]
    for name in uncaught:
        console.print(f"UNCAUGHT {name}", style="red")
    if given.only is None and given.count is None and not given.quick and not unsound:
        write_evidence(museum, len(sound), verdicts)
    return 1 if unsound or uncaught else 0


def selected(faults: Sequence[Fault], patterns: str | None, *, quick: bool = False) -> list[Fault]:
    """Return the faults of which the name fits one of *patterns*, separated by commas; those of the short list.

    Raises:
        DefinitionError: If a pattern fits none.
    """
    faults = [each for each in faults if each.quick or not quick]
    if patterns is None:
        return faults
    wanted = patterns.split(",")
    for pattern in wanted:
        if not any(fnmatch.fnmatchcase(each.name, pattern) for each in faults):
            raise DefinitionError(f"ONLY={pattern}: no fault is called that")
    return [each for each in faults if any(fnmatch.fnmatchcase(each.name, pattern) for pattern in wanted)]


def print_table(console: Console, faults: Sequence[Fault], verdicts: Sequence[Verdict]) -> None:
    """Print a line a fault: what it is, and what catches it first."""
    table = Table(title="bug museum", title_justify="left", show_footer=True, box=SIMPLE)
    caught = sum(each.caught for each in verdicts)
    table.add_column("fault", footer=f"{caught} of {len(verdicts)} caught", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("first caught by")
    table.add_column("mismatches", justify="right", no_wrap=True)
    for fault, verdict in zip(faults, verdicts, strict=True):
        words = "nothing"
        if verdict.vector is not None:
            words = f"vector {verdict.vector} ({verdict.stimulus_class})"
        elif verdict.failure is not None:
            words = verdict.failure
        wrong = f"{verdict.mismatches:,} of {verdict.vectors:,}"
        table.add_row(fault.name, fault.unit, words[:_SHOWN_CHARACTERS], wrong, style=None if verdict.caught else "red")
    console.print(table)


def write_evidence(museum: Museum, sound: int, verdicts: Sequence[Verdict]) -> None:
    """Write what was found, for a reader who does not run it."""
    EVIDENCE.parent.mkdir(exist_ok=True)
    content = {
        "simulator": museum.version,
        "seed": museum.request.seed,
        "sound_designs_passed": sound,
        "faults": len(verdicts),
        "caught": sum(each.caught for each in verdicts),
        "verdicts": [asdict(each) for each in verdicts],
    }
    temporary = EVIDENCE.with_suffix(".new")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(EVIDENCE)


def _sound_outcomes(museum: Museum, faults: Sequence[Fault], jobs: int) -> list[Outcome]:
    """Play the designs without a fault, each once."""
    designs = dict.fromkeys((each.unit, each.configuration) for each in faults)

    def play(design: tuple[str, str]) -> Outcome:
        outcome = museum.play(*unit_named(*design))
        _say(f"{' '.join(design)} without a fault: {'passes' if outcome.passed else 'FAILS'}")
        return outcome

    return _each(play, list(designs), jobs)


def _each(function: Callable[..., _Result], arguments: Sequence[object], jobs: int) -> list[_Result]:
    """Return the results of *function* for all *arguments*, several at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(function, each) for each in arguments]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        failed = [future for future in futures if not future.cancelled() and future.exception()]
        return [future.result() for future in failed or futures]


def _said(verdict: Verdict) -> Verdict:
    _say(f"{verdict.fault}: {'caught' if verdict.caught else 'NOT CAUGHT'}")
    return verdict


_BEGAN = time.monotonic()


def _say(text: str) -> None:
    """Print a line of progress."""
    print(f"[{time.monotonic() - _BEGAN:5.0f} s] {text}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = Parser("make museum", "python -m cocotb_tests.museum.run", "Plant faults and see them caught.")
    parser.add_argument("--only", metavar="LIST", help="names of faults, as shell patterns (default: all)")
    parser.add_argument("--quick", action="store_true", help="the short list")
    parser.add_argument("--count", type=int, metavar="N", help="vectors a set, at least (default as in make sim)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of vectors and stalls (default 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="at a time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
