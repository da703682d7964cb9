"""Conversions: numbers to a block, and a block to numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from cocotb_tests.mismatch import RESULT_FORMATS
from cocotb_tests.operations.base import Family, Items, Planes, VectorRequest, class_indices
from refmodel import oracle
from refmodel.conformance import Configuration, Description
from refmodel.formats import BlockFormat, FloatFormat, IntegerFormat
from refmodel.options import QuantizeOptions, choices
from refmodel.vectors.conversions import (
    DequantizeVectors,
    QuantizeVectors,
    make_dequantize_vectors,
    make_quantize_vectors,
    quantize_results,
)
from refmodel.vectors.files import read_vectors, write_vectors
from refmodel.vectors.numbers import InputFormat

_REPORTED_LANES = 8
_MOST_HINTS = 4
_TRIED_OPTIONS = (
    "scale_rule", "overflow", "rounding", "nan_in_block", "inf_in_block", "zero_block", "scale_underflow",
    "scale_overflow", "lowest_divisor",
)  # fmt: skip


class QuantizeItems(Items):
    """Blocks of numbers, and what they become."""

    def __init__(self, vectors: QuantizeVectors) -> None:
        self._vectors = vectors
        self.classes = [each.name for each in vectors.classes]
        self.class_of = class_indices([each.dots for each in vectors.classes])

    def planes(self, description: Description, configuration: Configuration) -> Planes:
        vectors = self._vectors
        return Planes(
            {"values": vectors.values},
            np.arange(vectors.vectors + 1),
            {"elements": vectors.elements, "scale": vectors.scales[:, None]},
        )

    def explain(self, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
        vectors, fmt = self._vectors, self._vectors.format
        scale, elements = int(vectors.scales[item]), vectors.elements[item].tolist()
        source = RESULT_FORMATS[vectors.input_format]
        wrong = [i for i, code in enumerate(seen["elements"]) if code != elements[i]]
        lines = [
            f"  scale expected 0x{scale:02x}, seen 0x{seen['scale'][0]:02x}; "
            f"{len(wrong)} of {len(elements)} elements are wrong",
            f"    lane  {'number':<36}{'expected':<22}seen",
        ]
        lanes = range(len(elements)) if full else wrong[:_REPORTED_LANES] or range(_REPORTED_LANES)
        digits = source.bits // 4
        for lane in lanes:
            bits = int(vectors.values[item, lane])
            number = f"0x{bits:0{digits}x}  {_value(source, bits)}"
            codes = (_code(fmt, elements[lane]), _code(fmt, seen["elements"][lane]))
            lines.append(f"    {lane:>4}  {number:<36}{codes[0]:<22}{codes[1]}")
        return [*lines, *(f"  hint: {hint}" for hint in self._hints(item, seen))]

    def _hints(self, item: int, seen: Mapping[str, Sequence[int]]) -> list[str]:
        vectors = self._vectors
        expected = {"scale": [int(vectors.scales[item])], "elements": vectors.elements[item].tolist()}
        hints = []
        for name in _TRIED_OPTIONS:
            for value in choices(QuantizeOptions)[name]:
                if value in (getattr(vectors.options, name), "stochastic"):
                    continue
                options = replace(vectors.options, **cast(Any, {name: value}))
                try:
                    block = quantize_results(
                        vectors.values[item : item + 1], vectors.format, vectors.input_format, options
                    )
                except Exception:  # a choice that this format or block does not allow
                    continue
                if block.scales.tolist() == list(seen["scale"]) and block.codes[0].tolist() == list(seen["elements"]):
                    hints.append(f"as if {name} were {value!r}")
        if hints:
            return hints[:_MOST_HINTS]
        if expected["scale"] != list(seen["scale"]):
            return [f"scale: off by {seen['scale'][0] - expected['scale'][0]:+d}; look at the largest magnitude"]
        zero = [code & 0x7F for code in seen["elements"]]
        if all(s == 0 or s == e for s, e in zip(zero, (code & 0x7F for code in expected["elements"]), strict=True)):
            return ["elements: as if small ones were flushed to zero"]
        return ["elements: right scale, wrong codes; look at the alignment, the rounding, and the largest code"]


class DequantizeItems(Items):
    """Blocks, and the numbers that they stand for."""

    def __init__(self, vectors: DequantizeVectors) -> None:
        self._vectors = vectors
        self.classes = [each.name for each in vectors.classes]
        self.class_of = class_indices([each.dots for each in vectors.classes])

    def planes(self, description: Description, configuration: Configuration) -> Planes:
        vectors = self._vectors
        return Planes(
            {"elements": vectors.elements, "scale": vectors.scales[:, None]},
            np.arange(vectors.vectors + 1),
            {"values": vectors.values},
        )

    def explain(self, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
        vectors, fmt = self._vectors, self._vectors.format
        expected, scale = vectors.values[item].tolist(), int(vectors.scales[item])
        number = RESULT_FORMATS["fp32"]
        wrong = [i for i, bits in enumerate(seen["values"]) if bits != expected[i]]
        lines = [
            f"  scale 0x{scale:02x} = {_value(fmt.scale, scale)}; {len(wrong)} of {len(expected)} numbers are wrong",
            f"    lane  {'element':<22}{'expected':<36}seen",
        ]
        for lane in range(len(expected)) if full else wrong[:_REPORTED_LANES]:
            numbers = [f"0x{bits:08x}  {_value(number, bits)}" for bits in (expected[lane], seen["values"][lane])]
            lines.append(
                f"    {lane:>4}  {_code(fmt, int(vectors.elements[item, lane])):<22}{numbers[0]:<36}{numbers[1]}"
            )
        return [*lines, *(f"  hint: {hint}" for hint in _number_hints(expected, list(seen["values"])))]


def _number_hints(expected: list[int], seen: list[int]) -> list[str]:
    """Return what the difference between two rows of Float32 bits points at."""
    pairs = [(e, s) for e, s in zip(expected, seen, strict=True) if e != s]
    if all(s & 0x7FFFFFFF == 0 and 0 < e & 0x7FFFFFFF < 0x00800000 for e, s in pairs):
        return ["subnormal results are flushed to zero"]
    if all(e & 0x7FFFFFFF > 0x7F800000 for e, _ in pairs):
        return ["NaN: every number must be 0x7fc00000 where the scale or the element is NaN"]
    if all(e ^ s == 0x80000000 for e, s in pairs):
        return ["signs only are wrong"]
    values = np.array(pairs, np.uint32).view(np.float32).astype(np.float64)
    with np.errstate(all="ignore"):
        ratios = np.unique(values[:, 1] / values[:, 0])
    if len(ratios) == 1 and np.isfinite(ratios[0]) and ratios[0]:
        return [f"seen is expected * {ratios[0]:g}; look at the biases"]
    return ["no single cause explains it: look at element decoding and the exponent sum"]


def _value(fmt: Any, bits: int) -> str:
    number = oracle.decode(fmt, bits)
    return "NaN" if number.kind == "nan" else f"{oracle.to_float(number):.9g}"


def _code(fmt: BlockFormat, code: int) -> str:
    element: FloatFormat | IntegerFormat = fmt.element
    return f"0x{code:0{-(-element.bits // 4)}x}  {_value(element, code)}"


class QuantizeFamily(Family):
    """Sets of conversions to blocks."""

    default_count: Mapping[str, int] = {"verilator": 10_000, "icarus": 500}

    def call(self, description: Description, configuration: Configuration) -> list[object]:
        return [configuration.pair.name, configuration.input, list(configuration.options)]

    def make(
        self, description: Description, configuration: Configuration, request: VectorRequest, directory: Path
    ) -> None:
        options = QuantizeOptions(**cast(Any, dict(configuration.options)))
        vectors = make_quantize_vectors(
            _block_format(configuration), input_format=cast(InputFormat, configuration.input), options=options,
            count=request.count, seed=request.seed, tensors=request.tensors,
        )  # fmt: skip
        write_vectors(vectors, directory / "0")

    def read(self, configuration: Configuration, directory: Path) -> Items:
        vectors = read_vectors(directory / "0")
        assert isinstance(vectors, QuantizeVectors), "the directory is of this operation"
        return QuantizeItems(vectors)


class DequantizeFamily(Family):
    """Sets of conversions to numbers."""

    default_count: Mapping[str, int] = {"verilator": 4_000, "icarus": 500}

    def call(self, description: Description, configuration: Configuration) -> list[object]:
        return [configuration.pair.name]

    def make(
        self, description: Description, configuration: Configuration, request: VectorRequest, directory: Path
    ) -> None:
        vectors = make_dequantize_vectors(_block_format(configuration), count=request.count, seed=request.seed)
        write_vectors(vectors, directory / "0")

    def read(self, configuration: Configuration, directory: Path) -> Items:
        vectors = read_vectors(directory / "0")
        assert isinstance(vectors, DequantizeVectors), "the directory is of this operation"
        return DequantizeItems(vectors)


def _block_format(configuration: Configuration) -> BlockFormat:
    fmt = configuration.pair.a
    assert isinstance(fmt, BlockFormat), "conversions are of blocks"
    return fmt


QUANTIZE = QuantizeFamily()
DEQUANTIZE = DequantizeFamily()
