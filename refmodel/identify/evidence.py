"""What a black box has answered, and which rules agree with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule
from refmodel.identify.evaluate import is_nan, one_nan, predicted
from refmodel.identify.probes import Interface, Probes


@dataclass(frozen=True, slots=True)
class Score:
    """How much of the answers a rule gives, and which."""

    share: float
    agreements: bytes


@dataclass(slots=True)
class Evidence:
    """Probes and answers so far.

    Attributes:
        interface: What the black box takes.
        asked: Probes with their answers, every NaN as one.
        nans: Bits of the NaN answers.
        evaluated: Rules held to the answers.
    """

    interface: Interface
    asked: list[tuple[Probes, NDArray[np.uint32]]] = field(default_factory=list)
    nans: set[int] = field(default_factory=set)
    evaluated: set[AccumulationRule] = field(default_factory=set)
    _agreed: dict[AccumulationRule, int] = field(default_factory=dict)

    def add(self, probes: Probes, answers: NDArray[np.uint32]) -> None:
        """Take the answers to probes."""
        self.nans.update(answers[is_nan(answers)].tolist())
        self.asked.append((probes, one_nan(answers)))

    @property
    def count(self) -> int:
        """Probes asked."""
        return sum(len(probes) for probes, _ in self.asked)

    def fits(self, rule: AccumulationRule) -> bool:
        """Return whether *rule* gives every answer; how far it was seen to is remembered."""
        self.evaluated.add(rule)
        done = self._agreed.get(rule, 0)
        while 0 <= done < len(self.asked):
            probes, bits = self.asked[done]
            done = done + 1 if (predicted(rule, probes) == bits).all() else -1
        self._agreed[rule] = done
        return done >= 0

    def fitting(self, rules: Iterable[AccumulationRule]) -> list[AccumulationRule]:
        """Return the rules that give every answer."""
        return [rule for rule in rules if self.fits(rule)]

    def score(self, rule: AccumulationRule, floor: float = 0.0) -> Score:
        """Return the share of answers that *rule* gives, inputs of one purpose together counting as one.

        Once it falls below *floor*, the share of the answers up to there is returned.
        """
        self.evaluated.add(rule)
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
        return Score(share, b"".join(pattern))

    def wrong(self, rule: AccumulationRule) -> list[tuple[Probes, NDArray[np.uint32], NDArray[np.int64]]]:
        """Return probes and answers with the rows in which *rule* is wrong, where there are any."""
        found = [(probes, bits, np.flatnonzero(predicted(rule, probes) != bits)) for probes, bits in self.asked]
        return [(probes, bits, rows) for probes, bits, rows in found if len(rows)]
