"""Codes to the values of ports and back, in the layout that a description gives.

Everything is done for whole planes at once, as matrices of bits, the lowest bit of a port first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.conformance.configuration import Configuration
from refmodel.conformance.description import Description, Port
from refmodel.conformance.operations import Shape

Codes: TypeAlias = NDArray[np.unsignedinteger[Any]]
"""The items of a role, [rows, items], each an unsigned integer."""

Bits: TypeAlias = NDArray[np.uint8]
"""Port values as bits 0 and 1, [rows, width], the lowest bit first."""


def port_bits(
    description: Description, configuration: Configuration, planes: Mapping[str, Codes], widths: Mapping[str, int]
) -> dict[str, Bits]:
    """Return what every port carries that *planes* have something for.

    Args:
        description, configuration: What says where each role is.
        planes: Codes by role, all of as many rows.
        widths: The widths of the design's ports.
    """
    ports: dict[str, Bits] = {}
    for role, codes in planes.items():
        port, shape = description.ports[role], description.shape(role, configuration)
        assert shape is not None, f"a plane for {role}, which carries nothing"
        assert codes.shape[1] == shape.count, f"{role}: {codes.shape[1]} codes in a beat, its port has {shape.count}"
        bits = ports.setdefault(port.port, np.zeros((len(codes), widths[port.port]), np.uint8))
        packed = pack(codes, port, shape)
        low = description.low(role, configuration)
        bits[:, low : low + packed.shape[1]] = packed
    return ports


def pack(codes: Codes, port: Port, shape: Shape) -> Bits:
    """Return *codes* as the bits of their role: item after item, each in the low bits of its place."""
    ordered = codes[:, ::-1] if port.order == "first_high" else codes
    place = port.item_bits or shape.bits
    # The bytes of a code, little-endian, hold its bits in order.
    octets = np.ascontiguousarray(ordered.astype(ordered.dtype.newbyteorder("<"))).view(np.uint8)
    bits = np.unpackbits(octets.reshape(*ordered.shape, -1), axis=2, bitorder="little")
    if bits.shape[2] < place:
        bits = np.pad(bits, ((0, 0), (0, 0), (0, place - bits.shape[2])))
    return bits[:, :, :place].reshape(len(codes), -1)


def unpack(value: int, port: Port, shape: Shape) -> list[int]:
    """Return the items of a role from its bits of a port, and those above."""
    place = port.item_bits or shape.bits
    items = [value >> (i * place) & ((1 << shape.bits) - 1) for i in range(shape.count)]
    return items[::-1] if port.order == "first_high" else items


def digits(bits: Bits) -> list[str]:
    """Return every row as a string of 0 and 1, the highest bit first."""
    text = np.ascontiguousarray(bits[:, ::-1]) + np.uint8(ord("0"))
    return [row.tobytes().decode("ascii") for row in text]


def words(bits: Bits) -> NDArray[np.uint32]:
    """Return every row as little-endian words of 32 bits."""
    padded = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 32)))
    return np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32)
