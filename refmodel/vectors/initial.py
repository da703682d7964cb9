"""Initial values: the stimulus class that aims at them, and those of the dot products of other classes.

The class knows the exact block sum X, because it is constructed, and chooses the initial value c by its
relation to X: so many binary orders apart, cancelling it, making a tie of it, taking it in or out of range.
Both are integers times a power of two until they become codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.dot import dot
from refmodel.elements import decode_table
from refmodel.formats import ElementFormat, IntegerFormat
from refmodel.operands import Elements, Operand
from refmodel.vectors.codes import non_finite_products, scale_stimulus
from refmodel.vectors.construct import BlockPair, negate_code, one_code
from refmodel.vectors.draws import Draws
from refmodel.vectors.stimulus import Request, Stimulus
from refmodel.vectors.sums import TIE_KINDS, TieKind, halfway_number
from refmodel.vectors.target import FLOAT32

MAX_GAP = 60
"""Largest distance in binary orders of magnitude at which every distance is met."""

MAX_DISTANCE = 100
"""Largest distance of a single bit from the halfway bit far above it."""

FAR_GAPS = (61, 63, 64, 65, 80, 96, 127, 128, 129, 150)
"""Further distances: around the widths of counters and registers."""

SIGN, INFINITY = 0x80000000, 0x7F800000

SPECIAL_BITS = tuple(
    sign | magnitude
    for magnitude in (
        *(0, 1, 0x007FFFFF, 0x00800000, 0x3F800000, 0x7F7FFFFF, INFINITY),
        *(0x7FC00000, 0x7F800001, 0x7FFFFFFF, 0x7FD23456, 0x7FA5A5A5),
    )
    for sign in (0, SIGN)
)
"""Zero, least and greatest subnormal, least normal, one, greatest, Inf, and NaN: quiet and signalling, with
several payloads; of both signs."""


ROUNDINGS = ("none", "exact", "below tie", "tie to even down", "tie to even up", "above tie")
"""Situations of the last rounding: what it cuts off."""

_EACH_KIND = tuple(sign | magnitude for magnitude in (0, 1, 0x3F800000, 0x7F7FFFFF, INFINITY) for sign in (0, SIGN))


class Case(NamedTuple):
    """A dot product: its block pairs and the bits of its initial value."""

    blocks: list[BlockPair]
    c: int


Maker = Callable[[], Case | None]


def float32_bits(number: int, exponent: int) -> int | None:
    """Return the Float32 bits of number * 2**exponent, None if it is no Float32; zero is +0."""
    magnitude = abs(number)
    if magnitude == 0:
        return 0
    zeros = (magnitude & -magnitude).bit_length() - 1
    magnitude, exponent = magnitude >> zeros, exponent + zeros
    leading = magnitude.bit_length() - 1 + exponent
    if magnitude.bit_length() > FLOAT32.precision or exponent < FLOAT32.quantum or leading > FLOAT32.emax:
        return None
    binade = max(leading, FLOAT32.emin)
    units = magnitude << (exponent - binade + FLOAT32.precision - 1)
    # Consecutive codes are consecutive values: the hidden bit carries into the exponent field.
    return (SIGN if number < 0 else 0) | (units + ((binade - FLOAT32.emin) << (FLOAT32.precision - 1)))


def accumulator(request: Request) -> Stimulus:
    """Initial values against block sums: up to 60 binary orders apart and far beyond, cancelling it to zero or
    one unit, ties and one bit beside them by either, overflow and its undoing, NaN, Inf, zeros, subnormals."""
    build = _Builder(request)
    kinds, core, makers = build.kinds(), build.core(), build.makers()
    always = len(kinds) + len(core)
    makers = kinds + core + makers

    def cases() -> Iterator[Case]:
        for case in request.cases(len(makers), always):
            # A case that these formats cannot express is replaced by one that all can.
            made = makers[case]() or build.apart(build.draws.between(-MAX_GAP, MAX_GAP))
            yield made if case < len(kinds) else Case(build.surrounded(made.blocks), made.c)

    return request.stack_cases(cases())


class _Builder:
    """Makes dot products for one request."""

    def __init__(self, request: Request) -> None:
        self.draws = request.draws
        self._request, self._kit, self._target = request, request.operands, request.target
        self._a, self._b = request.a_format.element, request.b_format.element
        self._scales = [scale_stimulus(fmt.scale) for fmt in (request.a_format, request.b_format)]
        self._width = min(FLOAT32.precision, self._kit.significand_bits)
        """Bits of a number that both a block and a Float32 hold."""

    def kinds(self) -> list[Maker]:
        """Cases that every set has, one block each: every kind of number as the result under every edge scale,
        every situation of rounding beside every pair of kinds of elements, and of results beyond the range."""
        makers: list[Maker] = []
        for pair in self._edge_scales() if self._request.scaled else ():
            makers += [partial(self.special, bits, partial(self._zeros_under, *pair)) for bits in _EACH_KIND]
            makers += [partial(self.special, SIGN, partial(self._zeros_under, *pair, negative=True))]
        for pair in self._least_scales() if self._request.scaled else ():
            makers += [
                partial(self.special, SIGN, partial(self._least_under, *pair, negative=n)) for n in (False, True)
            ]
        makers += [partial(self.rounded, pairs, kind) for pairs in self._pairs_of_kinds() for kind in ROUNDINGS]
        return makers + self._beyond_makers()

    def core(self) -> list[Maker]:
        """Cases that every set has: special values against plain, zero and infinite sums; ties; cancellation;
        both ends of the range; single bits."""
        sums = self._plain_sums()
        makers: list[Maker] = [partial(self.special, bits, make) for make in sums for bits in SPECIAL_BITS]
        zeros: list[Callable[[], BlockPair | None]] = [self._cancelling]
        zeros += [partial(self._block, sign, self._target.quantum - 4) for sign in (1, -1)]
        makers += [partial(self.special, bits, make) for make in zeros for bits in (0, SIGN)]
        makers += [partial(self.tie, split, kind, False, 0, 1) for split in self._splits() for kind in TIE_KINDS]
        makers += [partial(self.apart, gap) for gap in (-MAX_GAP, -25, -24, -1, 0, 1, 24, 25, MAX_GAP)]
        makers += [self.cancelled, partial(self.cancelled_to_unit, 1), partial(self.unit_of_c, 1)]
        makers += self._range_makers()[:8]
        makers += self._single_bits()
        return makers

    def makers(self) -> list[Maker]:
        """All further cases."""
        gaps = [*range(-MAX_GAP, MAX_GAP + 1), *FAR_GAPS, *(-gap for gap in FAR_GAPS)]
        makers: list[Maker] = [partial(self.apart, gap, x, c) for gap in gaps for x in (1, -1) for c in (1, -1)]
        makers += [self.cancelled] * 16
        bits = self._kit.significand_bits
        makers += [partial(self.cancelled_to_unit, depth, low) for depth in range(1, bits) for low in (False, True)]
        makers += [partial(self.unit_of_c, depth) for depth in range(1, FLOAT32.precision)] * 2
        makers += [partial(self.cancelled_near_least, depth, n) for depth in range(1, bits) for n in range(-4, 5)]
        makers += [partial(self.completed, kind, n) for n in range(1, bits - FLOAT32.precision) for kind in TIE_KINDS]
        far = range(MAX_GAP + 1, MAX_DISTANCE)
        makers += [partial(self.tie, "tie in c", TIE_KINDS[n % 4], False, n, side) for n in far for side in (1, -1)]
        distances = [(1, 3), (4, 15), (16, 63), (64, MAX_DISTANCE)]
        makers += [partial(self.tie_above, n, *each) for n in range(FLOAT32.precision - 1) for each in distances]
        for split in self._splits():
            for sticky in range(MAX_GAP + 1):
                for side in (1, -1):
                    kinds = TIE_KINDS if sticky < 3 else (TIE_KINDS[self.draws.below(3)], "exact")
                    for kind in kinds:
                        places = (False, True) if sticky < 3 else (self.draws.below(4) == 0,)
                        makers += [partial(self.tie, split, kind, place, sticky, side) for place in places]
        makers += self._range_makers()
        makers += [partial(self.special, bits, make) for make in self._odd_sums() for bits in SPECIAL_BITS]
        return makers

    def surrounded(self, blocks: list[BlockPair]) -> list[BlockPair]:
        """Return a dot of several blocks, where the set has such: at times with two more that cancel."""
        if not self._request.multi_block or self.draws.below(2):
            return blocks
        number, exponent = self._number(self._width), self._middle()
        pair = [self._block(sign * number, exponent) for sign in (1, -1)]
        if None in pair:
            return blocks
        extra = [block for block in pair if block is not None]
        return extra + blocks if self.draws.below(4) == 0 else blocks + extra

    # Numbers

    def _sign(self) -> int:
        return 1 - 2 * self.draws.below(2)

    def _number(self, bits: int) -> int:
        """Return a positive number of so many bits: a power of two, all ones, or any."""
        kind = self.draws.below(4)
        top = 1 << (bits - 1)
        return top if kind == 0 else 2 * top - 1 if kind == 1 else top | self.draws.below(top)

    def _middle(self) -> int:
        """Return the exponent of a leading bit that is neither large nor small in the format of results."""
        return self.draws.between(-10, 8) if self._target.is_narrow else self.draws.between(-30, 30)

    def _block(self, number: int, exponent: int) -> BlockPair | None:
        """Return a block pair of that exact sum, if the formats express it."""
        if number == 0:
            return self._zeros(negative=False)
        placed = self._kit.place(number, exponent, self.draws)
        return None if placed is None else self._kit.with_sum(placed, self.draws)

    def _case(self, number: int, exponent: int, c: tuple[int, int]) -> Case | None:
        """Return the case of X = number * 2**exponent and c, as (number, exponent), if both exist."""
        bits = float32_bits(*c)
        block = self._block(number, exponent) if bits is not None else None
        return None if block is None or bits is None else Case([block], bits)

    # Distances and cancellation

    def apart(self, gap: int, x_sign: int = 1, c_sign: int = 1) -> Case:
        """c is 2**gap times smaller than X (larger if gap is negative), by their leading bits."""
        bits = self.draws.between(1, self._kit.significand_bits)
        bits = min(bits, 24 + self.draws.below(3))  # what with_sum is sure to build
        x, c = self._number(bits), self._number(self.draws.between(1, FLOAT32.precision))
        low, high = self._kit.reach(bits)
        leading = self._middle() + (min(gap, 0) if self._target.is_narrow else 0)
        exponent = max(low, min(high, leading - bits + 1))
        # c stays a normal Float32, so very far apart X is what gives way.
        place = max(FLOAT32.emin, min(FLOAT32.emax, exponent + bits - 1 - gap))
        exponent = max(low, min(high, place + gap - bits + 1))
        case = self._case(x_sign * x, exponent, (c_sign * c, place - c.bit_length() + 1))
        assert case is not None, "the exponent is within reach, and c normal"
        return case

    def cancelled(self) -> Case | None:
        """c is -X, exactly."""
        bits = self.draws.between(1, self._width)
        number, exponent = self._sign() * self._number(bits), self._within_reach(bits)
        return self._case(number, exponent, (-number, exponent))

    def _within_reach(self, bits: int) -> int:
        low, high = self._kit.reach(bits)
        return max(low, min(high, self._middle() - bits + 1))

    def _head(self, depth: int) -> int:
        """Return a positive even number with its leading bit at *depth*, that a block and a Float32 hold."""
        bits = self.draws.between(1, min(self._width, depth))
        return self._number(bits) << (depth - bits + 1)

    def cancelled_to_unit(self, depth: int, at_bottom: bool = False) -> Case | None:
        """c cancels all of X but one unit, *depth* places below the leading bit; at the bottom of the range of
        results, where that unit is the smallest subnormal, half of it, or twice."""
        head = self._head(depth)
        number, sign = head + self._sign(), self._sign()
        exponent = self._within_reach(number.bit_length())
        if at_bottom:
            exponent = self._target.half_quantum + self.draws.below(3)
        return self._case(sign * number, exponent, (-sign * head, exponent))

    def unit_of_c(self, depth: int) -> Case | None:
        """c is -X but for one unit, *depth* places below the leading bit."""
        head = self._head(depth)
        zeros = (head & -head).bit_length() - 1
        number, sign = head >> zeros, self._sign()
        exponent = self._within_reach(number.bit_length())
        return self._case(sign * number, exponent, (-sign * head + self._sign(), exponent - zeros))

    def cancelled_near_least(self, depth: int, place: int) -> Case | None:
        """c cancels X but for a number whose leading bit is *place* binades above the least normal result."""
        rest = self._number(self.draws.between(1, min(depth, self._width)))
        head, sign = self._head(depth), self._sign()
        exponent = self._target.emin + place - rest.bit_length() + 1
        return self._case(sign * (head + rest), exponent, (-sign * head, exponent))

    def _single_bits(self) -> list[Maker]:
        """Each bit alone: of the payload of a NaN, of a subnormal result that is c."""
        payloads = [INFINITY | 1 << place | (SIGN if place % 2 else 0) for place in range(FLOAT32.precision - 1)]
        makers: list[Maker] = [partial(self.special, bits, self._ordinary) for bits in payloads]
        target = self._target
        least = [(1, target.quantum + place) for place in range(target.precision - 1)]
        return makers + [partial(self._signed, (0, 0), c, sign) for c in least for sign in (1, -1)]

    # Ties

    def completed(self, kind: TieKind, below: int) -> Case | None:
        """The low bits of X and of c, down to *below* places under the halfway bit, complete each other to none."""
        target, sign = self._target, self._sign()
        part = sign * (self._number(self.draws.between(1, FLOAT32.precision)) | 1)
        number = (halfway_number(self.draws, kind, target.precision + 1) << below) - part
        exponent = self._within_reach(abs(number).bit_length())
        return self._case(number, exponent, (part, exponent))

    def tie_above(self, place: int, nearest: int, furthest: int) -> Case | None:
        """X is a tie, and c one bit far below it: the *place*-th of the subnormal numbers."""
        number = self._sign() * halfway_number(
            self.draws, TIE_KINDS[self.draws.below(4)], min(self._target.precision + 1, self._kit.significand_bits)
        )
        lowest, c = self._kit.reach(number.bit_length())[0], FLOAT32.quantum + place
        return self._case(number, max(lowest, c + self.draws.between(nearest, furthest)), (self._sign(), c))

    def _splits(self) -> list[str]:
        return ["significand in c", "significand in X", "tie in X", "tie in c", "in both"]

    def tie(self, split: str, kind: TieKind, subnormal: bool, sticky: int, side: int) -> Case | None:
        """The exact sum is a tie (or, of kind `exact`, a result) but for one bit, *sticky* places below the
        halfway bit, added (side 1) or taken away (-1); sticky 0: no such bit.

        *split* says which of X and c holds the significand, the halfway bit and the bit below it.
        """
        target, sign = self._target, self._sign()
        width = self.draws.between(2, target.precision) if subnormal else target.precision + 1
        number = halfway_number(self.draws, kind, width)  # bit 0 is the halfway bit
        exponent = target.half_quantum
        if not subnormal:
            low, high = (target.emin, target.emax - 1) if target.is_narrow else (-40, 40)
            exponent = self.draws.between(low, high) - target.precision
        bit = side if sticky else 0
        half = number & 1
        low_part = (half << sticky) + bit, exponent - sticky
        match split:
            case "significand in c":
                x, c = low_part, (number - half, exponent)
            case "significand in X":
                x, c = (number - half, exponent), low_part
            case "tie in X":
                x, c = (number, exponent), (bit, exponent - sticky)
            case "tie in c":
                x, c = (bit, exponent - sticky), (number, exponent)
            case _:
                part = self._number(self.draws.between(1, width))
                x, c = (((number - part) << sticky) + bit, exponent - sticky), (part, exponent)
                if self.draws.below(2):
                    x, c = c, x
        low, high = self._kit.reach(max(1, abs(x[0]).bit_length()))
        if not subnormal and x[0] and not low <= x[1] <= high:  # elsewhere, then, in a narrow reach
            shift = max(low, min(high, x[1])) - x[1]
            x, c = (x[0], x[1] + shift), (c[0], c[1] + shift)
        return self._case(sign * x[0], x[1], (sign * c[0], c[1]))

    # Ends of the range

    def _range_makers(self) -> list[Maker]:
        target = self._target
        precision, emax, emin, quantum = target.precision, target.emax, target.emin, target.quantum
        top = (1 << precision) - 1, emax - precision + 1  # the largest number
        half = 1, emax - precision  # half its last place
        pairs: list[tuple[tuple[int, int], tuple[int, int]]] = []
        for other in (half, (1, emax - precision + 1), (1, emax - precision - 1), (3, emax - precision - 1)):
            pairs += [(top, other), (other, top)]
        for below in (2, 3, 8, 20):
            for side in (-1, 1):  # one bit beside the tie with infinity
                beside = (1 << below) + side, emax - precision - below
                pairs += [(top, beside), (beside, top)]
        power, beyond = (1, emax), (1, emax + 1)
        pairs += [(power, power), (top, top), (power, top), (top, power)]
        # X is beyond the range, and c takes it back, or not quite.
        back = -1, emax
        pairs += [(beyond, back), (beyond, (-top[0], top[1])), ((3, emax), back), ((1, emax + 2), back)]
        pairs += [((top[0] + (1 << precision), top[1]), (-top[0], top[1]))]
        pairs += [(((1 << precision) + step, top[1]), back) for step in (1, 3)]
        if emax < FLOAT32.emax:  # and the other way round: c is beyond the range of results
            for distance in (1, 2, 5, 10, 20):
                far = -1, emax + distance
                for step in (0, 1, 2):
                    near = (1 << 10) + step, emax + distance - 10
                    pairs += [(far, near), (near, far)]
        # Around the smallest numbers: subnormal sums, sums that leave the subnormals, underflow beside a zero.
        small = [(1, quantum), (3, quantum - 1), (1, quantum - 1), (1, emin), (1, quantum - 2), (3, quantum)]
        small += [((1 << (precision - 1)) - 1, quantum), (1, quantum - 30), (1, emin - 1)]
        pairs += [(x, (sign * c[0], c[1])) for x in small for c in small for sign in (1, -1)]
        pairs += [((0, 0), c) for c in small] + [(x, (0, 0)) for x in small]
        return [partial(self._signed, x, c, sign) for x, c in pairs for sign in (1, -1)]

    def _signed(self, x: tuple[int, int], c: tuple[int, int], sign: int) -> Case | None:
        return self._case(sign * x[0], x[1], (sign * c[0], c[1]))

    def _beyond_makers(self) -> list[Maker]:
        """The largest number and what takes it beyond the range: by the last place of what is there, exactly, by a
        tie with an even and an odd digit above, and by a bit more."""
        precision, emax = self._target.precision, self._target.emax
        unit = emax - precision + 1
        top = (1 << precision) - 1, unit
        steps = ((1, unit), (5, unit - 2), (2, unit), (4, unit), (9, unit - 2))
        pairs = [pair for step in steps for pair in ((top, step), (step, top))]
        return [partial(self._signed, x, c, sign) for x, c in pairs for sign in (1, -1)]

    # Kinds of elements

    def rounded(self, pairs: list[tuple[int, int]], kind: str) -> Case | None:
        """The block has these pairs of codes, and c makes the sum one of that situation of rounding."""
        tables = [decode_table(element) for element in (self._a, self._b)]
        block_sum = sum((Fraction(float(tables[0][a])) * Fraction(float(tables[1][b])) for a, b in pairs), Fraction(0))
        a_codes, b_codes = [0] * self._kit.lanes, [0] * self._kit.lanes
        start = self.draws.below(self._kit.lanes - len(pairs) + 1)
        for lane, (a_code, b_code) in enumerate(pairs, start):
            a_codes[lane], b_codes[lane] = a_code, b_code
        block = BlockPair(a_codes, b_codes, *(scale.one for scale in self._scales))
        # The sum is n * 2**e with odd n.
        n, e = block_sum.numerator, 1 - block_sum.denominator.bit_length()
        zeros = (n & -n).bit_length() - 1
        n, e, sign = abs(n) >> zeros, e + zeros, 1 if n > 0 else -1
        width, top = n.bit_length(), 1 << (self._target.precision - 1)
        match kind:
            case "none":
                return Case([block], INFINITY)
            case "exact":
                return Case([block], 0)
            case "below tie" | "above tie":  # c is so large that the sum is less than half its last place
                c = sign * (top + 2) if kind == "below tie" else -sign * (top + 2), e + width + 1
            case _:  # the last bit of the sum is half the last place of c
                odd = (n >> 1) % 2 if kind == "tie to even down" else 1 - (n >> 1) % 2
                c = sign * (top + 2 + odd), e + 1
        bits = float32_bits(*c)
        return None if bits is None else Case([block], bits)

    def _pairs_of_kinds(self) -> list[list[tuple[int, int]]]:
        """Return pairs of codes for blocks whose sum is not zero, that hold every kind of finite element beside every
        other: those of the same magnitudes in one block, and zeros with all."""
        of_a, of_b = ([_both_signs(each, code) for code in _magnitudes(each)] for each in (self._a, self._b))
        groups = [
            [(positive[0], partner[0]), *((a, b) for a in positive for b in partner)]
            for positive in of_a[1:]
            for partner in of_b[1:]
        ]
        rest = [(a, b) for a in of_a[0] for pair in of_b for b in pair]
        rest += [(a, b) for pair in of_a[1:] for a in pair for b in of_b[0]]
        step = self._kit.lanes - 1
        one = one_code(self._a), one_code(self._b)
        return groups + [[one, *rest[first : first + step]] for first in range(0, len(rest), step)]

    # Special values

    def special(self, bits: int, make: Callable[[], BlockPair | None]) -> Case | None:
        """c has these bits, beside a block of some kind."""
        block = make()
        return None if block is None else Case([block], bits)

    def _plain_sums(self) -> list[Callable[[], BlockPair | None]]:
        """Ordinary, all +0, all -0, each way of being infinite, or else NaN."""
        makers: list[Callable[[], BlockPair | None]] = [
            self._ordinary,
            partial(self._zeros, negative=False),
            partial(self._zeros, negative=True),
        ]
        infinite = [pair for pair, is_nan in self._non_finite() if not is_nan]
        return makers + [partial(self._with_pair, pair) for pair in infinite[:2]]

    def _odd_sums(self) -> list[Callable[[], BlockPair | None]]:
        """Cancelling, NaN by scale and by element, beyond the range, below it."""
        a_scale, b_scale = self._scales
        makers: list[Callable[[], BlockPair | None]] = [
            self._cancelling,
            partial(self._with_scales, a_scale.nan, b_scale.one),
            partial(self._with_scales, a_scale.one, b_scale.nan),
        ]
        makers += [partial(self._with_pair, pair) for pair, is_nan in self._non_finite() if is_nan]
        for sign in (1, -1):
            makers += [
                partial(self._block, sign, self._target.emax + 1),
                partial(self._block, sign * 3, self._target.quantum - 4),
            ]
        return makers

    def _non_finite(self) -> list[tuple[tuple[int, int], bool]]:
        """Return pairs of codes whose product is not finite, and whether it is NaN."""
        infinities = [getattr(element, "infinity_code", None) for element in (self._a, self._b)]
        found = []
        for pair in non_finite_products(self._a, self._b):
            infinite = [
                infinity is not None and code in (infinity, negate_code(element, infinity))
                for code, element, infinity in zip(pair, (self._a, self._b), infinities, strict=True)
            ]
            found.append((pair, 0 in pair or True not in infinite))
        return found

    def _ordinary(self) -> BlockPair | None:
        bits = self.draws.between(1, self._width)
        return self._block(self._sign() * self._number(bits), self._within_reach(bits))

    def _zeros(self, negative: bool) -> BlockPair:
        """Every product is zero, of the sign asked for where a format has such a zero."""
        kit = self._kit
        a_code = 0
        b_code = negate_code(self._b, one_code(self._b)) if negative else one_code(self._b)
        return kit.block([(a_code, b_code)] * kit.lanes, kit.unit_scale_sum, self.draws)

    def _edge_scales(self) -> list[tuple[int, int]]:
        """Return pairs of scale codes: every one at an edge with 1.0."""
        a, b = self._scales
        return [*((code, b.one) for code in a.edges), *((a.one, code) for code in b.edges)]

    def _least_scales(self) -> list[tuple[int, int]]:
        """Return pairs of scale codes: every one at an edge with the smallest."""
        a, b = self._scales
        return [*((code, b.extremes[0]) for code in a.edges), *((a.extremes[0], code) for code in b.edges)]

    def _least_under(self, a_scale: int, b_scale: int, *, negative: bool) -> BlockPair:
        """The smallest product, alone."""
        a_codes, b_codes = [0] * self._kit.lanes, [0] * self._kit.lanes
        lane = self.draws.below(self._kit.lanes)
        a_codes[lane], b_codes[lane] = 1, negate_code(self._b, 1) if negative else 1
        return BlockPair(a_codes, b_codes, a_scale, b_scale)

    def _zeros_under(self, a_scale: int, b_scale: int, *, negative: bool = False) -> BlockPair:
        """Every product is zero: the result is what c is, whatever the scales."""
        block = self._zeros(negative)
        return BlockPair(block.a_codes, block.b_codes, a_scale, b_scale)

    def _cancelling(self) -> BlockPair:
        kit = self._kit
        product = kit.products[self.draws.below(len(kit.products))]
        pairs = [kit.factors(sign * product, self.draws) for sign in (1, -1)]
        return kit.block(pairs, kit.unit_scale_sum, self.draws)

    def _with_scales(self, a_scale: int, b_scale: int) -> BlockPair | None:
        block = self._ordinary()
        return None if block is None else BlockPair(block.a_codes, block.b_codes, a_scale, b_scale)

    def _with_pair(self, pair: tuple[int, int]) -> BlockPair | None:
        block = self._ordinary()
        if block is not None:
            lane = self.draws.below(self._kit.lanes)
            block.a_codes[lane], block.b_codes[lane] = pair
        return block


def _magnitudes(element: ElementFormat) -> list[int]:
    """Return the codes of zero, the smallest, one, and the largest."""
    return [0, 1, one_code(element), element.max_code]


def _both_signs(element: ElementFormat, code: int) -> tuple[int, int]:
    """Return a code and that of its negative; of the largest integer the smallest, whatever its magnitude."""
    if isinstance(element, IntegerFormat) and code == element.max_code:
        return code, element.min_code
    return code, negate_code(element, code)


AIMED = frozenset({"cancellation", "ties", "range"})
"""Classes whose exact block sum is the point: only zeros are added to it."""


def draw_initial(stimulus: Stimulus, name: str, draws: Draws, scaled: bool = True) -> NDArray[np.uint32]:
    """Return initial values for the dot products of the class *name*, which leaves them open, uint32 [M].

    Zeros of both signs; numbers up to 2**30 times larger or smaller than the first block's sum, the sum
    itself and its negative; any bits at all; special values.
    """
    n = stimulus.dots
    kind = draws.integers(0, 16, n)
    random = draws.integers(0, 1 << 16, (n, 3)).astype(np.uint32)
    c = np.zeros(n, np.uint32)
    c[kind == 15] = SIGN
    if name in AIMED:
        return c
    first = np.flatnonzero(np.concatenate([[True], stimulus.last[:-1]]))
    sums = _block_sums(stimulus, first, scaled)
    field = (sums >> np.uint32(23) & np.uint32(0xFF)).astype(np.int64)
    near = np.clip(field + draws.integers(-30, 31, n), 1, 254).astype(np.uint32) << np.uint32(23)
    bits = random[:, 0] << np.uint32(16) | random[:, 1]
    sparse = np.where(random[:, 2] & np.uint32(1), bits, bits & np.uint32(0xFF800000))
    near |= sparse & np.uint32(SIGN | 0x007FFFFF)
    special = np.array(SPECIAL_BITS, np.uint32)[draws.integers(0, len(SPECIAL_BITS), n)]
    for chosen, values in (
        ((kind >= 4) & (kind < 11), near),
        (kind == 11, sums),
        (kind == 12, sums ^ np.uint32(SIGN)),
        (kind == 13, bits),
        (kind == 14, special),
    ):
        c[chosen] = values[chosen]
    return c


def _block_sums(stimulus: Stimulus, chosen: NDArray[np.int64], scaled: bool) -> NDArray[np.uint32]:
    """Return the Float32 bits of single block pairs."""
    operands: list[Operand] = []
    for blocks in (stimulus.a, stimulus.b):
        if scaled:
            operands.append(Blocks(blocks.format, blocks.codes[chosen, None], blocks.scales[chosen, None]))
        else:
            operands.append(Elements(blocks.format.element, blocks.codes[chosen]))
    return dot(operands[0], operands[1], "exact_fp32").view(np.uint32)
