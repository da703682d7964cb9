"""``mxref check``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from refmodel.cli.common import integer, print_table
from refmodel.conformance.results import RESULT_SUFFIXES, read_results
from refmodel.errors import DefinitionError
from refmodel.vectors.files import read_vectors
from refmodel.writing import check_new_file, write_json, write_text

if TYPE_CHECKING:
    from refmodel.cli import Commands
    from refmodel.conformance.check import Group, Judgement

WRONG = 1


def add(commands: Commands) -> None:
    """Add the command."""
    check = commands.add_parser(
        "check",
        help="judge results that come from a chip, a simulator, a C model, ...",
        description="Compare results with those of a vector directory, explain the first wrong ones, and group all by "
        "what is likely to be wrong: the model is run again with one thing changed, for each of many such things, and "
        "those changes are named that give what was seen. The exit code is 0 if all results are right, 1 if not, 2 if "
        "they cannot be judged.",
        epilog="examples: mxref check build/e4m3 --results chip.hex; "
        "mxref check build/nvfp4 --results elements=e.bin --results scale=s.bin",
    )
    check.add_argument("vectors", metavar="DIR", help="a directory that mxref vectors has made")
    check.add_argument(
        "--results",
        action="append",
        required=True,
        metavar="[PLANE=]FILE",
        help=f"results of all vectors, in order; the suffix says the form: {', '.join(RESULT_SUFFIXES)}. Hex has a "
        "word a line as $readmemh reads it, .bin the bytes of words, lowest first, .csv lines of index and word in "
        "hex. PLANE is elements or scale where a vector has several results",
    )
    check.add_argument(
        "--explain",
        type=integer,
        default=3,
        metavar="N",
        help="wrong results to explain one by one, first one of each cause (default 3)",
    )
    check.add_argument("--json", metavar="FILE", help="write all that was found as JSON")
    check.add_argument("--junit", metavar="FILE", help="write it as JUnit XML, a case a stimulus class")
    check.set_defaults(run=_check)


def _check(arguments: argparse.Namespace) -> int:
    # Here, for it reads every accumulation rule and option, which the other commands need not wait for.
    from refmodel.conformance.check import Judgement

    if arguments.explain < 0:
        raise DefinitionError(f"--explain {arguments.explain} is negative; use 0 or more")
    vectors = read_vectors(arguments.vectors)
    shapes = {plane.name: plane.shape for plane in vectors.planes() if plane.direction == "output"}
    judgement = Judgement(vectors, read_results(arguments.results, shapes))
    _write_reports(arguments, judgement)
    wrong = judgement.wrong
    print(f"{arguments.vectors}: {vectors.title}: {vectors.vectors} compared, {wrong.size} wrong")
    if not wrong.size:
        return 0
    print()
    print_table(("class", "vectors", "wrong"), judgement.by_class)
    _print_groups(judgement)
    for item in judgement.examples(arguments.explain):
        print(f"\nvector {item} (class {vectors.class_of(item).name})")
        print("\n".join(judgement.explain(item)))
    return WRONG


def _write_reports(arguments: argparse.Namespace, judgement: Judgement) -> None:
    """Write the files that are asked for."""
    if arguments.json is None and arguments.junit is None:
        return
    from refmodel.conformance.report import Report, find, judge_clauses, to_junit

    findings = (find(arguments.vectors, judgement),)
    operation = judgement.vectors.operation
    report = Report(
        design=", ".join(arguments.results), source=arguments.vectors, operation=operation, findings=findings,
        clauses=judge_clauses(operation, findings),
    )  # fmt: skip
    if arguments.json is not None:
        write_json(check_new_file(arguments.json, [".json"], replace=True), report.to_dict())
    if arguments.junit is not None:
        write_text(check_new_file(arguments.junit, [".xml"], replace=True), to_junit(report).decode())


def _print_groups(judgement: Judgement) -> None:
    tried, wrong = judgement.tried.size, judgement.wrong.size
    print(f"\nlikely causes, tried on {'all' if tried == wrong else tried} of the wrong results")
    for group in judgement.groups:
        print(f"{len(group.vectors):>8}  {group.cause.name}: {group.cause.description}")
        for line in _remarks(group):
            print(f"{'':>10}{line}")
    if judgement.unexplained:
        print(f"{judgement.unexplained:>8}  no single cause explains these")


def _remarks(group: Group) -> list[str]:
    remarks = [f"first in vector {group.vectors[0]}"]
    if group.cause.clauses:
        remarks[0] += f"; breaks {', '.join(group.cause.clauses)}"
    if group.also:
        remarks.append(f"no vector tells it from {', '.join(group.also[:_MOST_NAMED])}")
    if group.contradicted:
        remarks.append(f"but {group.contradicted} right results would be wrong")
    return remarks


_MOST_NAMED = 3
