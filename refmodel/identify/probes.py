"""What a black box takes, and the inputs it is asked: dot products of equal length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.errors import DefinitionError
from refmodel.formats import BlockFormat, ElementFormat, ScaleFormat
from refmodel.operands import Elements, Operand

LENGTHS = (32, 128, 512)
"""Lengths K of dot products that show the groups, chains and promotions of known machines."""


@dataclass(frozen=True, slots=True)
class Interface:
    """What a black box takes.

    Attributes:
        a, b: Element formats of the operands.
        scale: Format of the block scales, or None for operands without.
        block: Elements that share a scale; 0 without scales.
        lengths: Lengths K that it can be asked, ascending.
        c_format: Format of the initial value; None if it always starts at +0.

    Raises:
        DefinitionError: If these contradict each other.
    """

    a: ElementFormat
    b: ElementFormat
    scale: ScaleFormat | None = None
    block: int = 0
    lengths: tuple[int, ...] = LENGTHS
    c_format: str | None = "float32"

    def __post_init__(self) -> None:
        if (self.scale is None) != (self.block == 0) or self.block < 0:
            raise DefinitionError(
                f"block={self.block} with scale={getattr(self.scale, 'name', None)}: a scale format and a block "
                "size of at least 1 go together"
            )
        if not self.lengths or min(self.lengths) < 1 or list(self.lengths) != sorted(set(self.lengths)):
            raise DefinitionError(f"lengths={self.lengths} must be different, ascending and at least 1")
        if self.block and any(length % self.block for length in self.lengths):
            raise DefinitionError(f"lengths={self.lengths} must be whole blocks of {self.block}")
        if self.c_format not in (None, "float32", "float16", "bfloat16"):
            raise DefinitionError(f"c_format={self.c_format!r} must be float32, float16, bfloat16 or None")

    def __str__(self) -> str:
        scales = f", {self.scale.name} scales of {self.block}" if self.scale else ""
        start = f"c {self.c_format}" if self.c_format else "no c"
        return f"{self.a.name} x {self.b.name}{scales}, K {', '.join(map(str, self.lengths))}, {start}"

    def length_for(self, least: int) -> int | None:
        """Return the shortest length of at least *least*, or None."""
        return next((length for length in self.lengths if length >= least), None)


@dataclass(frozen=True, slots=True, eq=False)
class Probes:
    """Inputs of one length.

    Attributes:
        interface: What they are for.
        a, b: Element codes [n, K]: uint8, uint16 or uint32.
        c: uint32 [n], Float32 bits of the initial values.
        a_scales, b_scales: uint8 [n, K / block] scale codes, or None.
        names: What each is for, n of them.
    """

    interface: Interface
    a: NDArray[Any]
    b: NDArray[Any]
    c: NDArray[np.uint32]
    a_scales: NDArray[np.uint8] | None
    b_scales: NDArray[np.uint8] | None
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.c)

    @property
    def length(self) -> int:
        """K."""
        return int(self.a.shape[1])

    def operands(self) -> tuple[Operand, Operand]:
        """Return a and b as `refmodel.dot` takes them."""
        sides = ((self.interface.a, self.a, self.a_scales), (self.interface.b, self.b, self.b_scales))
        a, b = (self._operand(*side) for side in sides)
        return a, b

    def _operand(self, element: ElementFormat, codes: NDArray[Any], scales: NDArray[np.uint8] | None) -> Operand:
        scale, block = self.interface.scale, self.interface.block
        if scale is None or scales is None:
            return Elements(element, codes)
        block_format = BlockFormat(f"{element.name}_{scale.name}_{block}", element, scale, block)
        return Blocks(block_format, codes.reshape(*scales.shape, block), scales)

    def take(self, index: Sequence[int] | NDArray[Any]) -> Probes:
        """Return the probes of these numbers."""
        rows = np.asarray(index, np.int64)
        return Probes(
            self.interface,
            self.a[rows],
            self.b[rows],
            self.c[rows],
            None if self.a_scales is None else self.a_scales[rows],
            None if self.b_scales is None else self.b_scales[rows],
            tuple(self.names[i] for i in rows),
        )

    def text(self, row: int) -> str:
        """Return one probe in words; elements with a zero code on both sides are left out."""
        kept = []
        start = 0
        for (x, y), same in groupby(zip(self.a[row].tolist(), self.b[row].tolist(), strict=True)):
            stop = start + len(list(same))
            if x or y:
                kept.append(f"{start}{f'-{stop - 1}' if stop > start + 1 else ''}: {x:#x}*{y:#x}")
            start = stop
        scales = ""
        if self.a_scales is not None and self.b_scales is not None:
            pairs = zip(self.a_scales[row], self.b_scales[row], strict=True)
            scales = ", scales " + " ".join(f"{int(x):#04x}*{int(y):#04x}" for x, y in pairs)
        elements = ", ".join(kept) or "all +0"
        return f"K={self.length}, c={int(self.c[row]):#010x}{scales}, codes {elements}"


BlackBox: TypeAlias = Callable[[Probes], NDArray[np.uint32]]
"""Returns the Float32 bits uint32 [n] of probes; a narrower result is the Float32 of its value."""


def code_type(element: ElementFormat) -> type[np.unsignedinteger[Any]]:
    """Return the dtype of codes."""
    return np.uint8 if element.bits <= 8 else np.uint16 if element.bits <= 16 else np.uint32


def initial_bits(interface: Interface, values: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Return Float32 bits of *values*, rounded to what the interface can be given as c."""
    if interface.c_format is None:
        return np.zeros(values.shape, np.uint32)
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32)
        if interface.c_format == "float16":
            single = single.astype(np.float16).astype(np.float32)
    bits = single.view(np.uint32)
    return bits & np.uint32(0xFFFF0000) if interface.c_format == "bfloat16" else bits
