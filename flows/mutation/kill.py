"""Which stage catches which mutant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cocotb_tests.bulk.plan import run_driver
from cocotb_tests.bulk.program import Program, build
from flows.mutation.netlist import SELECT, Mutant, Unit, as_design, plant, shown
from flows.mutation.stages import Played
from refmodel.errors import MxError

_OPTIONS = ("-Wno-fatal", "-Wno-lint", "-Wno-style")
"""What Verilator says of a netlist of Yosys is not of the unit."""

_AT_A_TIME = 32


class UnsoundError(MxError):
    """The netlist without a mutant fails, or a proof contradicts a test: the results would mean nothing."""


@dataclass(frozen=True, slots=True)
class Kill:
    """How a mutant was caught.

    Attributes:
        stage: The stage.
        segment: Which of its segments.
        vector: The vector of the stage's set whose result is wrong; None where the stream broke.
        failure: What broke the stream, empty where a result is wrong.
    """

    stage: str
    segment: int
    vector: int | None
    failure: str


def build_group(unit: Unit, mutants: Sequence[Mutant], version: str, directory: Path) -> Program:
    """Return the driver of the netlist that holds *mutants*, built in *directory* if need be.

    Raises:
        MxError: If a tool fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    netlist = directory.with_suffix(".v")
    if not netlist.exists():
        unfinished = directory.with_suffix(".new.v")
        plant(unit, mutants, [f"write_verilog -noattr {shown(unfinished)}"])
        unfinished.replace(netlist)
    chosen = as_design(unit.selection, netlist)
    return build(version, chosen.description, chosen.configuration, directory, SELECT, _OPTIONS)


def play(
    program: Program, stages: Iterable[Played], mutants: Sequence[int], jobs: int,
    found: Callable[[int, Kill], None],
) -> list[int]:  # fmt: skip
    """Play the stages one after the other, each with the mutants that are left; return those left at the end.

    Args:
        program: From `build_group`.
        stages: From `write_stage`.
        mutants: Numbers of mutants in it.
        jobs: Processes at a time.
        found: Called with each mutant that is caught.

    Raises:
        UnsoundError: If the netlist without a mutant fails.
        ToolError: If the driver fails.
    """
    left = list(mutants)
    for played in stages:
        (sound,) = _kill(program, played, [0])
        if sound["segment"] >= 0:
            raise UnsoundError(f"the netlist without a mutant fails in stage {played.stage.name}: {sound}")
        parts = [left[at : at + _AT_A_TIME] for at in range(0, len(left), _AT_A_TIME)]
        with ThreadPoolExecutor(jobs) as pool:
            answers = [line for lines in pool.map(partial(_kill, program, played), parts) for line in lines]
        left = []
        for line in answers:
            segment, item = line["segment"], line["item"]
            if segment < 0:
                left.append(line["variant"])
                continue
            items = played.items[segment]
            vector = int(items[item]) if 0 <= item < len(items) else None
            found(line["variant"], Kill(played.stage.name, segment, vector, line["failure"]))
    return left


def _kill(program: Program, played: Played, variants: Sequence[int]) -> list[dict[str, Any]]:
    files = played.files
    lines = run_driver(program, ["kill", files.plan, files.beats, files.expected, *variants])
    assert len(lines) == len(variants), "the driver answers for every variant"
    return lines
