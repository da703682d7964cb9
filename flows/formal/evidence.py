"""What was proved, as a file: evidence/formal.json. It is complete after every property; a run goes on from it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from flows import rtl
from flows.formal.properties import Property
from flows.formal.prove import BUILD, Finding
from flows.locking import alone
from refmodel.errors import DefinitionError
from refmodel.writing import write_text

FILE = rtl.ROOT / "evidence" / "formal.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A property with what was found.

    Attributes:
        name, parameters: Of the property.
        unit, claim: Of the property.
        digest: Of all that decides the result, the tools apart.
        tools: Versions of the tools.
        finding: Of the sources as they are.
        fault: File, old and new text of the twin.
        twin: Of the sources with that fault.
        links: Digest of each property that it rests on, by title: contracts, for the parameters of every instance.
    """

    name: str
    parameters: Mapping[str, int | str]
    unit: str
    claim: str
    digest: str
    tools: Sequence[str]
    finding: Finding
    fault: Sequence[str]
    twin: Finding
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the property holds and its twin fails."""
        return self.finding.verdict == "holds" and self.twin.verdict == "fails"

    @property
    def is_settled(self) -> bool:
        """Whether more time would change nothing."""
        return "undetermined" not in (self.finding.verdict, self.twin.verdict)


class Evidence:
    """The entries of the file."""

    def __init__(self, path: Path = FILE) -> None:
        self._path = path
        self._entries: dict[str, Entry] = {}
        self._read()

    def find(self, prop: Property, digest: str, tools: Sequence[str]) -> Entry | None:
        """Return the settled entry of a property from these sources and tools, if there is one."""
        entry = self._entries.get(prop.title)
        if entry and (entry.digest, list(entry.tools)) == (digest, list(tools)) and entry.is_settled:
            linked = all(self._stands(title, digest) for title, digest in entry.links.items())
            return entry if linked else None
        return None

    def links(self, prop: Property, finding: Finding, properties: Sequence[Property]) -> dict[str, str]:
        """Return what a property rests on: for every instance of a stand-in the proof of its contract.

        Raises:
            DefinitionError: If one of them has no proof that stands for its parameters.
        """
        links: dict[str, str] = {}
        proved = [each for each in properties if each.name in prop.contracts.values()]
        digests = {each.title: each.digest() for each in proved}
        for unit, name in prop.contracts.items():
            candidates = [each.title for each in proved if (each.name, each.unit) == (name, unit)]
            for values in finding.instances.get(unit, ()):
                title = next(
                    (
                        each for each in candidates
                        if self._stands(each, digests[each]) and values in self._entries[each].finding.instances[unit]
                    ),
                    None,
                )  # fmt: skip
                if title is None:
                    shown = " ".join(f"{key}={value}" for key, value in values.items())
                    raise DefinitionError(f"rests on {name!r} of {unit} with {shown}, which is not proved")
                links[title] = digests[title]
        return links

    def _stands(self, title: str, digest: str) -> bool:
        entry = self._entries.get(title)
        return entry is not None and entry.digest == digest and entry.passed and all(
            self._stands(*each) for each in entry.links.items()
        )  # fmt: skip

    def put(self, prop: Property, entry: Entry) -> None:
        """Add an entry in the place of an earlier one."""
        with self._alone():
            self._entries[prop.title] = entry
            self._write()

    def keep(self, properties: Sequence[Property]) -> None:
        """Drop the entries of other properties, and put the rest in this order."""
        with self._alone():
            titles = [prop.title for prop in properties]
            self._entries = {title: self._entries[title] for title in titles if title in self._entries}
            self._write()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the file against other processes and threads, with what they have added read."""
        self._path.parent.mkdir(exist_ok=True)
        with alone(BUILD / "evidence.lock"):
            self._read()
            yield

    def _read(self) -> None:
        if self._path.is_file():
            for title, each in json.loads(self._path.read_text()).items():
                finding, twin = Finding(**each.pop("finding")), Finding(**each.pop("twin"))
                self._entries[title] = Entry(finding=finding, twin=twin, **each)

    def _write(self) -> None:
        lines = [f"{json.dumps(title)}: {json.dumps(asdict(entry))}" for title, entry in self._entries.items()]
        write_text(self._path, "{\n" + ",\n".join(lines) + "\n}\n")
