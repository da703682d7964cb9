"""Flags of stimulus classes: why vectors exist, which clauses they exercise, and whether their outcome is fixed.

The data is `flags.toml`, which says what its keys mean. A tile has the classes of its dot products.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from refmodel.vectors.vectorset import VectorSet

Outcome: TypeAlias = Literal["required", "recommended", "implementation-defined"]

OUTCOMES: tuple[Outcome, ...] = ("required", "recommended", "implementation-defined")


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag; the attributes are the keys of `flags.toml`, which explains them."""

    name: str
    why: str
    outcome: Outcome
    clauses: tuple[str, ...]
    decided_by: tuple[str, ...] = ()
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@cache
def list_flags() -> Mapping[str, Flag]:
    """Return all flags by name."""
    return MappingProxyType(
        {
            name: Flag(
                name,
                entry["why"],
                entry["outcome"],
                tuple(entry["clauses"]),
                tuple(entry.get("decided_by", ())),
                {key: tuple(values) for key, values in entry.get("when", {}).items()},
            )
            for name, entry in _data()["flags"].items()
        }
    )


def flags_of_class(operation: str, name: str) -> tuple[Flag, ...]:
    """Return the flags of a stimulus class, whatever the formats.

    A class that is not in the data has none; tests see to it that all are.
    """
    known = list_flags()
    return tuple(known[flag] for flag in _data()["classes"][_operation(operation)].get(name, ()))


def list_classes(operation: str) -> tuple[str, ...]:
    """Return the names of the classes of an operation."""
    return tuple(_data()["classes"][_operation(operation)])


def describe_flags(
    vectors: VectorSet, classes: Iterable[str]
) -> tuple[dict[str, list[str]], dict[str, dict[str, object]]]:
    """Return what the manifest says of flags: their names by class, and what each is for this set.

    Args:
        vectors: The set, or a part of one.
        classes: Names of the classes of the whole set.

    Of its clauses those remain that are about the formats of the set; a flag without one is on none of its classes.
    """
    flagged = {name: flags_of_class(vectors.operation, name) for name in classes}
    choices = _choices(vectors)
    formats = vectors.number_formats
    described: dict[str, dict[str, object]] = {}
    for flag in {flag.name: flag for flags in flagged.values() for flag in flags}.values():
        clauses = [clause for clause in flag.clauses if _is_about(clause, formats)]
        fits = all(choices.get(key) in values for key, values in flag.when.items())
        if clauses and fits:
            described[flag.name] = {"why": flag.why, "outcome": flag.outcome, "clauses": clauses}
            if flag.decided_by:
                declared = {key: choices[key] for key in flag.decided_by if key in choices}
                described[flag.name]["declared"] = declared
    names = {name: [flag.name for flag in flags if flag.name in described] for name, flags in flagged.items()}
    return names, described


def _choices(vectors: VectorSet) -> dict[str, Any]:
    """Return the options of a set, or the fields of its rule, as JSON values; a rule has its result format, too."""
    found: dict[str, Any] = {}
    for source in (getattr(vectors, "options", None), getattr(vectors, "rule", None)):
        if is_dataclass(source):
            for each in fields(source):
                value = getattr(source, each.name)
                found[each.name] = str(value) if is_dataclass(value) else value
            if hasattr(source, "result_format"):
                found["result_format"] = source.result_format
    for name in ("layout", "scale_position"):
        if hasattr(vectors, name):
            found[name] = getattr(vectors, name)
    if vectors.operation == "dequantize":
        found["overflow"] = "infinity"
    return found


def _is_about(clause: str, formats: Iterable[str]) -> bool:
    """Whether a clause is about one of the formats; by the longest entry that it begins with."""
    about = _data()["formats"]
    entries = [entry for entry in about if clause == entry or clause.startswith((f"{entry}-", f"{entry}."))]
    return not entries or bool(set(about[max(entries, key=len)]) & set(formats))


def _operation(name: str) -> str:
    return "dot" if name == "matmul_tile" else name


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((resources.files(__package__) / "flags.toml").read_text(encoding="utf-8"))
