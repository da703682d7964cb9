"""A mapped netlist, as Yosys writes it to JSON: its cells counted, and its longest path.

The delays of an xc7 netlist are a ruler, not a sign-off: every LUT input counts the same, and every net 0.5 ns
wherever it would be placed. The numbers are those of an Artix-7 in speed grade -1: LUT and flip-flop from typical
static timing, CARRY4 rounded from the arcs in Yosys' own `techlibs/xilinx/cells_sim.v`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from refmodel.errors import MxError

NET_NS = 0.5
LUT_NS = 0.124
MUXF_NS = {"MUXF7": 0.24, "MUXF8": 0.10}
CLOCK_TO_Q_NS = 0.46
SETUP_NS = 0.05
# CARRY4: from DI, S or CYINIT into the chain, from there or from S to the XOR output, and along the chain.
CARRY_ENTER_NS = 0.53
CARRY_SUM_NS = 0.60
CARRY_OWN_SUM_NS = 0.22
CARRY_CHAIN_NS = 0.114
CARRY_CHAIN_SUM_NS = 0.32

GATE_COST = {"NAND": 1.0, "NOR": 1.0, "NOT": 0.5, "AOI3": 1.5, "OAI3": 1.5, "AOI4": 2.0, "OAI4": 2.0}
"""NAND2 equivalents of Yosys' static CMOS gates: transistors by four."""

_LUTS = tuple(f"LUT{inputs}" for inputs in range(1, 7))
_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1")
_IGNORED = ("$scopeinfo", "BUFG", "VCC", "GND")

_Bit: TypeAlias = "int | str"
_Cell: TypeAlias = Mapping[str, Any]


class NetlistError(MxError):
    """A netlist holds what this module does not know."""


@dataclass(frozen=True, slots=True)
class LongestPath:
    """The longest path of a netlist.

    Attributes:
        ns: Its delay by the numbers above.
        luts, muxes, carries: Number of LUTs, of MUXF7 and MUXF8, and of CARRY4 on it.
        start, end: Names of the nets at its ends: of a port, or of what a register drives.
    """

    ns: float
    luts: int
    muxes: int
    carries: int
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class _Arc:
    source: _Bit
    target: _Bit
    ns: float
    cell: str
    kind: str


def read_netlist(path: Path, top: str) -> Mapping[str, Any]:
    """Return module *top* of a JSON netlist."""
    module: Mapping[str, Any] = json.loads(path.read_text())["modules"][top]
    return module


def cell_counts(module: Mapping[str, Any]) -> Counter[str]:
    """Return how many cells of each type the netlist has."""
    return Counter(cell["type"] for cell in module["cells"].values())


def lut_count(counts: Mapping[str, int]) -> int:
    """Return the number of LUT1 to LUT6 cells."""
    return sum(counts.get(name, 0) for name in _LUTS)


def flip_flop_count(counts: Mapping[str, int]) -> int:
    """Return the number of flip-flops, those inside shift register LUTs not among them."""
    return sum(counts.get(name, 0) for name in _FLIP_FLOPS)


def gate_equivalents(counts: Mapping[str, int]) -> float:
    """Return the NAND2 equivalents of a netlist of static CMOS gates; flip-flops are not counted.

    Raises:
        NetlistError: If it holds other cells.
    """
    total = 0.0
    for name, count in counts.items():
        gate = name.removeprefix("$_").removesuffix("_")
        if gate in GATE_COST:
            total += GATE_COST[gate] * count
        elif not (name.startswith(("$_DFF", "$_SDFF")) or name in _IGNORED):
            raise NetlistError(f"cell {name} is neither a static CMOS gate nor a flip-flop")
    return total


def longest_path(module: Mapping[str, Any]) -> LongestPath:
    """Return the longest path from a port or register to a port or register of an xc7 netlist.

    Raises:
        NetlistError: If it holds cells of another kind, or a combinational loop.
    """
    arrival: dict[_Bit, float] = {}
    ends: list[tuple[_Bit, float, _Bit]] = []  # a net, what the path takes after it, and the net that names its end
    into: dict[_Bit, list[_Arc]] = {}
    for port in module["ports"].values():
        for bit in port["bits"]:
            if port["direction"] == "input":
                arrival[bit] = 0.0
            else:
                ends.append((bit, 0.0, bit))
    for name, cell in module["cells"].items():
        kind = cell["type"]
        pins = cell["connections"]
        if kind in _FLIP_FLOPS or kind in ("SRL16E", "SRLC32E"):
            register = pins["Q"][0]
            arrival[register] = CLOCK_TO_Q_NS
            clock = "C" if kind in _FLIP_FLOPS else "CLK"
            for pin, bits in pins.items():
                if pin not in ("Q", "Q31", clock):
                    ends += [(bit, NET_NS + SETUP_NS, register) for bit in bits]
        else:
            for arc in _arcs(name, cell):
                into.setdefault(arc.target, []).append(arc)
    chosen = _propagate(arrival, into)
    if not ends:
        raise NetlistError("the netlist has no output")
    end, extra, end_name = max(ends, key=lambda each: arrival.get(each[0], 0.0) + each[1])
    kinds: Counter[str] = Counter()
    bit, seen = end, set[str]()
    while bit in chosen:
        arc = chosen[bit]
        if arc.cell not in seen:
            seen.add(arc.cell)
            kinds[arc.kind] += 1
        bit = arc.source
    return LongestPath(
        round(arrival.get(end, 0.0) + extra, 2),
        sum(kinds[name] for name in _LUTS),
        sum(kinds[name] for name in MUXF_NS),
        kinds["CARRY4"],
        _net_name(module, bit),
        _net_name(module, end_name),
    )


