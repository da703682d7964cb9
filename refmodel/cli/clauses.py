"""``mxref clauses``."""

from __future__ import annotations

import argparse
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from refmodel.cli.common import print_table
from refmodel.conformance.clauses import LEVELS, NEED_TESTS, Clause, by_test, find_clauses, list_clauses
from refmodel.errors import DefinitionError

if TYPE_CHECKING:
    from refmodel.cli import Commands


def add(commands: Commands) -> None:
    """Add the command."""
    clauses = commands.add_parser(
        "clauses",
        help="list the clauses of the specifications and what exercises each",
        description="List the clauses of MX v1.0, OFP8 Rev 1.0 and NVFP4 with their level and how many tests, "
        "stimulus classes, sweeps and designs exercise each; or those of one section by name. "
        "MUST* is what the document states as a fact that no conforming design can differ from.",
        epilog="example: mxref clauses MX-5.1",
    )
    clauses.add_argument(
        "clause",
        nargs="?",
        metavar="CLAUSE",
        help="a clause, section or document, as MX-5.3.1-b, MX-5.3 or OFP8, to show with everything that "
        "exercises it (default: all, in a table)",
    )
    clauses.add_argument("--level", choices=LEVELS, help="clauses of one level (default: all)")
    clauses.add_argument(
        "--by-test", action="store_true", help="list the tests instead, and the clauses that each exercises"
    )
    clauses.set_defaults(run=_clauses)


def _clauses(arguments: argparse.Namespace) -> None:
    found = list_clauses() if arguments.clause is None else find_clauses(arguments.clause)
    chosen = [each for each in found if arguments.level in (None, each.level)]
    if not chosen:
        raise DefinitionError(f"no clause of {arguments.clause} has level {arguments.level}")
    if arguments.by_test:
        for test, ids in by_test(chosen).items():
            print(test)
            _print_indented(", ".join(ids))
        return
    if arguments.clause is not None:
        for clause in chosen:
            _print_clause(clause)
        return
    rows = [
        (each.id, each.level, len(each.tests), len(each.vectors), len(each.sweeps), len(each.units), each.says)
        for each in chosen
    ]
    print_table(("clause", "level", "tests", "classes", "sweeps", "designs", "what it says"), rows)
    print()
    _print_counts(chosen)


def _print_clause(clause: Clause) -> None:
    print(f"{clause.id}  {clause.level}")
    _print_indented(clause.says)
    for title, names in (
        ("test", clause.tests),
        ("stimulus class", clause.vectors),
        ("sweep", clause.sweeps),
        ("design", clause.units),
    ):
        for name in names:
            print(f"    {title:<15} {name}")
    if clause.untested:
        _print_indented(f"not exercised: {clause.untested}")


def _print_counts(clauses: Sequence[Clause]) -> None:
    """Print how many clauses of each level there are and have tests, and what MUST and SHOULD clauses lack."""
    every = Counter(each.level for each in clauses)
    tested = Counter(each.level for each in clauses if each.tests)
    levels = [level for level in LEVELS if every[level]]
    rows: list[tuple[object, ...]] = [(level, every[level], tested[level]) for level in levels]
    print_table(("level", "clauses", "with tests"), [*rows, ("all", every.total(), tested.total())])
    missing = sum(each.level in NEED_TESTS and not each.tests for each in clauses)
    print(f"\n{missing} clauses of level {', '.join(NEED_TESTS)} without a test")


def _print_indented(text: str) -> None:
    print(textwrap.fill(text, 96, initial_indent="    ", subsequent_indent="    "))
