"""The model against the oracle, for any rule: dot products drawn by `silicon.cases`, judged one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule
from refmodel.dot import dot
from refmodel.oracle import machines, rules
from refmodel.oracle.rules import Vector
from silicon.cases import Cases, draw, formats_of

LENGTHS = (0, 1, 7, 32, 33, 64, 100, 160, 288)


@dataclass(slots=True)
class Judged:
    """Dot products, those where model and oracle differ, those where the two oracles differ, the first."""

    dots: int = 0
    mismatches: int = 0
    oracles_differ: int = 0
    first: str = ""


def vectors(cases: Cases, i: int) -> tuple[Vector, Vector]:
    """Return the operands of dot product *i* as the oracle takes them."""
    a, b = (
        Vector(element, codes[i].tolist())
        if cases.scale is None or scales is None
        else Vector(element, codes[i].tolist(), cases.scale, scales[i].tolist(), cases.block)
        for element, codes, scales in (
            (cases.element_a, cases.a, cases.scales_a),
            (cases.element_b, cases.b, cases.scales_b),
        )
    )
    return a, b


def oracle_bits(cases: Cases, judge: Callable[[Vector, Vector, int], int]) -> NDArray[np.uint32]:
    """Return the Float32 bits that *judge* gives for each dot product."""
    return np.array([judge(*vectors(cases, i), int(c)) for i, c in enumerate(cases.c)], np.uint32)


def model_bits(rule: AccumulationRule, cases: Cases) -> NDArray[np.uint32]:
    """Return the Float32 bits that the model gives for each dot product."""
    return dot(*cases.operands(), rule, cases.c.view(np.float32)).view(np.uint32)


def compare(rule: AccumulationRule, count: int, seed: int = 1) -> Judged:
    """Compare model and oracle on about *count* dot products, over formats and `LENGTHS`.

    Where `machines` knows the rule by name, the two oracles are compared, too, on whole groups.
    """
    rng = np.random.default_rng([seed, *rule.name.encode()])
    found = Judged()
    formats = formats_of(rule)
    block = 1 if rule.scale_apply == "epilogue_tensor" else rule.block or 32
    while found.dots < count:
        a, b = formats[rng.integers(len(formats))]
        k = int(rng.choice(LENGTHS)) // block * block
        cases = draw(rng, rule, min(20, count - found.dots), k, a, b)
        expected = oracle_bits(cases, lambda x, y, c: rules.dot(rule, x, y, c))
        model = model_bits(rule, cases)
        wrong = np.flatnonzero(model != expected)
        found.dots += len(expected)
        found.mismatches += len(wrong)
        if len(wrong) and not found.first:
            found.first = describe(rule, cases, int(wrong[0]), int(expected[wrong[0]]), int(model[wrong[0]]))
        if rule.name in machines.MACHINES and k and k % 32 == 0:
            by_name = oracle_bits(cases, lambda x, y, c: machines.dot(rule.name, x, y, c))
            found.oracles_differ += int(np.count_nonzero(by_name != expected))
    return found


def describe(rule: AccumulationRule, cases: Cases, i: int, expected: int, got: int) -> str:
    """Return dot product *i* in words, elements with a zero product left out."""
    a, b = vectors(cases, i)
    kept = [(k, hex(x), hex(y)) for k, (x, y) in enumerate(zip(a.codes, b.codes, strict=True)) if x and y]
    return (
        f"{rule.name}, {a.element.name} x {b.element.name}, K={len(a.codes)}, c={int(cases.c[i]):#010x}, "
        f"scales {list(a.scales)} {list(b.scales)}, elements {kept}: "
        f"oracle {expected:#010x}, model {got:#010x}"
    )
