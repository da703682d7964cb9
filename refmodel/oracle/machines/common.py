"""What the functions of several machines need: operands, exact sums, Float32 addition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from refmodel.oracle.fixed import (
    FP32,
    NAN,
    ONE,
    UNIT,
    ZERO,
    Binary,
    Mode,
    Value,
    decoded,
    exponent,
    finite,
    round_to,
    smallest_normal,
    special_sum,
    times,
)
from refmodel.oracle.rules import Vector


class Operand(NamedTuple):
    """An element: its value, and e(x) = floor(log2 |x|) clamped at the smallest normal exponent."""

    value: Value
    e: int


def numbers(vector: Vector, drop: int = 0, emin: int | None = None) -> list[Operand]:
    """Return the elements, *drop* low bits of each code cut off; e clamped at *emin* if one is given."""
    low = smallest_normal(vector.element) if emin is None else emin
    values = []
    for code in vector.codes:
        value = decoded(vector.element, code)
        if drop and value.kind != "nan":
            value = decoded(vector.element, code >> drop << drop)
        values.append(Operand(value, exponent(value, low)))
    return values


def scales(vector: Vector) -> list[Operand]:
    """Return the scale of every element."""
    assert vector.scale is not None
    found = []
    for i in range(len(vector.codes)):
        value = decoded(vector.scale, vector.scales[i // vector.block])
        found.append(Operand(value, exponent(value, smallest_normal(vector.scale))))
    return found


def exact_sum(terms: Sequence[Value]) -> Value:
    """Return the sum; a zero sum is -0 only if every term is -0."""
    special = special_sum(terms)
    if special is not None:
        return special
    return finite(sum(t.signed for t in terms), bool(terms) and all(t.negative and t.is_zero for t in terms))


def plus_zero(value: Value) -> Value:
    """Return -0 as +0."""
    return ZERO if value.is_zero else value


def add(x: Value, y: Value, mode: Mode = "RNE", to: Binary = FP32) -> Value:
    """Return x + y, rounded once."""
    return round_to(to, exact_sum([x, y]), mode)


def steps(count: int, size: int) -> list[range]:
    """Return the elements of each group of *size*."""
    return [range(i, min(i + size, count)) for i in range(0, count, size)]


def flushed(value: Value, emin: int, *, keep_sign: bool) -> Value:
    """Return zero for a number below 2**emin, zeros included."""
    small = value.kind == "finite" and value.units < 1 << emin - UNIT
    return Value("finite", value.negative and keep_sign, 0) if small else value


def scaled_products(a: Vector, b: Vector) -> list[Value]:
    """Return the exact products, scales included; NaN under a NaN scale."""
    sa, sb = ([n.value for n in scales(v)] if v.block else [ONE] * len(v.codes) for v in (a, b))
    return [
        NAN if "nan" in (sa[i].kind, sb[i].kind) else times(times(x.value, y.value), times(sa[i], sb[i]))
        for i, (x, y) in enumerate(zip(numbers(a), numbers(b), strict=True))
    ]
