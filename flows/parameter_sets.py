"""The parameter sets of the units: `parameter_sets.toml` multiplied out, and those of the DUT descriptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows import rtl
from flows.tables import check_keys, combinations, read_tables
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
    return [
        each
        for number, table in enumerate(read_tables(path, "set"), 1)
        for each in _members(f"{path.name}: set {number}", table)
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
    check_keys(where, table, _KEYS)
    if "unit" not in table:
        raise DefinitionError(f"{where}: names no unit")
    declared = {each.name for each in rtl.read_module(rtl.source(table["unit"])).parameters}
    parameters = table.get("parameters", {})
    if unknown := [name for key in parameters for name in key.split() if name not in declared]:
        raise DefinitionError(f"{where}: {table['unit']} has no parameter {unknown[0]}")
    members = []
    for shown in combinations(where, parameters):
        member = ParameterSet(table["unit"], shown, table.get("title", ""), tuple(table.get("synthesis", ())))
        _ = member.values  # every value must be one
        members.append(member)
    return members
