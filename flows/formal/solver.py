"""The solvers, each in a process of its own: `python -m flows.formal.solver FILE` answers the queries of a JSON file.

A file holds the solver's name, SMT-LIB declarations and queries; a query is a list of terms to be true at once, and a
list of terms whose values are wanted if they can be. Every answer is a line of JSON, written as soon as it is there.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from flows import rtl
from flows.synthesis.yosys import ToolError

Status = Literal["sat", "unsat", "unknown"]

_STATUS: Mapping[str, Status] = {"sat": "sat", "unsat": "unsat", "unknown": "unknown"}
PACKAGES = {"bitwuzla": "bitwuzla", "z3": "z3-solver"}


@dataclass(frozen=True, slots=True)
class Query:
    """Terms that are to be true at once.

    Attributes:
        conditions: The terms.
        values: The bit-vectors whose values are wanted then: terms and widths.
        stops: Whether no further query is asked if they can be.
    """

    conditions: Sequence[str]
    values: Sequence[tuple[str, int]] = ()
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a solver says of a query.

    Attributes:
        status: ``sat``, ``unsat``, or ``unknown`` where time ran out.
        seconds: Processor time, or the time given where that ran out.
        values: The wanted values if ``sat``, as integers.
    """

    status: Status
    seconds: float
    values: Sequence[int] = ()


def solver_version(name: str) -> str:
    """Return name and version of a solver.

    Raises:
        ToolError: If it is not installed.
    """
    with contextlib.suppress(PackageNotFoundError):
        return f"{name} {version(PACKAGES[name])}"
    raise ToolError(f"{name} is not installed; install it: pip install {PACKAGES[name]}, or make formal")


def ask(solver: str, declarations: Sequence[str], queries: Sequence[Query], file: Path, limit_s: float) -> list[Answer]:
    """Return an answer for each query; ``unknown`` are those that *limit_s* seconds do not suffice for, or not asked.

    *file* takes the queries.

    Raises:
        ToolError: If the solver fails.
    """
    file.write_text(json.dumps(
        {"solver": solver, "declarations": "\n".join(declarations), "queries": [asdict(each) for each in queries]}
    ))  # fmt: skip
    command = [sys.executable, "-m", "flows.formal.solver", str(file)]
    process = subprocess.Popen(command, cwd=rtl.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    timed_out = False
    try:
        output, errors = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        timed_out = True
        process.kill()
        output, errors = process.communicate()
    except BaseException:
        process.kill()
        raise
    answers = [Answer(**json.loads(line)) for line in output.splitlines(keepends=True) if line.endswith("\n")]
    missing = len(queries) - len(answers)
    if missing and any(each.status == "sat" and query.stops for each, query in zip(answers, queries, strict=False)):
        return answers + [Answer("unknown", 0.0)] * missing
    if missing and not timed_out:
        raise ToolError(f"{solver} fails: {(errors.strip().splitlines() or ['it says nothing'])[-1]}")
    spent = max(limit_s - sum(each.seconds for each in answers), 0.0)
    return answers + [Answer("unknown", spent), *[Answer("unknown", 0.0)] * missing][:missing]


def _bitwuzla(declarations: str, query: Mapping[str, Any]) -> tuple[Status, list[int]]:
    import bitwuzla

    terms = bitwuzla.TermManager()
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.PRODUCE_MODELS, True)
    parser = bitwuzla.Parser(terms, options)
    parser.parse(f"(set-logic QF_BV)\n{declarations}", True, False)
    solver = bitwuzla.Bitwuzla(terms, options)
    for condition in query["conditions"]:
        solver.assert_formula(parser.parse_term(condition))
    status = _STATUS[str(solver.check_sat())]
    if status != "sat":
        return status, []
    return status, [int(str(solver.get_value(parser.parse_term(term)))[2:], 2) for term, _ in query["values"]]


def _z3(declarations: str, query: Mapping[str, Any]) -> tuple[Status, list[int]]:
    import z3

    names = [f"wanted {index}" for index in range(len(query["values"]))]
    lines = [declarations, *(f"(assert {each})" for each in query["conditions"])]
    for name, (term, width) in zip(names, query["values"], strict=True):
        lines += [f"(declare-fun |{name}| () (_ BitVec {width}))", f"(assert (= |{name}| {term}))"]
    solver = z3.SolverFor("QF_BV")
    solver.from_string("\n".join(lines))
    status = _STATUS[str(solver.check())]
    if status != "sat":
        return status, []
    model = solver.model()
    widths = [width for _, width in query["values"]]
    return status, [model.eval(z3.BitVec(*each), True).as_long() for each in zip(names, widths, strict=True)]


_SOLVERS = {"bitwuzla": _bitwuzla, "z3": _z3}


def main(file: str) -> None:
    """Answer the queries of a file."""
    job = json.loads(Path(file).read_text())
    for query in job["queries"]:
        began = time.process_time()
        status, values = _SOLVERS[job["solver"]](job["declarations"], query)
        print(json.dumps(asdict(Answer(status, round(time.process_time() - began, 3), values))), flush=True)
        if status == "sat" and query["stops"]:
            return


if __name__ == "__main__":
    main(sys.argv[1])
