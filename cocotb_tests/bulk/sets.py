"""One configuration in bulk: its vector sets, a seed after another, played and judged."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocotb_tests.bulk import plan
from cocotb_tests.bulk.plan import Report, Segment
from cocotb_tests.bulk.program import DRIVER, Program, build
from cocotb_tests.bulk.segments import stream_segments
from cocotb_tests.jobs import ROOT, Outcome, build_name
from cocotb_tests.operations import FAMILIES
from cocotb_tests.operations.base import VectorRequest
from cocotb_tests.port_values import PortValues, port_values
from cocotb_tests.run import Request
from cocotb_tests.scoreboard import Scoreboard
from cocotb_tests.selection import Selection
from cocotb_tests.vector_sets import obtain_vectors, vector_key
from refmodel.conformance import Configuration, Description
from refmodel.errors import DefinitionError

SET_FACTOR = 5
"""Vectors of a set, as a multiple of those that `make sim` has by default."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A set that was played, as a line of a record.

    Attributes:
        unit, configuration: What was simulated.
        seed, count: What the set was made from.
        vectors: Vectors of the set.
        comparisons: Results compared, the repetitions under stalls included.
        expected: SHA-256 of the rows of expected results.
        mismatches, failures: What was wrong; 0 and 0 of a pass.
        tools: Version of the simulator.
        key: Digest of the sources of design, driver and model, and of the set's call.
    """

    unit: str
    configuration: str
    seed: int
    count: int
    vectors: int
    comparisons: int
    expected: str
    mismatches: int
    failures: int
    tools: str
    key: str


class Record:
    """A file of JSON lines, one a set; sets that stand there as passed are not played again.

    Args:
        path: The file; it is made if it is not there.

    Raises:
        DefinitionError: If it holds something else.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        try:
            self._entries = [Entry(**json.loads(line)) for line in lines]
        except (ValueError, TypeError) as error:
            raise DefinitionError(f"{path}: is no record of sets: {error}") from None

    def passed(self, key: str) -> Entry | None:
        """Return the set of that digest if it was played and passed."""
        fitting = (each for each in self._entries if each.key == key and not each.mismatches and not each.failures)
        return next(fitting, None)

    def add(self, entry: Entry) -> None:
        """Append a set."""
        with self._lock, self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(entry)) + "\n")


def play_sets(
    request: Request, selection: Selection, version: str, record: Record | None, root: Path = ROOT / "build" / "bulk"
) -> Outcome:
    """Play the sets of a configuration until there are as many vectors as are asked for, or one has failed.

    Each set is played through the tests of `stream_segments`. Of a run of several sets none is kept on disk.

    Args:
        request: What is asked for; its count is over all sets.
        selection: The configuration.
        version: What `simulators.prepare` returned for Verilator.
        record: What was played before, and where to write what is played now.
        root: Directory for builds and vector sets.

    Raises:
        MxError: If there is no such set, or a tool fails.
    """
    description, configuration = selection.description, selection.configuration
    directory = root / build_name(description, description.parameter_values(configuration))
    program = build(version, description, configuration, directory)
    whole = SET_FACTOR * dataclasses.replace(request, count=None).vectors_for(selection).count
    left = whole if request.count is None else request.count
    if left < 1:
        raise DefinitionError(f"COUNT={left}: at least one vector must be played")
    is_one = left <= whole
    outcome = Outcome(description, configuration, 0)
    seed = request.seed
    while left > 0 and outcome.passed:
        one = dataclasses.replace(request, seed=seed, count=min(left, whole))
        found = _play_set(one, selection, program, version, record, root if is_one else None)
        outcome = _joined(outcome, found)
        left -= found.vectors
        seed += 1
    return outcome


def _joined(before: Outcome, found: Outcome) -> Outcome:
    """Return the outcome of several sets; what is wrong is of the last."""
    return dataclasses.replace(
        found,
        vectors=before.vectors + found.vectors,
        classes=dict(Counter(before.classes) + Counter(found.classes)),
        comparisons=before.comparisons + found.comparisons,
        seconds=before.seconds + found.seconds,
    )


