"""Checking the fields of a dataclass against their annotations."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from refmodel.errors import DefinitionError, unknown_name

_HINTS: dict[type, dict[str, Any]] = {}


def check_types(value: Any, what: str) -> None:
    """Check the fields of a dataclass instance against their annotations.

    Raises:
        DefinitionError: If a field has a value of another type.
        UnknownNameError: If a field has a word that is not among its choices.
    """
    hints = _hints(type(value))
    for field in fields(value):
        given, hint = getattr(value, field.name), hints[field.name]
        options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        if any(_is_of(given, option) for option in options):
            continue
        words = [word for option in options if get_origin(option) is Literal for word in get_args(option)]
        if words and isinstance(given, str):
            raise unknown_name(f"{field.name} of {what}:", given, words)
        raise DefinitionError(f"{what}: {field.name}={given!r} must be {_type_text(options)}")


def _hints(kind: type) -> dict[str, Any]:
    """Return the resolved annotations of a class; resolving takes long enough to do it once."""
    if kind not in _HINTS:
        _HINTS[kind] = get_type_hints(kind)
    return _HINTS[kind]


def _is_of(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _type_text(options: tuple[Any, ...]) -> str:
    texts = []
    for option in options:
        if get_origin(option) is Literal:
            texts.append("one of " + ", ".join(map(repr, get_args(option))))
        elif get_origin(option) is tuple:
            texts.append("a tuple of names")
        elif is_dataclass(option):
            texts.append(f"a {getattr(option, '__name__', '')}")
        else:
            texts.append({int: "an integer", str: "text", bool: "true or false"}.get(option, "absent"))
    return " or ".join(texts)
