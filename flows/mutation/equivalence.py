"""Whether a mutant that no stage catches changes anything: decided by a solver, over all inputs.

Two ways, tried in this order; either is a proof where the solver finds no difference.

* ``state``: from equal registers and equal inputs, whatever they are, all outputs and the next registers are equal. By
  induction the mutant then never differs.
* ``flow``: where what the mutant does goes to results alone (`taint`), every register that can be seen through is seen
  through, and the results are equal for all inputs. All that controls the stream is the same in both then, so each
  register takes a value of the same transaction, and what comes out is that function of what went in.

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flows import rtl
from flows.formal.design import parse
from flows.mutation.netlist import SELECT, Mutant, Unit, plant, shown
from flows.mutation.taint import Graph, is_register, reaches_data_alone, results_depend_on_cut
from flows.synthesis.yosys import ToolError

Verdict = Literal["equivalent", "differs", "undecided"]
Way = Literal["state", "flow"]

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
    for mutant, answer in _ask(unit, mutants, "state", [], limit_s):
        is_settled = answer["status"] == "unsat" or (answer["status"] == "sat" and not has_registers)
        if is_settled or mutant.number not in later:
            yield mutant, _decision(answer, "state", exact=not has_registers, before=0.0)
            later.discard(mutant.number)
        else:
            spent[mutant.number] = answer["seconds"]
    rest = [each for each in flowing if each.number in later]
    if rest:
        seen = [name for name, cell in graph.cells.items() if is_register(cell) and name not in graph.cut]
        script = unit.directory / "see_through.v"
        script.write_text(_SEE_THROUGH)
        commands = [f"techmap -map {shown(script)} {' '.join(f'c:{_pattern(name)}' for name in seen)}"]
        for mutant, answer in _ask(unit, rest, "flow", commands, limit_s):
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
    unit: Unit, mutants: Sequence[Mutant], way: Way, commands: Sequence[str], limit_s: float
) -> Iterator[tuple[Mutant, dict[str, Any]]]:
    """Yield the solver's answer for each mutant: status, seconds, inputs."""
    text = unit.directory / f"{way}.smt2"
    plant(unit, mutants, [*commands, "memory_map; async2sync; dffunmap; opt_clean", f"write_smt2 -wires {shown(text)}"])
    design = parse(text.read_text(), unit.top)
    following = [term for line in design.transition.splitlines() for term, _ in _NEXT.findall(line)]
    if way == "state" and len(following) != len(design.registers):
        raise ToolError(
            f"{len(following)} of {len(design.registers)} next values are found in the formulas of {unit.top}"
        )
    job = {
        "declarations": "\n".join(design.cycle(0)),
        "select": design.value(SELECT, 0)[0],
        "compared": [
            *(design.value(port, 0)[0] for port in design.outputs),
            *([re.sub(r"\(\|([^|]+)\| state\)", r"|\1@0|", term) for term in following] if way == "state" else []),
        ],
        "inputs": {port: design.value(port, 0) for port in design.inputs if port != SELECT},
        "mutants": [each.number for each in mutants],
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
    import bitwuzla

    job = json.loads(Path(file).read_text())
    terms = bitwuzla.TermManager()
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.PRODUCE_MODELS, True)
    options.set(bitwuzla.Option.TIME_LIMIT_PER, int(job["limit_s"] * 1000))
    parser = bitwuzla.Parser(terms, options)
    parser.parse(f"(set-logic QF_BV)\n{job['declarations']}", True, False)
    select = parser.parse_term(job["select"])
    compared = [parser.parse_term(each) for each in job["compared"]]
    inputs = {port: (parser.parse_term(term), width) for port, (term, width) in job["inputs"].items()}

    def chosen(number: int) -> Any:
        constant = terms.mk_bv_value(select.sort(), number)
        return terms.substitute_terms(compared, {select: constant})

    original = chosen(0)
    for mutant in job["mutants"]:
        began = time.process_time()
        solver = bitwuzla.Bitwuzla(terms, options)
        pairs = [
            terms.mk_term(bitwuzla.Kind.DISTINCT, [a, b])
            for a, b in zip(original, chosen(mutant), strict=True)
            if a != b
        ]
        differs = terms.mk_false() if not pairs else pairs[0]
        if len(pairs) > 1:
            differs = terms.mk_term(bitwuzla.Kind.OR, pairs)
        solver.assert_formula(differs)
        result = solver.check_sat()
        status = {bitwuzla.Result.SAT: "sat", bitwuzla.Result.UNSAT: "unsat"}.get(result, "unknown")
        values = {}
        if status == "sat":
            for port, (term, width) in inputs.items():
                bits = str(solver.get_value(term))
                values[port] = f"{int(bits[2:], 2):0{-(-width // 4)}x}"
        seconds = round(time.process_time() - began, 3)
        print(json.dumps({"mutant": mutant, "status": status, "seconds": seconds, "inputs": values}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
