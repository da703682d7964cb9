"""The conversation with a black box: ask what splits the candidates best, drop those refuted, until nothing splits.

`conversation` is a generator of batches of probes that wants their answers back, and depends on nothing else, so that
asking a function and exchanging files are the same search.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule, get_rule
from refmodel.accumulate.rule import AccumulatorFormat
from refmodel.errors import DtypeError, ShapeError
from refmodel.identify.directed import directed
from refmodel.identify.evaluate import classes, holds, is_nan, one_nan, predicted, predictions, splitting
from refmodel.identify.family import (
    canonical,
    changed_rule,
    changes_of,
    family,
    takes,
    variants,
    with_output,
)
from refmodel.identify.probes import LENGTHS, BlackBox, Interface, Probes
from refmodel.identify.report import Counterexample, Identification, differences, differing
from refmodel.identify.shrink import smaller
from refmodel.identify.stimulus import stimulus

Batch: TypeAlias = list[Probes]
Answers: TypeAlias = list[NDArray[np.uint32]]
Rules: TypeAlias = list[AccumulationRule]
Asking: TypeAlias = Generator[Batch, Answers, None]

BATCH = 16
"""Probes that split, asked at a time."""

CHECKS = 48
"""Random probes asked beside them, for a black box that follows no rule."""

QUIET_ROUNDS = 3
"""Rounds of random inputs without a split that end the search."""

_MEMBERS = 400
_BEAM = 5
_CLIMBS = 8
_NEAREST = 2
_FRESH_STARTS = 2
_WRONG = 6


def identify(black_box: BlackBox, interface: Interface, *, seed: int = 1, most: int = 4000) -> Identification:
    """Return which accumulation rules are consistent with what *black_box* answers.

    Args:
        black_box: Returns the Float32 bits, uint32 [n], of a batch of probes.
        interface: What it takes.
        seed: Of the random inputs.
        most: Inputs asked at most before the search ends, those that shrink a counterexample not counted.

    Raises:
        ShapeError: If the black box returns another shape.
        DtypeError: If it returns anything but uint32.
    """
    asking = conversation(interface, seed=seed, most=most)
    batch = next(asking)
    while True:
        try:
            batch = asking.send([checked(black_box(probes), probes) for probes in batch])
        except StopIteration as end:
            result: Identification = end.value
            return result


def conversation(interface: Interface, *, seed: int = 1, most: int = 4000) -> Generator[Batch, Answers, Identification]:
    """Yield batches of probes, want their answers, and return the identification; see `identify`."""
    return (yield from _Search(interface, np.random.default_rng(seed), most).run())


@dataclass(frozen=True, slots=True)
class _Score:
    """How much of the answers a rule gives, and which."""

    share: float
    agreements: bytes


def _best(scores: dict[AccumulationRule, _Score], count: int) -> Rules:
    """Return the rules of the highest scores, of those that agree on the same answers only the first."""
    first: dict[bytes, AccumulationRule] = {}
    for rule in sorted(scores, key=lambda each: scores[each].share, reverse=True):
        first.setdefault(scores[rule].agreements, rule)
        if len(first) == count:
            break
    return list(first.values())


@dataclass(slots=True)
class _Search:
    interface: Interface
    rng: np.random.Generator
    most: int
    asked: list[tuple[Probes, NDArray[np.uint32]]] = field(default_factory=list)
    nans: dict[int, None] = field(default_factory=dict)
    rounds: int = 0
    inputs: int = 0
    shrinking: int = 0
    out_of_probes: bool = False
    nearest: Rules = field(default_factory=list)
    _agreed: dict[AccumulationRule, int] = field(default_factory=dict)
    _evaluated: set[AccumulationRule] = field(default_factory=set)

    def run(self) -> Generator[Batch, Answers, Identification]:
        """Find the consistent rules."""
        known = family(self.interface)
        pools = directed(self.interface)
        alive: Rules = list(known.seeds)
        expanded: AccumulationRule | None = None
        climbs, paired = 0, False
        quiet = 0
        alive = yield from self._split_directed(alive, pools)
        while quiet < QUIET_ROUNDS and not self.out_of_probes:
            if not alive:
                if climbs == _FRESH_STARTS:
                    break
                climbs += 1
                if climbs == 1:
                    yield from self._ask(pools)
                alive = self._climb(known.seeds)
                if not alive:
                    break
                continue
            if alive[0] != expanded:
                expanded = alive[0]
                alive = self._with_variants(alive)
                alive = yield from self._split_directed(alive, pools)
                continue
            count = len(alive)
            alive, split = yield from self._random_round(alive)
            quiet = 0 if split or len(alive) < count else quiet + 1
            if quiet == QUIET_ROUNDS and alive and not paired:
                paired = True
                more = self._hidden(alive)
                alive, quiet = [*alive, *more], (0 if more else quiet)
        if not alive and not self.nearest:
            alive = self._climb(known.seeds)
        if not alive:
            examples = yield from self._counterexamples()
            return self._result([], examples)
        return self._result(alive, ())

    # ---- asking

    def _ask(self, batch: Iterable[Probes]) -> Asking:
        batch = [probes for probes in batch if len(probes)]
        if not batch:
            return
        answers = yield batch
        self.rounds += 1
        for probes, bits in zip(batch, answers, strict=True):
            self.nans.update(dict.fromkeys(int(x) for x in bits[is_nan(bits)]))
            self.asked.append((probes, one_nan(bits)))
            self.inputs += len(probes)
        self.out_of_probes = self.count >= self.most

    @property
    def count(self) -> int:
        """Probes asked."""
        return sum(len(probes) for probes, _ in self.asked)

    def _fits(self, rule: AccumulationRule) -> bool:
        """Whether *rule* gives every answer; remembers how far it was seen to."""
        self._evaluated.add(rule)
        done = self._agreed.get(rule, 0)
        while 0 <= done < len(self.asked):
            probes, bits = self.asked[done]
            done = done + 1 if (predicted(rule, probes) == bits).all() else -1
        self._agreed[rule] = done
        return done >= 0

    def _left(self, rules: Iterable[AccumulationRule]) -> Rules:
        return [rule for rule in rules if self._fits(rule)]

    # ---- splitting

    def _split_directed(self, alive: Rules, pools: Sequence[Probes]) -> Generator[Batch, Answers, Rules]:
        """Ask directed probes, short ones first, until none splits the candidates."""
        for pool in pools:
            while len(alive) > 1 and not self.out_of_probes:
                chosen = splitting(predictions(alive, pool), BATCH)
                if not chosen:
                    break
                yield from self._ask([pool.take(chosen)])
                alive = self._left(alive)
        return alive

    def _random_round(self, alive: Rules) -> Generator[Batch, Answers, tuple[Rules, bool]]:
        """Ask random probes that split the candidates, and some that need not."""
        batch, split = [], False
        for probes in self._random(self.interface):
            found = predictions(alive, probes)
            self.inputs += len(probes)
            chosen = splitting(found, BATCH)
            split = split or bool(chosen)
            checks = [i for i in range(CHECKS * len(probes) // 500 + 4) if i not in chosen]
            batch.append(probes.take([*chosen, *checks]))
            self.inputs -= len(batch[-1])
        yield from self._ask(batch)
        return self._left(alive), split

    def _random(self, interface: Interface) -> Iterable[Probes]:
        for length in interface.lengths:
            yield stimulus(interface, self.rng, max(16, min(400, 16000 // length)), length)

    # ---- candidates

    def _with_variants(self, alive: Rules) -> Rules:
        """Add what is consistent and one change away from the first rules, presets first."""
        found = dict.fromkeys(alive)
        for rule in alive[:2]:
            found.update(dict.fromkeys(self._left(variants(rule, self.interface))))
        return list(found)[:_MEMBERS]

    def _hidden(self, alive: Rules) -> Rules:
        """Return consistent rules two changes away from the first whose changes hide each other's effect."""
        rule, members = alive[0], set(alive)
        changes = [each for each in changes_of(rule, self.interface) if len(each) == 1 and next(iter(each)) in _CORE]
        single = [self._canonical(rule, change) for change in changes]
        found: dict[AccumulationRule, None] = {}
        for i, j in combinations(range(len(changes)), 2):
            if changes[i].keys() == changes[j].keys() or (single[i] in members and single[j] in members):
                continue
            both = self._canonical(rule, {**changes[i], **changes[j]})
            if both is not None and both not in members and both not in found and self._fits(both):
                found[both] = None
        return list(found)

    def _two_away(self, rule: AccumulationRule) -> Rules:
        """Return consistent rules two changes away from a rule that is wrong.

        Two changes are combined if on each of a few wrong answers one of them has an effect.
        """
        wrong = [(p, b, np.flatnonzero(predicted(rule, p) != b)[:_WRONG]) for p, b in self.asked]
        hard = [(p.take(rows), b[rows]) for p, b, rows in wrong if len(rows)][:2]
        effects = []
        for change in changes_of(rule, self.interface):
            changed = self._canonical(rule, change)
            if changed is not None:
                effect = np.concatenate([predicted(changed, p) != predicted(rule, p) for p, _ in hard])
                effects.append((change, effect))
        found: dict[AccumulationRule, None] = {}
        for (first, effect), (second, other) in combinations(effects, 2):
            if first.keys() != second.keys() and (effect | other).all():
                both = self._canonical(rule, {**first, **second})
                if both is not None and all((predicted(both, p) == b).all() for p, b in hard) and self._fits(both):
                    found[both] = None
        return list(found)

    def _canonical(self, rule: AccumulationRule, change: dict[str, Any]) -> AccumulationRule | None:
        changed = changed_rule(rule, change)
        if changed is None or not takes(changed, self.interface):
            return None
        return canonical(changed, self.interface)

    def _climb(self, seeds: Sequence[AccumulationRule]) -> Rules:
        """Go from the rules that agree most to better ones a change away, at last two changes away.

        Returns those that agree on everything.
        """
        answers = np.concatenate([bits for _, bits in self.asked])
        narrow: tuple[AccumulatorFormat, ...] = ("fp16", "bf16")
        rounded = [rule for each in narrow if holds(each, answers) for rule in with_output(self.interface, each)]
        scores = {rule: self._score(rule) for rule in [*seeds, *rounded]}
        visited: set[AccumulationRule] = set()
        for _ in range(_CLIMBS):
            beam = _best(scores, _BEAM)
            if scores[beam[0]].share >= 1.0 or all(rule in visited for rule in beam):
                break
            for rule in beam:
                if rule not in visited:
                    visited.add(rule)
                    floor = scores[beam[-1]].share - 0.02
                    new = [v for v in variants(rule, self.interface) if v not in scores]
                    scores.update({v: self._score(v, floor) for v in new})
        found = [rule for rule, score in scores.items() if score.share >= 1.0 and self._fits(rule)]
        self.nearest = _best(scores, _NEAREST)
        for rule in self.nearest:
            found = found or self._two_away(rule)
        return found

    def _score(self, rule: AccumulationRule, floor: float = 0.0) -> _Score:
        """Return the share of answers that *rule* gives, inputs of one purpose together counting as one.

        A bound below *floor* is returned as soon as the share must be below it.
        """
        self._evaluated.add(rule)
        purposes: dict[str, list[bool]] = {}
        pattern: list[bytes] = []
        share = 1.0
        for probes, bits in self.asked:
            agrees = predicted(rule, probes) == bits
            pattern.append(agrees.tobytes())
            for name, agreed in zip(probes.names, agrees.tolist(), strict=True):
                purposes.setdefault(name.split()[0], []).append(agreed)
            shares = [sum(each) / len(each) for each in purposes.values()]
            share = sum(shares) / len(shares)
            if share < floor:
                break
        return _Score(share, b"".join(pattern))

    # ---- results

    def _counterexamples(self) -> Generator[Batch, Answers, tuple[Counterexample, ...]]:
        asked = self.asked
        found = []
        for rule in self.nearest:
            wrong = [(p, b, np.flatnonzero(predicted(rule, p) != b)) for p, b in asked]
            agrees = sum(len(p) - len(rows) for p, _, rows in wrong)
            each = yield from smaller(rule, [(p, b, rows) for p, b, rows in wrong if len(rows)])
            self.shrinking += each.asked
            found.append(
                Counterexample(
                    self._name(rule),
                    agrees,
                    sum(len(p) for p, _ in asked),
                    each.probe.text(0),
                    each.nonzero,
                    each.answered,
                    each.expected,
                )
            )
        return tuple(found)

    def _name(self, rule: AccumulationRule) -> str:
        names = family(self.interface).names
        if rule in names:
            return " = ".join(names[rule])
        near = min(names, key=lambda preset: len(differing(preset, rule)), default=None)
        if near is None:
            return differences(_DEFAULT, rule)
        return f"{names[near][0]} with {differences(near, rule)}"

    def _result(self, alive: Rules, examples: tuple[Counterexample, ...]) -> Identification:
        names = family(self.interface).names
        presets: list[str] = []
        but_nan: list[str] = []
        for rule in alive:
            for name in names.get(rule, ()):
                fits = not self.nans or get_rule(name).nan_float32 in self.nans
                (presets if fits else but_nan).append(name)
        settling = self._settling(alive)
        first = alive[0] if alive else None
        status: Any = "none" if first is None or len(self.nans) > 1 else "ambiguous" if settling else "identified"
        values, others = self._values(alive)
        return Identification(
            status=status,
            interface=self.interface,
            rule=None if first is None else self._described(first, presets),
            presets=tuple(presets),
            values=values,
            others=others,
            nan_patterns=tuple(sorted(self.nans)),
            presets_but_nan=tuple(but_nan),
            settling=settling,
            counterexamples=examples,
            probes=self.count + self.shrinking,
            inputs=self.inputs + self.shrinking,
            evaluated=len(self._evaluated),
            rounds=self.rounds,
        )

    def _described(self, rule: AccumulationRule, presets: Sequence[str]) -> AccumulationRule:
        if presets:
            return get_rule(presets[0])
        found = replace(rule, name="identified", source="identified from its answers")
        if len(self.nans) != 1:
            return found
        bits = next(iter(self.nans))
        half = bits >> 31 << 15 | 0x7C00 | bits >> 13 & 0x3FF
        pattern = {"fp16": half, "bf16": bits >> 16}.get(rule.result_format, bits)
        return changed_rule(found, {}, pattern) or found

    def _values(self, alive: Rules) -> tuple[dict[str, tuple[Any, ...]], tuple[str, ...]]:
        """Return, for fields of which other values were evaluated, the consistent ones; and the other rules."""
        if not alive:
            return {}, ()
        rule, others = alive[0], []
        values: dict[str, dict[Any, None]] = {}
        consistent = set(alive)
        for other in dict.fromkeys([*alive[1:], *variants(rule, self.interface)]):
            names = differing(rule, other)
            fits = other in consistent or self._fits(other)
            if len(names) == 1:
                own = values.setdefault(names[0], {getattr(rule, names[0]): None})
                if fits:
                    own[getattr(other, names[0])] = None
            elif fits:
                others.append(differences(rule, other))
        order = [each.name for each in fields(rule)]
        return {name: tuple(values[name]) for name in sorted(values, key=order.index)}, tuple(others)

    def _settling(self, alive: Rules) -> tuple[str, ...]:
        """Return inputs that would tell consistent rules apart: not asked for want of probes, or not askable."""
        if len(alive) < 2:
            return ()
        wide = replace(
            self.interface,
            lengths=tuple(sorted({*self.interface.lengths, *_whole(LENGTHS, self.interface.block)})),
            c_format="float32",
        )
        reason = "more inputs than allowed" if self.out_of_probes else "outside the interface"
        if wide == self.interface and not self.out_of_probes:
            return ()
        rules = [rule for rule in alive if takes(rule, wide)]
        for probes in [*directed(wide), *self._random(wide)]:
            found = predictions(rules, probes)
            chosen = splitting(found, 1)
            if chosen:
                parts = len(set(classes(found[:, chosen])))
                return (f"{probes.text(chosen[0])} ({reason}; {parts} different answers)",)
        return ()


def _whole(lengths: Iterable[int], block: int) -> list[int]:
    return [length for length in lengths if not block or length % block == 0]


_DEFAULT = AccumulationRule(name="candidate", source="", confidence="D")

_CORE = frozenset(
    {"group_size", "align_bits", "align_round", "term_exponent", "acc_in_align", "group_round", "group_format",
     "acc_format", "acc_round", "promote_every", "zero_sign", "ftz"}
)  # fmt: skip
"""Fields of which two may hide each other's change."""


def checked(answers: Any, probes: Probes) -> NDArray[np.uint32]:
    """Return answers of a black box after checking dtype and shape.

    Raises:
        ShapeError: If there is not one answer a probe.
        DtypeError: If they are no uint32.
    """
    bits = np.asarray(answers)
    if bits.dtype != np.uint32:
        raise DtypeError(f"the black box answers {bits.dtype}; it must answer Float32 bits as uint32")
    if bits.shape != (len(probes),):
        raise ShapeError(f"the black box answers shape {bits.shape} to {len(probes)} probes")
    return bits
