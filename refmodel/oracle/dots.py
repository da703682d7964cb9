"""Dot products of blocks (MX-6.1, MX-6.2) under the two accumulation rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from refmodel.errors import ShapeError, unknown_name
from refmodel.oracle.blocks import Block, need_block_size
from refmodel.oracle.codes import decode
from refmodel.oracle.exact import NAN, Number, product, total
from refmodel.oracle.float32 import add_float32, from_float32, to_float32

BlockPairs: TypeAlias = Sequence[tuple[Block, Block]]


def block_dot(a: Block, b: Block) -> Number:
    """Return X(A) * X(B) * sum of P_i(A) * P_i(B), exact (MX-6.1-a).

    Element and scale types may differ (MX-6.1-b). A NaN scale makes the result NaN, whatever the elements
    (MX-5.1-h); the scales apply to finite sums only (MX-5.1-i). 0 * Inf and Inf - Inf are NaN (A-29); a zero
    sum is +0 (A-30).

    Raises:
        ShapeError: If the blocks have different sizes.
    """
    need_same_size(a, b)
    scale_a, scale_b = decode(a.format.scale, a.scale), decode(b.format.scale, b.scale)
    if "nan" in (scale_a.kind, scale_b.kind):
        return NAN
    element_sum = total(
        product(decode(a.format.element, code_a), decode(b.format.element, code_b))
        for code_a, code_b in zip(a.codes, b.codes, strict=True)
    )
    return product(product(scale_a, scale_b), element_sum) if element_sum.kind == "finite" else element_sum


def need_same_size(a: Block, b: Block) -> None:
    """Refuse blocks of different sizes, or with a wrong number of elements."""
    need_block_size(a)
    need_block_size(b)
    if len(a.codes) != len(b.codes):
        raise ShapeError(
            f"a block of {len(a.codes)} elements against one of {len(b.codes)}; the sizes must be equal"
        )


def _exact_fp32(pairs: BlockPairs, c: int) -> int:
    """The sum over all blocks and *c* exact, one rounding at the end (A-27 exact, A-31 exact_all)."""
    return to_float32(total([from_float32(c), *(block_dot(a, b) for a, b in pairs)]))


def _block32_fp32_add(pairs: BlockPairs, c: int) -> int:
    """Each block exact and rounded once, then added to the Float32 running value in block order (A-31)."""
    running = to_float32(from_float32(c))  # a NaN becomes the NaN of results
    for a, b in pairs:
        running = add_float32(running, to_float32(block_dot(a, b)))
    return running


RULES: dict[str, Callable[[BlockPairs, int], int]] = {
    "exact_fp32": _exact_fp32,
    "block32_fp32_add": _block32_fp32_add,
}


def dot(pairs: BlockPairs, rule: str, c: int | None = None) -> int:
    """Return the Float32 bits of the general dot product (MX-6.2-a, MX-6.2-c) of *pairs* under *rule*.

    *c* are the Float32 bits that the running value starts at, +0 without. There may be no pairs.

    Raises:
        UnknownNameError: If there is no such rule.
        ShapeError: As `block_dot`.
        CodeRangeError: If a code, or *c*, does not fit its width.
    """
    if rule not in RULES:
        raise unknown_name("rule", rule, RULES)
    return RULES[rule](pairs, 0 if c is None else c)
