"""Stimulus for rules whose bits depend on more than the exact sum: aligned terms, groups, orders, accumulators.

A case is written as terms: numbers m * 2**e in lanes of blocks, e being the exponent of the leading bit of m,
and an initial value of the same kind. Where the formats cannot express the terms of a case together, there is
no such case for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from refmodel.vectors.codes import scale_stimulus
from refmodel.vectors.construct import BlockPair, negate_code, one_code
from refmodel.vectors.initial import Case, float32_bits
from refmodel.vectors.stimulus import Request, Stimulus

ORDINARY_WIDTHS = (13, 24, 25)
"""Fraction bits below the largest term that machines keep, for rules that do not say theirs."""

_PRECISIONS = {"fp32": 24, "e8m13": 14, "fp16": 11, "bf16": 8}


class Term(NamedTuple):
    """The number m * 2**(exponent - (bits of m - 1)), and its lane; -1 for any."""

    m: int
    exponent: int
    lane: int = -1


Terms = list[Term]
Maker = Callable[[], Case | None]


def alignment(request: Request) -> Stimulus:
    """Terms just inside and outside what is kept below the largest one, which may be cancelled, or the initial
    value, or in another block; floors of the exponent; bits that the accumulator drops; groups and orders."""
    build = _Builder(request)
    core = [maker for maker in build.discriminators() if maker() is not None]
    makers = core + build.makers()
    return request.stack_cases(
        makers[case]() or build.scattered(1 + case % build.most) for case in request.cases(len(makers), len(core))
    )


class _Fit(NamedTuple):
    """The products of a block as integers in units of 2**exponent, and by how many bits they may be shifted up
    to be products of elements, all by as many."""

    numbers: list[int]
    exponent: int
    shifts: list[int]

    @classmethod
    def of(cls, terms: Terms, products: frozenset[int]) -> _Fit:
        """Return that for *terms*."""
        if not terms:
            return cls([], 0, [])
        lowest = [term.exponent - abs(term.m).bit_length() + 1 for term in terms]
        unit = min(lowest)
        numbers = [term.m << exponent - unit for term, exponent in zip(terms, lowest, strict=True)]
        magnitudes = {abs(number) for number in numbers}
        room = max(products).bit_length() - max(magnitudes).bit_length()
        shifts = [n for n in range(room + 1) if all(each << n in products for each in magnitudes)]
        return cls(numbers, unit, shifts)


class _Builder:
    """Makes dot products for one request."""

    def __init__(self, request: Request) -> None:
        self._request, self._kit, self._draws = request, request.operands, request.draws
        self._a, self._b = request.a_format.element, request.b_format.element
        self._products = frozenset(self._kit.products)
        self.most = 6 if request.multi_block else 1
        rule = request.rule
        assert rule is not None, "this class is made for a rule"
        self._rule = rule
        self._widths = ORDINARY_WIDTHS if rule.align_bits is None else (rule.align_bits,)
        self._precision = _PRECISIONS[rule.acc_format]

    # Cases from terms

    def _case(
        self, blocks: Iterable[Terms], c: Term | None = None, base: int | None = None, normal: bool = False
    ) -> Case | None:
        """Return the case of these terms, all exponents moved by *base*; by a number that fits if that is None
        or does not. *normal* leaves out factors that are subnormal, whose products have larger exponents."""
        blocks = list(blocks)
        if len(blocks) > 1 and not self._request.multi_block:
            return None
        if c is not None and not self._request.initial_values:
            return None
        fits = [_Fit.of(terms, self._products) for terms in blocks]
        if any(terms and not fit.shifts for terms, fit in zip(blocks, fits, strict=True)):
            return None
        bases = [] if base is None else [base]
        if self._request.scaled:
            bases += [self._draws.between(-30, 30) for _ in range(4)]
        bases += [self._draws.between(-3, 3), *range(-20, 21)]
        for each in bases:
            scales = [self._scales(fit, each) for fit in fits]
            bits = 0 if c is None else _float32(c, each)
            if bits is not None and all(scales):
                return Case([self._block(*each, normal) for each in zip(blocks, fits, scales, strict=True)], bits)
        return None

    def _scales(self, fit: _Fit, base: int) -> list[tuple[int, int]]:
        """Return (sum of scales, shift of the products) of the ways in which a block is expressed."""
        kit = self._kit
        if not fit.numbers:
            near = self._draws.between(-9, 9) if self._request.scaled else 0
            return [(max(0, min(kit.last_scale_sum, kit.unit_scale_sum + near)), 0)]
        # A product is its number << shift in units of 2**(unit_exponent + exponent of the scales).
        top = base + fit.exponent - kit.unit_exponent + kit.unit_scale_sum
        return [(top - shift, shift) for shift in fit.shifts if 0 <= top - shift <= kit.last_scale_sum]

    def _block(self, terms: Terms, fit: _Fit, scales: list[tuple[int, int]], normal: bool) -> BlockPair:
        """Return a block pair of just these products."""
        scale_sum, shift = scales[self._draws.below(len(scales))]
        factors = self._kit.normal_factors if normal else self._kit.factors
        pairs = [factors(number << shift, self._draws) for number in fit.numbers]
        return self._in_lanes(pairs, [term.lane for term in terms], scale_sum)

    def _in_lanes(self, pairs: list[tuple[int, int]], lanes: list[int], scale_sum: int) -> BlockPair:
        if all(lane < 0 for lane in lanes):
            return self._kit.block(pairs, scale_sum, self._draws)
        free = [lane for lane in self._draws.permutation(self._kit.lanes).tolist() if lane not in lanes]
        placed = [(0, 0)] * self._kit.lanes
        for pair, lane in zip(pairs, lanes, strict=True):
            placed[lane if lane >= 0 else free.pop()] = pair
        empty = self._kit.block([], scale_sum, self._draws)
        return BlockPair([a for a, _ in placed], [b for _, b in placed], empty.a_scale, empty.b_scale)

    # Families

    def makers(self) -> list[Maker]:
        """All cases but the discriminating ones."""
        makers: list[Maker] = []
        for width in self._widths:
            for distance in range(width - 3, width + 5):
                for m in (1, 3, 7, -1, -3, -7):
                    makers += self._around(m, -distance)
        for distance in range(self._precision - 4, self._precision + 4):
            for m in (1, 3, -1, -3):
                makers += [
                    partial(self._case, [[Term(1, 0), Term(1, 0), Term(m, -distance)]]),
                    partial(self._case, [[Term(1, 0)], [Term(m, -distance)]]),
                    partial(self._case, [[Term(m, -distance)]], Term(1, 0)),
                    partial(self._case, [[]], Term((1 << distance + 1) + m, 0)),
                ]
        makers += [partial(self.full_accumulator, kind) for kind in range(3)] * 12
        makers += self._floors()
        makers += self._groups()
        makers += [partial(self.scattered, 1 + n % self.most) for n in range(240)]
        return makers

    def _around(self, m: int, exponent: int) -> list[Maker]:
        """Cases of a small term beside a largest one of exponent 0."""
        small, one, minus = Term(m, exponent), Term(1, 0), Term(-1, 0)
        nine = Term(9, 1)  # 1.5 * 1.5 has the exponent 0 if products are not normalised
        several = [Term(m, exponent - j) for j in (0, 0, 1, 2)]
        everywhere = [small] * self._kit.lanes
        # Summed exactly in an inner group before they are cut, or each cut.
        halves = [[_at(small, 0), _at(small, lane)] for lane in (1, self._kit.lanes // 2)]
        return [
            *(partial(self._case, [[minus], pair], one) for pair in halves),
            partial(self._case, [[one, minus, small]]),
            partial(self._case, [[one, small]]),
            partial(self._case, [[minus, small]]),
            partial(self._case, [[one, minus, *several]]),
            partial(self._case, [[nine, nine._replace(m=-9), small]]),
            partial(self._case, [[small]], one),
            partial(self._case, [[small, small._replace(m=-m), small]], minus),
            partial(self._case, [everywhere], one),
            partial(self._case, [[one]], small),
            partial(self._case, [[one, minus]], small),
            partial(self._case, [[one, minus], [small]]),
            partial(self._case, [[one], [minus, small]]),
            partial(self._case, [[one], [small], [minus]]),
            partial(self._case, [[small], [one, minus]]),
            partial(self._case, [[one], everywhere]),
            partial(self._case, [[small]] * 3, one),
        ]

    def full_accumulator(self, kind: int) -> Case | None:
        """An initial value with bits that the accumulator has no room for: alone, beside a product, and
        cancelled by one but for these bits."""
        c = Term(self._sign() * ((1 << 23) | self._draws.below(1 << 23)), 0)
        sign = 1 if c.m < 0 else -1
        if kind == 0:
            return self._case([[]] * (1 + self._draws.below(self.most)), c)
        if kind == 1:
            return self._case([[Term(self._sign(), -self._draws.between(0, 14))]], c)
        return self._case([[Term(sign, 0)]], c)

    def _floors(self) -> list[Maker]:
        """Sums that miss a subnormal result by what several tiny terms add up to, these being just inside and
        outside what is kept where the floor holds the exponent up; such terms in every lane, where it does not
        unless it holds always; other largest terms around the floor."""
        floor, quantum = self._rule.exp_floor, self._request.target.quantum
        if floor is None:
            return []
        makers: list[Maker] = []
        for width in self._widths:
            grid = floor - width
            head = [Term(1, exponent) for exponent in range(quantum - 1, grid + 1, -1)]
            for below in range(-2, 2):
                tail = [Term(1, grid + below)] * (1 << 2 - below)
                for sign in (1, -1):
                    terms = [term._replace(m=sign) for term in head + tail]
                    if len(terms) <= self._kit.lanes:
                        makers += [partial(self._case, [terms], None, 0)] * 2
                    # No term is zero, so the floor does not hold: beside an accumulator that is none of the
                    # terms the smallest of them decide a rounding.
                    everywhere = [Term(-sign, grid + below)] * self._kit.lanes
                    for m in (1, 3):
                        start = Term(sign * m, quantum + m.bit_length() - 1)
                        makers += [
                            partial(self._case, [everywhere], start, 0),
                            partial(self._case, [[start], everywhere], None, 0),
                        ]
            for step in range(-4, 4):
                for m in (1, -3):
                    small = Term(m, min(-1, -width - step))
                    makers += [
                        partial(self._case, [[Term(1, 0), small]], None, floor + step),
                        partial(self._case, [[small]], Term(1, 0), floor + step),
                    ]
        return makers

    def _groups(self) -> list[Maker]:
        """Ones everywhere, a large product in the first lane and its negative in another: which products meet
        in one group, and in which order."""
        lanes = self._kit.lanes
        makers: list[Maker] = []
        for large in (30, 24, 16, 12, 4):
            for lane in (1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 127):
                for sign in (1, -1):
                    count = 4 if self._request.multi_block else 1
                    if lane < count * lanes:
                        makers.append(partial(self._ones_and, large, sign, lane, count))
        return makers

    def _ones_and(self, large: int, sign: int, lane: int, count: int) -> Case | None:
        lanes = self._kit.lanes
        blocks = [[Term(sign, 0, i) for i in range(lanes)] for _ in range(count)]
        blocks[0][0] = Term(sign, large, 0)
        blocks[lane // lanes][lane % lanes] = Term(-sign, large, lane % lanes)
        return self._case(blocks)

    def scattered(self, length: int) -> Case:
        """Terms of exponents all over the width that is kept, of any sign, in each of several blocks, and an
        initial value among them."""
        draws, width = self._draws, self._widths[self._draws.below(len(self._widths))]
        for attempt in range(8):
            reach = width + 3 if attempt < 6 else 0
            blocks = []
            for _ in range(length):
                centre = -draws.below(reach + 1) if self._request.scaled else 0
                spread = draws.below(reach + 1) >> draws.below(4)
                terms = [
                    Term(self._sign() * (1 + 2 * draws.below(2)), centre - draws.below(spread + 1))
                    for _ in range(draws.between(0, 6))
                ]
                blocks.append(terms)
            c = None
            if self._request.initial_values and draws.below(4):
                c = Term(self._sign() * ((1 << 12) | draws.below(1 << 12)), -draws.below(width + 3))
            case = self._case(blocks, c)
            if case is not None:
                return case
        return Case([self._kit.block([], self._kit.unit_scale_sum, draws) for _ in range(length)], 0)

    def _sign(self) -> int:
        return 1 - 2 * self._draws.below(2)

    # Inputs that tell machines apart

    def discriminators(self) -> list[Maker]:
        """Short sums on which the rules of machines differ: widths, roundings, exponents, accumulators, groups,
        orders, places where scales enter."""
        lanes, case = self._kit.lanes, partial(self._case, normal=True)
        one, minus = Term(1, 0), Term(-1, 0)
        cases: list[Maker] = []
        for width in (13, 23, 24, 25, 35):
            cases += [partial(case, [[one, minus, Term(1, -width - step)]], None, 0) for step in (0, 1)]
            cases += [
                partial(case, [[one, minus, Term(-3, -width - 1)]], None, 0),
                partial(case, [[Term(9, 1), Term(-9, 1), Term(1, -width)]], None, 0),
                partial(case, [[Term(1, -width - 1)] * lanes], one, 0),
            ]
        cases += [partial(case, [[one, one, Term(3, -distance)]], None, 0) for distance in (12, 22)]
        high = Term(1, 24)
        cases += [
            partial(case, [[_at(high, 0), _at(one, 1), _at(one, 2), _at(_negated(high), 3)]], None, 0),
            partial(case, [[_at(high, 0), _at(one, 1), _at(_negated(high), 2), _at(one, 3)]], None, 0),
            partial(case, [[one, Term(1, -11), Term(1, -24)]], None, 0),
            partial(case, [[]], Term(1, -149), 0),
            partial(case, [[Term(1, -8)] * lanes], Term(1, 6), 0),
            partial(case, [[Term(1, -8)] * lanes] * 4, Term(1, 6), 0),
        ]
        for lane in (1, 4):
            far = [_at(Term(1, 20), 0), _at(Term(-1, 20), 2), _at(Term(-1, -10), lane)]
            cases.append(partial(case, [far], None, 0))
        cases += [partial(self._ones_and, 16, 1, lane, 1) for lane in (1, 2, lanes - 1)]
        cases += [partial(self._ones_and, 30, 1, lane, 4) for lane in (1, 2, lanes, 2 * lanes)]
        for distance in (9, 10):
            cases.append(partial(case, [[Term(1, -16 - distance)] * lanes], one, 0))
        # Groups of two blocks: a sum that cancels keeps the exponent of its scales; a far smaller second block.
        cases += [
            partial(case, [[Term(1, 20), Term(-1, 20)]], one, 0),
            partial(case, [[Term(1, 40), Term(-1, 40)]], one, 0),
            partial(case, [[]], one, 0),
        ]
        cases += [partial(case, [[one], [Term(1, -distance)]], minus, 0) for distance in (34, 35, 36)]
        cases += [
            partial(case, [[Term(9, 5), Term(-9, 5)] * (lanes // 2), [Term(1, -2 - distance)]], None, 0)
            for distance in (32, 33, 34)
        ]
        cases += [
            partial(case, [[Term(1, -38)], [Term(1, -18), Term(-1, -18)]], None, 0),
            *(partial(self._at_scales, *each) for each in self._scaled_cases()),
        ]
        return cases

    def _scaled_cases(self) -> list[tuple[str, int, int, Term | None]]:
        """Return (elements, exponents of the scales of A and B, initial value)."""
        if not self._request.scaled or not self._request.a_format.scale.is_power_of_two:
            return []
        three = Term(3, 1)
        return [
            ("four", 127, -127, None),
            ("four", -127, 127, None),
            ("cancelled", 127, 127, three),
            ("zeros", 127, 127, three),
            ("largest", -80, -80, None),
            ("largest", -70, -70, None),
            ("smallest", 127, 127, None),
            ("one", -74, -74, None),
            ("one", -75, -74, None),
            ("one", -75, -75, None),
        ]

    def _four(self) -> tuple[int, int]:
        """Return codes whose product is 4, or the largest power of two below that the formats have."""
        whole = [power << -self._kit.unit_exponent for power in (4, 2, 1)]
        return self._kit.factors(next(each for each in whole if each in self._products), self._draws)

    def _at_scales(self, kind: str, a_exponent: int, b_exponent: int, c: Term | None) -> Case | None:
        """A block of elements of one kind under scales that are given."""
        if c is not None and not self._request.initial_values:
            return None
        kit = self._kit
        largest = (self._a.max_code, self._b.max_code)
        lone = {
            "four": [self._four()],
            "cancelled": [largest, (largest[0], negate_code(self._b, largest[1]))],
            "zeros": [],
            "largest": [largest] * kit.lanes,
            "smallest": [(1, 1)],
            "one": [(one_code(self._a), one_code(self._b))],
        }[kind]
        block = kit.block(lone, kit.unit_scale_sum, self._draws)
        a, b = (scale_stimulus(fmt.scale).one for fmt in (self._request.a_format, self._request.b_format))
        bits = 0 if c is None else _float32(c, 0)
        assert bits is not None, "small integers are Float32"
        return Case([BlockPair(block.a_codes, block.b_codes, a + a_exponent, b + b_exponent)], bits)


def _at(term: Term, lane: int) -> Term:
    return term._replace(lane=lane)


def _negated(term: Term) -> Term:
    return term._replace(m=-term.m)


def _float32(term: Term, base: int) -> int | None:
    return float32_bits(term.m, base + term.exponent - abs(term.m).bit_length() + 1)
