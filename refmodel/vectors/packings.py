"""Sets of blocks and the bytes that they are in memory, under a layout of `refmodel.layouts`; and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.errors import unknown_name
from refmodel.formats import BlockFormat
from refmodel.layouts import Layout
from refmodel.oracle.packing import pack
from refmodel.packing import SCALE_POSITIONS, ScalePosition, pack_blocks, unpack_blocks
from refmodel.vectors.codes import uniform_codes
from refmodel.vectors.dotset import check_request, get_vector_format
from refmodel.vectors.draws import Draws
from refmodel.vectors.pieces import FIRST, RowPieces, check_stream
from refmodel.vectors.vectorset import Plane, RowSet, StimulusClassRange, parts_of

_Set = TypeVar("_Set", bound="PackVectors")

CLASSES = {
    "bits": "one bit set in a block, and all others: each bit of every element and of the scale",
    "codes": "every element code in every lane",
    "random": "random codes under random scales",
}
"""The stimulus classes, and what each provokes."""


@dataclass(frozen=True, eq=False)
class PackVectors(RowSet):
    """Blocks, and the bytes that they become.

    Attributes:
        elements: uint8 [N, block size] element codes.
        scales: uint8 [N] scale codes.
        packed: uint8 [N, bytes of a block].
        format: The block format.
        layout: Where the bits of elements go.
        scale_position: Where the scale goes; ``apart`` leaves it out.
        classes: The stimulus classes, in order, covering all blocks.
        call: What made the set, as JSON values.
    """

    operation: ClassVar[str] = "pack"
    arrays: ClassVar[tuple[str, ...]] = ("elements", "scales", "packed")

    elements: NDArray[np.uint8]
    scales: NDArray[np.uint8]
    packed: NDArray[np.uint8]
    format: BlockFormat
    layout: Layout
    scale_position: ScalePosition
    classes: tuple[StimulusClassRange, ...]
    call: dict[str, object]

    def planes(self) -> tuple[Plane, ...]:
        """Return elements, scale if it is packed too, and packed: bytes, the first in the lowest bits."""
        blocks = [Plane("elements", "input", self.elements, self.format.element.bits)]
        if self.scale_position != "apart":
            blocks.append(Plane("scale", "input", self.scales[:, None], self.format.scale.bits))
        return (*blocks, Plane("packed", "output", self.packed, 8))

    def parameters(self) -> dict[str, object]:
        """Return format, layout and the place of the scale."""
        return {"block_format": self.format.name, "layout": self.layout, "scale_position": self.scale_position}

    def by_model(self) -> dict[str, NDArray[Any]]:
        """Return the bytes computed again."""
        blocks = Blocks(self.format, self.elements, self.scales)
        return {"packed": pack_results(blocks, self.layout, self.scale_position)}

    def by_oracle(self, i: int) -> dict[str, list[int]]:
        """Return the bytes of block *i* by the oracle."""
        return {"packed": self._packed(self.elements[i].tolist(), int(self.scales[i]))}

    def _packed(self, codes: list[int], scale: int) -> list[int]:
        elements = pack(codes, self.format.element.bits, self.layout)
        return {"apart": elements, "first": [scale, *elements], "last": [*elements, scale]}[self.scale_position]

    @property
    def oracle_vectors(self) -> int:
        """How many blocks the oracle judges in about a second."""
        return 4_000

    @property
    def number_formats(self) -> tuple[str, ...]:
        """Names of the element and the scale format."""
        return parts_of(self.format)

    @property
    def title(self) -> str:
        """Format, layout and the place of the scale."""
        return f"{self.format.name}, layout {self.layout}, scale {self.scale_position}"


@dataclass(frozen=True, eq=False)
class UnpackVectors(PackVectors):
    """Bytes, and the blocks that they hold; the attributes are those of `PackVectors`."""

    operation: ClassVar[str] = "unpack"

    def planes(self) -> tuple[Plane, ...]:
        """Return packed, elements, and the scale if it is packed too."""
        *blocks, packed = super().planes()
        outputs = (Plane(plane.name, "output", plane.codes, plane.code_bits) for plane in blocks)
        return (Plane(packed.name, "input", packed.codes, packed.code_bits), *outputs)

    def by_model(self) -> dict[str, NDArray[Any]]:
        """Return the blocks computed again."""
        packed: Any = self.packed[:, None]
        if self.scale_position == "apart":
            packed = packed, np.zeros((len(self.packed), 1), np.uint8)
        blocks = unpack_blocks(packed, self.format, self.layout, scale_position=self.scale_position)
        found = {"elements": blocks.codes[:, 0]}
        return found if self.scale_position == "apart" else found | {"scale": blocks.scales}

    def by_oracle(self, i: int) -> dict[str, list[int]]:
        """Return block *i* by the oracle: as it stands if its bytes are what they must be, else nothing that fits."""
        codes, scale = self.elements[i].tolist(), int(self.scales[i])
        if self._packed(codes, scale) != self.packed[i].tolist():
            codes, scale = [code ^ 1 for code in codes], scale ^ 1
        found = {"elements": codes}
        return found if self.scale_position == "apart" else found | {"scale": [scale]}


def make_pack_vectors(
    block_format: str | BlockFormat,
    *,
    layout: Layout = "le",
    scale_position: ScalePosition = "apart",
    count: int,
    seed: int,
    kind: type[_Set],
    progress: Callable[[str], None] = lambda step: None,
) -> _Set:
    """Make a set of at least *count* blocks and their bytes.

    The set is a function of the arguments: the same call gives the same bits on every machine.

    Args:
        block_format: Block format.
        layout: Where the bits of elements go.
        scale_position: Where the scale goes.
        count: Blocks wanted, 1 to MAX_COUNT. Each bit alone and every code take at most 784.
        seed: Non-negative.
        kind: `PackVectors` or `UnpackVectors`.
        progress: Called with the name of each step before it starts.

    Raises:
        UnknownNameError: If there is no such format, layout or place.
        DefinitionError: If the layout is not for such elements, count or seed is out of range, or as
            `get_vector_format`.
    """
    fmt = get_vector_format(block_format)
    check_request(count, seed)
    if scale_position not in SCALE_POSITIONS:
        raise unknown_name("place of the scale", scale_position, SCALE_POSITIONS)
    lanes, bits = fmt.block_size, fmt.element.bits
    total = lanes * bits + (0 if scale_position == "apart" else fmt.scale.bits)
    place = np.arange(total)
    elements = np.zeros((total, lanes), np.uint8)
    scales = np.zeros(total, np.uint8)
    in_elements = place < lanes * bits
    elements[place[in_elements], place[in_elements] // bits] = 1 << place[in_elements] % bits
    scales[~in_elements] = 1 << (place[~in_elements] - lanes * bits)
    codes = (np.arange(1 << bits)[:, None] + np.arange(lanes)) % (1 << bits)
    progress("codes")
    draws = Draws(seed, "pack", fmt.name)
    made = 2 * total + len(codes)
    rest = max(0, count - made)
    parts = {
        "bits": (
            np.concatenate([elements, elements ^ np.uint8((1 << bits) - 1)]),
            np.concatenate([scales, scales ^ np.uint8((1 << fmt.scale.bits) - 1)]),
        ),
        "codes": (codes, np.arange(len(codes)) * 7 % (1 << fmt.scale.bits)),
        "random": (draws.integers(0, 1 << bits, (rest, lanes)), draws.integers(0, 1 << fmt.scale.bits, rest)),
    }
    classes, first = [], 0
    for name, (rows, _) in parts.items():
        if len(rows):
            classes.append(StimulusClassRange(name, CLASSES[name], first, len(rows)))
            first += len(rows)
    all_elements, all_scales = (np.concatenate([part[i] for part in parts.values()]).astype(np.uint8) for i in (0, 1))
    if scale_position == "apart":
        all_scales[:] = 0
    progress("results")
    return kind(
        elements=all_elements,
        scales=all_scales,
        packed=pack_results(Blocks(fmt, all_elements, all_scales), layout, scale_position),
        format=fmt,
        layout=layout,
        scale_position=scale_position,
        classes=tuple(classes),
        call={"seed": seed, "count": count, "inputs": [], "shard": [0, 1]},
    )


def pack_pieces(block_format: str | BlockFormat, *, count: int, **call: Any) -> RowPieces:
    """Return the pieces of a set of at least *count* blocks; arguments and errors as `make_pack_vectors`."""
    check_stream(count)
    first = make_pack_vectors(block_format, count=min(count, FIRST), **call)
    fmt = first.format

    def more(number: int, size: int) -> PackVectors:
        draws = Draws(call["seed"], "pack", fmt.name, number)
        elements, scales = uniform_codes(draws, fmt, size)
        if first.scale_position == "apart":
            scales[:] = 0
        packed = pack_results(Blocks(fmt, elements, scales), first.layout, first.scale_position)
        classes = (StimulusClassRange("random", CLASSES["random"], 0, size),)
        return replace(cast("PackVectors", first), elements=elements, scales=scales, packed=packed, classes=classes)

    return RowPieces(first, count, more)


def pack_results(blocks: Blocks, layout: Layout, scale_position: ScalePosition) -> NDArray[np.uint8]:
    """Return the bytes [N, bytes of a block] of blocks [N]; without their scales if these are apart."""
    # One block to a row: layouts that take a whole axis as one group take a block.
    rows = Blocks(blocks.format, blocks.codes[:, None], blocks.scales[:, None])
    if scale_position == "apart":
        return pack_blocks(rows, layout)[0][:, 0]
    return pack_blocks(rows, layout, scale_position=scale_position)[:, 0]
