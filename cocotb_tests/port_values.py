"""What the ports of a design carry for a vector set, and what is missing in a design for it to be driven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cocotb_tests.operations.base import Items, Planes
from cocotb_tests.packing import Bits, port_bits, unpack, words
from refmodel.conformance import Configuration, Description

_GARBAGE_SEED = 0x6D78


@dataclass(frozen=True)
class PortValues:
    """The vectors of a set as values of ports.

    Attributes:
        items: The vectors.
        description, configuration: What says where each role is.
        planes: The codes by role, ends of packets included.
        inputs: By input port, bits [beats, width], the lowest first.
        outputs: By result port, bits [items, width].
    """

    items: Items
    description: Description
    configuration: Configuration
    planes: Planes
    inputs: Mapping[str, Bits]
    outputs: Mapping[str, Bits]

    @property
    def bounds(self) -> NDArray[np.int64]:
        """int64 [items + 1]: item i is made of beats bounds[i] ... bounds[i + 1] - 1."""
        return self.planes.bounds

    @cached_property
    def expected(self) -> NDArray[np.uint32]:
        """The results [items, words]: the words of one result port after the other."""
        return np.concatenate([words(bits) for bits in self.outputs.values()], axis=1)

    def codes(self, seen: NDArray[np.uint32]) -> dict[str, list[int]]:
        """Return the codes of a result by role, from the words of its ports."""
        values, at = {}, 0
        for port, bits in self.outputs.items():
            count = -(-bits.shape[1] // 32)
            values[port] = int.from_bytes(seen[at : at + count].astype("<u4").tobytes(), "little")
            at += count
        codes = {}
        for role, place in self.description.ports.items():
            shape = self.description.shape(role, self.configuration)
            if place.port in values and shape is not None:
                low = self.description.low(role, self.configuration)
                codes[role] = unpack(values[place.port] >> low, place, shape)
        return codes

    def explain(self, item: int, seen: NDArray[np.uint32], *, full: bool) -> list[str]:
        """Return lines on a wrong result, from the words of its ports; with *full* everything, however long."""
        codes = self.codes(seen)
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
    inputs = port_bits(description, configuration, planes.inputs, widths)
    inputs |= _garbage(description, planes, inputs, widths)
    outputs = port_bits(description, configuration, planes.outputs, widths)
    return PortValues(items, description, configuration, planes, inputs, outputs)


def named_ports(description: Description) -> list[str]:
    """Return the names of all ports that a description has, each once."""
    handshake = description.handshake
    names = [
        description.clock, description.reset.port, handshake.in_valid, handshake.in_ready, handshake.out_valid,
        handshake.out_ready, *(port.port for port in description.ports.values()), *description.ties,
    ]  # fmt: skip
    return list(dict.fromkeys(names))


def misfits(widths: Mapping[str, int], description: Description, configuration: Configuration) -> list[str]:
    """Return a sentence for each port of the description that the design lacks or has in another width.

    Args:
        widths: The widths of the design's ports, at least of those that `named_ports` has.
        description, configuration: What they are held against.
    """
    handshake = description.handshake
    wanted: dict[str, tuple[str, int | None]] = {
        description.clock: ("[clock] key 'port'", 1),
        description.reset.port: ("[reset] key 'port'", 1),
        handshake.in_valid: ("[handshake]", 1),
        handshake.in_ready: ("[handshake]", 1),
        handshake.out_valid: ("[handshake]", 1),
        handshake.out_ready: ("[handshake]", 1),
    }
    wanted |= {port: (f"[ties] key '{port}'", None) for port in description.ties}
    needed = description.port_widths(configuration)
    for role, port in description.ports.items():
        wanted[port.port] = (f"[ports] key '{role}'", needed[port.port])
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
    description: Description, planes: Planes, inputs: Mapping[str, Bits], widths: Mapping[str, int]
) -> dict[str, Bits]:
    """Return random values for the input ports that this configuration has no use for."""
    roles = description.operation.roles
    unused = {
        port.port
        for role, port in description.ports.items()
        if roles[role].direction == "in" and role not in planes.inputs and port.port not in inputs
    }
    draws = np.random.Generator(np.random.PCG64(_GARBAGE_SEED))
    return {port: draws.integers(0, 2, (int(planes.bounds[-1]), widths[port]), np.uint8) for port in sorted(unused)}
