"""Stimulus for conversion to blocks: numbers whose scales and elements are at the edges of what decides them.

Everything is done for all blocks of a class at once, on the bits of the input format: consecutive bits are
consecutive magnitudes, so a number one unit in the last place away is one bit pattern away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.elements import decode_table
from refmodel.formats import BlockFormat
from refmodel.vectors.codes import marked_lanes
from refmodel.vectors.construct import one_code
from refmodel.vectors.draws import Draws
from refmodel.vectors.pairs import TensorPair
from refmodel.vectors.sampled import wide_spread

InputFormat: TypeAlias = Literal["fp32", "bf16"]
"""Format of the numbers that are converted."""

Bits: TypeAlias = NDArray[np.uint32]

MAX_ULPS = 64
"""Largest distance of a block's maximum from a boundary, in units of the last place."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """Bits of an input format; held in uint32 whatever the width.

    Attributes:
        width: Bits of a number.
        fraction_bits: Bits of the trailing significand; the exponent field is Float32's.
    """

    width: int
    fraction_bits: int

    @property
    def sign(self) -> int:
        """The sign bit."""
        return 1 << (self.width - 1)

    @property
    def infinity(self) -> int:
        """The bits of +Inf; those below are finite, those above NaN."""
        return 0xFF << self.fraction_bits

    def nearest(self, values: NDArray[np.float64]) -> Bits:
        """Return the bits of the numbers nearest to *values*, at most the largest finite ones."""
        with np.errstate(over="ignore", under="ignore"):
            bits = values.astype(np.float32).view(np.uint32)
        cut = np.uint32(23 - self.fraction_bits)
        if cut:
            half = (np.uint32(1) << (cut - np.uint32(1))) - np.uint32(1) + (bits >> cut & np.uint32(1))
            bits = (bits + half) >> cut
        return self.moved(bits, 0)

    def moved(self, bits: Bits, ulps: NDArray[np.int64] | int) -> Bits:
        """Return magnitudes so many units in the last place larger, from 0 to the largest finite one."""
        sign = bits & np.uint32(self.sign)
        magnitude = (bits ^ sign).astype(np.int64) + ulps
        moved: Bits = sign | np.clip(magnitude, 0, self.infinity - 1).astype(np.uint32)
        return moved

    def values(self, bits: Bits) -> NDArray[np.float32]:
        """Return the numbers of *bits* as float32, exactly."""
        return (bits << np.uint32(23 - self.fraction_bits)).view(np.float32)

    @property
    def specials(self) -> tuple[int, ...]:
        """Infinities and NaN: quiet and signalling, of several payloads, of both signs."""
        quiet = 1 << (self.fraction_bits - 1)
        payloads = (0, quiet, 1, (quiet << 1) - 1, quiet | 5, quiet - 2)
        return tuple(sign | self.infinity | payload for payload in payloads for sign in (0, self.sign))


NUMBER_FORMATS: dict[str, NumberFormat] = {"fp32": NumberFormat(32, 23), "bf16": NumberFormat(16, 7)}


@dataclass(frozen=True)
class NumberRequest:
    """What a class of numbers is asked for.

    Attributes:
        draws: Its stream of random draws.
        format: Format of the blocks that the numbers become.
        numbers: Format of the numbers.
        count: Blocks wanted; a class may return fewer where it has no more to say.
        tensors: The user's matrices.
    """

    draws: Draws
    format: BlockFormat
    numbers: NumberFormat
    count: int
    tensors: Sequence[TensorPair] = ()

    @property
    def lanes(self) -> int:
        """Elements of a block."""
        return self.format.block_size

    @property
    def element_values(self) -> NDArray[np.float64]:
        """Values of the non-negative finite codes, ascending, float64."""
        return decode_table(self.format.element)[: self.format.element.max_code + 1].astype(np.float64)

    @property
    def breakpoints(self) -> NDArray[np.float64]:
        """Element values, the ties between them, and the tie and the value that would follow the largest."""
        values = self.element_values
        beyond = 2 * values[-1] - values[-2]
        return np.unique(np.concatenate([values, (values[1:] + values[:-1]) / 2, [(values[-1] + beyond) / 2, beyond]]))

    def scale_values(self, codes: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the values of scale codes."""
        values: NDArray[np.float64] = decode_table(self.format.scale)[np.asarray(codes)].astype(np.float64)
        return values

    @property
    def last_scale(self) -> int:
        """The largest scale code under which the largest element is no overflow of the input."""
        room = 127 - self.format.element.emax
        return self.format.scale.max_code - max(0, self.format.scale.emax - room)

    def signs(self, shape: tuple[int, ...]) -> Bits:
        """Return random sign bits."""
        return self.draws.integers(0, 2, shape).astype(np.uint32) * np.uint32(self.numbers.sign)

    def any_bits(self, shape: tuple[int, ...]) -> Bits:
        """Return random bits of the width of a number."""
        high, low = (self.draws.integers(0, 1 << 16, shape).astype(np.uint32) for _ in range(2))
        return low if self.numbers.width == 16 else high << np.uint32(16) | low

    def choose(self, blocks: Bits, always: int) -> Bits:
        """Return the first *always* blocks, and of the others as many, evenly, as count leaves room for."""
        room = max(0, self.count - always)
        others = blocks[always:]
        if len(others) <= room:
            return blocks
        return np.concatenate([blocks[:always], others[np.arange(room) * len(others) // max(1, room)]])


def _blocks_of(request: NumberRequest, probes: Bits, anchors: Bits) -> Bits:
    """Return blocks [n * m, lanes] of *probes* [n, any], each with its row's anchor [n] in a lane that rotates."""
    rows, size = probes.shape
    each = request.lanes - 1
    m = -(-size // each)
    filled = np.resize(np.arange(size), m * each)
    blocks = np.empty((rows, m, request.lanes), np.uint32)
    blocks[..., 1:] = probes[:, filled].reshape(rows, m, each)
    blocks[..., 0] = anchors[:, None]
    blocks = blocks.reshape(rows * m, request.lanes)
    lane = np.arange(rows * m)[:, None]
    return np.take_along_axis(blocks, (np.arange(request.lanes) - lane) % request.lanes, axis=1)


def breakpoints(request: NumberRequest) -> Bits:
    """Every element value and every tie between two, exact and one unit in the last place to either side, of
    both signs, beside a maximum that fixes the scale; at 1.0 and at scales to both ends of the range."""
    numbers, scale = request.numbers, request.format.scale
    one, last = one_code(scale), request.last_scale
    picked = [0, 1, 2, 3, 7, 8, 9, last // 4, one - 1, one + 1, (one + last) // 2, last - 2, last - 1, last]
    codes = [one, *(code for code in dict.fromkeys(picked) if code != one and request.scale_values([code])[0] > 0)]
    scales = request.scale_values(codes)[:, None]
    exact = numbers.nearest(scales * request.breakpoints)
    probes = np.concatenate([numbers.moved(exact, ulps) for ulps in (0, -1, 1)], axis=1)
    probes = np.concatenate([probes, probes ^ np.uint32(numbers.sign)], axis=1)
    blocks = _blocks_of(request, probes, numbers.nearest(scales[:, 0] * request.element_values[-1]))
    return request.choose(blocks, len(blocks) // len(codes))


def _under(request: NumberRequest, amax: Bits) -> Bits:
    """Return blocks [n, lanes] with *amax* [n] as the largest magnitude, the others any fraction of it."""
    n, lanes, draws = len(amax), request.lanes, request.draws
    part = np.ldexp(draws.integers(0, 1 << 24, (n, lanes)).astype(np.float64), -24)
    part = np.ldexp(part, -draws.integers(0, 6, (n, lanes)) * draws.integers(0, 2, (n, lanes)))
    magnitude = np.abs(request.numbers.values(amax).astype(np.float64))[:, None]
    blocks = np.minimum(request.numbers.nearest(part * magnitude), amax[:, None])
    kind = draws.integers(0, 8, (n, lanes))
    blocks = np.where(kind == 0, amax[:, None], blocks)
    blocks[kind == 1] = 0
    blocks[np.arange(n), draws.integers(0, lanes, n)] = amax
    return blocks | request.signs((n, lanes))


def maximum(request: NumberRequest) -> Bits:
    """The block's maximum at and up to 64 units in the last place beside every kind of boundary at which a
    rule changes the scale: powers of two, multiples of the largest element and of what follows it."""
    element, scale, draws = request.format.element, request.format.scale, request.draws
    largest, second = request.element_values[-1], request.element_values[-2]
    if scale.is_power_of_two:
        bounds = np.array([2.0**element.emax, largest, (3 * largest - second) / 2, 2 * largest - second])
        low, high = -127 - element.emax, 127 - element.emax - 1
        exponents = [0, -1, 1, low + 2, low + 9, -60, 60, high - 1, high]
        exponents += draws.integers(low, high, 6).tolist()
        boundaries = np.ldexp(bounds, np.array(exponents)[:, None]).ravel()
        core = len(bounds) * 3
    else:
        values = request.scale_values(np.arange(scale.max_code + 1))
        ties = (values[1:] + values[:-1]) / 2
        boundaries = largest * np.concatenate([ties, values[1:], [values[-1] * 1.03125, values[-1] * 1.0625]])
        core = len(boundaries)
    near = [0, -1, 1] if core == len(boundaries) else [0, -1, 1, -2, 2, -MAX_ULPS, MAX_ULPS]
    far = [ulps for ulps in range(-MAX_ULPS, MAX_ULPS + 1) if ulps not in near]
    exact = request.numbers.nearest(boundaries)
    first, second, rest = exact[:4], exact[4:core], exact[core:]
    # Near all boundaries of the core, then further from the first few, then the others.
    amax = [request.numbers.moved(exact[:core], ulps) for ulps in near]
    always = core * len(near)
    amax += [request.numbers.moved(first, ulps) for ulps in far]
    walked = always + len(first) * len(far)
    amax += [request.numbers.moved(rest, ulps) for ulps in near]
    amax += [request.numbers.moved(part, ulps) for part in (second, rest) for ulps in far]
    blocks = _under(request, np.concatenate(amax))
    return request.choose(blocks, walked if request.count >= walked else always)


def scale_ends(request: NumberRequest) -> Bits:
    """Maxima below and around the smallest scale and at the largest: scales that are clamped, elements that
    are subnormal or zero under the smallest scale."""
    scale, element, draws = request.format.scale, request.format.element, request.draws
    smallest = scale.emin + element.emax - (0 if scale.is_power_of_two else scale.mantissa_bits)
    exponents = sorted({*range(max(-149, smallest - 8), smallest + 8), *range(-149, -140), *range(120, 128)})
    if not scale.is_power_of_two:
        exponents += [*range(scale.emax + element.emax - 1, scale.emax + element.emax + 4), 64, -100]
    n = max(request.count, 2 * len(exponents))
    exponent = np.resize(np.array(exponents), n)
    significand = 1 + np.ldexp(draws.integers(0, 1 << 23, n).astype(np.float64), -23)
    significand[: len(exponents)] = 1
    amax = request.numbers.nearest(np.ldexp(significand, exponent))
    return request.choose(_under(request, np.maximum(amax, 1)), len(exponents))


def subnormals(request: NumberRequest) -> Bits:
    """Subnormal numbers of the input format: alone, and beside one normal number, small or ordinary."""
    n, lanes, draws = max(request.count, 16), request.lanes, request.draws
    width = request.numbers.fraction_bits
    bits = request.any_bits((n, lanes)) & np.uint32((1 << width) - 1)
    bits >>= draws.integers(0, width, (n, lanes)).astype(np.uint32)
    field = np.where(draws.integers(0, 2, n) == 1, draws.integers(1, 12, n), draws.integers(100, 150, n))
    normal = request.any_bits((n,)) & np.uint32((1 << width) - 1) | field.astype(np.uint32) << np.uint32(width)
    has_normal = np.arange(n) % 3 == 2
    bits[has_normal, draws.integers(0, lanes, n)[has_normal]] = normal[has_normal]
    return request.choose(bits | request.signs((n, lanes)), 16)


def zeros(request: NumberRequest) -> Bits:
    """Blocks of zeros of either sign and of both, one number among zeros in each marked lane, and numbers so
    far below the maximum that they become zeros of their sign."""
    numbers, lanes = request.numbers, request.lanes
    sign = np.uint32(numbers.sign)
    one = int(numbers.nearest(np.array([1.0]))[0])
    pattern = [np.zeros(lanes, np.uint32), np.full(lanes, sign), np.arange(lanes, dtype=np.uint32) % 2 * sign]
    pattern.append(sign - pattern[-1])
    blocks = list(pattern)
    for lane in marked_lanes(lanes):
        for number in (1, one, numbers.infinity - 1, (1 << numbers.fraction_bits) - 1):
            for background in pattern[:3]:
                for number_sign in (0, numbers.sign):
                    block = background.copy()
                    block[lane] = number | number_sign
                    blocks.append(block)
    n = max(16, request.count - len(blocks))
    tiny = np.ldexp(1.0, -request.draws.integers(4, 60, (n, lanes))).astype(np.float64)
    below = numbers.nearest(tiny) | request.signs((n, lanes))
    below[np.arange(n), request.draws.integers(0, lanes, n)] = one + np.arange(n) % 3
    return request.choose(np.concatenate([np.array(blocks, np.uint32), below]), len(blocks))


def specials(request: NumberRequest) -> Bits:
    """NaN, quiet and signalling and of several payloads, and Inf, of both signs: in every lane, among ordinary
    numbers, zeros, the largest, and the ends of the range; two of them in a block; in all lanes."""
    numbers, lanes = request.numbers, request.lanes
    kinds = np.array(numbers.specials, np.uint32)
    n = len(kinds) * lanes
    blocks = _ordinary(request, n + len(kinds) ** 2)
    place = np.arange(n) // len(kinds)
    surround = np.arange(n) % 4
    blocks[:n][surround == 1] = 0
    blocks[:n][surround == 2] = np.uint32(numbers.infinity - 1)
    ends = np.array([0, 1, numbers.infinity - 1], np.uint32)
    blocks[:n][surround == 3] = np.resize(np.concatenate([ends, ends | np.uint32(numbers.sign)]), lanes)
    blocks[np.arange(n), place] = np.resize(kinds, n)
    first, second = np.divmod(np.arange(len(kinds) ** 2), len(kinds))
    pairs = np.arange(n, n + first.size)
    blocks[pairs, pairs % lanes] = kinds[first]
    blocks[pairs, (pairs * 7 + 3) % lanes] = kinds[second]
    full = np.repeat(kinds[:, None], lanes, axis=1)
    lane_order = np.argsort(np.isin(place, marked_lanes(lanes)), kind="stable")[::-1]
    ordered = np.concatenate([full, blocks[:n][lane_order], blocks[n:]])
    return request.choose(ordered, len(full) + len(kinds) * len(marked_lanes(lanes)))


def _ordinary(request: NumberRequest, n: int) -> Bits:
    """Return blocks [n, lanes] of numbers within a few binary orders of 1."""
    draws, lanes = request.draws, request.lanes
    exponent = draws.integers(-6, 7, (n, lanes))
    significand = 1 + np.ldexp(draws.integers(0, 1 << 23, (n, lanes)).astype(np.float64), -23)
    return request.numbers.nearest(np.ldexp(significand, exponent)) | request.signs((n, lanes))


def ties(request: NumberRequest) -> Bits:
    """Blocks of ties between elements, and of numbers a few units in the last place from them, at any scale."""
    n, lanes, draws = max(request.count, 8), request.lanes, request.draws
    middle = (request.element_values[1:] + request.element_values[:-1]) / 2
    codes = draws.integers(0, request.last_scale + 1, n)
    scales = np.maximum(request.scale_values(codes), np.ldexp(1.0, request.format.scale.quantum_exponent))
    exact = request.numbers.nearest(middle[draws.integers(0, middle.size, (n, lanes))] * scales[:, None])
    ulps = draws.integers(-2, 3, (n, lanes)) * draws.integers(0, 2, (n, lanes))
    blocks = request.numbers.moved(exact, ulps) | request.signs((n, lanes))
    blocks[np.arange(n), draws.integers(0, lanes, n)] = request.numbers.nearest(request.element_values[-1] * scales)
    return blocks


def sticky(request: NumberRequest) -> Bits:
    """Ties that would go down, and with one bit set far below: every bit of the input, in every lane, in every
    binade of the elements; at 1.0 and, where numbers are subnormal there, at the smallest scales."""
    values, numbers = request.element_values, request.numbers
    candidates = [0, *(1 << k for k in range(1, request.format.element.bits)), len(values) - 2]
    even = np.unique([code for code in candidates if code % 2 == 0 and code + 1 < len(values)])
    middle = (values[even] + values[even + 1]) / 2
    one = one_code(request.format.scale)
    low = range(2 - int(np.floor(np.log2(middle[0])))) if request.format.scale.is_power_of_two else range(0)
    parts = []
    for code in (one, *low):
        scale = request.scale_values([code])[0]
        exact = numbers.nearest(middle * scale).tolist()
        least = 1 << numbers.fraction_bits
        ties = exact if code == one else [tie for tie in exact if tie < least]
        # A normal number has a bit above its fraction.
        below = [_trailing_zeros(tie if tie < least else tie | least) for tie in ties]
        probes = ties + [tie | 1 << k for tie, zeros in zip(ties, below, strict=True) for k in range(zeros)]
        if probes:
            parts.append(_in_every_lane(request, probes, int(numbers.nearest(values[-1:] * scale)[0])))
    return request.choose(np.concatenate(parts), 0)


def distances(request: NumberRequest) -> Bits:
    """The largest power of two, and in every lane each power of two below it, down to the least."""
    exponents = np.arange(127, -150, -1)
    powers = np.unique(request.numbers.nearest(np.ldexp(1.0, exponents)))
    return request.choose(_in_every_lane(request, powers.tolist(), int(powers[-1])), 0)


def _in_every_lane(request: NumberRequest, probes: Sequence[int], anchor: int) -> Bits:
    """Return blocks of *probes* [n, lanes] in which each is once in every lane at least, signs at random, beside
    an *anchor* whose lane rotates."""
    n, lanes = len(probes), request.lanes
    block = np.arange(n + -(-n // (lanes - 1)) + 1)[:, None]
    lane = np.arange(lanes)
    place = block - (block + lanes - 1 - lane) // lanes + lane  # blocks before this one that leave the lane to a probe
    blocks = np.array(probes, np.uint32)[place % n]
    blocks[block[:, 0], block[:, 0] % lanes] = anchor
    return blocks | request.signs(blocks.shape)


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def spread(request: NumberRequest) -> Bits:
    """Numbers of lognormal spread, narrow and wide, near 1 and anywhere in the range."""
    return request.numbers.nearest(wide_spread(max(request.count, 8), request.lanes, request.draws))


def tensor(request: NumberRequest) -> Bits:
    """Blocks of the rows of the given tensors, of both of a pair, evenly."""
    share = -(-request.count // (2 * len(request.tensors)))
    parts = []
    for matrix in (matrix for pair in request.tensors for matrix in (pair.a, pair.b)):
        rows, k = matrix.shape
        per_row = -(-k // request.lanes)
        total = rows * per_row
        chosen = np.arange(min(share, total)) * total // min(share, total)
        columns = (chosen % per_row)[:, None] * request.lanes + np.arange(request.lanes)
        values = np.where(columns < k, matrix[(chosen // per_row)[:, None], np.minimum(columns, k - 1)], 0)
        bits = request.numbers.nearest(np.where(np.isfinite(values), values, 0).astype(np.float64))
        special = np.where(
            np.isnan(values), np.uint32(request.numbers.infinity + 1), np.uint32(request.numbers.infinity)
        )
        special |= np.where(values < 0, np.uint32(request.numbers.sign), np.uint32(0))
        parts.append(np.where(np.isfinite(values), bits, special))
    return np.concatenate(parts)


def random(request: NumberRequest) -> Bits:
    """Random bits: of any exponent, and of a band of exponents."""
    n, lanes, draws = max(request.count, 8), request.lanes, request.draws
    bits, width = request.any_bits((n, lanes)), request.numbers.fraction_bits
    band = np.array([2, 5, 17])[draws.integers(0, 3, (n, 1))]
    field = np.clip(draws.integers(1, 255, (n, 1)) + draws.integers(-band, band + 1, (n, lanes)), 0, 254)
    kept = bits & np.uint32(request.numbers.sign | (1 << width) - 1)
    banded = kept | field.astype(np.uint32) << np.uint32(width)
    return np.where(draws.integers(0, 8, (n, 1)) == 0, bits, banded)


@dataclass(frozen=True, slots=True)
class NumberClass:
    """A named generator of blocks of numbers: see `refmodel.vectors.suite.StimulusClass`.

    Attributes:
        name: Name in manifests, tables and coverage.
        generate: The generator, whose docstring says what it provokes.
        percent: Share of a set.
    """

    name: str
    generate: Callable[[NumberRequest], Bits]
    percent: int

    @property
    def description(self) -> str:
        """What it provokes, in a sentence."""
        text = " ".join((self.generate.__doc__ or "").split()).removesuffix(".")
        return text[0].lower() + text[1:] if not text.startswith("NaN") else text


TENSOR = "tensor"

NUMBER_CLASSES: tuple[NumberClass, ...] = (
    NumberClass("breakpoints", breakpoints, 16),
    NumberClass("maximum", maximum, 16),
    NumberClass("scale_ends", scale_ends, 6),
    NumberClass("subnormals", subnormals, 4),
    NumberClass("zeros", zeros, 4),
    NumberClass("specials", specials, 8),
    NumberClass("ties", ties, 6),
    NumberClass("sticky", sticky, 15),
    NumberClass("distances", distances, 3),
    NumberClass("spread", spread, 5),
    NumberClass(TENSOR, tensor, 7),
    NumberClass("random", random, 10),
)


def as_numbers(bits: Bits, input_format: InputFormat) -> NDArray[Any]:
    """Return bits as the codes of a plane: uint16 for BF16."""
    return bits.astype(np.uint16) if input_format == "bf16" else bits
