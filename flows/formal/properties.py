"""The properties: `properties.toml` read and multiplied out, with the sources that each one needs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows import rtl
from flows.formal import formats
from flows.tables import check_keys, combinations, read_tables
from refmodel.errors import DefinitionError

DIRECTORY = Path(__file__).resolve().parent
FILE = DIRECTORY / "properties.toml"
SPECIFICATIONS = DIRECTORY / "spec"

_KEYS = {"name", "unit", "claim", "parameters", "solver", "induction", "twin"}


@dataclass(frozen=True, slots=True)
class Twin:
    """A fault in a file of rtl/: *old*, which must be there once, becomes *new*."""

    file: str
    old: str
    new: str

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
        name: Module of flows/formal/spec that says it: for all inputs where its output `assumed` is true, or if it
            has none, its output `holds` is true.
        unit: Module of rtl/ that it is about.
        claim: It in words.
        shown: Parameters of the module as written.
        twin: The fault under which it must fail.
        solver: ``bitwuzla`` or ``z3``.
        induction: 0 for a function of the inputs; else the cycles of the induction.
    """

    name: str
    unit: str
    claim: str
    shown: Mapping[str, int | str] = field(hash=False)
    twin: Twin
    solver: str = "bitwuzla"
    induction: int = 0

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
        files |= {path.stem: path for path in (*rtl.sources(), *sorted(SPECIFICATIONS.glob("*.sv")))}
        needed = {rtl.PACKAGE.stem, self.name}
        waiting = [self.name]
        while waiting:
            words = set(re.findall(r"\w+", rtl.without_comments(files[waiting.pop()].read_text())))
            waiting += (found := words & files.keys() - needed)
            needed |= found
        return [path for name, path in files.items() if name in needed]

    def digest(self) -> str:
        """Return a digest of all that decides the result, the tools apart."""
        parts = [self.title, str(self.induction), self.twin.file, self.twin.old, self.twin.new]
        parts += [rtl.without_comments(each.read_text()) for each in self.sources()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


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


def _members(file: str, table: Mapping[str, Any]) -> Iterable[Property]:
    where = f"{file}: property {table.get('name', '?')}"
    check_keys(where, table, _KEYS)
    if missing := sorted({"name", "unit", "claim", "twin"} - set(table)):
        raise DefinitionError(f"{where}: lacks {missing[0]!r}")
    if not (SPECIFICATIONS / f"{table['name']}.sv").is_file():
        raise DefinitionError(f"{where}: there is no {SPECIFICATIONS.name}/{table['name']}.sv")
    rtl.source(table["unit"])
    for shown in combinations(where, table.get("parameters", {})):
        member = Property(
            table["name"], table["unit"], " ".join(table["claim"].split()), shown, Twin(**table["twin"]),
            table.get("solver", "bitwuzla"), table.get("induction", 0),
        )  # fmt: skip
        _ = member.values  # every value must be one
        yield member
