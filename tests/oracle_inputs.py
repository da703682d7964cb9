"""Inputs for the tests that hold the model to the oracle and to other packages: breakpoints, random blocks.

Every random array is a function of its seed alone: a failure is made again from the seed it prints.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import pairwise, product

import numpy as np

from refmodel import oracle
from refmodel.formats import BlockFormat, ElementFormat, FloatFormat, NumberFormat
from refmodel.oracle.exact import floor_log2, power_of_two

FLOAT_DTYPES = (np.float16, np.float32, np.float64)


@cache
def breakpoints(fmt: ElementFormat) -> tuple[Fraction, ...]:
    """Return the magnitudes at which rounding to *fmt* can change: every value, every tie, the range's end.

    Above the largest value M come the midpoint to the next value the grid would have, that value, and 2 * M.
    """
    values = [oracle.decode(fmt, code).magnitude for code in range(fmt.max_code + 1)]
    values += [2 * values[-1] - values[-2], 2 * values[-1]]
    ties = [(low + high) / 2 for low, high in pairwise(values)]
    return tuple(sorted({*values, *ties}))


def encode_inputs(fmt: ElementFormat, dtype: type[np.floating]) -> np.ndarray:
    """Return values of *dtype* at and beside every breakpoint of *fmt*, and at every exponent of *dtype*.

    Beside means the two neighbours among the values of *dtype*; every input comes with both signs. The last
    four are NaN of both signs, without and with a payload.
    """
    info = np.finfo(dtype)
    lowest, largest = int(np.log2(info.smallest_subnormal)), float(info.max)
    powers = [2.0**exponent for exponent in range(lowest, info.maxexp)]
    points = [*map(float, breakpoints(fmt)), *powers, 3 * powers[0], largest]
    centres = np.array([point for point in points if point <= largest], dtype)
    with np.errstate(over="ignore"):
        beside = [np.nextafter(centres, dtype(0)), np.nextafter(centres, dtype(np.inf))]
    magnitudes = np.unique(np.concatenate([centres, *beside, np.array([0, np.inf], dtype)]))
    nans = np.array([np.nan, -np.nan], dtype)
    payloads = (nans.view(f"u{dtype().itemsize}") | 1).view(dtype)
    return np.concatenate([magnitudes, -magnitudes, nans, payloads])


# --------------------------------------------------------------------------------------------------
# Random blocks of floats, for conversion
# --------------------------------------------------------------------------------------------------


def random_float_blocks(fmt: BlockFormat, dtype: type[np.floating], count: int, seed: object) -> np.ndarray:
    """Return [count, block_size] floats of *dtype*: a mixture of what has found bugs, shuffled by row."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, len(_FLOAT_KINDS), count)
    blocks = np.empty((count, fmt.block_size), dtype)
    for kind, make in enumerate(_FLOAT_KINDS):
        rows = kinds == kind
        with np.errstate(over="ignore", under="ignore"):
            blocks[rows] = make(rng, fmt, dtype, (int(rows.sum()), fmt.block_size))
    hit = np.flatnonzero(rng.random(count) < 0.03)
    blocks[hit, rng.integers(0, fmt.block_size, hit.size)] = rng.choice(
        [np.nan, -np.nan, np.inf, -np.inf], hit.size
    )
    return blocks


def _bases(rng, fmt, dtype, rows):
    """One exponent a row: mostly where scales are in range, else anywhere, or at the ends of the scales."""
    info = np.finfo(dtype)
    lowest, highest = int(np.log2(info.smallest_subnormal)), info.maxexp - 1
    usual = rng.integers(max(lowest, -130), min(highest, 128) + 1, rows)
    anywhere = rng.integers(lowest, highest + 1, rows)
    floor = fmt.scale.emin + fmt.element.emax + rng.integers(-4, 5, rows)
    ceiling = fmt.scale.emax + fmt.element.emax + rng.integers(-4, 5, rows)
    which = rng.choice(4, rows, p=[0.6, 0.2, 0.1, 0.1])
    return np.clip(np.choose(which, [usual, anywhere, floor, ceiling]), lowest, highest)[:, None]


def _signs(rng, shape):
    return rng.choice([-1.0, 1.0], shape)


def _any_bits(rng, fmt, dtype, shape):
    """Uniform bit patterns, NaN and Inf thinned out so that most blocks are finite."""
    bits = rng.integers(0, 1 << 8 * dtype().itemsize, shape, dtype=np.uint64, endpoint=False)
    values = bits.astype(f"u{dtype().itemsize}").view(dtype)
    return np.where(np.isfinite(values) | (rng.random(shape) < 0.01), values, dtype(1))


