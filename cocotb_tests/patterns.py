"""Named, seeded patterns of stalls: when the bench offers operands and when it takes results."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle

_PERIOD_CYCLES = 4096  # long beside any pipeline; a pattern is made once and then repeats

LONGEST_STALL_CYCLES = 200
"""No pattern stays closed for longer; whoever waits for a transfer must wait longer than this."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """When one side of the stream is open.

    Attributes:
        name: Name used in test names and reports.
        make: One period, from a random generator; True where the side is open in that clock cycle.
    """

    name: str
    make: Callable[[random.Random], list[bool]]

    def cycles(self, seed: str) -> Iterator[bool]:
        """Return the endless pattern for *seed*."""
        return cycle(self.make(random.Random(seed)))


def _runs(open_cycles: tuple[int, int], closed_cycles: tuple[int, int]) -> Callable[[random.Random], list[bool]]:
    """Alternate open and closed runs, each length drawn uniformly from its range."""

    def make(rng: random.Random) -> list[bool]:
        period: list[bool] = []
        while len(period) < _PERIOD_CYCLES:
            period += [True] * rng.randint(*open_cycles) + [False] * rng.randint(*closed_cycles)
        return period

    return make


ALWAYS = Pattern("always", lambda rng: [True])
NEVER = Pattern("never", lambda rng: [False])
RANDOM = Pattern("random", lambda rng: [rng.random() < 0.5 for _ in range(_PERIOD_CYCLES)])
BURSTS = Pattern("bursts", _runs((1, 16), (1, 16)))
SINGLES = Pattern("singles", _runs((1, 1), (1, 6)))
LONG_STALLS = Pattern("long_stalls", _runs((1, 100), (50, LONGEST_STALL_CYCLES)))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A pattern on each side: *offer* of the operands, *take* of the results."""

    name: str
    offer: Pattern
    take: Pattern


FULL_RATE = Scenario("full_rate", ALWAYS, ALWAYS)
CLOSED = (Scenario("closed", ALWAYS, NEVER), Scenario("closed_slow_producer", SINGLES, NEVER))
STALLS = (
    Scenario("random", RANDOM, RANDOM),
    Scenario("bursts", BURSTS, BURSTS),
    Scenario("slow_producer", SINGLES, ALWAYS),
    Scenario("slow_consumer", ALWAYS, SINGLES),
    Scenario("long_stalls", LONG_STALLS, LONG_STALLS),
)
