"""Large sets of tiles, a piece at a time: the pieces of dot products that `refmodel.vectors.dotstream` makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from refmodel.formats import BlockFormat, ElementFormat
from refmodel.vectors.dotstream import DotPieces, dot_pieces
from refmodel.vectors.pieces import MAX_STREAM, Pieces, check_stream
from refmodel.vectors.tiles import TileVectors, check_extents, tiles_of


def tile_pieces(
    a_format: str | BlockFormat | ElementFormat,
    b_format: str | BlockFormat | ElementFormat,
    *,
    rows: int,
    columns: int,
    count: int,
    progress: Callable[[str], None] = lambda step: None,
    **call: Any,
) -> TilePieces:
    """Return the pieces of a set of at least *count* tiles; arguments and errors as `make_tile_vectors`."""
    check_stream(count)
    check_extents(rows, columns)
    wanted = min(count * max(rows, columns), MAX_STREAM)
    dots = dot_pieces(a_format, b_format, multi_block=True, count=wanted, progress=progress, **call)
    return TilePieces(dots, rows, columns, count)


@dataclass(frozen=True)
class TilePieces(Pieces[TileVectors]):
    """Pieces of tiles, each made from a piece of dot products."""

    dots: DotPieces
    rows: int
    columns: int
    count: int

    @property
    def total(self) -> int:
        """Number of pieces."""
        return self.dots.total

    def piece(self, number: int) -> TileVectors:
        """Return piece *number*."""
        return tiles_of(self.dots.piece(number), self.rows, self.columns, self.count)
