"""Try every law on the model: `python -m metamorphic.run --help`.

Exit code 0: no law was broken; 1: one was; 2: could not run, one line says why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from metamorphic.laws import LAWS, Bits, Law
from metamorphic.stimulus import MAX_BLOCKS, Dots, draw_dots
from refmodel.dot import dot
from refmodel.errors import DefinitionError, MxError, unknown_name
from refmodel.formats import OCP_FORMATS, get_format
from refmodel.vectors.draws import Draws

EVIDENCE = Path(__file__).resolve().parent.parent / "evidence" / "laws.json"
"""Written by a run of all laws on all formats."""

BROKEN, CANNOT_RUN, INTERRUPTED = 1, 2, 130
CHUNK = 20_000
"""Dot products at a time: about 40 MB."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A law under a rule, on dot products of formats A and B in all lengths."""

    law: Law
    rule: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a trial found: dot products on which the law was tried, on which it was broken, and where first."""

    tried: int
    broken: int
    first: str | None


def trials(law: str | None = None, formats: Sequence[str] = OCP_FORMATS) -> list[Trial]:
    """Return every law with every rule that obeys it and all pairs of *formats*.

    Raises:
        UnknownNameError: If there is no such law or format.
    """
    names = [each.name for each in LAWS]
    if law is not None and law not in names:
        raise unknown_name("law", law, names)
    for name in formats:
        get_format(name)
    return [
        Trial(each, rule, a, b)
        for each in LAWS
        if law in (None, each.name)
        for rule in each.rules
        for a in formats
        for b in formats
    ]


def try_law(trial: Trial, count: int, seed: int) -> Result:
    """Try a law on *count* dot products, drawn from *seed* and the trial alone."""
    draws = Draws("laws", seed, trial.law.name, trial.rule, trial.a, trial.b)

    def compute(dots: Dots) -> Bits:
        return dot(dots.a, dots.b, trial.rule, dots.c).view(np.uint32)

    tried = broken = 0
    first = None
    for done in range(0, count, CHUNK):
        n_blocks = 1 + done // CHUNK % MAX_BLOCKS
        sizes = [min(CHUNK, count - done)] if count > CHUNK else _shares(count)
        for extra, size in enumerate(sizes):
            blocks = (n_blocks + extra - 1) % MAX_BLOCKS + 1
            dots = draw_dots(get_format(trial.a), get_format(trial.b), blocks, size, draws)
            was_tried, was_broken = trial.law.check(compute, dots, draws)
            tried += int(np.count_nonzero(was_tried))
            wrong = np.flatnonzero(was_broken)
            broken += len(wrong)
            if len(wrong) and first is None:
                first = _show(dots, int(wrong[0]), compute(dots))
    return Result(tried, broken, first)


def _shares(count: int) -> list[int]:
    """Return sizes that add up to *count*, one for each length."""
    return [size for size in np.diff(np.linspace(0, count, MAX_BLOCKS + 1).astype(int)).tolist() if size]


def _show(dots: Dots, i: int, results: Bits) -> str:
    lines = [f"result {results[i]:08x}, c {dots.c[i].view(np.uint32):08x}"]
    for name, blocks in (("A", dots.a), ("B", dots.b)):
        for codes, scale in zip(blocks.codes[i], blocks.scales[i], strict=True):
            lines.append(f"  {name} {blocks.format.name} scale {scale:02x} elements {codes.tobytes().hex(' ')}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m metamorphic.run", description="Try the laws of dot products.")
    parser.add_argument("--law", metavar="NAME", help="one law (default: all)")
    parser.add_argument("--formats", metavar="LIST", help="block formats (default: all of MX v1.0)")
    parser.add_argument("--count", type=int, default=30_000, metavar="N",
                        help="dot products a law, rule and pair of formats (default %(default)s)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="0 or more (default 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    given = parser.parse_args(argv)
    try:
        if given.count < 1 or given.seed < 0 or given.jobs < 1:
            raise DefinitionError("count and jobs must be 1 or more, seed 0 or more")
        chosen = trials(given.law, given.formats.split(",") if given.formats else OCP_FORMATS)
        results = list(_results(chosen, given.count, given.seed, given.jobs))
        everything = given.law is None and given.formats is None
        return _report(chosen, results, given.count, given.seed, EVIDENCE if everything else None)
    except MxError as error:
        print(f"make laws: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        return INTERRUPTED


def _results(chosen: Sequence[Trial], count: int, seed: int, jobs: int) -> Iterator[Result]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
        ProcessPoolExecutor(jobs) as pool,
    ):
        n = len(chosen)
        names = [(LAWS.index(each.law), each.rule, each.a, each.b) for each in chosen]
        found = pool.map(_try_by_name, names, [count] * n, [seed] * n, chunksize=4)
        yield from progress.track(found, total=n, description="laws")


def _try_by_name(name: tuple[int, str, str, str], count: int, seed: int) -> Result:
    """`try_law` for another process: functions do not travel, their names do."""
    index, rule, a, b = name
    return try_law(Trial(LAWS[index], rule, a, b), count, seed)


def _report(chosen: Sequence[Trial], results: Sequence[Result], count: int, seed: int, evidence: Path | None) -> int:
    table = Table(title=f"laws of dot products, seed {seed}, {count} a pair of formats", title_justify="left")
    for column in ("law", "rule"):
        table.add_column(column)
    for column in ("pairs", "tried", "broken"):
        table.add_column(column, justify="right")
    totals: dict[tuple[str, str], list[Result]] = {}
    for trial, result in zip(chosen, results, strict=True):
        totals.setdefault((trial.law.name, trial.rule), []).append(result)
    for (law, rule), found in totals.items():
        tried, broken = sum(each.tried for each in found), sum(each.broken for each in found)
        pairs = sum(each.tried > 0 for each in found)
        table.add_row(law, rule, f"{pairs}", f"{tried:,}", f"{broken:,}")
    console = Console(width=100)
    broken_trials = [(t, r) for t, r in zip(chosen, results, strict=True) if r.first]
    for trial, result in broken_trials[:5]:
        console.print(f"{trial.law.name}, {trial.rule}: {trial.law.statement}\n{result.first}", highlight=False)
    console.print(table)
    console.print(f"{sum(each.tried for each in results):,} comparisons, {sum(r.broken for r in results):,} broken")
    if evidence is not None:
        laws = [
            {"law": law, "rule": rule, "tried": sum(r.tried for r in found), "broken": sum(r.broken for r in found)}
            for (law, rule), found in totals.items()
        ]
        evidence.parent.mkdir(exist_ok=True)
        unfinished = evidence.with_suffix(".new")
        unfinished.write_text(
            json.dumps({"seed": seed, "count": count, "numpy": np.__version__, "laws": laws}, indent=1)
        )
        unfinished.replace(evidence)
    return BROKEN if broken_trials else 0


if __name__ == "__main__":
    sys.exit(main())
