"""Stimulus built from the wanted sum: cancellation, ties of the final rounding, ends of the Float32 range.

The values aimed at follow from Float32 alone: 24 significant bits, exponents -126 ... 127, subnormals in
steps of 2**-149. What a pair of formats cannot express is left out; every pair can express the
subnormal cases, because scales shift the narrowest block sum down to them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

from refmodel.vectors.construct import BlockPair, Operands, negate_code
from refmodel.vectors.stimulus import Request, Stimulus

PRECISION = 24
EMAX = 127
EMIN = -126
HALF_QUANTUM = EMIN - PRECISION
"""Exponent of half the smallest subnormal, 2**-150: subnormal ties are odd multiples of it."""

_OVERFLOW_TIE = (1 << (PRECISION + 1)) - 1
"""The tie between the largest finite value and 2**128, in units of 2**(EMAX - PRECISION)."""

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
    return request.stack_blocks([makers[case]() for case in request.cases(len(makers), always)])


def _scale_sum(request: Request) -> int:
    """Return a sum of scale codes: near 1.0 mostly, anything at times."""
    if request.draws.below(4):
        return request.draws.between(254 - 16, 254 + 16)
    return request.draws.between(0, 508)


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
    """Sums halfway between two Float32, for every last bit and carry; with one bit more or less at each
    position below the halfway bit; and with that bit alone below an exact Float32. Normal and subnormal."""
    bits = request.operands.significand_bits
    # Without a bit below the halfway bit, side gives the sign of the sum.
    cases = [
        (subnormal, kind, sticky, side)
        for sticky in range(bits - 1)
        for side in (-1, 1)
        for subnormal in (False, True)
        if subnormal or sticky < bits - PRECISION
        for kind in TIE_KINDS
    ]
    always = sum(sticky == 0 for _, _, sticky, _ in cases)
    return request.stack_blocks([_tie(request, *cases[case]) for case in request.cases(len(cases), always)])


def _tie(request: Request, subnormal: bool, kind: TieKind, sticky: int, side: int) -> BlockPair:
    """Return a block whose sum is a tie (or exact) but for one bit, *sticky* places below the halfway bit.

    That bit is added (side 1) or taken away (side -1). With sticky 0 there is none, and side is the sign of
    the sum, which is random otherwise.
    """
    kit, draws = request.operands, request.draws
    room = kit.significand_bits - sticky
    width = draws.between(1, min(PRECISION, room)) if subnormal else PRECISION + 1
    number = _halfway_number(request, kind, width)
    exponent = HALF_QUANTUM if subnormal else draws.between(EMIN, EMAX - 1) - PRECISION
    if sticky:
        number = (1 - 2 * draws.below(2)) * ((number << sticky) + side)
    else:
        number *= side
    placed = kit.place(number, exponent - sticky, draws)
    assert placed is not None, "room was left for the number, and its exponent is within the scales' reach"
    return kit.with_sum(placed, draws)


def _halfway_number(request: Request, kind: TieKind, width: int) -> int:
    """Return a number of *width* bits, or the fewest that the kind needs; bit 0 is the halfway bit."""
    if kind == "ones":
        return (1 << width) - 1
    low_bits = {"even": 0b01, "odd": 0b11, "exact": 0b10}[kind]
    if width <= 2:
        return low_bits if kind != "even" or width == 2 else 1
    random = (1 << (width - 1)) | request.draws.below(1 << (width - 1))
    return random & ~0b11 | low_bits


def range_ends(request: Request) -> Stimulus:
    """Sums at both ends of the Float32 range: the largest finite values, the tie with infinity and what is
    beside and beyond it; the smallest normal, subnormals, half the smallest and what is beside and below."""
    kit, draws = request.operands, request.draws
    anchors, walks = (
        [
            (sign * number, exponent)
            for number, exponent in values
            if kit.place(number, exponent, draws) is not None
            for sign in (1, -1)
        ]
        for values in (_range_anchors(kit), _range_walks(kit))
    )
    places = anchors + walks
    blocks = []
    for case in request.cases(len(places), always=len(anchors)):
        placed = kit.place(*places[case], draws)
        assert placed is not None, "places holds only what can be placed"
        blocks.append(kit.with_sum(placed, draws))
    return request.stack_blocks(blocks)


def _range_anchors(kit: Operands) -> list[tuple[int, int]]:
    """Return (number, exponent) of the positive values at and around the ends of the range."""
    width = min(PRECISION, kit.significand_bits)
    anchors = [((1 << width) - step, EMAX + 1 - width) for step in range(1, 5)]
    anchors += [(1, EMAX), (3, EMAX), (1, EMAX + 1), (5, EMAX - 1), (1, EMAX + 33), (1, EMAX + 100)]
    anchors += [(_OVERFLOW_TIE, EMAX - PRECISION)]
    anchors += [((_OVERFLOW_TIE << 1) + side, EMAX - PRECISION - 1) for side in (-1, 1)]
    anchors += [(1, exponent) for exponent in range(HALF_QUANTUM - 3, EMIN + 2)]
    anchors += [(number, HALF_QUANTUM) for number in (3, 5, 7)]
    for power in (EMIN, HALF_QUANTUM + 1, HALF_QUANTUM):
        anchors += [((1 << 2) + side, power - 2) for side in (-1, 1)]
    anchors += [((1 << distance) - 1, EMIN - distance) for distance in (PRECISION - 1, PRECISION)]
    anchors += [(1, HALF_QUANTUM - 50), (1, kit.unit_exponent - 254)]
    return anchors


def _range_walks(kit: Operands) -> list[tuple[int, int]]:
    """Return one unit beside the tie with infinity, 2**128, the smallest normal, the smallest subnormal and
    half of it, the unit at each distance that a block can express."""
    walks = []
    for distance in range(2, kit.significand_bits):
        for side in (-1, 1):
            walks.append(((_OVERFLOW_TIE << distance) + side, EMAX - PRECISION - distance))
            for power in (EMAX + 1, EMIN, HALF_QUANTUM + 1, HALF_QUANTUM):
                walks.append(((1 << distance) + side, power - distance))
    return walks
