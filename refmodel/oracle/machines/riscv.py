"""RISC-V: bulk normalisation, and the scaled products of the integrated matrix extension."""

from __future__ import annotations

from collections.abc import Sequence

from refmodel.oracle.fixed import (
    FP32,
    NAN,
    ONE,
    Binary,
    Mode,
    Value,
    round_to,
    round_to_grid,
    special_sum,
    times,
)
from refmodel.oracle.machines.common import add, exact_sum, numbers, plus_zero, scales, steps
from refmodel.oracle.rules import Vector


def bulk_normalised(terms: Sequence[tuple[Value, int]], n: int) -> Value:
    """2.6 RVBNA(n): products to odd at 23 + ceil(log2 n) bits below E; the sum to odd to Float32."""
    special = special_sum([value for value, _ in terms])
    if special is not None:
        return special
    guard = (n - 1).bit_length()
    largest = max((e for value, e in terms if value.units), default=0)
    d = exact_sum([round_to_grid(value, largest - (24 - 1 + guard), "RTO") for value, _ in terms])
    return plus_zero(d)


def rvbna(a: Vector, b: Vector, c: Value, *, n: int, mode: Mode = "RTO") -> Value:
    """2.6 and 3.5: bulk-normalised sums, each added to c."""
    x, y = numbers(a), numbers(b)
    for group in steps(len(x), n):
        terms = [(times(x[i].value, y[i].value), x[i].e + y[i].e) for i in group]
        c = plus_zero(add(c, plus_zero(round_to(FP32, bulk_normalised(terms, n), "RTO")), mode))
    return c


def ime(
    a: Vector, b: Vector, c: Value, *, g: int, psm: int, rnd: str, to: Binary = FP32, weight: int = 0
) -> Value:
    """2.7 fp_scaled_gemm and int_scaled_gemm, frm = RNE: t = f * round(S), C = round(C + t).

    Integer elements are their codes, without the 2**-6 that *weight* takes back from each.
    """

    def to_c(value: Value, mode: Mode = "RNE") -> Value:
        return round_to(to, value, mode, "ieee")

    x, y = numbers(a), numbers(b)
    sa, sb = ([n.value for n in scales(v)] if v.block else [ONE] * len(v.codes) for v in (a, b))
    for group in steps(len(x), g):
        terms = [(times(x[i].value, y[i].value), x[i].e + y[i].e) for i in group]
        nan_scale = sa[group.start].kind == "nan" or sb[group.start].kind == "nan"
        f = to_c(times(to_c(sa[group.start]), to_c(sb[group.start])))
        s = bulk_normalised(terms, g) if psm else exact_sum([value for value, _ in terms])
        s = s._replace(units=s.units << 2 * weight)
        mode: Mode = "RTO" if rnd == "rto" or psm else "RNE"
        t = times(f, s) if rnd == "xct" else to_c(times(f, to_c(s, mode)))
        c = NAN if nan_scale else to_c(exact_sum([c, t]))
    return c
