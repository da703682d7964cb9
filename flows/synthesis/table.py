"""The document of all that was measured: docs/synthesis.md, made from docs/synthesis.json."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flows import rtl
from flows.parameter_sets import ParameterSet
from flows.synthesis import netlist
from flows.synthesis.measure import ECP5, GATES, KINDS, PLACE, XC7, Kind, Result, Store, digest

DOCUMENT = rtl.ROOT / "docs" / "synthesis.md"

FORMATS = ("E2M1", "E2M3", "E3M2", "INT8", "E4M3", "E5M2")
EXACT_TITLE = "exact, combinational"
ALIGNED_TITLE = "align and truncate, 24 bits, combinational"

REFERENCE_EXACT = {
    "Yosys 0.23": (2253, 3492, 3839, 7787, 7703, None),
    "Yosys 0.70": (2336, 3553, 4067, 6452, 7975, 12235),
}
"""LUTs of the best correct public design that was measured: 32 elements, exact, scales, accumulator input, one
rounding to Float32; None where it was not through after 500 s."""

REFERENCE_ALIGNED = (4795, 5952, 5695, 8779, 6940, 6596)
"""LUTs of the align-and-truncate unit of the same source at 24 bits."""

_STALE = "\\*"


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as it is shown: ``-`` if it was not measured, marked if from sources that have changed since."""

    result: Result | None
    stale: bool = False

    def show(self, *names: str, form: str = "{:,.0f}") -> str:
        """Return the figures *names*, joined by plus signs."""
        if self.result is None:
            return "-"
        if self.result.timed_out:
            return f"over {self.result.seconds:.0f} s"
        shown = " + ".join(form.format(self.result.figures[name]) for name in names)
        return f"{shown}{_STALE}" if self.stale else shown

    def number(self, name: str) -> float | None:
        """Return a figure as a number, None if there is none."""
        if self.result is None or self.result.timed_out:
            return None
        return float(self.result.figures[name])


class Figures:
    """What the store holds for the parameter sets, and which of it is from changed sources."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.tools: dict[Kind, list[str]] = {kind: store.tools(kind) for kind in KINDS}

    def cell(self, unit: ParameterSet, kind: Kind, tools: str | None = None) -> Cell:
        """Return the result of some version of the tools, or of the latest that has one."""
        for version in [tools] if tools else reversed(self.tools[kind]):
            if result := self._store.find(unit, kind, version):
                return Cell(result, result.digest != digest(unit, kind, version))
        return Cell(None)


def document(store: Store, sets: Sequence[ParameterSet]) -> str:
    """Return the text of the document."""
    figures = Figures(store)
    measured = [each for each in sets if each.synthesis]
    lines = [
        "# Synthesis",
        "",
        *_wrap(
            "Made by `make synth` from [synthesis.json](synthesis.json), which holds every figure with the versions of "
            f"the tools and a digest of the sources. A figure marked {_STALE} is from sources that have changed since; "
            "`make synth` measures it again."
        ),
        "",
        *_method(),
        *_against_reference(figures, measured),
        *_pipelined(figures, measured),
        "## All units",
        "",
        *_wrap(
            "Of the latest Yosys that measured them, but for the LUT columns. *path* is the longest path by the "
            "numbers above, and *on it* what lies on that path: LUT + MUXF7/8 + CARRY4."
        ),
        "",
    ]
    for unit in dict.fromkeys(each.unit for each in measured):
        lines += [f"### {unit}", "", *unit_table(figures, [each for each in measured if each.unit == unit]), ""]
    lines += _placed(figures, measured)
    return "\n".join(lines).rstrip() + "\n"


def unit_table(figures: Figures, sets: Sequence[ParameterSet]) -> list[str]:
    """Return the rows of a table of one unit's parameter sets."""
    versions = figures.tools["xc7"]
    head = ["set", "parameters", *(f"LUT {tools.removeprefix('Yosys ')}" for tools in versions)]
    head += ["CARRY4", "FF", "DSP", "NAND2 eq.", "path ns", "on it"]
    rows = []
    for each in sets:
        latest, gates = figures.cell(each, "xc7"), figures.cell(each, "gates")
        rows.append(
            [each.title, show_parameters(each)]
            + [figures.cell(each, "xc7", tools).show("lut") for tools in versions]
            + [latest.show(name) for name in ("carry4", "ff", "dsp")]
            + [gates.show("nand2"), latest.show("path_ns", form="{:.1f}")]
            + [latest.show("path_luts", "path_muxes", "path_carries", form="{}")]
        )
    return table(head, rows, left=2)


