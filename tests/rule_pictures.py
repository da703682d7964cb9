"""Pictures of what accumulation rules keep and drop, as SVG made from the fields of presets.

Each picture adds up a few products and a running value, worked out here in integers by the fields of the rule; a
test holds the value in the last row to the model. No drawing is made by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape

import numpy as np

import refmodel as mx
from refmodel.accumulate import AccumulationRule, get_rule
from refmodel.formats import FloatFormat
from refmodel.operands import OPERAND_FORMATS, Elements
from refmodel.oracle.codes import encode

_CELL, _ROW, _LEFT, _RIGHT, _TOP = 14, 22, 150, 190, 58
_KEPT, _LOST, _WINDOW, _INK, _FAINT = "#bcd9f2", "#f3b8ae", "#fff6d8", "#1b1f24", "#6a737d"
_FRACTION = {"fp32": 23, "e8m13": 13, "fp16": 10, "bf16": 7}


@dataclass(frozen=True, slots=True)
class Row:
    """One number: its bits from 2**high down to 2**low, of which those below 2**cut are dropped."""

    label: str
    value: Fraction
    high: int
    low: int
    cut: int | None = None
    note: str = ""
    rule_above: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows of bits under a scale of exponents.

    Attributes:
        title: What it shows.
        rows: The numbers.
        top: Exponent of E.
        window: Exponents (high, low) between which terms are kept; None for no band.
        result: What the last row shows.
        terms: The products, as pairs of element codes, and the initial value, for checking.
        rule: The rule.
    """

    title: str
    rows: tuple[Row, ...]
    top: int
    window: tuple[int, int] | None
    result: Fraction
    codes: tuple[tuple[int, int], ...]
    initial: Fraction
    rule: AccumulationRule


def exponent(value: Fraction) -> int:
    """Return floor(log2 |value|) of a number that is not 0."""
    size = abs(value)
    found = size.numerator.bit_length() - size.denominator.bit_length()
    return found if Fraction(2) ** found <= size else found - 1


def cut(value: Fraction, grid: int, mode: str) -> Fraction:
    """Return *value* rounded to a multiple of 2**grid."""
    unit = Fraction(2) ** grid
    whole = value / unit
    floor = whole.numerator // whole.denominator
    down = floor if mode == "RD" or value >= 0 or floor == whole else floor + 1  # toward zero but for RD
    rest = abs(whole - down)
    if mode == "RTO" and rest and down % 2 == 0:
        down += 1 if value > 0 else -1
    if mode == "RNE" and (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and down % 2)):
        down += 1 if value > 0 else -1
    return down * unit


def _low(value: Fraction) -> int:
    """The exponent of the lowest bit set."""
    bits = value.numerator & -value.numerator
    return bits.bit_length() - value.denominator.bit_length()


def _bits(row: Row) -> list[tuple[int, str]]:
    units = abs(row.value) / Fraction(2) ** row.low
    assert units.denominator == 1, row
    return [(position, str(int(units) >> (position - row.low) & 1)) for position in range(row.high, row.low - 1, -1)]


# --------------------------------------------------------------------------------------------------
# The sums
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Product:
    """A product of two elements with all fraction bits, the exponents of which add up to *exponent*."""

    codes: tuple[int, int]
    value: Fraction
    exponent: int
    fraction: int

    def row(self, number: int, grid: int | None, note: str = "") -> Row:
        label = f"product {number}"
        return Row(label, self.value, self.exponent + 1, self.exponent - self.fraction, grid, note)


def _product(element: FloatFormat, at: int, patterns: tuple[int, int]) -> _Product:
    """Return a product of two normal elements, with the exponents as equal as they can be."""
    one = 1 << element.mantissa_bits
    significands = [Fraction(one | pattern % one, one) for pattern in patterns]
    exponents = at // 2, at - at // 2
    values = [s * Fraction(2) ** e for s, e in zip(significands, exponents, strict=True)]
    codes = tuple(encode(element, v) for v in values)
    return _Product((codes[0], codes[1]), values[0] * values[1], at, 2 * element.mantissa_bits)


