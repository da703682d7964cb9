"""The layouts of element codes in bytes, as data (A-24, A-25).

MX prescribes none (MX-5.1-e), so every layout has a name and a source. A layout says where each bit of
each code goes: bit k of code i of a unit is stored at a bit position of the unit's bytes, position 0
being the least significant bit of byte 0, position 8 that of byte 1. A unit is the smallest group of
codes that fills whole bytes. Within a code the sign is the most significant bit (MX-5.3-c).

Any width from 2 to 8 bits:

* ``le``: little-endian bit stream, code 0 in the lowest bits of byte 0.
* ``be``: big-endian bit stream, code 0 in the highest bits of byte 0; the order in which people write bits.
* ``byte``: a byte each, in the low bits; the others are 0. ml_dtypes; FP6 in PTX ``cvt`` (NV-CVT-a).
* ``byte_high``: a byte each, in the high bits; the others are 0. FP6 in tt-llk and tt-metal (A-25).

4, 6 or 8 bits:

* ``ptx``: a byte each; 4-bit codes in bits 5:2, 6-bit codes in bits 5:0, the others are 0. The operands of
  the PTX ``f8f6f4`` kinds (NV-MM-d).

4 bits (A-24):

* ``low_first``: code 0 in bits 3:0, code 1 in bits 7:4. The same as ``le``. ONNX, CUDA ``fp4x2``, torchao.
* ``high_first``: code 0 in bits 7:4, code 1 in bits 3:0. The same as ``be``. The operand order of PTX
  ``cvt`` to ``e2m1x2`` (NV-CVT-a).
* ``ggml``: byte j holds code j in bits 3:0 and code j + n/2 in bits 7:4. ggml's MXFP4, where n is 32.

6 bits (A-25):

* ``le24``: four codes in 24 bits, code 0 in bits 5:0. The same as ``le``. Quark ``Pack_fp6``, rocRoller.
* ``quark_mxfp6``: four codes in three bytes. Byte 0 holds bits 5:4 of codes 0, 1, 2, 3 in its bits 7:6,
  5:4, 3:2, 1:0; byte 1 holds bits 3:0 of code 0 in 7:4 and of code 1 in 3:0; byte 2 codes 2 and 3
  likewise. Quark ``Pack_mxfp6``.
* ``torchao_uint6``: bytes 0 to 3n/4 - 1 hold codes 0 to 3n/4 - 1 in bits 5:0. Bits 7:6 of bytes j, j + n/4
  and j + n/2 hold bits 1:0, 3:2 and 5:4 of code j + 3n/4. torchao's CPU kernels (``uint6.h``), where n is
  4, 32 or 64.
* ``torchao_uintx``: a plane of n/2 bytes, byte j holding bits 3:0 of code j in 3:0 and of code j + n/2 in
  7:4; then a plane of n/4 bytes, byte j holding bits 5:4 of codes j, j + n/4, j + n/2, j + 3n/4 in 1:0,
  3:2, 5:4, 7:6. torchao's ``uintx/bitpacking.py``, which returns the planes as two arrays.

In the layouts described with n, the whole last axis of n codes is one group: give them one block per row,
as `refmodel.packing.pack_blocks` does. In the others units stand alone, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import Any, Literal, TypeAlias

import numpy as np

from refmodel.errors import DefinitionError, unknown_name
from refmodel.formats import IntegerFormat, NumberFormat, get_number_format

Layout: TypeAlias = Literal[
    "le",
    "be",
    "byte",
    "byte_high",
    "ptx",
    "low_first",
    "high_first",
    "ggml",
    "le24",
    "quark_mxfp6",
    "torchao_uint6",
    "torchao_uintx",
]
"""Names of the element layouts; the text above describes them."""


def _stream_le(bits: int, code: int, bit: int) -> int:
    return bits * code + bit


def _stream_be(bits: int, code: int, bit: int) -> int:
    from_top = bits * code + bits - 1 - bit
    return from_top // 8 * 8 + 7 - from_top % 8


def _quark_mxfp6(bits: int, code: int, bit: int) -> int:
    if bit >= 4:
        return 6 - 2 * code + bit - 4
    return 8 * (1 + code // 2) + 4 * (1 - code % 2) + bit


def _torchao_uint6(bits: int, code: int, bit: int) -> int:
    return 8 * code + bit if code < 3 else 8 * (bit // 2) + 6 + bit % 2


def _torchao_uintx(bits: int, code: int, bit: int) -> int:
    if bit >= 4:
        return 8 * 2 + 2 * code + bit - 4
    return 8 * (code % 2) + 4 * (code // 2) + bit


@dataclass(frozen=True, slots=True)
class _Description:
    """A layout, for every width it is defined for.

    Attributes:
        position: (code width, code of the unit, bit of the code) -> bit position in the unit's bytes.
        widths: Those widths.
        dense: Whether every bit of every byte is used; otherwise each code has a byte of its own.
        planar: Whether code i of a unit comes from the i-th of equal contiguous parts of the last axis
            (and byte i goes to the i-th of equal parts of the bytes), instead of from neighbours.
    """

    position: Callable[[int, int, int], int]
    widths: tuple[int, ...]
    dense: bool = True
    planar: bool = False


_ANY_WIDTH = tuple(range(2, 9))

_LAYOUTS: dict[str, _Description] = {
    "le": _Description(_stream_le, _ANY_WIDTH),
    "be": _Description(_stream_be, _ANY_WIDTH),
    "byte": _Description(lambda bits, code, bit: bit, _ANY_WIDTH, dense=False),
    "byte_high": _Description(lambda bits, code, bit: 8 - bits + bit, _ANY_WIDTH, dense=False),
    "ptx": _Description(lambda bits, code, bit: bit + (2 if bits == 4 else 0), (4, 6, 8), dense=False),
    "low_first": _Description(_stream_le, (4,)),
    "high_first": _Description(_stream_be, (4,)),
    "ggml": _Description(_stream_le, (4,), planar=True),
    "le24": _Description(_stream_le, (6,)),
    "quark_mxfp6": _Description(_quark_mxfp6, (6,)),
    "torchao_uint6": _Description(_torchao_uint6, (6,), planar=True),
    "torchao_uintx": _Description(_torchao_uintx, (6,), planar=True),
}


def list_layouts(element: int | str | NumberFormat | None = None) -> tuple[str, ...]:
    """Return the names of the element layouts, all or those that can hold *element*.

    Args:
        element: Code width in bits, or a format by name or description.

    Raises:
        UnknownNameError: If there is no such format.
        DefinitionError: If the width is not 2 to 8 bits.
    """
    if element is None:
        return tuple(_LAYOUTS)
    bits = as_packed_format(element).bits
    return tuple(name for name, layout in _LAYOUTS.items() if bits in layout.widths)


@dataclass(frozen=True, slots=True)
class Plan:
    """A layout for one code width, as moves of bits within little-endian words of one unit of codes.

    Attributes:
        unit: Codes in a unit: 1, 2, 4 or 8, so that a word holds one byte per code.
        unit_bytes: Bytes of a packed unit; never more than unit.
        word: Little-endian unsigned integer of *unit* bytes.
        pack_moves: (mask, shift) pairs: the bits in mask move up by shift places.
        unpack_moves: The moves back.
        unused: The bits of each byte that no code uses.
        planar: See `_Description`.
    """

    unit: int
    unit_bytes: int
    word: np.dtype[Any]
    pack_moves: tuple[tuple[int, int], ...]
    unpack_moves: tuple[tuple[int, int], ...]
    unused: int
    planar: bool


def get_plan(layout: str, bits: int) -> Plan:
    """Return the plan of a layout for codes of that width.

    Raises:
        UnknownNameError: If there is no such layout.
        DefinitionError: If the layout is not defined for this width.
    """
    if not isinstance(layout, str) or layout not in _LAYOUTS:
        raise unknown_name("packing layout", layout, _LAYOUTS)
    widths = _LAYOUTS[layout].widths
    if bits not in widths:
        raise DefinitionError(
            f"layout {layout!r} is for codes of {', '.join(map(str, widths))} bits, not {bits}; "
            f"for {bits} bits choose one of: {', '.join(list_layouts(bits))}"
        )
    return _make_plan(layout, bits)


@lru_cache(maxsize=64)
def _make_plan(layout: str, bits: int) -> Plan:
    """Group the bits of a unit by the distance they move: each group is one masked shift of a word."""
    description = _LAYOUTS[layout]
    unit, unit_bytes = (8 // gcd(8, bits), bits // gcd(8, bits)) if description.dense else (1, 1)
    masks: dict[int, int] = {}
    used = 0
    for code in range(unit):
        for bit in range(bits):
            source, target = 8 * code + bit, description.position(bits, code, bit)
            masks[target - source] = masks.get(target - source, 0) | 1 << source
            used |= 1 << target
    moves = tuple((mask, shift) for shift, mask in masks.items())
    back = tuple((mask << shift if shift > 0 else mask >> -shift, -shift) for mask, shift in moves)
    # Only the layouts with a byte per code leave bits unused, so one byte says it all.
    unused = ~used & ((1 << 8 * unit_bytes) - 1)
    return Plan(unit, unit_bytes, np.dtype(f"<u{unit}"), moves, back, unused, description.planar)


def as_packed_format(element: int | str | NumberFormat) -> NumberFormat:
    """Return *element* as a format of 2 to 8 bits; a plain width becomes an integer format.

    Raises:
        UnknownNameError: If there is no such format.
        DefinitionError: If the width is not 2 to 8 bits.
    """
    if isinstance(element, int | np.integer):
        bits, name = int(element), f"{int(element)}-bit elements"
    else:
        number_format = get_number_format(element)
        bits, name = number_format.bits, number_format.name
    if bits not in _ANY_WIDTH:
        raise DefinitionError(f"{name}: a code of {bits} bits cannot be packed; widths are 2 to 8 bits")
    return IntegerFormat(name, bits, 0) if isinstance(element, int | np.integer) else number_format
