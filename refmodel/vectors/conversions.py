"""Sets of conversions: numbers to blocks (MX-6.3), and blocks to numbers, with the results of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refmodel import oracle
from refmodel.blocks import Blocks, dequantize
from refmodel.errors import DefinitionError, unknown_name
from refmodel.formats import BlockFormat
from refmodel.options import DequantizeOverflow, QuantizeOptions
from refmodel.oracle.ratio_scales import NO_TENSOR_SCALE, given_tensor_scale
from refmodel.quantization import quantize
from refmodel.vectors.codes import scale_stimulus, uniform_codes
from refmodel.vectors.dotset import check_request, get_vector_format
from refmodel.vectors.draws import Draws
from refmodel.vectors.numbers import (
    NUMBER_CLASSES,
    NUMBER_FORMATS,
    TENSOR,
    InputFormat,
    NumberRequest,
    as_numbers,
)
from refmodel.vectors.pairs import TensorPair
from refmodel.vectors.pieces import FIRST, RowPieces, check_stream
from refmodel.vectors.singles import SOURCES
from refmodel.vectors.vectorset import Plane, RowSet, StimulusClassRange, parts_of

RANDOM_BLOCKS = "random codes under random scales"


@dataclass(frozen=True, eq=False)
class QuantizeVectors(RowSet):
    """Numbers, and the blocks that they become.

    Attributes:
        values: Bits of the numbers, uint32 [N, block size]; uint16 for BF16.
        elements: uint8 [N, block size] element codes.
        scales: uint8 [N] scale codes.
        format: The block format; one with a tensor scale has the scale 1.
        input_format: Format of the numbers.
        options: The choices of the conversion.
        classes: The stimulus classes, in order, covering all blocks.
        call: What made the set, as JSON values: seed, count, inputs, shard.
    """

    operation: ClassVar[str] = "quantize"
    arrays: ClassVar[tuple[str, ...]] = ("values", "elements", "scales")

    values: NDArray[Any]
    elements: NDArray[np.uint8]
    scales: NDArray[np.uint8]
    format: BlockFormat
    input_format: InputFormat
    options: QuantizeOptions
    classes: tuple[StimulusClassRange, ...]
    call: dict[str, object]

    def planes(self) -> tuple[Plane, ...]:
        """Return values, elements and scale."""
        return (
            Plane("values", "input", self.values, NUMBER_FORMATS[self.input_format].width),
            Plane("elements", "output", self.elements, self.format.element.bits),
            Plane("scale", "output", self.scales[:, None], self.format.scale.bits),
        )

    def parameters(self) -> dict[str, object]:
        """Return the formats and the options."""
        return {
            "block_format": self.format.name,
            "input_format": self.input_format,
            "options": asdict(self.options),
        }

    def by_model(self) -> dict[str, NDArray[Any]]:
        """Return the blocks computed again."""
        blocks = quantize_results(self.values, self.format, self.input_format, self.options)
        return {"elements": blocks.codes, "scale": blocks.scales[:, None]}

    def by_oracle(self, i: int) -> dict[str, list[int]]:
        """Return block *i* by the oracle."""
        shared = NO_TENSOR_SCALE if self.format.tensor_scale is None else given_tensor_scale(Fraction(1))
        source = SOURCES[self.input_format]
        block = oracle.convert_block(self.format, source, self.values[i].tolist(), self.options, tensor_scale=shared)
        return {"elements": list(block.codes), "scale": [block.scale]}

    @property
    def oracle_vectors(self) -> int:
        """How many blocks the oracle judges in about a second."""
        return 1_000

    @property
    def number_formats(self) -> tuple[str, ...]:
        """Names of the element and the scale format."""
        return parts_of(self.format)

    @property
    def title(self) -> str:
        """Formats and the options that matter most."""
        options = f"{self.options.scale_rule}, {self.options.overflow}"
        return f"{self.input_format} to {self.format.name}, {options}"


@dataclass(frozen=True, eq=False)
class DequantizeVectors(RowSet):
    """Blocks, and the numbers that they stand for.

    Attributes:
        elements: uint8 [N, block size] element codes.
        scales: uint8 [N] scale codes.
        values: uint32 [N, block size], Float32 bits.
        format: The block format; one with a tensor scale has the scale 1.
        classes: The stimulus classes, in order, covering all blocks.
        call: What made the set, as JSON values: seed, count, inputs, shard.
    """

    operation: ClassVar[str] = "dequantize"
    arrays: ClassVar[tuple[str, ...]] = ("elements", "scales", "values")

    elements: NDArray[np.uint8]
    scales: NDArray[np.uint8]
    values: NDArray[np.uint32]
    format: BlockFormat
    classes: tuple[StimulusClassRange, ...]
    call: dict[str, object]

    def planes(self) -> tuple[Plane, ...]:
        """Return elements, scale and values."""
        return (
            Plane("elements", "input", self.elements, self.format.element.bits),
            Plane("scale", "input", self.scales[:, None], self.format.scale.bits),
            Plane("values", "output", self.values, 32),
        )

    def parameters(self) -> dict[str, object]:
        """Return the format."""
        return {"block_format": self.format.name}

    def by_model(self) -> dict[str, NDArray[Any]]:
        """Return the numbers computed again."""
        return {"values": dequantize_results(Blocks(self.format, self.elements, self.scales))}

    def by_oracle(self, i: int) -> dict[str, list[int]]:
        """Return the numbers of block *i* by the oracle."""
        block = oracle.Block(self.format, int(self.scales[i]), tuple(self.elements[i].tolist()))
        return {"values": [oracle.to_float32(value) for value in oracle.dequantize_block(block)]}

    @property
    def oracle_vectors(self) -> int:
        """How many blocks the oracle judges in about a second."""
        return 2_000

    @property
    def number_formats(self) -> tuple[str, ...]:
        """Names of the element and the scale format."""
        return parts_of(self.format)

    @property
    def title(self) -> str:
        """The format."""
        return f"{self.format.name} to fp32"


def make_quantize_vectors(
    block_format: str | BlockFormat,
    *,
    input_format: InputFormat = "fp32",
    options: QuantizeOptions | None = None,
    count: int,
    seed: int,
    tensors: Sequence[TensorPair] = (),
    progress: Callable[[str], None] = lambda step: None,
) -> QuantizeVectors:
    """Make a set of at least *count* conversions of a block of numbers.

    The set is a function of the arguments: the same call gives the same bits on every machine.

    Args:
        block_format: Block format.
        input_format: Format of the numbers, ``fp32`` or ``bf16``.
        options: The choices of the conversion; the defaults when None. Stochastic rounding has no vectors.
        count: Blocks wanted, 1 to MAX_COUNT. What every class must hold may take more.
        seed: Non-negative.
        tensors: Pairs of matrices from which the class ``tensor`` is made, of both sides.
        progress: Called with the name of each step before it starts.

    Raises:
        UnknownNameError: If a format does not exist.
        DefinitionError: If count or seed is out of range, rounding is stochastic, or as `get_vector_format`.
    """
    fmt = get_vector_format(block_format)
    options = QuantizeOptions() if options is None else options
    check_request(count, seed)
    if input_format not in NUMBER_FORMATS:
        raise unknown_name("input format", input_format, NUMBER_FORMATS)
    if options.rounding == "stochastic":
        raise DefinitionError("rounding='stochastic': vectors of quantize have no random numbers; choose another")
    parts, classes, made = [], [], 0
    for each in NUMBER_CLASSES:
        if each.name == TENSOR and not tensors:
            continue
        progress(each.name)
        is_last = each is NUMBER_CLASSES[-1]
        share = max(1, count - made if is_last else count * each.percent // 100)
        draws = Draws(seed, "quantize", each.name, fmt.name, input_format)
        part = each.generate(NumberRequest(draws, fmt, NUMBER_FORMATS[input_format], share, tensors))
        classes.append(StimulusClassRange(each.name, each.description, made, len(part)))
        parts.append(part)
        made += len(part)
    progress("results")
    values = as_numbers(np.concatenate(parts), input_format)
    blocks = quantize_results(values, fmt, input_format, options)
    return QuantizeVectors(
        values=values,
        elements=blocks.codes,
        scales=blocks.scales,
        format=fmt,
        input_format=input_format,
        options=options,
        classes=tuple(classes),
        call={"seed": seed, "count": count, "inputs": [pair.describe() for pair in tensors], "shard": [0, 1]},
    )


MORE = "variations"
"""Class of the later pieces of large sets of conversions to blocks."""

MORE_DESCRIPTION = "the drawn classes above again, of other draws: maximum, ties, spread, random"

_DRAWN = ("maximum", "ties", "spread", "random")


def quantize_pieces(block_format: str | BlockFormat, *, count: int, **call: Any) -> RowPieces:
    """Return the pieces of a set of at least *count* conversions; arguments and errors as `make_quantize_vectors`."""
    check_stream(count)
    first = make_quantize_vectors(block_format, count=min(count, FIRST), **call)
    fmt, input_format = first.format, first.input_format

    def more(number: int, size: int) -> QuantizeVectors:
        parts = []
        for place, each in enumerate(each for each in NUMBER_CLASSES if each.name in _DRAWN):
            draws = Draws(call["seed"], "quantize", each.name, fmt.name, input_format, number)
            share = (place + 1) * size // len(_DRAWN) - place * size // len(_DRAWN)
            parts.append(each.generate(NumberRequest(draws, fmt, NUMBER_FORMATS[input_format], max(8, share))))
        values = as_numbers(np.concatenate(parts), input_format)
        blocks = quantize_results(values, fmt, input_format, first.options)
        classes = (StimulusClassRange(MORE, MORE_DESCRIPTION, 0, len(values)),)
        return replace(first, values=values, elements=blocks.codes, scales=blocks.scales, classes=classes)

    return RowPieces(first, count, more)


def quantize_results(
    values: NDArray[Any], fmt: BlockFormat, input_format: InputFormat, options: QuantizeOptions
) -> Blocks:
    """Return the blocks [N] of the bits [N, block size] of numbers; with the tensor scale 1 if there is one."""
    numbers = NUMBER_FORMATS[input_format].values(values.astype(np.uint32))
    shared = None if fmt.tensor_scale is None else 1.0
    blocks = quantize(numbers, fmt, options=options, tensor_scale=shared)
    return Blocks(fmt, blocks.codes[:, 0], blocks.scales[:, 0])


def make_dequantize_vectors(
    block_format: str | BlockFormat,
    *,
    count: int,
    seed: int,
    progress: Callable[[str], None] = lambda step: None,
) -> DequantizeVectors:
    """Make a set of at least *count* blocks to be turned into Float32 numbers.

    Every element code meets every scale code where the count allows it; every scale with some codes, and
    every code with the scales at the edges, in any case.

    Args:
        block_format: Block format.
        count: Blocks wanted, 1 to MAX_COUNT. 256 scales take at most 2048 blocks, of 4-bit elements 256.
        seed: Non-negative.
        progress: Called with the name of each step before it starts.

    Raises:
        UnknownNameError, DefinitionError: As `make_quantize_vectors`.
    """
    fmt = get_vector_format(block_format)
    check_request(count, seed)
    progress("codes")
    lanes, n_codes = fmt.block_size, 1 << fmt.element.bits
    per_scale = max(1, n_codes // lanes)
    edges = scale_stimulus(fmt.scale).edges
    n_scales = 1 << fmt.scale.bits
    parts = [(scale, part) for scale in edges for part in range(per_scale)]
    parts += [(scale, scale % per_scale) for scale in range(n_scales) if scale not in edges]
    always = len(parts)
    known = set(parts)
    parts += [(s, p) for s in range(n_scales) for p in range(per_scale) if (s, p) not in known]
    room = max(0, count - always)
    others = np.arange(always, len(parts))
    if others.size > room:
        others = others[np.arange(room) * others.size // max(1, room)]
    chosen = np.array(parts)[np.concatenate([np.arange(always), others])]
    lane = (np.arange(lanes) + chosen[:, :1]) % lanes  # codes rotate with the scale, so lanes differ
    codes = (chosen[:, 1:] * lanes + lane) % n_codes
    draws = Draws(seed, "dequantize", fmt.name)
    rest = max(0, count - len(chosen))
    elements = np.concatenate([codes, draws.integers(0, n_codes, (rest, lanes))]).astype(np.uint8)
    scales = np.concatenate([chosen[:, 0], draws.integers(0, n_scales, rest)]).astype(np.uint8)
    classes = [
        StimulusClassRange(
            "codes",
            "element codes under scales: every scale, every code at the edges, all pairs where the count allows",
            0,
            len(chosen),
        )
    ]
    if rest:
        classes.append(StimulusClassRange("random", RANDOM_BLOCKS, len(chosen), rest))
    progress("results")
    return DequantizeVectors(
        elements=elements,
        scales=scales,
        values=dequantize_results(Blocks(fmt, elements, scales)),
        format=fmt,
        classes=tuple(classes),
        call={"seed": seed, "count": count, "inputs": [], "shard": [0, 1]},
    )


def dequantize_pieces(block_format: str | BlockFormat, *, count: int, **call: Any) -> RowPieces:
    """Return the pieces of a set of at least *count* blocks; arguments and errors as `make_dequantize_vectors`."""
    check_stream(count)
    first = make_dequantize_vectors(block_format, count=min(count, FIRST), **call)
    fmt = first.format

    def more(number: int, size: int) -> DequantizeVectors:
        draws = Draws(call["seed"], "dequantize", fmt.name, number)
        elements, scales = uniform_codes(draws, fmt, size)
        values = dequantize_results(Blocks(fmt, elements, scales))
        classes = (StimulusClassRange("random", RANDOM_BLOCKS, 0, size),)
        return replace(first, elements=elements, scales=scales, values=values, classes=classes)

    return RowPieces(first, count, more)


def dequantize_results(blocks: Blocks, overflow: DequantizeOverflow = "infinity") -> NDArray[np.uint32]:
    """Return the Float32 bits [N, block size] of the values of blocks [N]."""
    return dequantize(blocks, overflow=overflow).view(np.uint32).reshape(blocks.codes.shape)
