"""Stimulus that goes through codes: every pair of elements, special elements, special scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.elements import decode_table
from refmodel.formats import E8M0, BlockFormat, ElementFormat, IntegerFormat, ScaleFormat
from refmodel.vectors.construct import BlockPair, negate_code, one_code
from refmodel.vectors.draws import Draws
from refmodel.vectors.stimulus import Request, Stimulus


@dataclass(frozen=True, slots=True)
class ScaleStimulus:
    """Codes of a scale format that stimulus uses.

    Attributes:
        one: 1.0.
        nan: NaN.
        edges: Codes at the edges, all of which meet each other.
        sums: Pairs of codes whose product is at an edge of the exponent range, and that edges do not make.
        extremes: The smallest and the largest, which must touch neither NaN nor Inf.
    """

    one: int
    nan: int
    edges: tuple[int, ...]
    sums: tuple[tuple[int, int], ...]
    extremes: tuple[int, int]


@cache
def scale_stimulus(scale: ScaleFormat) -> ScaleStimulus:
    """Return the codes for E8M0, or for a scale with a mantissa such as UE4M3."""
    if scale == E8M0:
        return ScaleStimulus(
            one=0x7F,
            nan=0xFF,
            edges=(0x00, 0x01, 0x7E, 0x7F, 0x80, 0xFD, 0xFE, 0xFF),
            # Further ways to reach the sums 127, 254 and 381; 0, 1 and 508 are in the cross of edges.
            sums=((63, 64), (1, 126), (126, 128), (100, 154), (190, 191), (200, 181)),
            extremes=(0x00, 0xFE),
        )
    one, normal = one_code(scale), 1 << scale.mantissa_bits
    edges = [0, 1, normal - 1, normal, one - 1, one, one + 1, scale.max_code, scale.nan_codes[0]]
    ignored = scale.magnitude_mask + 1 if scale.ignored_bits else 0  # a bit that must change nothing
    return ScaleStimulus(
        one=one,
        nan=scale.nan_codes[0],
        edges=(*edges, *(code | ignored for code in edges if ignored)),
        sums=((normal + 1, one + 7), (one - 7, scale.max_code - 1), (3, 5), (normal + 3, normal + 5)),
        extremes=(1, scale.max_code),
    )


def marked_lanes(lanes: int) -> tuple[int, ...]:
    """Return the lanes for one special element: both ends, and both sides of the middle of an adder tree."""
    return 0, 1, lanes // 2 - 1, lanes // 2, lanes - 1


def exhaustive(request: Request) -> Stimulus:
    """Every pair of element codes, alone in a lane, all other lanes +0 and both scales 1.0.

    Where the count does not allow every pair, every code of A and of B still meets 1.0, and the rest is
    a random choice of pairs. Where it allows more, the pairs come again in other lanes; and under a pair of
    scales each, until all have been met, if scales have a mantissa.
    """
    a_element, b_element = request.a_format.element, request.b_format.element
    n_a, n_b = 1 << a_element.bits, 1 << b_element.bits
    pairs = np.arange(n_a * n_b)
    is_required = (pairs // n_b == one_code(a_element)) | (pairs % n_b == one_code(b_element))
    if request.count < pairs.size:
        optional = pairs[~is_required]
        room = max(0, request.count - np.count_nonzero(is_required))
        chosen = optional[request.draws.permutation(optional.size)[:room]]
        pairs = np.sort(np.concatenate([pairs[is_required], chosen]))
    scales = _scale_pairs(request)
    most = max(request.operands.lanes, -(-len(scales) // pairs.size))
    passes = max(1, min(request.count // pairs.size, most))
    shift = np.arange(passes).repeat(pairs.size)
    pairs = np.tile(pairs, passes)
    a_code, b_code = pairs // n_b, pairs % n_b
    lane = (a_code + b_code + shift) % request.operands.lanes
    chosen_scales = np.resize(scales, (pairs.size, 2))
    a, b = (
        _one_lane(block_format, lane, code, scale)
        for block_format, code, scale in (
            (request.a_format, a_code, chosen_scales[:, 0]),
            (request.b_format, b_code, chosen_scales[:, 1]),
        )
    )
    return Stimulus(a, b, np.ones(pairs.size, bool))


def _scale_pairs(request: Request) -> NDArray[np.int64]:
    """Return the pairs of scale codes [n, 2] that single products meet: 1.0 and 1.0; and then, if scales have a
    mantissa, all pairs, in random order."""
    formats = [fmt.scale for fmt in (request.a_format, request.b_format)]
    unit = np.array([[scale_stimulus(scale).one for scale in formats]])
    if all(scale.is_power_of_two for scale in formats):
        return unit
    n_a, n_b = (1 << scale.bits for scale in formats)
    order = request.draws.permutation(n_a * n_b)
    first = np.repeat(unit, (1 << request.a_format.element.bits) * (1 << request.b_format.element.bits), axis=0)
    return np.concatenate([first, np.stack([order // n_b, order % n_b], axis=1)])


def one_lane_pairs(a_format: BlockFormat, b_format: BlockFormat, numbers: NDArray[np.int64]) -> Stimulus:
    """Return pairs of element codes, numbered, each alone in a lane that rotates, all other lanes +0 and scales 1.0."""
    a_code, b_code = np.divmod(numbers, 1 << b_format.element.bits)
    lane = (a_code + b_code) % a_format.block_size
    a, b = (
        _one_lane(fmt, lane, code, np.full(code.shape, scale_stimulus(fmt.scale).one))
        for fmt, code in ((a_format, a_code), (b_format, b_code))
    )
    return Stimulus(a, b, np.ones(numbers.size, bool))


def _one_lane(
    block_format: BlockFormat, lane: NDArray[np.int64], code: NDArray[np.int64], scale: NDArray[np.int64]
) -> Blocks:
    """Return blocks [N] that hold one code each, in the lane given, +0 in the others, under these scales."""
    codes = np.zeros((code.size, block_format.block_size), np.uint8)
    codes[np.arange(code.size), lane] = code
    return Blocks(block_format, codes, scale.astype(np.uint8))


def special_codes(element: ElementFormat) -> list[int]:
    """Return the codes at the edges of the format, of both signs: zeros, subnormals, extremes, Inf, NaN."""
    if isinstance(element, IntegerFormat):
        positive = [0, 1, one_code(element), element.max_code]
        codes = positive + [negate_code(element, code) for code in positive] + [element.min_code]
    else:
        min_normal = 1 << element.mantissa_bits
        positive = [0, 1, min_normal - 1, min_normal, element.max_code]
        positive += [] if element.infinity_code is None else [element.infinity_code]
        positive += element.nan_codes
        codes = positive + [negate_code(element, code) for code in positive]
    return sorted(set(codes))


def ordinary_codes(element: ElementFormat) -> list[int]:
    """Return the codes of magnitude 1/4 to 4."""
    magnitude = np.abs(decode_table(element))
    return np.flatnonzero((magnitude >= 0.25) & (magnitude <= 4)).tolist()


def specials(request: Request) -> Stimulus:
    """Special elements crossed with each other: one pair among ordinary elements, among zeros, in every
    lane; and two products that are NaN or infinite in one block."""
    a_element, b_element = request.a_format.element, request.b_format.element
    crosses = [(a, b) for a in special_codes(a_element) for b in special_codes(b_element)]
    products = non_finite_products(a_element, b_element)
    meetings = [(first, second) for first in products for second in products]
    background = _Background(request)
    lanes = marked_lanes(request.operands.lanes)
    blocks = []
    for position, case in enumerate(request.cases(3 * len(crosses) + len(meetings))):
        if case < 3 * len(crosses):
            surround, cross = divmod(case, len(crosses))
            lane = lanes[(cross // len(special_codes(b_element)) + cross + surround) % len(lanes)]
            chosen = {lane: crosses[cross]}
            if surround == 2:
                chosen = dict.fromkeys(range(request.operands.lanes), crosses[cross])
            a_codes, b_codes = background.zeros() if surround == 1 else background.ordinary()
        else:
            first, second = meetings[case - 3 * len(crosses)]
            start = request.draws.below(len(lanes))
            chosen = {lanes[start]: first, lanes[start - 1 - request.draws.below(len(lanes) - 1)]: second}
            a_codes, b_codes = background.ordinary()
        for lane, (a_code, b_code) in chosen.items():
            a_codes[lane], b_codes[lane] = a_code, b_code
        blocks.append(BlockPair(a_codes, b_codes, *_scales_for_specials(request, position)))
    return request.stack_blocks(blocks)


def crosses(request: Request) -> Stimulus:
    """Every kind of element beside every other and under every edge scale, and edge scales crossed: however small
    the set. Finite ones share a block, one that is NaN or Inf is alone among ordinary elements."""
    formats = request.a_format, request.b_format
    finite, other = zip(*(_finite_and_other(fmt.element) for fmt in formats), strict=True)
    of_a, of_b = (scale_stimulus(fmt.scale) for fmt in formats)
    background, lanes = _Background(request), request.operands.lanes
    blocks = []

    def add(pairs: Sequence[tuple[int, int]], a_scale: int, b_scale: int) -> None:
        for first in range(0, len(pairs), lanes):
            a_codes, b_codes = background.ordinary()
            chosen = pairs[first : first + lanes]
            start = request.draws.below(lanes - len(chosen) + 1)
            for lane, pair in enumerate(chosen, start):
                a_codes[lane], b_codes[lane] = pair
            blocks.append(BlockPair(a_codes, b_codes, a_scale, b_scale))

    add([(a, b) for a in finite[0] for b in finite[1]], of_a.one, of_b.one)
    special = {(a, b): None for a in other[0] for b in (*finite[1], *other[1])}
    special |= {(a, b): None for a in (*finite[0], *other[0]) for b in other[1]}
    for pair in special:
        add([pair], of_a.one, of_b.one)
    if not request.scaled:
        return request.stack_blocks(blocks)
    ones = [one_code(fmt.element) for fmt in formats]
    for scale in of_a.edges:
        for group in (finite[0], *([code] for code in other[0])):
            add([(code, ones[1]) for code in group], scale, of_b.one)
    for scale in of_b.edges:
        for group in (finite[1], *([code] for code in other[1])):
            add([(ones[0], code) for code in group], of_a.one, scale)
    for a_scale in of_a.edges:
        for b_scale in of_b.edges:
            add([(ones[0], ones[1])], a_scale, b_scale)
    return request.stack_blocks(blocks)


def _finite_and_other(element: ElementFormat) -> tuple[list[int], list[int]]:
    """Return the finite codes at the edges of the format, and an Inf of each sign and a NaN where it has them."""
    values = decode_table(element)
    finite = [code for code in special_codes(element) if np.isfinite(values[code])]
    return finite, [*np.flatnonzero(np.isinf(values)).tolist(), *np.flatnonzero(np.isnan(values))[:1].tolist()]


def non_finite_products(a_element: ElementFormat, b_element: ElementFormat) -> list[tuple[int, int]]:
    """Return pairs of codes whose products are infinite or NaN, each way that the formats have."""
    products = []
    for element, other, is_a in ((a_element, b_element, True), (b_element, a_element, False)):
        if isinstance(element, IntegerFormat):
            continue
        non_finite = [element.infinity_code] if element.infinity_code is not None else []
        non_finite += [negate_code(element, code) for code in non_finite] + list(element.nan_codes)[:1]
        for code in non_finite:
            for partner in (one_code(other), 0):
                products.append((code, partner) if is_a else (partner, code))
    return products


def _scales_for_specials(request: Request, position: int) -> tuple[int, int]:
    """Return scales near 1 mostly; the extremes, which must not touch NaN and Inf, and NaN at times."""
    a, b = (scale_stimulus(fmt.scale) for fmt in (request.a_format, request.b_format))
    near = tuple(request.draws.between(each.one - 8, each.one + 8) for each in (a, b))
    extremes = [(x, y) for x in a.extremes for y in b.extremes]
    rare = (*extremes, (a.nan, b.one), (a.one, b.nan))
    choice = request.draws.below(4 * len(rare)) if position % 2 else len(rare)
    return rare[choice] if choice < len(rare) else (near[0], near[1])


class _Background:
    """Codes for the lanes in which nothing particular happens."""

    def __init__(self, request: Request) -> None:
        self._draws, self._lanes = request.draws, request.operands.lanes
        self._choices = [ordinary_codes(f.element) for f in (request.a_format, request.b_format)]

    def zeros(self) -> tuple[list[int], list[int]]:
        """Return +0 in all lanes."""
        return [0] * self._lanes, [0] * self._lanes

    def ordinary(self) -> tuple[list[int], list[int]]:
        """Return random ordinary elements in all lanes."""
        a_codes, b_codes = (
            [choices[self._draws.below(len(choices))] for _ in range(self._lanes)] for choices in self._choices
        )
        return a_codes, b_codes


def scales(request: Request) -> Stimulus:
    """Every pair of edge scales, and the sums of scale codes where exponents wrap or leave the range, over
    zeros, ones, largest, smallest, cancelling and ordinary blocks."""
    of_a, of_b = (scale_stimulus(fmt.scale) for fmt in (request.a_format, request.b_format))
    pairs = [(a, b) for a in of_a.edges for b in of_b.edges]
    pairs += [*of_a.sums, *((b, a) for a, b in of_a.sums)]
    a_element, b_element = request.a_format.element, request.b_format.element
    lanes = request.operands.lanes
    background = _Background(request)
    a_max, b_max = a_element.max_code, b_element.max_code
    a_one, b_one = one_code(a_element), one_code(b_element)
    fixed = [
        background.zeros(),
        ([a_one] * lanes, [b_one] * lanes),
        ([a_max] * lanes, [b_max] * lanes),
        ([a_max] * lanes, [negate_code(b_element, b_max)] * lanes),
        ([a_max] * lanes, [b_max, negate_code(b_element, b_max)] * (lanes // 2)),
        ([1] + [0] * (lanes - 1), [1] + [0] * (lanes - 1)),
    ]
    blocks = []
    for case in request.cases(len(pairs) * (len(fixed) + 1)):
        content, pair = divmod(case, len(pairs))
        codes = fixed[content] if content < len(fixed) else background.ordinary()
        blocks.append(BlockPair(*codes, *pairs[pair]))
    return request.stack_blocks(blocks)


def uniform_codes(draws: Draws, fmt: BlockFormat, count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return element codes [count, block_size] and scale codes [count], every code as likely as any other."""
    elements = draws.integers(0, 1 << fmt.element.bits, (count, fmt.block_size)).astype(np.uint8)
    return elements, draws.integers(0, 1 << fmt.scale.bits, count).astype(np.uint8)
