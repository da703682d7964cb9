"""Scoreboard: compares results with the vectors, tells lost order from wrong bits, keeps the tally."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocotb_tests.mismatch import WrongDot, operand_lines, result_lines
from cocotb_tests.settings import BenchResult
from refmodel import oracle
from refmodel.vectors.dotset import DotVectors

MAX_REPORTS = 3
_MAX_REPORTED_BLOCKS = 4
_MAX_DISPLACEMENT = 4  # an order fault moves results by at most so many places; more is called lost count
_CONVINCING = 4  # so many displaced results in a row, in a stream cut short, are no coincidence


class Scoreboard:
    """Knows the expected result of every dot product and what became of it.

    Args:
        vectors: The vector set.
        replay: Shell command that repeats the simulation.
        full_reports: Print operands in full, however many blocks they have.
    """

    def __init__(self, vectors: DotVectors, replay: str, *, full_reports: bool) -> None:
        self._vectors = vectors
        self._replay = replay
        self._max_blocks = vectors.blocks if full_reports else _MAX_REPORTED_BLOCKS
        self._compared = np.zeros(vectors.dots, bool)
        self._comparisons = 0
        self._seconds = 0.0
        self._mismatches: dict[int, str] = {}
        self._reports: list[str] = []
        self._failures: list[str] = []

    def compare(
        self, dots: NDArray[np.int64], results: Sequence[int], scenario: str, seconds: float
    ) -> list[tuple[int, int]]:
        """Compare the *results* of a stream of *dots* with the expected ones, one by one and in order.

        Args:
            dots: Numbers of the dot products, in the order sent.
            results: Float32 bits, in the order seen; may be fewer or more.
            scenario: Name for reports.
            seconds: Wall-clock time that the stream took.

        Returns:
            (dot, seen bits) of the first wrong results that were not yet known, for `explain`. Where results
            are missing, surplus or out of order there are none, but a failure is recorded.
        """
        expected = self._vectors.results[dots]
        seen = np.array(results, np.uint32)
        paired = min(len(expected), len(seen))
        self._comparisons += paired
        self._seconds += seconds
        self._compared[dots[:paired]] = True
        fault = order_fault(expected, seen)
        if fault is not None:
            place, sentence = fault
            self.fail(f"{scenario}: {sentence}, at {self.name(int(dots[min(place, len(dots) - 1)]))}")
            return []
        if len(seen) > len(expected):
            self.fail(f"{scenario}: {len(seen)} results for {len(expected)} vectors")
        wrong = np.flatnonzero(expected[:paired] != seen[:paired])
        fresh = [(int(dots[i]), int(seen[i])) for i in wrong if int(dots[i]) not in self._mismatches]
        for dot, _ in fresh:
            self._mismatches[dot] = scenario
        return fresh[: max(0, MAX_REPORTS - len(self._reports))]

    def explain(self, dot: int, seen: int, alone: int | None) -> None:
        """Record the report of a wrong result.

        Args:
            dot: Number of the dot product.
            seen: The wrong bits.
            alone: The bits that the same dot gave when played alone after a reset; None if it gave none.
        """
        where = self._vectors.dot_slice(dot)
        pairs = [
            (
                oracle.Block(
                    self._vectors.a.format, int(self._vectors.a.scales[i]), self._vectors.a.codes[i].tolist()
                ),
                oracle.Block(
                    self._vectors.b.format, int(self._vectors.b.scales[i]), self._vectors.b.codes[i].tolist()
                ),
            )
            for i in range(where.start, where.stop)
        ]
        expected = int(self._vectors.results[dot])
        wrong = WrongDot(pairs, self._vectors.rule.name, expected, seen)
        lines = [
            f"MISMATCH {self.name(dot)}, rule {self._vectors.rule.name}, scenario {self._mismatches[dot]}",
            *operand_lines(wrong, self._max_blocks),
            *result_lines(wrong),
        ]
        if alone == expected:
            lines.append(
                "  hint: played alone after a reset it is right, so the fault depends on what came before it"
            )
            lines.append(f"  replay the stream: {self._replay}")
        else:
            lines.append(f"  replay: {self._replay} VECTOR={dot}")
        self._reports.append("\n".join(lines))

    def fail(self, sentence: str) -> None:
        """Record a failure that is not a wrong value."""
        self._failures.append(sentence)

    def name(self, dot: int) -> str:
        """Name a dot product: its number and stimulus class."""
        return f"vector {dot} (class {self._vectors.class_of(dot).name})"

    @property
    def problems(self) -> int:
        """Number of mismatches and failures so far."""
        return len(self._mismatches) + len(self._failures)

    def write(self, path: Path) -> None:
        """Write the tally so far."""
        BenchResult(
            compared=int(self._compared.sum()),
            comparisons=self._comparisons,
            seconds=self._seconds,
            classes={
                each.name: int(self._compared[each.first : each.first + each.count].sum())
                for each in self._vectors.classes
            },
            mismatches=sorted(self._mismatches),
            reports=self._reports,
            failures=self._failures,
        ).write(path)


def order_fault(expected: NDArray[np.uint32], seen: NDArray[np.uint32]) -> tuple[int, str] | None:
    """Return (place, sentence) if *seen* is *expected* with results dropped, repeated or exchanged.

    A stream that stopped early, each result right, is no order fault; neither is one with wrong values only.
    """
    paired = min(len(expected), len(seen))
    differing = np.flatnonzero(expected[:paired] != seen[:paired])
    if not len(differing):
        if (
            len(seen) > len(expected)
            and len(expected)
            and np.array_equal(seen[len(expected) :], expected[-1:].repeat(len(seen) - len(expected)))
        ):
            return len(
                expected
            ) - 1, f"the result is repeated: {len(seen) - len(expected)} more after the last"
        return None
    place = int(differing[0])
    for shift in range(1, _MAX_DISPLACEMENT + 1):
        if _is_prefix(seen[place:], expected[place + shift :]):
            return place, f"{_results(shift)} dropped (those that follow come in its place)"
        if _is_prefix(expected[place:], seen[place + shift :]):
            return place, f"{_results(shift)} too many (a repeated or invented result)"
    exchanged = seen.copy()
    exchanged[place : place + 2] = seen[place : place + 2][::-1]
    if len(seen) == len(expected) and np.array_equal(exchanged, expected):
        return place, "two neighbouring results exchanged"
    return None


def _is_prefix(part: NDArray[np.uint32], whole: NDArray[np.uint32]) -> bool:
    """Whether *part* is *whole*, or begins it and is too long for that to be an accident of wrong values."""
    long_enough = len(part) == len(whole) > 0 or _CONVINCING <= len(part) <= len(whole)
    return long_enough and np.array_equal(part, whole[: len(part)])


def _results(count: int) -> str:
    return "a result is" if count == 1 else f"{count} results are"
