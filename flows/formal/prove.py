"""One property proved: its assumptions can be true, it holds wherever they are, and its twin fails."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from flows import rtl
from flows.formal.design import Design, Function, read
from flows.formal.properties import Property
from flows.formal.solver import Answer, Query, ask
from flows.synthesis.yosys import TimedOutError, Tool
from refmodel.errors import DefinitionError

BUILD = rtl.ROOT / "build" / "formal"

Verdict = Literal["holds", "fails", "vacuous", "undetermined"]
"""Vacuous: the assumptions cannot be true. Undetermined: time ran out."""

Example = Sequence[Mapping[str, str]]
"""Ports and their values, hexadecimal, in each clock cycle."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of a property, or of its twin.

    Attributes:
        verdict: The result.
        seconds: Processor seconds that the solver took.
        example: An input under which it fails.
        instances: Values of all parameters of the unit of a contract, and of the units that contracts stand in for.
    """

    verdict: Verdict
    seconds: float
    example: Example = ()
    instances: Mapping[str, Sequence[Mapping[str, int]]] = field(default_factory=dict)


def examine(prop: Property, yosys: Tool, limit_s: float, *, faulty: bool) -> Finding:
    """Return whether *prop* holds of the sources, or with *faulty* of those with the fault of its twin.

    Raises:
        ToolError: If a tool fails.
        DefinitionError: If the fault does not fit the sources.
    """
    began = time.monotonic()
    directory = BUILD / f"{prop.title.replace(' ', '_').replace('=', '')}{'-twin' if faulty else ''}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)

    def left() -> float:
        return max(limit_s - (time.monotonic() - began), 1.0)

    try:
        design = read(yosys, _sources(prop, directory, faulty=faulty), prop.top, prop.values, directory, left())
        decide = _decide_sequence if prop.induction else _decide_function
        units = [*([prop.unit] if prop.is_contract else ()), *prop.contracts]
        finding = replace(
            decide(prop, design, directory, left()), instances={unit: design.instances[unit] for unit in units}
        )
    except TimedOutError:
        finding = Finding("undetermined", limit_s)
    shutil.rmtree(directory)
    return finding


def _sources(prop: Property, directory: Path, *, faulty: bool) -> list[Path]:
    paths = prop.sources()
    if faulty:
        original = prop.twin.path
        if original not in paths:
            raise DefinitionError(f"twin of {prop.title}: {prop.twin.file} is not among its sources")
        patched = directory / prop.twin.file
        patched.write_text(prop.twin.apply(original.read_text()))
        paths[paths.index(original)] = patched
    return paths


def _decide_function(prop: Property, design: Design, directory: Path, limit_s: float) -> Finding:
    """Decide a property of a design without registers."""
    if design.registers:
        raise DefinitionError(f"{prop.title} has registers and needs 'induction': {design.registers[0]}")
    assumed, broken = [design.assumed(0), *_equal_results(prop, design)], f"(not {design.condition('holds', 0)})"
    queries = [Query(assumed)]
    queries += [Query([*assumed, broken, case], _shown(design, 1), stops=True) for case in _cases(prop, design)]
    possible, *parts = answers = ask(prop.solver, design.cycle(0), queries, directory / "queries.json", limit_s)
    verdict: Verdict = "undetermined"
    found = next((each for each in parts if each.status == "sat"), parts[0])
    if possible.status == "unsat":
        verdict = "vacuous"
    elif found.status == "sat":
        verdict = "fails"
    elif (possible.status, {each.status for each in parts}) == ("sat", {"unsat"}):
        verdict = "holds"
    return _finding(verdict, answers, design, 1, found)


def _cases(prop: Property, design: Design) -> list[str]:
    """Return conditions one of which is always true."""
    if not prop.cases:
        return ["true"]
    term, width = design.value("case_o", 0)
    cases = [f"(= {term} (_ bv{number} {width}))" for number in range(prop.cases - 1)]
    return [*cases, f"(bvuge {term} (_ bv{prop.cases - 1} {width}))"]


FEW = 8
"""Stand-ins of one unit with different inputs that are compared with each other."""


def _equal_results(prop: Property, design: Design) -> list[str]:
    """Return what is known of stand-ins for units without registers: the same results from the same arguments."""
    known = []
    for unit in prop.replace:
        different: dict[tuple[tuple[str, str], str], Function] = {}
        for each in design.functions(unit, 0):
            known.append(f"(= {each.results} {different.setdefault((each.sorts, each.text), each).results})")
        if len(different) <= FEW:
            known += [
                f"(=> (= {one.arguments} {other.arguments}) (= {one.results} {other.results}))"
                for one, other in itertools.combinations(different.values(), 2) if one.sorts == other.sorts
            ]  # fmt: skip
    return known


def _decide_sequence(prop: Property, design: Design, directory: Path, limit_s: float) -> Finding:
    """Decide a property of a design with registers by k-induction.

    It holds from the first cycle on for k cycles; and whenever it held in k cycles, no state twice among them, it holds
    in the next.
    """
    last = prop.induction
    declarations = [line for number in range(last + 1) for line in design.cycle(number)]
    assumed = [design.assumed(number) for number in range(last + 1)]
    holds = [design.condition("holds", number) for number in range(last + 1)]
    steps = [design.step(number) for number in range(last)]
    broken = [f"(and {' '.join(assumed[: number + 1])} (not {holds[number]}))" for number in range(last + 1)]
    distinct = [design.differ(one, other) for other in range(last + 1) for one in range(other)]
    queries = [
        Query([design.first(), *steps, *assumed]),
        Query([design.first(), *steps, f"(or {' '.join(broken)})"], _shown(design, last + 1)),
        Query([*steps, *assumed, *holds[:last], *distinct, f"(not {holds[last]})"]),
    ]
    possible, base, step = answers = ask(prop.solver, declarations, queries, directory / "queries.json", limit_s)
    verdict: Verdict = "undetermined"
    if possible.status == "unsat":
        verdict = "vacuous"
    elif base.status == "sat":
        verdict = "fails"
    elif (possible.status, base.status, step.status) == ("sat", "unsat", "unsat"):
        verdict = "holds"
    return _finding(verdict, answers, design, last + 1, base)


def _finding(verdict: Verdict, answers: Sequence[Answer], design: Design, cycles: int, broken: Answer) -> Finding:
    example = _example(design, cycles, broken.values) if verdict == "fails" else ()
    return Finding(verdict, round(sum(each.seconds for each in answers), 2), example)


def _shown(design: Design, cycles: int) -> list[tuple[str, int]]:
    return [design.value(port, number) for number in range(cycles) for port in _ports(design)]


def _example(design: Design, cycles: int, values: Sequence[int]) -> Example:
    """Return the values of the ports by cycle, as many hexadecimal digits as each is wide; up to what is broken."""
    found = iter(values)
    example = [
        {port: f"{next(found):0{(design.value(port, number)[1] + 3) // 4}x}" for port in _ports(design)}
        for number in range(cycles)
    ]
    end = next(number for number, ports in enumerate(example) if ports["holds"] == "0")
    return [{port: value for port, value in ports.items() if port != "holds"} for ports in example[: end + 1]]


def _ports(design: Design) -> list[str]:
    return [*design.inputs, *(port for port in design.outputs if port != "assumed")]
