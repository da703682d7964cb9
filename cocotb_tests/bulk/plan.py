"""What the driver plays, as rows of words and lines of text, and what it reports."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocotb_tests.bench import DRAIN_CYCLES, RESET_CYCLES, WATCHDOG_CYCLES
from cocotb_tests.bulk.program import Program
from cocotb_tests.packing import words
from cocotb_tests.patterns import FULL_RATE, Scenario
from cocotb_tests.port_values import PortValues
from cocotb_tests.simulators import ToolError
from refmodel.vectors.vectorset import rows_of_runs

_RESULTS = "results.bin"
COUNTERS = f"{_RESULTS}.coverage"
"""Name of the file in which a build with counters of code coverage leaves them."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of what is played.

    Attributes:
        items: The items, in the order sent.
        scenario: The patterns of stalls.
        cut: Clock cycles after which it ends, whatever has come; 0 ends it DRAIN_CYCLES after the last result.
        reset: Clock cycles of reset before it; 0 goes on from where the design is.
        latency: Cycles from the last beat to the last result that are promised, None for no promise.
        full_rate: Whether the design must take a beat in every cycle.
        must_offer: Whether a result must be on offer at the cut.
        must_take: Beats that the design must have taken at the cut.
    """

    items: NDArray[np.int64]
    scenario: Scenario = FULL_RATE
    cut: int = 0
    reset: int = RESET_CYCLES
    latency: int | None = None
    full_rate: bool = False
    must_offer: bool = False
    must_take: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a segment.

    Attributes:
        accepted: Beats that the design took.
        results: [n, words], the words of one result port after the other.
        met: uint8 [n], what the item of a result met at the ports, the bits of Met in driver.cpp.
        cycles: Clock cycles.
        seconds: Processor time, the writing of results included.
        failure: What broke the stream, empty if nothing did.
    """

    accepted: int
    results: NDArray[np.uint32]
    met: NDArray[np.uint8]
    cycles: int
    seconds: float
    failure: str


@dataclass(frozen=True)
class Files:
    """A plan as the driver reads it.

    Attributes:
        plan: Its text.
        beats: The rows of input words, the filler first; a row begins with a word that is 1 where an item ends.
        expected: The rows of expected results, in the order of the segments' items.
    """

    plan: Path
    beats: Path
    expected: Path


@dataclass
class _Lines:
    """The text of a plan in the making: every pattern once."""

    patterns: dict[str, int] = field(default_factory=dict)
    segments: list[str] = field(default_factory=list)

    def pattern(self, period: Sequence[bool]) -> int:
        return self.patterns.setdefault("".join("01"[each] for each in period), len(self.patterns))


def rows_of_beats(program: Program, values: PortValues) -> NDArray[np.uint32]:
    """Return the rows of all beats, the filler first: all ones, which are NaN scales and marks of both ends."""
    count = int(values.bounds[-1])
    ends = np.zeros((count, 1), np.uint32)
    ends[values.bounds[1:] - 1] = 1
    columns = [ends]
    filler: list[NDArray[np.uint32]] = [np.zeros((1, 1), np.uint32)]
    for port in program.inputs:
        columns.append(words(values.inputs[port]))
        filler.append(words(np.ones((1, program.widths[port]), np.uint8)))
    return np.concatenate([np.concatenate(filler, axis=1), np.concatenate(columns, axis=1)])


def write_plan(program: Program, values: PortValues, segments: Sequence[Segment], seed: int, directory: Path) -> Files:
    """Write what the driver reads for *segments* into *directory*.

    Args:
        program: The driver.
        values: The vectors.
        segments: What is played; a set that is played whole and in order is written as it is.
        seed: Seed of the stall patterns.
        directory: Where the files go.
    """
    files = Files(directory / "plan.txt", directory / "beats.bin", directory / "expected.bin")
    rows = rows_of_beats(program, values)
    bounds = values.bounds
    lines = _Lines()
    chosen: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]
    first_beat, first_item = 1, 0
    for number, segment in enumerate(segments):
        count = int(np.diff(bounds)[segment.items].sum())
        chosen.append(1 + rows_of_runs(bounds, segment.items))
        scenario = segment.scenario
        offer, take = (
            lines.pattern(pattern.make(random.Random(f"{seed}/{scenario.name}/{number}/{side}")))
            for side, pattern in (("offer", scenario.offer), ("take", scenario.take))
        )
        latency = -1 if segment.latency is None else segment.latency
        numbers = (first_beat, count, first_item, len(segment.items), offer, take, segment.cut, segment.reset, latency)
        promises = (int(segment.full_rate), int(segment.must_offer), segment.must_take)
        lines.segments.append(" ".join(map(str, numbers + promises)))
        first_beat, first_item = first_beat + count, first_item + len(segment.items)
    text = [f"{WATCHDOG_CYCLES} {DRAIN_CYCLES}", *(f"pattern {period}" for period in lines.patterns)]
    files.plan.write_text("\n".join([*text, *(f"segment {numbers}" for numbers in lines.segments), ""]))
    rows[np.concatenate(chosen)].tofile(files.beats)
    values.expected[np.concatenate([segment.items for segment in segments])].tofile(files.expected)
    return files


def play(program: Program, files: Files, directory: Path) -> list[Report]:
    """Play a plan; return a report a segment.

    Raises:
        ToolError: If the driver fails.
    """
    output, events = directory / _RESULTS, directory / "met.bin"
    lines = run_driver(program, ["play", files.plan, files.beats, output, events])
    met = np.fromfile(events, np.uint8)
    results = np.fromfile(output, np.uint32).reshape(
        -1, sum(-(-program.widths[port] // 32) for port in program.outputs)
    )
    reports, at = [], 0
    for line in lines:
        seen = results[at : at + line["seen"]]
        reports.append(
            Report(line["accepted"], seen, met[at : at + len(seen)], line["cycles"], line["seconds"], line["failure"])
        )
        at += len(seen)
    return reports


def run_driver(program: Program, arguments: Sequence[object]) -> list[dict[str, Any]]:
    """Run the driver and return the JSON objects that it prints.

    Raises:
        ToolError: If it fails.
    """
    done = subprocess.run([program.path, *map(str, arguments)], capture_output=True, text=True, errors="replace")
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
        raise ToolError(f"{program.path} ends with status {done.returncode}: {said[0]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
