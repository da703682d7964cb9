"""The conversation with a black box: ask what splits the candidates best, drop those refuted, until nothing splits.

`conversation` is a generator of batches of probes that wants their answers back, and depends on nothing else, so that
asking a function and exchanging files are the same search.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule
from refmodel.errors import DtypeError, ShapeError
from refmodel.identify.climb import climb, hidden
from refmodel.identify.conclude import conclusion, name_of
from refmodel.identify.directed import directed
from refmodel.identify.evaluate import is_nan, predicted, predictions, splitting
from refmodel.identify.evidence import Evidence
from refmodel.identify.family import family, variants
from refmodel.identify.probes import BlackBox, Interface, Probes
from refmodel.identify.report import Counterexample, Identification
from refmodel.identify.shrink import smaller
from refmodel.identify.stimulus import random_probes

Batch: TypeAlias = list[Probes]
Answers: TypeAlias = list[NDArray[np.uint32]]
Rules: TypeAlias = list[AccumulationRule]

BATCH = 16
"""Probes of a length that split, asked at a time."""

QUIET_ROUNDS = 3
"""Rounds of random inputs without a split that end the search."""

MOST = 4000
"""Probes asked at most."""

_MEMBERS = 400
_CLIMBS = 2


def identify(black_box: BlackBox, interface: Interface, *, seed: int = 1, most: int = MOST) -> Identification:
    """Return which accumulation rules are consistent with what *black_box* answers.

    Args:
        black_box: Returns the Float32 bits, uint32 [n], of a batch of probes.
        interface: What it takes.
        seed: Of the random inputs.
        most: Probes after which no further round begins; those that shrink counterexamples are not counted.

    Raises:
        ShapeError: If the black box returns another shape.
        DtypeError: If it returns anything but uint32.
    """
    asking = conversation(interface, seed=seed, most=most)
    batch = next(asking)
    while True:
        try:
            batch = asking.send([_checked(black_box(probes), probes) for probes in batch])
        except StopIteration as end:
            result: Identification = end.value
            return result


def conversation(interface: Interface, *, seed: int = 1, most: int = MOST) -> Generator[Batch, Answers, Identification]:
    """Yield batches of probes, want their answers, and return the identification; see `identify`."""
    return (yield from _Search(Evidence(interface), np.random.default_rng(seed), most).run())


@dataclass(slots=True)
class _Search:
    evidence: Evidence
    rng: np.random.Generator
    most: int
    rounds: int = 0
    tried: int = 0
    shrinking: int = 0
    nearest: Rules = field(default_factory=list)

    def run(self) -> Generator[Batch, Answers, Identification]:
        """Return what is found."""
        consistent = yield from self._consistent()
        examples: list[Counterexample] = []
        if not consistent:
            for rule in self.nearest:
                examples.append((yield from self._counterexample(rule)))
        return conclusion(
            self.evidence,
            consistent,
            examples,
            cut_short=self._spent,
            rounds=self.rounds,
            shrinking=self.shrinking,
            tried=self.tried,
            rng=self.rng,
        )

    def _consistent(self) -> Generator[Batch, Answers, Rules]:
        """Return the rules that agree with every answer, presets first."""
        interface = self.evidence.interface
        seeds, pools = family(interface).seeds, directed(interface)
        alive = yield from self._directed_rounds(list(seeds), pools)
        yield from self._ask(self._of_nan(seeds[0], pools))
        alive = self.evidence.fitting(alive)
        expanded: AccumulationRule | None = None
        climbs = quiet = 0
        looked_for_hidden = False
        while alive or climbs < _CLIMBS:
            if not alive:
                if not climbs:
                    yield from self._ask(pools)
                climbs += 1
                alive, self.nearest = climb(self.evidence, seeds)
                if not alive:
                    break
            elif self._spent:
                break
            elif alive[0] != expanded:
                expanded = alive[0]
                alive = yield from self._directed_rounds(self._with_variants(alive), pools)
            elif quiet < QUIET_ROUNDS:
                alive, is_quiet = yield from self._random_round(alive)
                quiet = quiet + 1 if is_quiet else 0
            elif not looked_for_hidden:
                looked_for_hidden = True
                more = hidden(self.evidence, alive)
                alive, quiet = [*alive, *more], 0 if more else quiet
            else:
                break
        return alive

    def _of_nan(self, rule: AccumulationRule, pools: Sequence[Probes]) -> Batch:
        """Return a few inputs of each length whose result is NaN, of whatever bits, to see its pattern."""
        return [pool.take(np.flatnonzero(is_nan(predicted(rule, pool)))[:4]) for pool in pools]

    @property
    def _spent(self) -> bool:
        return self.evidence.count >= self.most

    def _ask(self, batch: Iterable[Probes]) -> Generator[Batch, Answers, None]:
        batch = [probes for probes in batch if len(probes)]
        if batch:
            answers = yield batch
            self.rounds += 1
            for probes, bits in zip(batch, answers, strict=True):
                self.evidence.add(probes, bits)
                self.tried += len(probes)

    def _directed_rounds(self, alive: Rules, pools: Sequence[Probes]) -> Generator[Batch, Answers, Rules]:
        """Ask directed probes, short ones first, until none splits the candidates."""
        for pool in pools:
            while len(alive) > 1 and not self._spent:
                chosen = splitting(predictions(alive, pool), BATCH)
                if not chosen:
                    break
                yield from self._ask([pool.take(chosen)])
                alive = self.evidence.fitting(alive)
        return alive

    def _random_round(self, alive: Rules) -> Generator[Batch, Answers, tuple[Rules, bool]]:
        """Ask random probes that split the candidates, and some that need not; was none split or refuted?

        The latter are for a black box that follows no rule.
        """
        batch, is_quiet = [], True
        for probes in random_probes(self.evidence.interface, self.rng):
            chosen = splitting(predictions(alive, probes), BATCH)
            is_quiet = is_quiet and not chosen
            batch.append(probes.take([*chosen, *(i for i in range(4 + len(probes) // 10) if i not in chosen)]))
            self.tried += len(probes) - len(batch[-1])
        yield from self._ask(batch)
        left = self.evidence.fitting(alive)
        return left, is_quiet and len(left) == len(alive)

    def _with_variants(self, alive: Rules) -> Rules:
        """Add what is consistent and one change away from the first rules."""
        found = dict.fromkeys(alive)
        for rule in alive[:2]:
            found.update(dict.fromkeys(self.evidence.fitting(variants(rule, self.evidence.interface))))
        return list(found)[:_MEMBERS]

    def _counterexample(self, rule: AccumulationRule) -> Generator[Batch, Answers, Counterexample]:
        wrong = self.evidence.wrong(rule)
        found = yield from smaller(rule, wrong)
        self.shrinking += found.asked
        return Counterexample(
            rule=name_of(rule, self.evidence.interface),
            agrees=self.evidence.count - sum(len(rows) for _, _, rows in wrong),
            asked=self.evidence.count,
            text=found.probe.text(0),
            nonzero=found.nonzero,
            answered=found.answered,
            expected=found.expected,
        )


def _checked(answers: Any, probes: Probes) -> NDArray[np.uint32]:
    bits = np.asarray(answers)
    if bits.dtype != np.uint32:
        raise DtypeError(f"the black box answers {bits.dtype}; it must answer Float32 bits as uint32")
    if bits.shape != (len(probes),):
        raise ShapeError(f"the black box answers shape {bits.shape} to {len(probes)} probes")
    return bits
