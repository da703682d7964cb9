"""What an identification found, as data and as text."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

from refmodel.accumulate import AccumulationRule
from refmodel.identify.family import DOCUMENTED, INTERFACE_FIELDS
from refmodel.identify.probes import Interface


@dataclass(frozen=True, slots=True)
class Counterexample:
    """An input on which the black box does not answer as a rule does.

    Attributes:
        rule: The rule, by the name of a preset or by its fields.
        agrees, asked: On how many of the inputs asked it agrees.
        text: The input.
        nonzero: Elements with a non-zero product code in it.
        answered, expected: Float32 bits of the black box and of the rule.
    """

    rule: str
    agrees: int
    asked: int
    text: str
    nonzero: int
    answered: int
    expected: int


@dataclass(frozen=True, slots=True)
class Identification:
    """Which rules are consistent with what a black box answered.

    Attributes:
        status: ``identified``: no input tried tells the consistent rules apart; ``ambiguous``: *settling* would;
            ``none``: no rule of those evaluated fits.
        interface: What the black box takes.
        rule: One of the consistent rules, the first preset if there is one; None if none fits.
        presets: Presets that are consistent, all one class of equal bits unless ``ambiguous``.
        values: For each field of which *rule* can have other values, those that are consistent, the other fields
            being those of *rule*; one value means that every other one evaluated was refuted.
        others: Consistent rules that differ from *rule* in several fields, as those differences.
        nan_patterns: Float32 bits of NaN answers; a rule has one.
        presets_but_nan: Presets whose NaN pattern alone differs from the one seen.
        settling: Inputs that would tell consistent rules apart but were not asked, and why not.
        counterexamples: For the nearest rules, if none fits.
        probes: Inputs asked.
        inputs: Inputs tried on the consistent rules, those asked included.
        evaluated: Rules evaluated.
        rounds: Batches asked.
    """

    status: Literal["identified", "ambiguous", "none"]
    interface: Interface
    rule: AccumulationRule | None
    presets: tuple[str, ...]
    values: dict[str, tuple[Any, ...]]
    others: tuple[str, ...]
    nan_patterns: tuple[int, ...]
    presets_but_nan: tuple[str, ...]
    settling: tuple[str, ...]
    counterexamples: tuple[Counterexample, ...]
    probes: int
    inputs: int
    evaluated: int
    rounds: int
    open_fields: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        several = tuple(name for name, values in self.values.items() if len(values) > 1)
        object.__setattr__(self, "open_fields", several)

    def __str__(self) -> str:
        lines = [f"black box: {self.interface}"]
        lines += self._none() if self.rule is None else self._found(self.rule)
        if len(self.nan_patterns) > 1:
            lines.append(f"NaN answers have several patterns, {_hex(self.nan_patterns)}; a rule has one.")
        lines.append(
            f"{self.probes} inputs asked in {self.rounds} rounds; {self.inputs} tried on the consistent rules; "
            f"{self.evaluated} rules evaluated."
        )
        return "\n".join(lines)

    def _none(self) -> list[str]:
        lines = [f"No rule fits: none of the {self.evaluated} evaluated answers as the black box does."]
        for each in self.counterexamples:
            lines += [
                f"nearest: {each.rule}; agrees on {each.agrees} of {each.asked} inputs, but not on",
                f"    {each.text}",
                f"    black box {each.answered:#010x}, rule {each.expected:#010x}",
            ]
        return lines

    def _found(self, rule: AccumulationRule) -> list[str]:
        head = {
            "identified": "Identified, as a class of rules that give equal bits on every input tried:",
            "ambiguous": "Ambiguous: consistent rules remain that differ on inputs not asked:",
            "none": "No rule fits; apart from the bits of NaN these would:",
        }[self.status]
        lines = [head, f"presets: {', '.join(self.presets) or 'none; a rule of the family:'}"]
        if self.presets_but_nan:
            lines.append(f"presets but for the NaN pattern: {', '.join(self.presets_but_nan)}")
        lines.append("established, every other value evaluated being refuted:")
        lines += [f"    {name} = {_text(v[0])}" for name, v in self.values.items() if len(v) == 1]
        if self.nan_patterns:
            lines.append(f"    NaN {_hex(self.nan_patterns)}")
        if self.open_fields:
            lines.append("open, all of these values being consistent, one field at a time:")
        lines += [f"    {name} = {', '.join(map(_text, self.values[name]))}" for name in self.open_fields]
        if not self.nan_patterns:
            lines.append("    NaN pattern: no answer was NaN")
        if self.others:
            lines.append(f"and {len(self.others)} rules that differ in several fields, such as")
            lines += [f"    {each}" for each in self.others[:4]]
        for each in self.settling:
            lines.append(f"would settle: {each}")
        if self.open_fields and not self.settling:
            lines.append(f"No input that would tell these apart was found among {self.inputs} tried.")
        return lines


def differences(rule: AccumulationRule, other: AccumulationRule) -> str:
    """Return the fields in which *other* differs from *rule*."""
    return ", ".join(f"{name} {_text(getattr(other, name))}" for name in differing(rule, other))


def differing(rule: AccumulationRule, other: AccumulationRule) -> list[str]:
    """Return the names of the fields in which two rules differ, of those that matter to results."""
    ignored = DOCUMENTED | INTERFACE_FIELDS | {"nan_pattern"}
    names = [each.name for each in fields(rule) if each.name not in ignored]
    return [name for name in names if getattr(rule, name) != getattr(other, name)]


def _hex(patterns: tuple[int, ...]) -> str:
    return ", ".join(f"{each:#010x}" for each in patterns)


def _text(value: Any) -> str:
    if is_dataclass(value):
        given = ((each.name, getattr(value, each.name)) for each in fields(value))
        return f"({' '.join(f'{name}={item}' for name, item in given if item is not None)})"
    return "none" if value is None else str(value)
