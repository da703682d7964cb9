"""Stimulus built from the wanted sum: cancellation, ties of the final rounding, ends of the result's range.

The values aimed at follow from the format of results alone, Float32's 24 significant bits and subnormals in
steps of 2**-149 or those of a narrower one. What a pair of formats cannot express is left out; every pair
with E8M0 scales can express the subnormal cases, because scales shift the narrowest block sum down to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, TypeAlias

from refmodel.vectors.construct import BlockPair, Operands, negate_code
from refmodel.vectors.draws import Draws
from refmodel.vectors.stimulus import Request, Stimulus
from refmodel.vectors.target import Target

TieKind: TypeAlias = Literal["even", "odd", "ones", "exact"]

TIE_KINDS: tuple[TieKind, ...] = ("even", "odd", "ones", "exact")
"""The bits above the halfway bit: even (a tie goes down), odd (up), all ones (up, with a carry out of the
significand). `exact` has the halfway bit clear: what lies below it must not round anything."""


def cancellation(request: Request) -> Stimulus:
    """Products that cancel exactly or down to one last unit, at every depth; negative zeros and sums."""
    makers: list[Callable[[], BlockPair]] = [partial(_exact_zero, request)] * 8
    makers += [partial(_negative_zeros, request)] * 6
    makers += [partial(_all_negative, request)] * 4
    always = len(makers)
    for large in (product for product in request.operands.products if product & (product - 1) == 0):
        makers += [partial(_residual, request, large, adjacent) for adjacent in (False, True)] * 2
    return request.stack_blocks(makers[case]() for case in request.cases(len(makers), always))


def _scale_sum(request: Request) -> int:
    """Return a sum of scale codes: near 1.0 mostly, anything at times."""
    kit = request.operands
    unit, last = kit.unit_scale_sum, kit.last_scale_sum
    if request.draws.below(4):
        return request.draws.between(max(0, unit - 16), min(last, unit + 16))
    return request.draws.between(0, last)


def _exact_zero(request: Request) -> BlockPair:
    """Every lane is used and the sum is zero; equal products come from different factors where they can."""
    kit, draws = request.operands, request.draws
    pairs: list[tuple[int, int]] = []
    while len(pairs) + 2 <= kit.lanes:
        product = kit.products[draws.below(len(kit.products))]
        pairs += [kit.factors(product, draws), kit.factors(-product, draws)]
    return kit.block(pairs, _scale_sum(request), draws)


def _negative_zeros(request: Request) -> BlockPair:
    """Every product is a zero times a number of opposite sign: -0 in IEEE 754, while the sum is +0.

    The zero, positive or negative, is in either operand; an integer format has only the positive one.
    """
    kit, draws = request.operands, request.draws
    elements = (request.a_format.element, request.b_format.element)
    pairs = []
    for _ in range(kit.lanes):
        side = draws.below(2)
        zero, number = 0, 1 + draws.below(elements[1 - side].max_code)
        if negate_code(elements[side], zero) != zero and draws.below(2):
            zero = negate_code(elements[side], zero)
        else:
            number = negate_code(elements[1 - side], number)
        pairs.append((zero, number) if side == 0 else (number, zero))
    return kit.block(pairs, _scale_sum(request), draws)


def _all_negative(request: Request) -> BlockPair:
    """Every product is negative."""
    kit, draws = request.operands, request.draws
    pairs = [kit.factors(-kit.products[draws.below(len(kit.products))], draws) for _ in range(kit.lanes)]
    return kit.block(pairs, _scale_sum(request), draws)


def _residual(request: Request, large: int, adjacent: bool) -> BlockPair:
    """One unit is left where products as *large* as this cancel: as a product of its own beside them, or,
    if *adjacent*, as what smaller products miss when they sum to the large one but for a unit."""
    kit, draws = request.operands, request.draws
    unit = 1 - 2 * draws.below(2)
    if adjacent and large >= 4:
        sign = 1 - 2 * draws.below(2)
        pairs = [kit.factors(sign * large, draws)]
        pairs += kit.pairs_for(unit - sign * large, draws, largest=large // 2)
    else:
        pairs = [kit.factors(large, draws), kit.factors(-large, draws), kit.factors(unit, draws)]
    return kit.block(pairs, _scale_sum(request), draws)


def ties(request: Request) -> Stimulus:
    """Sums halfway between two results, for every last bit and carry; with one bit more or less at each
    position below the halfway bit; and with that bit alone below an exact result. Normal and subnormal."""
    kit, target = request.operands, request.target
    bits = kit.significand_bits
    steps_below = target.half_quantum - kit.reach(1)[0]  # of half the smallest subnormal, expressed by scales
    # Without a bit below the halfway bit, side gives the sign of the sum.
    cases = [
        (subnormal, kind, sticky, side)
        for sticky in range(bits - 1)
        for side in (-1, 1)
        for subnormal in (False, True)
        if (sticky <= steps_below if subnormal else sticky < bits - target.precision)
        for kind in TIE_KINDS
    ]
    always = sum(sticky == 0 for _, _, sticky, _ in cases)
    return request.stack_blocks(_tie(request, *cases[case]) for case in request.cases(len(cases), always))


def _tie(request: Request, subnormal: bool, kind: TieKind, sticky: int, side: int) -> BlockPair:
    """Return a block whose sum is a tie (or exact) but for one bit, *sticky* places below the halfway bit.

    That bit is added (side 1) or taken away (side -1). With sticky 0 there is none, and side is the sign of
    the sum, which is random otherwise.
    """
    kit, draws, target = request.operands, request.draws, request.target
    room = kit.significand_bits - sticky
    width = draws.between(1, min(target.precision, room)) if subnormal else target.precision + 1
    number = halfway_number(request.draws, kind, width)
    if subnormal:
        exponent = target.half_quantum
    else:
        low, high = kit.reach(width + sticky)
        lowest = max(target.emin - target.precision, low + sticky)
        exponent = draws.between(lowest, max(lowest, min(target.emax - 1 - target.precision, high + sticky)))
    if sticky:
        number = (1 - 2 * draws.below(2)) * ((number << sticky) + side)
    else:
        number *= side
    placed = kit.place(number, exponent - sticky, draws)
    assert placed is not None, "room was left for the number, and its exponent is within the scales' reach"
    return kit.with_sum(placed, draws)


def halfway_number(draws: Draws, kind: TieKind, width: int) -> int:
    """Return a number of *width* bits, or the fewest that the kind needs; bit 0 is the halfway bit."""
    if kind == "ones":
        return (1 << width) - 1
    low_bits = {"even": 0b01, "odd": 0b11, "exact": 0b10}[kind]
    if width <= 2:
        return low_bits if kind != "even" or width == 2 else 1
    random = (1 << (width - 1)) | draws.below(1 << (width - 1))
    return random & ~0b11 | low_bits


def range_ends(request: Request) -> Stimulus:
    """Sums at both ends of the range of results: the largest finite values, the tie with infinity and what is
    beside and beyond it; the smallest normal, subnormals, half the smallest and what is beside and below."""
    kit, draws = request.operands, request.draws
    anchors, walks = (
        [
            (sign * number, exponent)
            for number, exponent in values
            if kit.place(number, exponent, draws) is not None
            for sign in (1, -1)
        ]
        for values in (_range_anchors(kit, request.target), _range_walks(kit, request.target))
    )
    places = anchors + walks

    def blocks() -> Iterator[BlockPair]:
        for case in request.cases(len(places), always=len(anchors)):
            placed = kit.place(*places[case], draws)
            assert placed is not None, "places holds only what can be placed"
            yield kit.with_sum(placed, draws)

    return request.stack_blocks(blocks())


def _range_anchors(kit: Operands, target: Target) -> list[tuple[int, int]]:
    """Return (number, exponent) of the positive values at and around the ends of the range."""
    precision, emin, emax, half_quantum = target.precision, target.emin, target.emax, target.half_quantum
    width = min(precision, kit.significand_bits)
    anchors = [((1 << width) - step, emax + 1 - width) for step in range(1, 5)]
    anchors += [(1, emax), (3, emax), (1, emax + 1), (5, emax - 1), (1, emax + 33), (1, emax + 100)]
    anchors += [(target.overflow_tie, emax - precision)]
    anchors += [((1 << width - 1) + 1, emax + 2 - width)]  # beyond the range, and a tie if that had no end
    anchors += [((target.overflow_tie << 1) + side, emax - precision - 1) for side in (-1, 1)]
    anchors += [(1, exponent) for exponent in range(half_quantum - 3, emin + 2)]
    anchors += [(number, half_quantum) for number in (3, 5, 7)]
    for power in (emin, half_quantum + 1, half_quantum):
        anchors += [((1 << 2) + side, power - 2) for side in (-1, 1)]
    anchors += [((1 << distance) - 1, emin - distance) for distance in (precision - 1, precision)]
    anchors += [(1, half_quantum - 50), (1, kit.unit_exponent - kit.unit_scale_sum)]
    return anchors


def _range_walks(kit: Operands, target: Target) -> list[tuple[int, int]]:
    """Return one unit beside the tie with infinity, the number beyond the range, the smallest normal, the
    smallest subnormal and half of it, the unit at each distance that a block can express."""
    walks = []
    half_quantum = target.half_quantum
    for distance in range(2, kit.significand_bits):
        for side in (-1, 1):
            walks.append(((target.overflow_tie << distance) + side, target.emax - target.precision - distance))
            for power in (target.emax + 1, target.emin, half_quantum + 1, half_quantum):
                walks.append(((1 << distance) + side, power - distance))
    return walks
