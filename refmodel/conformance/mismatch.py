"""A wrong result explained: operands decoded, bits and values, the difference, and the stage to suspect.

Everything here is worked out by the oracle in exact arithmetic, not by the model that made the expectation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from refmodel import oracle
from refmodel.accumulate import AccumulationRule
from refmodel.formats import BFLOAT16, FLOAT16, FLOAT32, BlockFormat, FloatFormat
from refmodel.oracle.exact import Number, product, total
from refmodel.oracle.rules import Vector
from refmodel.oracle.rules import dot as oracle_dot

RESULT_FORMATS: dict[str, FloatFormat] = {"fp32": FLOAT32, "bf16": BFLOAT16, "fp16": FLOAT16}

_MAX_BLOCKS_TRIED = 4  # hypotheses about single lanes are tried on dots of up to this many blocks

Pair = tuple[oracle.Block, oracle.Block]


@dataclass(frozen=True, slots=True)
class WrongDot:
    """A dot product whose result differs from the expected one.

    Attributes:
        pairs: The blocks; where operands have no scales, blocks of scale 1.
        rule: The accumulation rule.
        expected, seen: Bits in the rule's result format.
        c: Float32 bits of the initial value.
        has_scales: Whether the operands have scales.
    """

    pairs: list[Pair]
    rule: AccumulationRule
    expected: int
    seen: int
    c: int = 0
    has_scales: bool = True

    @property
    def format(self) -> FloatFormat:
        """The format of results."""
        return RESULT_FORMATS[self.rule.result_format]

    @property
    def is_rounded_once(self) -> bool:
        """Whether the rule rounds the exact sum of everything, once."""
        rule = self.rule
        exact = rule.order == "fused" and rule.align_bits is None and rule.product == "exact"
        whole = rule.group_size == "all" or (len(self.pairs) == 1 and (rule.group_round is None or self.c == 0))
        return exact and whole and rule.out_format is None and rule.acc_format != "e8m13"


def operand_lines(dot: WrongDot, max_blocks: int) -> list[str]:
    """Return the operands of the first *max_blocks* blocks, a line for each lane with a non-zero code."""
    lines = [f"  initial value 0x{dot.c:08x}  {_decoded(FLOAT32, dot.c)}"] if dot.c else []
    for index, (a, b) in enumerate(dot.pairs[:max_blocks]):
        scales = f": scale A {_scale(a)}, scale B {_scale(b)}" if dot.has_scales else ""
        lines.append(f"  block {index}{scales}")
        lanes = [lane for lane in range(len(a.codes)) if a.codes[lane] or b.codes[lane]]
        if lanes:
            lines.append(f"    lane  {f'A {a.format.element.name}':<26}{f'B {b.format.element.name}':<26}product")
        for lane in lanes:
            x, y = _element(a, lane), _element(b, lane)
            lines.append(f"    {lane:>4}  {_coded(a, lane, x):<26}{_coded(b, lane, y):<26}{_decimal(product(x, y))}")
        if len(lanes) < len(a.codes):
            lines.append(f"    all {'other ' if lanes else ''}codes are 0")
    if len(dot.pairs) > max_blocks:
        lines.append(f"  ... and {len(dot.pairs) - max_blocks} more blocks; the replay prints them all")
    return lines


def result_lines(dot: WrongDot) -> list[str]:
    """Return expected and seen result as bits and value, their difference, and hints at the stage."""
    ulps = ulp_difference(dot.expected, dot.seen, dot.format)
    digits = dot.format.bits // 4
    difference = "not a number of ulp" if ulps is None else f"{ulps:+,} ulp"
    return [
        f"  expected 0x{dot.expected:0{digits}x}  {_decoded(dot.format, dot.expected)}",
        f"  seen     0x{dot.seen:0{digits}x}  {_decoded(dot.format, dot.seen)}",
        f"  difference (seen - expected): {difference}",
        *(f"  hint: {hint}" for hint in hints(dot)),
    ]


def ulp_difference(expected: int, seen: int, fmt: FloatFormat = FLOAT32) -> int | None:
    """Return the steps from *expected* to *seen* among all values of *fmt*, +0 = -0; None if either is NaN."""
    if _is_nan(fmt, expected) or _is_nan(fmt, seen):
        return None
    return _ordinal(fmt, seen) - _ordinal(fmt, expected)


def hints(dot: WrongDot) -> list[str]:
    """Return what the difference points at, at least one sentence; the likeliest cause first."""
    found = list(_special_hints(dot) or _finite_hints(dot))
    return found or ["no single cause explains it: look at element decoding, the sum, and its alignment"]


def _special_hints(dot: WrongDot) -> list[str]:
    """Hints where expected or seen is NaN or infinite, or only the sign is wrong."""
    expected, seen, fmt = dot.expected, dot.seen, dot.format
    sign, infinity = fmt.sign_mask, fmt.max_code + 1
    if _is_nan(fmt, expected) and _is_nan(fmt, seen):
        return [f"NaN coding: a NaN result must be 0x{dot.rule.nan_pattern:0{fmt.bits // 4}x}"]
    if _is_nan(fmt, expected):
        return [f"NaN handling: the result must be NaN because {_nan_cause(dot)}"]
    if _is_nan(fmt, seen):
        return ["NaN handling: neither a NaN operand, nor Inf * 0, nor Inf - Inf is among the operands"]
    if seen ^ expected == sign:
        return [
            "sign of zero: right magnitude, wrong sign" if seen in (0, sign) else "sign: right magnitude, wrong sign"
        ]
    if expected & ~sign == infinity:
        elements = (_element(block, k) for pair in dot.pairs for block in pair for k in range(len(block.codes)))
        if oracle.decode(FLOAT32, dot.c).kind == "infinite":
            return ["Inf handling: the initial value is infinite, so the result must be"]
        if any(element.kind == "infinite" for element in elements):
            return ["Inf handling: an operand is infinite, so the result must be"]
        return ["overflow: the rounded sum is beyond the largest number of the result format and must become Inf"]
    if seen & ~sign == infinity:
        return ["overflow: Inf although the rounded sum is finite; look at the exponent range and the Inf codes"]
    return []


def _nan_cause(dot: WrongDot) -> str:
    if oracle.decode(FLOAT32, dot.c).kind == "nan":
        return f"the initial value is 0x{dot.c:08x} (NaN)"
    for index, (a, b) in enumerate(dot.pairs):
        for side, block in (("A", a), ("B", b)):
            if dot.has_scales and oracle.decode(block.format.scale, block.scale).kind == "nan":
                return f"scale {side} of block {index} is 0x{block.scale:02x} (NaN)"
        for lane in range(len(a.codes)):
            x, y = _element(a, lane), _element(b, lane)
            if "nan" in (x.kind, y.kind):
                return f"an element of lane {lane} in block {index} is NaN"
            if product(x, y).kind == "nan":
                return f"lane {lane} of block {index} is Inf * 0"
    return "infinities of both signs are added"


def _finite_hints(dot: WrongDot) -> Iterator[str]:
    fmt = dot.format
    expected, seen = (oracle.decode(fmt, bits) for bits in (dot.expected, dot.seen))
    is_one_ulp = ulp_difference(dot.expected, dot.seen, fmt) in (-1, 1)
    if is_one_ulp:
        yield _rounding_hint(dot)
    # So small a difference fits many a lane by chance.
    yield from _operand_hints(dot, try_lanes=not is_one_ulp)
    if seen.is_zero and dot.expected & ~fmt.sign_mask < 1 << fmt.mantissa_bits:
        yield "underflow: a subnormal result is flushed to zero"
    if not expected.is_zero and not seen.is_zero:
        power = _power_of_two(seen.value / expected.value)
        if power:
            yield f"scale factor: seen is expected * 2^{power}; look at the biases and the sum of the scales"


def _operand_hints(dot: WrongDot, *, try_lanes: bool) -> Iterator[str]:
    """Hints from the oracle's answer to changed operands: which misreading gives exactly what was seen."""
    if dot.c and _result(dot, dot.pairs, c=0) == dot.seen:
        yield "accumulation: as if the initial value were +0"
    if len(dot.pairs) > 1:
        for count in range(1, len(dot.pairs)):
            if _result(dot, dot.pairs[count:]) == dot.seen:
                yield f"accumulation: as if the first {count} of {len(dot.pairs)} blocks were missing"
            if _result(dot, dot.pairs[:-count]) == dot.seen:
                yield f"accumulation: as if the last {count} of {len(dot.pairs)} blocks were missing"
    flushed = [(_without_subnormals(a), _without_subnormals(b)) for a, b in dot.pairs]
    if flushed != dot.pairs and _result(dot, flushed) == dot.seen:
        yield "element decoding: as if subnormal elements were zero"
    if try_lanes and len(dot.pairs) <= _MAX_BLOCKS_TRIED:
        for index, (a, b) in enumerate(dot.pairs):
            for lane in range(len(a.codes)):
                if not (a.codes[lane] and b.codes[lane]):
                    continue
                without = [*dot.pairs]
                without[index] = (_zeroed(a, {lane}), b)
                if _result(dot, without) == dot.seen:
                    yield f"sum: as if lane {lane} of block {index} were missing"
                    return


