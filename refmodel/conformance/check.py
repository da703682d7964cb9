"""Results of a design judged against a vector set: which are wrong, and what they look like together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from refmodel.conformance.causes import CAUSES, Case, Cause, Results, expected_results
from refmodel.conformance.explanation import explain_vector
from refmodel.vectors.selection import select_vectors
from refmodel.vectors.vectorset import VectorSet

MOST_TRIED = 2000
"""Wrong results that causes are tried on, and right ones; of more, an even selection."""


@dataclass(frozen=True, slots=True)
class Group:
    """Wrong results that one cause explains.

    Attributes:
        cause: The cause.
        also: Names of other causes that predict the same wherever it matters, so that these vectors do not tell
            them apart.
        vectors: Numbers of the wrong vectors, of those tried, whose results it explains.
        contradicted: Number of vectors, of those tried, that are right and would not be.
    """

    cause: Cause
    also: tuple[str, ...]
    vectors: tuple[int, ...]
    contradicted: int


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was compared, and what came of it.

    Attributes:
        vectors: The vector set.
        seen: The results, codes of every output plane.
    """

    vectors: VectorSet
    seen: Results

    @cached_property
    def wrong(self) -> NDArray[np.int64]:
        """Numbers of the vectors with a wrong result."""
        return np.flatnonzero(_differ(expected_results(self.vectors), self.seen))

    @property
    def by_class(self) -> list[tuple[str, int, int]]:
        """Name, vectors and wrong results of each stimulus class."""
        ends = [(each.first, each.first + each.count) for each in self.vectors.classes]
        wrong = np.diff(np.searchsorted(self.wrong, ends), axis=1)[:, 0]
        return [(each.name, each.count, int(n)) for each, n in zip(self.vectors.classes, wrong, strict=True)]

    @cached_property
    def tried(self) -> NDArray[np.int64]:
        """Numbers of the wrong vectors that causes are tried on."""
        return _selection(self.wrong)

    @cached_property
    def groups(self) -> list[Group]:
        """The causes that explain most of what is wrong, each with what those before it have left."""
        if not self.wrong.size:
            return []
        right = np.setdiff1d(np.arange(self.vectors.vectors), self.wrong, assume_unique=True)
        chosen = np.sort(np.concatenate([self.tried, _selection(right)]))
        is_wrong = np.isin(chosen, self.wrong, assume_unique=True)
        case = self._case(chosen)
        trials = list(_try_all(case, is_wrong, CAUSES))
        left, groups = is_wrong.copy(), []
        while left.any():
            best = max(trials, key=lambda trial: trial.score(left), default=None)
            if best is None or not best.score(left):
                break
            explained = best.explained & left
            also = tuple(other.cause.name for other in trials if other is not best and other.is_like(best))
            groups.append(Group(best.cause, also, tuple(chosen[explained].tolist()), best.contradicted))
            left &= ~explained
        return groups

    @property
    def unexplained(self) -> int:
        """Wrong vectors, of those tried, that no cause explains."""
        return self.tried.size - sum(len(group.vectors) for group in self.groups)

    def examples(self, count: int) -> list[int]:
        """Return numbers of at most so many wrong vectors: the first of each group, then the first of all."""
        explained = {item for group in self.groups for item in group.vectors}
        others = (item for item in self.wrong.tolist() if item not in explained)
        firsts = dict.fromkeys([*(group.vectors[0] for group in self.groups), *others, *self.wrong.tolist()])
        return list(firsts)[:count]

    def explain(self, item: int, *, full: bool = False) -> list[str]:
        """Return lines on one wrong result."""
        codes = {name: each[item].tolist() for name, each in self.seen.items()}
        return explain_vector(self.vectors, item, codes, full=full)

    def _case(self, chosen: NDArray[np.int64]) -> Case:
        expected, last = expected_results(self.vectors), self.vectors.vectors - 1
        return Case(
            vectors=select_vectors(self.vectors, chosen),
            seen={name: codes[chosen] for name, codes in self.seen.items()},
            before={name: codes[np.maximum(chosen - 1, 0)] for name, codes in expected.items()},
            after={name: codes[np.minimum(chosen + 1, last)] for name, codes in expected.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """What became of one cause: the wrong results that it explains, and how many right ones it would make wrong."""

    cause: Cause
    explained: NDArray[np.bool_]
    contradicted: int

    def score(self, left: NDArray[np.bool_]) -> float:
        """Return how well it fits: 1 if all that is left and nothing else, 0 if it is more often wrong than right."""
        count = int((self.explained & left).sum())
        return count / (int(left.sum()) + self.contradicted) if count > self.contradicted else 0.0

    def is_like(self, other: _Trial) -> bool:
        """Whether it says the same."""
        return self.contradicted == other.contradicted and np.array_equal(self.explained, other.explained)


def _try_all(case: Case, is_wrong: NDArray[np.bool_], causes: Iterable[Cause]) -> Iterator[_Trial]:
    for cause in causes:
        predicted = cause.predict(case)
        if predicted is None:
            continue
        fits = ~_differ(predicted, case.seen)
        if (fits & is_wrong).any():
            yield _Trial(cause, fits & is_wrong, int((~fits & ~is_wrong).sum()))


def _differ(first: Results, second: Results) -> NDArray[np.bool_]:
    """Return which rows differ in any plane."""
    each = [(codes != second[name]).any(axis=1) for name, codes in first.items()]
    different: NDArray[np.bool_] = np.any(each, axis=0)
    return different


def _selection(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return at most MOST_TRIED of them, evenly chosen."""
    if numbers.size <= MOST_TRIED:
        return numbers
    return numbers[np.arange(MOST_TRIED) * numbers.size // MOST_TRIED]
