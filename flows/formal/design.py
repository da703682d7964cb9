"""A design as bit-vector formulas: read by Yosys, unrolled over clock cycles as SMT-LIB text (QF_BV)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import rtl
from flows.synthesis.yosys import Tool
from refmodel.errors import MxError

_SORT = r"Bool|\(_ BitVec \d+\)"
_DECLARED = re.compile(rf"\(declare-fun \|(?P<name>[^|]+)\| \(\|[^|]+\|\) (?P<sort>{_SORT})\)")
_DEFINED = re.compile(
    rf"\(define-fun \|(?P<name>[^|]+)\| \(\(state \|[^|]+\|\)\) (?P<sort>{_SORT})\s(?P<body>.*?)\)"
    r"(?=\n\(define|\n\(declare|\n\Z)",
    re.S,
)
_NEXT = re.compile(r"\(define-fun \|[^|]+_t\| \(\(state [^)]*\) \(next_state [^)]*\)\) Bool (?P<body>.*)\)\s*\Z", re.S)


class DesignError(MxError):
    """Yosys gives a design that is not what a property needs."""


@dataclass(frozen=True, slots=True)
class Function:
    """Arguments and results of a unit without registers: terms, their sorts, and what the arguments are made of."""

    arguments: str
    results: str
    sorts: tuple[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Design:
    """A flat design whose values in a clock cycle are terms.

    Attributes:
        declarations: What is free in a cycle, inputs and registers: SMT-LIB sort by name.
        definitions: Name, sort and body of what follows from these.
        initial: Condition on the first cycle.
        transition: Condition on two cycles that follow each other; empty without registers.
        registers: Names of the registers' terms.
        inputs, outputs: Ports, without clocks.
        assumptions: Names of conditions that are assumed in every cycle.
        instances: Values of the parameters of every instance, by module.
    """

    declarations: Mapping[str, str]
    definitions: Sequence[tuple[str, str, str]]
    initial: str
    transition: str
    registers: Sequence[str]
    inputs: Sequence[str]
    outputs: Sequence[str]
    assumptions: Sequence[str]
    instances: Mapping[str, Sequence[Mapping[str, int]]]

    def cycle(self, number: int) -> list[str]:
        """Return the declarations and definitions of a clock cycle."""
        lines = [f"(declare-fun |{name}@{number}| () {sort})" for name, sort in self.declarations.items()]
        lines += [
            f"(define-fun |{name}@{number}| () {sort} {_at(body, number)})" for name, sort, body in self.definitions
        ]
        return lines

    def first(self) -> str:
        """Return the condition that cycle 0 is the first one."""
        return _at(self.initial, 0)

    def step(self, number: int) -> str:
        """Return the condition that the cycle after *number* follows it."""
        return _at(self.transition, number)

    def differ(self, one: int, other: int) -> str:
        """Return the condition that some register holds another value in cycle *one* than in cycle *other*."""
        pairs = " ".join(f"(distinct |{name}@{one}| |{name}@{other}|)" for name in self.registers)
        return f"(or {pairs})"

    def condition(self, output: str, number: int) -> str:
        """Return the term of a single-bit output in a cycle, true or false."""
        return f"|{self._port(output)[0]}@{number}|"

    def assumed(self, number: int) -> str:
        """Return the condition that what is assumed in a cycle is so."""
        names = [f"|{name}@{number}|" for name in self.assumptions]
        if "assumed" in self.outputs:
            names.append(self.condition("assumed", number))
        return f"(and true true {' '.join(names)})"

    def functions(self, unit: str, number: int) -> list[Function]:
        """Return what goes into each stand-in of a *unit* and comes out of it in a cycle."""
        named = {name: (sort, body) for name, sort, body in self.definitions}
        found = []
        for name in named:
            if name.endswith(f".arguments_of_{unit}"):
                results = name.replace(".arguments_of_", ".results_of_")
                sorts = (named[name][0], named[results][0])
                found.append(Function(f"|{name}@{number}|", f"|{results}@{number}|", sorts, named[name][1]))
        return found

    def value(self, port: str, number: int) -> tuple[str, int]:
        """Return the term of a port in a cycle as a bit-vector, and its width."""
        name, sort = self._port(port)
        term = f"|{name}@{number}|"
        return (f"(ite {term} #b1 #b0)", 1) if sort == "Bool" else (term, int(sort.split()[2].rstrip(")")))

    def _port(self, port: str) -> tuple[str, str]:
        return next((name, sort) for name, sort, _ in self.definitions if name.endswith(f"_n {port}"))


def read(
    yosys: Tool, sources: Iterable[Path], top: str, parameters: Mapping[str, int], directory: Path, limit_s: float
) -> Design:
    """Return module *top* of *sources* with these parameters; *directory*, below the root, takes Yosys' output.

    Raises:
        ToolError, TimedOutError: If Yosys fails.
        DesignError: If the design is not flat.
    """
    output, hierarchy = directory / f"{top}.smt2", directory / f"{top}.json"
    files = " ".join(str(path.relative_to(rtl.ROOT)) for path in sources)
    commands = [
        f"read_verilog -sv -formal -DSYNTHESIS {files}",
        *(f"chparam -set {name} {_literal(value)} {top}" for name, value in parameters.items()),
        f"hierarchy -check -top {top}",
        f"proc -norom; write_json {hierarchy.relative_to(rtl.ROOT)}",
        "flatten; opt -full; wreduce; opt -full; async2sync; dffunmap; opt_clean",
        f"write_smt2 -wires {output.relative_to(rtl.ROOT)}",
    ]
    yosys.run(["-q", "-p", "; ".join(commands)], limit_s)
    return parse(output.read_text(), top, _instances(json.loads(hierarchy.read_text())))


def _instances(hierarchy: Mapping[str, Any]) -> dict[str, list[dict[str, int]]]:
    """Return the parameters of the instances in what Yosys writes of a hierarchy, by the name of their module."""
    found: dict[str, list[dict[str, int]]] = {}
    for name, module in hierarchy["modules"].items():
        values = {each: _signed(bits) for each, bits in module.get("parameter_default_values", {}).items()}
        original = re.sub(r"^\$paramod(\$\w+)?\\(\w+).*", r"\2", name)  # of `$paramod\NAME\PARAMETERS`
        found.setdefault(original, []).append(values)
    return found


def _signed(bits: str) -> int:
    return int(bits, 2) - (int(bits[0]) << len(bits))


def parse(text: str, top: str, instances: Mapping[str, Sequence[Mapping[str, int]]]) -> Design:
    """Return the design in the SMT-LIB *text* that Yosys writes of a flat module *top*.

    Raises:
        DesignError: If the text is not of that kind.
    """
    ports = {kind: re.findall(rf"^; yosys-smt2-{kind} (\S+)", text, re.M) for kind in ("input", "output", "clock")}
    code = "\n".join(line.split(" ;")[0] for line in text.splitlines() if line and not line.startswith(";"))
    module = re.search(r"^; yosys-smt2-topmod (.*)$", text, re.M)
    if module is None:
        raise DesignError(f"Yosys gives no formulas of {top}")
    top = module[1]  # with parameters
    head, _, tail = code.partition(f"(define-fun |{top}_a|")
    declarations = {match["name"]: match["sort"] for match in _DECLARED.finditer(head)}
    definitions = [(match["name"], match["sort"], match["body"]) for match in _DEFINED.finditer(head)]
    if len(declarations) + len(definitions) != head.count("(declare-fun") + head.count("(define-fun"):
        raise DesignError(f"Yosys' formulas of {top} are not as they are expected: is it flat?")
    initial = re.search(
        rf"\(define-fun \|{re.escape(top)}_i\| \(\(state [^)]*\)\) Bool (.*?)\)\n\(define-fun", tail, re.S
    )
    following = _NEXT.search(tail)
    if initial is None or following is None:
        raise DesignError(f"Yosys' formulas of {top} lack its first state or its transition")
    transition = following["body"]
    registers = [name for name in declarations if f"|{name}| next_state)" in transition]
    return Design(
        declarations, definitions, initial[1].strip(), transition, registers,
        [name for name in ports["input"] if name not in ports["clock"]], ports["output"],
        [name for name, _, _ in definitions if name.startswith(f"{top}_u ")], instances,
    )  # fmt: skip


def _at(body: str, number: int) -> str:
    body = re.sub(r"\(\|([^|]+)\| state\)", rf"|\1@{number}|", body)
    return re.sub(r"\(\|([^|]+)\| next_state\)", rf"|\1@{number + 1}|", body)


def _literal(value: int) -> str:
    """A parameter of type int as Yosys' chparam takes it."""
    return str(value) if value >= 0 else f"32'sh{value & 0xFFFFFFFF:X}"
