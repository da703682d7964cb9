"""What a run hands to the bench inside the simulator, and the file in which the bench answers."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_VARIABLE = "MX_BENCH_SETTINGS"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one simulation.

    Attributes:
        description: The file that describes the design.
        configuration: Name of the configuration.
        vectors: The directory of the vector set.
        seed: Seed of the stall patterns.
        result: The JSON file that the scoreboard writes.
        replay: Shell command that repeats this simulation; a vector is chosen by adding VECTOR=n.
        vector: The one item to play; None plays all.
        trace: The JSON file for the values of all ports at every clock edge; None for none.
        alternative: Which of `alternatives` takes the place of the description; None for the description itself.
    """

    description: str
    configuration: str
    vectors: str
    seed: int
    result: str
    replay: str
    vector: int | None = None
    trace: str | None = None
    alternative: int | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment variable that carries these settings into the simulator."""
        return {_VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls) -> Settings:
        """Return the settings of the running simulation."""
        return cls(**json.loads(os.environ[_VARIABLE]))


@dataclass(slots=True)
class BenchResult:
    """What the scoreboard reports; complete only once every test has ended.

    Attributes:
        compared: Number of different items whose result was compared.
        comparisons: Number of comparisons; an item that is played in several scenarios counts each time.
        seconds: Processor time in which those were streamed.
        classes: Per stimulus class, the number of its items that were compared.
        mismatches: Numbers of the items of which the result was wrong.
        reports: Explanations of the first mismatches.
        failures: Sentences about everything else that went wrong: protocol, order, count.
        unfit: Sentences on what does not fit between description and design; nothing has run then.
    """

    compared: int
    comparisons: int
    seconds: float
    classes: dict[str, int]
    mismatches: list[int]
    reports: list[str]
    failures: list[str]
    unfit: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write the result; a reader sees the old file or the new one, never half of one."""
        temporary = path.with_name(path.name + ".new")
        temporary.write_text(json.dumps(asdict(self)), encoding="utf-8")
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> BenchResult:
        """Return the result that a bench wrote.

        Raises:
            OSError: If there is none.
        """
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**fields)
