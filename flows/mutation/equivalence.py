"""Whether a mutant that no stage catches changes anything: decided by a solver, over all inputs.

Three ways, tried in this order; each is a proof where the solver finds no difference.

* ``state``: from equal registers and equal inputs, whatever they are, all outputs and the next registers are equal. By
  induction the mutant then never differs.
* ``flow``: where what the mutant does goes to results alone (`taint`), every register that can be seen through is seen
  through, and the results are equal for all inputs. All that controls the stream is the same in both then, so each
  register takes a value of the same transaction, and what comes out is that function of what went in.
* ``guard``: for mutants of what controls the stream. Some registers may hold anything while another one, the guard, a
  bit, is 0: from states equal but for these, outputs are equal, results where they are valid, and so are the next
  states but for these. The solver names the registers, those that a mutant writes otherwise; guards are all tried.

A difference found by ``flow`` where results depend on no other register, or by ``state`` in a unit without registers,
is an input for which the unit gives a wrong result: an escape. Any other difference may be of registers that never hold
these values, and leaves the mutant undecided; so does running out of time.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flows import rtl
from flows.formal.design import parse
from flows.mutation.netlist import SELECT, Mutant, Unit, plant, shown
from flows.mutation.taint import Graph, is_register, reaches_data_alone, results_depend_on_cut
from flows.synthesis.yosys import ToolError

Verdict = Literal["equivalent", "differs", "undecided"]
Way = Literal["state", "flow", "guard"]

_SEE_THROUGH = """\
module \\$dff (CLK, D, Q);
  parameter WIDTH = 1;
  parameter CLK_POLARITY = 1;
  input CLK;
  input [WIDTH-1:0] D;
  output [WIDTH-1:0] Q;
  assign Q = D;
endmodule
module \\$dffe (CLK, EN, D, Q);
  parameter WIDTH = 1;
  parameter CLK_POLARITY = 1;
  parameter EN_POLARITY = 1;
  input CLK, EN;
  input [WIDTH-1:0] D;
  output [WIDTH-1:0] Q;
  assign Q = D;
