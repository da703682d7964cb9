"""Rules beyond those the search starts from: from rules that are nearly right to better ones, a change at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule
from refmodel.accumulate.rule import AccumulatorFormat
from refmodel.identify.evaluate import holds, predicted
from refmodel.identify.evidence import Evidence, Score
from refmodel.identify.family import Change, canonical, changed_rule, changes_of, takes, variants, with_output
from refmodel.identify.probes import Interface

Rules = list[AccumulationRule]

_BEAM = 5
_STEPS = 8
_NEAREST = 2
_WRONG = 6
_PAIRED_ELEMENTS = 150_000

_NARROW: tuple[AccumulatorFormat, ...] = ("fp16", "bf16")

_CORE = frozenset(
    (
        "group_size",
        "align_bits",
        "align_round",
        "term_exponent",
        "acc_in_align",
        "group_round",
        "group_format",
        "acc_format",
        "acc_round",
        "promote_every",
        "zero_sign",
        "ftz",
    )
)
"""Fields of which two may hide each other's change."""


class Climbed(NamedTuple):
    """Rules that give every answer, and those that gave the most before two changes at once were tried."""

    fitting: Rules
    nearest: Rules


def climb(evidence: Evidence, seeds: Sequence[AccumulationRule]) -> Climbed:
    """Go from the seeds that agree most to better rules a change away, at last two changes away."""
    interface = evidence.interface
    answers = np.concatenate([bits for _, bits in evidence.asked])
    rounded = [rule for each in _NARROW if holds(each, answers) for rule in with_output(interface, each)]
    scores = {rule: evidence.score(rule) for rule in [*seeds, *rounded]}
    visited: set[AccumulationRule] = set()
    for _ in range(_STEPS):
        beam = _best(scores, _BEAM)
        if scores[beam[0]].share >= 1.0 or visited.issuperset(beam):
            break
        for rule in beam:
            if rule not in visited:
                visited.add(rule)
                floor = scores[beam[-1]].share - 0.02
                new = [each for each in variants(rule, interface) if each not in scores]
                scores.update({each: evidence.score(each, floor) for each in new})
    fitting = [rule for rule, score in scores.items() if score.share >= 1.0 and evidence.fits(rule)]
    nearest = _best(scores, _NEAREST)
    for rule in nearest:
        fitting = fitting or two_away(evidence, rule)
    return Climbed(fitting, nearest)


def _best(scores: dict[AccumulationRule, Score], count: int) -> Rules:
    """Return the rules of the highest scores, of those that agree on the same answers only the first."""
    first: dict[bytes, AccumulationRule] = {}
    for rule in sorted(scores, key=lambda each: scores[each].share, reverse=True):
        first.setdefault(scores[rule].agreements, rule)
        if len(first) == count:
            break
    return list(first.values())


def two_away(evidence: Evidence, rule: AccumulationRule) -> Rules:
    """Return rules that give every answer, two changes away from one that does not.

    Two changes are combined if on each of a few wrong answers one of them has an effect, those first that put most of
    these right by themselves; fewer of them if the inputs are long.
    """
    hard = [(p.take(rows[:_WRONG]), bits[rows[:_WRONG]]) for p, bits, rows in evidence.wrong(rule)[:2]]
    wanted = np.concatenate([bits for _, bits in hard])
    before = np.concatenate([predicted(rule, probes) for probes, _ in hard])
    effects: list[tuple[int, Change, NDArray[np.bool_]]] = []
    for change in changes_of(rule, evidence.interface):
        changed = _changed(rule, change, evidence.interface)
        if changed is not None:
            own = np.concatenate([predicted(changed, probes) for probes, _ in hard])
            effects.append((int((own == wanted).sum()), change, own != before))
    effects.sort(key=lambda each: -each[0])
    pairs = [
        (first, second)
        for (_, first, effect_1), (_, second, effect_2) in combinations(effects, 2)
        if first.keys() != second.keys() and (effect_1 | effect_2).all()
    ]
    found: dict[AccumulationRule, None] = {}
    for first, second in pairs[: _PAIRED_ELEMENTS // sum(probes.length for probes, _ in hard)]:
        both = _changed(rule, {**first, **second}, evidence.interface)
        if both is not None and all((predicted(both, p) == bits).all() for p, bits in hard) and evidence.fits(both):
            found[both] = None
    return list(found)


def hidden(evidence: Evidence, fitting: Rules) -> Rules:
    """Return further rules that give every answer, two changes away from the first of *fitting*.

    Two changes that are refuted one by one may make up for each other.
    """
    rule, known = fitting[0], set(fitting)
    changes = [each for each in changes_of(rule, evidence.interface) if len(each) == 1 and not _CORE.isdisjoint(each)]
    single = [_changed(rule, change, evidence.interface) for change in changes]
    found: dict[AccumulationRule, None] = {}
    for i, j in combinations(range(len(changes)), 2):
        if changes[i].keys() == changes[j].keys() or (single[i] in known and single[j] in known):
            continue
        both = _changed(rule, {**changes[i], **changes[j]}, evidence.interface)
        if both is not None and both not in known and both not in found and evidence.fits(both):
            found[both] = None
    return list(found)


def _changed(rule: AccumulationRule, change: Change, interface: Interface) -> AccumulationRule | None:
    changed = changed_rule(rule, change)
    return None if changed is None or not takes(changed, interface) else canonical(changed, interface)
