"""Large sets of dot products, a piece at a time: any number of vectors in the memory of one piece.

A set of up to FIRST dot products is one piece, that of `make_dot_vectors`. A larger one goes on from that: every pair
of element codes where the count has room for them, variations of the aimed dot products, then uniform blocks, see
`refmodel.vectors.bulk`. A piece is a function of the call and its number, so a set may be made in shards, on one
machine or many, and the shards' planes after each other are the planes of the whole set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from refmodel.formats import BlockFormat, ElementFormat
from refmodel.vectors import bulk
from refmodel.vectors.dotset import DotVectors, dot_results, make_dot_vectors, unscaled_blocks
from refmodel.vectors.initial import draw_initial
from refmodel.vectors.pieces import FIRST, MAX_STREAM, WHOLE, Pieces, Shard, check_stream, with_call
from refmodel.vectors.selection import select_vectors
from refmodel.vectors.stimulus import Stimulus
from refmodel.vectors.suite import ALL_PAIRS, FILLER
from refmodel.vectors.vectorset import StimulusClassRange

__all__ = ["DESCRIPTIONS", "FIRST", "MAX_STREAM", "DotPieces", "Shard", "dot_pieces", "stream_dot_vectors"]

DESCRIPTIONS = {
    "pairs": "every pair of element codes alone in a lane that rotates",
    "variations": "the aimed dot products above again: lanes, signs, scales and operands changed, exact sums the same "
    "or negated",
    "uniform": "codes uniform within a narrow band of magnitudes or all of them, at times any; scales near 1.0 and far",
}
"""What the classes after those of the first piece provoke."""


def stream_dot_vectors(
    a_format: str | BlockFormat | ElementFormat,
    b_format: str | BlockFormat | ElementFormat,
    *,
    count: int,
    shard: Shard = WHOLE,
    progress: Callable[[str], None] = lambda step: None,
    **call: Any,
) -> Iterator[DotVectors]:
    """Make a set of at least *count* dot products, or a shard of one, a piece at a time.

    Args:
        a_format, b_format, progress: As `make_dot_vectors`.
        count: Dot products of the whole set, 1 to MAX_STREAM.
        shard: Which part of the set.
        call: The other arguments of `make_dot_vectors`.

    Yields:
        Vectors whose planes, one after the other, are those of the set or shard.

    Raises:
        DefinitionError: If the count is out of range, or there are more shards than pieces, and as `make_dot_vectors`.
        UnknownNameError, ShapeError, DtypeError: As `make_dot_vectors`.
    """
    return dot_pieces(a_format, b_format, count=count, progress=progress, **call).parts(shard, progress)


def dot_pieces(
    a_format: str | BlockFormat | ElementFormat,
    b_format: str | BlockFormat | ElementFormat,
    *,
    count: int,
    progress: Callable[[str], None] = lambda step: None,
    **call: Any,
) -> DotPieces:
    """Return the pieces of a set of at least *count* dot products; arguments and errors as `stream_dot_vectors`."""
    check_stream(count)
    first = make_dot_vectors(a_format, b_format, count=min(count, FIRST), progress=progress, **call)
    return DotPieces(with_call(first, count=count), count)


@dataclass(frozen=True)
class DotPieces(Pieces[DotVectors]):
    """The pieces of a set of *count* dot products that begins with *first*."""

    first: DotVectors
    count: int

    @cached_property
    def key(self) -> bulk.Key:
        call = self.first.call
        return bulk.Key(int(str(call["seed"])), self.first.a.format, self.first.b.format, bool(call["multi_block"]))

    @cached_property
    def pairs(self) -> int:
        """Dot products of the class of all pairs: in sets that have room for twice as many others."""
        pairs = bulk.pair_count(self.key)
        return pairs if self.rest >= 3 * pairs else 0

    @property
    def rest(self) -> int:
        """Dot products after the first piece."""
        return max(0, self.count - self.first.dots)

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Pieces of pairs, of variations, and uniform ones."""
        others = -(-(self.rest - self.pairs) // bulk.PIECE)
        return -(-self.pairs // bulk.PIECE), others // 2, others - others // 2

    @property
    def total(self) -> int:
        """Number of pieces."""
        return 1 + sum(self.numbers)

    def piece(self, number: int) -> DotVectors:
        """Return piece *number*."""
        if number == 0:
            return self.first
        of_pairs, of_variations, of_uniform = self.numbers
        number -= 1
        if number < of_pairs:
            return self._vectors("pairs", bulk.pairs(self.key, number), number)
        number -= of_pairs
        if number < of_variations:
            return self._vectors("variations", self._variations(number), number)
        number -= of_variations
        size = bulk.PIECE
        if number == of_uniform - 1:  # the last, which has what is left
            size = self.rest - self.pairs - (of_variations + of_uniform - 1) * bulk.PIECE
        return self._vectors("uniform", bulk.uniform(self.key, number, size), number)

    def _variations(self, number: int) -> Stimulus:
        return bulk.variations(self.key, self._aimed, number, bulk.PIECE, self.first.scaled)

    @cached_property
    def _aimed(self) -> Stimulus:
        """The dot products of the first piece that aim at something: not pairs of codes, which come whole, and not
        random ones."""
        first = self.first
        chosen = np.zeros(first.dots, np.bool_)
        for each in first.classes:
            chosen[each.first : each.first + each.count] = each.name not in (ALL_PAIRS, FILLER)
        aimed = select_vectors(first, np.flatnonzero(chosen))
        return Stimulus(aimed.a, aimed.b, aimed.last, aimed.c)

    def _vectors(self, name: str, stimulus: Stimulus, number: int) -> DotVectors:
        first = self.first
        a, b, c = stimulus.a, stimulus.b, stimulus.c
        if first.c is not None and c is None:
            c = draw_initial(stimulus, name, self.key.draws(f"c/{name}", number), first.scaled)
        if not first.scaled:
            a, b = (unscaled_blocks(blocks.format.element, blocks.codes) for blocks in (a, b))
        return replace(
            first,
            a=a,
            b=b,
            last=stimulus.last,
            results=dot_results(a, b, stimulus.last, first.rule, c, first.scaled),
            classes=(StimulusClassRange(name, DESCRIPTIONS[name], 0, stimulus.dots),),
            c=c,
        )
