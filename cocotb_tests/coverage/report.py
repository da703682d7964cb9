"""The coverage report: tables on the terminal, and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from cocotb_tests.coverage import code
from cocotb_tests.report import make_console

if TYPE_CHECKING:
    from cocotb_tests.coverage.run import Job

__all__ = ["as_json", "make_console", "print_code", "print_functional"]

_SHOWN = 20


def print_functional(console: Console, jobs: Sequence[Job]) -> None:
    """Print a line a coverpoint and configuration, the bins that were missed, and the mean grade."""
    table = Table(title="functional coverage", title_justify="left", show_footer=True, box=SIMPLE)
    rows = [(job, each) for job in jobs for each in job.covered]
    hit, bins = sum(each.hit for _, each in rows), sum(each.bins for _, each in rows)
    table.add_column("unit", footer="mean grade", no_wrap=True)
    table.add_column("configuration", footer=f"{100 * mean_grade(jobs):.2f} % of {len(rows)} coverpoints", no_wrap=True)
    table.add_column("coverpoint", footer="bins", no_wrap=True)
    table.add_column("hit", footer=f"{hit:,}", justify="right")
    table.add_column("reachable", footer=f"{bins:,}", justify="right")
    table.add_column("of all", footer=f"{sum(each.hits.size for _, each in rows):,}", justify="right")
    for job, each in rows:
        table.add_row(
            job.outcome.description.name, job.outcome.configuration.name, each.coverpoint.name, f"{each.hit:,}",
            f"{each.bins:,}", f"{each.hits.size:,}", style=None if not each.missed else "red",
        )  # fmt: skip
    console.print(table)
    for job, each in rows:
        where = f"{job.outcome.description.name} {job.outcome.configuration.name}: {each.coverpoint.name}"
        for word, names in (("MISSED", each.missed), ("IMPOSSIBLE but met", each.impossible)):
            for name in names[:_SHOWN]:
                console.print(f"{word} {where}: {name}", style="red", highlight=False, soft_wrap=True)
            if len(names) > _SHOWN:
                console.print(f"{word} {where}: {len(names) - _SHOWN} more", style="red", highlight=False)


def mean_grade(jobs: Sequence[Job]) -> float:
    """Return the mean share of reachable bins that are met, each coverpoint counting as much as every other.

    A share of all bins would be that of the largest crosses.
    """
    grades = [each.hit / each.bins for job in jobs for each in job.covered if each.bins]
    return sum(grades) / len(grades) if grades else 1.0


def print_code(console: Console, counts: Mapping[code.Point, int], exclusions: Sequence[code.Exclusion]) -> None:
    """Print a line a module, and the points that were missed."""
    table = Table(title="code coverage (Verilator)", title_justify="left", show_footer=True, box=SIMPLE)
    tallies = code.tally(counts, exclusions)
    totals = total(tallies)
    table.add_column("module", footer="all", no_wrap=True)
    for kind in code.KINDS:
        table.add_column(kind, footer=_share(*totals[kind][:2]), justify="right", no_wrap=True)
    table.add_column("excluded", footer=str(sum(each[2] for each in totals.values())), justify="right")
    for module, kinds in tallies.items():
        shares = [_share(kinds[kind].hit, kinds[kind].points) if kind in kinds else "-" for kind in code.KINDS]
        table.add_row(module, *shares, str(sum(each.excluded for each in kinds.values())))
    console.print(table)
    for each in code.unused(counts, exclusions):
        console.print(f"exclusion of {each.file} {each.kind} {each.name} excludes nothing", style="yellow")


def total(tallies: Mapping[str, Mapping[str, code.Tally]]) -> dict[str, tuple[int, int, int]]:
    """Return covered points, points and exclusions of all modules by kind."""
    return {
        kind: (
            sum(kinds[kind].hit for kinds in tallies.values() if kind in kinds),
            sum(kinds[kind].points for kinds in tallies.values() if kind in kinds),
            sum(kinds[kind].excluded for kinds in tallies.values() if kind in kinds),
        )
        for kind in code.KINDS
    }


def _share(hit: int, points: int) -> str:
    return f"{hit:,} of {points:,} ({100 * hit / points:.1f} %)" if points else "-"


def as_json(
    version: str, seed: int, jobs: Sequence[Job], counts: Mapping[code.Point, int],
    exclusions: Sequence[code.Exclusion],
) -> dict[str, Any]:  # fmt: skip
    """Return everything that was counted, as JSON values."""
    tallies = code.tally(counts, exclusions)
    return {
        "simulator": version,
        "seed": seed,
        "mean_grade": mean_grade(jobs),
        "bins": sum(each.bins for job in jobs for each in job.covered),
        "hit": sum(each.hit for job in jobs for each in job.covered),
        "configurations": [
            {
                "unit": job.outcome.description.name,
                "configuration": job.outcome.configuration.name,
                "vectors": job.outcome.vectors,
                "comparisons": job.outcome.comparisons,
                "passed": job.outcome.passed,
                "coverpoints": [
                    {
                        "name": each.coverpoint.name,
                        "hit": each.hit,
                        "reachable": each.bins,
                        "all": int(each.hits.size),
                        "missed": each.missed,
                        "impossible": each.impossible,
                    }
                    for each in job.covered
                ],
            }
            for job in jobs
        ],
        "code": {
            "total": {
                kind: dict(zip(("hit", "points", "excluded"), row, strict=True)) for kind, row in total(tallies).items()
            },
            "modules": {
                module: {
                    kind: {
                        "hit": each.hit,
                        "points": each.points,
                        "excluded": each.excluded,
                        "missed": [f"line {point.line}: {point.name}" for point in each.missed],
                    }
                    for kind, each in kinds.items()
                }
                for module, kinds in tallies.items()
            },
        },
    }
