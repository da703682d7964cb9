"""Code coverage: the counters that Verilator puts into a build, added up over instances and configurations."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from refmodel.errors import DefinitionError

EXCLUSIONS = Path(__file__).with_name("exclusions.toml")
KINDS = ("line", "branch", "toggle")

_LINE = re.compile(r"^C '(?P<fields>.*)' (?P<count>\d+)$")
_FIELDS = {"file", "kind", "name", "reason", "date"}


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A place in a source that is to be executed, or a bit that is to rise or to fall.

    Attributes:
        module: Name of the source without suffix, and so of the module.
        kind: One of KINDS.
        line: Line of the source.
        column: Column.
        name: Of a toggle the bit and its direction, of a branch which one; empty for some lines.
    """

    module: str
    kind: str
    line: int
    column: int
    name: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Points that need not be covered.

    Attributes:
        file: Module.
        kind: One of KINDS.
        name: Regular expression that the whole name of a point matches.
        reason: Why.
        date: When that was found.
    """

    file: str
    kind: str
    name: str
    reason: str
    date: str

    def covers(self, point: Point) -> bool:
        """Whether *point* is one of those."""
        return (point.module, point.kind) == (self.file, self.kind) and bool(re.fullmatch(self.name, point.name))


@dataclass(frozen=True, slots=True)
class Tally:
    """The points of one kind in one module.

    Attributes:
        hit, points: How many were covered, of how many that are not excluded.
        excluded: How many are excluded and were not covered.
        missed: Those that were not covered and are not excluded.
    """

    hit: int
    points: int
    excluded: int
    missed: Sequence[Point]


def read_counts(path: Path) -> dict[Point, int]:
    """Return how often each point was met, over all instances, from the file that a simulation leaves.

    Raises:
        DefinitionError: If it is none.
    """
    counts: defaultdict[Point, int] = defaultdict(int)
    for number, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if text.startswith("#"):
            continue
        match = _LINE.match(text)
        if match is None:
            raise DefinitionError(f"{path}: line {number} is no coverage point")
        fields = dict(part.split("\x02", 1) for part in match["fields"].split("\x01") if "\x02" in part)
        kind = fields["page"].split("/")[0].removeprefix("v_")
        if kind in KINDS:
            point = Point(
                Path(fields["f"]).stem, kind, int(fields["l"]), int(fields.get("n", "0")), fields.get("o", "")
            )
            counts[point] += int(match["count"])
    return dict(counts)


def add(counts: Iterable[Mapping[Point, int]]) -> dict[Point, int]:
    """Return the sum of several files' counts."""
    total: defaultdict[Point, int] = defaultdict(int)
    for each in counts:
        for point, count in each.items():
            total[point] += count
    return dict(total)


def read_exclusions(path: Path = EXCLUSIONS) -> list[Exclusion]:
    """Return the exclusions of the file.

    Raises:
        DefinitionError: If one lacks a field.
    """
    with open(path, "rb") as stream:
        tables = tomllib.load(stream).get("exclude", [])
    for table in tables:
        if set(table) != _FIELDS:
            raise DefinitionError(f"{path.name}: {table}: the keys are {', '.join(sorted(_FIELDS))}")
    return [Exclusion(**{key: str(value) for key, value in table.items()}) for table in tables]


def tally(counts: Mapping[Point, int], exclusions: Sequence[Exclusion]) -> dict[str, dict[str, Tally]]:
    """Return the tallies by module and kind."""
    grouped: defaultdict[tuple[str, str], list[Point]] = defaultdict(list)
    for point in counts:
        grouped[point.module, point.kind].append(point)
    found: defaultdict[str, dict[str, Tally]] = defaultdict(dict)
    for (module, kind), points in sorted(grouped.items()):
        missed = [point for point in sorted(points) if not counts[point]]
        kept = [point for point in missed if not any(each.covers(point) for each in exclusions)]
        excluded = len(missed) - len(kept)
        found[module][kind] = Tally(len(points) - len(missed), len(points) - excluded, excluded, kept)
    return dict(found)


def unused(counts: Mapping[Point, int], exclusions: Sequence[Exclusion]) -> list[Exclusion]:
    """Return the exclusions that exclude nothing: of what is covered, or is not there."""
    missed = [point for point, count in counts.items() if not count]
    return [each for each in exclusions if not any(each.covers(point) for point in missed)]
