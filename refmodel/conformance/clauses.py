"""The clause catalogue: every clause of MX v1.0, OFP8 Rev 1.0 and NVFP4, its level, and what exercises it.

The data is `clauses.toml`, which says what its keys mean. `tests/test_clauses.py` holds it to the tests, stimulus
classes, sweeps and units that there are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, TypeAlias

from refmodel.errors import UnknownNameError

Level: TypeAlias = Literal[
    "MUST", "MUST*", "SHOULD", "MAY", "IMPL", "DEF", "INFO", "OUT", "SILENT", "FORMAT", "RECIPE", "HW"
]

LEVELS: tuple[Level, ...] = (
    "MUST", "MUST*", "SHOULD", "MAY", "IMPL", "DEF", "INFO", "OUT", "SILENT", "FORMAT", "RECIPE", "HW",
)  # fmt: skip

NEED_TESTS: tuple[Level, ...] = ("MUST", "MUST*", "SHOULD")
"""Levels whose clauses have a test, or say why they have none."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause; the attributes are the keys of `clauses.toml`, which explains them."""

    id: str
    level: Level
    says: str
    tests: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    untested: str = ""


@cache
def list_clauses() -> tuple[Clause, ...]:
    """Return all clauses in the order of the documents."""
    data = tomllib.loads((resources.files(__package__) / "clauses.toml").read_text(encoding="utf-8"))
    return tuple(_read(name, **fields) for name, fields in data.items())


def _read(
    name: str,
    level: Level,
    says: str,
    tests: Sequence[str] = (),
    vectors: Sequence[str] = (),
    sweeps: Sequence[str] = (),
    units: Sequence[str] = (),
    untested: str = "",
) -> Clause:
    return Clause(name, level, says, tuple(tests), tuple(vectors), tuple(sweeps), tuple(units), untested)


def find_clauses(prefix: str) -> tuple[Clause, ...]:
    """Return the clause of that id, or those of that document or section: ``MX``, ``MX-5.3``, ``MX-5.3.1-b``.

    Raises:
        UnknownNameError: If there is none.
    """
    wanted = prefix.upper()
    found = tuple(each for each in list_clauses() if _is_within(each.id.upper(), wanted))
    if not found:
        sections = dict.fromkeys(each.id.rpartition("-")[0] for each in list_clauses())
        raise UnknownNameError(f"no clause {prefix!r}; the sections are {', '.join(sections)}")
    return found


def by_test(clauses: Iterable[Clause]) -> dict[str, list[str]]:
    """Return the ids of the clauses that each test exercises, by the node id of the test."""
    claimed: dict[str, list[str]] = {}
    for clause in clauses:
        for test in clause.tests:
            claimed.setdefault(test, []).append(clause.id)
    return dict(sorted(claimed.items()))


def _is_within(name: str, wanted: str) -> bool:
    """Whether *wanted* is *name* or a part of it that ends where a section does."""
    return name == wanted or name.startswith((f"{wanted}-", f"{wanted}."))