def _arcs(name: str, cell: _Cell) -> Iterator[_Arc]:
    """Yield the combinational arcs of a cell, each with the delay of the net that leads to it."""
    kind, pins = cell["type"], cell["connections"]
    if kind in _LUTS:
        for index in range(int(kind[3:])):
            yield _Arc(pins[f"I{index}"][0], pins["O"][0], NET_NS + LUT_NS, name, kind)
    elif kind == "INV":  # becomes part of the cell behind it
        yield _Arc(pins["I"][0], pins["O"][0], 0.0, name, kind)
    elif kind in MUXF_NS:  # its inputs come from the LUTs beside it
        for pin in ("I0", "I1"):
            yield _Arc(pins[pin][0], pins["O"][0], MUXF_NS[kind], name, kind)
        yield _Arc(pins["S"][0], pins["O"][0], NET_NS + MUXF_NS[kind], name, kind)
    elif kind == "CARRY4":
        yield from _carry_arcs(name, pins)
    elif kind not in _IGNORED:
        raise NetlistError(f"cell {name} is a {kind}, whose delay is not known here")


def _carry_arcs(name: str, pins: Mapping[str, list[_Bit]]) -> Iterator[_Arc]:
    """Yield the arcs of four bits of a carry chain; a comparison uses no sum, the top of an adder no carry."""
    entries = [(pins["CYINIT"][0], 0, False)] if "CYINIT" in pins else []
    entries += [(bit, position, False) for position, bit in enumerate(pins.get("DI", []))]
    entries += [(bit, position, True) for position, bit in enumerate(pins["S"])]
    for position, carry in enumerate(pins.get("CO", [])):
        for bit, entry, _ in entries:
            if entry <= position:
                yield _Arc(bit, carry, NET_NS + CARRY_ENTER_NS, name, "CARRY4")
        for bit in pins.get("CI", []):
            yield _Arc(bit, carry, CARRY_CHAIN_NS, name, "CARRY4")
    for position, total in enumerate(pins.get("O", [])):
        for bit, entry, is_select in entries:
            if is_select and entry == position:
                yield _Arc(bit, total, NET_NS + CARRY_OWN_SUM_NS, name, "CARRY4")
            elif entry < position or (entry == position and bit == pins.get("CYINIT", [None])[0]):
                yield _Arc(bit, total, NET_NS + CARRY_SUM_NS, name, "CARRY4")
        for bit in pins.get("CI", []):
            yield _Arc(bit, total, CARRY_CHAIN_SUM_NS, name, "CARRY4")


def _propagate(arrival: dict[_Bit, float], into: Mapping[_Bit, list[_Arc]]) -> dict[_Bit, _Arc]:
    """Complete *arrival* from the starts that it holds, and return for every other net the arc that decides it.

    Depth first, without recursion.
    """
    chosen: dict[_Bit, _Arc] = {}
    open_: set[_Bit] = set()
    for goal in into:
        stack = [goal]
        while stack:
            bit = stack[-1]
            if bit in arrival:
                stack.pop()
                continue
            waiting = [arc.source for arc in into.get(bit, ()) if arc.source not in arrival]
            waiting = [each for each in waiting if each in into]  # else a constant, stable from the start
            if waiting and bit in open_:
                raise NetlistError(f"the netlist has a combinational loop through net {bit}")
            if waiting:
                open_.add(bit)
                stack += waiting
                continue
            best = max(into[bit], key=lambda arc: arrival.get(arc.source, 0.0) + arc.ns)
            arrival[bit] = arrival.get(best.source, 0.0) + best.ns
            chosen[bit] = best
            open_.discard(bit)
            stack.pop()
    return chosen


def _net_name(module: Mapping[str, Any], bit: _Bit) -> str:
    """Return the shortest name that the source has for a net."""
    named = [name for name, net in module["netnames"].items() if bit in net["bits"]]
    return min(named, key=lambda name: (module["netnames"][name].get("hide_name", 0), len(name)), default="a constant")