def _play_set(
    request: Request, selection: Selection, program: Program, version: str, record: Record | None, root: Path | None
) -> Outcome:
    description, configuration = selection.description, selection.configuration
    call = request.vectors_for(selection)
    key = set_key(program, description, configuration, call)
    if record and (entry := record.passed(key)):
        return Outcome(description, configuration, entry.vectors, comparisons=entry.comparisons)
    with tempfile.TemporaryDirectory(prefix="mx-bulk-") as name:
        temporary = Path(name)
        vectors = obtain_vectors(description, configuration, call, (root or temporary) / "vectors")
        items = FAMILIES[description.operation.name].read(configuration, vectors)
        values = port_values(items, description, configuration, program.widths)
        outcome = judge(program, values, request.seed, request.replay_command(selection), temporary)
    if record:
        expected = hashlib.sha256(values.expected.astype("<u4").tobytes()).hexdigest()
        entry = Entry(
            description.name, configuration.name, call.seed, call.count, outcome.vectors, outcome.comparisons,
            expected, len(outcome.mismatches), len(outcome.failures), version, key,
        )  # fmt: skip
        record.add(entry)
    return outcome


def set_key(program: Program, description: Description, configuration: Configuration, call: VectorRequest) -> str:
    """Return a digest of all that decides the outcome of a set: design, driver, vectors, and what plays and judges."""
    built = (program.path.parent / "build.key").read_text()
    return hashlib.sha256((built + vector_key(description, configuration, call) + bench_digest()).encode()).hexdigest()


def bench_digest() -> str:
    """Return a digest of what plays and judges."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), DRIVER, ROOT / "cocotb_tests" / "port_values.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def judge(
    program: Program, values: PortValues, seed: int, replay: str, directory: Path, further: Sequence[Segment] = ()
) -> Outcome:
    """Play a set through every test and let the scoreboard judge it.

    Args:
        program: The driver of the design.
        values: The vectors.
        seed: Of the stalls.
        replay: Shell command that repeats the simulation, for reports.
        directory: For files.
        further: Segments to play after those of the tests.
    """
    items = values.items

    def explain(item: int, seen: NDArray[np.uint32]) -> list[str]:
        return values.explain(item, seen, full=False)

    scoreboard = Scoreboard(
        values.expected, items.classes, items.class_of, explain, values.configuration.rule_name, replay
    )
    segments = [*stream_segments(values, seed), *further]
    met = np.zeros(items.count, np.uint8)
    reports = plan.play(program, plan.write_plan(program, values, segments, seed, directory), directory)
    for segment, report in zip(segments, reports, strict=True):
        name = segment.scenario.name
        compared = segment.items[: len(report.results)]
        np.bitwise_or.at(met, compared, report.met[: len(compared)])
        fresh = scoreboard.compare(segment.items, report.results, name, report.seconds)
        if report.failure:
            scoreboard.fail(f"{name}: {_sentence(segment, report, values, scoreboard)}")
        elif not segment.cut and len(report.results) < len(segment.items):
            scoreboard.fail(f"{name}: {len(report.results)} results for {len(segment.items)} vectors")
        for item, seen in fresh:
            alone = plan.write_plan(program, values, [Segment(np.array([item]))], seed, directory)
            (again,) = plan.play(program, alone, directory)
            scoreboard.explain(item, seen, again.results[0] if len(again.results) else None)
    found = scoreboard.result()
    failures = list(found.failures)
    if found.compared != items.count:
        failures.append(f"{found.compared:,} of {items.count:,} vectors were compared")
    return Outcome(
        values.description, values.configuration, items.count, found.mismatches, found.classes, found.comparisons,
        found.seconds, found.reports, failures, met,
    )  # fmt: skip


def _sentence(segment: Segment, report: Report, values: PortValues, scoreboard: Scoreboard) -> str:
    """Return what broke a stream, with where it was."""
    beats = int(np.diff(values.bounds)[segment.items].sum())
    seen, wanted = len(report.results), len(segment.items)
    where = f"{report.accepted} of {beats} beats accepted; {seen} of {wanted} results seen"
    if seen < wanted:
        where += f", waiting for the result of {scoreboard.name(int(segment.items[seen]))}"
    return f"{report.failure}; {where}"
