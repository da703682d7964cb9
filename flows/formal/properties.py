"""The properties: `properties.toml` read and multiplied out, with the sources that each one needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows import rtl
from flows.digests import digest_of
from flows.formal import contracts, formats
from flows.tables import check_keys, combinations, read_tables
from refmodel.errors import DefinitionError

DIRECTORY = Path(__file__).resolve().parent
FILE = DIRECTORY / "properties.toml"
SPECIFICATIONS = contracts.SPECIFICATIONS

_KEYS = {"name", "unit", "claim", "parameters", "solver", "induction", "cases", "replace", "twin"}


@dataclass(frozen=True, slots=True)
class Twin:
    """A fault in a file of rtl/, in a contract or a specification: *old*, which must be there once, becomes *new*."""

    file: str
    old: str
    new: str

    @property
    def path(self) -> Path:
        """The file."""
        places = (contracts.DIRECTORY, contracts.SPECIFICATIONS, rtl.RTL)
        return next((place / self.file for place in places if (place / self.file).is_file()), rtl.RTL / self.file)

    def apply(self, text: str) -> str:
        """Return the file's *text* with the fault.

        Raises:
            DefinitionError: If *old* is not in it exactly once.
        """
        if text.count(self.old) != 1:
            raise DefinitionError(f"twin of {self.file}: {self.old!r} is there {text.count(self.old)} times, not once")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Property:
    """One property of one unit under one set of parameters.

    Attributes:
        name: Module of flows/formal/spec, or contract of flows/formal/contract, that says it: for all inputs where
            its output `assumed` is true, or if it has none, its output `holds` is true.
        unit: Module of rtl/ that it is about.
        claim: It in words.
        shown: Parameters of the module as written.
        twin: The fault under which it must fail.
        solver: ``bitwuzla`` or ``z3``.
        induction: 0 for a function of the inputs; else the cycles of the induction.
        cases: Values of the output `case_o`, one proof for each; 0 without cases.
        replace: Units whose place is taken by a contract, see `contracts`: its name, or ``free``.
    """

    name: str
    unit: str
    claim: str
    shown: Mapping[str, int | str] = field(hash=False)
    twin: Twin
    solver: str = "bitwuzla"
    induction: int = 0
    cases: int = 0
    replace: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def is_contract(self) -> bool:
        """Whether it is a contract of its unit, which other proofs may put in the unit's place."""
        return contracts.path(self.name).is_file()

    @property
    def contracts(self) -> dict[str, str]:
        """The contracts that it rests on, by the unit that each stands in for."""
        return {unit: name for unit, name in self.replace.items() if name != contracts.FREE}

    @property
    def top(self) -> str:
        """The module to be proved."""
        return contracts.bench_name(self.name) if self.is_contract else self.name

    @property
    def values(self) -> dict[str, int]:
        """The parameters as a tool takes them."""
        return {name: rtl.parameter_value(value) for name, value in self.shown.items()}

    @property
    def parameters(self) -> str:
        """The parameters in one line."""
        return " ".join(f"{name}={value}" for name, value in self.shown.items())

    @property
    def title(self) -> str:
        """Name and parameters."""
        return f"{self.name} {self.parameters}".strip()

    def sources(self) -> list[Path]:
        """Return the files that it needs, packages first."""
        files = {rtl.PACKAGE.stem: rtl.PACKAGE} | formats.generate()
        modules = (*rtl.sources(), *sorted(SPECIFICATIONS.glob("*.sv")), *contracts.paths())
        files |= {path.stem: path for path in modules}
        files |= {unit: contracts.stand_in(unit, name) for unit, name in self.replace.items()}
        if self.is_contract:
            files[self.top] = contracts.bench(self.unit, self.name)
        needed = {rtl.PACKAGE.stem, self.top}
        waiting = [self.top]
        while waiting:
            words = set(re.findall(r"\w+", rtl.without_comments(files[waiting.pop()].read_text())))
            waiting += (found := words & files.keys() - needed)
            needed |= found
        return [path for name, path in files.items() if name in needed]

    def digest(self) -> str:
        """Return a digest of all that decides the result, the tools apart."""
        parts = [self.title, str(self.induction), self.twin.file, self.twin.old, self.twin.new]
        if self.cases:
            parts.append(str(self.cases))
        parts += [rtl.without_comments(each.read_text()) for each in self.sources()]
        return digest_of(parts)


def read_properties(path: Path = FILE) -> list[Property]:
    """Return every property of the file, in its order.

    Raises:
        DefinitionError: If the file is not what its comment says; the message names the property.
    """
    found = [each for table in read_tables(path, "property") for each in _members(path.name, table)]
    titles = [each.title for each in found]
    if twice := next((title for title in titles if titles.count(title) > 1), None):
        raise DefinitionError(f"{path.name}: {twice} is there twice")
    return found


def in_steps(properties: Sequence[Property]) -> list[list[Property]]:
    """Return the properties in steps: contracts that others rest on are in an earlier step than these.

    Raises:
        DefinitionError: If contracts rest on each other.
    """
    steps: list[list[Property]] = []
    left = list(properties)
    while left:
        names = {each.name for each in left}
        if not (step := [each for each in left if not names & set(each.contracts.values())]):
            raise DefinitionError(f"properties that rest on each other: {', '.join(sorted(names))}")
        steps.append(step)
        left = [each for each in left if each not in step]
    return steps


def _members(file: str, table: Mapping[str, Any]) -> Iterable[Property]:
    where = f"{file}: property {table.get('name', '?')}"
    check_keys(where, table, _KEYS)
    if missing := sorted({"name", "unit", "claim", "twin"} - set(table)):
        raise DefinitionError(f"{where}: lacks {missing[0]!r}")
    if not ((SPECIFICATIONS / f"{table['name']}.sv").is_file() or contracts.path(table["name"]).is_file()):
        raise DefinitionError(f"{where}: there is no {SPECIFICATIONS.name}/{table['name']}.sv and no such contract")
    for unit in (table["unit"], *table.get("replace", {})):
        contracts.source(unit)
    for shown in combinations(where, table.get("parameters", {})):
        member = Property(
            table["name"], table["unit"], " ".join(table["claim"].split()), shown, Twin(**table["twin"]),
            table.get("solver", "bitwuzla"), table.get("induction", 0), table.get("cases", 0), table.get("replace", {}),
        )  # fmt: skip
        _ = member.values  # every value must be one
        yield member
