"""A wrong result of any operation explained in lines: operands, expected and seen, and what it looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from refmodel import oracle
from refmodel.blocks import Blocks
from refmodel.conformance.mismatch import RESULT_FORMATS, WrongDot, operand_lines, result_lines
from refmodel.formats import BlockFormat, FloatFormat, IntegerFormat
from refmodel.options import QuantizeOptions, choices
from refmodel.vectors.conversions import DequantizeVectors, QuantizeVectors, quantize_results
from refmodel.vectors.dotset import DotVectors
from refmodel.vectors.tiles import TileVectors
from refmodel.vectors.vectorset import VectorSet

_REPORTED_BLOCKS = 4
_REPORTED_LANES = 8
_MOST_HINTS = 4
_TRIED_OPTIONS = (
    "scale_rule", "overflow", "rounding", "nan_in_block", "inf_in_block", "zero_block", "scale_underflow",
    "scale_overflow", "lowest_divisor",
)  # fmt: skip


@singledispatch
def explain_vector(vectors: VectorSet, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
    """Return lines on the wrong result of a vector.

    Args:
        vectors: The set, with the expected results.
        item: Number of the vector.
        seen: The codes that came, by name of the output plane.
        full: Print everything, however long.
    """
    lines = []
    for plane in vectors.planes():
        digits = -(-plane.code_bits // 4)
        codes = plane.codes[item].tolist()
        if plane.direction == "input":
            lines.append(f"{plane.name}: {_in_hex(codes, digits)}")
        else:
            lines += [f"{plane.name}: {_in_hex(seen[plane.name], digits)}", f"  expected {_in_hex(codes, digits)}"]
    return lines


def _in_hex(codes: Sequence[int], digits: int) -> str:
    return " ".join(f"{code:0{digits}x}" for code in codes)


@explain_vector.register
def _explain_dot(vectors: DotVectors, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
    wrong = wrong_dot(vectors, item, seen["result"][0])
    return [*operand_lines(wrong, len(wrong.pairs) if full else _REPORTED_BLOCKS), *result_lines(wrong)]


def wrong_dot(vectors: DotVectors, item: int, seen: int) -> WrongDot:
    """Return a wrong result with its operands."""
    rows = range(vectors.blocks)[vectors.dot_slice(item)]
    return WrongDot(
        list(zip(oracle_blocks(vectors.a, rows), oracle_blocks(vectors.b, rows), strict=True)),
        vectors.rule,
        int(vectors.results[item]),
        seen,
        c=0 if vectors.c is None else int(vectors.c[item]),
        has_scales=vectors.scaled,
    )


def oracle_blocks(blocks: Blocks, rows: Sequence[int] | NDArray[np.int64]) -> list[oracle.Block]:
    """Return rows of *blocks* as the oracle's."""
    return [oracle.Block(blocks.format, int(blocks.scales[i]), tuple(blocks.codes[i].tolist())) for i in rows]


@explain_vector.register
def _explain_tile(vectors: TileVectors, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
    expected = vectors.results[item].tolist()
    wrong = [i for i, bits in enumerate(seen["result"]) if bits != expected[i]]
    places = [divmod(i, vectors.columns) for i in wrong]
    lines = [f"  {len(wrong)} of {len(expected)} entries are wrong: {', '.join(map(str, places[:16]))}"]
    if list(seen["result"]) == [expected[i] for i in _transposed(len(expected), vectors.columns)]:
        return [*lines, "  hint: the tile is transposed"]
    row, column = places[0]
    steps = range(int(vectors.bounds[item]), int(vectors.bounds[item + 1]))
    a, b = (
        oracle_blocks(Blocks(operand.format, operand.codes[:, place], operand.scales[:, place]), steps)
        for operand, place in ((vectors.a, row), (vectors.b, column))
    )
    pairs = list(zip(a, b, strict=True))
    c = 0 if vectors.c is None else int(vectors.c[item, wrong[0]])
    first = WrongDot(
        pairs, vectors.rule, expected[wrong[0]], seen["result"][wrong[0]], c=c, has_scales=vectors.scaled
    )
    shown = len(pairs) if full else _REPORTED_BLOCKS
    return [*lines, f"  entry {(row, column)}:", *operand_lines(first, shown), *result_lines(first)]


def _transposed(entries: int, columns: int) -> list[int]:
    return np.arange(entries).reshape(-1, columns).T.ravel().tolist()


@explain_vector.register
def _explain_quantize(
    vectors: QuantizeVectors, item: int, seen: Mapping[str, Sequence[int]], *, full: bool
) -> list[str]:
    fmt = vectors.format
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
    return [*lines, *(f"  hint: {hint}" for hint in _options_hints(vectors, item, seen))]


def _options_hints(vectors: QuantizeVectors, item: int, seen: Mapping[str, Sequence[int]]) -> list[str]:
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


@explain_vector.register
def _explain_dequantize(
    vectors: DequantizeVectors, item: int, seen: Mapping[str, Sequence[int]], *, full: bool
) -> list[str]:
    fmt = vectors.format
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
