"""Whether the vectors catch a fault, and which of them does first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cocotb_tests.jobs import Bench, Outcome
from cocotb_tests.museum.faults import Fault
from cocotb_tests.operations import FAMILIES
from cocotb_tests.operations.base import VectorRequest
from cocotb_tests.vector_sets import obtain_vectors
from refmodel.conformance import Configuration, Description
from refmodel.vectors.pairs import TensorPair

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
    """What all faults are played with.

    Attributes:
        bench: Simulator and place for builds.
        count, seed, tensors: What vector sets are made from.
    """

    bench: Bench
    count: int
    seed: int
    tensors: tuple[TensorPair, ...]

    def show(self, fault: Fault) -> Verdict:
        """Plant *fault*, play the vectors, and return what came of it.

        Raises:
            MxError: If the fault cannot be planted, or the simulator refuses what it gives.
        """
        description, configuration = fault.plant(self.bench.build_root / "museum" / fault.name)
        vectors = self._vectors(description, configuration)
        outcome = self.bench.simulate(description, configuration, vectors, seed=self.seed, replay=REPLAY)
        first = outcome.mismatches[0] if outcome.mismatches else None
        stimulus_class = None
        if first is not None:
            items = FAMILIES[description.operation.name].read(configuration, vectors)
            stimulus_class = items.classes[items.class_of[first]]
        failure = outcome.failures[0] if outcome.failures else None
        return Verdict(fault.name, outcome.vectors, len(outcome.mismatches), first, stimulus_class, failure)

    def show_sound(self, description: Description, configuration: Configuration) -> Outcome:
        """Play the vectors through a design without a fault: it must pass for a verdict to mean anything.

        Raises:
            MxError: As `show`.
        """
        vectors = self._vectors(description, configuration)
        return self.bench.simulate(description, configuration, vectors, seed=self.seed, replay=REPLAY)

    def _vectors(self, description: Description, configuration: Configuration) -> Path:
        count = max(1, self.count // max(configuration.beats, configuration.rows * configuration.columns))
        request = VectorRequest(count, self.seed, self.tensors)
        return obtain_vectors(description, configuration, request, self.bench.build_root / "vectors")