def _running(rule: AccumulationRule, at: int) -> Fraction:
    """A running value of the accumulator's width, every second bit set and the last."""
    bits = _FRACTION[rule.acc_format]
    return Fraction((1 << bits) | (0x2AAAAAAAAA & ((1 << bits) - 1)) | 1, 1 << bits) * Fraction(2) ** at


def _element(rule: AccumulationRule) -> FloatFormat:
    element = OPERAND_FORMATS[rule.elements[0] if rule.elements else "e4m3"]
    assert isinstance(element, FloatFormat)
    return element


def _products(rule: AccumulationRule, steps: Sequence[int]) -> list[_Product]:
    """Products *steps* below the largest exponent, which leaves room for all of them."""
    element = _element(rule)
    top = 2 * min(element.emax, 14) - 2
    patterns = ((0b1101101101, 0b1011011101), (0b1110111011, 0b1001101111), (0b0111101101, 0b1111010111))
    return [_product(element, top - step, patterns[i % 3]) for i, step in enumerate(steps)]


def _rounded(
    rule: AccumulationRule, total: Fraction, label: str, rows: list[Row], window: int | None = None
) -> Fraction:
    """Add the rows of a sum, down to the end of the window, and of its rounding to the accumulator format."""
    grid = exponent(total) - _FRACTION[rule.acc_format]
    low = min(_low(total), exponent(total)) if window is None else window
    rows.append(Row(label, total, exponent(total), low, grid, rule_above=True))
    result = cut(total, grid, rule.acc_round)
    text = f"{rule.acc_format}, {rule.acc_round}"
    rows.append(Row("result", result, exponent(result), exponent(result) - _FRACTION[rule.acc_format], None, text))
    return result


