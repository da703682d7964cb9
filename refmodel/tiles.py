"""Going through an array of blocks in tiles that fit a cache, in any layout, with one thread or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import NamedTuple, TypeAlias

from refmodel.errors import DefinitionError

# Elements worked on at a time: enough to make the cost of a numpy call small beside its work, and few enough that
# the temporaries of the widest path, a dozen float64 arrays, take some 20 MiB a thread.
TILE_ELEMENTS = 1 << 18

Index: TypeAlias = tuple[slice, ...]


class Tile(NamedTuple):
    """Whole blocks, or a part of one block that is larger than a tile.

    Attributes:
        scales: Index into [..., n_blocks].
        codes: Index into [..., n_blocks, block_size].
        columns: Index into the rows [..., length] that the blocks stand for.
    """

    scales: Index
    codes: Index
    columns: Index


def for_each_tile(
    blocks: tuple[int, ...], block_size: int, length: int, work: Callable[[Tile], None], threads: int = 1
) -> None:
    """Call *work* for every tile of blocks of shape [..., n_blocks] that stand for rows of *length* elements.

    Slices leave strides alone, so an array in any layout is worked on without being copied as a whole. Tiles
    do not overlap; with several threads, which take turns, their order is open.

    Raises:
        DefinitionError: If threads is below 1.
    """
    if not isinstance(threads, int) or threads < 1:
        raise DefinitionError(f"threads={threads!r} must be an integer of at least 1")
    tiles = _tiles(blocks, block_size, length)
    if threads == 1:
        for tile in tiles:
            work(tile)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, tiles):
            pass


def _tiles(blocks: tuple[int, ...], block_size: int, length: int) -> Iterator[Tile]:
    shape = (*blocks, block_size)
    steps, room = [], TILE_ELEMENTS
    for extent in reversed(shape):
        step = max(1, min(extent, room))
        steps.append(step)
        room //= step
    starts = [range(0, n, step) for n, step in zip(shape, reversed(steps), strict=True)]
    for corner in product(*starts):
        *lead, first, inside = (
            slice(i, min(i + step, n)) for i, step, n in zip(corner, reversed(steps), shape, strict=True)
        )
        begin = first.start * block_size + inside.start
        end = (first.stop - 1) * block_size + inside.stop
        columns = slice(min(begin, length), min(end, length))
        yield Tile((*lead, first), (*lead, first, inside), (*lead, columns))
