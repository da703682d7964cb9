"""What a run prints at its end: explanations of what is wrong, then one table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from cocotb_tests.jobs import Outcome

_MAX_SHOWN = 5  # mismatch numbers listed behind the count
_LOG_COLUMNS = 160


def make_console() -> Console:
    """Return the console for reports: as wide as the terminal, or wide enough for the tables in a log."""
    console = Console()
    return console if console.is_terminal else Console(width=_LOG_COLUMNS)


def print_problems(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print every failure, all explained mismatches of the first job that has any, and one of each other."""
    limit = None
    for outcome in outcomes:
        if outcome.passed:
            continue
        console.rule(f"{outcome.description.name} {outcome.configuration.name}", align="left", style="red")
        for text in (*outcome.reports[:limit], *(f"FAILURE {sentence}" for sentence in outcome.failures)):
            console.print(text, markup=False, highlight=False, soft_wrap=True)
        if outcome.mismatches:
            limit = 1
            shown = ", ".join(map(str, outcome.mismatches[:_MAX_SHOWN]))
            more = ", ..." if len(outcome.mismatches) > _MAX_SHOWN else ""
            total = f"{len(outcome.mismatches):,} of {outcome.vectors:,} vectors are wrong: {shown}{more}"
            console.print(total, markup=False, highlight=False)


def print_table(console: Console, outcomes: Sequence[Outcome], sim: str) -> None:
    """Print one line a job, and the totals."""
    table = Table(title=f"{sim}: RTL against model, bit for bit", title_justify="left", show_footer=True, box=SIMPLE)
    vectors, mismatches = (
        sum(values) for values in zip(*((o.vectors, len(o.mismatches)) for o in outcomes), strict=True)
    )
    seconds = sum(outcome.seconds for outcome in outcomes)
    passed = all(outcome.passed for outcome in outcomes)
    table.add_column("unit", footer="total", no_wrap=True)
    table.add_column("format", footer="pass" if passed else "FAIL", no_wrap=True)
    table.add_column("rule")
    for heading in ("result", "lanes", "depth"):
        table.add_column(heading, justify="right")
    table.add_column("vectors", footer=f"{vectors:,}", justify="right")
    table.add_column("mismatches", footer=f"{mismatches:,}", justify="right")
    table.add_column("classes", justify="right")
    table.add_column("vectors/s", footer=_rate(sum(o.comparisons for o in outcomes), seconds), justify="right")
    for outcome in outcomes:
        chosen = outcome.configuration
        hit = sum(count > 0 for count in outcome.classes.values())
        wrong = f"{len(outcome.mismatches):,}" + (f" + {len(outcome.failures)} failures" if outcome.failures else "")
        table.add_row(
            *_what(outcome), chosen.rule_name, _numbers(outcome), str(chosen.lanes),
            "-" if chosen.depth is None else str(chosen.depth), f"{outcome.vectors:,}", wrong,
            f"{hit}/{len(outcome.classes)}",
            _rate(outcome.comparisons, outcome.seconds), style=None if outcome.passed else "red",
        )  # fmt: skip
    console.print(table)


def print_classes(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print how many vectors of each stimulus class each job compared."""
    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome.classes))
    table = Table(title="vectors compared of each stimulus class", title_justify="left", box=SIMPLE)
    for heading in ("unit", "format"):
        table.add_column(heading, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")
    for outcome in outcomes:
        counts = (f"{outcome.classes[name]:,}" if name in outcome.classes else "-" for name in names)
        table.add_row(*_what(outcome), *counts)
    console.print(table)


def _what(outcome: Outcome) -> tuple[str, str]:
    """Unit and format, with the extents of a tile."""
    chosen = outcome.configuration
    tile = f" {chosen.rows}x{chosen.columns}" if chosen.rows * chosen.columns > 1 else ""
    return outcome.description.name + tile, chosen.format_name.replace("*", " x ")


def _numbers(outcome: Outcome) -> str:
    """The number format of results; of an operation that takes numbers, theirs."""
    takes_numbers = "inputs" in outcome.description.operation.axes
    return outcome.configuration.input if takes_numbers else outcome.configuration.result


def _rate(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f}" if seconds else "-"
