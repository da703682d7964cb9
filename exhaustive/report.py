"""The final table, on the terminal, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from exhaustive.claims import Claim, EncodeClaim, Outcome, ScaleClaim
from exhaustive.state import Part
from refmodel.digests import read_digests
from refmodel.errors import FileError

WIDTH = 120
"""Columns of the table in a file."""


@dataclass(frozen=True, slots=True)
class Row:
    """A claim with its result.

    Attributes:
        claim: Name of the claim.
        group: Row of the final table.
        against: The reference.
        inputs: Inputs tried.
        differences: Results that are not those of the reference.
        digests: "equal", "different" or "unpublished" for the digests of a published sweep, else None.
        seconds: Processor seconds.
        examples: The first differences, in words.
    """

    claim: str
    group: str
    against: str
    inputs: int
    differences: int
    digests: str | None
    seconds: float
    examples: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all is as it must be."""
        return self.differences == 0 and self.digests in (None, "equal")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is said below the table.

    Attributes:
        wall_seconds: How long this run took.
        resumed: Parts that an earlier run had done.
        processes: Worker processes.
        memory: Peak memory of all processes together, at most, in bytes.
        versions: Versions of Python and the packages.
    """

    wall_seconds: float
    resumed: int
    processes: int
    memory: int
    versions: str


def make_console() -> Console:
    """Return the console; one that is no terminal is wide enough for the table."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def make_row(claim: Claim, done: Mapping[Part, tuple[Outcome, float]], digests: Path) -> Row:
    """Return the result of a claim whose parts are all done."""
    parts = [done[claim.name, part] for part in range(claim.parts)]
    examples = [example for outcome, _ in parts for example in outcome.examples]
    return Row(
        claim.name,
        claim.group,
        claim.against,
        sum(outcome.inputs for outcome, _ in parts),
        sum(outcome.differences for outcome, _ in parts),
        _judge_digests(claim, [outcome.digest for outcome, _ in parts], digests),
        sum(seconds for _, seconds in parts),
        tuple(examples[:3]),
    )


def _judge_digests(claim: Claim, found: Sequence[str | None], directory: Path) -> str | None:
    if not isinstance(claim, (EncodeClaim, ScaleClaim)):
        return None
    try:
        published = read_digests(claim.sweep, directory)
    except FileError:
        return "unpublished"
    return "equal" if published == tuple(found) else "different"


def print_report(console: Console, rows: Sequence[Row], facts: Facts) -> None:
    """Print what failed and the table."""
    for row in rows:
        if row.differences:
            console.print(f"{row.claim} against {row.against}: {row.differences} differences", markup=False)
        for example in row.examples:
            console.print(f"    {example}", markup=False)
        if row.digests not in (None, "equal"):
            console.print(f"{row.claim}: digests {row.digests}", markup=False)
    table = Table(box=box.HORIZONTALS, title="every input tried", title_justify="left", title_style="")
    table.add_column("inputs of")
    table.add_column("against")
    for column in ("sweeps", "inputs", "differences", "digests", "CPU s"):
        table.add_column(column, justify="right")
    groups = dict.fromkeys((row.group, row.against) for row in rows)
    for group, against in groups:
        members = [row for row in rows if (row.group, row.against) == (group, against)]
        table.add_row(group, against, *_cells(members))
    passed = all(row.passed for row in rows)
    table.add_section()
    table.add_row("total", "pass" if passed else "FAIL", *_cells(rows))
    console.print(table)
    console.print(
        f"{facts.wall_seconds / 60:.1f} min on {facts.processes} processes, at most "
        f"{facts.memory / 2**20:.0f} MiB together; {facts.resumed} parts of an earlier run taken over; "
        f"{facts.versions}",
        markup=False,
    )


def _cells(rows: Sequence[Row]) -> tuple[str, ...]:
    published = [row for row in rows if row.digests is not None]
    equal = sum(row.digests == "equal" for row in published)
    return (
        str(len(rows)),
        f"{sum(row.inputs for row in rows):,}",
        f"{sum(row.differences for row in rows):,}",
        f"{equal}/{len(published)}" if published else "",
        f"{sum(row.seconds for row in rows):,.0f}",
    )


def write_report(directory: Path, rows: Sequence[Row], facts: Facts) -> None:
    """Write report.txt and report.json."""
    with (directory / "report.txt").open("w", encoding="utf-8") as file:
        print_report(Console(file=file, width=WIDTH), rows, facts)
    entries: dict[str, Any] = {"facts": asdict(facts), "sweeps": [asdict(row) for row in rows]}
    (directory / "report.json").write_text(json.dumps(entries, indent=1) + "\n", "ascii")
