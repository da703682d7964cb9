"""How much there is to run: the levels of a suite of vectors, each a number of vectors for every operation.

==========  ============================================================================
smoke       minutes in a slow simulator: all classes, at most 2,000 vectors
standard    every commit: each class with room for its cases
signoff     before a release: 10,000,000 dot products, conversions by the hundred thousand
soak        endless: the pieces of the largest set there is, run shard by shard as long as one likes
==========  ============================================================================

A class has a minimum that a small set holds as well, so a set may have more vectors than its level asks for; that of
``smoke`` has no more than SMOKE_LIMIT for any format, pair and rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from refmodel.errors import unknown_name
from refmodel.vectors.pieces import MAX_STREAM

SMOKE_LIMIT = 2_000
"""Most vectors of a set of level ``smoke``."""


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a suite.

    Attributes:
        name: Name on the command line and in reports.
        purpose: When it is run, in a sentence.
        counts: Vectors to ask for, by operation.
        endless: Whether it is run in shards until one has enough of it.
    """

    name: str
    purpose: str
    counts: Mapping[str, int]
    endless: bool = False


def _counts(dots: int, tiles: int, conversions: int, numbers: int) -> Mapping[str, int]:
    return MappingProxyType(
        {
            "dot": dots,
            "dot_general": dots,
            "matmul_tile": tiles,
            "quantize": conversions,
            "dequantize": conversions,
            "decode": numbers,
            "encode": numbers,
            "pack": conversions,
            "unpack": conversions,
        }
    )


LEVELS: Mapping[str, Level] = MappingProxyType(
    {
        level.name: level
        for level in (
            Level("smoke", "minutes in a slow simulator; every class", _counts(1_000, 200, 1_000, 2_000)),
            Level("standard", "every commit; room for every case", _counts(20_000, 2_000, 10_000, 30_000)),
            Level("signoff", "before a release; hours", _counts(10_000_000, 100_000, 500_000, 500_000)),
            Level("soak", "endless; in shards", _counts(*[MAX_STREAM] * 4), endless=True),
        )
    }
)
"""The levels by name, the smallest first."""


def get_level(name: str) -> Level:
    """Return the level of that name.

    Raises:
        UnknownNameError: If there is none.
    """
    if name not in LEVELS:
        raise unknown_name("level", name, LEVELS)
    return LEVELS[name]
