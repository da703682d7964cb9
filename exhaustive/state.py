"""What has been tried already: a file that an interrupted run is taken up from.

Its name holds a digest of everything that results depend on, so results of other sources or other packages
are never taken over.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from pathlib import Path

import ml_dtypes
import numpy as np

from exhaustive.claims import Outcome

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "exhaustive"

_SOURCES = ("refmodel/*.py", "refmodel/oracle/*.py", "exhaustive/claims.py", "exhaustive/thresholds.py")

Part = tuple[str, int]
"""Name of a claim and number of one of its parts."""


def sources_digest() -> str:
    """Return a digest of the sources that results depend on and of the packages they are computed with."""
    digest = hashlib.sha256()
    for each in (platform.python_version(), np.__version__, ml_dtypes.__version__):
        digest.update(each.encode() + b"\0")
    for pattern in _SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


class State:
    """Outcomes of parts, each written to the file as soon as it is there.

    Attributes:
        path: The file, one JSON object a line.
        done: What the file holds: outcome and seconds by part.
    """

    def __init__(self, directory: Path = BUILD) -> None:
        self.path = directory / f"state-{sources_digest()}.jsonl"
        self.done: dict[Part, tuple[Outcome, float]] = {}
        directory.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._read()
        self._file = self.path.open("a", encoding="ascii")

    def _read(self) -> None:
        text = self.path.read_text("ascii", errors="replace")
        whole = text[: text.rfind("\n") + 1]
        if len(whole) < len(text):  # killed while writing; the part is tried again
            self.path.write_text(whole, "ascii")
        for line in whole.splitlines():
            entry = json.loads(line)
            claim, part, seconds = entry.pop("claim"), entry.pop("part"), entry.pop("seconds")
            self.done[claim, part] = Outcome(**entry | {"examples": tuple(entry["examples"])}), seconds

    def add(self, part: Part, outcome: Outcome, seconds: float) -> None:
        """Note the outcome of a part."""
        self.done[part] = outcome, seconds
        entry = {"claim": part[0], "part": part[1], "seconds": round(seconds, 4), **asdict(outcome)}
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