def show_parameters(unit: ParameterSet) -> str:
    """Return the parameters of a set in a few words; operand formats that are alike are said once."""
    shown = dict(unit.shown)
    words = []
    if "AFormat" in shown and shown.get("AFormat") == shown.get("BFormat"):
        words.append(str(shown.pop("AFormat")))
        del shown["BFormat"]
    return " ".join([*words, *(f"{name}={value}" for name, value in shown.items())])


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """Return a Markdown table, its first *left* columns flush left and the others flush right."""
    rule = [" --- " if index < left else " ---: " for index in range(len(head))]
    return [f"| {' | '.join(head)} |", f"|{'|'.join(rule)}|", *(f"| {' | '.join(row)} |" for row in rows)]


def _wrap(text: str, first: str = "") -> list[str]:
    return textwrap.wrap(text, 116, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False)


def _method() -> list[str]:
    items = [
        f"**LUT, CARRY4, FF, DSP**: `{XC7}`; LUT is the number of LUT1 to LUT6 cells, FF without shift registers in "
        "LUTs. The target is the 7 series of AMD.",
        f"**NAND2 eq.**: `{GATES}`, transistors by four: NAND2 and NOR2 1, inverter 0.5, AOI21 and OAI21 1.5, AOI22 "
        "and OAI22 2. Flip-flops are not in it; they are the column FF.",
        "**path**: the longest path from port or register to port or register of the mapped netlist, found by "
        f"`flows/synthesis/netlist.py`. A ruler, not a sign-off: every net {netlist.NET_NS} ns (none inside a carry "
        f"chain), LUT {netlist.LUT_NS}, MUXF7 {netlist.MUXF_NS['MUXF7']}, MUXF8 {netlist.MUXF_NS['MUXF8']:.1f}, into a "
        f"carry chain {netlist.CARRY_ENTER_NS}, along a CARRY4 {netlist.CARRY_CHAIN_NS}, out of it "
        f"{netlist.CARRY_CHAIN_SUM_NS}, clock to Q {netlist.CLOCK_TO_Q_NS}, setup {netlist.SETUP_NS}. Cell delays are "
        "those of an Artix-7, speed grade -1; real nets are shorter and longer.",
        f"**Fmax**: `{ECP5}`, then nextpnr `{' '.join(PLACE)}` with the unit between registers on all its ports. One "
        "seed; other seeds differ by several percent.",
    ]
    return ["## What is measured", "", *(line for item in items for line in _wrap(item, "* ")), ""]


def _against_reference(figures: Figures, sets: Sequence[ParameterSet]) -> list[str]:
    lines = [
        "## Against a public design",
        "",
        *_wrap(
            "LUTs of one block pair: 32 elements a side, exact sum, both scales, Float32 accumulator input, one "
            "rounding to Float32, combinational. The other design is the smallest public one found whose results are "
            "right."
        ),
        "",
    ]
    rows = []
    for tools, reference in REFERENCE_EXACT.items():
        ours = [_find(figures, sets, EXACT_TITLE, name, tools) for name in FORMATS]
        rows.append([f"{tools}, public design", *(f"{value:,}" if value else "over 500 s" for value in reference)])
        rows.append([f"{tools}, mx_dot", *(cell.show("lut") for cell in ours)])
        pairs = zip(ours, reference, strict=True)
        rows.append(["ratio", *(_ratio(cell.number("lut"), value) for cell, value in pairs)])
        rows.append(["path ns, LUT + MUXF + CARRY4", *(_path(cell) for cell in ours)])
    lines += table(["", *FORMATS], rows)
    lines += ["", "The same for a unit that aligns and truncates at 24 bits (accumulation rule with F = 24):", ""]
    rows = [["Yosys 0.70, public design", *(f"{value:,}" for value in REFERENCE_ALIGNED)]]
    for tools in figures.tools["xc7"]:
        ours = [_find(figures, sets, ALIGNED_TITLE, name, tools) for name in FORMATS]
        if any(cell.result for cell in ours):
            rows.append([f"{tools}, mx_dot", *(cell.show("lut") for cell in ours)])
            rows.append(["path ns, LUT + MUXF + CARRY4", *(_path(cell) for cell in ours)])
    return [*lines, *table(["", *FORMATS], rows), ""]


