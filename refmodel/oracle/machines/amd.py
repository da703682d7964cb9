"""AMD matrix cores: E-FDPA, FTZ-MUL-ADD, TR-FDPA, GTR-FDPA, RDNA4, and CDNA4 as an emulator has it."""

from __future__ import annotations

from collections.abc import Sequence

from refmodel.oracle.fixed import (
    FP32,
    UNIT,
    ZERO,
    Value,
    exponent,
    infinite,
    round_to,
    round_to_grid,
    smallest_normal,
    special_sum,
    times,
)
from refmodel.oracle.machines.common import add, exact_sum, flushed, numbers, plus_zero, scales, steps
from refmodel.oracle.machines.neutral import fma_chain
from refmodel.oracle.rules import Vector


def e_fdpa(a: Vector, b: Vector, c: Value, *, l: int) -> Value:  # noqa: E741
    """2.4 E-FDPA(L): c = RNE(c + exact sum of L products)."""
    x, y = numbers(a), numbers(b)
    for group in steps(len(x), l):
        c = round_to(FP32, exact_sum([c, *(times(x[i].value, y[i].value) for i in group)]), "RNE")
    return c


def ftz_mul_add(a: Vector, b: Vector, c: Value, *, p: int) -> Value:
    """2.4 FTZ-MUL-ADD(P): inputs flushed to +0, every product and sum rounded and flushed, sign kept."""

    def ftz(value: Value) -> Value:
        return flushed(round_to(FP32, value, "RNE"), -126, keep_sign=True)

    def daz(value: Value, emin: int) -> Value:
        return flushed(value, emin, keep_sign=False)

    emin = smallest_normal(a.element)
    products = [
        ftz(times(daz(x.value, emin), daz(y.value, emin)))
        for x, y in zip(numbers(a), numbers(b), strict=True)
    ]
    c = daz(c, -126)
    for i in range(0, len(products), p):
        s = ftz(exact_sum(products[i : i + 2]))
        if p == 4:
            s = ftz(exact_sum([s, ftz(exact_sum(products[i + 2 : i + 4]))]))
        c = ftz(exact_sum([c, s]))
    return c


def truncated_dot(terms: Sequence[tuple[Value, int]]) -> tuple[Value, int | None]:
    """The products of one sum at 24 bits below the largest exponent, zeros ignored; the sum, the exponent."""
    exponents = [e for value, e in terms if value.units]
    if not exponents:
        return exact_sum([value for value, _ in terms]), None
    largest = max(exponents)
    return exact_sum([round_to_grid(value, largest - 24, "RZ") for value, _ in terms]), largest


def second_stage(d: Value, e_d: int | None, c: Value, drop: int | None) -> Value:
    """d and c cut toward -inf at 32 and 24 bits below the larger exponent; the sum at 31 bits; RNE."""
    e_c = exponent(c, -126)
    e = e_c if e_d is None else max(e_c, e_d)
    if drop is not None and e_c < e - drop:
        c = Value("finite", c.negative, 0)
    s = exact_sum([round_to_grid(d, e - 32, "RD"), round_to_grid(c, e - 24, "RD")])
    return round_to(FP32, round_to_grid(s, exponent(s, -126) - 31, "RD"), "RNE")


def tr_fdpa(a: Vector, b: Vector, c: Value, *, l: int, drop: int = 0) -> Value:  # noqa: E741
    """2.4 TR-FDPA(L), CDNA3: a product of 2**128 or more is infinite on its own."""
    x, y = numbers(a, drop), numbers(b, drop)
    for group in steps(len(x), l):
        products = []
        for i in group:
            p = times(x[i].value, y[i].value)
            if p.kind == "finite" and p.units >= 1 << 128 - UNIT:
                p = infinite(p.negative)
            products.append((p, x[i].e + y[i].e))
        special = special_sum([*(p for p, _ in products), c])
        c = second_stage(*truncated_dot(products), c, None) if special is None else special
    return c


def gtr_fdpa(a: Vector, b: Vector, c: Value) -> Value:
    """2.4 GTR-FDPA(16), CDNA3 FP8: even and odd elements apart, both cut toward -inf at 24 bits."""
    x, y = numbers(a), numbers(b)
    for group in steps(len(x), 16):
        products = [(times(x[i].value, y[i].value), x[i].e + y[i].e) for i in group]
        special = special_sum([*(p for p, _ in products), c])
        if special is not None:
            c = special
            continue
        halves = [truncated_dot(products[::2]), truncated_dot(products[1::2])]
        known = [e for _, e in halves if e is not None]
        e_d = max(known) if known else None
        sums = [s if e_d is None else round_to_grid(s, e_d - 24, "RD") for s, _ in halves]
        c = second_stage(exact_sum(sums), e_d, c, 25)
    return c


def rdna4(a: Vector, b: Vector, c: Value) -> Value:
    """3.2 RDNA4: steps of 4, pairs on their own grids, then pairs and c on the coarsest."""
    x, y = numbers(a), numbers(b)
    for group in steps(len(x), 4):
        products = [(times(x[i].value, y[i].value), x[i].e + y[i].e) for i in group]
        special = special_sum([*(p for p, _ in products), c])
        if special is not None:
            c = special
            continue
        grids = [exponent(c, -126) - 26]
        pairs = []
        for pair in (products[:2], products[2:]):
            exponents = [e for p, e in pair if p.units]
            grid = max(exponents) - 24 if exponents else None
            pairs.append(exact_sum([p if grid is None else round_to_grid(p, grid, "RD") for p, _ in pair]))
            grids += [] if grid is None else [grid]
        parts = [round_to_grid(part, max(grids), "RD") for part in (*pairs, c)]
        c = plus_zero(round_to(FP32, exact_sum(parts), "RNE"))
    return c


def rocjitsu(a: Vector, b: Vector, c: Value) -> Value:
    """3.2 CDNA4 in rocjitsu: per block an FMA chain from 0, ldexp, Float32 add."""
    sa, sb = scales(a), scales(b)
    for run in steps(len(a.codes), 32):
        x, y = (Vector(v.element, v.codes[run.start : run.stop]) for v in (a, b))
        part = fma_chain(x, y, ZERO)
        scale = times(sa[run.start].value, sb[run.start].value)
        c = add(c, round_to(FP32, times(part, scale), "RNE"))
    return c
