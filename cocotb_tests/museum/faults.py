"""The faults of `faults.toml`, and copies of the RTL with one of them.

A fault is an exact piece of text of one source and what stands there instead, and it is planted in a copy when
that is built. So the sources that are synthesised hold no fault and no `ifdef`, and stay readable; and a fault
whose text is no longer there, or there twice, is an error, where an `ifdef` would rot unseen.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from cocotb_tests.jobs import ROOT
from refmodel.conformance import Configuration, Description, load_description
from refmodel.errors import DefinitionError, unknown_name

FILE = Path(__file__).with_suffix(".toml")
RTL = ROOT / "rtl"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        name: As a macro would be called.
        wrong: What the design does wrong.
        source: Where the idea is from.
        unit, configuration: What is simulated.
        file: The source that is changed.
        edits: Pairs of the text that stands there once, and the text to stand there.
        quick: Whether it belongs to the short list.
    """

    name: str
    wrong: str
    source: str
    unit: str
    configuration: str
    file: str
    edits: list[list[str]]
    quick: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of this entry and of the source that it changes: a verdict on others says nothing of it."""
        source = (RTL / self.file).read_bytes()
        return hashlib.sha256(json.dumps(asdict(self)).encode() + source).hexdigest()

    def plant(self, directory: Path) -> tuple[Description, Configuration]:
        """Write the RTL with this fault into *directory*, and return the unit that is simulated.

        Raises:
            DefinitionError: If the text is not there once, or there is no such unit or configuration.
        """
        source = RTL / self.file
        if not source.is_file():
            raise DefinitionError(f"{FILE.name}: {self.name}: there is no rtl/{self.file}")
        text = source.read_text(encoding="utf-8")
        for sound, faulty in self.edits:
            if (count := text.count(sound)) != 1:
                raise DefinitionError(
                    f"{FILE.name}: {self.name}: rtl/{self.file} holds {count} times, not once, {sound!r}"
                )
            text = text.replace(sound, faulty)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for path in [*RTL.glob("*.sv"), *RTL.glob("*.toml")]:
            shutil.copy(path, directory)
        (directory / self.file).write_text(text, encoding="utf-8")
        description, configuration = unit_named(self.unit, self.configuration, directory)
        # The name is that of the build directory: one for each fault.
        return replace(description, name=self.name), configuration


def unit_named(unit: str, configuration: str, directory: Path = RTL) -> tuple[Description, Configuration]:
    """Return a unit that is described in *directory*, and one of its configurations.

    Raises:
        UnknownNameError: If there is no such unit or configuration.
    """
    file = directory / f"{unit}.toml"
    if not file.is_file():
        raise unknown_name("unit", unit, sorted(path.stem for path in directory.glob("*.toml")))
    description = load_description(file)
    configurations = {each.name: each for each in description.configurations}
    if configuration not in configurations:
        raise unknown_name("configuration", configuration, configurations)
    return description, configurations[configuration]


def read_faults(path: Path = FILE) -> list[Fault]:
    """Return every fault of the file, in its order.

    Raises:
        DefinitionError: If the file is not what `Fault` says.
    """
    with open(path, "rb") as stream:
        try:
            tables = tomllib.load(stream)["fault"]
        except (tomllib.TOMLDecodeError, KeyError) as error:
            raise DefinitionError(f"{path.name}: {error}") from None
    known = {each.name for each in fields(Fault)}
    for table in tables:
        if wrong := sorted((known - {"quick"} - set(table)) | (set(table) - known)):
            raise DefinitionError(f"{path.name}: {table.get('name', '?')}: key {wrong[0]} is missing or unknown")
    faults = [Fault(**table) for table in tables]
    names = [each.name for each in faults]
    if twice := {name for name in names if names.count(name) > 1}:
        raise DefinitionError(f"{path.name}: {sorted(twice)[0]} stands there twice")
    return faults