endmodule
"""
_NEXT = re.compile(r"\(= (.+) \(\|([^|]+)\| next_state\)\)")
_MOST_GUARDS = 24


@dataclass(frozen=True, slots=True)
class Decision:
    """What is known of a mutant that was not caught.

    Attributes:
        verdict: ``equivalent`` is proven.
        way: How, or the last that was tried.
        seconds: Processor time of the solver.
        inputs: Of one that differs, the input ports as hexadecimal digits; empty otherwise.
    """

    verdict: Verdict
    way: Way
    seconds: float
    inputs: dict[str, str] = field(default_factory=dict)


def decide(unit: Unit, graph: Graph, mutants: Sequence[Mutant], limit_s: float) -> Iterator[tuple[Mutant, Decision]]:
    """Yield what becomes of each of *mutants*, in no order.

    Args:
        unit: The unit, flattened.
        graph: Its netlist.
        mutants: Those to decide.
        limit_s: Seconds a query.

    Raises:
        MxError: If a tool fails.
    """
    if not mutants:
        return
    has_registers = any(map(is_register, graph.cells.values()))
    shake = unit.selection.description.handshake
    control = (shake.in_ready, shake.out_valid)
    is_exact = not results_depend_on_cut(graph, control)
    flowing = [
        each
        for each in mutants
        if has_registers and reaches_data_alone(graph, _plain(each.cell), _plain(each.port), control)
    ]
    later = {each.number for each in flowing}
    spent: dict[int, float] = {}
    for mutant, answer in _ask(unit, mutants, "state", [], limit_s, later):
        is_settled = answer["status"] == "unsat" or (answer["status"] == "sat" and not has_registers)
        if is_settled or mutant.number not in later:
            yield mutant, _decision(answer, answer["way"], exact=not has_registers, before=0.0)
            later.discard(mutant.number)
        else:
            spent[mutant.number] = answer["seconds"]
    rest = [each for each in flowing if each.number in later]
    if rest:
        seen = [name for name, cell in graph.cells.items() if is_register(cell) and name not in graph.cut]
        script = unit.directory / "see_through.v"
        script.write_text(_SEE_THROUGH)
        commands = [f"techmap -map {shown(script)} {' '.join(f'c:{_pattern(name)}' for name in seen)}"]
        for mutant, answer in _ask(unit, rest, "flow", commands, limit_s, later):
            yield mutant, _decision(answer, "flow", exact=is_exact, before=spent[mutant.number])


def _decision(answer: dict[str, Any], way: Way, *, exact: bool, before: float) -> Decision:
    verdict: Verdict = "undecided"
    if answer["status"] == "unsat":
        verdict = "equivalent"
    elif answer["status"] == "sat" and exact:
        verdict = "differs"
    seconds = round(before + answer["seconds"], 2)
    return Decision(verdict, way, seconds, answer["inputs"] if verdict == "differs" else {})


def _ask(
    unit: Unit, mutants: Sequence[Mutant], way: Way, commands: Sequence[str], limit_s: float, unguarded: Collection[int]
) -> Iterator[tuple[Mutant, dict[str, Any]]]:
    """Yield the solver's answer for each mutant: status, way, seconds, inputs; without guards for those numbers."""
    text = unit.directory / f"{way}.smt2"
    plant(unit, mutants, [*commands, "memory_map; async2sync; dffunmap; opt_clean", f"write_smt2 -wires {shown(text)}"])
    design = parse(text.read_text(), unit.top, {})
    shake = unit.selection.description.handshake
    following = [pair for line in design.transition.splitlines() for pair in _NEXT.findall(line)]
    if way == "state" and len(following) != len(design.registers):
        raise ToolError(
            f"{len(following)} of {len(design.registers)} next values are found in the formulas of {unit.top}"
        )
    results = [port for port in design.outputs if port not in (shake.in_ready, shake.out_valid)]
    job = {
        "declarations": "\n".join(design.cycle(0)),
        "select": design.value(SELECT, 0)[0],
        "control": [design.value(port, 0)[0] for port in design.outputs if port not in results],
        "valid": design.value(shake.out_valid, 0)[0],
        "results": [design.value(port, 0)[0] for port in results],
        "registers": [[f"|{name}@0|", re.sub(r"\(\|([^|]+)\| state\)", r"|\1@0|", term)] for term, name in following]
        if way == "state"
        else [],
        "inputs": {port: design.value(port, 0) for port in design.inputs if port != SELECT},
        "way": way,
        "mutants": [each.number for each in mutants],
        "unguarded": sorted(unguarded),
        "limit_s": limit_s,
    }
    file = text.with_suffix(".json")
    file.write_text(json.dumps(job))
    numbered = {each.number: each for each in mutants}
    command = [sys.executable, "-m", "flows.mutation.equivalence", str(file)]
    with subprocess.Popen(command, cwd=rtl.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stdout:
                answer = json.loads(line)
                yield numbered.pop(answer["mutant"]), answer
            errors = process.stderr.read()
        except BaseException:
            process.kill()
            raise
    if process.returncode or numbered:
        raise ToolError(f"bitwuzla fails: {(errors.strip().splitlines() or ['it says nothing'])[-1]}")


def _plain(name: str) -> str:
    """A name as Yosys' JSON has it."""
    return name.removeprefix("\\")


def _pattern(name: str) -> str:
    """A name as Yosys' selections take it."""
    return re.sub(r"[][*? ]", "?", name)


def main(file: str) -> None:
    """Answer the job in *file*: for each mutant a line of JSON."""
    job = json.loads(Path(file).read_text())
    formulas = _Formulas(job)
    for mutant in job["mutants"]:
        began = time.process_time()
        way = job["way"]
        status, values = formulas.compare(mutant)
        if status == "sat" and job["registers"] and mutant not in job["unguarded"] and formulas.has_guard(mutant):
            status, way, values = "unsat", "guard", {}
        seconds = round(time.process_time() - began, 3)
        answer = {"mutant": mutant, "status": status, "way": way, "seconds": seconds, "inputs": values}
        print(json.dumps(answer), flush=True)


class _Formulas:
    """What a clock cycle does, the number of a mutant put in place of the select port."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        import bitwuzla

        self._kinds, self._result = bitwuzla.Kind, bitwuzla.Result
        self._new_solver = bitwuzla.Bitwuzla
        self._terms = bitwuzla.TermManager()
        self._options = bitwuzla.Options()
        self._options.set(bitwuzla.Option.PRODUCE_MODELS, True)
        self._options.set(bitwuzla.Option.TIME_LIMIT_PER, int(job["limit_s"] * 1000))
        parser = bitwuzla.Parser(self._terms, self._options)
        parser.parse(f"(set-logic QF_BV)\n{job['declarations']}", True, False)
        self._select = parser.parse_term(job["select"])
        self._inputs = {port: (parser.parse_term(term), width) for port, (term, width) in job["inputs"].items()}
        self._registers = [parser.parse_term(term) for term, _ in job["registers"]]
        # Control, whether results are valid, results, next values: one list, so that they share what they can.
        self._control, self._results = len(job["control"]), len(job["results"])
        texts = [*job["control"], job["valid"], *job["results"], *(term for _, term in job["registers"])]
        self._outcome = [parser.parse_term(each) for each in texts]
        self._original = self._chosen(0)

    def compare(self, mutant: int) -> tuple[str, dict[str, str]]:
        """Return sat, unsat or unknown for: some output or next value differs; and inputs for which it does."""
        status, solver = self._ask([self._any_differs(self._original, self._chosen(mutant))])
        if status != "sat":
            return status, {}
        values = ((port, str(solver.get_value(term))[2:], width) for port, (term, width) in self._inputs.items())
        return status, {port: f"{int(bits, 2):0{-(-width // 4)}x}" for port, bits, width in values}

    def has_guard(self, mutant: int) -> bool:
        """Return whether there is a guard with which the mutant is proven equivalent."""
        changed = self._chosen(mutant)
        free = self._written(changed)
        if not free:
            return False
        bits = [i for i, each in enumerate(self._registers) if i not in free and each.sort().bv_size() == 1]
        return any(self._guards(guard, free, changed) for guard in bits[:_MOST_GUARDS])

    def _written(self, changed: Sequence[Any]) -> set[int]:
        """Return the registers that a mutant writes otherwise; none if more than these differ, or time runs out."""
        free: set[int] = set()
        first = self._control + 1 + self._results
        while True:
            status, solver = self._ask([self._differs_but(free, self._original, changed)])
            if status != "sat":
                return free if status == "unsat" else set()
            pairs = zip(self._original[first:], changed[first:], strict=True)
            found = {i for i, (a, b) in enumerate(pairs) if str(solver.get_value(a)) != str(solver.get_value(b))}
            if found <= free:
                return set()
            free |= found

    def _guards(self, guard: int, free: Collection[int], changed: Sequence[Any]) -> bool:
        """Return whether registers *free* may hold anything while register *guard* is 0."""
        first = self._control + 1 + self._results
        for value in (0, 1):
            fixed = {self._registers[guard]: self._terms.mk_bv_value(self._registers[guard].sort(), value)}
            loose = {self._registers[i]: self._terms.mk_const(self._registers[i].sort()) for i in free}
            one = self._terms.substitute_terms(self._original, fixed)
            other = self._terms.substitute_terms(list(changed), fixed if value else fixed | loose)
            held = self._terms.mk_term(self._kinds.EQUAL, [one[first + guard], self._bit(1)])
            wrong = [self._all([held, self._differ(one[first + i], other[first + i])]) for i in free]
            if self._ask([self._some([self._differs_but(free, one, other), *wrong])])[0] != "unsat":
                return False
        return True

    def _differs_but(self, free: Collection[int], one: Sequence[Any], other: Sequence[Any]) -> Any:
        """An output differs, a result where it is valid, or a next value of a register that is not *free*."""
        first = self._control + 1
        after = first + self._results
        valid = self._terms.mk_term(self._kinds.EQUAL, [one[first - 1], self._bit(1)])
        results = self._any_differs(one[first:after], other[first:after])
        kept = [i for i in range(len(one)) if i < first or (i >= after and i - after not in free)]
        rest = self._any_differs([one[i] for i in kept], [other[i] for i in kept])
        return self._some([rest, self._all([valid, results])])

    def _chosen(self, number: int) -> list[Any]:
        constant = self._terms.mk_bv_value(self._select.sort(), number)
        chosen: list[Any] = self._terms.substitute_terms(self._outcome, {self._select: constant})
        return chosen

    def _any_differs(self, one: Sequence[Any], other: Sequence[Any]) -> Any:
        return self._some([self._differ(a, b) for a, b in zip(one, other, strict=True) if a != b])

    def _differ(self, one: Any, other: Any) -> Any:
        return self._terms.mk_term(self._kinds.DISTINCT, [one, other])

    def _some(self, conditions: Sequence[Any]) -> Any:
        if len(conditions) < 2:
            return conditions[0] if conditions else self._terms.mk_false()
        return self._terms.mk_term(self._kinds.OR, list(conditions))

    def _all(self, conditions: Sequence[Any]) -> Any:
        return self._terms.mk_term(self._kinds.AND, list(conditions))

    def _bit(self, value: int) -> Any:
        return self._terms.mk_bv_value(self._terms.mk_bv_sort(1), value)

    def _ask(self, conditions: Sequence[Any]) -> tuple[str, Any]:
        solver = self._new_solver(self._terms, self._options)
        for each in conditions:
            solver.assert_formula(each)
        result = solver.check_sat()
        return {self._result.SAT: "sat", self._result.UNSAT: "unsat"}.get(result, "unknown"), solver


if __name__ == "__main__":
    main(sys.argv[1])
