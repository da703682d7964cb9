"""Rules of no machine."""

from __future__ import annotations

from refmodel.oracle.fixed import FP32, ZERO, Value, round_to, times
from refmodel.oracle.machines.common import add, exact_sum, numbers, plus_zero, scaled_products, scales, steps
from refmodel.oracle.rules import Vector


def exact(a: Vector, b: Vector, c: Value) -> Value:
    """1.1: everything exact, one rounding; an exact zero is +0."""
    return round_to(FP32, exact_sum([c, ZERO, *scaled_products(a, b)]), "RNE")


def by_block(a: Vector, b: Vector, c: Value, *, fused: bool) -> Value:
    """1.2: the exact sum of each block added in Float32, rounded before (two roundings) or not (one)."""
    products = scaled_products(a, b)
    for block in steps(len(products), a.block):
        s = exact_sum(products[block.start : block.stop])
        c = add(c, s if fused else round_to(FP32, plus_zero(s), "RNE"))
    return c


def fma_chain(a: Vector, b: Vector, c: Value, *, dequantize: bool = False) -> Value:
    """1.3: one Float32 fused multiply-add an element; scales exact, or applied to the elements first."""
    if dequantize:
        x, y = (
            [
                round_to(FP32, times(n.value, s.value), "RNE")
                for n, s in zip(numbers(v), scales(v), strict=True)
            ]
            for v in (a, b)
        )
        products = [times(p, q) for p, q in zip(x, y, strict=True)]
    else:
        products = scaled_products(a, b)
    for p in products:
        c = add(c, p)
    return c


def adjacent_pairs(a: Vector, b: Vector, c: Value) -> Value:
    """1.4: Float32 products, added in a tree of adjacent pairs."""
    level = [round_to(FP32, p, "RNE") for p in scaled_products(a, b)]
    while len(level) > 1:
        pairs = [add(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + (level[-1:] if len(level) % 2 else [])
    return add(c, level[0]) if level else add(c, ZERO)
