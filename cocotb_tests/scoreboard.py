"""Scoreboard: compares results with the vectors, tells lost order from wrong bits, keeps the tally."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocotb_tests.settings import BenchResult

MAX_REPORTS = 3
_MAX_DISPLACEMENT = 4  # an order fault moves results by at most so many places; more is called lost count
_CONVINCING = 4  # so many displaced results in a row, in a stream cut short, are no coincidence


class Scoreboard:
    """Knows the expected result of every item and what became of it.

    Args:
        expected: The results, [items, words].
        classes: Names of the stimulus classes.
        class_of: Class of each item, an index of *classes*.
        explain: Lines on an item and the wrong result that it gave.
        rule: What results follow, for reports.
        replay: Shell command that repeats the simulation.
    """

    def __init__(
        self, expected: NDArray[np.uint32], classes: Sequence[str], class_of: NDArray[np.int64],
        explain: Callable[[int, NDArray[np.uint32]], list[str]], rule: str, replay: str,
    ) -> None:  # fmt: skip
        self._expected, self._classes, self._class_of = expected, classes, class_of
        self._explain, self._rule, self._replay = explain, rule, replay
        self._compared = np.zeros(len(expected), bool)
        self._seen = np.zeros_like(expected)
        self._comparisons = 0
        self._seconds = 0.0
        self._mismatches: dict[int, str] = {}
        self._reports: list[str] = []
        self._failures: list[str] = []
        self.unfit: list[str] = []
        """Sentences on what does not fit between description and design."""

    def compare(
        self, items: NDArray[np.int64], seen: NDArray[np.uint32], scenario: str, seconds: float
    ) -> list[tuple[int, NDArray[np.uint32]]]:
        """Compare the results of a stream of *items* with the expected ones, one by one and in order.

        Args:
            items: Numbers of the items, in the order sent.
            seen: Results [n, words] in the order seen; may be fewer or more.
            scenario: Name for reports.
            seconds: Processor time that the stream took.

        Returns:
            (item, seen) of the first wrong results that were not yet known, for `explain`. Where results
            are missing, surplus or out of order there are none, but a failure is recorded.
        """
        expected = self._expected[items]
        paired = min(len(expected), len(seen))
        self._comparisons += paired
        self._seconds += seconds
        new = np.flatnonzero(~self._compared[items[:paired]])
        self._seen[items[new]] = seen[new]
        self._compared[items[:paired]] = True
        fault = order_fault(expected, seen)
        if fault is not None:
            place, sentence = fault
            self.fail(f"{scenario}: {sentence}, at {self.name(int(items[min(place, len(items) - 1)]))}")
            return []
        if len(seen) > len(expected):
            self.fail(f"{scenario}: {len(seen)} results for {len(expected)} vectors")
        wrong = np.flatnonzero(_differ(expected[:paired], seen[:paired]))
        fresh = [(int(items[i]), seen[i]) for i in wrong if int(items[i]) not in self._mismatches]
        for item, _ in fresh:
            self._mismatches[item] = scenario
        return fresh[: max(0, MAX_REPORTS - len(self._reports))]

    def explain(self, item: int, seen: NDArray[np.uint32], alone: NDArray[np.uint32] | None) -> None:
        """Record the report of a wrong result.

        Args:
            item: Number of the item.
            seen: The wrong result.
            alone: The result that the same item gave when played alone after a reset; None if it gave none.
        """
        lines = [
            f"MISMATCH {self.name(item)}, rule {self._rule}, scenario {self._mismatches[item]}",
            *self._explain(item, seen),
        ]
        if alone is not None and np.array_equal(alone, self._expected[item]):
            lines.append("  hint: played alone after a reset it is right, so the fault depends on what came before it")
            lines.append(f"  replay the stream: {self._replay}")
        else:
            lines.append(f"  replay: {self._replay} VECTOR={item}")
        self._reports.append("\n".join(lines))

    def fail(self, sentence: str) -> None:
        """Record a failure that is not a wrong value."""
        self._failures.append(sentence)

    def name(self, item: int) -> str:
        """Name an item: its number and stimulus class."""
        return f"vector {item} (class {self._classes[self._class_of[item]]})"

    @property
    def problems(self) -> int:
        """Number of mismatches and failures so far."""
        return len(self._mismatches) + len(self._failures)

    def write(self, path: Path) -> None:
        """Write the tally so far, and beside it the first result of every item."""
        self.result().write(path)
        temporary = path.with_name(f"{path.stem}.new.npz")
        np.savez(temporary, seen=self._seen, compared=self._compared)
        temporary.replace(path.with_suffix(".npz"))

    def result(self) -> BenchResult:
        """Return the tally so far."""
        counts = np.bincount(self._class_of[self._compared], minlength=len(self._classes)).tolist()
        return BenchResult(
            compared=int(self._compared.sum()),
            comparisons=self._comparisons,
            seconds=self._seconds,
            classes=dict(zip(self._classes, counts, strict=True)),
            mismatches=sorted(self._mismatches),
            reports=self._reports,
            failures=self._failures,
            unfit=self.unfit,
        )


def order_fault(expected: NDArray[np.uint32], seen: NDArray[np.uint32]) -> tuple[int, str] | None:
    """Return (place, sentence) if *seen* is *expected* with results dropped, repeated or exchanged.

    Both are results [n, words]. A stream that stopped early, each result right, is no order fault;
    neither is one with wrong values only.
    """
    paired = min(len(expected), len(seen))
    differing = np.flatnonzero(_differ(expected[:paired], seen[:paired]))
    if not len(differing):
        if (
            len(seen) > len(expected)
            and len(expected)
            and np.array_equal(seen[len(expected) :], expected[-1:].repeat(len(seen) - len(expected), axis=0))
        ):
            return len(expected) - 1, f"the result is repeated: {len(seen) - len(expected)} more after the last"
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


def _differ(expected: NDArray[np.uint32], seen: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return which rows differ in any word."""
    different: NDArray[np.bool_] = (expected != seen).any(axis=1)
    return different


def _is_prefix(part: NDArray[np.uint32], whole: NDArray[np.uint32]) -> bool:
    """Whether *part* is *whole*, or begins it and is too long for that to be an accident of wrong values."""
    long_enough = len(part) == len(whole) > 0 or _CONVINCING <= len(part) <= len(whole)
    return long_enough and np.array_equal(part, whole[: len(part)])


def _results(count: int) -> str:
    return "a result is" if count == 1 else f"{count} results are"
