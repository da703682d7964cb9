"""A unit as a flat netlist, and its mutants: single faults that Yosys plants at ports of cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cocotb_tests.selection import Selection
from flows import rtl
from flows.synthesis.yosys import Tool
from refmodel.conformance import Description
from refmodel.conformance.configuration import Configuration

SELECT = "mutant_select"
SELECT_BITS = 16
LIMIT_S = 600

_FLATTEN = ("proc", "flatten", "opt_clean", "opt_dff -nosdff", "opt_clean")
_DEFINE = ("chtype -set $shift t:$shiftx", "pmuxtree", "setundef -undriven -zero", "opt_clean")
"""Gives every cell one meaning, also where a mutant leads it astray: a select beyond the end, of two words, of none.
Otherwise simulator and solver would each take another of those that are allowed."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault.

    Attributes:
        number: 1 and up in its list.
        line: The command of Yosys that plants it.
    """

    number: int
    line: str

    @property
    def cell(self) -> str:
        """Name of the cell at whose port it is."""
        return self._word("cell")

    @property
    def port(self) -> str:
        """The port."""
        return self._word("port")

    @property
    def place(self) -> str:
        """Mode, port and sources in a few words, for reports."""
        sources = re.findall(r"-src (\S+)", self.line)
        where = max(sources, key=len, default="") if sources else self.cell
        return f"{self._word('mode')} at port {self.port} bit {self._word('portbit')}: {where}"

    def _word(self, option: str) -> str:
        match = re.search(rf"-{option} (\S+)", self.line)
        assert match is not None, f"a mutant without {option}: {self.line}"
        return match[1]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit under mutation.

    Attributes:
        selection: Its configuration.
        directory: Where files go, below the root of the repository: programs that are WebAssembly see no others.
        yosys: The tool.
    """

    selection: Selection
    directory: Path
    yosys: Tool

    @property
    def top(self) -> str:
        """Its module."""
        return self.selection.description.design.top

    @property
    def base(self) -> Path:
        """The netlist without mutants."""
        return self.directory / "base.il"

    def run(self, commands: Sequence[str]) -> None:
        """Run Yosys on commands.

        Raises:
            MxError: If it fails.
        """
        script = self.directory / "script.ys"
        script.write_text("\n".join([*commands, ""]))
        self.yosys.run(["-q", "-s", shown(script)], LIMIT_S)


def shown(path: Path) -> str:
    """Return a path as Yosys takes it, relative to the root of the repository."""
    return str(path.resolve().relative_to(rtl.ROOT))


def flatten(unit: Unit) -> None:
    """Write the flat netlist, as RTLIL and as JSON, cells at word level.

    Raises:
        MxError: If Yosys fails.
    """
    description, configuration = unit.selection.description, unit.selection.configuration
    sources = " ".join(shown(path) for path in description.design.sources)
    values = description.parameter_values(configuration)
    commands = [f"read_verilog -sv -DSYNTHESIS {sources}"]
    commands += [f"chparam -set {name} {_literal(value)} {unit.top}" for name, value in values.items()]
    commands += [f"hierarchy -check -top {unit.top}", *_FLATTEN, *_DEFINE, f"rename -top {unit.top}"]
    unit.run([*commands, f"write_rtlil {shown(unit.base)}", f"write_json {shown(unit.base.with_suffix('.json'))}"])


def list_mutants(unit: Unit, count: int, seed: int) -> list[Mutant]:
    """Return *count* mutants of the netlist that `flatten` wrote.

    Raises:
        MxError: If Yosys fails.
    """
    output = unit.directory / f"list-{seed}.txt"
    unit.run([f"read_rtlil {shown(unit.base)}", f"mutate -list {count} -seed {seed} -o {shown(output)}"])
    lines = [line for line in output.read_text().splitlines() if line.strip()]
    return [Mutant(number, line) for number, line in enumerate(lines, 1)]


def plant(unit: Unit, mutants: Sequence[Mutant], commands: Sequence[str]) -> None:
    """Run *commands* on a netlist that has *mutants*, each where port SELECT has its number; none where it is 0.

    Raises:
        MxError: If Yosys fails.
    """
    planted = [f"{each.line} -ctrl {SELECT} {SELECT_BITS} {each.number}" for each in mutants]
    unit.run([f"read_rtlil {shown(unit.base)}", *planted, "opt_clean", *commands])


def as_design(selection: Selection, netlist: Path) -> Selection:
    """Return the configuration with a netlist, whose parameters are settled, in place of the unit's sources."""
    description: Description = selection.description
    configuration: Configuration = selection.configuration
    rule = None if configuration.rule is None else replace(configuration.rule, parameters={})
    design = replace(description.design, sources=(netlist,), include_dirs=(), defines={})
    return Selection(
        replace(description, design=design, parameters={}), replace(configuration, rule=rule, parameters={})
    )


def _literal(value: int | str) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(value) if value >= 0 else f"32'sh{value & 0xFFFFFFFF:X}"
