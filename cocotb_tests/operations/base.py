"""What the bench asks of the vector sets of an operation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocotb_tests.packing import Codes
from refmodel.conformance import Configuration, Description
from refmodel.vectors.pairs import TensorPair
from refmodel.vectors.vectorset import VectorSet


@dataclass(frozen=True, slots=True)
class VectorRequest:
    """What a run asks of a vector set: items at least, seed, and the matrices to take blocks from."""

    count: int
    seed: int
    tensors: Sequence[TensorPair]


@dataclass(frozen=True)
class Planes:
    """What the ports carry: codes by role, and the beats that each item is made of.

    Attributes:
        inputs: By role, codes [beats, codes in a beat].
        bounds: int64 [items + 1]: item i is made of beats bounds[i] ... bounds[i + 1] - 1.
        outputs: By role, codes [items, codes of a result].
    """

    inputs: Mapping[str, Codes]
    bounds: NDArray[np.int64]
    outputs: Mapping[str, Codes]


@dataclass(frozen=True)
class Part:
    """Items that are vectors of one set.

    Attributes:
        vectors: The set.
        items: int64 [n], numbers of the items.
        places: int64 [n], ascending, their numbers in the set.
    """

    vectors: VectorSet
    items: NDArray[np.int64]
    places: NDArray[np.int64]


class Items(ABC):
    """Items with their expected results. An item is what gives one result: a dot product, a block, a tile.

    Attributes:
        classes: Names of the stimulus classes.
        class_of: int64 [items], the class of each item as an index of `classes`.
    """

    classes: Sequence[str]
    class_of: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of items."""
        return len(self.class_of)

    @abstractmethod
    def planes(self, description: Description, configuration: Configuration) -> Planes:
        """Return what the ports of a design carry in all roles that it has and that matter."""

    @abstractmethod
    def parts(self) -> list[Part]:
        """Return the vector sets that the items come from."""

    @abstractmethod
    def explain(self, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
        """Return lines on a wrong result: operands, expected and seen, and what the difference looks like.

        Args:
            item: Number of the item.
            seen: The codes that came, by role.
            full: Print everything, however long.
        """


def whole(vectors: VectorSet) -> list[Part]:
    """Return the parts of items that are the vectors of one set, in its order."""
    numbers = np.arange(vectors.vectors)
    return [Part(vectors, numbers, numbers)]


class Family(ABC):
    """The vector sets for the designs of one operation.

    Attributes:
        default_count: Items of a set by default, by simulator.
    """

    default_count: Mapping[str, int]

    @abstractmethod
    def call(self, description: Description, configuration: Configuration) -> list[object]:
        """Return what decides the bits of a set beside the request, as JSON values."""

    @abstractmethod
    def make(
        self, description: Description, configuration: Configuration, request: VectorRequest, directory: Path
    ) -> None:
        """Write a set into *directory*, which exists and is empty.

        Raises:
            MxError: If there is no such set.
        """

    @abstractmethod
    def read(self, configuration: Configuration, directory: Path) -> Items:
        """Return the set that stands in *directory*.

        Raises:
            MxError: If it is damaged.
        """


def class_indices(ranges: Sequence[range]) -> NDArray[np.int64]:
    """Return the class of every item, the classes being ranges one after the other."""
    return np.repeat(np.arange(len(ranges)), [len(each) for each in ranges])
