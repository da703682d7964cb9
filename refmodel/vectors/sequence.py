"""Stimulus of several blocks: what happens to the running value from block to block.

Named values are numbers of the result's format, of few enough bits that a block, or a few, express them
exactly; so the running value is known after each block, and the next is chosen by its relation to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from refmodel.vectors.codes import scale_stimulus
from refmodel.vectors.construct import BlockPair, negate_code, one_code
from refmodel.vectors.stimulus import Request, Stimulus

Dot: TypeAlias = list[BlockPair]

MAX_GAP = 60
"""Largest distance in binary orders of magnitude between the running value and the next block."""

MAX_BLOCKS = 16


def sequence(request: Request) -> Stimulus:
    """Dots of 1 to 16 blocks: running value and next block up to 60 binary orders apart, either way round;
    cancellation across blocks; overflow and return; NaN and Inf in each place; ties of the accumulation."""
    build = _Builder(request)
    signs = [(x, y) for x in (1, -1) for y in (1, -1)]
    gaps = range(-MAX_GAP, MAX_GAP + 1)
    makers: list[Callable[[], Dot]] = [partial(build.apart, gap, *pair) for gap in gaps for pair in signs]
    makers += [partial(build.lost_and_cancelled, gap) for gap in range(0, MAX_GAP + 1, 2)]
    makers += [build.cancelled, build.cancelled_by_two, build.underflowing, build.subnormal] * 16
    makers += [partial(build.wandering, length) for length in range(1, MAX_BLOCKS + 1)] * 8
    makers += [partial(build.overflowing, multiples) for multiples in _OVERFLOWS] * 4
    makers += [
        partial(build.with_special, special, where, length)
        for special in build.special_blocks()
        for where in (0.0, 0.5, 1.0)
        for length in (1, 2, 3, 8, MAX_BLOCKS)
    ]
    makers += [
        partial(build.tie, odd, side, sticky)
        for odd in (False, True, None)
        for sticky in range(1, min(8, request.operands.significand_bits - 1))
        for side in (-1, 0, 1)
    ] * 2
    return request.stack(makers[case]() for case in request.cases(len(makers)))


# Blocks in multiples of the largest power of two: each sum beyond the range at some point.
_OVERFLOWS = (
    *((1, 1, -1), (1, 1, -1, -1), (-1, -1, 1), (2, -1, -1)),
    *((2, -2), (-2, 2), (2, 1, -2), (-2, -1, -1, 2)),
)


class _Builder:
    """Makes dots, each a list of block pairs, for one request."""

    def __init__(self, request: Request) -> None:
        self._kit, self._draws = request.operands, request.draws
        self._a, self._b = request.a_format.element, request.b_format.element
        # One bit is left free, so that the sum of two such numbers fits a block too.
        self._target = request.target
        self._width = min(self._target.precision, self._kit.significand_bits) - 1
        # Of the last place of numbers that are neither large nor small in the format of results.
        self._middle = (-8 - self._width, 4 - self._width) if self._target.is_narrow else (-30, 30)
        self._finite = (-8, 4) if self._target.is_narrow else (-40, 40)
        self._scales = [scale_stimulus(fmt.scale) for fmt in (request.a_format, request.b_format)]

    def _sign(self) -> int:
        return 1 - 2 * self._draws.below(2)

    def _number(self) -> int:
        """Return a random positive number of exactly _width bits."""
        return (1 << (self._width - 1)) | self._draws.below(1 << (self._width - 1))

    def _block(self, number: int, exponent: int) -> BlockPair:
        low, high = self._kit.reach(abs(number).bit_length())  # beyond Float32's range with E8M0 scales
        placed = self._kit.place(number, max(low, min(high, exponent)), self._draws)
        assert placed is not None, "numbers have at most significand_bits bits"
        return self._kit.with_sum(placed, self._draws)

    def _finite_block(self) -> BlockPair:
        return self._block(self._sign() * self._number(), self._draws.between(*self._finite) - self._width)

    def apart(self, gap: int, first_sign: int, second_sign: int) -> Dot:
        """Return two blocks, the second 2**gap times smaller than the first (larger if gap is negative)."""
        exponent = self._draws.between(*self._middle)
        return [
            self._block(first_sign * self._number(), exponent),
            self._block(second_sign * self._number(), exponent - gap),
        ]

    def lost_and_cancelled(self, gap: int) -> Dot:
        """Return x, y, -x with y 2**gap times smaller: what is left of y after the first addition."""
        number, exponent, sign = self._number(), self._draws.between(*self._middle), self._sign()
        return [
            self._block(sign * number, exponent),
            self._block(self._sign() * self._number(), exponent - gap),
            self._block(-sign * number, exponent),
        ]

    def cancelled(self) -> Dot:
        """Return x and -x, at times with a block after them."""
        number, exponent = self._sign() * self._number(), self._draws.between(*self._middle)
        dot = [self._block(number, exponent), self._block(-number, exponent)]
        return dot + [self._finite_block()] * self._draws.below(2)

    def cancelled_by_two(self) -> Dot:
        """Return x, y and -(x + y)."""
        x, y = (self._sign() * self._number() for _ in range(2))
        exponent = self._draws.between(*self._middle)
        blocks = [self._block(number, exponent) for number in (x, y)]
        return [*blocks, self._block(-(x + y), exponent)]

    def underflowing(self) -> Dot:
        """Return 1 to 3 blocks that each round to a zero of their own sign, or to the smallest subnormal."""
        return [
            self._block(
                self._sign() * self._number(),
                self._target.half_quantum - self._draws.between(1, 2) - self._width,
            )
            for _ in range(self._draws.between(1, 3))
        ]

    def subnormal(self) -> Dot:
        """Return 2 to 6 blocks whose values and sums are subnormal or just above."""
        return [
            self._block(self._sign() * self._number(), self._target.emin - self._width - self._draws.between(0, 12))
            for _ in range(self._draws.between(2, 6))
        ]

    def wandering(self, length: int) -> Dot:
        """Return blocks whose magnitudes drift by up to 2**30 a step."""
        low, high = self._target.emin + 16, self._target.emax - 47
        if self._target.is_narrow:
            low, high = self._target.emin - self._width, self._target.emax - self._width
        exponent = self._draws.between(-20, 20)
        dot = []
        for _ in range(length):
            dot.append(self._block(self._sign() * self._number(), exponent))
            exponent = max(low, min(high, exponent + self._draws.between(-30, 30)))
        return dot

    def overflowing(self, multiples: tuple[int, ...]) -> Dot:
        """Return blocks of these multiples of the largest power of two, at times with an ordinary block after them."""
        dot = [self._block(multiple, self._target.emax) for multiple in multiples]
        return dot + [self._finite_block()] * self._draws.below(2)

    def special_blocks(self) -> list[tuple[tuple[int, int], int, int]]:
        """Return each way in which a block is NaN or Inf: (codes of A and B in a lane, scales of A, of B)."""
        ones = (one_code(self._a), one_code(self._b))
        a_scale, b_scale = self._scales
        specials = [(ones, a_scale.nan, b_scale.one), (ones, a_scale.one, b_scale.nan)]
        for side, element in enumerate((self._a, self._b)):
            table = getattr(element, "nan_codes", ())
            codes = list(table)[:1]
            infinity = getattr(element, "infinity_code", None)
            if infinity is not None:
                codes += [infinity, negate_code(element, infinity)]
            for code in codes:
                pair = (code, ones[1]) if side == 0 else (ones[0], code)
                specials.append((pair, a_scale.one, b_scale.one))
        return specials

    def with_special(self, special: tuple[tuple[int, int], int, int], where: float, length: int) -> Dot:
        """Return *length* blocks of which one is special: the first, the middle one or the last."""
        (a_code, b_code), a_scale, b_scale = special
        dot = [self._finite_block() for _ in range(length)]
        place = int(where * (length - 1))
        lane = self._draws.below(self._kit.lanes)
        block = dot[place]
        block.a_codes[lane], block.b_codes[lane] = a_code, b_code
        dot[place] = BlockPair(block.a_codes, block.b_codes, a_scale, b_scale)
        return dot

    def tie(self, odd: bool | None, side: int, sticky: int) -> Dot:
        """Return blocks that sum exactly to a full significand, then one of half its last place.

        Args:
            odd: Last bit of the significand; None for all ones, where the tie carries out of it.
            side: -1 or 1 puts the last block 2**-sticky of itself below or above the tie.
            sticky: See side.
        """
        precision = self._target.precision
        significand = (1 << precision) - 1
        if odd is not None:
            significand = (1 << (precision - 1)) | self._draws.below(1 << (precision - 1)) & ~1 | odd
        middle = self._middle if self._target.is_narrow else (-40, 40)
        sign, exponent = self._sign(), self._draws.between(*middle)
        dot = []
        low = 0
        while significand >> low:
            chunk = (significand >> low) & ((1 << self._width) - 1)
            dot.append(self._block(sign * chunk, exponent + low))
            low += self._width
        dot.reverse()
        half = (1 << sticky) + side
        half_sign = sign if odd is None else self._sign()
        return [*dot, self._block(half_sign * half, exponent - 1 - sticky)]