def _rounding_hint(dot: WrongDot) -> str:
    """Say where the exact sum lies between the two neighbours expected and seen."""
    if not dot.is_rounded_once:
        return f"rounding: one ulp off, in one of the roundings or cuts of rule {dot.rule.name}"
    exact = total([oracle.decode(FLOAT32, dot.c), *(oracle.block_dot(a, b) for a, b in dot.pairs)]).value
    fmt = dot.format
    low, high = sorted((dot.expected, dot.seen), key=lambda bits: bits & ~fmt.sign_mask)
    low_magnitude, high_magnitude = (abs(oracle.decode(fmt, bits).value) for bits in (low, high))
    position = (abs(exact) - low_magnitude) / (high_magnitude - low_magnitude)
    if not 0 <= position <= 1:
        return "sum: one ulp off, and the exact sum does not lie between the two; a low bit of the sum is wrong"
    from_tie = position - Fraction(1, 2)
    went = "down" if dot.seen == low else "up"
    if from_tie == 0:
        return f"rounding: the exact sum is a tie, which goes to even; seen went {went} in magnitude"
    where = f"{float(abs(from_tie)):.3g} ulp {'above' if from_tie > 0 else 'below'} a tie"
    if from_tie < 0:
        return f"rounding: the exact magnitude is {where} and must go down; seen went up"
    lost = (
        "as if the sticky bit were lost (to even) or the sum truncated" if low % 2 == 0 else "as if it were truncated"
    )
    return f"rounding: the exact magnitude is {where} and must go up; seen went down, {lost}"


