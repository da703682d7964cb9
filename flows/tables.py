"""TOML files of tables, each of which stands for every combination of the parameters that it lists."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from refmodel.errors import DefinitionError


def read_tables(path: Path, key: str) -> list[dict[str, Any]]:
    """Return the [[key]] tables that a file is made of.

    Raises:
        DefinitionError: If it is no TOML, or holds something else.
    """
    with open(path, "rb") as stream:
        try:
            data = tomllib.load(stream)
        except tomllib.TOMLDecodeError as error:
            raise DefinitionError(f"{path.name}: {error}") from None
    if set(data) != {key}:
        raise DefinitionError(f"{path.name}: holds {sorted(data)}; expected [[{key}]] tables alone")
    tables: list[dict[str, Any]] = data[key]
    return tables


def check_keys(where: str, table: Mapping[str, Any], known: set[str]) -> None:
    """Refuse a table with other keys than those *known*.

    Raises:
        DefinitionError: If it has one; the message begins with *where*.
    """
    if unknown := sorted(set(table) - known):
        raise DefinitionError(f"{where}: unknown key {unknown[0]!r}; the keys are {', '.join(sorted(known))}")


def combinations(where: str, parameters: Mapping[str, Any]) -> Iterator[dict[str, int | str]]:
    """Yield the parameters of each combination: of a key with several names, a value has a word for each or for all.

    Raises:
        DefinitionError: If a value has another number of words; the message begins with *where*.
    """
    axes = [
        [_assign(where, key.split(), value) for value in (values if isinstance(values, list) else [values])]
        for key, values in parameters.items()
    ]
    for choice in itertools.product(*axes):
        yield {name: value for part in choice for name, value in part.items()}


def _assign(where: str, names: Sequence[str], value: int | str) -> dict[str, int | str]:
    words: list[int | str] = [value] if isinstance(value, int) else list(value.split())
    if len(words) == 1:
        words *= len(names)
    if len(words) != len(names):
        raise DefinitionError(f"{where}: {value!r} has {len(words)} words for the {len(names)} names {names}")
    return dict(zip(names, words, strict=True))
