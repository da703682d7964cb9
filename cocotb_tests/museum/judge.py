"""Whether the vectors catch a fault, and which of them does first."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from cocotb_tests.bulk.program import build
from cocotb_tests.bulk.sets import judge
from cocotb_tests.jobs import Outcome, build_name
from cocotb_tests.museum.faults import Fault
from cocotb_tests.operations import FAMILIES
from cocotb_tests.port_values import port_values
from cocotb_tests.run import Request
from cocotb_tests.selection import Selection
from cocotb_tests.vector_sets import obtain_vectors
from refmodel.conformance import Configuration, Description

REPLAY = "make museum"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one fault.

    Attributes:
        fault: Its name.
        vectors: Items of the set.
        mismatches: How many of them had a wrong result.
        vector, stimulus_class: The first of those, and its class; None if there is none.
        failure: The first sentence on something else that was wrong; None if there is none.
    """

    fault: str
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

        Raises:
            MxError: If the fault cannot be planted, or the simulator refuses what it gives.
        """
        description, configuration = fault.plant(self.root / "rtl" / fault.name)
        outcome = self.play(description, configuration)
        first = outcome.mismatches[0] if outcome.mismatches else None
        stimulus_class = None
        if first is not None:
            items = FAMILIES[description.operation.name].read(configuration, self._vectors(description, configuration))
            stimulus_class = items.classes[items.class_of[first]]
        failure = outcome.failures[0] if outcome.failures else None
        return Verdict(fault.name, outcome.vectors, len(outcome.mismatches), first, stimulus_class, failure)

    def play(self, description: Description, configuration: Configuration) -> Outcome:
        """Build a design if need be and play the vectors through it.

        Raises:
            MxError: As `show`.
        """
        directory = self.root / build_name(description, description.parameter_values(configuration))
        program = build(self.version, description, configuration, directory)
        vectors = self._vectors(description, configuration)
        items = FAMILIES[description.operation.name].read(configuration, vectors)
        values = port_values(items, description, configuration, program.widths)
        with tempfile.TemporaryDirectory(prefix="mx-museum-") as name:
            return judge(program, values, self.request.seed, REPLAY, Path(name))

    def _vectors(self, description: Description, configuration: Configuration) -> Path:
        asked = self.request.vectors_for(Selection(description, configuration))
        return obtain_vectors(description, configuration, asked, self.root / "vectors")
