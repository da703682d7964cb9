"""The laws: how the inputs of a dot product are changed, and what must become of its result.

None of them says what a result is. So none can repeat an error that the model and its expected values share,
and each holds for exact arithmetic with one rounding to nearest even (and for sequences of such steps) alone:
a sum that loses bits, depends on order, or treats a format, a sign or a scale in its own way breaks one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metamorphic.stimulus import Dots
from refmodel.blocks import Blocks
from refmodel.elements import decode_table
from refmodel.formats import OCP_FORMATS, ElementFormat, IntegerFormat, get_format
from refmodel.vectors.draws import Draws

Bits = NDArray[np.uint32]
Mask = NDArray[np.bool_]
Compute = Callable[[Dots], Bits]
"""What is under test: the bits of the Float32 results of N dot products, uint32 [N]."""

SIGN = np.uint32(0x80000000)
EXACT, FUSED, ADD = "exact_fp32", "block32_exact_fused", "block32_fp32_add"
LARGEST_SHIFT = 12


@dataclass(frozen=True, slots=True)
class Law:
    """One law.

    Attributes:
        name: Its name.
        statement: What it says.
        rules: Names of the accumulation rules that obey it.
        check: Returns, of N dot products, which were tried and which broke the law, both bool [N].
    """

    name: str
    statement: str
    rules: tuple[str, ...]
    check: Callable[[Compute, Dots, Draws], tuple[Mask, Mask]]


def _all(dots: Dots) -> Mask:
    return np.ones(len(dots.c), bool)


def _take(blocks: Blocks, codes: NDArray[np.integer], scales: NDArray[np.integer] | None = None) -> Blocks:
    return Blocks(blocks.format, codes.astype(np.uint8), blocks.scales if scales is None else scales.astype(np.uint8))


def _same_but_zero(left: Bits, right: Bits) -> Mask:
    """Equal bits; two zeros may differ in sign."""
    same: Mask = (left == right) | ((left | right) & ~SIGN == 0)
    return same


def _commute(compute: Compute, dots: Dots, draws: Draws) -> tuple[Mask, Mask]:
    return _all(dots), compute(dots) != compute(Dots(dots.b, dots.a, dots.c))


def _permute_elements(compute: Compute, dots: Dots, draws: Draws) -> tuple[Mask, Mask]:
    order = np.argsort(draws.integers(0, 1 << 30, dots.a.codes.shape), axis=-1)
    a, b = (_take(x, np.take_along_axis(x.codes, order, -1)) for x in (dots.a, dots.b))
    return _all(dots), compute(dots) != compute(Dots(a, b, dots.c))


def _permute_blocks(compute: Compute, dots: Dots, draws: Draws) -> tuple[Mask, Mask]:
    order = np.argsort(draws.integers(0, 1 << 30, dots.a.scales.shape), axis=-1)
    a, b = (
        _take(x, np.take_along_axis(x.codes, order[..., None], -2), np.take_along_axis(x.scales, order, -1))
        for x in (dots.a, dots.b)
    )
    return _all(dots), compute(dots) != compute(Dots(a, b, dots.c))


def negated(blocks: Blocks) -> tuple[Blocks, Mask]:
    """Return the blocks with every element negated, and which of the rows [N] have a negative of all."""
    element = blocks.format.element
    if isinstance(element, IntegerFormat):
        mask, least = (1 << element.bits) - 1, 1 << (element.bits - 1)
        return _take(blocks, -blocks.codes.astype(np.int64) & mask), ~(blocks.codes == least).any((-1, -2))
    return _take(blocks, blocks.codes ^ (1 << (element.bits - 1))), np.ones(len(blocks.codes), bool)


def _negate_one(compute: Compute, dots: Dots, draws: Draws) -> tuple[Mask, Mask]:
    a, tried = negated(dots.a)
    before, after = compute(dots), compute(Dots(a, dots.b, -dots.c))
    is_nan = (before & ~SIGN) > 0x7F800000
    return tried, tried & ~_same_but_zero(after, np.where(is_nan, before, before ^ SIGN))


def _negate_both(compute: Compute, dots: Dots, draws: Draws) -> tuple[Mask, Mask]:
    (a, a_tried), (b, b_tried) = negated(dots.a), negated(dots.b)
    tried = a_tried & b_tried
    # An integer has no -0: of a zero it says +0 with either sign.
    return tried, tried & ~_same_but_zero(compute(dots), compute(Dots(a, b, dots.c)))


def _trade_scales(compute: Compute, dots: Dots, draws: Draws) -> tuple[Mask, Mask]:
    step = draws.integers(-LARGEST_SHIFT, LARGEST_SHIFT + 1, dots.a.scales.shape)
    a, b = dots.a.scales.astype(np.int64), dots.b.scales.astype(np.int64)
    tried = _stay(a, step) & _stay(b, -step)
    moved = Dots(
        _take(dots.a, dots.a.codes, np.where(tried, a + step, a)),
        _take(dots.b, dots.b.codes, np.where(tried, b - step, b)),
        dots.c,
    )
    some: Mask = np.logical_or.reduce(tried, -1)
    return some, compute(dots) != compute(moved)


def _stay(scales: NDArray[np.int64], step: NDArray[np.int64]) -> Mask:
    """Where a scale is a number and is one after the step, too."""
    return (scales < 255) & (scales + step >= 0) & (scales + step < 255)


def _shift_scales(compute: Compute, dots: Dots, draws: Draws) -> tuple[Mask, Mask]:
    step = draws.integers(-LARGEST_SHIFT, LARGEST_SHIFT + 1, len(dots.c))
    scales = dots.a.scales.astype(np.int64)
    with np.errstate(all="ignore"):
        c = np.ldexp(dots.c, step).astype(np.float32)
        # The scaled c is exact unless a subnormal or out of range; so is a result with nothing of either.
        exact_c = (np.ldexp(c, -step) == dots.c) & np.isfinite(dots.c)
    tried = _stay(scales, step[:, None]).all(-1) & exact_c
    moved = _take(dots.a, dots.a.codes, np.where(tried[:, None], scales + step[:, None], scales))
    before = compute(dots).view(np.float32)
    after = compute(Dots(moved, dots.b, np.where(tried, c, dots.c))).view(np.float32)
    tried = tried & _is_normal(before) & _is_normal(after)
    with np.errstate(all="ignore"):
        return tried, tried & (np.ldexp(before, np.where(tried, step, 0)) != after)


def _is_normal(values: NDArray[np.float32]) -> Mask:
    return np.isfinite(values) & (np.abs(values) >= np.finfo(np.float32).smallest_normal)


def _pad(compute: Compute, dots: Dots, draws: Draws) -> tuple[Mask, Mask]:
    def padded(x: Blocks) -> Blocks:
        codes = np.concatenate([x.codes, np.zeros_like(x.codes[:, :1])], axis=1)
        scale = draws.integers(0, 255, (len(x.codes), 1)).astype(np.uint8)
        return Blocks(x.format, codes, np.concatenate([x.scales, scale], axis=1))

    changed = Dots(padded(dots.a), padded(dots.b), dots.c)
    return _all(dots), ~_same_but_zero(compute(dots), compute(changed))


def _split(compute: Compute, dots: Dots, draws: Draws) -> tuple[Mask, Mask]:
    """Each block becomes two with its scales: some of its elements, and the others; zeros in between."""
    mask = draws.integers(0, 2, dots.a.codes.shape).astype(bool)
    a, b = (
        Blocks(
            x.format,
            np.concatenate([np.where(mask, x.codes, 0), np.where(mask, 0, x.codes)], axis=1),
            np.concatenate([x.scales, x.scales], axis=1),
        )
        for x in (dots.a, dots.b)
    )
    return _all(dots), ~_same_but_zero(compute(dots), compute(Dots(a, b, dots.c)))


def _join(compute: Compute, dots: Dots, draws: Draws) -> tuple[Mask, Mask]:
    running = dots.c
    for i in range(dots.a.scales.shape[1]):
        a, b = (Blocks(x.format, x.codes[:, i : i + 1], x.scales[:, i : i + 1]) for x in (dots.a, dots.b))
        running = compute(Dots(a, b, running)).view(np.float32)
    return _all(dots), compute(dots) != running.view(np.uint32)


def embedding(source: ElementFormat, wide: ElementFormat) -> NDArray[np.uint8] | None:
    """Return the code in *wide* of every code of *source*, uint8; None if some value is not there."""
    index = {_key(value): code for code, value in reversed([*enumerate(decode_table(wide))])}
    found = [index.get(_key(value)) for value in decode_table(source)]
    return None if None in found else np.array(found, np.uint8)


def _key(value: float) -> tuple[float, bool] | None:
    return None if np.isnan(value) else (float(value), bool(np.signbit(value)))


def _embed(compute: Compute, dots: Dots, draws: Draws) -> tuple[Mask, Mask]:
    """The same values in each wider format that has them."""
    before, broken, tried = compute(dots), np.zeros(len(dots.c), bool), False
    for name in OCP_FORMATS:
        wide = get_format(name)
        table = embedding(dots.a.format.element, wide.element)
        if table is None or wide == dots.a.format:
            continue
        tried = True
        moved = Blocks(wide, table[dots.a.codes], dots.a.scales)
        broken |= before != compute(replace(dots, a=moved))
    return np.full(len(dots.c), tried), broken


EVERY = (EXACT, FUSED, ADD)
LAWS = (
    Law("commute", "A and B change places: the same bits", EVERY, _commute),
    Law("permute elements", "elements of a block in another order: the same bits", EVERY, _permute_elements),
    Law("permute blocks", "blocks in another order: the same bits", (EXACT,), _permute_blocks),
    Law("negate one", "A and c negated: the result negated; a zero of either sign", EVERY, _negate_one),
    Law("negate both", "A and B negated: the same bits; a zero of either sign", EVERY, _negate_both),
    Law("trade scales", "2**k taken from a scale of A and given to B's: the same bits", EVERY, _trade_scales),
    Law("shift scales", "scales of A and c times 2**k: the result times 2**k where both are normal", EVERY,
        _shift_scales),
    Law("pad", "a block of zeros appended: the same bits; a zero of either sign", EVERY, _pad),
    Law("split", "each block in two, zeros between: the same bits; a zero of either sign", (EXACT,), _split),
    Law("join", "the result of some blocks as initial value of the others: the same bits", (FUSED, ADD), _join),
    Law("embed", "elements of A in a wider format that has their values: the same bits", EVERY, _embed),
)  # fmt: skip
"""Every law."""
