"""Accumulation rules as TOML and JSON, and back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from refmodel.accumulate.rule import AccumulationRule, SecondAlignment, SplitK
from refmodel.errors import DefinitionError

_NESTED: dict[str, type[SecondAlignment] | type[SplitK]] = {"stage2": SecondAlignment, "split_k": SplitK}


def to_dict(rule: AccumulationRule) -> dict[str, Any]:
    """Return the fields of a rule as plain values, those that are None left out."""
    return _plain(rule)


def from_dict(data: Mapping[str, Any]) -> AccumulationRule:
    """Return the rule of such fields; fields with defaults may be missing.

    Raises:
        DefinitionError: If a field is unknown or missing, or the fields contradict each other.
        UnknownNameError: If a word is not among the choices of its field.
    """
    values = dict(data)
    for name, kind in _NESTED.items():
        if isinstance(values.get(name), Mapping):
            values[name] = _build(kind, values[name], name)
    if isinstance(values.get("elements"), list):
        values["elements"] = tuple(values["elements"])
    rule: AccumulationRule = _build(AccumulationRule, values, "accumulation rule")
    return rule


def to_json(rule: AccumulationRule) -> str:
    """Return a rule as a JSON object."""
    return json.dumps(to_dict(rule), indent=2) + "\n"


def from_json(text: str) -> AccumulationRule:
    """Return the rule of a JSON object, see `from_dict`.

    Raises:
        DefinitionError: Also if the text is not a JSON object.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise DefinitionError(f"accumulation rule: not JSON: {error}") from None
    if not isinstance(data, dict):
        raise DefinitionError("accumulation rule: the JSON text must be an object")
    return from_dict(data)


def to_toml(rule: AccumulationRule) -> str:
    """Return a rule as a TOML document."""
    data = to_dict(rule)
    lines = [_line(name, value) for name, value in data.items() if not isinstance(value, dict)]
    for name, table in data.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *(_line(key, value) for key, value in table.items())]
    return "\n".join(lines) + "\n"


def from_toml(text: str) -> AccumulationRule:
    """Return the rule of a TOML document, see `from_dict`.

    Raises:
        DefinitionError: Also if the text is not TOML.
    """
    try:
        return from_dict(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"accumulation rule: not TOML: {error}") from None


def _plain(value: Any) -> dict[str, Any]:
    found = {}
    for field in fields(value):
        item = getattr(value, field.name)
        if item is None:
            continue
        if field.name in _NESTED:
            item = _plain(item)
        found[field.name] = list(item) if isinstance(item, tuple) else item
    return found


def _build(kind: Any, data: Mapping[str, Any], what: str) -> Any:
    known = {field.name for field in fields(kind)}
    for name in data:
        if name not in known:
            raise DefinitionError(f"{what}: unknown field {name!r}; there are {', '.join(sorted(known))}")
    try:
        return kind(**data)
    except TypeError as error:
        missing = str(error).partition(": ")[2] or str(error)
        raise DefinitionError(f"{what}: missing field {missing}") from None


def _line(name: str, value: str | int | bool | list[str]) -> str:
    if name == "nan_pattern":
        return f"{name} = {value:#010x}"
    # JSON text, numbers, booleans and lists of text are TOML, too.
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"
