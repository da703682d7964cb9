"""What mutants are played, in three stages; each is the tests of bulk mode on a set of vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from cocotb_tests.bulk.plan import Files, Segment, write_plan
from cocotb_tests.bulk.program import Program
from cocotb_tests.bulk.segments import stream_segments
from cocotb_tests.operations import FAMILIES
from cocotb_tests.operations.base import VectorRequest
from cocotb_tests.port_values import PortValues, port_values
from cocotb_tests.run import DEFAULT_INPUT, Request
from cocotb_tests.selection import Selection
from cocotb_tests.vector_sets import obtain_vectors
from flows import rtl
from refmodel.vectors.pairs import load_pairs

StageName = Literal["smoke", "sim", "sign-off"]

SMOKE_VECTORS = 2_000
_SMOKE_FULL_RATE = 1_400
_SIGN_OFF_FACTOR = 5
_SIGN_OFF_SHARE = 3
_SIGN_OFF_ROUNDS = 24


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage.

    Attributes:
        name: ``smoke``: at most SMOKE_VECTORS, those under stalls and after resets included. ``sim``: the set that
            `make sim` plays by default, in the same tests. ``sign-off``: a larger set of another seed, with more of it
            under stalls and more resets, of one clock cycle, too.
        seed: Of the set.
        factor: Vectors of the set, as a multiple of those of `make sim`.
    """

    name: StageName
    seed: int
    factor: int = 1

    def segments(self, values: PortValues) -> list[Segment]:
        """Return what is played."""
        if self.name == "sim":
            return stream_segments(values, self.seed)
        if self.name == "sign-off":
            return stream_segments(values, self.seed, share=_SIGN_OFF_SHARE, rounds=_SIGN_OFF_ROUNDS, shortest_reset=1)
        count = values.items.count
        chosen = stream_segments(values, self.seed, full_rate=min(count, _SMOKE_FULL_RATE), share=count)
        played = sum(len(each.items) for each in chosen)
        assert played <= SMOKE_VECTORS, f"the smoke stage plays {played} vectors"
        return chosen

    def call(self, selection: Selection) -> VectorRequest:
        """Return what its set is made from."""
        tensors = load_pairs(str(DEFAULT_INPUT), None)
        request = Request("verilator", (selection,), None, self.seed, tensors, (), None, False, 1)
        return VectorRequest(self.factor * request.vectors_for(selection).count, self.seed, tensors)

    def vectors(self, selection: Selection) -> Path:
        """Return the directory of its set, made if need be.

        Raises:
            MxError: If there is no such set.
        """
        root = rtl.ROOT / "build" / "vectors"
        return obtain_vectors(selection.description, selection.configuration, self.call(selection), root)

    def digest(self, selection: Selection) -> str:
        """Return a digest of its set: of what is played, whatever the model that made it looks like."""
        files = sorted(path for path in self.vectors(selection).rglob("*") if path.is_file() and path.suffix != ".key")
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


STAGES = (Stage("smoke", 1), Stage("sim", 1), Stage("sign-off", 2, _SIGN_OFF_FACTOR))


@dataclass(frozen=True)
class Played:
    """A stage as files of the driver, and the vectors that its segments hold."""

    stage: Stage
    files: Files
    items: Sequence[np.ndarray]

    @property
    def vectors(self) -> int:
        """Vectors that are played, each as often as it is."""
        return sum(len(each) for each in self.items)


def write_stage(stage: Stage, selection: Selection, program: Program, directory: Path) -> Played:
    """Make the set of a stage and write what the driver plays into *directory*.

    Raises:
        MxError: If there is no such set.
    """
    description, configuration = selection.description, selection.configuration
    items = FAMILIES[description.operation.name].read(configuration, stage.vectors(selection))
    values = port_values(items, description, configuration, program.widths)
    segments = stage.segments(values)
    folder = directory / stage.name
    folder.mkdir(exist_ok=True)
    files = write_plan(program, values, segments, stage.seed, folder)
    return Played(stage, files, [segment.items for segment in segments])
