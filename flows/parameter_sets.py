"""The parameter sets of the units: `parameter_sets.toml` multiplied out, and those of the DUT descriptions."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows import rtl
from refmodel.conformance.loading import load_description
from refmodel.errors import DefinitionError

FILE = Path(__file__).with_suffix(".toml")

_KEYS = {"unit", "title", "synthesis", "parameters"}


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """A unit with values for some of its parameters.

    Attributes:
        unit: The module.
        shown: Parameter names and values as written: ``{"AFormat": "E4M3"}``.
        title: What it is a member of.
        synthesis: What `make synth` measures of it, of `flows.synthesis.measure.KINDS`.
    """

    unit: str
    shown: Mapping[str, int | str] = field(hash=False)
    title: str = ""
    synthesis: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, int]:
        """The parameters as a tool takes them."""
        return {name: rtl.parameter_value(value) for name, value in self.shown.items()}

    @property
    def name(self) -> str:
        """The unit and its parameters in one line."""
        return " ".join([self.unit, *(f"{name}={value}" for name, value in self.shown.items())])


def read_parameter_sets(path: Path = FILE) -> list[ParameterSet]:
    """Return every parameter set of the file, in its order.

    Raises:
        DefinitionError: If the file is not what its comment says; the message names the set.
    """
    with open(path, "rb") as stream:
        try:
            data = tomllib.load(stream)
        except tomllib.TOMLDecodeError as error:
            raise DefinitionError(f"{path.name}: {error}") from None
    if set(data) != {"set"}:
        raise DefinitionError(f"{path.name}: holds {sorted(data)}; expected [[set]] tables alone")
    return [
        each for number, table in enumerate(data["set"], 1) for each in _members(f"{path.name}: set {number}", table)
    ]


def described_sets(most: int) -> list[ParameterSet]:
    """Return the parameter sets of the configurations in rtl/*.toml, at most so many a file, spread evenly.

    Raises:
        DescriptionError: If a file is not a DUT description.
    """
    sets = []
    for path in sorted(rtl.RTL.glob("*.toml")):
        description = load_description(path)
        values = [description.parameter_values(each) for each in description.configurations]
        distinct = list({json.dumps(each, sort_keys=True): each for each in values}.values())
        for index in range(min(most, len(distinct))):
            shown = distinct[index * len(distinct) // min(most, len(distinct))]
            sets.append(ParameterSet(description.design.top, shown))
    return sets


def _members(where: str, table: Mapping[str, Any]) -> list[ParameterSet]:
    if unknown := sorted(set(table) - _KEYS):
        raise DefinitionError(f"{where}: unknown key {unknown[0]!r}; the keys are {', '.join(sorted(_KEYS))}")
    if "unit" not in table:
        raise DefinitionError(f"{where}: names no unit")
    declared = {each.name for each in rtl.read_module(rtl.source(table["unit"])).parameters}
    axes = []
    for key, values in table.get("parameters", {}).items():
        names = key.split()
        if unknown := [name for name in names if name not in declared]:
            raise DefinitionError(f"{where}: {table['unit']} has no parameter {unknown[0]}")
        axes.append([_assign(where, names, value) for value in (values if isinstance(values, list) else [values])])
    members = []
    for choice in itertools.product(*axes):
        shown = {name: value for part in choice for name, value in part.items()}
        member = ParameterSet(table["unit"], shown, table.get("title", ""), tuple(table.get("synthesis", ())))
        _ = member.values  # every value must be one
        members.append(member)
    return members


def _assign(where: str, names: list[str], value: int | str) -> dict[str, int | str]:
    words: list[int | str] = [value] if isinstance(value, int) else list(value.split())
    if len(words) == 1:
        words *= len(names)
    if len(words) != len(names):
        raise DefinitionError(f"{where}: {value!r} has {len(words)} words for the {len(names)} names {names}")
    return dict(zip(names, words, strict=True))