def _near_exponents(rng, fmt, dtype, shape):
    """Random significands, exponents within a spread that differs by row."""
    spread = rng.choice([0, 1, 3, 8, 24], shape[0])[:, None]
    exponents = _bases(rng, fmt, dtype, shape[0]) - (rng.random(shape) * (spread + 1)).astype(int)
    return _signs(rng, shape) * np.ldexp(1 + rng.random(shape), exponents)


def _maximum_at_a_power_of_two(rng, fmt, dtype, shape):
    """The largest magnitude of the block a few steps of *dtype* from a power of two."""
    base = _bases(rng, fmt, dtype, shape[0])
    blocks = (np.ldexp(rng.random(shape), base - 1) * _signs(rng, shape)).astype(dtype)
    largest = np.ldexp(1.0, base[:, 0]).astype(dtype)
    steps = rng.integers(-64, 65, shape[0]) >> rng.integers(0, 7, shape[0])
    bits = largest.view(f"i{dtype().itemsize}") + steps.astype(f"i{dtype().itemsize}")
    rows = np.arange(shape[0])
    blocks[rows, rng.integers(0, shape[1], shape[0])] = np.where(bits >= 0, bits, 0).view(dtype) * _signs(
        rng, shape[0]
    )
    return blocks


def _at_breakpoints(rng, fmt, dtype, shape):
    """Values and ties of the element times one power of two, at most one step of *dtype* away."""
    points = np.array([float(point) for point in breakpoints(fmt.element)])
    chosen = rng.choice(points, shape)
    values = np.ldexp(chosen, _bases(rng, fmt, dtype, shape[0]) - fmt.element.emax).astype(dtype)
    target = rng.choice([0.0, np.inf], shape).astype(dtype)
    values = np.where(rng.random(shape) < 0.5, values, np.nextafter(values, target))
    return np.where(np.isfinite(values), values, np.finfo(dtype).max) * _signs(rng, shape)


def _mostly_zeros(rng, fmt, dtype, shape):
    """Zeros of both signs, all of them or with a few numbers among them."""
    density = rng.choice([0.0, 0.03, 0.3], shape[0])[:, None]
    numbers = np.ldexp(rng.random(shape), _bases(rng, fmt, dtype, shape[0]))
    return np.where(rng.random(shape) < density, numbers, 0.0) * _signs(rng, shape)


def _subnormals(rng, fmt, dtype, shape):
    """Subnormal numbers of *dtype*, large and small."""
    info = np.finfo(dtype)
    bits = rng.integers(0, 1 << info.nmant, shape) >> rng.integers(0, info.nmant, shape[0])[:, None]
    return bits.astype(f"u{dtype().itemsize}").view(dtype) * _signs(rng, shape).astype(dtype)


_FLOAT_KINDS = (
    _any_bits,
    _near_exponents,
    _near_exponents,
    _maximum_at_a_power_of_two,
    _at_breakpoints,
    _at_breakpoints,
    _mostly_zeros,
    _subnormals,
)


# --------------------------------------------------------------------------------------------------
# Random blocks of codes, for dot products
# --------------------------------------------------------------------------------------------------


