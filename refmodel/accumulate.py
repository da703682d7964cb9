"""Accumulation rules: what is rounded, when, and to what, while a dot product is formed.

The specification fixes the value of a dot product but neither the precision nor the order of its sum
(MX-6.1-c, MX-6.1-d, MX-6.2-d), so the bits of a result exist only under a named rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from refmodel.errors import unknown_name


@dataclass(frozen=True, slots=True)
class AccumulationRule:
    """How a dot product over blocks becomes one Float32.

    Attributes:
        name: The name used in every public call, file and report.
        summary: The rule in a sentence.
        rounds_per_block: True if every block's exact scaled sum is rounded to Float32 and added to a
            Float32 running value in block order; False if the whole sum is exact and rounded once.
        source: Where the rule comes from.

    Common to all rules: element products and the sum within a block are exact, scales enter as a sum of
    exponents (A-28), rounding is roundTiesToEven with gradual underflow and overflow to infinity (A-30),
    infinities follow IEEE 754 (A-29), NaN is 0x7FC00000, an exact zero sum is +0.
    """

    name: str
    summary: str
    rounds_per_block: bool
    source: str


_RULES = {
    rule.name: rule
    for rule in (
        AccumulationRule(
            "exact_fp32",
            "The exact sum of the initial value and all products of all blocks, rounded once to Float32.",
            rounds_per_block=False,
            source="A-27 `exact`, A-31 `exact_all`",
        ),
        AccumulationRule(
            "block32_fp32_add",
            "Each block's exact scaled sum, rounded to Float32, is added in Float32 and in block order to a "
            "running value that starts at +0 or the initial value.",
            rounds_per_block=True,
            source="A-27 `exact`, A-31 sequential Float32",
        ),
    )
}


def get_rule(rule: str | AccumulationRule) -> AccumulationRule:
    """Return the rule of that name; a rule passes through unchanged.

    Raises:
        UnknownNameError: If there is no such rule.
    """
    if isinstance(rule, AccumulationRule):
        return rule
    if isinstance(rule, str) and rule in _RULES:
        return _RULES[rule]
    raise unknown_name("accumulation rule", rule, _RULES)


def list_rules() -> tuple[str, ...]:
    """Return the names of all accumulation rules."""
    return tuple(_RULES)
