"""What the ports of a design carry for a vector set, and what is missing in a design for it to be driven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cocotb_tests.operations.base import Items, Planes
from cocotb_tests.packing import Bits, Codes, port_bits, role_codes, to_transfers, unpack_words, words
from refmodel.conformance import Configuration, Description

_GARBAGE_SEED = 0x6D78


@dataclass(frozen=True)
class PortValues:
    """The vectors of a set as values of ports.

    Attributes:
        items: The vectors.
        description, configuration: What says where each role is.
        planes: The codes by role, ends of packets included.
        inputs: By input port, bits [transfers, width], the lowest first.
        outputs: By result port, bits [items, width], of a narrow bus all that it carries of a result.
    """

    items: Items
    description: Description
    configuration: Configuration
    planes: Planes
    inputs: Mapping[str, Bits]
    outputs: Mapping[str, Bits]

    @property
    def bounds(self) -> NDArray[np.int64]:
        """int64 [items + 1]: item i is made of transfers bounds[i] ... bounds[i + 1] - 1."""
        return self.planes.bounds * self.description.transfers(self.description.handshake.in_data, self.configuration)

    @cached_property
    def expected(self) -> NDArray[np.uint32]:
        """The results [items, words]: the words of one result port after the other."""
        return np.concatenate([words(bits) for bits in self.outputs.values()], axis=1)

    def codes(self, seen: NDArray[np.uint32]) -> dict[str, Codes]:
        """Return the codes [results, items] by role of results [results, words of their ports]."""
        values, at = {}, 0
        for port, bits in self.outputs.items():
            count = -(-bits.shape[1] // 32)
            values[port] = unpack_words(seen[:, at : at + count], bits.shape[1])
            at += count
        return {role: role_codes(self.description, self.configuration, role, values) for role in self.planes.outputs}

    def explain(self, item: int, seen: NDArray[np.uint32], *, full: bool) -> list[str]:
        """Return lines on a wrong result, from the words of its ports; with *full* everything, however long."""
        codes = {role: rows[0].tolist() for role, rows in self.codes(seen[None]).items()}
        wrong = {role for role in codes if codes[role] != self.planes.outputs[role][item].tolist()}
        if wrong == {"result_packet_end"}:
            return [f"  the end of a packet is {codes['result_packet_end'][0]}, everything else is right"]
        if not wrong:
            return ["  bits of a port that belong to no role are not 0"]
        return self.items.explain(item, codes, full=full)


def port_values(
    items: Items, description: Description, configuration: Configuration, widths: Mapping[str, int]
) -> PortValues:
    """Return the values of ports for *items*.

    Args:
        items: The vectors.
        description, configuration: What says where each role is.
        widths: The widths of the design's ports, without `misfits`.
    """
    planes = _planes(items, description, configuration)
    handshake = description.handshake
    frames = description.frame_widths(configuration)
    buses = {port: frames[port] or 0 for port in (handshake.in_data, handshake.out_data) if port}
    inputs = port_bits(description, configuration, planes.inputs, {**widths, **buses})
    inputs |= _garbage(description, configuration, planes, inputs, widths)
    if handshake.in_data:
        count = description.transfers(handshake.in_data, configuration)
        inputs = {
            port: to_transfers(bits, handshake.bits, handshake.order)
            if port == handshake.in_data else np.repeat(bits, count, axis=0)
            for port, bits in inputs.items()
        }  # fmt: skip
    outputs = port_bits(description, configuration, planes.outputs, {**widths, **buses})
    return PortValues(items, description, configuration, planes, inputs, outputs)


def named_ports(description: Description, configuration: Configuration) -> list[str]:
    """Return the names of all ports that a description has, each once."""
    names = [description.clock] if description.clock else []
    names += [description.reset.port] if description.reset else []
    names += description.handshake.pins.values()
    names += [name for role in description.ports for name in description.port_names(role, configuration)]
    return list(dict.fromkeys([*names, *description.ties]))


def misfits(widths: Mapping[str, int], description: Description, configuration: Configuration) -> list[str]:
    """Return a sentence for each port of the description that the design lacks or has in another width.

    Args:
        widths: The widths of the design's ports, at least of those that `named_ports` has.
        description, configuration: What they are held against.
    """
    wanted: dict[str, tuple[str, int | None]] = {}
    if description.clock:
        wanted[description.clock] = ("[clock] key 'port'", 1)
    if description.reset:
        wanted[description.reset.port] = ("[reset] key 'port'", 1)
    wanted |= {port: (f"[handshake] {use}", 1) for use, port in description.handshake.pins.items()}
    wanted |= {port: (f"[ties] key '{port}'", None) for port in description.ties}
    needed = description.port_widths(configuration)
    for role in description.ports:
        for name in description.port_names(role, configuration):
            wanted[name] = (f"[ports] key '{role}'", needed[name])
    sentences = []
    top = description.design.top
    for port_name, (where, width) in wanted.items():
        if port_name not in widths:
            sentences.append(f"{where}: {top} has no port {port_name}")
        elif width is not None and widths[port_name] != width:
            sentences.append(
                f"{where}: port {port_name} of {top} is {widths[port_name]} bits wide; "
                f"{configuration.name} needs {width}"
            )
    return sentences


def _planes(items: Items, description: Description, configuration: Configuration) -> Planes:
    """Return what the ports of the design carry, ends of packets included."""
    planes = items.planes(description, configuration)
    inputs, outputs = dict(planes.inputs), dict(planes.outputs)
    ends = np.ones((items.count, 1), np.uint8)  # a result that is the end of a run is a packet
    if "packet_end" in description.ports:
        ends = np.random.Generator(np.random.PCG64(_GARBAGE_SEED)).integers(0, 2, ends.shape, np.uint8)
        # The last beat of an item is where its packet may end.
        inputs["packet_end"] = np.zeros((int(planes.bounds[-1]), 1), np.uint8)
        inputs["packet_end"][planes.bounds[1:] - 1] = ends
    outputs["result_packet_end"] = ends
    return Planes(
        {role: codes for role, codes in inputs.items() if role in description.ports},
        planes.bounds,
        {role: codes for role, codes in outputs.items() if role in description.ports},
    )


def _garbage(
    description: Description, configuration: Configuration, planes: Planes, inputs: Mapping[str, Bits],
    widths: Mapping[str, int],
) -> dict[str, Bits]:
    """Return random values for the input ports that this configuration has no use for."""
    roles = description.operation.roles
    unused = {
        name
        for role in description.ports
        if roles[role].direction == "in" and role not in planes.inputs
        for name in description.port_names(role, configuration)
        if name not in inputs
    }
    draws = np.random.Generator(np.random.PCG64(_GARBAGE_SEED))
    return {port: draws.integers(0, 2, (int(planes.bounds[-1]), widths[port]), np.uint8) for port in sorted(unused)}
