"""The report as tables on a terminal."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from refmodel.conformance.report import Finding, Report

_LOG_COLUMNS = 140
_MOST_LINES = 24


def print_summary(report: Report, console: Console | None = None) -> None:
    """Print what is wrong, then a line a configuration and the verdict."""
    if console is None:
        console = Console()
        console = console if console.is_terminal else Console(width=_LOG_COLUMNS)
    for finding in report.findings:
        if not finding.passed:
            _print_wrong(console, finding)
    table = Table(title=f"{report.design}: {report.operation}, {report.simulator}", title_justify="left", box=SIMPLE)
    table.add_column("configuration")
    for heading in ("vectors", "compared", "wrong", "other failures"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for each in report.findings:
        verdict = "pass" if each.passed else "FAIL"
        counts = (f"{each.vectors:,}", f"{each.compared:,}", f"{each.wrong:,}", str(len(each.failures)))
        table.add_row(escape(each.name), *counts, verdict, style=None if each.passed else "red")
    console.print(table)
    broken = [each.id for each in report.clauses if each.verdict == "broken"]
    met = sum(each.verdict == "met" for each in report.clauses)
    clauses = f"clauses: {met} of {len(report.clauses)} met" + (f"; broken: {', '.join(broken)}" if broken else "")
    console.print(clauses, markup=False, highlight=False)
    console.print(f"{report.design} {'conforms' if report.passed else 'does not conform'}", markup=False, style="bold")


def _print_wrong(console: Console, finding: Finding) -> None:
    console.rule(escape(finding.name), align="left", style="red")
    lines = [f"FAILURE {sentence}" for sentence in finding.failures]
    for cause in finding.causes:
        lines.append(f"{cause.vectors:>7}  {cause.name}: {cause.description}")
        remarks = [f"first in vector {cause.first}"]
        remarks += [f"breaks {', '.join(cause.clauses)}"] if cause.clauses else []
        remarks += [f"but {cause.contradicted} right results would be wrong"] if cause.contradicted else []
        remarks += [cause.suggestion] if cause.suggestion else []
        lines.append(f"{'':>9}{'; '.join(remarks)}")
    if finding.unexplained:
        lines.append(f"{finding.unexplained:>7}  no single cause explains these")
    for example in finding.examples[:1]:
        lines.append(f"vector {example.vector} (class {example.stimulus_class})")
        lines += example.lines[:_MOST_LINES]
        lines += ["  ..."] if len(example.lines) > _MOST_LINES else []
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
