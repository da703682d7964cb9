"""Arm: FP8 and BF16 dot products."""

from __future__ import annotations

from refmodel.oracle.fixed import FP32, ZERO, Binary, Value, round_to, times
from refmodel.oracle.machines.common import add, exact_sum, flushed, numbers, steps
from refmodel.oracle.rules import Vector


def arm_fp8(
    a: Vector, b: Vector, c: Value, *, e: int, to: Binary = FP32, lscale: int = 0, osm: bool = False
) -> Value:
    """2.8: c = RNE(c + 2**-LSCALE * sum of E products), one rounding."""
    x, y = numbers(a), numbers(b)
    for group in steps(len(x), e):
        products = [times(x[i].value, y[i].value) for i in group]
        products += [ZERO] * (e - len(group))
        shifted = [p._replace(units=p.units >> lscale) for p in products]
        c = round_to(to, exact_sum([c, *shifted]), "RNE", "saturate" if osm else "inf")
    return c


def arm_bf16_standard(a: Vector, b: Vector, c: Value) -> Value:
    """3.4 BFDotAdd without EBF16: both products and both sums to odd, flushed; c + (p0 + p1)."""

    def odd(value: Value) -> Value:
        return flushed(round_to(FP32, value, "RTO"), -126, keep_sign=True)

    x, y = ([flushed(n.value, -126, keep_sign=True) for n in numbers(v)] for v in (a, b))
    for i in range(0, len(x), 2):
        c = flushed(c, -126, keep_sign=True)
        pair = odd(exact_sum([odd(times(x[j], y[j])) for j in (i, i + 1)]))
        c = odd(exact_sum([c, pair]))
    return c


def arm_bf16_extended(a: Vector, b: Vector, c: Value) -> Value:
    """3.4 EBF=1: a dot of two with one rounding, then a Float32 addition."""
    x, y = numbers(a), numbers(b)
    for i in range(0, len(x), 2):
        pair = exact_sum([times(x[j].value, y[j].value) for j in (i, i + 1)])
        c = add(c, round_to(FP32, pair, "RNE"))
    return c


def arm_fp16_fmmla(a: Vector, b: Vector, c: Value) -> Value:
    """3.4 FP16 to FP32 FMMLA: c + (dot2 + dot2)."""
    x, y = numbers(a), numbers(b)
    for i in range(0, len(x), 4):
        products = [times(x[j].value, y[j].value) for j in range(i, i + 4)]
        halves = [round_to(FP32, exact_sum(products[j : j + 2]), "RNE") for j in (0, 2)]
        c = add(c, add(halves[0], halves[1]))
    return c
