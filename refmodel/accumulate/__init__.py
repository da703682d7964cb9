"""Accumulation rules as data: descriptions, presets with their sources, text forms."""

from __future__ import annotations

from functools import lru_cache

from refmodel.accumulate import presets
from refmodel.accumulate.presets import arm_fp8_dot, riscv_ime, rvbna
from refmodel.accumulate.rule import AccumulationRule, SecondAlignment, SplitK
from refmodel.accumulate.text import from_dict, from_json, from_toml, to_dict, to_json, to_toml
from refmodel.errors import UnknownNameError

__all__ = [
    "AccumulationRule",
    "SecondAlignment",
    "SplitK",
    "arm_fp8_dot",
    "from_dict",
    "from_json",
    "from_toml",
    "get_rule",
    "list_rules",
    "list_unverified_rules",
    "riscv_ime",
    "rvbna",
    "to_dict",
    "to_json",
    "to_toml",
]


@lru_cache(maxsize=1)
def _rules() -> dict[str, AccumulationRule]:
    return {rule.name: rule for rules in presets.FAMILIES.values() for rule in rules()}


def get_rule(rule: str | AccumulationRule, *, allow_unverified: bool = False) -> AccumulationRule:
    """Return the rule of that name; a rule passes through unchanged.

    Args:
        rule: Name or description.
        allow_unverified: Also hand out the stand-in for a machine whose numerics are not public.

    Raises:
        UnknownNameError: If there is no such rule, or its numerics are not public and a stand-in not allowed.
    """
    if isinstance(rule, AccumulationRule):
        return rule
    if not isinstance(rule, str) or rule not in _rules():
        neutral = ", ".join(sorted(each.name for each in presets.neutral_rules()))
        raise UnknownNameError(
            f"unknown accumulation rule {rule!r}; choose one of: {neutral}, or a machine's, see list_rules()"
        )
    found = _rules()[rule]
    if not (found.is_verified or allow_unverified):
        raise UnknownNameError(
            f"accumulation rule {rule!r}: the numerics are not public ({found.source}); to use the stand-in, "
            f"pass get_rule({rule!r}, allow_unverified=True)"
        )
    return found


def list_rules() -> tuple[str, ...]:
    """Return the names of all accumulation rules whose numerics are known."""
    return tuple(name for name, rule in _rules().items() if rule.is_verified)


def list_unverified_rules() -> tuple[str, ...]:
    """Return the names of machines whose numerics are not public."""
    return tuple(name for name, rule in _rules().items() if not rule.is_verified)
