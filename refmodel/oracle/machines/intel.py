"""Intel AMX and Gaudi."""

from __future__ import annotations

from refmodel.oracle.fixed import (
    FP32,
    ZERO,
    Value,
    exponent,
    finite,
    floor_log2,
    round_to,
    round_to_grid,
    smallest_normal,
    special_sum,
    times,
)
from refmodel.oracle.machines.common import add, exact_sum, flushed, numbers, plus_zero, steps
from refmodel.oracle.machines.nvidia import align_and_truncate
from refmodel.oracle.rules import Vector


def amx(a: Vector, b: Vector, c: Value, *, daz: bool) -> Value:
    """3.3 TDPBF16PS, TDPFP16PS: even and odd chains from 0 over 32 elements, their sum, then c; all FTZ."""

    def ftz(value: Value) -> Value:
        return flushed(round_to(FP32, value, "RNE"), -126, keep_sign=True)

    x, y = ([n.value for n in numbers(v)] for v in (a, b))
    if daz:
        emin = smallest_normal(a.element)
        x, y = ([flushed(value, emin, keep_sign=True) for value in values] for values in (x, y))
    for group in steps(len(x), 32):
        chains = [ZERO, ZERO]
        for i in group:
            chains[i % 2] = ftz(exact_sum([chains[i % 2], times(x[i], y[i])]))
        c = flushed(c, -126, keep_sign=True)
        c = ftz(exact_sum([c, ftz(exact_sum(chains))]))
    return c


def gaudi1(a: Vector, b: Vector, c: Value) -> Value:
    """3.3 Gaudi 1: four round-robin chains, combined from chain K mod 4 on."""
    x, y = numbers(a), numbers(b)
    k = len(x)
    chains = [ZERO] * 4
    for i in range(k):
        chains[i % 4] = round_to(FP32, exact_sum([chains[i % 4], times(x[i].value, y[i].value)]), "RNE")
    first, second, third, fourth = (chains[(k + j) % 4] for j in range(4))
    return add(c, add(add(first, second), add(third, fourth)))


def gaudi2(a: Vector, b: Vector, c: Value, *, l: int, f: int, emin: int | None = None) -> Value:  # noqa: E741
    """2.5 Gaudi 2: the dot cut off alone, c added with one rounding; FTZ on c and result."""
    x, y = numbers(a, emin=emin), numbers(b, emin=emin)
    for group in steps(len(x), l):
        products = [(times(x[i].value, y[i].value), x[i].e + y[i].e) for i in group]
        products += [(ZERO, 0)] * (l - len(group))
        c = flushed(c, -126, keep_sign=True)
        special = special_sum([*(p for p, _ in products), c])
        if special is not None:
            c = special
            continue
        largest = max((e for p, e in products if p.units), default=0)
        d = sum(round_to_grid(p, largest - f, "RZ").signed for p, _ in products)
        negative = c.negative and all(p.negative for p, _ in products)
        exact = finite(d + c.signed, negative)
        c = flushed(round_to(FP32, exact, "RNE"), -126, keep_sign=True)
    return c


def gaudi3(a: Vector, b: Vector, c: Value, *, normalised: bool) -> Value:
    """3.3 Gaudi 3: T-FDPA(8, 24) with E never below -132; FP8 subnormals normalised first."""
    x, y = numbers(a), numbers(b)
    for group in steps(len(x), 8):
        terms = []
        for i in group:
            p, e = times(x[i].value, y[i].value), x[i].e + y[i].e
            if normalised and p.kind == "finite" and p.units:
                e = floor_log2(x[i].value) + floor_log2(y[i].value)
            terms.append((p, e))
        terms += [(c, exponent(c, -126)), (ZERO, -132)]
        c = plus_zero(round_to(FP32, align_and_truncate(terms, 24, -132), "RZ"))
    return c
