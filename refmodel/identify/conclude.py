"""From the consistent rules to what is reported of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, Literal

import numpy as np

from refmodel.accumulate import AccumulationRule, get_rule
from refmodel.identify.directed import directed
from refmodel.identify.evaluate import classes, predictions, splitting
from refmodel.identify.evidence import Evidence
from refmodel.identify.family import changed_rule, family, takes, variants
from refmodel.identify.probes import LENGTHS, Interface, Probes
from refmodel.identify.report import Counterexample, Identification, differences, differing
from refmodel.identify.stimulus import random_probes

_DEFAULT = AccumulationRule(name="candidate", source="", confidence="D")


def conclusion(
    evidence: Evidence,
    consistent: Sequence[AccumulationRule],
    counterexamples: Sequence[Counterexample],
    *,
    cut_short: bool,
    rounds: int,
    shrinking: int,
    tried: int,
    rng: np.random.Generator,
) -> Identification:
    """Return the identification.

    Args:
        evidence: What was asked and answered.
        consistent: Rules that agree with it, those to be named first in front.
        counterexamples: Where the nearest rules are wrong, if none is consistent.
        cut_short: Whether the search ended for want of probes.
        rounds: Batches asked.
        shrinking: Probes asked beside *evidence* to shrink counterexamples.
        tried: Inputs on which the consistent rules were compared.
        rng: For inputs that would settle what is left.
    """
    names = family(evidence.interface).names
    presets: list[str] = []
    but_nan: list[str] = []
    for rule in consistent:
        for name in names.get(rule, ()):
            fits = not evidence.nans or get_rule(name).nan_float32 in evidence.nans
            (presets if fits else but_nan).append(name)
    settling = _settling(evidence.interface, consistent, cut_short, rng)
    status: Literal["identified", "ambiguous", "none"] = "ambiguous" if settling else "identified"
    if not consistent or len(evidence.nans) > 1:
        status = "none"
    values, others = _values(evidence, consistent)
    return Identification(
        status=status,
        interface=evidence.interface,
        rule=_described(evidence, consistent[0], presets) if consistent else None,
        presets=tuple(presets),
        values=values,
        others=others,
        nan_patterns=tuple(sorted(evidence.nans)),
        presets_but_nan=tuple(but_nan),
        settling=settling,
        counterexamples=tuple(counterexamples),
        probes=evidence.count + shrinking,
        inputs=tried + shrinking,
        evaluated=len(evidence.evaluated),
        rounds=rounds,
    )


def name_of(rule: AccumulationRule, interface: Interface) -> str:
    """Return the presets that a rule is, or the preset next to it and the fields that differ."""
    names = family(interface).names
    if rule in names:
        return " = ".join(names[rule])
    near = min(names, key=lambda preset: len(differing(preset, rule)), default=None)
    if near is None:
        return differences(_DEFAULT, rule)
    return f"{names[near][0]} with {differences(near, rule)}"


def _described(evidence: Evidence, rule: AccumulationRule, presets: Sequence[str]) -> AccumulationRule:
    if presets:
        return get_rule(presets[0])
    found = replace(rule, name="identified", source="identified from its answers")
    if len(evidence.nans) != 1:
        return found
    (bits,) = evidence.nans
    half = bits >> 31 << 15 | 0x7C00 | bits >> 13 & 0x3FF
    pattern = {"fp16": half, "bf16": bits >> 16}.get(rule.result_format, bits)
    return changed_rule(found, {}, pattern) or found


def _values(
    evidence: Evidence, consistent: Sequence[AccumulationRule]
) -> tuple[dict[str, tuple[Any, ...]], tuple[str, ...]]:
    """Return, for fields of which other values were evaluated, the consistent ones; and the other rules."""
    if not consistent:
        return {}, ()
    rule, others = consistent[0], []
    values: dict[str, dict[Any, None]] = {}
    known = set(consistent)
    for other in dict.fromkeys([*consistent[1:], *variants(rule, evidence.interface)]):
        names = differing(rule, other)
        fits = other in known or evidence.fits(other)
        if len(names) == 1:
            own = values.setdefault(names[0], {getattr(rule, names[0]): None})
            if fits:
                own[getattr(other, names[0])] = None
        elif fits:
            others.append(differences(rule, other))
    order = [each.name for each in fields(rule)]
    return {name: tuple(values[name]) for name in sorted(values, key=order.index)}, tuple(others)


def _settling(
    interface: Interface, consistent: Sequence[AccumulationRule], cut_short: bool, rng: np.random.Generator
) -> tuple[str, ...]:
    """Return an input that would tell consistent rules apart: not asked for want of probes, or not askable."""
    lengths = {length for length in LENGTHS if not interface.block or length % interface.block == 0}
    wide = replace(interface, lengths=tuple(sorted({*interface.lengths, *lengths})), c_format="float32")
    rules = [rule for rule in consistent if takes(rule, wide)]
    if len(rules) < 2 or (wide == interface and not cut_short):
        return ()
    reason = "more inputs than allowed" if cut_short else "outside the interface"
    probes: Iterable[Probes] = [*directed(wide), *random_probes(wide, rng)]
    for each in probes:
        found = predictions(rules, each)
        chosen = splitting(found, 1)
        if chosen:
            parts = len(set(classes(found[:, chosen]).tolist()))
            return (f"{each.text(chosen[0])} ({reason}; {parts} different answers)",)
    return ()