def _find(figures: Figures, sets: Sequence[ParameterSet], title: str, format_: str, tools: str) -> Cell:
    for each in sets:
        formats = {each.shown.get("AFormat"), each.shown.get("BFormat")}
        if (each.unit, each.title, formats) == ("mx_dot", title, {format_}):
            return figures.cell(each, "xc7", tools)
    return Cell(None)


def _path(cell: Cell) -> str:
    if cell.number("path_ns") is None:
        return "-"
    parts = cell.show("path_luts", "path_muxes", "path_carries", form="{}")
    return f"{cell.show('path_ns', form='{:.1f}')}: {parts}"


def _ratio(ours: float | None, reference: int | None) -> str:
    return f"{ours / reference:.2f}" if ours and reference else "-"


def _pipelined(figures: Figures, sets: Sequence[ParameterSet]) -> list[str]:
    shown = [each for each in sets if each.unit == "mx_dot" and "ecp5" in each.synthesis]
    versions = figures.tools["xc7"]
    if not versions:
        return []
    # All of one version, or ratios would compare versions: that which measured the most, the latest of several.
    tools = max(versions, key=lambda each: (sum(bool(figures.cell(one, "xc7", each).result) for one in shown), each))
    rows = []
    for each in shown:
        flat = next((other for other in sets if _same_but_depth(each, other) and other.shown.get("Depth") == 0), None)
        xc7, placed = figures.cell(each, "xc7", tools), figures.cell(each, "ecp5")
        row = [show_parameters(each), xc7.show("lut"), xc7.show("ff"), xc7.show("path_ns", form="{:.1f}")]
        before = _period(flat, figures.cell(flat, "xc7", tools)) if flat else None
        now = _period(each, xc7)
        row.append(f"{now:.1f}" if now else "-")
        row.append(f"{now / before:.2f}" if now and before else "-")
        row.append(placed.show("fmax_mhz", form="{:.1f}"))
        before = figures.cell(flat, "ecp5").number("fmax_mhz") if flat else None
        now = placed.number("fmax_mhz")
        row.append(f"{now / before:.2f}" if now and before else "-")
        rows.append(row)
    head = ["mx_dot", "LUT", "FF", "path ns", "period ns", "of Depth=0", "ECP5 Fmax MHz", "of Depth=0"]
    lines = _wrap(
        "*period* is the path between registers: where it begins or ends at a port, a register before the unit or "
        f"after it is added. LUTs and paths are those of {tools}."
    )
    return ["## Pipelined", "", *lines, "", *table(head, rows), ""]


def _period(unit: ParameterSet, cell: Cell) -> float | None:
    """Return the path of a unit with registers around it; with Depth 0 it goes from port to port."""
    path = cell.number("path_ns")
    if path is None or cell.result is None:
        return None
    inputs = {port.name for port in rtl.read_module(rtl.source(unit.unit)).ports if port.direction == "input"}
    if unit.shown.get("Depth") == 0:
        path += netlist.NET_NS + netlist.SETUP_NS
    return path + (netlist.CLOCK_TO_Q_NS if cell.result.figures["path_from"] in inputs else 0.0)


def _same_but_depth(one: ParameterSet, other: ParameterSet) -> bool:
    def rest(each: ParameterSet) -> dict[str, int | str]:
        return {name: value for name, value in each.shown.items() if name != "Depth"}

    return one.unit == other.unit and rest(one) == rest(other)


def _placed(figures: Figures, sets: Sequence[ParameterSet]) -> list[str]:
    rows = []
    for each in sets:
        cell = figures.cell(each, "ecp5")
        if cell.result:
            row = [each.unit, show_parameters(each), *(cell.show(name) for name in ("lut4", "ccu2c", "ff"))]
            rows.append([*row, cell.show("fmax_mhz", form="{:.1f}"), cell.result.tools])
    if not rows:
        return []
    head = ["unit", "parameters", "LUT4", "CCU2C", "FF", "Fmax MHz", "tools"]
    return ["## Placed and routed", "", "Lattice ECP5, LFE5U-25F, speed grade 6; FF with those around the unit.", "",
            *table(head, rows, left=2), ""]  # fmt: skip
