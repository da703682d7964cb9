"""NVIDIA tensor cores: T-FDPA, ST-FDPA, GST-FDPA."""

from __future__ import annotations

from collections.abc import Sequence

from refmodel.oracle.fixed import (
    E8M13,
    FP16,
    FP32,
    ZERO,
    Binary,
    Mode,
    Value,
    exponent,
    round_to,
    round_to_grid,
    special_sum,
    times,
)
from refmodel.oracle.machines.common import add, exact_sum, numbers, plus_zero, scales, steps
from refmodel.oracle.rules import Vector


def align_and_truncate(terms: Sequence[tuple[Value, int]], f: int, e_zero: int | None) -> Value:
    """Every term cut to the grid 2**(E-F), E the largest exponent; a zero counts with exponent e_zero."""
    special = special_sum([value for value, _ in terms])
    if special is not None:
        return special
    exponents = [e if value.units else e_zero for value, e in terms]
    known = [e for e in exponents if e is not None]
    if not known:
        return ZERO
    return exact_sum([round_to_grid(value, max(known) - f, "RZ") for value, _ in terms])


RZ_FP32: tuple[Binary, Mode] = (FP32, "RZ")
RZ_E8M13: tuple[Binary, Mode] = (E8M13, "RZ")
RNE_FP16: tuple[Binary, Mode] = (FP16, "RNE")


def t_fdpa(
    a: Vector,
    b: Vector,
    c: Value,
    *,
    l: int,  # noqa: E741
    f: int,
    out: tuple[Binary, Mode],
    e_zero: int | None,
    drop: int = 0,
) -> Value:
    """2.1 T-FDPA: products and c aligned, cut off, added exactly, converted."""
    target, mode = out
    x, y = numbers(a, drop), numbers(b, drop)
    for group in steps(len(x), l):
        terms = [(times(x[i].value, y[i].value), x[i].e + y[i].e) for i in group]
        terms.append((c, exponent(c, target.emin)))
        c = plus_zero(round_to(target, align_and_truncate(terms, f, e_zero), mode))
    return c


def t_fdpa_promoted(a: Vector, b: Vector, c: Value, *, every: int) -> Value:
    """3.1 slow accumulate: a fresh Hopper FP8 chain per *every* elements, partials added in Float32."""
    for run in steps(len(a.codes), every):
        x, y = (v._replace(codes=v.codes[run.start : run.stop]) for v in (a, b))
        c = add(c, t_fdpa(x, y, ZERO, l=32, f=13, out=RZ_E8M13, e_zero=None))
    return c


def hopper_mx_emulated(a: Vector, b: Vector, c: Value) -> Value:
    """4: per 32-block T-FDPA(32, 13) from 0, ldexp, Float32 add."""
    sa, sb = scales(a), scales(b)
    for run in steps(len(a.codes), 32):
        x, y = (Vector(v.element, v.codes[run.start : run.stop]) for v in (a, b))
        part = t_fdpa(x, y, ZERO, l=32, f=13, out=RZ_E8M13, e_zero=None)
        scale = times(sa[run.start].value, sb[run.start].value)
        # the products are scaled as the last step, by a power of two: one rounding, to Float32
        c = plus_zero(add(c, plus_zero(round_to(FP32, times(part, scale), "RNE"))))
    return c


def st_fdpa(a: Vector, b: Vector, c: Value) -> Value:
    """2.2 ST-FDPA(32, 25): the scales in every product and in its exponent; e_zero -133."""
    x, y, sa, sb = numbers(a), numbers(b), scales(a), scales(b)
    for group in steps(len(x), 32):
        terms = [
            (
                times(times(x[i].value, y[i].value), times(sa[i].value, sb[i].value)),
                x[i].e + y[i].e + sa[i].e + sb[i].e,
            )
            for i in group
        ]
        terms.append((c, exponent(c, -126)))
        c = plus_zero(round_to(FP32, align_and_truncate(terms, 25, -133), "RZ"))
    return c


def gst_fdpa(a: Vector, b: Vector, c: Value) -> Value:
    """2.3 GST-FDPA(16, 35, 64): exact sums of 16, their exponent that of the scale alone; e_zero -139."""
    x, y, sa, sb = numbers(a), numbers(b), scales(a), scales(b)
    for group in steps(len(x), 64):
        terms: list[Value] = []
        exponents: list[int] = []
        for sixteen in steps(len(group), 16):
            own = [group[i] for i in sixteen]
            products = [times(x[i].value, y[i].value) for i in own]
            scale = times(sa[own[0]].value, sb[own[0]].value)
            terms.append(times(exact_sum(products), scale))
            is_zero = all(p.is_zero for p in products) or scale.is_zero
            exponents.append(-139 if is_zero else sa[own[0]].e + sb[own[0]].e)
        if len(group) < 64:  # the rest of the instruction is zero
            exponents.append(-139)
        terms.append(c)
        exponents.append(exponent(c, -126) if c.units else -139)
        total = special_sum(terms)
        if total is None:
            total = exact_sum([round_to_grid(t, max(exponents) - 35, "RZ") for t in terms])
        c = plus_zero(round_to(FP32, total, "RZ"))
    return c
