"""Where the values of a cell go in a flat netlist of Yosys, and which registers can be seen through.

A register is a bit of a flip-flop. It can be seen through where its data input does not depend, through data inputs of
registers and logic, on itself: a stage of a pipeline, but no accumulator and no counter.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Bit = int

_REGISTERS = ("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce", "$adff", "$adffe", "$aldff", "$dffsr")
_OPAQUE = ("$mem", "$memrd", "$memwr", "$dlatch", "$sr")


@dataclass(frozen=True)
class Graph:
    """The netlist as bits.

    Attributes:
        cells: By name, as in Yosys' JSON.
        readers: By bit, the (cell, port, index in the port) that read it.
        ports: By bit, the output ports of the module that it goes to.
        cut: Names of the flip-flops with bits that cannot be seen through.
    """

    cells: Mapping[str, Mapping[str, Any]]
    readers: Mapping[Bit, Sequence[tuple[str, str, int]]]
    ports: Mapping[Bit, Sequence[str]]
    cut: frozenset[str]


def read_graph(path: Path, top: str) -> Graph:
    """Return the graph of module *top* in a JSON netlist."""
    module = json.loads(path.read_text())["modules"][top]
    cells: dict[str, Any] = module["cells"]
    readers: defaultdict[Bit, list[tuple[str, str, int]]] = defaultdict(list)
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for index, bit in enumerate(bits):
                    if isinstance(bit, int):
                        readers[bit].append((name, port, index))
    ports: defaultdict[Bit, list[str]] = defaultdict(list)
    for name, port in module["ports"].items():
        if port["direction"] == "output":
            for bit in port["bits"]:
                ports[bit].append(name)
    graph = Graph(cells, readers, ports, frozenset())
    return Graph(cells, readers, ports, frozenset(_cut(graph)))


def is_register(cell: Mapping[str, Any]) -> bool:
    """Return whether a cell is a flip-flop."""
    return cell["type"] in _REGISTERS


def reaches_data_alone(graph: Graph, cell: str, port: str, control: Collection[str]) -> bool:
    """Return whether what *port* of *cell* does goes to outputs other than *control* only, through registers that can
    be seen through, and to no enable or reset."""
    start = graph.cells[cell]
    if cell in graph.cut or (is_register(start) and port not in ("D", "Q")):
        return False
    waiting = [bit for name, bits in start["connections"].items() if start["port_directions"][name] == "output"
               for bit in bits]  # fmt: skip
    seen: set[Any] = set(waiting)
    while waiting:
        bit = waiting.pop()
        if any(name in control for name in graph.ports.get(bit, ())):
            return False
        for name, port_read, index in graph.readers.get(bit, ()):
            reader = graph.cells[name]
            if name in graph.cut or reader["type"].startswith(_OPAQUE):
                return False
            if is_register(reader) and port_read != "D":
                return False
            for bit_out in _next(reader, port_read, index):
                if bit_out not in seen:
                    seen.add(bit_out)
                    waiting.append(bit_out)
    return True


def results_depend_on_cut(graph: Graph, control: Collection[str]) -> bool:
    """Return whether a flip-flop that cannot be seen through goes, by logic and data inputs, to an output other than
    *control*."""
    waiting = [bit for name in graph.cut for bit in graph.cells[name]["connections"]["Q"]]
    seen: set[Any] = set(waiting)
    while waiting:
        bit = waiting.pop()
        if any(name not in control for name in graph.ports.get(bit, ())):
            return True
        for name, port, index in graph.readers.get(bit, ()):
            fresh = [out for out in _next(graph.cells[name], port, index) if out not in seen]
            seen.update(fresh)
            waiting += fresh
    return False


def _next(cell: Mapping[str, Any], port: str, index: int) -> list[Any]:
    """Return the output bits of a cell that depend on a bit of an input; of a register, on its data alone."""
    if is_register(cell):
        return [cell["connections"]["Q"][index]] if port == "D" else []
    return [
        bit for name, bits in cell["connections"].items() if cell["port_directions"][name] == "output" for bit in bits
    ]


def _cut(graph: Graph) -> set[str]:
    """Return the flip-flops with a register on a cycle of data: in a strongly connected part of the graph of bits."""
    edges: dict[Bit, list[Bit]] = {}
    for bit, readers in graph.readers.items():
        edges[bit] = [out for name, port, index in readers for out in _next(graph.cells[name], port, index)]
    component = _components(edges)
    sizes: defaultdict[int, int] = defaultdict(int)
    for number in component.values():
        sizes[number] += 1
    return {
        name
        for name, cell in graph.cells.items()
        if is_register(cell)
        and any(
            isinstance(bit, int) and (sizes[component.get(bit, -1)] > 1 or bit in edges.get(bit, ()))
            for bit in cell["connections"]["Q"]
        )
    }


def _components(edges: Mapping[Bit, Sequence[Bit]]) -> dict[Bit, int]:
    """Return the number of the strongly connected component of each bit (Tarjan, without recursion)."""
    index: dict[Bit, int] = {}
    low: dict[Bit, int] = {}
    component: dict[Bit, int] = {}
    stack: list[Bit] = []
    for root in edges:
        if root in index:
            continue
        path: list[tuple[Bit, int]] = [(root, -1)]
        while path:
            bit, at = path.pop()
            if at < 0:
                at = 0
                index[bit] = low[bit] = len(index)
                stack.append(bit)
            followers = edges.get(bit, ())
            for step in range(at, len(followers)):
                follower = followers[step]
                if follower not in index:
                    path += [(bit, step), (follower, -1)]
                    break
                if follower not in component:
                    low[bit] = min(low[bit], low[follower])
            else:
                if low[bit] == index[bit]:
                    while True:
                        member = stack.pop()
                        component[member] = index[bit]
                        if member == bit:
                            break
    return component