@cache
def _codes_by_class(fmt: NumberFormat) -> dict[str, np.ndarray]:
    """The codes of a format by class, in order of magnitude where they are finite."""
    numbers = {code: oracle.decode(fmt, code) for code in range(1 << fmt.bits)}
    finite = sorted((c for c, n in numbers.items() if n.kind == "finite"), key=lambda c: numbers[c].magnitude)
    zeros = [c for c in finite if numbers[c].is_zero]
    return {
        "all": np.arange(1 << fmt.bits, dtype=np.uint8),
        "finite": np.array(finite, np.uint8),
        "zeros": np.array(zeros, np.uint8),
        "small": np.array(finite[: max(len(finite) // 4, 1)], np.uint8),
        "large": np.array(finite[-max(len(finite) // 8, 1) :], np.uint8),
    }


@cache
def _negation(fmt: ElementFormat) -> np.ndarray:
    """The code of -x for each code of x; the most negative integer, which has none, stays."""
    codes = np.arange(1 << fmt.bits)
    if isinstance(fmt, FloatFormat):
        return (codes ^ fmt.sign_mask).astype(np.uint8)
    return np.where(codes == fmt.min_code, codes, -codes & ((1 << fmt.bits) - 1)).astype(np.uint8)


def random_code_rows(
    a_format: BlockFormat, b_format: BlockFormat, rows: int, n_blocks: int, seed: object
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return codes of A and B [rows, n_blocks, block_size] and their scales [rows, n_blocks].

    Codes of mixed classes, products of one sign, cancellation inside a block and between blocks, ties of
    Float32 with a far smaller product beside them, a few specials; scales near one, anywhere, at their
    ends, and such that results meet the ends of Float32.
    """
    rng = np.random.default_rng(seed)
    shape = (rows, n_blocks, a_format.block_size)
    a, b = _random_codes(rng, a_format.element, shape), _random_codes(rng, b_format.element, shape)
    _align_signs(rng, a_format.element, b_format.element, a, b)
    _cancel_inside_blocks(rng, a_format.element, a, b)
    _ties_with_a_sticky_product(rng, a_format.element, b_format.element, a, b)
    a_scales, b_scales = _random_scales(rng, a_format, b_format, (rows, n_blocks))
    if n_blocks > 1:
        _cancel_between_blocks(rng, a_format.element, (a, b, a_scales, b_scales))
    return a, b, a_scales, b_scales


def _random_codes(rng, fmt, shape):
    classes = _codes_by_class(fmt)
    names = ["finite", "finite", "small", "large", "zeros"]
    drawn = np.stack([rng.choice(classes[name], shape) for name in names])
    first, second = (rng.integers(0, len(names), shape[:2])[..., None] for _ in range(2))
    share = rng.choice([0.0, 0.05, 0.5], shape[:2])[..., None]  # of codes from the second class
    which = np.where(rng.random(shape) < share, second, first)
    codes = np.take_along_axis(drawn, which[None], axis=0)[0]
    with_specials = (rng.random(shape[:2]) < 0.04)[..., None] & (rng.random(shape) < 0.08)
    return np.where(with_specials, rng.choice(classes["all"], shape), codes)


def _cancel_inside_blocks(rng, fmt, a, b):
    """In a third of the blocks the second half undoes the first, but for one element in most of them."""
    half = a.shape[-1] // 2
    rows = rng.random(a.shape[:2]) < 0.33
    kept = rng.permutation(half)
    a[rows, half : 2 * half] = _negation(fmt)[a[rows, :half]][:, kept]
    b[rows, half : 2 * half] = b[rows, :half][:, kept]
    perturbed = rows & (rng.random(a.shape[:2]) < 0.7)
    position = rng.integers(0, a.shape[-1])
    a[perturbed, position] = rng.choice(_codes_by_class(fmt)["finite"], int(perturbed.sum()))


@cache
def _signs_of(fmt: ElementFormat) -> np.ndarray:
    """-1 for each code of a negative number, else 1."""
    return np.array([-1 if oracle.decode(fmt, code).negative else 1 for code in range(1 << fmt.bits)])


def _align_signs(rng, a_fmt, b_fmt, a, b):
    """In a quarter of the blocks no product is negative, so that sums reach their full width."""
    chosen = (rng.random(a.shape[:2]) < 0.25)[..., None]
    flip = chosen & (_signs_of(a_fmt)[a] * _signs_of(b_fmt)[b] < 0)
    a[flip] = _negation(a_fmt)[a[flip]]


@cache
def _tie_products(a_fmt: ElementFormat, b_fmt: ElementFormat, block_size: int) -> np.ndarray:
    """Rows [n, 5] of r and codes A, B, A', B': A' * B' is half the last place, in Float32, of r times A * B.

    A and B are among the largest codes. Empty where the ranges of the formats are too narrow.
    """
    values_a, values_b = (
        {code: n.value for code in range(1, f.max_code + 1) if (n := oracle.decode(f, code)).magnitude}
        for f in (a_fmt, b_fmt)
    )
    products: dict[Fraction, list[tuple[int, int]]] = {}
    for (code_a, x), (code_b, y) in product(values_a.items(), values_b.items()):
        products.setdefault(x * y, []).append((code_a, code_b))
    ties = [
        (repeats, code_a, code_b, *tie)
        for (code_a, x), (code_b, y) in product(list(values_a.items())[-24:], list(values_b.items())[-12:])
        for repeats in (1, 1, block_size // 2 - 1, block_size - 3, block_size - 2)
        for tie in products.get(power_of_two(floor_log2(repeats * x * y) - 24), [])[:4]
    ]
    return np.array(ties, np.int64).reshape(-1, 5)


def _ties_with_a_sticky_product(rng, a_fmt, b_fmt, a, b):
    """In an eighth of the blocks: equal products, half their sum's last place, a product of tiny codes."""
    size = a.shape[-1]
    ties = _tie_products(a_fmt, b_fmt, size)
    i, j = np.nonzero(rng.random(a.shape[:2]) < 0.125)
    if not len(ties) or not len(i):
        return
    repeats, large_a, large_b, tie_a, tie_b = rng.choice(ties, len(i)).T[..., None]
    small_a, small_b = rng.integers(0, 3, (2, len(i), 1))  # a zero now and then: then it is a tie
    rank = rng.permuted(np.tile(np.arange(size), (len(i), 1)), axis=1)
    kinds = [rank < repeats, rank == size - 2, rank == size - 1]
    signs = [rng.random((len(i), 1)) < 0.5 for _ in kinds]
    codes = np.select(kinds, [large_a, tie_a, small_a], 0)
    a[i, j] = np.where(np.select(kinds, signs, False), _negation(a_fmt)[codes], codes)
    b[i, j] = np.select(kinds, [large_b, tie_b, small_b], 0)


def _random_scales(rng, a_format, b_format, shape):
    top = (1 << a_format.scale.bits) - 1
    anywhere = [rng.integers(0, top, shape) for _ in range(2)]
    middle = [rng.integers(top // 2 - 6, top // 2 + 7, shape) for _ in range(2)]
    ends = [rng.choice([0, 1, top // 2, top - 2, top - 1], shape) for _ in range(2)]
    # Scale sums that bring products of the smallest or largest magnitudes to the ends of Float32.
    units = a_format.element.quantum_exponent + b_format.element.quantum_exponent
    largest = a_format.element.emax + b_format.element.emax
    sums = np.where(rng.random(shape) < 0.7, -149 - units, 128 - largest) + 254 + rng.integers(-40, 12, shape)
    first = np.clip(rng.integers(0, top, shape), sums - (top - 1), sums)
    at_range = [np.clip(first, 0, top - 1), np.clip(sums - first, 0, top - 1)]
    which = np.broadcast_to(rng.choice(4, (shape[0], 1), p=[0.35, 0.2, 0.1, 0.35]), shape)
    scales = [np.choose(which, options) for options in zip(middle, anywhere, ends, at_range, strict=True)]
    return [np.where(rng.random(shape) < 0.004, top, s).astype(np.uint8) for s in scales]


def _cancel_between_blocks(rng, fmt, arrays):
    """In a third of the rows the second block undoes the first, but for one element in half of them."""
    a, b, a_scales, b_scales = arrays
    rows = np.flatnonzero(rng.random(a.shape[0]) < 0.33)
    a[rows, 1] = _negation(fmt)[a[rows, 0]]
    for array in (b, a_scales, b_scales):
        array[rows, 1] = array[rows, 0]
    perturbed = rows[rng.random(rows.size) < 0.5]
    a[perturbed, 1, rng.integers(0, a.shape[-1])] = rng.choice(_codes_by_class(fmt)["finite"], perturbed.size)


def random_start_values(results: np.ndarray, seed: object) -> np.ndarray:
    """Return Float32 initial values for dot products whose results without one are *results* (Float32).

    Any bits; signed zeros, Inf, NaN with payloads; minus the result and its neighbours; values 2^-60 to 2^60
    times as large.
    """
    rng = np.random.default_rng(seed)
    n = results.size
    any_bits = rng.integers(0, 1 << 32, n, dtype=np.uint64).astype(np.uint32)
    special = rng.choice(np.array([0, 1 << 31, 0x7F800000, 0xFF800000, 0x7F800001, 0xFFC12345], np.uint32), n)
    opposite = (-results).view(np.int32) + rng.integers(-2, 3, n).astype(np.int32)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        scaled = np.ldexp(results * (1 + rng.random(n, np.float32)), rng.integers(-60, 61, n)).astype(
            np.float32
        )
    scaled *= rng.choice(np.array([-1, 1], np.float32), n)
    which = rng.choice(4, n, p=[0.1, 0.1, 0.3, 0.5])
    return np.choose(which, [any_bits, special, opposite.view(np.uint32), scaled.view(np.uint32)]).view(
        np.float32
    )
