"""Sets in pieces: any number of vectors in the memory of one piece, and shards of a set on several machines.

A piece is a function of the call and its number, so the planes of all shards after each other are the planes of the
whole set, whatever the number of shards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

from refmodel.errors import DefinitionError
from refmodel.vectors.vectorset import VectorSet

FIRST = 1 << 16
"""Vectors asked for in the first piece."""

PIECE = 1 << 15
"""Vectors of a later piece."""

MAX_STREAM = 1 << 36
"""Largest number of vectors of a set."""

_Set = TypeVar("_Set", bound=VectorSet)


@dataclass(frozen=True)
class Shard:
    """Part *index*, from 0, of *of* parts of a set."""

    index: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.of:
            raise DefinitionError(f"shard {self.index}/{self.of}: shards of {self.of} are 0/{self.of} and up")


WHOLE = Shard()


class Pieces(ABC, Generic[_Set]):
    """The pieces of a set of at least *count* vectors."""

    count: int

    @property
    @abstractmethod
    def total(self) -> int:
        """Number of pieces."""

    @abstractmethod
    def piece(self, number: int) -> _Set:
        """Return piece *number*, from 0; its call says the count and shard 0/1."""

    def parts(self, shard: Shard = WHOLE, progress: Callable[[str], None] = lambda step: None) -> Iterator[_Set]:
        """Yield the pieces of a shard; *progress* is told of every tenth of them.

        Raises:
            DefinitionError: If there are more shards than pieces.
        """
        if shard.of > self.total:
            many = f"a set of {self.count} has {self.total} pieces and no more shards"
            raise DefinitionError(f"shard {shard.index}/{shard.of}: {many}")
        start, end = (index * self.total // shard.of for index in (shard.index, shard.index + 1))
        for number in range(start, end):
            tenth, before = (10 * done // (end - start) for done in (number - start, number - start - 1))
            if number > start and tenth != before:
                progress(f"the rest, {10 * tenth} % done")
            yield with_call(self.piece(number), shard=[shard.index, shard.of])


@dataclass(frozen=True)
class RowPieces(Pieces[VectorSet]):
    """Pieces of a set whose first is made like a small set, and of which *more* makes the others.

    Attributes:
        first: The first piece.
        count: Vectors of the whole set at least.
        more: Function of the number of a later piece, from 0, and its size; None where there is no more to say.
    """

    first: VectorSet
    count: int
    more: Callable[[int, int], VectorSet] | None

    @property
    def total(self) -> int:
        """Number of pieces."""
        return 1 if self.more is None else 1 + -(-self._rest // PIECE)

    @property
    def _rest(self) -> int:
        return max(0, self.count - self.first.vectors)

    def piece(self, number: int) -> VectorSet:
        """Return piece *number*."""
        part = self.first
        if number and self.more is not None:
            part = self.more(number - 1, min(PIECE, self._rest - (number - 1) * PIECE))
        return with_call(part, count=self.count)


def with_call(vectors: _Set, **changes: object) -> _Set:
    """Return a set whose call says something else."""
    return cast(_Set, replace(cast("Any", vectors), call={**vectors.call, **changes}))


def check_stream(count: int) -> None:
    """Refuse a count that is out of range.

    Raises:
        DefinitionError: If so.
    """
    if not 1 <= count <= MAX_STREAM:
        raise DefinitionError(f"count {count} is not between 1 and {MAX_STREAM}")
