"""What is known of the mutants of a unit, kept after every step; and the evidence that is committed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows import rtl
from flows.locking import alone
from flows.mutation.equivalence import Decision
from flows.mutation.kill import Kill
from flows.mutation.netlist import Mutant
from refmodel.writing import write_text

FILE = rtl.ROOT / "evidence" / "mutation.json"


class State:
    """What is known of each mutant of a list, in a file that is complete after every `save`.

    Args:
        path: The file; what stands there is taken up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        data: Mapping[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self.kills = {int(number): Kill(**kill) for number, kill in data.get("kills", {}).items()}
        self.survivors: set[int] = set(data.get("survivors", ()))
        """Those that no stage catches although they are not proven equivalent."""
        self.decisions = {int(number): Decision(**each) for number, each in data.get("decisions", {}).items()}
        """What the solver says of those that are left before the last stage."""
        self.checked: int = data.get("checked", 0)
        """How many that were caught the solver was asked about, too; it proved none equivalent."""

    def save(self) -> None:
        """Write the file."""
        data = {
            "kills": {number: asdict(each) for number, each in self.kills.items()},
            "survivors": sorted(self.survivors),
            "decisions": {number: asdict(each) for number, each in self.decisions.items()},
            "checked": self.checked,
        }
        write_text(self._path, json.dumps(data))


@dataclass(frozen=True, slots=True)
class Escape:
    """A mutant that no stage catches although it changes a result.

    Attributes:
        mutant: Its number in the list.
        place: What is changed, and where.
        inputs: Values of the input ports, hexadecimal, for which the result is wrong.
    """

    mutant: int
    place: str
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The mutants of a unit from one list.

    Attributes:
        unit, configuration, seed: What was mutated, and the seed of the list.
        mutants: How many.
        smoke, sim, sign_off: Caught by each stage, and by none before it.
        equivalent: Proven to change nothing.
        undecided: Neither caught nor proven.
        escapes: Not caught, and shown to change a result.
        vectors: Vectors that each stage plays.
        checked: Mutants that were caught and that the solver was asked about, too; it proved none equivalent.
        tools: Versions.
        digest: Of all that decides the result, the tools apart.
    """

    unit: str
    configuration: str
    seed: int
    mutants: int
    smoke: int
    sim: int
    sign_off: int
    equivalent: int
    undecided: Sequence[str]
    escapes: Sequence[Escape] = field(default_factory=list)
    vectors: Mapping[str, int] = field(default_factory=dict)
    checked: int = 0
    tools: Sequence[str] = ()
    digest: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        """What an entry takes the place of an earlier one by."""
        return self.unit, self.configuration, self.seed

    def rate(self, stages: Sequence[str]) -> float:
        """Return the share, of all mutants that are not proven equivalent, that these stages catch."""
        caught = sum(getattr(self, stage.replace("-", "_")) for stage in stages)
        return caught / (self.mutants - self.equivalent) if self.mutants > self.equivalent else 1.0


def entry_of(
    unit: str, configuration: str, seed: int, mutants: Sequence[Mutant], state: State, *, vectors: Mapping[str, int],
    tools: Sequence[str], digest: str,
) -> Entry:  # fmt: skip
    """Return the entry of a list of which everything is known."""
    counts = Counter(each.stage for each in state.kills.values())
    numbered = {each.number: each for each in mutants}
    left = {number: each for number, each in sorted(state.decisions.items()) if number not in state.kills}
    equivalent = sum(each.verdict == "equivalent" for each in left.values())
    return Entry(
        unit=unit, configuration=configuration, seed=seed, mutants=len(mutants), smoke=counts["smoke"],
        sim=counts["sim"], sign_off=counts["sign-off"], equivalent=equivalent,
        undecided=[f"{number}: {numbered[number].place}" for number, each in left.items()
                   if each.verdict == "undecided"],
        escapes=[Escape(number, numbered[number].place, each.inputs) for number, each in left.items()
                 if each.verdict == "differs"],
        vectors=vectors, checked=state.checked, tools=list(tools), digest=digest,
    )  # fmt: skip


class Evidence:
    """The entries in evidence/mutation.json."""

    def __init__(self, path: Path = FILE) -> None:
        self._path = path

    def entries(self) -> list[Entry]:
        """Return all entries."""
        if not self._path.exists():
            return []
        data = json.loads(self._path.read_text())
        return [Entry(**each | {"escapes": [Escape(**one) for one in each["escapes"]]}) for each in data["mutation"]]

    def put(self, entry: Entry) -> None:
        """Add an entry in the place of an earlier one of the same unit, configuration and seed."""
        with alone(self._path.with_suffix(".lock")):
            entries = {each.key: each for each in self.entries()} | {entry.key: entry}
            data = {"mutation": [asdict(entries[key]) for key in sorted(entries)]}
            write_text(self._path, json.dumps(data, indent=1) + "\n")
