"""What every set of vectors is, whatever the operation: planes of input and of expected output, and classes.

A plane is a column of equally wide words; a word is a row of equally wide codes, code 0 in its least
significant bits. A bench needs nothing else to drive inputs and compare outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.formats import BlockFormat

Direction: TypeAlias = Literal["input", "output"]

MAX_COUNT = 10_000_000
"""Largest number of vectors of a set that is made in memory."""

_STEP_PLANES = ("a_elements", "a_scale", "b_elements", "b_scale", "last")


def is_by_step(plane: str) -> bool:
    """Return whether a plane has a word for each step of a vector; the others have one for each vector."""
    return plane in _STEP_PLANES


@dataclass(frozen=True, slots=True)
class PlaneShape:
    """What a plane looks like.

    Attributes:
        direction: ``input`` of the unit, or its expected ``output``.
        codes: Codes in a word.
        code_bits: Bits of a code.
        rows: Words.
    """

    direction: Direction
    codes: int
    code_bits: int
    rows: int

    @property
    def bits(self) -> int:
        """Bits of a word."""
        return self.codes * self.code_bits


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One input or output of the operation, for every row.

    Attributes:
        name: Name in files and reports.
        direction: ``input`` of the unit, or its expected ``output``.
        codes: Unsigned integers [rows, codes in a word].
        code_bits: Bits of a code.
    """

    name: str
    direction: Direction
    codes: NDArray[Any]
    code_bits: int

    @property
    def shape(self) -> PlaneShape:
        """Its shape."""
        rows, codes = self.codes.shape
        return PlaneShape(self.direction, int(codes), self.code_bits, int(rows))

    @property
    def bits(self) -> int:
        """Bits of a word."""
        return int(self.codes.shape[1]) * self.code_bits

    def words(self, rows: slice = slice(None)) -> NDArray[np.uint8]:
        """Return words as little-endian bytes [rows, bytes], code 0 in the lowest bits."""
        return pack_words(self.codes[rows], self.code_bits)


def pack_words(codes: NDArray[Any], code_bits: int) -> NDArray[np.uint8]:
    """Pack codes [N, k] without gaps into little-endian bytes [N, k * bits / 8], code 0 in the lowest bits."""
    if code_bits in (8, 16, 32):
        return np.ascontiguousarray(codes, f"<u{code_bits // 8}").view(np.uint8).reshape(len(codes), -1)
    assert code_bits < 8, "wider codes are of whole bytes"
    small = codes.astype(np.uint8, copy=False)
    if code_bits == 4 and small.shape[1] % 2 == 0:
        return small[:, 0::2] | small[:, 1::2] << np.uint8(4)
    if code_bits == 6 and small.shape[1] % 4 == 0:
        c0, c1, c2, c3 = (small[:, i::4] for i in range(4))
        packed = np.empty((len(small), small.shape[1] // 4, 3), np.uint8)
        packed[..., 0] = c0 | c1 << np.uint8(6)
        packed[..., 1] = c1 >> np.uint8(2) | c2 << np.uint8(4)
        packed[..., 2] = c2 >> np.uint8(4) | c3 << np.uint8(2)
        return packed.reshape(len(small), -1)
    each = np.unpackbits(small[..., None], axis=-1, count=code_bits, bitorder="little")
    return np.packbits(each.reshape(len(codes), -1), axis=-1, bitorder="little")


def rows_of_runs(bounds: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of the runs *chosen*, in their order; run i is made of rows bounds[i] ... bounds[i + 1] - 1."""
    lengths = np.diff(bounds)[chosen]
    before = np.cumsum(lengths) - lengths
    return np.repeat(bounds[chosen] - before, lengths) + np.arange(lengths.sum())


def code_type(code_bits: int) -> np.dtype[Any]:
    """Return the unsigned type of the fewest bytes that holds codes of so many bits, little-endian."""
    return np.dtype(f"<u{max(1, code_bits // 8)}")


def unpack_words(words: NDArray[np.uint8], codes: int, code_bits: int) -> NDArray[Any]:
    """Return the codes [N, k] of `pack_words`' bytes, as unsigned integers of the fewest bytes."""
    if code_bits in (8, 16, 32):
        native = np.dtype(f"u{code_bits // 8}")
        return np.ascontiguousarray(words).view(native.newbyteorder("<")).astype(native)
    each = np.unpackbits(words, axis=-1, count=codes * code_bits, bitorder="little")
    return np.packbits(each.reshape(len(words), codes, code_bits), axis=-1, bitorder="little")[..., 0]


@dataclass(frozen=True, slots=True)
class StimulusClassRange:
    """The vectors of a set that belong to one stimulus class: *count* of them from *first* on."""

    name: str
    description: str
    first: int
    count: int

    @property
    def dots(self) -> range:
        """Numbers of the vectors."""
        return range(self.first, self.first + self.count)


class VectorSet(ABC):
    """Inputs of an operation and the results that the model gives.

    Attributes:
        operation: Name of the operation.
        classes: The stimulus classes, in order, covering all vectors.
        call: What made the set, as JSON values.
    """

    operation: ClassVar[str]
    classes: tuple[StimulusClassRange, ...]
    call: dict[str, object]

    @property
    @abstractmethod
    def vectors(self) -> int:
        """Number of vectors: of expected results."""

    @abstractmethod
    def planes(self) -> tuple[Plane, ...]:
        """Return all planes, inputs first; what files hold and benches drive and compare."""

    @abstractmethod
    def parameters(self) -> dict[str, object]:
        """Return formats, rule and options as JSON values: what fixes the operation."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """Return how many of what the planes have a word for."""

    @abstractmethod
    def rows_of(self, i: int) -> slice:
        """Return the rows of the input planes that vector *i* is made of."""

    @abstractmethod
    def by_model(self) -> dict[str, NDArray[Any]]:
        """Return the codes of every output plane, computed again by the model."""

    @abstractmethod
    def by_oracle(self, i: int) -> dict[str, list[int]]:
        """Return the codes of row *i* of every output plane by the oracle."""

    @property
    @abstractmethod
    def oracle_vectors(self) -> int:
        """How many vectors the oracle judges in about a second."""

    @property
    @abstractmethod
    def number_formats(self) -> tuple[str, ...]:
        """Names of the element and scale formats that the set is about."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Formats and rule, for one line."""

    def class_of(self, i: int) -> StimulusClassRange:
        """Return the stimulus class that vector *i* belongs to."""
        return next(each for each in self.classes if i in each.dots)


class RowSet(VectorSet):
    """A set with a row of every plane for each vector.

    Attributes:
        arrays: Names of the attributes that have an item for each vector.
        unit: What a vector is, for counts.
    """

    arrays: ClassVar[tuple[str, ...]]
    unit: ClassVar[str] = "blocks"

    @property
    def vectors(self) -> int:
        """Number of vectors."""
        return len(getattr(self, self.arrays[0]))

    def counts(self) -> dict[str, int]:
        """Return the number of vectors."""
        return {self.unit: self.vectors}

    def rows_of(self, i: int) -> slice:
        """Return the row of vector *i*."""
        return slice(i, i + 1)


def parts_of(fmt: BlockFormat) -> tuple[str, ...]:
    """Return the names of the element and the scale format of blocks."""
    return fmt.element.name, fmt.scale.name
