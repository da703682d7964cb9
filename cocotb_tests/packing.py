"""Codes to the values of ports and back, in the layout that a description gives.

Everything is done for whole planes at once, as matrices of bits, the lowest bit of a port first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.conformance.configuration import Configuration
from refmodel.conformance.description import Description, Order, Port
from refmodel.conformance.operations import Shape, number_format

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
        shape = description.shape(role, configuration)
        assert shape is not None, f"a plane for {role}, which carries nothing"
        assert codes.shape[1] == shape.count, f"{role}: {codes.shape[1]} codes in a beat, its port has {shape.count}"
        packed = pack(codes, description.ports[role], shape)
        if description.ports[role].fields:
            packed = np.concatenate([packed, _leading_bits(codes, description, configuration, role)], axis=1)
        for piece in description.pieces(role, configuration):
            bits = ports.setdefault(piece.port, np.zeros((len(codes), widths[piece.port]), np.uint8))
            bits[:, piece.low : piece.end] = packed[:, piece.bits]
    return ports


def _leading_bits(codes: Codes, description: Description, configuration: Configuration, role: str) -> Bits:
    """Return the bit above the fraction of every number: 0 of zeros and subnormal numbers, 1 of all others."""
    fmt = number_format(description.operation, role, configuration)
    exponents = codes >> codes.dtype.type(fmt.mantissa_bits) & codes.dtype.type((1 << fmt.exponent_bits) - 1)
    leading: Bits = (exponents != 0).astype(np.uint8)
    return leading


def role_codes(
    description: Description, configuration: Configuration, role: str, ports: Mapping[str, Bits]
) -> Codes:
    """Return the codes [rows, items] of a role from what its ports carry."""
    port, shape = description.ports[role], description.shape(role, configuration)
    assert shape is not None, f"{role} carries nothing"
    place, pieces = port.item_bits or shape.bits, description.pieces(role, configuration)
    rows = len(ports[pieces[0].port])
    bits = np.zeros((rows, shape.count * (place + 1)), np.uint8)
    for piece in pieces:
        bits[:, piece.bits] = ports[piece.port][:, piece.low : piece.end]
    items = bits[:, : shape.count * place].reshape(rows, shape.count, place)[:, :, : shape.bits]
    size = next(size for size in (1, 2, 4) if 8 * size >= shape.bits)
    padded = np.pad(items, ((0, 0), (0, 0), (0, 8 * size - shape.bits)))
    octets = np.packbits(padded, axis=2, bitorder="little")
    codes: Codes = np.ascontiguousarray(octets).view(f"<u{size}")[:, :, 0].astype(f"u{size}")
    return codes[:, ::-1] if port.order == "first_high" else codes


def pack(codes: Codes, port: Port, shape: Shape) -> Bits:
    """Return *codes* as the bits of their role: item after item, each in the low bits of its place."""
    ordered = codes[:, ::-1] if port.order == "first_high" else codes
    place = port.item_bits or shape.bits
    # The bytes of a code, little-endian, hold its bits in order.
    octets = np.ascontiguousarray(ordered.astype(ordered.dtype.newbyteorder("<"))).view(np.uint8)
    bits = np.unpackbits(octets.reshape(*ordered.shape, -1), axis=2, bitorder="little")
    if bits.shape[2] < place:
        bits = np.pad(bits, ((0, 0), (0, 0), (0, place - bits.shape[2])))
    if port.signed:
        bits[:, :, shape.bits : place] = bits[:, :, shape.bits - 1 : shape.bits]
    return bits[:, :, :place].reshape(len(codes), -1)


def digits(bits: Bits) -> list[str]:
    """Return every row as a string of 0 and 1, the highest bit first."""
    text = np.ascontiguousarray(bits[:, ::-1]) + np.uint8(ord("0"))
    return [row.tobytes().decode("ascii") for row in text]


def words(bits: Bits) -> NDArray[np.uint32]:
    """Return every row as little-endian words of 32 bits."""
    padded = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 32)))
    return np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32)


def unpack_words(rows: NDArray[np.uint32], width: int) -> Bits:
    """Return the lowest *width* bits of rows of little-endian words of 32 bits."""
    octets = np.ascontiguousarray(rows.astype("<u4")).view(np.uint8)
    return np.unpackbits(octets, axis=1, count=width, bitorder="little")


def to_transfers(bits: Bits, width: int, order: Order) -> Bits:
    """Return frames as the parts of *width* bits in which a narrow bus carries them."""
    parts = bits.reshape(len(bits), -1, width)
    return (parts[:, ::-1] if order == "first_high" else parts).reshape(-1, width)