def aligned(name: str) -> Picture:
    """Products and running value under one alignment (T-FDPA, ST-FDPA)."""
    rule = get_rule(name)
    width = rule.align_bits or 0
    terms = _products(rule, (0, width // 3, width - 2, width))
    top = terms[0].exponent
    grid = top - width
    c = _running(rule, top - width // 2)
    rows = [term.row(i, grid) for i, term in enumerate(terms)]
    rows.append(Row("running value c", c, exponent(c), exponent(c) - _FRACTION[rule.acc_format], grid))
    total = sum((cut(term.value, grid, rule.align_round) for term in terms), cut(c, grid, rule.align_round))
    result = _rounded(rule, total, "sum", rows, grid)
    title = f"{name}: E is the largest exponent of all terms, F = {width}, {rule.align_round}"
    return Picture(title, tuple(rows), top, (top + 1, grid), result, tuple(t.codes for t in terms), c, rule)


def late(name: str) -> Picture:
    """Products aligned among themselves, their sum added to the running value."""
    rule = get_rule(name)
    width = rule.align_bits or 0
    terms = _products(rule, (0, min(9, width // 3), 22))
    if width < 24:
        terms = _products(rule, (0, width // 3, width - 2))
    top = terms[0].exponent
    grid = top - width
    c = _running(rule, top - 12)
    rows = [term.row(i, grid) for i, term in enumerate(terms)]
    total = sum((cut(term.value, grid, rule.align_round) for term in terms), Fraction(0))
    if rule.group_round is not None:
        own = exponent(total) - _FRACTION[rule.group_format or rule.acc_format]
        rows.append(Row("sum of products", total, exponent(total), _low(total), own, rule.group_round, True))
        total = cut(total, own, rule.group_round)
        rows.append(Row("rounded sum", total, exponent(total), own))
    else:
        rows.append(Row("sum of products", total, exponent(total), _low(total), None, "", True))
    rows.append(Row("running value c", c, exponent(c), exponent(c) - 23, None, "not aligned"))
    result = _rounded(rule, total + c, "their sum", rows)
    title = f"{name}: E is the largest exponent of the products, F = {width}, {rule.align_round}"
    return Picture(title, tuple(rows), top, (top + 1, grid), result, tuple(t.codes for t in terms), c, rule)


def twice(name: str) -> Picture:
    """Products aligned among themselves, then their sum and the running value once more."""
    rule = get_rule(name)
    width, stage = rule.align_bits or 0, rule.stage2
    assert stage is not None
    terms = _products(rule, (0, width // 3, width - 6))
    top = terms[0].exponent
    c = -_running(rule, top + 4)
    rows = [term.row(i, top - width, f"cut at E - {width}, {rule.align_round}" if i == 0 else "") for i, term in
            enumerate(terms)]  # fmt: skip
    total = sum((cut(term.value, top - width, rule.align_round) for term in terms), Fraction(0))
    large = max(top, exponent(c))
    rows.append(
        Row("sum of products", total, exponent(total), _low(total), large - stage.dot_bits,
            f"cut at E' - {stage.dot_bits}, {stage.dot_round}", True)
    )  # fmt: skip
    rows.append(
        Row("running value -c", c, exponent(c), exponent(c) - 23, large - stage.c_bits,
            f"cut at E' - {stage.c_bits}, {stage.c_round}")
    )  # fmt: skip
    both = cut(total, large - stage.dot_bits, stage.dot_round) + cut(c, large - stage.c_bits, stage.c_round)
    if stage.post_bits is not None:
        both = cut(both, exponent(both) - stage.post_bits, stage.post_round)
    result = _rounded(rule, both, "their sum", rows)
    title = f"{name}: products against their largest exponent E, then sum and c against E' = max(E, e(c))"
    return Picture(title, tuple(rows), top, (top + 1, top - width), result, tuple(t.codes for t in terms), c, rule)


def exact(name: str) -> Picture:
    """Nothing is dropped before the sum is rounded."""
    rule = get_rule(name)
    terms = _products(rule, (0, 9, 18, 24))
    top = terms[0].exponent
    rows = [term.row(i, None) for i, term in enumerate(terms)]
    c = Fraction(0)
    result = _rounded(rule, sum((term.value for term in terms), Fraction(0)), "sum", rows)
    title = f"{name}: every bit is kept until the sum is rounded"
    return Picture(title, tuple(rows), top, None, result, tuple(t.codes for t in terms), c, rule)


def chain(name: str) -> Picture:
    """One rounding for every product."""
    rule = get_rule(name)
    terms = _products(rule, (14, 0, 22))
    top = terms[1].exponent
    total, rows = Fraction(0), []
    for i, term in enumerate(terms):
        rows.append(term.row(i, None))
        total += term.value
        grid = exponent(total) - _FRACTION[rule.acc_format]
        dropped = rule.acc_round if cut(total, grid, rule.acc_round) != total else "nothing to drop"
        rows.append(
            Row(f"plus s{i - 1}" if i else "s0", total, exponent(total), min(_low(total), grid + 23), grid,
                f"{rule.acc_format}, {dropped}", True)
        )  # fmt: skip
        total = cut(total, grid, rule.acc_round)
    rows.append(Row(f"result s{len(terms) - 1}", total, exponent(total), exponent(total) - 23))
    title = f"{name}: a rounding after every product"
    return Picture(title, tuple(rows), top, None, total, tuple(t.codes for t in terms), Fraction(0), rule)


def groups(name: str) -> Picture:
    """Exact sums of groups, aligned by the exponents of their scales."""
    rule = get_rule(name)
    width = rule.align_bits or 0
    sums = (Fraction(1153, 4), Fraction(77, 4), Fraction(2301, 4) - 1, Fraction(1, 4))
    steps = (0, width // 2, width - 4, width - 1)
    rows, total = [], Fraction(0)
    for i, (value, step) in enumerate(zip(sums, steps, strict=True)):
        value = value * Fraction(2) ** -step
        rows.append(Row(f"sum of group {i}", value, max(exponent(value), -step), -step - 2, -width,
                        f"scale 2^{-step}, times {float(sums[i])}"))  # fmt: skip
        total += cut(value, -width, rule.align_round)
    result = _rounded(rule, total, "sum", rows, -width)
    title = f"{name}: E is the largest exponent of the scales alone, F = {width}, {rule.align_round}"
    return Picture(title, tuple(rows), 0, (9, -width), result, (), Fraction(0), rule)


# --------------------------------------------------------------------------------------------------
# Drawing
# --------------------------------------------------------------------------------------------------


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, fill: str = _INK) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">{escape(text)}</text>'
    )


def _box(x: float, y: float, width: float, height: float, fill: str, stroke: str = "none") -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}" stroke="{stroke}"/>'


def _document(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="monospace" role="img" aria-label="{escape(title)}">',
        _box(0, 0, width, height, "#ffffff"), *parts, "</svg>", "",
    ])  # fmt: skip


def draw(picture: Picture) -> str:
    """Return the SVG of rows of bits."""
    high = max(row.high for row in picture.rows)
    low = min(row.low for row in picture.rows)
    if picture.window:
        high, low = max(high, picture.window[0]), min(low, picture.window[1])
    width = _LEFT + (high - low + 1) * _CELL + _RIGHT
    height = _TOP + len(picture.rows) * _ROW + 34

    def x(position: int) -> int:
        return _LEFT + (high - position) * _CELL

    parts = [_text(10, 20, picture.title, size=13)]
    bottom = _TOP + len(picture.rows) * _ROW
    if picture.window:
        top, end = picture.window
        parts.append(_box(x(top), _TOP - 4, (top - end + 1) * _CELL, bottom - _TOP + 4, _WINDOW, "#d9b84a"))
    for position in range(high, low - 1, -1):
        below = picture.top - position
        ends = picture.window is not None and position == picture.window[1]
        if below == 0 or ends or (below % 5 == 0 and not (picture.window and abs(position - picture.window[1]) < 4)):
            name = "E" if below == 0 else f"-{below}" if below > 0 else f"+{-below}"
            parts.append(_text(x(position) + _CELL / 2, _TOP - 10, name, anchor="middle", size=11, fill=_FAINT))
    for number, row in enumerate(picture.rows):
        y = _TOP + number * _ROW
        if row.rule_above:
            parts.append(f'<path d="M{_LEFT} {y}H{x(low) + _CELL}" stroke="{_FAINT}"/>')
        sign = "-" if row.value < 0 else ""
        parts.append(_text(_LEFT - 8, y + 15, sign + row.label if not row.label.endswith("-c") else row.label,
                           anchor="end"))  # fmt: skip
        for position, bit in _bits(row):
            lost = row.cut is not None and position < row.cut
            parts.append(_box(x(position), y + 3, _CELL, _ROW - 6, _LOST if lost else _KEPT, "#ffffff"))
            parts.append(_text(x(position) + _CELL / 2, y + 15, bit, anchor="middle", size=11))
        parts.append(_text(x(low) + _CELL + 8, y + 15, row.note, size=11, fill=_FAINT))
    y = bottom + 12
    parts += [
        _box(_LEFT, y, _CELL, _CELL, _KEPT), _text(_LEFT + 20, y + 11, "kept", size=11),
        _box(_LEFT + 70, y, _CELL, _CELL, _LOST), _text(_LEFT + 90, y + 11, "dropped", size=11),
    ]  # fmt: skip
    if picture.window:
        parts.append(_box(_LEFT + 160, y, _CELL, _CELL, _WINDOW, "#d9b84a"))
        parts.append(_text(_LEFT + 180, y + 11, "alignment window", size=11))
    return _document(width, height, picture.title, parts)


def tree(name: str) -> str:
    """Return the SVG of the additions of a tree over the leaves of a group, eight of a group that has no size."""
    rule = get_rule(name)
    size = rule.group_size if isinstance(rule.group_size, int) else 8
    leaves = [f"p{i}" for i in range(size)]
    if rule.inner_group > 1:
        leaves = [" + ".join(leaves[i : i + rule.inner_group]) for i in range(0, size, rule.inner_group)]
    wide, step = 28 + 9 * max(map(len, leaves)), 62
    places = [30 + wide * i + wide // 2 for i in range(len(leaves))]
    title = f"{name}: every addition is rounded to {rule.acc_format}, {rule.acc_round}"
    parts = [_text(10, 20, title, size=13)]
    y = 56
    for place, leaf in zip(places, leaves, strict=True):
        parts.append(_text(place, y, leaf, anchor="middle"))
    nodes = [(place, y + 6) for place in places]
    right = places[-1] + wide // 2
    while len(nodes) > 1:
        level = []
        y += step
        half = len(nodes) // 2
        if rule.order == "tree_adjacent":
            pairs = [(nodes[2 * i], nodes[2 * i + 1]) for i in range(half)]
            rest = nodes[2 * half :]
        else:
            pairs = [(nodes[i], nodes[len(nodes) - half + i]) for i in range(half)]
            rest = nodes[half : len(nodes) - half]
        for left, other in pairs:
            level.append(_sum_node(parts, left, other, y))
        nodes = level + rest
    y += step
    start = (right + 30, y - step)
    parts.append(_text(start[0], start[1] - 6, "running value c", anchor="middle"))
    end = _sum_node(parts, nodes[0], start, y)
    parts.append(_text(end[0] + 22, end[1] - 6, "the next running value"))
    return _document(max(right + 120, 10 + 8 * len(title)), y + 30, title, parts)


def _sum_node(parts: list[str], left: tuple[float, float], right: tuple[float, float], y: float) -> tuple[float, float]:
    middle = (left[0] + right[0]) / 2
    for px, py in (left, right):
        parts.append(f'<path d="M{px:g} {py:g}L{middle:g} {y - 10:g}" stroke="{_FAINT}"/>')
    parts.append(f'<circle cx="{middle:g}" cy="{y - 4:g}" r="11" fill="{_KEPT}" stroke="{_FAINT}"/>')
    parts.append(_text(middle, y, "+", anchor="middle"))
    return middle, y + 7


def windows(rules: Sequence[AccumulationRule], title: str) -> str:
    """Return the SVG of the alignment windows of several rules, one bar each, with the accumulator's width."""
    rows = list(rules)
    most = max((rule.align_bits or 0) for rule in rows)
    cell, left = 11, 240
    width, height = left + (most + 3) * cell + 230, 70 + 20 * len(rows)
    parts = [_text(10, 20, title, size=13)]
    for below in range(0, most + 1, 5):
        parts.append(_text(left + (below + 1.5) * cell, 46, "E" if not below else f"-{below}", anchor="middle", size=11,
                           fill=_FAINT))  # fmt: skip
    for number, rule in enumerate(rows):
        y, bits = 54 + 20 * number, rule.align_bits or 0
        parts.append(_text(left - 8, y + 12, rule.name, anchor="end"))
        parts.append(_box(left, y + 1, (bits + 2) * cell, 15, _WINDOW, "#d9b84a"))
        kept = min(_FRACTION[rule.acc_format], bits)
        parts.append(_box(left + cell, y + 5, (kept + 1) * cell, 7, _KEPT))
        size = rule.group_size
        parts.append(_text(left + (most + 3) * cell, y + 12, f"F {bits} {rule.align_round}, groups of {size}", size=11,
                           fill=_FAINT))  # fmt: skip
    return _document(width, height, title, parts)


def check(picture: Picture) -> tuple[float, float]:
    """Return what the picture and what the model says, for a picture of products of elements."""
    rule = picture.rule
    a, b = (np.array([[pair[i] for pair in picture.codes]]) for i in (0, 1))
    element = _element(rule)
    dtype = np.uint8 if element.bits <= 8 else np.uint16
    c = np.array([float(picture.initial)], np.float32)
    if rule.scale_apply == "epilogue_tensor":
        x, y = (Elements(element.name, codes.astype(dtype)) for codes in (a, b))
        return float(picture.result), float(mx.dot(x, y, rule, c)[0])
    scale = np.full((1, 1), 127, np.uint8)
    whole = (np.pad(codes, ((0, 0), (0, 32 - codes.shape[1]))).astype(np.uint8)[None] for codes in (a, b))
    p, q = (mx.Blocks("mxfp8_e4m3", codes, scale) for codes in whole)
    return float(picture.result), float(mx.dot(p, q, rule, c)[0])