def _result(dot: WrongDot, pairs: list[Pair], c: int | None = None) -> int:
    """Return the oracle's result of other blocks, in bits of the result format."""
    a, b = (_vector([pair[side] for pair in pairs], dot.has_scales) for side in (0, 1))
    bits = oracle_dot(dot.rule, a, b, dot.c if c is None else c)
    if dot.format == FLOAT32:
        return bits
    if dot.format == BFLOAT16:
        return bits >> 16
    value = np.uint32(bits).view(np.float32)
    return dot.rule.nan_pattern if np.isnan(value) else int(value.astype(np.float16).view(np.uint16))


def _vector(blocks: list[oracle.Block], has_scales: bool) -> Vector:
    fmt = blocks[0].format
    codes = [code for block in blocks for code in block.codes]
    if not has_scales:
        return Vector(fmt.element, codes)
    return Vector(fmt.element, codes, fmt.scale, [block.scale for block in blocks], fmt.block_size)


def _without_subnormals(block: oracle.Block) -> oracle.Block:
    element = block.format.element
    if not isinstance(element, FloatFormat):
        return block
    smallest_normal = 1 << element.mantissa_bits
    lanes = {k for k, code in enumerate(block.codes) if 0 < code & element.magnitude_mask < smallest_normal}
    return _zeroed(block, lanes)


def _zeroed(block: oracle.Block, lanes: set[int]) -> oracle.Block:
    return block._replace(codes=tuple(0 if k in lanes else code for k, code in enumerate(block.codes)))


def _element(block: oracle.Block, lane: int) -> Number:
    return oracle.decode(block.format.element, block.codes[lane])


def _coded(block: oracle.Block, lane: int, value: Number) -> str:
    return f"0x{block.codes[lane]:0{_hex_digits(block.format)}x}  {_decimal(value)} "


def _hex_digits(fmt: BlockFormat) -> int:
    return (fmt.element.bits + 3) // 4


def _scale(block: oracle.Block) -> str:
    value = oracle.decode(block.format.scale, block.scale)
    if value.kind == "nan":
        return f"0x{block.scale:02x} = NaN"
    power = _power_of_two(value.value) if value.value else None
    return f"0x{block.scale:02x} = {_decimal(value) if power is None else f'2^{power}'}"


def _decimal(value: Number) -> str:
    """Shortest decimal; element values and their products are exact in float64."""
    number = oracle.to_float(value)
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)


def _decoded(fmt: FloatFormat, bits: int) -> str:
    if _is_nan(fmt, bits):
        return "NaN"
    value = oracle.to_float(oracle.decode(fmt, bits))
    if math.isinf(value) or value == 0:
        return f"{value:g}"
    return f"{value:.9g} = {value.hex()}"


def _is_nan(fmt: FloatFormat, bits: int) -> bool:
    return bits & ~fmt.sign_mask > fmt.max_code + 1


def _ordinal(fmt: FloatFormat, bits: int) -> int:
    return -(bits & ~fmt.sign_mask) if bits & fmt.sign_mask else bits


def _power_of_two(ratio: Fraction) -> int | None:
    """Return k where *ratio* is exactly 2**k, else None."""
    up, down = ratio.numerator, ratio.denominator
    if up <= 0 or up & (up - 1) or down & (down - 1):
        return None
    return up.bit_length() - down.bit_length()
