"""Blocks made to order: operands whose exact scaled sum is a wanted number.

An element is an integer on its format's grid 2**quantum_exponent, so a product of two elements is an
integer in units of 2**(qa + qb), and a block pair stands for

    S * 2**(qa + qb + exponent of scale A + exponent of scale B),     S = sum of 32 (or 16) products,

where scales are powers of two. Products are dense enough that any wanted S is found greedily. Integers are
Python's: S has up to 69 bits.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from functools import cached_property, lru_cache
from math import frexp
from typing import NamedTuple

import numpy as np

from refmodel.elements import decode_table
from refmodel.errors import ShapeError
from refmodel.formats import BlockFormat, ElementFormat, IntegerFormat, NumberFormat, ScaleFormat
from refmodel.vectors.draws import Draws


class BlockPair(NamedTuple):
    """One block of A and one of B: element codes in lane order and scale codes."""

    a_codes: list[int]
    b_codes: list[int]
    a_scale: int
    b_scale: int


class Placed(NamedTuple):
    """A number S * 2**exponent expressed as a block sum S under a sum of two scales.

    The scales that are powers of two are numbered upwards from 0: of E8M0 the number is the code.
    """

    total: int
    scale_sum: int


def one_code(element: NumberFormat) -> int:
    """Return the code of 1.0."""
    if isinstance(element, IntegerFormat):
        return 1 << element.fraction_bits
    return element.bias << element.mantissa_bits


def negate_code(element: ElementFormat, code: int) -> int:
    """Return the code of the negated value; the most negative integer has none and stays."""
    if isinstance(element, IntegerFormat):
        return -code & ((1 << element.bits) - 1)
    return code ^ element.sign_mask


def least_normal_code(element: ElementFormat) -> int:
    """Return the code of the smallest positive normal number; of an integer, the smallest positive one."""
    return 1 if isinstance(element, IntegerFormat) else 1 << element.mantissa_bits


def power_of_two_codes(scale: ScaleFormat) -> list[int]:
    """Return the codes of all scales that are powers of two, ascending; each doubles the one before."""
    values = decode_table(scale)[: scale.max_code + 1]
    return [code for code, value in enumerate(values.tolist()) if value > 0 and frexp(value)[0] == 0.5]


@lru_cache(maxsize=64)
def operands(a_format: BlockFormat, b_format: BlockFormat, scaled: bool = True) -> Operands:
    """Return the (cached) tables of an ordered pair of formats."""
    return Operands(a_format, b_format, scaled)


class Operands:
    """An ordered pair of block formats, and block pairs of them with wanted sums.

    Args:
        a_format, b_format: The block formats.
        scaled: False if all scales are 1.

    Attributes:
        a_format, b_format: The block formats.
        lanes: Elements in a block.
        unit_exponent: Products and sums are integers in units of 2**unit_exponent.
        unit_scale_sum: The sum of the numbers of two scales whose product is 1.
        last_scale_sum: The largest sum of the numbers of two scales.
        products: Distinct positive products in those units, ascending; the first is 1.
        significand_bits: `with_sum` builds every total of up to this many bits in which few of them,
            about 25 and one far below, are significant.

    Raises:
        ShapeError: If the block sizes differ.
    """

    def __init__(self, a_format: BlockFormat, b_format: BlockFormat, scaled: bool = True) -> None:
        if a_format.block_size != b_format.block_size:
            raise ShapeError(
                f"{a_format.name} has blocks of {a_format.block_size} elements and {b_format.name} of "
                f"{b_format.block_size}; a dot product needs equal block sizes"
            )
        self.a_format, self.b_format = a_format, b_format
        self.lanes = a_format.block_size
        self.unit_exponent = a_format.element.quantum_exponent + b_format.element.quantum_exponent
        self._scales = [
            power_of_two_codes(fmt.scale) if scaled else [one_code(fmt.scale)] for fmt in (a_format, b_format)
        ]
        self.unit_scale_sum = sum(
            codes.index(one_code(fmt.scale)) for codes, fmt in zip(self._scales, (a_format, b_format), strict=True)
        )
        self.last_scale_sum = sum(len(codes) - 1 for codes in self._scales)
        factors: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for a_magnitude, a_code in positive_magnitudes(a_format.element):
            for b_magnitude, b_code in positive_magnitudes(b_format.element):
                factors[a_magnitude * b_magnitude].append((a_code, b_code))
        self._factors = dict(factors)
        self.products = sorted(factors)
        # At most 26 of 32 lanes are spent on the largest product. That lets the narrowest pair with ties in
        # the normal range, E4M3 with E2M1, reach 26 bits, a tie and its neighbours; and for every pair of
        # OCP formats it leaves lanes enough for what the largest products miss.
        self.significand_bits = (self.lanes * 13 // 16 * self.products[-1]).bit_length() - 1

    def factors(self, product: int, draws: Draws) -> tuple[int, int]:
        """Return codes of two elements with this product, of either sign."""
        choices = self._signed_factors[product]
        return choices[draws.below(len(choices))][draws.below(2)]

    @cached_property
    def _signed_factors(self) -> dict[int, list[tuple[tuple[int, int], tuple[int, int]]]]:
        """By product, of either sign: each pair of codes, with A positive and with A negative."""
        signed: dict[int, list[tuple[tuple[int, int], tuple[int, int]]]] = {}
        for product, pairs in self._factors.items():
            quads = [
                (a, b, negate_code(self.a_format.element, a), negate_code(self.b_format.element, b)) for a, b in pairs
            ]
            signed[product] = [((a, b), (minus_a, minus_b)) for a, b, minus_a, minus_b in quads]
            signed[-product] = [((a, minus_b), (minus_a, b)) for a, b, minus_a, minus_b in quads]
        return signed

    def zero_factors(self, draws: Draws) -> tuple[int, int]:
        """Return codes of two elements, one a zero and the other any number, each of either sign."""
        formats = (self.a_format.element, self.b_format.element)
        codes = [0, 0]
        side = draws.below(2)
        codes[side] = draws.below(formats[side].max_code + 1)
        a_code, b_code = (
            negate_code(element, code) if draws.below(2) else code for code, element in zip(codes, formats, strict=True)
        )
        return a_code, b_code

    def normal_factors(self, product: int, draws: Draws) -> tuple[int, int]:
        """Return codes as `factors`, of two normal numbers if there are such."""
        a_least, b_least = (least_normal_code(fmt.element) for fmt in (self.a_format, self.b_format))
        choices = [pair for pair in self._factors[abs(product)] if pair[0] >= a_least and pair[1] >= b_least]
        if not choices:
            return self.factors(product, draws)
        a_code, b_code = choices[draws.below(len(choices))]
        return a_code, b_code if product > 0 else negate_code(self.b_format.element, b_code)

    def place(self, number: int, exponent: int, draws: Draws) -> Placed | None:
        """Express number * 2**exponent as a block sum, shifted left by a random amount, and a scale sum.

        Returns:
            A block sum of up to significand_bits bits and the sum of scales that goes with it; or None if the
            formats and finite scales cannot express the number.
        """
        # scale_sum + shift = room
        room = exponent - self.unit_exponent + self.unit_scale_sum
        first = max(0, room - self.last_scale_sum)
        last = min(self.significand_bits - abs(number).bit_length(), room)
        if last < first:
            return None
        shift = draws.between(first, last)
        return Placed(number << shift, room - shift)

    def reach(self, bits: int) -> tuple[int, int]:
        """Return the least and the greatest exponent at which `place` takes a number of so many bits.

        There is none if the first is above the second: the number is too long.
        """
        lowest = self.unit_exponent - self.unit_scale_sum
        if bits > self.significand_bits:
            return lowest, lowest - 1
        return lowest, lowest + self.last_scale_sum + self.significand_bits - bits

    def with_sum(self, placed: Placed, draws: Draws) -> BlockPair:
        """Return a block pair whose products sum to placed.total, lanes in random order.

        A third of the block pairs have their free lanes filled with products that cancel in pairs, so that the sum
        is not simply the largest product; a third with zeros times anything; the others with zeros.

        Raises:
            ValueError: If the lanes do not suffice; they do for totals as significand_bits describes.
        """
        pairs = self.pairs_for(placed.total, draws)
        filling = draws.below(3)
        while filling == 0 and len(pairs) + 2 <= self.lanes:
            product = self.products[draws.below(len(self.products))]
            pairs += [self.factors(product, draws), self.factors(-product, draws)]
        while filling == 1 and len(pairs) < self.lanes:
            pairs.append(self.zero_factors(draws))
        return self.block(pairs, placed.scale_sum, draws)

    def block(self, pairs: list[tuple[int, int]], scale_sum: int, draws: Draws) -> BlockPair:
        """Return a block pair with these pairs of codes in random lanes, +0 in the others, scales split."""
        pairs = pairs + [(0, 0)] * (self.lanes - len(pairs))
        order = draws.permutation(self.lanes).tolist()
        a_scales, b_scales = self._scales
        a_scale = draws.between(max(0, scale_sum - len(b_scales) + 1), min(len(a_scales) - 1, scale_sum))
        return BlockPair(
            [pairs[i][0] for i in order],
            [pairs[i][1] for i in order],
            a_scales[a_scale],
            b_scales[scale_sum - a_scale],
        )

    def pairs_for(self, total: int, draws: Draws, largest: int | None = None) -> list[tuple[int, int]]:
        """Return pairs of codes whose products sum to *total*, none above *largest* if that is given.

        Raises:
            ValueError: If that takes more pairs than a block has lanes.
        """
        usable = len(self.products) if largest is None else bisect_right(self.products, largest)
        pairs = []
        rest, products = total, self.products
        while rest:
            size = abs(rest)
            position = bisect_left(products, size, 0, usable)
            # The nearest product; of two that are as near the smaller.
            if position == usable or (position and 2 * size <= products[position] + products[position - 1]):
                position -= 1
            product = products[position] if rest > 0 else -products[position]
            pairs.append(self.factors(product, draws))
            rest -= product
        if len(pairs) > self.lanes:
            raise ValueError(f"the sum {total} needs {len(pairs)} products, a block has {self.lanes} lanes")
        return pairs


def positive_magnitudes(element: ElementFormat) -> list[tuple[int, int]]:
    """Return (integer on the format's grid, code) of every positive finite value, ascending."""
    values = decode_table(element)[1 : element.max_code + 1]
    magnitudes = np.ldexp(values, -element.quantum_exponent)
    return [(int(magnitude), code) for code, magnitude in enumerate(magnitudes, start=1)]
