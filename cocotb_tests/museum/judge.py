"""Whether the vectors catch a fault, and which of them does first."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from cocotb_tests.bulk.program import Program, build
from cocotb_tests.bulk.sets import judge, set_key
from cocotb_tests.jobs import Outcome, build_name
from cocotb_tests.museum.faults import Fault
from cocotb_tests.operations import FAMILIES
from cocotb_tests.operations.base import VectorRequest
from cocotb_tests.port_values import port_values
from cocotb_tests.run import Request
from cocotb_tests.selection import Selection
from cocotb_tests.vector_sets import obtain_vectors
from refmodel.conformance import Configuration, Description
from refmodel.writing import write_json

REPLAY = "make museum"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one fault.

    Attributes:
        fault: Its name.
        digest: `Fault.digest` of what was planted.
        vectors: Items of the set.
        mismatches: How many of them had a wrong result.
        vector, stimulus_class: The first of those, and its class; None if there is none.
        failure: The first sentence on something else that was wrong; None if there is none.
    """

    fault: str
    digest: str
    vectors: int
    mismatches: int
    vector: int | None
    stimulus_class: str | None
    failure: str | None

    @property
    def caught(self) -> bool:
        """Whether anything was wrong."""
        return self.vector is not None or self.failure is not None


@dataclass(frozen=True, slots=True)
class Museum:
    """What all faults are played with: the bulk mode, so every vector, stalls and resets.

    Attributes:
        version: What `simulators.prepare` returned for Verilator.
        root: Directory for sources, builds and vector sets.
        request: What vector sets are made from.
    """

    version: str
    root: Path
    request: Request

    def show(self, fault: Fault) -> Verdict:
        """Plant *fault*, play the vectors, and return what came of it.

        A verdict is kept beside the build, and holds until anything that decides it is another.

        Raises:
            MxError: If the fault cannot be planted, or the simulator refuses what it gives.
        """
        description, configuration = fault.plant(self.root / "rtl" / fault.name)
        program = self._build(description, configuration)
        key = set_key(program, description, configuration, self._call(description, configuration))
        kept = program.path.with_name("verdict.json")
        if kept.is_file() and (content := json.loads(kept.read_text(encoding="utf-8")))["key"] == key:
            return Verdict(**content["verdict"])
        outcome = self.play(description, configuration)
        first = outcome.mismatches[0] if outcome.mismatches else None
        stimulus_class = None
        if first is not None:
            items = FAMILIES[description.operation.name].read(configuration, self._vectors(description, configuration))
            stimulus_class = items.classes[items.class_of[first]]
        failure = outcome.failures[0] if outcome.failures else None
        verdict = Verdict(
            fault.name, fault.digest, outcome.vectors, len(outcome.mismatches), first, stimulus_class, failure
        )
        write_json(kept, {"key": key, "verdict": asdict(verdict)})
        return verdict

    def play(self, description: Description, configuration: Configuration) -> Outcome:
        """Build a design if need be and play the vectors through it.

        Raises:
            MxError: As `show`.
        """
        program = self._build(description, configuration)
        vectors = self._vectors(description, configuration)
        items = FAMILIES[description.operation.name].read(configuration, vectors)
        values = port_values(items, description, configuration, program.widths)
        with tempfile.TemporaryDirectory(prefix="mx-museum-") as name:
            return judge(program, values, self.request.seed, REPLAY, Path(name))

    def _build(self, description: Description, configuration: Configuration) -> Program:
        directory = self.root / build_name(description, description.parameter_values(configuration))
        return build(self.version, description, configuration, directory)

    def _call(self, description: Description, configuration: Configuration) -> VectorRequest:
        return self.request.vectors_for(Selection(description, configuration))

    def _vectors(self, description: Description, configuration: Configuration) -> Path:
        return obtain_vectors(description, configuration, self._call(description, configuration), self.root / "vectors")
