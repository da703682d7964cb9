"""What a cause is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from numpy.typing import NDArray

from refmodel.vectors.vectorset import VectorSet

Results: TypeAlias = Mapping[str, NDArray[Any]]
"""Codes [vectors, codes in a word] of each output plane."""


@dataclass(frozen=True, eq=False)
class Case:
    """Some vectors, and what a design gave.

    Attributes:
        vectors: The vectors.
        seen: The results of the design.
        before, after: Expected results of the vector before and after each in the whole set; of the first and
            the last one its own.
    """

    vectors: VectorSet
    seen: Results
    before: Results
    after: Results

    @cached_property
    def expected(self) -> Results:
        """The expected results."""
        return expected_results(self.vectors)


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that can be wrong with a design.

    Attributes:
        name: Short, for tables and programs.
        description: A sentence.
        predict: Returns what a design with this fault would give, or None where it cannot have it.
        clauses: Ids of the clauses that it breaks.
    """

    name: str
    description: str
    predict: Callable[[Case], Results | None]
    clauses: tuple[str, ...] = ()


def expected_results(vectors: VectorSet) -> dict[str, NDArray[Any]]:
    """Return the codes of every output plane."""
    return {plane.name: plane.codes for plane in vectors.planes() if plane.direction == "output"}
